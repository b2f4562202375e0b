"""Gauss-Hermite fits against exact series, SciPy's least squares, and the invariances of the problem."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from astropy import units as u
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import optimize

from veldist.simulate import FlatTopped, Gaussian, SkewNormal, StudentT, standard_losvds
from veldist.summaries.gauss_hermite.newton import fit_series
from veldist.summaries.gauss_hermite.series_fit import (
    GaussHermite,
    gauss_hermite,
    gauss_hermite_draws,
    gauss_hermite_to_moments,
    moments_to_gauss_hermite,
)

# The polynomials written out, as in van der Marel & Franx (1993) and pPXF.
_POLYNOMIALS = {
    3: lambda y: (2 * np.sqrt(2) * y**3 - 3 * np.sqrt(2) * y) / np.sqrt(6),
    4: lambda y: (4 * y**4 - 12 * y**2 + 3) / np.sqrt(24),
    5: lambda y: (4 * np.sqrt(2) * y**5 - 20 * np.sqrt(2) * y**3 + 15 * np.sqrt(2) * y) / np.sqrt(120),
    6: lambda y: (8 * y**6 - 60 * y**4 + 90 * y**2 - 15) / np.sqrt(720),
}


def _density(velocity, v, sigma, h, amplitude=1.0):
    y = (velocity - v) / sigma
    series = 1 + sum(h_m * _POLYNOMIALS[m](y) for m, h_m in enumerate(h, start=3))
    return amplitude * np.exp(-0.5 * y * y) / (np.sqrt(2 * np.pi) * sigma) * series


def _quadrature_masses(edges, *parameters):
    """Bin masses of the series by Gauss-Legendre quadrature of the density, 16 points a bin."""
    nodes, weights = np.polynomial.legendre.leggauss(16)
    half = 0.5 * np.diff(edges)[:, None]
    velocity = edges[:-1, None] + half * (1 + nodes)
    return (_density(velocity, *parameters) * half) @ weights


def _exact(v, sigma, h, amplitude=1.0):
    """One exact series as the result of a fit."""
    as_row = [np.atleast_1d(np.asarray(x, dtype=float)) for x in (amplitude, v, sigma)]
    return GaussHermite(*as_row, np.atleast_2d(h), np.ones(1, dtype=bool))


def _columns(fit):
    return np.column_stack([fit.amplitude, fit.v, fit.sigma, fit.h])


def _noisy_draws(losvd, edges, n_draws, seed, amplitude=0.3):
    """The LOSVD times the exponential of smooth noise, of about a dispersion's correlation length."""
    rng = np.random.default_rng(seed)
    centers = 0.5 * (edges[1:] + edges[:-1])
    z = (centers[:, None] - losvd.mean - losvd.std * np.arange(-6, 7)) / losvd.std
    masses = losvd.bin_masses(edges) * np.exp(
        rng.normal(0, amplitude, (n_draws, 13)) @ np.exp(-0.5 * z * z).T
    )
    return masses / masses.sum(axis=1, keepdims=True)


def test_terms_are_orthonormal_but_for_one_factor():
    """The integral of phi^2 H_m H_n is 1 / (2 sqrt(pi)) for m = n and else 0: the normalisation of H_m."""
    # exp(-y^2) times a polynomial of degree 12: Gauss-Hermite quadrature of 20 points is exact.
    nodes, weights = np.polynomial.hermite.hermgauss(20)
    values = np.array([polynomial(nodes) for polynomial in _POLYNOMIALS.values()])
    products = (values * weights) @ values.T / (2 * np.pi)
    np.testing.assert_allclose(products, np.eye(4) / (2 * np.sqrt(np.pi)), atol=1e-12)


@pytest.mark.parametrize("h", [[0.1], [-0.2, 0.1], [0.05, -0.1, 0.2], [0.1, 0.2, -0.1, 0.15]])
def test_bin_masses_equal_quadrature_of_the_density(h):
    edges = np.array([-9.0, -4.0, -3.5, -2.0, -1.9, 0.0, 0.3, 1.7, 2.2, 6.0, 11.0]) * 12.0 + 5.0
    masses = _exact(7.0, 13.0, h, 0.9).bin_masses(edges)[0]
    fine = np.concatenate([np.linspace(a, b, 40, endpoint=False) for a, b in itertools.pairwise(edges)])
    expected = np.add.reduceat(
        _quadrature_masses(np.append(fine, edges[-1]), 7.0, 13.0, h, 0.9), range(0, 400, 40)
    )
    np.testing.assert_allclose(masses, expected, atol=1e-13)


