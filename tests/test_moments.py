"""Moments and percentiles of histograms against direct integration of the density they draw."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from veldist.moments import (
    IQR_PER_SIGMA,
    histogram_cdf,
    histogram_moments,
    histogram_percentile,
    mass_beyond_sigma,
)


@st.composite
def histograms(draw, smallest=0.0):
    """One histogram (1, n_bins) that sums to 1, and uniform edges."""
    n_bins = draw(st.integers(2, 15))
    masses = draw(arrays(float, n_bins, elements=st.floats(smallest, 1.0)))
    masses = masses + (masses.sum() == 0)
    start, dv = draw(st.floats(-300.0, 300.0)), draw(st.floats(0.5, 50.0))
    return (masses / masses.sum())[None, :], start + dv * np.arange(n_bins + 1)


def integrate(function, masses, edges):
    """Integral of function(v) times the density, by Gauss-Legendre in every bin: exact to degree 9."""
    nodes, weights = np.polynomial.legendre.leggauss(5)
    half = 0.5 * np.diff(edges)[:, None]
    velocity = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * nodes
    density = masses[:, None] / (2.0 * half)
    return float(np.sum(function(velocity) * density * half * weights))


@given(histograms())
def test_moments_equal_integrals_over_the_density(case):
    masses, edges = case
    mean, sigma, skewness, kurtosis = (m[0] for m in histogram_moments(masses, edges))
    expected_mean = integrate(lambda v: v, masses[0], edges)
    variance, third, fourth = (
        integrate(lambda v, k=k: (v - expected_mean) ** k, masses[0], edges) for k in (2, 3, 4)
    )
    dv = edges[1] - edges[0]
    assert mean == pytest.approx(expected_mean, abs=1e-9 * dv)
    assert sigma == pytest.approx(np.sqrt(variance), rel=1e-9)
    # Rounding of the integrals is relative to the widest bin's fourth power.
    scale = (masses.shape[1] * dv / sigma) ** 4 * 1e-12
    assert skewness == pytest.approx(third / variance**1.5, abs=1e-9 + scale)
    assert kurtosis == pytest.approx(fourth / variance**2 - 3.0, abs=1e-9 + scale)


def test_all_mass_in_one_bin_is_a_uniform_density():
    mean, sigma, skewness, kurtosis = histogram_moments(np.array([[0.0, 0.0, 1.0, 0.0]]), np.arange(5) * 6.0)
    assert mean[0] == pytest.approx(15.0)
    assert sigma[0] == pytest.approx(6.0 / np.sqrt(12.0))
    assert skewness[0] == pytest.approx(0.0, abs=1e-12)
    assert kurtosis[0] == pytest.approx(-1.2)


def test_a_large_systemic_velocity_costs_no_digits():
    rng = np.random.default_rng(1)
    masses = rng.dirichlet(np.ones(40), size=3)
    near, far = (np.array(histogram_moments(masses, start + np.arange(41.0))) for start in (0.0, 1e6))
    np.testing.assert_allclose(far[0] - 1e6, near[0], atol=1e-9)
    np.testing.assert_allclose(far[1:], near[1:], rtol=1e-9)


@given(histograms(smallest=0.01), st.floats(0.001, 0.999))
def test_percentile_inverts_the_cumulative_distribution(case, q):
    masses, edges = case
    cdf = histogram_cdf(masses)
    velocity = histogram_percentile(cdf, edges, q)[0]
    assert np.interp(velocity, edges, cdf[0]) == pytest.approx(q, abs=1e-10)


def test_percentiles_lie_on_bin_edges_where_the_cumulative_masses_do():
    edges = np.array([-20.0, -10.0, 0.0, 10.0])
    cdf = histogram_cdf(np.array([[0.25, 0.5, 0.25]]))
    for q, expected in ((0.25, -10.0), (0.5, -5.0), (0.75, 0.0), (1.0, 10.0)):
        assert histogram_percentile(cdf, edges, q)[0] == pytest.approx(expected)


def test_percentile_in_a_gap_is_its_lower_end():
    cdf = histogram_cdf(np.array([[0.5, 0.0, 0.0, 0.5]]))
    assert histogram_percentile(cdf, np.arange(5.0), 0.5)[0] == 1.0


@given(histograms())
def test_mass_beyond_sigma_equals_interpolation_of_the_cumulative_distribution(case):
    masses, edges = case
    cdf = histogram_cdf(masses)
    mean, sigma, *_ = histogram_moments(masses, edges)
    inside = np.diff(np.interp([mean[0] - sigma[0], mean[0] + sigma[0]], edges, cdf[0]))[0]
    assert mass_beyond_sigma(cdf, edges, mean, sigma)[0] == pytest.approx(1.0 - inside, abs=1e-9)


def test_mass_beyond_sigma_of_a_uniform_density():
    # Half-width a has sigma a / sqrt(3), so that 1 - 1/sqrt(3) of the mass lies beyond it.
    masses, edges = np.full((1, 7), 1 / 7), np.linspace(-3.0, 4.0, 8)
    mean, sigma, *_ = histogram_moments(masses, edges)
    beyond = mass_beyond_sigma(histogram_cdf(masses), edges, mean, sigma)[0]
    assert beyond == pytest.approx(1.0 - 1.0 / np.sqrt(3.0))


def test_mass_beyond_sigma_counts_velocities_outside_the_grid_as_empty():
    cdf, edges = histogram_cdf(np.full((1, 4), 0.25)), np.arange(5.0)
    assert mass_beyond_sigma(cdf, edges, np.array([2.0]), np.array([9.0]))[0] == pytest.approx(0.0)
    assert mass_beyond_sigma(cdf, edges, np.array([0.0]), np.array([1.0]))[0] == pytest.approx(0.75)


def test_gaussian_interquartile_range():
    assert pytest.approx(1.3489795003921634, abs=1e-15) == IQR_PER_SIGMA
