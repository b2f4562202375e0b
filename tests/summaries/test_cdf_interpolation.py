"""The cumulative distribution between edges: SciPy's cubics, known LOSVDs, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.interpolate import CubicHermiteSpline

from veldist.simulate import standard_losvds
from veldist.summaries import cdf_interpolation
from veldist.summaries.cdf_interpolation import cdf_at, cdf_inverse
from veldist.summaries.moments import histogram_cdf, histogram_percentiles

SIGMA = 20.0
Q = (0.125, 0.1587, 0.25, 0.375, 0.5, 0.625, 0.75, 0.8413, 0.875)
# Largest error of these percentiles in bins of `WIDTHS` dispersions, in percent of a bin: measured over 20
# positions of the grid, rounded up.
WIDTHS = (0.1, 0.2, 1.0 / 3.0, 0.5, 1.0)
ERRORS = {
    "gaussian": (0.1, 0.1, 0.1, 0.1, 0.1),
    "skew-normal": (0.1, 0.1, 0.1, 0.1, 4.0),
    "student-t": (0.1, 0.1, 0.1, 0.1, 0.2),
    "counter-rotating": (0.1, 0.1, 0.2, 0.6, 4.4),
    "flat-topped": (0.1, 0.1, 0.1, 0.1, 0.4),
    "two-dispersions": (0.1, 0.1, 0.2, 0.7, 4.1),
    "laplace-convolved": (0.1, 0.1, 0.1, 0.1, 0.4),
}


def histograms(smallest):
    masses = arrays(float, st.integers(3, 15), elements=st.floats(smallest, 1.0))
    return masses.filter(lambda m: m.sum() > 0.1).map(lambda m: m / m.sum())


def at_an_end(probability):
    return not 1e-10 < probability < 1.0 - 1e-10


def one_value(masses, position):
    """The definition once more, for one histogram and one position."""
    n, cdf = masses.size, np.concatenate([[0.0], np.cumsum(masses)])
    j = min(int(position), n - 1)
    near = [0.0, *cdf, 1.0][j : j + 4]
    odds = not any(at_an_end(probability) for probability in near)

    def value(edge):
        return np.log(cdf[edge] / (1.0 - cdf[edge])) if odds else cdf[edge]

    def covered(i):
        if not 0 <= i < n:
            return False
        ends = at_an_end(cdf[i]), at_an_end(cdf[i + 1])
        return not any(ends) if odds else not all(ends)

    d = {j: value(j + 1) - value(j)}
    for sign in (-1, 1):
        for k in (1, 2, 3):
            i = j + sign * k
            d[i] = value(i + 1) - value(i) if covered(i) else d[i - sign]
    slopes = []
    for e in (j, j + 1):
        slope = (37 * (d[e - 1] + d[e]) - 8 * (d[e - 2] + d[e + 1]) + d[e - 3] + d[e + 2]) / 60
        slopes.append(np.clip(slope, 0.1 * d[j], 2.5 * d[j]))
    found = float(CubicHermiteSpline([j, j + 1], [value(j), value(j + 1)], slopes)(position))
    return 1.0 / (1.0 + np.exp(-found)) if odds else found


@given(histograms(0.0), st.floats(0.0, 1.0))
def test_it_is_a_cubic_of_the_log_odds(masses, where):
    position = where * masses.size
    found = cdf_at(histogram_cdf(masses[None]), np.array([position]))[0]
    assert found == pytest.approx(one_value(masses, position), abs=1e-9)


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
    np.testing.assert_allclose(cdf_at(cdf, position)[:, 0], q, atol=1e-12)
    assert np.all(cdf_at(cdf, position - 1e-6)[:, 0] <= np.array(q) + 1e-12)


@given(histograms(0.01))
def test_reversal_shift_and_scale(masses):
    edges = np.arange(masses.size + 1.0)
    q = np.array([0.1, 0.25, 0.5, 0.75, 0.9])
    found = histogram_percentiles(histogram_cdf(masses[None]), edges, q)[:, 0]
    moved = histogram_percentiles(histogram_cdf(masses[None]), 50.0 + 7.0 * edges, q)[:, 0]
    np.testing.assert_allclose(moved, 50.0 + 7.0 * found, rtol=1e-14)
    # Masses of 1e-3 and more: rounding of the sums, 1e-16, is amplified by at most their inverse and tenfold.
    back = histogram_percentiles(histogram_cdf(masses[None, ::-1]), edges, 1.0 - q)[:, 0]
    np.testing.assert_allclose(masses.size - back, found, atol=1e-11)


def test_percentiles_beside_and_within_empty_stretches():
    cdf = histogram_cdf(np.array([[0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 0.5, 0.0]]))
    position = cdf_inverse(cdf, np.array([0.25, 0.5, 0.75, 1.0]))[:, 0]
    assert np.all((position > [2.0, 2.9, 6.0, 6.9]) & (position <= [3.0, 3.0, 7.0, 7.0]))
    np.testing.assert_array_equal(position[[1, 3]], [3.0, 7.0])
    np.testing.assert_array_equal(
        cdf_at(cdf, np.array([[-1.0], [1.0], [4.5], [7.5], [9.0]]))[:, 0], [0, 0, 0.5, 1, 1]
    )


def test_a_constant_density_is_kept_by_the_first_and_the_last_bin():
    """A grid that cuts off: the mass of its end bins is spread over them."""
    cdf = histogram_cdf(np.full((1, 8), 0.125))
    q = np.array([0.03, 0.0625, 0.1, 0.9, 0.97])
    np.testing.assert_allclose(cdf_inverse(cdf, q)[:, 0], 8.0 * q, atol=1e-12)
    one = histogram_cdf(np.array([[0.0, 1.0, 0.0]]))
    np.testing.assert_allclose(cdf_inverse(one, np.array([0.2, 0.7]))[:, 0], [1.2, 1.7], atol=1e-12)


def test_log_odds_that_are_a_cubic_are_kept():
    """u = z + z^3 / 50 with z a third of the bin's number: all percentiles are then exact."""
    z = np.linspace(-5.0, 5.0, 31)
    cdf = np.concatenate([[0.0], 1.0 / (1.0 + np.exp(-z - z**3 / 50.0)), [1.0]])[None]
    inside = np.array([-1.91, -0.6, 0.2, 1.3, 2.72])
    q = 1.0 / (1.0 + np.exp(-inside - inside**3 / 50.0))
    np.testing.assert_allclose(cdf_inverse(cdf, q)[:, 0], 16.0 + 3.0 * inside, atol=1e-9)