@st.composite
def _series_on_a_grid(draw):
    order = draw(st.integers(3, 6))
    h = [draw(st.floats(-0.15, 0.15)) for _ in range(3, order + 1)]
    ratio = draw(st.floats(0.1, 1.0))
    offset = draw(st.floats(-0.5, 0.5))
    n_bins = 2 * int(np.ceil(7.0 / ratio)) + draw(st.integers(0, 40))
    return order, np.array(h), 1 / ratio, offset, n_bins, draw(st.floats(0.5, 1.5))


@given(_series_on_a_grid())
def test_series_of_any_sign_are_recovered(case):
    """Velocities in bins, and no check of the masses: a series may be negative in its wings."""
    order, h, sigma, offset, n_bins, amplitude = case
    edges = np.arange(n_bins + 1) - 0.5 * n_bins
    fit = fit_series(_exact(offset, sigma, h, amplitude).bin_masses(edges), order, exact=True)
    assert fit.converged[0]
    # The ridge shifts coefficients by 1e-8 of them, times what the widest bins amplify it by.
    np.testing.assert_allclose(_columns(fit)[0], [amplitude, offset, sigma, *h], atol=1e-6 * sigma)


@given(
    st.floats(-300, 300), st.floats(3, 60), st.floats(0.1, 1.0), st.floats(-0.1, 0.1), st.floats(0.02, 0.15)
)
def test_positive_series_are_recovered_in_km_s(v, sigma, ratio, h3, h4):
    n_bins = int(18 / ratio)
    edges = v + sigma * ratio * (np.arange(n_bins + 1) - 0.4 * n_bins)
    masses = _exact(v, sigma, [h3, h4]).bin_masses(edges)
    assume(masses.min() >= 0)
    total = masses.sum()
    fit = gauss_hermite(masses / total, edges)
    assert fit.converged[0]
    np.testing.assert_allclose(_columns(fit)[0], [1 / total, v, sigma, h3, h4], atol=1e-6 * sigma)


