"""Terms over bins, and expansions of the linear fit, against values at other places."""

from __future__ import annotations

import numpy as np
import pytest

from veldist.simulate import SkewNormal
from veldist.summaries.gauss_hermite.polynomials import monomials, powers
from veldist.summaries.gauss_hermite.series import bin_integrals, expand, series_terms

PENALTY = 1e-9


def _draws(n_draws, n_bins=40, seed=2):
    """Skew-normals times the exponential of smooth noise; five bins to a dispersion."""
    edges = np.arange(n_bins + 1) - 0.5 * n_bins
    losvd = SkewNormal(0.6, 4.0, alpha=3.0)
    z = (0.5 * (edges[1:] + edges[:-1])[:, None] - losvd.mean) / losvd.std - np.arange(-6, 7)
    noise = np.random.default_rng(seed).normal(0.0, 0.2, (n_draws, 13)) @ np.exp(-0.5 * z * z).T
    masses = losvd.bin_masses(edges) * np.exp(noise)
    return masses / masses.sum(axis=1, keepdims=True)


def _fit(masses, v, log_sigma, order):
    """Gain and linear parameters at given places, by NumPy's least squares of the bin-integrated terms."""
    edges = np.arange(masses.shape[1] + 1) - 0.5 * masses.shape[1]
    gain, linear = [], []
    for row, at, log in zip(masses, v, log_sigma, strict=True):
        functions = bin_integrals(((edges - at) * np.exp(-log))[None], 1 + order)[:, 0]
        terms = series_terms(order, 0).values[0] @ functions
        ridge = np.sqrt(PENALTY) * np.eye(order - 1)[1:]
        best = np.linalg.lstsq(np.vstack([terms.T, ridge]), np.append(row, np.zeros(order - 2)))[0]
        left = np.sum((row - best @ terms) ** 2) + PENALTY * np.sum(best[1:] ** 2)
        gain.append(row @ row - left)
        linear.append(best)
    return np.array(gain), np.array(linear).T


@pytest.mark.parametrize("order", [3, 4, 5, 6])
def test_terms_and_their_taylor_coefficients(order):
    """The terms at V0 + sigma0 a0 and sigma0 exp(a1), with an error of the fifth power of the change."""
    edges = np.linspace(-4.0, 4.5, 18)
    values = series_terms(order, 4).values
    functions = bin_integrals(edges[None], values.shape[2])[:, 0]
    errors = []
    for change in (0.1, 0.05):
        a0, a1 = 0.6 * change, -0.8 * change
        exact = (
            series_terms(order, 0).values[0]
            @ bin_integrals((edges[None] - a0) * np.exp(-a1), 1 + order)[:, 0]
        )
        found = np.einsum("m,mtf->tf", monomials(np.array([a0]), np.array([a1]), 4)[:, 0], values) @ functions
        errors.append(np.abs(found - exact).max())
    assert errors[0] < 2e-3
    assert errors[1] < errors[0] / 2**4.5


@pytest.mark.parametrize("order", [3, 4, 5, 6])
def test_constant_parts_are_the_least_squares(order):
    rng = np.random.default_rng(5)
    masses, v, log_sigma = _draws(6), rng.uniform(-1.0, 1.0, 6), np.log(4.0) + rng.uniform(-0.2, 0.2, 6)
    gain, linear = expand(masses, np.arange(6), v, log_sigma, np.full(6, PENALTY), order, 0)
    expected_gain, expected = _fit(masses, v, log_sigma, order)
    np.testing.assert_allclose(gain[0], expected_gain, rtol=1e-12)
    np.testing.assert_allclose(linear[0], expected, atol=1e-9)


@pytest.mark.parametrize("order", [3, 4, 6])
@pytest.mark.parametrize(("degree", "share"), [(2, False), (4, False), (4, True)])
def test_polynomials_hold_around_the_point(order, degree, share):
    """With an error of the next power of the distance; points with three and two draws, or one for each."""
    masses = _draws(5)
    first = np.array([0, 3]) if share else np.arange(5)
    v, log_sigma = np.array([0.4, -0.3, 0.1, 0.2, 0.0])[first], np.log([4.4, 3.8, 4.0, 4.2, 4.1])[first]
    found = expand(masses, first, v, log_sigma, np.full(first.size, PENALTY), order, degree)
    assert found[0].shape == (len(powers(degree)), 5)
    assert found[1].shape == (len(powers(degree)), order - 1, 5)
    point = np.repeat(np.arange(first.size), np.diff(first, append=5))
    errors = []
    for distance in (0.1, 0.05):
        x, y = np.full(5, 0.6 * distance), np.full(5, -0.8 * distance)
        exact = _fit(masses, v[point] + x * np.exp(log_sigma[point]), log_sigma[point] + y, order)
        values = monomials(x, y, degree)
        errors.append(
            [
                np.abs(np.einsum("m...n,mn->...n", f, values) - e).max()
                for f, e in zip(found, exact, strict=True)
            ]
        )
    assert max(errors[0]) < 0.05 * 0.3**degree
    assert np.all(np.array(errors[1]) < np.array(errors[0]) / 2 ** (degree + 0.5))
