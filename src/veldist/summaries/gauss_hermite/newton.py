"""Fit Gauss-Hermite series: Newton's method for V and log sigma of many histograms at once.

What is left of the sum of squares with the linear parameters solved for comes with its exact derivatives by V
/ sigma and log sigma, either from the masses themselves (`veldist.summaries.gauss_hermite.projection`) or,
for many histograms at once, from polynomials that hold within a region
(`veldist.summaries.gauss_hermite.table`). The path to the minimum is the same; a histogram that leaves the
region, or needs many steps in it, goes on without them.

Velocities are in bins from the middle of the grid: no digits are lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats, Ints
from veldist.summaries.gauss_hermite.projection import FLAT, Projection, newton_step, project_masses
from veldist.summaries.gauss_hermite.table import HermiteTable, Region

__all__ = ["Fitted", "fit_series"]

# A Newton step of V / sigma and log sigma so small that its end is exact to its square; the first and largest
# radius of the trust region; the most iterations.
_SMALL_STEP, _RADIUS, _MAX_ITERATIONS = 1e-4, 0.5, 60
# Penalty on (gamma h)^2, relative to the Gaussian's norm: where the bins cannot tell the coefficients
# apart, the smaller ones are taken. Elsewhere it changes h_m by less than this fraction.
_RIDGE = 1e-8
# A table serves so many draws or more, with at most so many coefficients for each: a larger one, over a wider
# region, takes as long as the masses themselves. Its coefficients of the highest degree must be this small.
_MANY, _MOST, _TABLE_ERROR = 150, 800, 2e-7
# The region holds the starts between these quantiles; the table serves until so few, of all, are under way.
_BULK, _FEW = (0.005, 0.995), 0.03
# Where a table has the derivatives by V and by log sigma, and those by pairs of the two.
_FIRST, _SECOND = np.array([3, 1]), np.array([[6, 4], [4, 2]])


class Fitted(NamedTuple):
    """Parameters of the fits, in bins; see `veldist.summaries.gauss_hermite.series_fit.GaussHermite`."""

    amplitude: Floats
    v: Floats
    sigma: Floats
    h: Floats
    converged: NDArray[np.bool_]


class _Local(Protocol):
    """The projected problem near some (V, log sigma) of each draw; a tuple of arrays."""

    @property
    def objective(self) -> Floats: ...  # sum of squares plus penalty, (n_draws,); NaN: unknown here
    @property
    def linear(self) -> Floats: ...  # gamma, gamma h3, ...: (n_draws, terms)
    @property
    def step(self) -> Floats: ...  # Newton step of (V / sigma, log sigma), (n_draws, 2)
    @property
    def curvature(self) -> Floats: ...  # lowest eigenvalue of the Hessian over the largest, (n_draws,)
    def __iter__(self) -> Iterator[Any]: ...


_AnyLocal = TypeVar("_AnyLocal", bound=_Local)


class _Tabled(NamedTuple):
    objective: Floats
    linear: (
        Floats  # of the orthonormal terms, which differ from the others where bins are wide or the grid ends
    )
    step: Floats
    curvature: Floats
    slope: Floats  # by how much a step raises `linear`, (n_draws, 2, terms)


def fit_series(masses: Floats, order: int) -> Fitted:
    """Minimise over all parameters.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Histograms.
    order : int
        Order of the series, 3 to 6.
    """
    n_draws, n_bins = masses.shape
    v, sigma = _start(masses)
    penalty = _penalty(sigma)
    amplitude, h = np.empty(n_draws), np.empty((n_draws, order - 2))
    converged = np.zeros(n_draws, dtype=np.bool_)
    fitted = Fitted(amplitude, v, sigma, h, converged)
    if n_draws >= _MANY:
        _fit_by_table(masses, order, fitted)
    rest = np.flatnonzero(~converged)
    if rest.size:
        exact = _fit_exactly(masses[rest], v[rest], sigma[rest], penalty[rest], order)
        for old, new in zip(fitted, exact, strict=True):
            old[rest] = new
    converged &= n_bins > order
    return fitted


def _fit_by_table(masses: Floats, order: int, fitted: Fitted) -> None:
    """Enter the minima that are found inside of a table's region, and how far the others came."""
    log_sigma = np.log(fitted.sigma)
    region = _region(masses, fitted.v, log_sigma, order)
    rows = np.flatnonzero(
        (np.abs(fitted.v - region.v) <= region.half_v)
        & (np.abs(log_sigma - region.log_sigma) <= region.half_log)
    )
    if rows.size < _MANY or region.n_coefficients(order) > _MOST:
        return
    table = HermiteTable(masses[rows], region, order, _penalty(1.0))
    if not table.error < _TABLE_ERROR:
        return
    norm = np.vecdot(masses, masses)[rows]

    def project(rows: Ints | slice, v: Floats, log_sigma: Floats) -> _Tabled:
        z = table(rows, v, log_sigma).reshape(v.size, 9, -1)
        products = z @ z.transpose(0, 2, 1)
        hessian = -products[:, _FIRST][:, :, _FIRST] - products[:, 0, _SECOND]
        step, curvature = newton_step(-products[:, 0, _FIRST], hessian)
        return _Tabled(norm[rows] - products[:, 0, 0], z[:, 0], step, curvature, z[:, _FIRST])

    best, v, log_sigma = _descend(
        project, norm, fitted.v[rows], log_sigma[rows], masses.shape[1], least=_FEW * rows.size
    )
    settled = _settled(best)
    last = np.where(settled[:, None], best.step, 0.0)
    v, log_sigma = v + np.exp(log_sigma) * last[:, 0], log_sigma + last[:, 1]
    linear = table.linear(best.linear + (last[:, None] @ best.slope)[:, 0], v, log_sigma)
    fitted.v[rows], fitted.sigma[rows] = v, np.exp(log_sigma)
    fitted.amplitude[rows], fitted.h[rows] = linear[:, 0], linear[:, 1:] / linear[:, :1]
    fitted.converged[rows] = settled & _sensible(linear)