@pytest.mark.parametrize("ratio", [0.1, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("h", [[0.06, 0.08], [0.03, 0.06, 0.008], [0.04, 0.06, 0.03, 0.02]])
@pytest.mark.parametrize("fit_all", [gauss_hermite, gauss_hermite_draws])
def test_many_positive_series_are_recovered(h, ratio, fit_all):
    """As many draws as share points: V, sigma and all h of each differ."""
    rng = np.random.default_rng(11)
    n_draws, order = 300, len(h) + 2
    edges = 18.0 * (np.arange(int(16 / ratio) + 1) - int(8 / ratio)) * ratio
    series = GaussHermite(
        np.ones(n_draws),
        rng.normal(4.0, 2.0, n_draws),
        18.0 * np.exp(rng.normal(0.0, 0.06, n_draws)),
        np.array(h) * rng.uniform(0.7, 1.0, (n_draws, order - 2)),
        np.ones(n_draws, dtype=bool),
    )
    masses = series.bin_masses(edges)
    # Only what the series leaves beyond 8 dispersions and rounding are negative.
    assert masses.min() > -1e-7
    masses = np.maximum(masses, 0.0)
    fit = fit_all(masses / masses.sum(axis=1, keepdims=True), edges, order)
    assert fit.converged.all()
    np.testing.assert_allclose(fit.h, series.h, atol=1e-3)
    np.testing.assert_allclose(fit.v, series.v, atol=1e-3 * 18.0)
    np.testing.assert_allclose(fit.sigma, series.sigma, rtol=1e-3)


@pytest.mark.parametrize("losvd", [SkewNormal(12.0, 20.0, alpha=4.0), StudentT(12.0, 20.0, nu=6.0)])
def test_every_draw_is_scipys_independent_fit(losvd):
    """SciPy starts at the mean and dispersion of each draw, and integrates the series by quadrature."""
    edges = np.linspace(-110.0, 130.0, 41)
    masses = _noisy_draws(losvd, edges, 160, seed=6, amplitude=0.05)
    fit = gauss_hermite(masses, edges)
    centers = 0.5 * (edges[1:] + edges[:-1])
    for k in range(0, 160, 10):
        mean = masses[k] @ centers
        best = optimize.least_squares(
            lambda p, k=k: 30 * (_quadrature_masses(edges, p[1], p[2], p[3:], p[0]) - masses[k]),
            [1.0, mean, np.sqrt(masses[k] @ (centers - mean) ** 2), 0.0, 0.0],
            xtol=1e-12,
            ftol=1e-14,
            gtol=1e-12,
        )
        np.testing.assert_allclose(_columns(fit)[k], best.x, atol=2e-5)


@pytest.mark.parametrize("name", list(standard_losvds()))
@pytest.mark.parametrize("order", [4, 6])
def test_fit_is_scipys_least_squares(name, order):
    losvd = standard_losvds(12.0, 20.0)[name]
    edges = np.linspace(-110.0, 130.0, 49)
    fit = gauss_hermite(_noisy_draws(losvd, edges, 2, seed=5), edges, order)
    assert fit.converged.all()
    for k, masses in enumerate(_noisy_draws(losvd, edges, 2, seed=5)):

        def residual(p, masses=masses):
            return 30 * (_quadrature_masses(edges, p[1], p[2], p[3:] / p[0], p[0]) - masses)

        # From the same side: the sums of squares of noisy LOSVDs have several minima.
        start = [fit.amplitude[k], fit.v[k] + 2.0, 1.1 * fit.sigma[k], *(fit.amplitude[k] * fit.h[k] * 0.8)]
        best = optimize.least_squares(residual, start, xtol=1e-12, ftol=1e-14, gtol=1e-12)
        ours = [fit.amplitude[k], fit.v[k], fit.sigma[k], *(fit.amplitude[k] * fit.h[k])]
        np.testing.assert_allclose(ours, best.x, atol=2e-5)
        assert np.sum(residual(np.array(ours)) ** 2) <= 2 * best.cost * (1 + 1e-9)


@pytest.mark.parametrize("name", list(standard_losvds()))
def test_smooth_losvds_lead_to_the_minimum_found_from_their_moments(name):
    losvd = standard_losvds(12.0, 20.0)[name]
    edges = np.linspace(-110.0, 130.0, 49)
    masses = losvd.bin_masses(edges, conditional=True)
    fit = gauss_hermite(masses[None], edges)
    best = optimize.least_squares(
        lambda p: 30 * (_quadrature_masses(edges, p[1], p[2], p[3:], p[0]) - masses),
        [1.0, losvd.mean, losvd.std, 0.0, 0.0],
        xtol=1e-12,
        ftol=1e-14,
        gtol=1e-12,
    )
    np.testing.assert_allclose(_columns(fit)[0], best.x, atol=2e-5)


@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0, 1.42])
@pytest.mark.parametrize("order", [3, 4, 5, 6])
def test_a_gaussian_has_no_further_terms(order, ratio):
    """The widest bins leave 60 of them 85 dispersions wide with the mass in five; h6 wants narrower ones."""
    sigma = 7.0
    edges = 40.0 + ratio * sigma * (np.arange(61) - 30.3)
    masses = Gaussian(42.0, sigma).bin_masses(edges, conditional=True)
    # The narrowest bins cut the Gaussian at 3 dispersions.
    total = Gaussian(42.0, sigma).bin_masses(edges).sum()
    fit = gauss_hermite(masses[None], edges, order)
    tolerance = 1e-6 if ratio < 1.1 or order < 6 else 1e-2
    np.testing.assert_allclose(
        _columns(fit)[0], [1 / total, 42.0, sigma] + [0.0] * (order - 2), atol=sigma * tolerance
    )
    assert fit.converged[0] or tolerance == 1e-2


def test_h3_is_positive_for_a_tail_at_high_velocities_and_h4_for_wings():
    edges = np.linspace(-200.0, 200.0, 81)

    def fit(losvd):
        return gauss_hermite(losvd.bin_masses(edges, conditional=True)[None], edges).h[0]

    assert fit(SkewNormal(0.0, 20.0, alpha=4.0))[0] > 0.1
    assert fit(StudentT(0.0, 20.0, nu=6.0))[1] > 0.03
    assert fit(FlatTopped(0.0, 20.0))[1] < -0.05