def test_bins_that_hold_nothing_but_rounding():
    """Below 0.5 neighbouring numbers can have the same log-odds."""
    nearly = np.nextafter(0.0501, 1.0)
    cdf = np.array([[0.0, 0.01, 0.0501, nearly, 0.8, 0.99, 1.0]])
    found = cdf_inverse(cdf, np.array([0.0501, nearly, 0.06]))[:, 0]
    assert found[0] == 2.0
    assert 2.0 <= found[1] <= 3.0 < found[2] < 4.0


def test_newtons_method_settles_for_all_slopes():
    """From the straight line, whatever the slopes (a, b) at both ends within their limits."""
    slopes = np.linspace(0.1, 2.5, 25)
    small = np.geomspace(1e-12, 0.5, 60)
    a, b, y = (x.ravel() for x in np.meshgrid(slopes, slopes, np.concatenate([small, 1.0 - small])))
    cubic = cdf_interpolation._Cubic(0.0 * a, a, 3.0 - 2.0 * a - b, a + b - 2.0)
    steps = cdf_interpolation._QUICK_STEPS + cdf_interpolation._MORE_STEPS
    t, last = cdf_interpolation._newton(cubic, y, y, steps)
    assert np.abs(last).max() < cdf_interpolation._SETTLED
    np.testing.assert_allclose(cubic.rise_to(t), y, atol=1e-15)
    # The cubic rises everywhere, which makes the root the only one.
    assert all(cubic.slope(x).min() > 0.05 for x in np.linspace(0.0, 1.0, 51))


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
        # Half of a dispersion and less: 1 % of a bin for all of them.
        assert width > 0.5 or bound <= 1.0


def test_rows_do_not_touch_each_other():
    rng = np.random.default_rng(1)
    masses = rng.dirichlet(np.ones(20), size=30)
    together = cdf_inverse(histogram_cdf(masses), np.array(Q))
    for k in (0, 7, 29):
        alone = cdf_inverse(histogram_cdf(masses[k : k + 1]), np.array(Q))[:, 0]
        np.testing.assert_allclose(together[:, k], alone, atol=1e-11)
