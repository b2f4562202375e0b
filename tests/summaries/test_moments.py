"""Moments of histograms against those of the densities behind them, percentiles against interpolation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from veldist.summaries.cdf_interpolation import cdf_at
from veldist.summaries.moments import (
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


@pytest.mark.parametrize("phase", [0.0, 0.2, 0.5])
@pytest.mark.parametrize(
    ("alpha", "scale", "ratio"),
    [(0.0, 1.0, 0.1), (0.0, 1.0, 0.5), (0.0, 1.0, 1.0), (0.0, 1.0, 1.43), (4.0, 0.41, 0.1), (4.0, 0.41, 0.3)],
)
def test_moments_do_not_depend_on_the_bins(alpha, scale, ratio, phase):
    """Unit dispersion in bins of ``ratio``: what remains is the density's spectrum at the bins' frequency.

    That is exp(-2 pi^2 scale^2 / ratio^2), ``scale`` being the narrowest one of the density, times up to the
    fourth power of the frequency in the fourth moment: 2e-2 in the worst case here, 1e-5 in bins as wide as
    the dispersion.
    """
    edges = ratio * (np.arange(-int(12 / ratio), int(12 / ratio) + 1) + phase)
    shape = stats.skewnorm(alpha)
    law = stats.skewnorm(alpha, loc=-shape.mean() / shape.std(), scale=1 / shape.std())
    masses = np.maximum(np.diff(law.cdf(edges)), 0.0)[None, :]
    moments = np.array([m[0] for m in histogram_moments(masses / masses.sum(), edges)])
    expected = np.array([0.0, 1.0, *(float(m) for m in law.stats(moments="sk"))])
    frequency = 2 * np.pi / ratio
    bound = 1e-6 + frequency**4 * np.exp(-((frequency * scale) ** 2) / 2)
    assert np.all(np.abs(moments - expected) < bound)


@given(histograms())
def test_moments_are_those_at_the_centres_less_sheppards_terms(case):
    masses, edges = case
    centers, dv = 0.5 * (edges[1:] + edges[:-1]), edges[1] - edges[0]
    mean, sigma, skewness, kurtosis = (m[0] for m in histogram_moments(masses, edges))
    deviation = centers - masses[0] @ centers
    m2, m3, m4 = (masses[0] @ deviation**k for k in (2, 3, 4))
    variance = max(m2 - dv**2 / 12, dv**2 / 12)
    assert mean == pytest.approx(masses[0] @ centers, abs=1e-9 * dv)
    assert sigma == pytest.approx(np.sqrt(variance), rel=1e-9)
    # Rounding is relative to the fourth power of the grid's width.
    scale = (masses.shape[1] * dv / sigma) ** 4 * 1e-12
    assert skewness == pytest.approx(m3 / variance**1.5, abs=1e-9 + scale)
    expected = max((m4 - 3 * m2**2 + dv**4 / 120) / variance**2, m3**2 / variance**3 - 2)
    assert kurtosis == pytest.approx(expected, abs=1e-9 + scale)


def test_a_single_filled_bin_has_the_smallest_dispersion():
    mean, sigma, skewness, _ = histogram_moments(np.array([[0.0, 0.0, 1.0, 0.0]]), np.arange(5) * 6.0)
    assert mean[0] == pytest.approx(15.0)
    assert sigma[0] == pytest.approx(6.0 / np.sqrt(12.0))
    assert skewness[0] == pytest.approx(0.0, abs=1e-12)


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
    velocity = histogram_percentile(cdf, edges, q)
    assert cdf_at(cdf, (velocity - edges[0]) / (edges[1] - edges[0]))[0] == pytest.approx(q, abs=1e-10)


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
    ends = np.array([mean - sigma, mean + sigma])
    inside = np.diff(cdf_at(cdf, (ends - edges[0]) / (edges[1] - edges[0])), axis=0)[0, 0]
    assert mass_beyond_sigma(cdf, edges, mean, sigma)[0] == pytest.approx(1.0 - inside, abs=1e-9)


def test_mass_beyond_sigma_of_a_uniform_density():
    # Half-width a has sigma a / sqrt(3), so that 1 - 1/sqrt(3) of the mass lies beyond it.
    masses, edges = np.full((1, 7), 1 / 7), np.linspace(-3.0, 4.0, 8)
    beyond = mass_beyond_sigma(histogram_cdf(masses), edges, np.array([0.5]), np.array([3.5 / np.sqrt(3.0)]))[
        0
    ]
    assert beyond == pytest.approx(1.0 - 1.0 / np.sqrt(3.0))


def test_mass_beyond_sigma_counts_velocities_outside_the_grid_as_empty():
    cdf, edges = histogram_cdf(np.full((1, 4), 0.25)), np.arange(5.0)
    assert mass_beyond_sigma(cdf, edges, np.array([2.0]), np.array([9.0]))[0] == pytest.approx(0.0)
    assert mass_beyond_sigma(cdf, edges, np.array([0.0]), np.array([1.0]))[0] == pytest.approx(0.75)


def test_gaussian_interquartile_range():
    assert pytest.approx(1.3489795003921634, abs=1e-15) == IQR_PER_SIGMA


def test_moments_of_rows_far_apart_do_not_lose_digits():
    """Three bins at either end of a thousand: powers about a common centre would be of no use."""
    masses = np.zeros((3, 1000))
    masses[0, :3] = masses[1, -3:] = masses[2, 500:503] = 0.5, 0.2, 0.3
    moments = np.array(histogram_moments(masses, np.arange(1001.0)))
    alone = [np.array(histogram_moments(row[None], np.arange(1001.0)))[:, 0] for row in masses]
    np.testing.assert_allclose(moments.T, alone, rtol=1e-11)
    np.testing.assert_allclose(moments[1:], moments[1:, :1] * np.ones(3), rtol=1e-11)
