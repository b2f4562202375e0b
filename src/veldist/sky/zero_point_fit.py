r"""Fit of zero points and error factors to visits of stars.

The visits of a star are turned into independent numbers, linear in the velocities: the star's weighted mean,
and the difference of each further visit from the mean of those before it. Their expectations are linear in
the systemic velocity and the offsets, their variances in the squared dispersion (means only) and the squared
error factors: :math:`E = B\beta`, :math:`\mathrm{var} = A\theta`. Both are fitted by weighted least squares,
with errors from the scatter of the residuals themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, exp, pi, sqrt

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats, Ints

__all__ = ["Offsets", "fit_offsets", "fit_scales"]

# Residuals beyond so many standard deviations count as if they were there; a Gaussian's mean square then.
_CLIP = 2.0
_INSIDE = erf(_CLIP / sqrt(2.0))
_CLIPPED = _INSIDE + _CLIP**2 * (1.0 - _INSIDE) - _CLIP * sqrt(2.0 / pi) * exp(-0.5 * _CLIP**2)
# Residuals that say nothing of the errors: variable stars, foreign stars.
_OUTLIER = 4.0
_ITERATIONS = 50
# Means of samples may differ for another reason: stars in common alone are worth so much larger errors.
_WORTH = 2.0
# Eigenvalues of a normal matrix, relative to the largest, that are rounding.
_NOTHING = 1e-9
# Squared error factors lie above this.
_LEAST = 1e-3


@dataclass(frozen=True)
class Offsets:
    """Offsets, and what is left without them."""

    # (n_instruments,): Offsets from the reference and their 1-sigma errors, km/s.
    value: Floats
    error: Floats
    from_common: NDArray[np.bool_]  # (n_instruments,): Whether from stars in common alone
    # (n,): Residuals of means and differences, km/s; (n, 1 + n_instruments): Their variances' coefficients
    # of the squared dispersion and the squared error factors.
    residual: Floats
    variance: Floats
    dispersion: float  # km/s


def fit_offsets(
    vel: Floats, err: Floats, instrument: Ints, star: Ints, reference: int, common: NDArray[np.bool_]
) -> Offsets:
    """Offsets from the reference, of instruments with stars in ``common`` from these alone if they suffice.

    Parameters
    ----------
    vel, err : ndarray, (n_rows,)
        Velocities and errors, km/s.
    instrument, star : ndarray of int, (n_rows,)
        Which they are of.
    reference : int
        Instrument whose offset is zero.
    common : ndarray of bool, (n_instruments,)
        Whether instruments have enough stars in common with others.
    """
    number, mean, variance = _contrasts(vel, err, instrument, star, common.size)
    mean[:, 1 + reference] = 0.0
    differs = variance[:, 0] == 0.0
    start = float(np.median(vel))
    number = number - mean[:, 0] * start
    spread = (1.4826 * float(np.median(np.abs(vel - start)))) ** 2
    whole, error, dispersion = _robust(number, mean, variance, spread)
    better = np.zeros(error.size, dtype=bool)
    if common[reference] and differs.any():
        same, same_error, _ = _robust(number[differs], mean[differs], variance[differs], 0.0)
        # Where nothing links an instrument with the reference the error is without bounds.
        better = np.append(False, common) & (same_error < _WORTH * error)
        whole, error = np.where(better, same, whole), np.where(better, same_error, error)
    value, error, better = whole[1:], error[1:], better[1:]
    value[reference] = error[reference] = 0.0
    residual = number - mean @ np.append(whole[0], value)
    return Offsets(value, error, better, residual, variance, dispersion)


def fit_scales(offsets: Offsets) -> tuple[Floats, Floats]:
    """Logarithms of the factors by which errors are too small; their errors, infinite if nothing tells."""
    square, design = offsets.residual**2, offsets.variance
    theta = np.append(offsets.dispersion**2, np.ones(design.shape[1] - 1))
    # Fisher's information of right errors: residuals that are small by chance would seem to say more.
    parts = design * theta / (design @ theta)[:, None]
    normal = parts.T @ parts
    expected = np.linalg.pinv(normal, rcond=_NOTHING, hermitian=True)
    told = _is_told(expected, normal)
    floor = np.append(0.0, np.full(theta.size - 1, _LEAST))
    for _ in range(_ITERATIONS):
        variance = np.maximum(design @ theta, np.finfo(float).tiny)
        weight = (square < _OUTLIER**2 * variance) / variance**2
        bread = np.linalg.pinv((design * weight[:, None]).T @ design, hermitian=True)
        theta = np.maximum(bread @ (design.T @ (weight * square)), floor)
    score = design * (weight * (square - design @ theta))[:, None]
    covariance = bread @ (score.T @ score) @ bread
    scale = theta[1:]
    error = np.maximum(np.sqrt(np.diag(covariance)[1:]) / scale, np.sqrt(2.0 * np.diag(expected)[1:]))
    return 0.5 * np.log(scale), np.where(told[1:], 0.5 * error, np.inf)


def _contrasts(
    vel: Floats, err: Floats, instrument: Ints, star: Ints, n_instruments: int
) -> tuple[Floats, Floats, Floats]:
    """Independent numbers, and the coefficients of their expectations and variances."""
    order = np.argsort(star, kind="stable")
    vel, err, instrument, star = vel[order], err[order], instrument[order], star[order]
    first = np.append(True, star[1:] != star[:-1])
    place = np.arange(star.size) - np.maximum.accumulate(np.where(first, np.arange(star.size), 0))
    n_stars = int(first.sum())
    index = np.cumsum(first) - 1
    one_hot = np.eye(n_instruments)
    # Of each star so far: sum of weights, weighted mean, the mean's offsets, its variance by instrument.
    total, mean = np.zeros(n_stars), np.zeros(n_stars)
    offsets, variances = np.zeros((2, n_stars, n_instruments))
    numbers, means, parts = [], [], []
    for visit in range(int(place.max()) + 1):
        rows = np.flatnonzero(place == visit)
        k, hot, weight = index[rows], one_hot[instrument[rows]], 1.0 / err[rows] ** 2
        own = hot / weight[:, None]
        if visit:
            numbers.append(vel[rows] - mean[k])
            means.append(np.column_stack([np.zeros(k.size), hot - offsets[k]]))
            parts.append(np.column_stack([np.zeros(k.size), own + variances[k]]))
        total[k] += weight
        share = weight / total[k]
        mean[k] += share * (vel[rows] - mean[k])
        offsets[k] += share[:, None] * (hot - offsets[k])
        variances[k] = (1.0 - share[:, None]) ** 2 * variances[k] + share[:, None] ** 2 * own
    numbers.append(mean)
    means.append(np.column_stack([np.ones(n_stars), offsets]))
    parts.append(np.column_stack([np.ones(n_stars), variances]))
    return np.concatenate(numbers), np.concatenate(means), np.concatenate(parts)


def _robust(number: Floats, mean: Floats, variance: Floats, spread: float) -> tuple[Floats, Floats, float]:
    """Coefficients of the means and their errors, infinite where nothing tells, and the dispersion."""
    errors, of_star = variance[:, 1:].sum(axis=1), variance[:, 0] > 0.0
    beta = np.zeros(mean.shape[1])
    for _ in range(_ITERATIONS):
        total = errors + of_star * spread
        residual = number - mean @ beta
        clipped = np.minimum(1.0, _CLIP / np.maximum(np.abs(residual) / np.sqrt(total), 1e-12))
        weighted = mean * (clipped / total)[:, None]
        beta = np.linalg.pinv(weighted.T @ mean, rcond=_NOTHING, hermitian=True) @ (weighted.T @ number)
        if of_star.any():
            square = np.minimum((number - mean @ beta) ** 2, _CLIP**2 * total) / _CLIPPED - errors
            weight = of_star / total**2
            spread = max(float(weight @ square) / float(weight.sum()), 0.0)
    residual = number - mean @ beta
    inside = np.abs(residual) < _CLIP * np.sqrt(total)
    normal = (mean * (inside / total)[:, None]).T @ mean
    bread = np.linalg.pinv(normal, rcond=_NOTHING, hermitian=True)
    score = mean * (np.clip(residual / np.sqrt(total), -_CLIP, _CLIP) / np.sqrt(total))[:, None]
    told = _is_told(bread, normal)
    free = max(number.size - int(told.sum()), 1)
    covariance = bread @ (score.T @ score) @ bread * number.size / free
    # Few residuals may be small by chance.
    error = np.sqrt(np.maximum(np.diag(covariance), np.diag(bread)))
    error[~told] = np.inf
    return beta, error, float(np.sqrt(spread))


def _is_told(inverse: Floats, normal: Floats) -> NDArray[np.bool_]:
    """Which coefficients are determined by the data, given the pseudo-inverse of their normal matrix."""
    return np.abs(np.diag(inverse @ normal) - 1.0) < 1e-6
