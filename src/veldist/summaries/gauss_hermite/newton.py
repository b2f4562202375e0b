"""Fit Gauss-Hermite series: Newton's method for V and log sigma of many histograms at once.

What the linear parameters leave of the sum of squares comes as polynomials in the changes of V / sigma and
log sigma from a point (`veldist.summaries.gauss_hermite.series.expand`). Quadratic ones, around the place
that a histogram has reached, give Newton's step.

Posterior draws lie close together, and may share points: a lattice whose spacing follows from their scatter,
with polynomials of the fourth degree, in which the same steps are taken. Draws that would leave the
surroundings of their point, or whose minimum is too far from it, go on by themselves from where they are.

Velocities are in bins from the middle of the grid: no digits are lost.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats, Ints
from veldist.summaries.gauss_hermite.polynomials import derivatives, monomials
from veldist.summaries.gauss_hermite.series import expand

__all__ = ["Fitted", "fit_series"]

# A Newton step of V / sigma and log sigma so small that its end is exact to its square, and one that is small
# enough where draws share points; the largest radius of the trust region; the most iterations.
_SMALL_STEP, _SHARED_STEP, _RADIUS, _MAX_ITERATIONS = 1e-4, 1e-2, 0.5, 60
# Lowest curvature of the sum of squares over the highest: below it the bins do not fix V and sigma.
_FLAT = 1e-6
# Penalty on (gamma h)^2, relative to the Gaussian's norm: where the bins cannot tell the coefficients
# apart, the smaller ones are taken. Elsewhere it changes h_m by less than this fraction.
_RIDGE = 1e-8
# So many draws share points, up to so often; degree of the polynomials, and steps that are taken in them.
_MANY, _ROUNDS, _DEGREE, _STEPS = 250, 3, 4, 2
# The lattice's spacing over the draws' scatter, and the widest; how far from its point a polynomial is
# followed.
_PER_SCATTER, _WIDEST, _REACH = 1.2, 0.22, 0.35
# A minimum counts up to this times the square root of the scatter from its point: the error grows with the
# distance, and what is allowed with the scatter, which is at least this.
_GOOD, _LEAST_SCATTER = 0.45, 0.02


class Fitted(NamedTuple):
    """Parameters of the fits, in bins; see `veldist.summaries.gauss_hermite.series_fit.GaussHermite`."""

    amplitude: Floats
    v: Floats
    sigma: Floats
    h: Floats
    converged: NDArray[np.bool_]


class _Local(NamedTuple):
    """The projected problem at some (V, log sigma) of each draw."""

    objective: Floats  # sum of squares plus penalty, (n_draws,)
    linear: Floats  # gamma, gamma h3, ..., and their derivatives: (3, n_terms, n_draws)
    step: Floats  # Newton step of (V / sigma, log sigma), (2, n_draws)
    curvature: Floats  # lowest eigenvalue of the Hessian over the largest, (n_draws,)


def fit_series(masses: Floats, order: int, *, exact: bool) -> Fitted:
    """Minimise over all parameters.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Histograms.
    order : int
        Order of the series, 3 to 6.
    exact : bool
        Whether every draw is fitted by itself. Otherwise many draws share points, which leaves errors: see
        `veldist.summaries.gauss_hermite.series_fit.gauss_hermite_draws`.
    """
    n_draws, n_bins = masses.shape
    fits = _Fits(masses, order)
    rest = np.arange(n_draws)
    # Draws that have not arrived, or too far from their point, may find another one where they are.
    for _ in range(0 if exact else _ROUNDS):
        if rest.size >= _MANY:
            fits.share_points(rest)
            rest = np.flatnonzero(~fits.converged)
    if rest.size:
        fits.descend(rest, _SMALL_STEP if exact else _SHARED_STEP)
    amplitude, h = fits.linear[0], np.ascontiguousarray((fits.linear[1:] / fits.linear[0]).T)
    return Fitted(amplitude, fits.v, np.exp(fits.log_sigma), h, fits.converged & (n_bins > order))


class _Fits:
    """How far the fits of some histograms have come."""

    def __init__(self, masses: Floats, order: int) -> None:
        self.masses, self.order = masses, order
        self.v, self.log_sigma = _start(masses)
        # It is that of the start, so that derivatives need not know of it.
        self.penalty = _RIDGE / (2.0 * np.sqrt(np.pi)) * np.exp(-self.log_sigma)
        self.linear = np.empty((order - 1, len(masses)))
        self.converged = np.zeros(len(masses), dtype=np.bool_)
        # The geometric mean of those of V / sigma and log sigma.
        scatter = np.sqrt(np.std(self.v) * np.exp(-np.mean(self.log_sigma)) * np.std(self.log_sigma))
        self.scatter = max(float(scatter), _LEAST_SCATTER)

    def share_points(self, rows: Ints) -> None:
        """Enter the minima that are found near the points of a lattice, and how far the others come."""
        spacing = min(_PER_SCATTER * self.scatter, _WIDEST)
        i = np.rint(self.log_sigma[rows] / spacing)
        j = np.rint(self.v[rows] / (spacing * np.exp(spacing * i)))
        cell = (i * 2.0**32 + j).astype(np.int64)
        by_cell = np.argsort(cell)
        cell, rows = cell[by_cell], rows[by_cell]
        first = np.flatnonzero(np.append(True, cell[1:] != cell[:-1]))
        log_sigma = spacing * i[by_cell]
        sigma = np.exp(log_sigma)
        v = spacing * j[by_cell] * sigma
        points = v[first], log_sigma[first], self.penalty[rows[first]]
        gain, linear = expand(self.masses[rows], first, *points, self.order, _DEGREE)
        slopes = derivatives(-gain, _DEGREE)
        x, y = (self.v[rows] - v) / sigma, self.log_sigma[rows] - log_sigma
        inside = np.ones(rows.size, dtype=np.bool_)
        for _ in range(_STEPS):
            values = monomials(x, y, _DEGREE - 1)
            step, curvature = _newton_step(*(np.einsum("mn,mn->n", s, values[: len(s)]) for s in slopes))
            length = np.hypot(*step)
            new_x, new_y = (x, y) + step * (_RADIUS / np.maximum(length, _RADIUS))
            inside &= np.maximum(np.abs(new_x), np.abs(new_y)) <= _REACH
            x, y = np.where(inside, new_x, x), np.where(inside, new_y, y)
        linear = np.einsum("mtn,mn->tn", linear, monomials(x, y, _DEGREE))
        v, log_sigma = v + sigma * x, log_sigma + y
        # What is left of the sum of squares at widths below a bin is less than the error of a polynomial.
        n_bins = self.masses.shape[1]
        good = _sensible(linear) & (np.abs(v) <= 0.5 * n_bins)
        good &= (log_sigma >= 0.0) & (log_sigma <= np.log(n_bins))
        self.v[rows[good]], self.log_sigma[rows[good]] = v[good], log_sigma[good]
        self.linear[:, rows] = linear
        near = np.maximum(np.abs(x), np.abs(y)) <= _GOOD * np.sqrt(self.scatter)
        self.converged[rows] = good & inside & near & (length <= _SHARED_STEP) & (curvature >= _FLAT)

    def descend(self, rows: Ints, enough: float) -> None:
        """Newton's method in a trust region, each draw by itself, until the steps left are short enough."""
        masses, penalty, n_bins = self.masses[rows], self.penalty[rows], self.masses.shape[1]
        v, log_sigma = self.v[rows], self.log_sigma[rows]
        best = _project(masses, v, log_sigma, penalty, self.order)
        best.objective[~_sensible(best.linear[0])] = np.inf
        rounding = 1e-15 * np.vecdot(masses, masses)
        active, radius = np.arange(rows.size), np.full(rows.size, _RADIUS)
        for _ in range(_MAX_ITERATIONS):
            length = np.hypot(*best.step[:, active])
            going = (length > enough) | (best.curvature[active] < _FLAT)
            going &= radius[active] > 1e-3 * _SMALL_STEP
            active, length = active[going], np.maximum(length[going], np.finfo(np.float64).tiny)
            if not active.size:
                break
            reach = np.minimum(length, radius[active])
            step = best.step[:, active] * (reach / length)
            new_v = v[active] + np.exp(log_sigma[active]) * step[0]
            new_log = _limited(log_sigma[active] + step[1], n_bins)
            trial = _project(masses[active], new_v, new_log, penalty[active], self.order)
            better = trial.objective <= best.objective[active] + rounding[active]
            better &= _sensible(trial.linear[0]) & (np.abs(new_v) <= 0.5 * n_bins)
            radius[active] = np.where(better, np.minimum(2.0 * radius[active], _RADIUS), 0.25 * reach)
            accepted = active[better]
            v[accepted], log_sigma[accepted] = new_v[better], new_log[better]
            for old, new in zip(best, trial, strict=True):
                old[..., accepted] = new[..., better]
        sensible = _sensible(best.linear[0])
        converged = sensible & (np.hypot(*best.step) <= enough) & (best.curvature >= _FLAT)
        # The linear parameters at the end of the last step follow without another evaluation.
        last = np.where(converged, best.step, 0.0)
        linear = best.linear[0] + last[0] * best.linear[1] + last[1] * best.linear[2]
        bad = np.flatnonzero(~sensible)
        if bad.size:
            # The Gaussian without further terms.
            _, gaussian = expand(masses[bad], np.arange(bad.size), v[bad], log_sigma[bad], penalty[bad], 2, 0)
            linear[:, bad] = 0.0
            linear[0, bad] = gaussian[0, 0]
        self.v[rows], self.log_sigma[rows] = v + np.exp(log_sigma) * last[0], log_sigma + last[1]
        self.linear[:, rows], self.converged[rows] = linear, converged


