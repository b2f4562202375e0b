"""The posterior predictive check, by the data that its artists hold and by its looks."""

from __future__ import annotations

from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.patches import StepPatch
from scipy import stats

mpl.use("Agg")
import matplotlib.pyplot as plt

from tests.helpers.images import assert_looks_like
from tests.helpers.solvers import gaussian_solver
from veldist import KinematicSolver, OrderError
from veldist.fits.predictive import predictive_fractions, predictive_pit
from veldist.fits.stars import Stars
from veldist.plotting import plot_ppc


def steps(ax):
    return {p.get_label(): p.get_data() for p in ax.patches if isinstance(p, StepPatch)}


def test_observed_and_predicted_numbers_of_stars():
    solver = gaussian_solver(n_stars=400)
    figure, axes = plot_ppc(solver)
    assert list(figure.axes) == list(axes)
    (dots,) = [line for line in axes[0].lines if "observed" in line.get_label()]
    prediction = steps(axes[0])["prediction"]
    counts, _ = np.histogram(solver.vel, prediction.edges)
    np.testing.assert_array_equal(dots.get_ydata(), counts)
    assert counts.sum() == 400
    expected = 400 * predictive_fractions(solver.fit, prediction.edges).mean(axis=0)
    np.testing.assert_allclose(prediction.values, expected)
    for ax in axes:
        assert ax.get_xlabel()
        assert ax.get_ylabel()
    assert "km s" in axes[0].get_xlabel()


def test_bands_have_the_counting_noise_of_the_stars():
    # All draws are the same LOSVD: the counts are binomial.
    solver = gaussian_solver(n_stars=400, n_draws=4000, spread=0.0)
    _, axes = plot_ppc(solver)
    edges = steps(axes[0])["prediction"].edges
    p = predictive_fractions(solver.fit, edges)[0]
    for name, low, high in (("68 %", 0.16, 0.84), ("95 %", 0.025, 0.975)):
        band = steps(axes[0])[f"{name} of samples predicted"]
        # The density of the counts at these quantiles is at least 0.05 / sd, so that percentiles of 4000
        # draws are known to sqrt(0.025 * 0.975 / 4000) / 0.05 = 0.05 sd, below 0.5 stars; counts are whole.
        np.testing.assert_allclose(band.baseline, stats.binom.ppf(low, 400, p), atol=1.6)
        np.testing.assert_allclose(band.values, stats.binom.ppf(high, 400, p), atol=1.6)


def test_pit_histogram_and_its_band():
    solver = gaussian_solver(n_stars=400)
    _, axes = plot_ppc(solver)
    shown = steps(axes[1])
    n_bins = shown["stars"].values.size
    counts, _ = np.histogram(predictive_pit(solver.fit), np.linspace(0.0, 1.0, n_bins + 1))
    np.testing.assert_allclose(shown["stars"].values, counts * n_bins / 400)
    band = shown["68 % if uniform"]
    assert band.values[0] == stats.binom.ppf(0.84, 400, 1 / n_bins) * n_bins / 400
    assert band.baseline[0] == stats.binom.ppf(0.16, 400, 1 / n_bins) * n_bins / 400


def test_wrong_errors_leave_the_bands():
    fit = gaussian_solver(n_stars=400).fit
    _, axes = plot_ppc(replace(fit, stars=Stars(fit.stars.vel, 8.0 * fit.stars.err)))
    shown = steps(axes[1])
    assert shown["stars"].values.max() > 1.2 * shown["95 % if uniform"].values[0]


def test_draws_where_it_is_told_to():
    solver, figure = gaussian_solver(), Figure()
    assert plot_ppc(solver, figure)[0] is figure
    assert len(figure.axes) == 2
    halves = Figure().subfigures(2, 1)
    assert plot_ppc(solver, halves[0])[0] is halves[0]
    mine = Figure().subplots(1, 2)
    got, axes = plot_ppc(solver, mine, legend=False)
    assert got is mine[0].figure
    assert list(axes) == list(mine)
    assert axes[0].get_legend() is None
    assert plt.get_fignums() == []


def test_a_single_star_and_equal_stars():
    for n in (1, 5):
        fit = replace(gaussian_solver().fit, stars=Stars(np.full(n, 3.0), np.full(n, 1.0)))
        figure, _ = plot_ppc(KinematicSolver.from_fit(fit))
        figure.canvas.draw()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"ax_or_fig": "here"}, TypeError, "figure or two axes"),
        ({"ax_or_fig": [1, 2]}, TypeError, "figure or two axes"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"solver": KinematicSolver()}, OrderError, "add_data"),
    ],
)
def test_bad_arguments_leave_no_figure_behind(arguments, error, message):
    with pytest.raises(error, match=message):
        plot_ppc(**({"solver": gaussian_solver()} | arguments))
    assert plt.get_fignums() == []


def test_looks():
    assert_looks_like(plot_ppc(gaussian_solver(n_stars=300, n_draws=2000))[0], "ppc")
