"""Observed velocities that a LOSVD predicts, against closed forms and quadrature."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from veldist.models.losvd import expected_fractions, observed_cdf

# Cells of width d hold the exact masses of a unit Gaussian, so that within them the CDF is off by at most
# d^2 / 8 times the largest slope of the density, 0.242.
WIDTH = 0.02
FINE = np.arange(-6.0, 6.0 + WIDTH, WIDTH)
DISCRETE = WIDTH**2 / 8.0 * 0.242


@pytest.mark.parametrize("error", [1e-6, 0.01, 0.7, 40.0, 1e4])
@pytest.mark.parametrize("velocity", [-3.0, 0.3, 1.9, 30.0])
def test_cdf_of_a_cell_is_that_of_quadrature(velocity, error):
    edges = np.array([-1.0, 0.5, 2.0])
    got = observed_cdf(np.array([velocity]), np.array([error]), edges)[0]
    for a, b, value in zip(edges[:-1], edges[1:], got, strict=True):
        points = [velocity] if a < velocity < b else None
        integral, _ = quad(
            lambda v: stats.norm.cdf((velocity - v) / error), a, b, points=points, epsabs=1e-12, limit=500
        )
        # A step as steep as the smallest error costs the quadrature some digits.
        assert value == pytest.approx(integral / (b - a), abs=1e-7)


@pytest.mark.parametrize("n_errors", [40, 400])
def test_expected_fractions_average_over_the_stars(n_errors):
    err = np.geomspace(0.05, 3.0, n_errors)
    masses = np.diff(stats.norm.cdf(FINE))[None, :]
    bins = np.linspace(-3.0, 3.0, 13)
    got = expected_fractions(bins, err, FINE, np.repeat(masses, 2, axis=0))
    assert got.shape == (2, 12)
    expected = np.diff(stats.norm.cdf(bins[:, None] / np.hypot(1.0, err)[None, :]).mean(axis=1))
    # Merged errors change the observed density by less than 3e-4 of its peak.
    bound = 2.0 * DISCRETE + (3e-4 * expected.max() if n_errors > 100 else 0.0)
    np.testing.assert_allclose(got, np.tile(expected, (2, 1)), atol=bound)
