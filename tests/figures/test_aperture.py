"""Picture of an aperture, by the data that its artists hold."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

mpl.use("Agg")

from tests.helpers.images import assert_looks_like, pixel_edges
from veldist.export import aperture_and_bins
from veldist.figures.aperture import _tints, plot_aperture
from veldist.sky.pixels import PixelGrid


def aperture(angle=0.0):
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 30, 300), rng.normal(0, 10, 300)
    # A galaxy whose major axis is at -angle from x.
    turn = -np.radians(angle)
    x, y = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
    labels = np.argsort(np.argsort(x)) * 8 // 300
    return aperture_and_bins(x, y, labels, angle_deg=angle)


def test_neighbours_differ_in_colour():
    found = aperture()
    tints = np.append(np.nan, _tints(found.pixel_ids))[found.pixel_ids]
    ids = found.pixel_ids
    for a, b, s, t in (
        (ids[1:], ids[:-1], tints[1:], tints[:-1]),
        (ids.T[1:], ids.T[:-1], tints.T[1:], tints.T[:-1]),
    ):
        beside = (a != b) & (a > 0) & (b > 0)
        assert np.all(s[beside] != t[beside])


@pytest.mark.parametrize("angle", [30.0, -50.0])
def test_the_arrow_points_along_the_stars(angle):
    found = aperture(angle)
    ax = found.plot(Figure().subplots(), numbers=True)
    arrow = next(t for t in ax.texts if getattr(t, "arrow_patch", None) is not None)
    (x1, y1), (x0, y0) = arrow.xy, arrow.xyann
    direction = np.array([x1 - x0, y1 - y0]) / np.hypot(x1 - x0, y1 - y0)
    # The stars' longest axis, up to its sense; 300 of them fix it to 1 degree or so.
    longest = np.linalg.svd(np.column_stack([found.x, found.y]), full_matrices=False)[2][0]
    assert abs(direction @ longest) > np.cos(np.radians(5.0))
    numbers = {t.get_text() for t in ax.texts}
    assert {str(k) for k in range(1, 9)} <= numbers
    assert any("300 stars" in line.get_label() for line in ax.lines)
    assert "8 bins" in ax.get_title()


def test_no_arrow_without_an_angle():
    ax = aperture().plot(Figure().subplots())
    assert not [t for t in ax.texts if getattr(t, "arrow_patch", None) is not None]


def test_the_name_of_the_arrow_is_in_the_emptiest_corner():
    found = aperture(-35.0)
    # Elongated from the lower left to the upper right.
    ax = found.plot(Figure().subplots())
    name = next(t for t in ax.texts if t.get_text() == "major axis")
    assert name.xy in ((0.0, 1.0), (1.0, 0.0))
    grid = PixelGrid(0.0, 0.0, 16.0, 16.0, 20.0, 16, 16)
    ids = np.ones((16, 16), dtype=int)
    ids[:4, 10:] = 0
    ax = plot_aperture(grid, ids, Figure().subplots())
    assert next(t for t in ax.texts if t.get_text() == "major axis").xy == (1.0, 0.0)


@pixel_edges
def test_looks_as_approved():
    assert_looks_like(aperture(-35.0).plot(Figure().subplots()).figure, "aperture")


def test_errors_teach():
    grid = PixelGrid(0.0, 0.0, 2.0, 2.0, 0.0, 2, 2)
    with pytest.raises(TypeError, match="integers"):
        plot_aperture(grid, np.ones(4))
    with pytest.raises(ValueError, match="3 values"):
        plot_aperture(grid, np.ones(3, dtype=int))
    with pytest.raises(ValueError, match="together"):
        plot_aperture(grid, np.ones(4, dtype=int), x=[1.0])