def _project(masses: Floats, v: Floats, log_sigma: Floats, penalty: Floats, order: int) -> _Local:
    """What the expansions around the draws' own places say."""
    gain, linear = expand(masses, np.arange(v.size), v, log_sigma, penalty, order, 2)
    step, curvature = _newton_step(-gain[1], -gain[2], -2.0 * gain[3], -gain[4], -2.0 * gain[5])
    return _Local(np.vecdot(masses, masses) - gain[0], linear[:3], step, curvature)


def _start(masses: Floats) -> tuple[Floats, Floats]:
    """V and log sigma of the Gaussians whose squares have the mean and variance of the squared masses."""
    x = np.arange(masses.shape[1]) - 0.5 * (masses.shape[1] - 1)
    total, first, second = (masses * masses @ np.stack([np.ones_like(x), x, x * x], axis=1)).T
    mean = first / total
    variance = 2.0 * (second / total - mean * mean)
    return mean, 0.5 * np.log(np.maximum(variance - 1.0 / 12.0, 0.2))


def _newton_step(g0: Floats, g1: Floats, h00: Floats, h01: Floats, h11: Floats) -> tuple[Floats, Floats]:
    """Steps from the gradients and Hessians, their eigenvalues made positive; and the relative curvatures."""
    mean, spread = 0.5 * (h00 + h11), np.sqrt(0.25 * (h00 - h11) ** 2 + h01 * h01)
    low, high = mean - spread, mean + spread
    largest = np.maximum(np.maximum(np.abs(low), np.abs(high)), np.finfo(np.float64).tiny)
    per_low = 1.0 / np.maximum(np.abs(low), _FLAT * largest)
    per_high = 1.0 / np.maximum(np.abs(high), _FLAT * largest)
    # A function of a symmetric 2 x 2 matrix is linear in the matrix.
    linear = (per_high - per_low) / np.where(spread > 0, 2.0 * spread, 1.0)
    constant = 0.5 * (per_high + per_low) - linear * mean
    step = np.stack(
        [constant * g0 + linear * (h00 * g0 + h01 * g1), constant * g1 + linear * (h01 * g0 + h11 * g1)]
    )
    return -step, low / largest


def _limited(log_sigma: Floats, n_bins: int) -> Floats:
    """Sigma between the rounding to a bin and the width of the grid."""
    return np.clip(log_sigma, -0.5 * np.log(12.0), np.log(n_bins))


def _sensible(linear: Floats) -> NDArray[np.bool_]:
    """Whether the Gaussian is positive and no other term is larger."""
    return (linear[0] > 0) & (np.abs(linear[1:]).max(axis=0) <= linear[0])
