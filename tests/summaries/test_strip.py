"""What is drawn of a bin: by brute force on the draws, and closed forms."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import stats

from tests.helpers.solvers import EDGES, gaussian_solver
from veldist.models.losvd.frame import Frame, fit_frame
from veldist.summaries.curves import gaussian_curve, read_truth
from veldist.summaries.strip import REACH, density_percentiles, strip_of

SOLVER = gaussian_solver(mean=3.0)
MASSES = SOLVER.samples["intrinsic_pdf"]


def test_densities_are_percentiles_and_mean_of_the_draws():
    strip = strip_of(MASSES, EDGES, 4, 80)
    density = MASSES / 5.0
    for got, q in ((strip.lower, 16.0), (strip.median, 50.0), (strip.upper, 84.0)):
        np.testing.assert_allclose(got, np.percentile(density, q, axis=0))
    np.testing.assert_allclose(strip.mean, density.mean(axis=0))
    assert strip.line("mean") is strip.mean
    assert strip.line("median") is strip.median
    assert (strip.number, strip.n_stars, strip.gaussian, strip.truth) == (4, 80, None, None)


def test_densities_in_bins_of_any_width():
    edges = np.array([-60.0, -10.0, 0.0, 30.0, 60.0])
    masses = np.array([[0.1, 0.5, 0.3, 0.1], [0.2, 0.4, 0.3, 0.1], [0.3, 0.3, 0.3, 0.1]])
    got = density_percentiles(masses, edges, (0.0, 50.0, 75.0))
    np.testing.assert_allclose(got[0], [0.002, 0.03, 0.01, 0.1 / 30.0])
    np.testing.assert_allclose(got[1], [0.004, 0.04, 0.01, 0.1 / 30.0])
    np.testing.assert_allclose(got[2], [0.005, 0.045, 0.01, 0.1 / 30.0])


def test_reach_of_a_gaussian():
    edges = np.linspace(-100.0, 100.0, 81)
    masses = np.diff(stats.norm.cdf(edges, 7.0, 10.0))[None]
    reach = strip_of(masses / masses.sum(), edges, 1).reach
    np.testing.assert_allclose(reach, stats.norm.ppf(REACH, 7.0, 10.0), atol=0.02)


def test_gaussian_is_fitted_to_the_stars():
    strip = strip_of(MASSES, EDGES, 1, stars=(SOLVER.vel, SOLVER.err))
    assert strip.gaussian == fit_frame(SOLVER.vel, SOLVER.err)
    # Stars sit at the quantiles of a Gaussian of 15 km/s about 3 km/s seen with their errors.
    assert strip.gaussian.location == pytest.approx(3.0, abs=0.1)
    assert strip.gaussian.scale == pytest.approx(15.0, rel=0.03)


@pytest.mark.parametrize(("low", "high"), [(-60.0, 60.0), (0.0, 3000.0)])
def test_gaussian_curve_resolves_narrow_ones(low, high):
    curve = gaussian_curve(Frame(10.0, 0.5), low, high)
    assert not curve.is_histogram
    assert np.all(np.diff(curve.velocity) >= 0.0)
    assert (curve.velocity[0], curve.velocity[-1]) == (low, high)
    np.testing.assert_allclose(curve.density, stats.norm.pdf(curve.velocity, 10.0, 0.5), atol=1e-15)
    assert np.trapezoid(curve.density, curve.velocity) == pytest.approx(1.0, abs=1e-3)


def test_truth_as_function_and_as_velocities():
    strip = strip_of(MASSES, EDGES, 1, true_intrinsic=stats.norm(0.0, 15.0).pdf)
    np.testing.assert_allclose(strip.truth.density, stats.norm.pdf(strip.truth.velocity, 0.0, 15.0))
    truth = read_truth([-57.0, 1.0, 2.0, 900.0], EDGES)
    assert truth.is_histogram
    assert truth.density[[0, 12]] == pytest.approx([1.0 / 15.0, 2.0 / 15.0])
    with pytest.raises(ValueError, match=r"none of the 1 velocities of true_intrinsic\[6\] lies on the grid"):
        strip_of(MASSES, EDGES, 7, true_intrinsic=[900.0])


def test_a_strip_is_small_and_can_be_sent_to_another_process():
    masses = np.tile(MASSES, (50, 1))
    strip = strip_of(masses, EDGES, 1, 80, stars=(SOLVER.vel, SOLVER.err))
    data = pickle.dumps(strip)
    # Four arrays of a number for each velocity bin, and the edges; the draws are 3000 such.
    assert len(data) < 2000
    again = pickle.loads(data)
    np.testing.assert_array_equal(again.median, strip.median)
    assert again.gaussian == strip.gaussian


def test_members_are_counted_and_fitted_by_their_probability():
    masses, edges = np.full((2, 4), 0.25), np.linspace(-20.0, 20.0, 5)
    vel, err = np.array([-3.0, 0.0, 3.0, 500.0]), np.full(4, 0.1)
    strip = strip_of(masses, edges, 1, 4, membership=np.array([1.0, 1.0, 0.9, 0.0]), stars=(vel, err))
    assert (strip.n_members, strip.n_stars) == (3, 4)
    assert strip.gaussian is not None
    assert strip.gaussian.scale < 5.0