@given(st.floats(-1e4, 1e4), st.floats(0.01, 100.0), st.sampled_from([3, 4, 6]))
def test_shift_scale_and_reversal(shift, scale, order):
    edges = np.linspace(-100.0, 100.0, 41)
    masses = _noisy_draws(SkewNormal(3.0, 20.0, alpha=4.0), edges, 4, seed=1)
    fit = gauss_hermite(masses, edges, order)
    assert fit.converged.all()
    moved = gauss_hermite(masses, shift + scale * edges, order)
    np.testing.assert_allclose(moved.v, shift + scale * fit.v, atol=1e-7 * scale + 1e-10 * abs(shift))
    np.testing.assert_allclose(moved.sigma, scale * fit.sigma, rtol=1e-8)
    np.testing.assert_allclose(moved.h, fit.h, atol=1e-8)
    mirrored = gauss_hermite(masses[:, ::-1], -edges[::-1], order)
    np.testing.assert_allclose(mirrored.v, -fit.v, atol=1e-5)
    np.testing.assert_allclose(mirrored.sigma, fit.sigma, rtol=1e-7)
    np.testing.assert_allclose(mirrored.h, fit.h * (-1.0) ** np.arange(3, order + 1), atol=1e-6)


@pytest.mark.parametrize(("order", "ratio"), [(3, 0.8), (4, 0.8), (5, 0.5), (6, 0.5)])
def test_parameters_do_not_depend_on_the_bins(order, ratio):
    """For a shape that is no series, the wider bins weigh the misfit differently.

    Its part at the bins' frequency is all that differs: below 0.01 dispersions and 0.01 in h for a
    skew-normal at half a sigma, twice that at 0.8.
    """
    losvd = SkewNormal(0.0, 1.0, alpha=3.0)

    def fit(width, phase):
        edges = width * (np.arange(-int(8 / width), int(8 / width) + 1) + phase)
        return _columns(gauss_hermite(losvd.bin_masses(edges, conditional=True)[None], edges, order))[0]

    tolerance = 0.01 if ratio <= 0.5 else 0.02
    for phase in (0.0, 0.3, 0.5):
        np.testing.assert_allclose(fit(ratio, phase), fit(0.1, 0.0), atol=tolerance)


def test_many_draws_at_once_equal_one_by_one():
    edges = np.linspace(-100.0, 100.0, 41)
    masses = _noisy_draws(StudentT(0.0, 20.0, nu=6.0), edges, 150, seed=3)
    together = gauss_hermite(masses, edges)
    alone = [gauss_hermite(row[None], edges) for row in masses]
    np.testing.assert_allclose(_columns(together), np.vstack([_columns(fit) for fit in alone]), atol=1e-8)
    np.testing.assert_array_equal(together.converged, np.concatenate([fit.converged for fit in alone]))


@pytest.mark.parametrize("name", list(standard_losvds()))
@pytest.mark.parametrize(("order", "least"), [(4, 0.99), (6, 0.97)])
def test_noisy_draws_converge(name, order, least):
    """Deviations of 30 % a dispersion apart, as of a hundred stars."""
    edges = np.linspace(-120.0, 120.0, 49)
    fit = gauss_hermite(_noisy_draws(standard_losvds()[name], edges, 300, seed=7), edges, order)
    assert fit.converged.mean() >= least


def test_wings_do_not_move_the_fit():
    """A uniform wing of 3 % over 40 dispersions is a density of 0.2 % of the peak's."""
    edges = np.linspace(-400.0, 400.0, 161)
    masses = 0.97 * Gaussian(5.0, 20.0).bin_masses(edges) + 0.03 / 160
    fit = gauss_hermite(masses[None] / masses.sum(), edges)
    assert fit.converged[0]
    np.testing.assert_allclose(fit.v, 5.0, atol=0.02)
    np.testing.assert_allclose(fit.sigma, 20.0, atol=0.2)
    np.testing.assert_allclose(fit.h, 0.0, atol=0.02)


