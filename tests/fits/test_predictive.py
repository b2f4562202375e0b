"""Posterior predictive of observed velocities, against closed forms and quadrature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.helpers.solvers import gaussian_solver
from veldist import KinematicSolver, OrderError, simulate
from veldist.fits import predictive
from veldist.fits.grid import VelocityGrid
from veldist.fits.predictive import predictive_fractions, predictive_pit
from veldist.fits.stars import Stars

# Cells of width d hold the exact masses of a unit Gaussian, so that within them the CDF is off by at most
# d^2 / 8 times the largest slope of the density, 0.242.
WIDTH = 0.02
FINE = np.arange(-6.0, 6.0 + WIDTH, WIDTH)
DISCRETE = WIDTH**2 / 8.0 * 0.242


def exact_fit(vel, err, edges=FINE, sigma=1.0):
    fit = gaussian_solver(sigma=sigma, edges=edges, n_draws=1, spread=0.0).fit
    return replace(fit, stars=Stars(np.asarray(vel, dtype=float), np.asarray(err, dtype=float)))


def test_pit_of_a_gaussian_is_the_normal_cdf():
    vel, err = np.linspace(-4.0, 4.0, 41), np.geomspace(0.01, 3.0, 41)
    expected = stats.norm.cdf(vel / np.hypot(1.0, err))
    # 1e-8: mass of the Gaussian beyond the cells.
    np.testing.assert_allclose(predictive_pit(exact_fit(vel, err)), expected, atol=DISCRETE + 1e-8)


def test_pit_is_uniform_unless_the_errors_are_wrong():
    n = 2000
    vel, err = simulate.observe(simulate.Gaussian(0.0, 1.0), n, (0.5, 1.5), rng=5)
    limit = stats.kstwo.isf(0.01, n)

    def distance(factor):
        return stats.kstest(predictive_pit(exact_fit(vel, factor * err)), "uniform").statistic

    assert distance(1.0) < limit
    assert distance(2.0) > 1.5 * limit
    assert distance(0.3) > 1.5 * limit


def test_pit_of_a_fit_shows_errors_that_are_too_large():
    vel, _ = simulate.observe(simulate.Gaussian(0.0, 5.0), 150, 2.0, rng=2)
    solver = KinematicSolver()
    solver.setup_grid(center=0.0, width=80.0, n_bins=40)

    def spread(err):
        solver.add_data(vel, err)
        solver.run(num_samples=200)
        return predictive_pit(solver.fit).std()

    # A uniform distribution has sqrt(1/12) = 0.289, known to 0.289 / sqrt(5 N) = 0.011 from N values.
    assert spread(2.0) == pytest.approx(np.sqrt(1.0 / 12.0), abs=3 * 0.011)
    # No LOSVD makes the observed distribution narrower than the errors, 12: at most N(0, 5.4) in Phi(v / 12).
    u = stats.norm.cdf(5.39 * stats.norm.ppf((np.arange(1000) + 0.5) / 1000) / 12.0)
    assert spread(12.0) < 1.1 * u.std() < 0.2


def test_pit_does_not_depend_on_units_origin_or_portions(monkeypatch):
    fit = gaussian_solver().fit
    pit = predictive_pit(fit)
    moved = replace(
        fit,
        stars=Stars(0.5 * fit.stars.vel + 300.0, 0.5 * fit.stars.err),
        grid=VelocityGrid(0.5 * fit.grid.edges + 300.0, 0.5 * fit.grid.width),
    )
    np.testing.assert_allclose(predictive_pit(moved), pit, rtol=1e-9)
    monkeypatch.setattr(predictive, "_CHUNK", 70)
    np.testing.assert_allclose(predictive_pit(moved), pit, rtol=1e-9)


def test_posterior_cells_are_used_where_there_are_any():
    vel, err = simulate.observe(simulate.Gaussian(0.0, 10.0), 60, (1.0, 3.0), rng=1)
    solver = KinematicSolver()
    solver.setup_grid(center=0.0, width=120.0, n_bins=60)
    solver.add_data(vel, err)
    solver.run(num_samples=100)
    pit = predictive_pit(solver.fit)
    solver.setup_grid(center=0.0, width=200.0, n_bins=5)
    np.testing.assert_array_equal(predictive_pit(solver.fit), pit)
    # Every star is somewhere.
    np.testing.assert_allclose(predictive_fractions(solver.fit, [-1e4, 0.0, 1e4]).sum(axis=1), 1.0, atol=1e-9)


def test_order_errors_say_what_to_call():
    solver = KinematicSolver()
    with pytest.raises(OrderError, match="add_data"):
        predictive_pit(solver.fit)
    solver.setup_grid(center=0.0, width=100.0, n_bins=10)
    solver.add_data([1.0, 2.0], [1.0, 1.0])
    with pytest.raises(OrderError, match=r"run\(\)"):
        predictive_fractions(solver.fit, [-1.0, 1.0])