def _region(masses: Floats, v: Floats, log_sigma: Floats, order: int) -> Region:
    """Around the bulk of the starts and of where the first step of the mean histogram would lead them."""
    mean = masses.mean(axis=0)[None]
    start, sigma = _start(mean)
    step = project_masses(mean, start, np.log(sigma), _penalty(sigma), order).step[0]
    shift = np.clip(step, -_RADIUS, _RADIUS) * np.array([sigma[0], 1.0])

    def around(starts: Floats, shift: float, unit: float) -> tuple[float, float]:
        low, high = np.sort(starts)[[int(share * starts.size) for share in _BULK]]
        low, high = low + min(shift, 0.0), high + max(shift, 0.0)
        return 0.5 * (low + high), max(0.5 * (high - low), 0.02 * unit)

    return Region(*around(v, shift[0], sigma[0]), *around(log_sigma, shift[1], 1.0))


def _fit_exactly(masses: Floats, v: Floats, sigma: Floats, penalty: Floats, order: int) -> Fitted:
    """Minimise from a start, without a table."""

    def project(rows: Ints | slice, v: Floats, log_sigma: Floats) -> Projection:
        return project_masses(masses[rows], v, log_sigma, penalty[rows], order)

    best, v, log_sigma = _descend(project, np.vecdot(masses, masses), v, np.log(sigma), masses.shape[1])
    sensible, converged = _sensible(best.linear), _settled(best)
    # The linear parameters at the end of the last step follow without another evaluation.
    last = np.where(converged[:, None], best.step, 0.0)
    linear = best.linear - (best.response @ last[..., None])[..., 0]
    linear[~sensible] = 0.0
    amplitude = np.where(sensible, linear[:, 0], best.gaussian)
    sigma = np.exp(log_sigma)
    h = linear[:, 1:] / amplitude[:, None]
    return Fitted(amplitude, v + sigma * last[:, 0], sigma * np.exp(last[:, 1]), h, converged)


def _descend(
    project: Callable[[Ints | slice, Floats, Floats], _AnyLocal],
    norm: Floats,
    v: Floats,
    log_sigma: Floats,
    n_bins: int,
    least: float = 0.0,
) -> tuple[_AnyLocal, Floats, Floats]:
    """Newton's method in a trust region until no more than so many histograms have a long step left."""
    v, log_sigma = v.copy(), log_sigma.copy()
    active = np.arange(v.size)
    best = project(slice(None), v, log_sigma)
    best.objective[~_sensible(best.linear)] = np.inf
    rounding = 1e-15 * norm
    radius = np.full(v.size, _RADIUS)
    for _ in range(_MAX_ITERATIONS):
        length = np.hypot(*best.step[active].T)
        going = (length > _SMALL_STEP) | (best.curvature[active] < FLAT)
        going &= radius[active] > 1e-3 * _SMALL_STEP
        active, length = active[going], np.maximum(length[going], np.finfo(np.float64).tiny)
        if active.size <= least:
            break
        reach = np.minimum(length, radius[active])
        step = best.step[active] * (reach / length)[:, None]
        new_v = v[active] + np.exp(log_sigma[active]) * step[:, 0]
        new_log = np.clip(log_sigma[active] + step[:, 1], -0.5 * np.log(12.0), np.log(n_bins))
        trial = project(slice(None) if active.size == v.size else active, new_v, new_log)
        better = trial.objective <= best.objective[active] + rounding[active]
        better &= _sensible(trial.linear) & (np.abs(new_v) <= 0.5 * n_bins)
        radius[active] = np.where(better, np.minimum(2.0 * radius[active], _RADIUS), 0.25 * reach)
        radius[active[np.isnan(trial.objective)]] = 0.0
        rows = active[better]
        v[rows], log_sigma[rows] = new_v[better], new_log[better]
        for old, new in zip(best, trial, strict=True):
            old[rows] = new[better]
    return best, v, log_sigma


def _start(masses: Floats) -> tuple[Floats, Floats]:
    """V and sigma of the Gaussians whose squares have the mean and variance of the squared masses."""
    x = np.arange(masses.shape[1]) - 0.5 * (masses.shape[1] - 1)
    weight = masses * masses
    weight /= weight.sum(axis=1, keepdims=True)
    mean = weight @ x
    variance = 2.0 * np.vecdot(weight, (x - mean[:, None]) ** 2)
    return mean, np.sqrt(np.maximum(variance - 1.0 / 12.0, 0.2))


def _sensible(linear: Floats) -> NDArray[np.bool_]:
    """Whether the Gaussian is positive and no other term is larger."""
    return (linear[:, 0] > 0) & (np.abs(linear[:, 1:]).max(axis=1) <= linear[:, 0])


def _settled(state: _Local) -> NDArray[np.bool_]:
    """Whether this is a minimum but for a small step."""
    return _sensible(state.linear) & (np.hypot(*state.step.T) <= _SMALL_STEP) & (state.curvature >= FLAT)


def _penalty(sigma: Any) -> Any:
    """The ridge times the squared norm of a Gaussian in fine bins.

    It is that of the start of each draw, so that derivatives need not know of it.
    """
    return _RIDGE / (2.0 * np.sqrt(np.pi) * sigma)
