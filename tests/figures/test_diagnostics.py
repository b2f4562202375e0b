"""Figures of diagnostics, by the data that their artists hold."""

from __future__ import annotations

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

mpl.use("Agg")
import matplotlib.pyplot as plt

from tests.helpers.solvers import diagnosed_solver
from veldist import KinematicSolver, OrderError, simulate
from veldist.inference import Settings
from veldist.plotting import plot_diagnostics


def points(ax, marker):
    (line,) = [line for line in ax.lines if line.get_marker() == marker]
    return line


def test_one_bin_with_its_limits():
    bad = diagnosed_solver(
        ess=np.array([800.0, 100.0, 900.0, 600.0]), converged=False, messages=("too few",), pareto_k=0.9
    )
    figure, axes = plot_diagnostics(bad)
    ess, rhat, k, *_, bayes = axes
    np.testing.assert_array_equal(points(ess, "o").get_xdata(), [800.0, 900.0, 600.0])
    np.testing.assert_array_equal(points(ess, "X").get_xdata(), [100.0])
    np.testing.assert_array_equal(points(ess, "X").get_ydata(), [1])
    assert ess.lines[0].get_xdata()[0] == 250.0
    assert rhat.lines[0].get_xdata()[0] == pytest.approx(np.sqrt(1.03**2 + 8 / 1000))
    assert points(rhat, "X").get_xdata().size == 0
    assert points(k, "X").get_xdata() == [0.9]
    assert points(bayes, "o").get_xdata() == [0.7]
    assert "NOT CONVERGED: too few" in figure.get_suptitle()
    figure.canvas.draw()


def test_limits_follow_the_settings():
    _, axes = plot_diagnostics(diagnosed_solver(), settings=Settings(ess_fraction=0.5, rhat_max=1.1))
    assert axes[0].lines[0].get_xdata()[0] == 500.0
    assert axes[1].lines[0].get_xdata()[0] == pytest.approx(np.sqrt(1.1**2 + 8 / 1000))


def test_limits_are_those_the_engine_judges_by():
    vel, err = simulate.observe(simulate.Gaussian(0.0, 10.0), 60, 2.0, rng=3)
    solver = KinematicSolver()
    solver.setup_grid(center=0.0, width=100.0, n_bins=20)
    solver.add_data(vel, err)
    strict = Settings(ess_fraction=1.0, rhat_max=1.0001, max_doublings=0)
    with pytest.warns(UserWarning, match="not converged"):
        solver.run(settings=strict)
    figure, axes = plot_diagnostics(solver, settings=strict)
    assert solver.diagnostics is not None
    message = "; ".join(solver.diagnostics.messages)
    assert f"(< 100% of {axes[0].lines[0].get_xdata()[0]:.0f} draws)" in message
    if "R-hat" in message:
        assert f"(> {axes[1].lines[0].get_xdata()[0]:.3f})" in message
    assert points(axes[0], "X").get_xdata().size > 0
    figure.canvas.draw()


def test_a_map_against_the_number_of_stars():
    bins = [
        diagnosed_solver(n_stars=10 * (i + 1), log_bayes_factor=50.0 * i, n_rounds=2**i) for i in range(5)
    ]
    bins[3] = diagnosed_solver(n_stars=40, converged=False, rhat=np.full(4, 1.2))
    figure, axes = plot_diagnostics(iter([*bins, None]))
    assert axes.shape == (6,)
    np.testing.assert_array_equal(points(axes[0], "o").get_xdata(), [10, 20, 30, 50])
    np.testing.assert_allclose(points(axes[0], "o").get_ydata(), 0.6)
    np.testing.assert_array_equal(points(axes[1], "X").get_ydata(), [1.2])
    np.testing.assert_array_equal(points(axes[4], "o").get_ydata(), [0.0, 50.0, 100.0, 200.0])
    np.testing.assert_array_equal(axes[4].get_yticks(), [-10.0, -5.0, 0.0, 10.0, 1000.0])
    assert figure.get_suptitle() == "4 of 5 bins converged, 1 skipped"
    figure.canvas.draw()


@pytest.mark.parametrize(
    ("value", "ticks"),
    [
        (0.7, [5, 10]),
        (10.0, [5, 10]),
        (-47.0, [10, 100]),
        (47.0, [10, 100]),
        (150.0, [10, 1000]),
        (2500.0, [100, 10000]),
    ],
)
def test_ticks_of_the_bayes_factor_reach_beyond_it(value, ticks):
    figure, axes = plot_diagnostics(diagnosed_solver(log_bayes_factor=value))
    wanted = [-ticks[1], -ticks[0], 0, *ticks]
    np.testing.assert_allclose(axes[5].get_xticks(), wanted)
    assert axes[5].get_xlim()[1] >= ticks[1] >= abs(value)
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in axes[5].get_xticklabels()]
    assert all(left.x1 < right.x0 for left, right in pairwise(boxes))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("several", [True, False])
def test_diagnostics_that_are_not_finite(value, several):
    solver = diagnosed_solver(pareto_k=value, log_bayes_factor=value, rhat=np.full(4, value), converged=False)
    figure, _ = plot_diagnostics([solver, diagnosed_solver()] if several else solver)
    figure.canvas.draw()


def test_draws_into_given_figures():
    figure = Figure(layout="constrained")
    assert plot_diagnostics(diagnosed_solver(), figure)[0] is figure
    half = Figure().subfigures(1, 2)[0]
    assert plot_diagnostics([diagnosed_solver()], half)[0] is half
    assert plt.get_fignums() == []


@pytest.mark.parametrize(
    ("solvers", "error", "message"),
    [
        (KinematicSolver(), OrderError, "the solver has no diagnostics"),
        ([diagnosed_solver(), KinematicSolver()], OrderError, r"solvers\[1\] has no diagnostics"),
        ([None, None], ValueError, r"no solved bin \(of 2\)"),
        (3, TypeError, "must be a KinematicSolver or several"),
    ],
)
def test_bad_arguments_leave_no_figure_behind(solvers, error, message):
    with pytest.raises(error, match=message):
        plot_diagnostics(solvers)
    assert plt.get_fignums() == []
