"""LOSVDs along a coordinate, by the data that the artists hold and by their looks."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pytest
from astropy import units as u
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch

mpl.use("Agg")
import matplotlib.pyplot as plt

from tests.helpers.images import assert_looks_like
from tests.helpers.solvers import EDGES, gaussian_solver
from veldist.plotting import plot_ridge

COORDINATE = np.array([20.0, -10.0, 0.0, 50.0, 5.0])


def rotating(means=(8.0, -6.0, 0.0, 11.0, 3.0), skipped=()):
    return [
        None if i in skipped else gaussian_solver(mean=m, sigma=12.0 - 0.5 * i, spread=0.5 + 0.3 * i)
        for i, m in enumerate(means)
    ]


def density(solver):
    return solver.samples["intrinsic_pdf"] / np.diff(EDGES)


def test_ridges_stand_in_the_order_of_the_coordinate():
    solvers = rotating()
    ax = plot_ridge(solvers, COORDINATE, overlap=2.0)
    order = np.argsort(COORDINATE)
    assert list(ax.get_yticks()) == list(range(5))
    assert [t.get_text() for t in ax.get_yticklabels()] == ["−10", "0", "5", "20", "50"]
    filled = [p for p in ax.patches if isinstance(p, StepPatch) and p.get_fill()]
    bands = filled[1::2]
    unit = 2.0 / max(np.median(density(s), axis=0).max() for s in solvers)
    for k, i in enumerate(order):
        lower, upper = np.percentile(density(solvers[i]), [16.0, 84.0], axis=0)
        np.testing.assert_allclose(bands[k].get_data().baseline, k + unit * lower)
        np.testing.assert_allclose(bands[k].get_data().values, k + unit * upper)
    (dots,) = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots.get_xdata(), np.array([8.0, -6.0, 0.0, 11.0, 3.0])[order], atol=0.3)
    np.testing.assert_array_equal(dots.get_ydata(), np.arange(5))
    # Lower ridges are in front.
    assert bands[0].get_zorder() > bands[-1].get_zorder()


def test_image_has_each_bin_reach_half_way_to_its_neighbours():
    solvers = rotating(skipped=(2,))
    ax = plot_ridge(solvers, [20.0, -10.0, np.nan, 50.0, 5.0], kind="image", central="mean")
    meshes = [c for c in ax.collections if isinstance(c, QuadMesh)]
    reach = [(m.get_coordinates()[0, 0, 1], m.get_coordinates()[1, 0, 1]) for m in meshes]
    assert reach == [(-17.5, -2.5), (-2.5, 12.5), (12.5, 35.0), (35.0, 65.0)]
    np.testing.assert_allclose(np.ravel(meshes[0].get_array()), density(solvers[1]).mean(axis=0))
    assert len({m.get_clim() for m in meshes}) == 1
    assert ax.get_ylim() == (-17.5, 65.0)
    assert "km s" in ax.figure.axes[1].get_ylabel()


@pytest.mark.parametrize("kind", ["ridge", "image"])
def test_systemic_velocity(kind):
    def dotted(ax):
        (line,) = [line for line in ax.lines if line.get_linestyle() == ":"]
        return line.get_xdata()[0]

    assert dotted(plot_ridge(rotating(), COORDINATE, kind=kind)) == pytest.approx(3.0, abs=0.1)
    ax = plot_ridge(rotating(), COORDINATE, kind=kind, systemic=-0.1 * u.m / u.ms)
    assert dotted(ax) == pytest.approx(-0.1)
    ax = plot_ridge(rotating(), COORDINATE, kind=kind, systemic=-80.0)
    assert ax.get_xlim()[0] <= -80.0


@pytest.mark.parametrize("kind", ["ridge", "image"])
def test_one_bin_different_grids_and_given_axes(kind):
    ax = Figure().subplots()
    other = gaussian_solver(edges=np.linspace(-90.0, 90.0, 61))
    assert plot_ridge([other, gaussian_solver()], [1.0, 2.0] * u.arcmin, ax, kind=kind, label="R") is ax
    assert ax.get_ylabel() == "R"
    ax.figure.canvas.draw()
    plot_ridge([None, gaussian_solver()], [1.0, 2.0], Figure().subplots(), kind=kind).figure.canvas.draw()
    assert plt.get_fignums() == []


def test_many_ridges_are_not_all_labelled():
    ax = plot_ridge([gaussian_solver(n_draws=5)] * 40, np.arange(40.0))
    assert 8 <= len(ax.get_yticks()) <= 16


def test_more_ridges_than_can_be_told_apart():
    many = [gaussian_solver(n_draws=5)] * 61
    with pytest.warns(UserWarning, match="61 ridges are more than .* kind='image'"):
        plot_ridge(many, np.arange(61.0))
    plot_ridge(many, np.arange(61.0), kind="image")


def test_draws_are_not_kept():
    class Lazy(Sequence):
        """Makes solvers when asked, and notes what is left of the draws."""

        def __init__(self):
            self.draws = []

        def __len__(self):
            return 4

        def __getitem__(self, i):
            if i >= len(self):
                raise IndexError(i)
            solver = gaussian_solver(mean=float(i))
            gc.collect()
            assert sum(draws() is not None for draws in self.draws) <= 1
            self.draws.append(weakref.ref(solver.samples["intrinsic_pdf"]))
            return solver

    lazy = Lazy()
    plot_ridge(lazy, np.arange(4.0))
    assert len(lazy.draws) >= 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "waterfall"}, "kind must be one of"),
        ({"central": "mode"}, "central must be one of"),
        ({"overlap": 0.0}, "overlap must be positive"),
        ({"coordinate": [1.0]}, "coordinate has 1 values, but there are 5 solvers"),
        ({"coordinate": [1.0, 2.0, 3.0, np.nan, 4.0]}, "coordinate has 1 of 5"),
        ({"coordinate": [1.0, 2.0, 2.0, 3.0, 4.0], "kind": "image"}, "share coordinates .first: 2"),
        ({"solvers": [None] * 5}, r"no solved bin \(of 5\)"),
    ],
)
def test_bad_arguments_leave_no_figure_behind(arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_ridge(**({"solvers": rotating(), "coordinate": COORDINATE} | arguments))
    assert plt.get_fignums() == []


@pytest.mark.parametrize("kind", ["ridge", "image"])
def test_looks(kind):
    figure = plot_ridge(rotating(), COORDINATE, kind=kind).figure
    assert_looks_like(figure, f"ridge_{kind}")
