r"""How well stars can measure an LOSVD: bounds on the uncertainties of its moments.

A nearly Gaussian LOSVD is :math:`f(v) = N(v \mid V, \sigma^2)\,(1 + \sum_k \epsilon_k He_k(z))` with
:math:`z = (v - V) / \sigma` and He_k the Hermite polynomials of probability theory. Since He_k times a
Gaussian is its k-th derivative, a Gaussian error of r dispersions turns He_k into
:math:`(1 + r^2)^{-k/2} He_k(y / (\sigma \sqrt{1 + r^2}))`, and the Fisher information of a star about
:math:`\epsilon_k` is :math:`k!\,(1 + r^2)^{-k}`, without cross terms. With
:math:`S_k = \sum_i (1 + r_i^2)^{-k}`, the number of error-free stars that would tell as much, and with
:math:`\delta V = \sigma \epsilon_1`, :math:`\delta\sigma = \sigma \epsilon_2`, skewness
:math:`6 \epsilon_3` and excess kurtosis :math:`24 \epsilon_4`, the Cramer-Rao bounds are

============  ==============================
V             :math:`\sigma / \sqrt{S_1}`
sigma         :math:`\sigma / \sqrt{2 S_2}`
skewness      :math:`\sqrt{6 / S_3}`
kurtosis      :math:`\sqrt{24 / S_4}`
h3            :math:`1 / \sqrt{8 S_3}`
h4            :math:`1 / \sqrt{16 S_4}`
============  ==============================

the last two by h3 = skewness / (4 sqrt 3) and h4 = excess kurtosis / (8 sqrt 6), valid for small deviations
(van der Marel & Franx 1993, ApJ 407, 525).
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.validate import check_count, check_finite, strip_units, to_array, to_float

__all__ = ["MOMENTS", "effective_stars", "influence_sd", "information_bounds", "sampling_bounds"]

MOMENTS = ("v_mean", "sigma", "skewness", "kurtosis")
"""Summaries with a bound, in the order of the Hermite polynomial that moves them: k = 1, 2, 3, 4."""


# Errors so many dispersions large leave no information that a float could hold.
_LOST = 1e30


def effective_stars(n_stars: int, error_ratio: Any, order: int) -> float:
    r"""Number of error-free stars that tell as much about the Hermite coefficient of an order.

    Parameters
    ----------
    n_stars : int
        Number of stars.
    error_ratio : float or array_like
        Errors over the dispersion: one for all stars, or any number that are typical of them.
    order : int
        Order k of the Hermite polynomial.

    Returns
    -------
    float
        ``n_stars`` times the mean of :math:`(1 + r^2)^{-k}`.
    """
    # Multiplied out: a power costs as much as all else.
    share = 1.0 / (1.0 + np.square(error_ratio))
    return n_stars * float(np.mean(prod([share] * order)))


def information_bounds(n_stars: int, err: Any, sigma: Any) -> dict[str, float]:
    """Cramer-Rao bounds on the uncertainties of the moments of a Gaussian LOSVD.

    Parameters
    ----------
    n_stars : int
        Number of stars.
    err : float, array_like or Quantity
        Errors, km/s, >= 0: one for all stars, or any number that are typical of them. If it holds
        ``n_stars`` values, the bounds are those of just these stars.
    sigma : float or Quantity
        Dispersion, km/s, > 0.

    Returns
    -------
    dict of str to float
        ``v_mean`` and ``sigma`` (km/s), ``skewness``, ``kurtosis``, ``h3`` and ``h4``: smallest standard
        deviations that an unbiased estimate can have (see the top of this module).

    Raises
    ------
    TypeError, ValueError
        If the number of stars is no positive integer, an error is negative or not finite, or the dispersion
        is not positive.
    """
    n_stars = check_count(n_stars, "n_stars", 1)
    sigma = to_float(sigma, "sigma", "km/s")
    if sigma <= 0:
        raise ValueError(f"sigma must be positive, got {sigma} km/s.")
    plain = strip_units(err, "err", "km/s")
    errors = to_array([plain] if np.ndim(plain) == 0 else plain, "err", "km/s")
    check_finite(errors, "err")
    if errors.min() < 0:
        raise ValueError(f"err must not be negative, got {errors.min()} km/s: it is a standard deviation.")
    if errors.max() > _LOST * sigma:
        raise ValueError(
            f"sigma = {sigma:g} km/s is lost in errors of {errors.max():g} km/s: check their units."
        )
    stars = {k: effective_stars(n_stars, errors / sigma, k) for k in range(1, 5)}
    skewness, kurtosis = np.sqrt(6.0 / stars[3]), np.sqrt(24.0 / stars[4])
    return {
        "v_mean": float(sigma / np.sqrt(stars[1])),
        "sigma": float(sigma / np.sqrt(2.0 * stars[2])),
        "skewness": float(skewness),
        "kurtosis": float(kurtosis),
        "h3": float(skewness / (4.0 * np.sqrt(3.0))),
        "h4": float(kurtosis / (8.0 * np.sqrt(6.0))),
    }


def influence_sd(masses: Floats, edges: Floats) -> Floats:
    r"""Standard deviations per star of the sample moments of LOSVDs of any shape, without errors.

    Those of N stars are smaller by sqrt N. They follow from the influence functions (e.g. Hampel et al. 1986,
    Robust Statistics, ch. 2), with z the standardised velocity, g the skewness and k the fourth standardised
    moment: :math:`\sigma z` for V and

    .. math::
        \tfrac{\sigma}{2}(z^2 - 1), \quad z^3 - g - 3z - \tfrac{3}{2} g (z^2 - 1), \quad
        z^4 - k - 4 g z - 2 k (z^2 - 1)

    for the dispersion, skewness and kurtosis, whose mean squares are moments up to the eighth.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Probability mass per bin; rows sum to 1. Velocities are taken at the bins' centres, which adds
        a twelfth of the squared bin width to the variance.
    edges : ndarray, shape (n_bins + 1,)
        Bin edges, km/s, uniform.

    Returns
    -------
    ndarray, shape (n_draws, 4)
        Of `MOMENTS`: mean and dispersion (km/s), skewness, kurtosis. For a Gaussian
        sigma (1, 1 / sqrt 2), sqrt 6 and sqrt 24.
    """
    sigma, mean_squares = _influence(masses, edges)
    return np.sqrt(mean_squares[:, :, 0]) * _units(sigma)


def sampling_bounds(masses: Floats, edges: Floats, err: Floats) -> Floats:
    r"""Standard deviations to expect of moments that are measured from these stars alone.

    A polynomial p of degree k, the influence function of a moment, has an unbiased estimate from
    velocities with Gaussian errors of r dispersions, :math:`e^{-r^2 D^2 / 2} p`, D the derivative.
    Expanded in Hermite polynomials of the error, its mean square is
    :math:`\sum_j r^{2j} \langle (D^j p)^2 \rangle / j!`. Stars are weighted with :math:`(1 + r^2)^{-k}`,
    which is best for a Gaussian LOSVD: there the result is the Cramer-Rao bound.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        LOSVDs of similar dispersion, probability mass per bin; rows sum to 1.
    edges : ndarray, shape (n_bins + 1,)
        Bin edges, km/s, uniform.
    err : ndarray, shape (n_stars,)
        Errors of the stars, km/s; their ratio is taken to the mean dispersion of the rows.

    Returns
    -------
    ndarray, shape (n_draws, 4)
        Of `MOMENTS`.
    """
    sigma, mean_squares = _influence(masses, edges)
    r2 = (err / sigma.mean()) ** 2
    powers = np.vander(r2, _DEGREE + 1, increasing=True)
    weights = (1.0 / (1.0 + r2)) ** np.arange(1, _DEGREE + 1)[:, None]
    noise = (weights**2 @ powers) / (weights.sum(axis=1)[:, None] ** 2 * _FACTORIALS)
    return np.sqrt(np.vecdot(mean_squares, noise)) * _units(sigma)


_DEGREE = len(MOMENTS)
_FACTORIALS = np.array([1.0, 1.0, 2.0, 6.0, 24.0])
# Coefficients of a polynomial times _DERIVATIVES[j] are those of its j-th derivative.
_D = np.diag(np.arange(1.0, _DEGREE + 1), -1)
_DERIVATIVES = np.stack([np.linalg.matrix_power(_D, j) for j in range(_DEGREE + 1)])
_HANKEL = np.add.outer(np.arange(_DEGREE + 1), np.arange(_DEGREE + 1))


def _influence(masses: Floats, edges: Floats) -> tuple[Floats, Floats]:
    """Dispersions, (n_draws,), and mean squares of the derivatives of the influence functions.

    These are (n_draws, 4, 5), moment by derivative, for a dispersion of 1.
    """
    # From the middle of the grid: no digits are lost to a large systemic velocity.
    centers = 0.5 * (edges[1:] + edges[:-1]) - 0.5 * (edges[0] + edges[-1])
    deviation = centers - (masses @ centers)[:, None]
    sigma = np.sqrt(np.vecdot(masses, deviation * deviation))
    z = deviation / sigma[:, None]
    moments = np.empty((masses.shape[0], 2 * _DEGREE + 1))
    weighted = masses
    for k in range(moments.shape[1]):
        moments[:, k] = weighted.sum(axis=1)
        weighted = weighted * z
    g, k = moments[:, 3], moments[:, 4]
    coefficients = np.zeros((masses.shape[0], _DEGREE, _DEGREE + 1))
    coefficients[:, 0, 1] = 1.0
    coefficients[:, 1, (0, 2)] = -0.5, 0.5
    coefficients[:, 2] = np.stack([0.5 * g, -3.0 + 0 * g, -1.5 * g, 1.0 + 0 * g, 0 * g], axis=1)
    coefficients[:, 3] = np.stack([k, -4.0 * g, -2.0 * k, 0 * k, 1.0 + 0 * k], axis=1)
    # (n_draws, 4, 5 derivatives, 5 coefficients)
    derivatives = (coefficients[:, :, None, None, :] @ _DERIVATIVES)[:, :, :, 0]
    return sigma, np.vecdot(derivatives @ moments[:, None, _HANKEL], derivatives)


def _units(sigma: Floats) -> Floats:
    """Factors that turn results for a dispersion of 1 into km/s, (n_draws, 4)."""
    return np.where([True, True, False, False], sigma[:, None], 1.0)