@pytest.mark.parametrize("order", [3, 4, 5, 6])
@pytest.mark.parametrize(
    "filled", [[5], [5, 6], [3, 15], [0], [0, 19], [4, 5, 6], [0, 1, 2], list(range(20))]
)
def test_odd_histograms_give_finite_values(filled, order):
    masses = np.zeros((1, 20))
    masses[0, filled] = 1 / len(filled)
    fit = gauss_hermite(masses, 10.0 * np.arange(21), order)
    assert np.isfinite(_columns(fit)).all()
    assert fit.amplitude[0] > 0
    assert np.abs(fit.h).max() <= 1 + 1e-9
    assert fit.sigma[0] >= 10 / np.sqrt(12) * (1 - 1e-9)
    assert not (fit.converged[0] and len(filled) <= 2 and np.ptp(filled) <= 1)


@pytest.mark.parametrize("order", [3, 4, 5, 6])
def test_pure_noise_gives_finite_values_within_the_limits(order):
    edges = np.arange(41.0)
    fit = gauss_hermite(np.random.default_rng(4).dirichlet(np.full(40, 0.3), 200), edges, order)
    assert np.isfinite(_columns(fit)).all()
    assert np.all(fit.amplitude > 0)
    assert np.abs(fit.h).max() <= 1 + 1e-6
    # The last step of a converged fit may end 1e-4 sigma beyond.
    assert np.all((fit.v > -0.01) & (fit.v < 40.01) & (fit.sigma > 0.288) & (fit.sigma < 40.01))
    assert 0 < fit.converged.sum() < 200


@pytest.mark.parametrize("order", [3, 4, 5, 6])
def test_fewer_bins_than_parameters_do_not_converge(order):
    masses = np.full((2, order), 1 / order)
    fit = gauss_hermite(masses, np.arange(order + 1.0), order)
    assert not fit.converged.any()
    assert np.isfinite(_columns(fit)).all()


def test_narrow_losvds_on_a_wide_grid_are_flagged_where_bins_do_not_fix_them():
    """A bin of 5 dispersions may hold all the mass: no sigma fits better than another."""
    edges = np.arange(41.0)
    fit = gauss_hermite(Gaussian(20.5, 0.2).bin_masses(edges)[None], edges)
    assert not fit.converged[0]


def _series_moments(h3, h4):
    """Skewness and excess kurtosis of the series by quadrature."""
    y = np.linspace(-15.0, 15.0, 3001)
    # The trapezoidal rule converges exponentially for such functions.
    raw = np.array([np.sum(y**k * _density(y, 0.0, 1.0, [h3, h4])) for k in range(5)])
    m = raw / raw[0]
    variance = m[2] - m[1] ** 2
    third = m[3] - 3 * m[1] * m[2] + 2 * m[1] ** 3
    fourth = m[4] - 4 * m[1] * m[3] + 6 * m[1] ** 2 * m[2] - 3 * m[1] ** 4
    return third / variance**1.5, fourth / variance**2 - 3


def test_small_deviation_formulas_hold_to_first_order():
    """The error of a first-order formula falls with the square of the coefficient, or faster."""
    for eps in (1e-3, 1e-4):
        skewness, kurtosis = _series_moments(eps, 0.0)[0], _series_moments(0.0, eps)[1]
        h3, h4 = moments_to_gauss_hermite(skewness, kurtosis)
        assert h3 == pytest.approx(eps, abs=20 * eps**2)
        assert h4 == pytest.approx(eps, abs=20 * eps**2)


def test_range_of_the_small_deviation_formulas():
    """The numbers of the docstring."""
    assert _series_moments(0.0, 0.01)[1] == pytest.approx(0.171, abs=5e-4)
    assert gauss_hermite_to_moments(0.0, 0.01)[1] == pytest.approx(0.196, abs=5e-4)
    for h3, ratio in ((0.05, 1.015), (0.1, 1.06)):
        assert moments_to_gauss_hermite(*_series_moments(h3, 0.0))[0] / h3 == pytest.approx(ratio, abs=5e-3)
    for h4, ratio in ((0.01, 0.87), (0.05, 0.52)):
        assert moments_to_gauss_hermite(*_series_moments(0.0, h4))[1] / h4 == pytest.approx(ratio, abs=5e-3)
    kurtosis = [_series_moments(0.0, h4)[1] for h4 in np.arange(0.076, 0.0961, 0.002)]
    assert np.argmax(kurtosis) == 5
    assert max(kurtosis) == pytest.approx(0.571, abs=1e-3)
    edges = np.linspace(-15.0, 15.0, 301)
    fit = gauss_hermite(StudentT(0.0, 1.0, nu=6.0).bin_masses(edges, conditional=True)[None], edges)
    assert fit.h[0, 1] == pytest.approx(0.044, abs=1e-3)
    assert moments_to_gauss_hermite(0.0, 3.0)[1] == pytest.approx(0.153, abs=1e-3)


