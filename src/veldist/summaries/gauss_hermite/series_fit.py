"""Gauss-Hermite parameters of LOSVD histograms, one fit for every posterior draw.

The series of van der Marel & Franx (1993, ApJ 407, 525), of order M, is

    L(v) = gamma / sigma phi(y) [1 + sum_{m=3}^M h_m H_m(y)],      y = (v - V) / sigma,

phi the standard normal density and H_m the physicists' Hermite polynomial over sqrt(2^m m!), as in pPXF
(Cappellari & Emsellem 2004, PASP 116, 138). h3 > 0 is a tail towards high velocities, h4 > 0 a peak with
wings. All parameters are fitted together, by unweighted least squares of the bin-integrated series to
the masses of the bins; V and sigma are *not* the mean and the dispersion of the LOSVD.

**Fit.** gamma and gamma h_m are linear: for any (V, sigma) they are solved for (variable projection, Golub &
Pereyra 1973, SIAM J. Numer. Anal. 10, 413). Newton's method with the exact 2 x 2 Hessian, in a trust region,
finds V and log sigma. The sum of squares of a jagged LOSVD has several minima, some of them series with large
h_m that cancel the Gaussian; the one returned is reached downhill from the mean and dispersion that the
*squared* LOSVD implies, which wings hardly move and which are exact for a Gaussian. `gauss_hermite` finds it
for each draw by itself, to better than 1e-6 in V / sigma, log sigma and h_m; for the maps the draws of a
posterior share most of the work, at the price of small errors (`gauss_hermite_draws`).

**Bins.** The parameters of a smooth LOSVD do not depend on the bins, to 0.03 in V / sigma, log sigma and h_m,
while these are narrower than 0.8 sigma (to h4) or 0.5 sigma (to h6). In wider ones few masses differ from
zero, several series fit them equally well, and fewer fits converge: integrate the posterior over narrower
bins instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from veldist._support.arrays import Floats
from veldist._support.percentiles import percentiles
from veldist._support.threads import one_thread
from veldist._support.validate import check_count, to_masses, to_uniform_centers
from veldist.summaries.gauss_hermite.newton import fit_series
from veldist.summaries.gauss_hermite.series import bin_integrals, series_terms

__all__ = [
    "ENOUGH_CONVERGED",
    "GaussHermite",
    "gauss_hermite",
    "gauss_hermite_draws",
    "gauss_hermite_to_moments",
    "moments_to_gauss_hermite",
]

_H3_PER_SKEWNESS = 1.0 / (4.0 * np.sqrt(3.0))
_H4_PER_KURTOSIS = 1.0 / (8.0 * np.sqrt(6.0))
ENOUGH_CONVERGED = 0.9
"""Below this share of fits that converged, those that did may differ from the others."""

# So many draws, and such a share of them, must have converged before anything is said of the posterior.
_LEAST_DRAWS, _LEAST_SHARE = 20, 0.05


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
    def names(self) -> tuple[str, ...]:
        """Names of the parameters but the amplitude: ``v``, ``sigma``, ``h3``, ``h4``, ..."""
        return ("v", "sigma", *(f"h{m}" for m in range(3, self.order + 1)))

    @property
    def draws(self) -> dict[str, Floats]:
        """Posterior draws by name: ``v``, ``sigma`` (km/s), ``h3``, ``h4``, ...; shape (n_draws,) each."""
        return dict(zip(self.names, (self.v, self.sigma, *self.h.T), strict=True))

    @property
    def enough_converged(self) -> bool:
        """Whether so many fits converged that the posterior can be told from them: 20, and 5 % of all."""
        least = max(_LEAST_DRAWS, _LEAST_SHARE * self.v.size)
        return bool(np.count_nonzero(self.converged) >= min(least, self.v.size))

    def summary(self) -> dict[str, tuple[float, float]]:
        """Median and uncertainty (half of the 16-84 percentile range) of every parameter, by name.

        Only draws whose fit converged count: the others lie at the limits of the parameters. NaN where these
        are fewer than 20, or than 5 % of all; where ``converged.mean()`` is well below 1, the bins do not
        determine the parameters.
        """
        draws = self.draws
        if not self.enough_converged or not self.converged.any():
            return dict.fromkeys(draws, (np.nan, np.nan))
        rows = [values[self.converged] for values in draws.values()]
        low, median, high = percentiles(rows, (16.0, 50.0, 84.0))
        uncertainty = 0.5 * (high - low)
        return {name: (float(median[k]), float(uncertainty[k])) for k, name in enumerate(draws)}

    def correlation(self) -> Floats:
        """Correlation matrix of the parameters in the posterior, shape (n_parameters, n_parameters).

        Rows and columns are in the order of `names`. V and h3 of one LOSVD are correlated, and so are sigma
        and h4: uncertainties of each alone do not say what all of them together allow.

        Only draws whose fit converged count. NaN with fewer than 3 of them, and next to the diagonal of a
        parameter that is the same in all.
        """
        values = np.stack([draws[self.converged] for draws in self.draws.values()])
        if values.shape[1] < 3:
            return np.full((len(values), len(values)), np.nan)
        deviation = values - values.mean(axis=1, keepdims=True)
        spread = np.sqrt(np.vecdot(deviation, deviation))
        spread[np.ptp(values, axis=1) == 0.0] = np.nan
        deviation /= spread[:, None]
        correlation = np.clip(deviation @ deviation.T, -1.0, 1.0)
        np.fill_diagonal(correlation, 1.0)
        return correlation

    def bin_masses(self, edges: ArrayLike) -> Floats:
        """Integrals of the series over bins, shape (n_draws, n_bins); negative where the series is.

        Parameters
        ----------
        edges : array_like, shape (n_bins + 1,)
            Bin edges (km/s), of any widths.
        """
        y = (np.asarray(edges, dtype=np.float64) - self.v[:, None]) / self.sigma[:, None]
        terms = self.amplitude[:, None] * np.insert(self.h, 0, 1.0, axis=1)
        functions = bin_integrals(y, self.order + 1)
        return np.einsum("nq,qnb->nb", terms @ series_terms(self.order, 0).values[0], functions)


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
        return _fit(masses, ends, order, exact=True)


def gauss_hermite_draws(masses: Floats, edges: Floats, order: int = 4) -> GaussHermite:
    """As `gauss_hermite`, for a posterior: draws that lie close together share most of the work.

    In 224 posteriors of 1,000 draws (30 to 2,000 stars, errors of 0.1 to 0.7 dispersions, all of
    `veldist.simulate.standard_losvds`) medians were within 0.004 and half-widths within 0.006 of their
    uncertainty for 95 % of the parameters, 0.009 and 0.014 for 99 % (for order 6 half-widths within 0.009 and
    0.028). The Monte Carlo errors of 1,000 independent draws are 0.04 and 0.03. The largest errors, 0.04 and
    0.06 (0.14), occur between two peaks: up to 0.8 % of the draws (1.7 % for order 6) have a second minimum
    and end there, which matters where few draws are near a percentile. `converged` means the same. Fewer than
    250 draws are fitted each by itself.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Probability mass per velocity bin, checked. Rows sum to 1.
    edges : ndarray, shape (n_bins + 1,)
        Bin edges (km/s), uniform and ascending.
    order : int
        Order of the series, 3 to 6.

    Notes
    -----
    Wrap many calls into `veldist._support.threads.one_thread`: the matrix products are small.
    """
    return _fit(masses, edges, order, exact=False)


def _fit(masses: Floats, edges: Floats, order: int, *, exact: bool) -> GaussHermite:
    with np.errstate(under="ignore"):
        fit = fit_series(masses, order, exact=exact)
    n_bins = edges.size - 1
    middle, width = 0.5 * (edges[0] + edges[-1]), (edges[-1] - edges[0]) / n_bins
    return GaussHermite(fit.amplitude, middle + width * fit.v, width * fit.sigma, fit.h, fit.converged)


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
