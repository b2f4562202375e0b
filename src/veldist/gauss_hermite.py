"""Gauss-Hermite parameters of LOSVD histograms, one fit for every posterior draw.

The series of van der Marel & Franx (1993, ApJ 407, 525), of order M, is

    L(v) = gamma / sigma phi(y) [1 + sum_{m=3}^M h_m H_m(y)],      y = (v - V) / sigma,

phi the standard normal density and H_m the physicists' Hermite polynomial over sqrt(2^m m!), as in pPXF
(Cappellari & Emsellem 2004, PASP 116, 138). h3 > 0 is a tail towards high velocities, h4 > 0 a peak with
wings. All parameters are fitted together, by unweighted least squares of the bin-integrated series to
the masses of the bins; V and sigma are *not* the mean and the dispersion of the LOSVD.

**Fit.** gamma and gamma h_m are linear: for any (V, sigma) they are solved for (variable projection, Golub &
Pereyra 1973, SIAM J. Numer. Anal. 10, 413). Newton's method with the exact 2 x 2 Hessian, in a trust region,
finds V and log sigma. The sum of squares of a jagged LOSVD has several minima, some of them series with
large h_m that cancel the Gaussian; the one returned is reached downhill from the mean and dispersion that
the *squared* LOSVD implies, which wings hardly move and which are exact for a Gaussian.

**Bins.** The parameters of a smooth LOSVD do not depend on the bins, to 0.03 in V / sigma, log sigma and h_m,
while these are narrower than 0.8 sigma (to h4) or 0.5 sigma (to h6). In wider ones few masses differ from
zero, several series fit them equally well, and fewer fits converge: integrate the posterior over narrower
bins instead.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from veldist.arrays import Floats
from veldist.blas import one_thread
from veldist.hermite_series import bin_integrals, series_coefficients
from veldist.validate import check_count, to_masses, to_uniform_centers

__all__ = [
    "GaussHermite",
    "gauss_hermite",
    "gauss_hermite_draws",
    "gauss_hermite_to_moments",
    "moments_to_gauss_hermite",
]

_H3_PER_SKEWNESS = 1.0 / (4.0 * np.sqrt(3.0))
_H4_PER_KURTOSIS = 1.0 / (8.0 * np.sqrt(6.0))

# A Newton step of V / sigma and log sigma so small that its end is exact to its square; the first and largest
# radius of the trust region; the most iterations.
_SMALL_STEP, _RADIUS, _MAX_ITERATIONS = 1e-4, 0.5, 60
# Penalty on (gamma h)^2, relative to the Gaussian's norm: where the bins cannot tell the coefficients
# apart, the smaller ones are taken. Elsewhere it changes h_m by less than this fraction.
_RIDGE = 1e-8
# Lowest curvature of the sum of squares over the highest: below it the bins do not fix V and sigma.
_FLAT = 1e-6
# Draws whose functions stay in a processor's cache together.
_BLOCK = 64


@dataclass(frozen=True)
class GaussHermite:
    """Gauss-Hermite parameters of ``n_draws`` LOSVDs, from `gauss_hermite`.

    Attributes
    ----------
    amplitude : ndarray, shape (n_draws,)
        gamma: the integral of the Gaussian (1 for a Gaussian LOSVD that lies on the grid).
    v, sigma : ndarray, shape (n_draws,)
        Location and width of the Gaussian, km/s.
    h : ndarray, shape (n_draws, order - 2)
        h3, h4, ... of van der Marel & Franx (1993); h3 > 0 is a tail towards high velocities.
    converged : ndarray of bool, shape (n_draws,)
        Whether the sum of squares has a proper minimum there. Otherwise the values are the best
        that were found: finite, but not determined by the bins.
    """

    amplitude: Floats
    v: Floats
    sigma: Floats
    h: Floats
    converged: NDArray[np.bool_]

    @property
    def order(self) -> int:
        """Order of the series: the m of the last h_m."""
        return self.h.shape[1] + 2

    @property
    def draws(self) -> dict[str, Floats]:
        """Posterior draws by name: ``v``, ``sigma`` (km/s), ``h3``, ``h4``, ...; shape (n_draws,) each."""
        names = [f"h{m}" for m in range(3, self.order + 1)]
        return {"v": self.v, "sigma": self.sigma, **dict(zip(names, self.h.T, strict=True))}

    def summary(self) -> dict[str, tuple[float, float]]:
        """Median and uncertainty (half of the 16-84 percentile range) of every parameter, by name.

        All draws count, those that did not converge among them: where ``converged.mean()`` is well below
        1, the bins do not determine the parameters.
        """
        draws = self.draws
        low, median, high = np.percentile(list(draws.values()), [16.0, 50.0, 84.0], axis=1)
        uncertainty = 0.5 * (high - low)
        return {name: (float(median[k]), float(uncertainty[k])) for k, name in enumerate(draws)}

    def bin_masses(self, edges: ArrayLike) -> Floats:
        """Integrals of the series over bins, shape (n_draws, n_bins); negative where the series is.

        Parameters
        ----------
        edges : array_like, shape (n_bins + 1,)
            Bin edges (km/s), of any widths.
        """
        y = (np.asarray(edges, dtype=np.float64) - self.v[:, None]) / self.sigma[:, None]
        terms = self.amplitude[:, None] * np.insert(self.h, 0, 1.0, axis=1)
        return np.einsum(
            "nq,qnb->nb", terms @ series_coefficients(self.order).masses, bin_integrals(y, self.order + 3)
        )


def gauss_hermite(pdf_samples: Any, edges: Any, order: int = 4) -> GaussHermite:
    """Fit a Gauss-Hermite series to every draw of an LOSVD.

    Parameters
    ----------
    pdf_samples : array_like, shape (n_draws, n_bins)
        Probability mass per velocity bin. Rows must sum to 1 within 1e-3; what is left of the
        difference is divided out.
    edges : array_like or Quantity, shape (n_bins + 1,)
        Bin edges (km/s), uniform and ascending.
    order : int
        Order of the series, 3 to 6: h3 only, or up to h4, h5 or h6.

    Returns
    -------
    GaussHermite
        Parameters of each draw, and which of the fits converged. Fits keep V on the grid, sigma between
        the width of a bin over sqrt(12) and the width of the grid, and ``|h_m| <= 1``. One that wants to
        leave these limits has not converged, nor has any on a grid of fewer bins than parameters
        (order + 1).

    Raises
    ------
    TypeError
        If values are not real numbers, or ``order`` is not an integer.
    ValueError
        If the shapes disagree, the edges are not uniform and ascending, masses are NaN, infinite or
        negative, rows do not sum to 1, or ``order`` is not 3 to 6.

    Examples
    --------
    >>> import numpy as np
    >>> from veldist.simulate import SkewNormal
    >>> edges = np.linspace(-100.0, 100.0, 41)
    >>> masses = SkewNormal(10.0, 20.0, alpha=4.0).bin_masses(edges, conditional=True)
    >>> {name: round(median, 2) for name, (median, _) in gauss_hermite(masses[None], edges).summary().items()}
    {'v': 5.15, 'sigma': 17.89, 'h3': 0.16, 'h4': 0.01}
    """
    order = check_count(order, "order", 3)
    if order > 6:
        raise ValueError(f"order must be 3 to 6, got {order}: the series is fitted up to h6.")
    ends, width = to_uniform_centers(edges, "edges")
    n_bins = ends.size - 1
    if np.shape(pdf_samples)[1:] == (ends.size,):
        raise ValueError(f"edges has {ends.size} values for as many bins: pass bin edges, not bin centres.")
    masses = to_masses(pdf_samples, "pdf_samples", np.full(n_bins, width))
    with one_thread():
        return gauss_hermite_draws(masses, ends, order)


def gauss_hermite_draws(masses: Floats, edges: Floats, order: int = 4) -> GaussHermite:
    """As `gauss_hermite`, for masses and uniform edges that have been checked."""
    with np.errstate(under="ignore"):
        fit = _fit(masses, order)
    n_bins = edges.size - 1
    middle, width = 0.5 * (edges[0] + edges[-1]), (edges[-1] - edges[0]) / n_bins
    return replace(fit, v=middle + width * fit.v, sigma=width * fit.sigma)


def moments_to_gauss_hermite(skewness: ArrayLike, kurtosis: ArrayLike) -> tuple[Any, Any]:
    """h3 and h4 of a nearly Gaussian LOSVD from its skewness and excess kurtosis, to first order.

    h3 = skewness / (4 sqrt 3), h4 = excess kurtosis / (8 sqrt 6) (van der Marel & Franx 1993).

    Moments weigh the wings, the fit the core, so that the range is small: see Notes. Use `gauss_hermite` for
    values to compare with fitted ones.

    Parameters
    ----------
    skewness, kurtosis : array_like
        Third standardised moment, and fourth minus 3.

    Returns
    -------
    h3, h4 : float or ndarray

    Notes
    -----
    For the moments of a series with one coefficient the formula returns a h3 that is too high by 1.5 %
    at 0.05 and 6 % at 0.1, and a h4 that is too low by 13 % at 0.01 (the excess kurtosis is 0.171, not 0.196)
    and 48 % at 0.05. The kurtosis of that series is highest, 0.571, at h4 = 0.086 and falls beyond. For
    other shapes the formula is no guide: a Student t of 6 degrees of freedom has excess kurtosis 3, hence
    0.153, but its fitted h4 is 0.044.
    """
    return np.multiply(skewness, _H3_PER_SKEWNESS), np.multiply(kurtosis, _H4_PER_KURTOSIS)


def gauss_hermite_to_moments(h3: ArrayLike, h4: ArrayLike) -> tuple[Any, Any]:
    """Skewness and excess kurtosis from h3 and h4: the inverse of `moments_to_gauss_hermite`, as limited."""
    return np.divide(h3, _H3_PER_SKEWNESS), np.divide(h4, _H4_PER_KURTOSIS)


class _State(NamedTuple):
    """The projected problem at some (V, log sigma) of each draw."""

    objective: Floats  # sum of squares plus penalty, (n_draws,)
    linear: Floats  # gamma, gamma h3, ...: (n_draws, terms)
    response: Floats  # by how much a step lowers `linear`, (n_draws, terms, 2)
    step: Floats  # Newton step of (V / sigma, log sigma), (n_draws, 2)
    curvature: Floats  # lowest eigenvalue of the Hessian over the largest, (n_draws,)
    gaussian: Floats  # gamma without further terms, (n_draws,)


def _project(masses: Floats, v: Floats, log_sigma: Floats, penalty: Floats, order: int) -> _State:
    """Solve for the linear parameters, and take the derivatives of the sum of squares that remains."""
    series = series_coefficients(order)
    n_draws, n_bins = masses.shape
    gram, data = np.empty((n_draws, order + 5, order + 5)), np.empty((n_draws, order + 5, 1))
    edges = np.arange(n_bins + 1) - 0.5 * n_bins
    for start in range(0, n_draws, _BLOCK):
        rows = slice(start, start + _BLOCK)
        y = (edges - v[rows, None]) * np.exp(-log_sigma[rows, None])
        functions = bin_integrals(y, order + 3).transpose(1, 0, 2)
        np.matmul(functions, functions.transpose(0, 2, 1), out=gram[rows])
        np.matmul(functions, masses[rows, :, None], out=data[rows])
    half = series.masses @ gram
    normal = (half.reshape(-1, order + 5) @ series.masses.T).reshape(n_draws, order - 1, order - 1)
    right = series.masses @ data
    gaussian = right[:, 0, 0] / normal[:, 0, 0]
    diagonal = np.arange(1, order - 1)
    normal[:, diagonal, diagonal] += penalty[:, None]
    inverse = np.linalg.inv(normal)
    linear = (inverse @ right)[..., 0]
    residual = data[..., 0] - np.vecmat(linear, half)
    objective = np.vecdot(masses, masses) - np.vecdot(linear, right[..., 0])
    slope = np.tensordot(linear, series.first, axes=(1, 1))
    bend = np.vecdot(linear[:, None], np.tensordot(residual, series.second, axes=(1, 2)))
    across = slope.transpose(0, 2, 1)
    mixed = half @ across - np.tensordot(residual, series.first, axes=(1, 2)).transpose(0, 2, 1)
    response = inverse @ mixed
    hessian = slope @ gram @ across - bend[:, [[0, 1], [1, 2]]] - mixed.transpose(0, 2, 1) @ response
    step, curvature = _newton_step(-np.vecdot(slope, residual[:, None]), hessian)
    return _State(objective, linear, response, step, curvature, gaussian)


def _newton_step(gradient: Floats, hessian: Floats) -> tuple[Floats, Floats]:
    """Newton steps with the absolute eigenvalues of 2 x 2 Hessians, and the lowest over the largest."""
    a, b, d = hessian[:, 0, 0], hessian[:, 0, 1], hessian[:, 1, 1]
    mean, spread = 0.5 * (a + d), np.hypot(0.5 * (a - d), b)
    low, high = mean - spread, mean + spread
    largest = np.maximum(np.maximum(np.abs(low), np.abs(high)), np.finfo(np.float64).tiny)
    per_low = 1.0 / np.maximum(np.abs(low), _FLAT * largest)
    per_high = 1.0 / np.maximum(np.abs(high), _FLAT * largest)
    # A function of a symmetric 2 x 2 matrix is linear in the matrix.
    linear = (per_high - per_low) / np.where(spread > 0, 2.0 * spread, 1.0)
    constant = 0.5 * (per_high + per_low) - linear * mean
    along = (hessian @ gradient[..., None])[..., 0]
    return -(constant[:, None] * gradient + linear[:, None] * along), low / largest


def _fit(masses: Floats, order: int) -> GaussHermite:
    """Minimise over all parameters; velocities in bins from the middle of the grid lose no digits."""
    n_draws, n_bins = masses.shape
    v, sigma = _start(masses)
    log_sigma = np.log(sigma)
    # The squared norm of a Gaussian in fine bins; it stays, so that derivatives need not know of it.
    penalty = _RIDGE / (2.0 * np.sqrt(np.pi) * sigma)
    best = _project(masses, v, log_sigma, penalty, order)
    best.objective[~_sensible(best.linear)] = np.inf
    rounding = 1e-15 * np.vecdot(masses, masses)
    radius = np.full(n_draws, _RADIUS)
    active = np.arange(n_draws)
    for _ in range(_MAX_ITERATIONS):
        length = np.hypot(*best.step[active].T)
        going = (length > _SMALL_STEP) | (best.curvature[active] < _FLAT)
        going &= radius[active] > 1e-3 * _SMALL_STEP
        active, length = active[going], np.maximum(length[going], np.finfo(np.float64).tiny)
        if active.size == 0:
            break
        reach = np.minimum(length, radius[active])
        step = best.step[active] * (reach / length)[:, None]
        new_v = v[active] + np.exp(log_sigma[active]) * step[:, 0]
        new_log = np.clip(log_sigma[active] + step[:, 1], -0.5 * np.log(12.0), np.log(n_bins))
        trial = _project(masses[active], new_v, new_log, penalty[active], order)
        better = trial.objective <= best.objective[active] + rounding[active]
        better &= _sensible(trial.linear) & (np.abs(new_v) <= 0.5 * n_bins)
        radius[active] = np.where(better, np.minimum(2.0 * radius[active], _RADIUS), 0.25 * reach)
        rows = active[better]
        v[rows], log_sigma[rows] = new_v[better], new_log[better]
        for old, new in zip(best, trial, strict=True):
            old[rows] = new[better]
    sensible = _sensible(best.linear)
    settled = (np.hypot(*best.step.T) <= _SMALL_STEP) & (best.curvature >= _FLAT)
    converged = sensible & settled & (n_bins > order)
    # The linear parameters at the end of the last step follow without another evaluation.
    last = np.where(converged[:, None], best.step, 0.0)
    linear = best.linear - (best.response @ last[..., None])[..., 0]
    linear[~sensible] = 0.0
    amplitude = np.where(sensible, linear[:, 0], best.gaussian)
    sigma = np.exp(log_sigma)
    v += sigma * last[:, 0]
    return GaussHermite(
        amplitude, v, sigma * np.exp(last[:, 1]), linear[:, 1:] / amplitude[:, None], converged
    )


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
