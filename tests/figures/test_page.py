"""The page of LOSVDs, by what its artists hold and by its looks."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from scipy import stats

mpl.use("Agg")
import matplotlib.pyplot as plt

from tests.helpers.images import assert_looks_like
from tests.helpers.solvers import EDGES, gaussian_solver
from veldist.figures.page import draw_page, evenly_spread
from veldist.models.losvd.frame import Frame
from veldist.summaries.curves import Curve
from veldist.summaries.strip import strip_of


def strips(n=7, **changes):
    made = [gaussian_solver(mean=2.0 * i, sigma=15.0 - 0.2 * i) for i in range(n)]
    return [
        replace(strip_of(s.samples["intrinsic_pdf"], EDGES, i + 1, 80 + i), **changes)
        for i, s in enumerate(made)
    ]


def artists(figure):
    return {artist.get_label(): artist for artist in figure.axes[0].collections}


def frames(figure):
    """Boxes of the panels."""
    return [path.get_extents() for path in artists(figure)["frames"].get_paths()]


def in_units(points, box, made, central="median"):
    """Velocities and densities of points in a panel, the inverse of what the page shows."""
    low, high = min(s.reach[0] for s in made), max(s.reach[2] for s in made)
    top = 1.3 * max(np.maximum(s.upper, s.line(central)).max() for s in made)
    x, y = ((points - box.min) / box.size).T
    return low + (high - low) * x, top * y


def heights(path, box, made, velocity, central="median"):
    """Density of a line of steps at velocities; NaN where it is not drawn."""
    x, y = in_units(path.vertices, box, made, central)
    level = (y[1:] == y[:-1]) & (x[1:] > x[:-1])
    at = (velocity[:, None] > x[:-1]) & (velocity[:, None] < x[1:]) & level
    return np.where(at.any(axis=1), y[:-1][at.argmax(axis=1)], np.nan)


@pytest.mark.parametrize("central", ["median", "mean"])
def test_lines_and_bands_are_those_of_the_strips(central):
    made = strips()
    figure = draw_page(made, n_columns=3, central=central)
    found = artists(figure)
    low, high = min(s.reach[0] for s in made), max(s.reach[2] for s in made)
    centers = 0.5 * (EDGES[1:] + EDGES[:-1])
    inside = (centers > low) & (centers < high)
    for k, (strip, box) in enumerate(zip(made, frames(figure), strict=True)):
        line = found[f"posterior {central}"].get_paths()[k]
        got = heights(line, box, made, centers[inside], central)
        wanted = strip.line(central)[inside]
        # What is as low as the frame's line is hidden by it.
        seen = wanted > 0.01 * wanted.max()
        np.testing.assert_allclose(got[seen], wanted[seen])
        velocity, density = in_units(found["68 %"].get_paths()[k].vertices, box, made, central)
        assert density.max() == pytest.approx(strip.upper.max())
        # The first half of a band is its upper side, from left to right.
        n = 2 * strip.upper.size
        np.testing.assert_allclose(density[:n:2], strip.upper, atol=1e-15)
        np.testing.assert_allclose(density[n : 2 * n : 2], strip.lower[::-1], atol=1e-15)
        np.testing.assert_allclose(velocity[:n:2], np.clip(EDGES[:-1], low, high), atol=1e-9)


def test_all_is_within_the_panels():
    spike = Curve(np.linspace(-60.0, 60.0, 4001), stats.norm.pdf(np.linspace(-60.0, 60.0, 4001), 5.0, 0.5))
    far = Curve(np.array([-500.0, 0.0, 10.0, 500.0]), np.array([0.01, 1.0, 0.02]))
    made = [*strips(2, truth=spike), *strips(2, truth=far, gaussian=Frame(0.0, 1.0))]
    figure = draw_page(made, n_columns=2)
    boxes = frames(figure)
    for name, artist in artists(figure).items():
        where = {"best Gaussian": boxes[2:]}.get(name, boxes)
        if name in ("frames", "panels", "ticks"):
            continue
        for path, box in zip(artist.get_paths(), where, strict=True):
            points = path.vertices[np.isfinite(path.vertices).all(axis=1)]
            assert np.all((points >= box.min - 1e-9) & (points <= box.max + 1e-9)), name
    # Cut at the top: in two parts.
    assert [int(np.isnan(p.vertices[:, 0]).sum()) for p in artists(figure)["truth"].get_paths()] == [1] * 4
    figure.canvas.draw()


def test_comparisons_are_where_they_belong():
    velocity = np.linspace(-60.0, 60.0, 1001)
    made = strips(3)
    made[2] = replace(
        made[2], gaussian=Frame(4.0, 14.0), truth=Curve(velocity, stats.norm.pdf(velocity, 3.0, 13.0))
    )
    figure = draw_page(made)
    for name, wanted in (("best Gaussian", stats.norm(4.0, 14.0)), ("truth", stats.norm(3.0, 13.0))):
        (path,) = artists(figure)[name].get_paths()
        v, density = in_units(path.vertices, frames(figure)[2], made)
        np.testing.assert_allclose(density, wanted.pdf(v), rtol=2e-3)
    assert figure.get_suptitle().endswith("\ndashed: best Gaussian (grey) and truth (black)")


def test_common_median_velocity_is_dotted():
    made = strips(5)
    figure = draw_page(made)
    for path, box in zip(artists(figure)["common median"].get_paths(), frames(figure), strict=True):
        velocity, density = in_units(path.vertices, box, made)
        np.testing.assert_allclose(velocity, 4.0, atol=0.1)
        assert density[0] < 0.01 * density[1]


def test_outer_panels_have_labels_at_their_ticks():
    made = strips(7)
    figure = draw_page(made, n_columns=3)
    (ax,) = figure.axes
    ticks = [path.vertices[0] for path in artists(figure)["ticks"].get_paths()]
    found = {"center": set(), "right": set()}
    for text in ax.texts:
        side = text.get_ha()
        if side not in found:
            continue
        # The tick that it belongs to, to the right or above.
        place = np.array(text.get_position())
        gap = {"center": [0.0, 3.5 / 72.0], "right": [3.5 / 72.0, 0.0]}[side]
        (tick,) = [tick for tick in ticks if np.allclose(tick, place + gap)]
        (k,) = [
            k
            for k, box in enumerate(frames(figure))
            if np.all((tick > box.min - 1e-9) & (tick < box.max + 1e-9))
        ]
        found[side].add(k)
        velocity, density = in_units(tick[None], frames(figure)[k], made)
        value = velocity if side == "center" else density
        assert float(text.get_text().replace("\N{MINUS SIGN}", "-")) == pytest.approx(value[0], abs=1e-9)
    # The lowest panel of each column, and the leftmost one of each row.
    assert found == {"center": {4, 5, 6}, "right": {0, 3, 6}}


def test_titles_number_of_bins_and_colour():
    figure = draw_page(strips(2), titles=["a", "b"], color="#D55E00", n_fitted=9, n_skipped=4)
    assert [text.get_text() for text in figure.axes[0].texts if text.get_ha() == "left"] == ["a", "b"]
    assert figure.get_suptitle().startswith("2 of 9 fitted bins (4 more skipped) | posterior median")
    assert to_rgb(artists(figure)["posterior median"].get_color()[0]) == to_rgb("#D55E00")


def test_no_text_runs_into_another():
    figure = draw_page(strips(40), n_columns=8)
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    texts = [*figure.axes[0].texts, *figure.texts]
    boxes = [text.get_window_extent(renderer) for text in texts]
    for i, box in enumerate(boxes):
        hit = [texts[j].get_text() for j in range(i) if box.overlaps(boxes[j])]
        assert not hit, (texts[i].get_text(), hit)


@pytest.mark.parametrize(("n", "n_max", "shown"), [(3, 5, [0, 1, 2]), (9, 3, [0, 4, 8]), (5, 1, [0])])
def test_evenly_spread(n, n_max, shown):
    assert evenly_spread(n, n_max).tolist() == shown


def test_follows_the_users_style():
    with plt.style.context("dark_background"):
        figure = draw_page(strips(1))
    assert to_rgb(artists(figure)["frames"].get_color()[0]) == to_rgb("white")
    assert to_rgb(artists(figure)["panels"].get_facecolor()[0]) == to_rgb("black")


def test_looks():
    velocity = np.linspace(-60.0, 60.0, 1001)
    made = strips(7, truth=Curve(velocity, stats.norm.pdf(velocity, 5.0, 12.0)))
    made[0] = replace(made[0], gaussian=Frame(0.0, 15.0))
    assert_looks_like(draw_page(made, n_columns=3), "losvd_page")
