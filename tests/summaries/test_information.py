"""Bounds against Fisher information by quadrature, closed forms and Monte Carlo."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy import units as u
from numpy.polynomial.hermite_e import hermeval
from scipy import stats

from veldist.summaries.information import MOMENTS, effective_stars, information_bounds, sampling_bounds

# The error of a star without one: bounds are then those of the influence functions alone.
ONE = np.zeros(1)


def gaussian_masses(mean, sigma, edges):
    masses = np.diff(stats.norm.cdf(edges, mean, sigma))
    return (masses / masses.sum())[None, :]


def fisher_information(order, r):
    """About eps in N(z) (1 + eps He_k(z)), observed with an error of r, by quadrature."""
    z = np.linspace(-12.0, 12.0, 1201)
    y = np.linspace(-12.0, 12.0, 1201) * np.sqrt(1 + r * r)
    blur = stats.norm.pdf(y[:, None], z, r) * (z[1] - z[0])
    shape = hermeval(z, [0.0] * order + [1.0])
    observed, change = blur @ stats.norm.pdf(z), blur @ (stats.norm.pdf(z) * shape)
    seen = observed > 1e-250
    return float(np.sum(change[seen] ** 2 / observed[seen]) * (y[1] - y[0]))


@pytest.mark.parametrize("r", [0.1, 0.7, 1.5])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_bounds_are_fisher_information(order, r):
    """V = sigma eps_1, dsigma = sigma eps_2, skewness = 6 eps_3, kurtosis = 24 eps_4."""
    sigma, n = 7.0, 50
    information = n * fisher_information(order, r)
    scale = {1: sigma, 2: sigma, 3: 6.0, 4: 24.0}[order]
    name = MOMENTS[order - 1]
    assert information_bounds(n, r * sigma, sigma)[name] == pytest.approx(
        scale / np.sqrt(information), rel=1e-6
    )


def test_equal_errors_have_closed_forms():
    n, sigma, err = 200, 12.0, 5.0
    f = 1 + (err / sigma) ** 2
    assert information_bounds(n, err * u.km / u.s, 0.012 * u.km / u.s * 1000) == pytest.approx(
        {
            "v_mean": sigma * np.sqrt(f) / np.sqrt(n),
            "sigma": sigma * f / np.sqrt(2 * n),
            "skewness": np.sqrt(6 / n) * f**1.5,
            "kurtosis": np.sqrt(24 / n) * f**2,
            "h3": np.sqrt(6 / n) * f**1.5 / (4 * np.sqrt(3)),
            "h4": np.sqrt(24 / n) * f**2 / (8 * np.sqrt(6)),
        }
    )


def test_informations_of_stars_add_up():
    err = np.array([0.5, 3.0, 9.0, 20.0])
    together = information_bounds(4, err, 10.0)
    alone = [information_bounds(1, e, 10.0) for e in err]
    for name, value in together.items():
        assert value**-2 == pytest.approx(sum(one[name] ** -2 for one in alone))
    # Errors of a thousand stars that are typical of forty.
    assert information_bounds(40, np.tile(err, 250), 10.0) == pytest.approx(
        {name: value / np.sqrt(10) for name, value in together.items()}
    )
    assert effective_stars(7, 0.0, 3) == 7


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1.0, 10.0), "n_stars must be at least 1"),
        ((5, -1.0, 10.0), "err must not be negative, got -1"),
        ((5, [1.0, np.nan], 10.0), "err has 1 of 2 values"),
        ((5, 1.0, 0.0), "sigma must be positive"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        information_bounds(*arguments)


def test_a_gaussian_has_the_cramer_rao_bounds():
    """Bins add a twelfth of their squared width to the variance: 3e-5 of it here."""
    sigma, edges = 10.0, np.linspace(-80.0, 120.0, 1001)
    err = np.array([1.0, 4.0, 12.0])
    got = sampling_bounds(gaussian_masses(20.0, sigma, edges).repeat(2, axis=0), edges, err)
    expected = [information_bounds(3, err, sigma)[name] for name in MOMENTS]
    np.testing.assert_allclose(got, [expected, expected], rtol=1e-3)


@pytest.mark.parametrize("p", [0.07, 0.2, 0.65])
def test_two_velocities_have_closed_forms(p):
    """With a fraction p at 1, all others at 0, moments are functions of p: their slopes times its error."""
    q = 1 - p
    slopes = [
        1.0,
        (q - p) / (2 * np.sqrt(p * q)),
        -1 / (2 * (p * q) ** 1.5),  # of (q - p) / sqrt(p q)
        -(q - p) / (p * q) ** 2,  # of 1 / (p q) - 3
    ]
    got = sampling_bounds(np.array([[q, p]]), np.array([-0.5, 0.5, 1.5]), ONE)
    np.testing.assert_allclose(got[0], np.abs(slopes) * np.sqrt(p * q), rtol=1e-9)


def test_influence_functions_are_those_of_sample_moments():
    """Over 6000 samples standard deviations are known to 1/sqrt(12000) = 0.9 %, times about 1.6 for the
    kurtosis of the moments themselves; 4000 stars are off their limit by O(1/4000): 5 % is three errors."""
    edges = np.linspace(2.0, 5.0, 25)
    masses = np.diff(stats.beta.cdf(edges, 1.0, 6.0, loc=2.0, scale=3.0))
    n, rng = 4000, np.random.default_rng(4)
    z = 0.5 * (edges[1:] + edges[:-1])
    share = rng.multinomial(n, masses, size=6000) / n
    mean = share @ z
    deviation = z - mean[:, None]
    m2, m3, m4 = (np.sum(share * deviation**k, axis=1) for k in (2, 3, 4))
    sample = np.array([mean, np.sqrt(m2), m3 / m2**1.5, m4 / m2**2])
    assert abs(sample[2].mean()) > 1.0  # skewed, so that every term counts
    np.testing.assert_allclose(
        sample.std(axis=1) * np.sqrt(n), sampling_bounds(masses[None, :], edges, ONE)[0], rtol=0.05
    )


@pytest.mark.parametrize("r", [0.3, 1.0])
def test_errors_add_the_noise_of_unbiased_estimates(r):
    """Moments of observed velocities, corrected for the errors, in samples of 4000 stars of a skewed LOSVD.

    Means of y, y^2 - e^2, y^3 - 3 y e^2, y^4 - 6 y^2 e^2 + 3 e^4 are those of v, v^2, v^3, v^4.
    """
    edges = np.linspace(2.0, 5.0, 25)
    centers = 0.5 * (edges[1:] + edges[:-1])
    masses = np.diff(stats.beta.cdf(edges, 1.0, 6.0, loc=2.0, scale=3.0))
    sigma = np.sqrt(np.cov(centers, aweights=masses, ddof=0))
    err, n, rng = r * sigma, 4000, np.random.default_rng(2)
    moments = []
    for _ in range(1500):
        y = rng.choice(centers, size=n, p=masses) + rng.normal(0.0, err, n)
        m1, m2, m3, m4 = (np.mean(y**k) for k in (1, 2, 3, 4))
        moments.append([m1, m2 - err**2, m3 - 3 * m1 * err**2, m4 - 6 * m2 * err**2 + 3 * err**4])
    a, b, c, d = np.transpose(moments)
    variance = b - a**2
    skewness = (c - 3 * a * b + 2 * a**3) / variance**1.5
    kurtosis = (d - 4 * a * c + 6 * a**2 * b - 3 * a**4) / variance**2
    got = np.std([a, np.sqrt(variance), skewness, kurtosis], axis=1)
    # Standard deviations of 1500 samples are known to 2 %, of a kurtosis to 3 %.
    np.testing.assert_allclose(got, sampling_bounds(masses[None, :], edges, np.full(n, err))[0], rtol=0.1)


def test_shift_and_scale():
    edges = np.linspace(-40.0, 60.0, 31)
    masses = np.random.default_rng(1).dirichlet(np.ones(30), size=3)
    reference = sampling_bounds(masses, edges, ONE)
    moved = sampling_bounds(masses, 4.0 * edges + 2000.0, ONE)
    np.testing.assert_allclose(moved, reference * np.array([4.0, 4.0, 1.0, 1.0]), rtol=1e-9)
    # Any distribution: the influence of the mean has the dispersion as its standard deviation.
    centers = 0.5 * (edges[1:] + edges[:-1])
    assert reference[0, 0] == pytest.approx(math.sqrt(np.cov(centers, aweights=masses[0], ddof=0)))