def test_small_deviation_formulas_are_inverse_and_take_arrays():
    skewness, kurtosis = np.array([-0.2, 0.0, 0.3]), np.array([0.1, -0.2, 0.0])
    back = gauss_hermite_to_moments(*moments_to_gauss_hermite(skewness, kurtosis))
    np.testing.assert_allclose(back, [skewness, kurtosis])


def test_draws_and_summary_by_name():
    edges = np.linspace(-100.0, 100.0, 41)
    fit = gauss_hermite(_noisy_draws(Gaussian(3.0, 20.0), edges, 99, seed=3), edges, 5)
    assert fit.order == 5
    assert list(fit.draws) == list(fit.summary()) == ["v", "sigma", "h3", "h4", "h5"]
    np.testing.assert_array_equal(fit.draws["h4"], fit.h[:, 1])
    low, high = np.percentile(fit.sigma, [16, 84])
    assert fit.summary()["sigma"] == (np.median(fit.sigma), pytest.approx(0.5 * (high - low)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.v = fit.v


def test_correlation_of_the_converged_draws():
    edges = np.linspace(-100.0, 100.0, 41)
    fit = gauss_hermite(_noisy_draws(Gaussian(3.0, 20.0), edges, 120, seed=3), edges, 5)
    fit.converged[:20] = False
    assert fit.names == ("v", "sigma", "h3", "h4", "h5")
    expected = np.corrcoef([draws[20:] for draws in fit.draws.values()])
    np.testing.assert_allclose(fit.correlation(), expected, atol=1e-12)


def test_correlation_is_nan_where_there_is_none():
    draws = np.arange(4.0)
    alike = GaussHermite(
        np.ones(4),
        draws,
        20.0 + draws**2,
        np.column_stack([-draws, 0.1 * np.ones(4)]),
        np.ones(4, dtype=bool),
    )
    correlation = alike.correlation()
    np.testing.assert_allclose(correlation[0, 2], -1.0, atol=1e-15)
    assert np.isnan(correlation[3, :3]).all()
    assert np.isnan(correlation[:3, 3]).all()
    np.testing.assert_array_equal(np.diag(correlation), 1.0)
    alike.converged[:2] = False
    assert np.isnan(alike.correlation()).all()


def test_edges_may_have_units():
    edges = np.linspace(-1e5, 1e5, 41) * u.m / u.s
    masses = _noisy_draws(Gaussian(3.0, 20.0), np.linspace(-100.0, 100.0, 41), 2, seed=3)
    np.testing.assert_allclose(
        _columns(gauss_hermite(masses, edges)),
        _columns(gauss_hermite(masses, np.linspace(-100.0, 100.0, 41))),
        rtol=1e-7,
    )


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"order": 2}, ValueError, "order must be at least 3, got 2"),
        ({"order": 7}, ValueError, "order must be 3 to 6, got 7"),
        ({"order": 4.0}, TypeError, "order must be an integer"),
        ({"edges": np.arange(5.0) ** 2}, ValueError, "edges must be uniform"),
        ({"edges": np.arange(5.0)[::-1]}, ValueError, "edges must be finite and ascending"),
        ({"edges": np.arange(4.0)}, ValueError, "pass bin edges, not bin centres"),
        ({"edges": np.arange(7.0)}, ValueError, "n_bins = 6"),
        ({"pdf_samples": np.full(4, 0.25)}, ValueError, r"pdf\[None, :\]"),
        ({"pdf_samples": np.full((2, 4), 0.3)}, ValueError, "do not sum to 1"),
        ({"pdf_samples": [[0.5, 0.5, np.nan, 0.0]]}, ValueError, "NaN or infinite"),
        ({"pdf_samples": [[0.5, 0.7, -0.2, 0.0]]}, ValueError, "negative masses"),
    ],
)
def test_wrong_input_is_named(change, error, message):
    arguments = {"pdf_samples": np.full((2, 4), 0.25), "edges": np.arange(5.0), "order": 3}
    with pytest.raises(error, match=message):
        gauss_hermite(**(arguments | change))
