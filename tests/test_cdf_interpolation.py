"""The cumulative distribution between edges: SciPy's splines, known LOSVDs, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.interpolate import CubicHermiteSpline

from veldist.cdf_interpolation import cdf_at, cdf_inverse
from veldist.moments import histogram_cdf, histogram_percentiles
from veldist.simulate import standard_losvds

SIGMA = 20.0
Q = (0.125, 0.1587, 0.25, 0.5, 0.75, 0.8413)
# Largest error of these percentiles in bins of `WIDTHS` dispersions, in percent of a bin: measured, rounded up.
ERRORS = {
    "gaussian": (0.1, 0.1, 0.2, 2.0),
    "skew-normal": (0.1, 0.3, 1.3, 5.0),
    "student-t": (0.1, 0.2, 0.5, 4.5),
    "counter-rotating": (0.1, 0.4, 1.6, 10.0),
    "flat-topped": (0.1, 0.1, 0.4, 2.0),
    "two-dispersions": (0.1, 0.6, 2.5, 11.5),
    "laplace-convolved": (0.1, 0.2, 0.7, 5.5),
}
WIDTHS = (0.1, 1.0 / 3.0, 0.5, 1.0)


def histograms(smallest):
    masses = arrays(float, st.integers(3, 15), elements=st.floats(smallest, 1.0))
    return masses.filter(lambda m: m.sum() > 0.1).map(lambda m: m / m.sum())


def spline(masses):
    """The same cubics, written down once more."""
    padded = np.concatenate([masses[1::-1], masses, masses[:-3:-1]])
    slopes = []
    for k in range(masses.size + 1):
        m0, m1, m2, m3 = padded[k : k + 4]
        slopes.append(min(max((7 * (m1 + m2) - m0 - m3) / 12, 0.0), 3 * m1, 3 * m2))
    cdf = np.concatenate([[0.0], np.cumsum(masses)])
    return CubicHermiteSpline(np.arange(cdf.size), cdf, slopes)


@given(histograms(0.0), st.floats(0.0, 1.0))
def test_it_is_a_cubic_spline(masses, where):
    position = where * masses.size
    found = cdf_at(histogram_cdf(masses[None]), np.array([position]))[0]
    assert found == pytest.approx(float(spline(masses)(position)), abs=1e-12)


@given(histograms(0.0))
def test_it_is_monotone_and_exact_at_the_edges(masses):
    cdf = histogram_cdf(masses[None])
    fine = np.linspace(0.0, masses.size, 20 * masses.size + 1)
    values = cdf_at(cdf, fine[:, None])[:, 0]
    assert np.all(np.diff(values) >= -1e-14)
    np.testing.assert_allclose(values[::20], cdf[0], atol=1e-14)


@given(histograms(0.0), st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=5))
def test_the_inverse_is_the_smallest_position(masses, q):
    cdf = histogram_cdf(masses[None])
    position = cdf_inverse(cdf, np.array(q))
    np.testing.assert_allclose(cdf_at(cdf, position)[:, 0], q, atol=1e-10)
    assert np.all(cdf_at(cdf, position - 1e-6)[:, 0] <= np.array(q) + 1e-12)


@given(histograms(0.01))
def test_reversal_shift_and_scale(masses):
    edges = np.arange(masses.size + 1.0)
    q = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
    found = histogram_percentiles(histogram_cdf(masses[None]), edges, q)[:, 0]
    moved = histogram_percentiles(histogram_cdf(masses[None]), 50.0 + 7.0 * edges, q)[:, 0]
    np.testing.assert_allclose(moved, 50.0 + 7.0 * found, atol=1e-9)
    back = histogram_percentiles(histogram_cdf(masses[None, ::-1]), edges, 1.0 - q)[:, 0]
    np.testing.assert_allclose(masses.size - back, found, atol=1e-6)


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("offset", [0.0, 0.3, 0.5, 0.8])
def test_percentiles_of_known_losvds(name, offset):
    losvd = standard_losvds(v=0.0, sigma=SIGMA)[name]
    for width, bound in zip(WIDTHS, ERRORS[name], strict=True):
        dv = width * SIGMA
        n = int(20 * SIGMA / dv)
        edges = (np.arange(n + 1) - n / 2 + offset) * dv
        masses = losvd.bin_masses(edges, conditional=True)
        fine = np.linspace(edges[0], edges[-1], 20_001)
        cdf = np.concatenate([[0.0], np.cumsum(losvd.bin_masses(fine, conditional=True))])
        exact = np.interp(Q, cdf, fine)
        found = histogram_percentiles(histogram_cdf(masses[None]), edges, Q)[:, 0]
        assert np.abs(found - exact).max() < bound / 100 * dv, width
        # A third of a dispersion and less: 1 % of a bin for all of them.
        assert width > 0.34 or bound <= 1.0


def test_rows_do_not_touch_each_other():
    rng = np.random.default_rng(1)
    masses = rng.dirichlet(np.ones(20), size=30)
    together = cdf_inverse(histogram_cdf(masses), np.array(Q))
    for k in (0, 7, 29):
        alone = cdf_inverse(histogram_cdf(masses[k : k + 1]), np.array(Q))[:, 0]
        np.testing.assert_allclose(together[:, k], alone, atol=1e-11)
