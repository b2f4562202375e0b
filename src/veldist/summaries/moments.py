"""Moments and percentiles of velocity histograms, one set for every row.

Moments are those of the smooth density behind the histogram. Masses placed at the bin centres describe
``V + U``, with V a velocity and U, the rounding to the centre, as good as uniform in ``[-dv/2, dv/2]`` and
uncorrelated with V once the density is smooth on the scale of a bin. The cumulants of U are 0, dv^2/12, 0,
-dv^4/120, and are removed (Sheppard 1898, Proc. Lond. Math. Soc. 29, 353):

    variance          kappa_2 = m2 - dv^2/12
    third cumulant    kappa_3 = m3
    fourth cumulant   kappa_4 = m4 - 3 m2^2 + dv^4/120

with m_k the central moments at the bin centres; skewness is kappa_3 / kappa_2^(3/2) and excess kurtosis
kappa_4 / kappa_2^2. For a Gaussian in bins as wide as the dispersion what remains is below 1e-5, so that the
summaries do not depend on the bins. Left in, the terms would make the dispersion 4 % too large there.
Dispersions below ``dv / sqrt(12)``, that of a single filled bin, cannot be told from a histogram: that is
the smallest value returned.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from veldist._support.arrays import Floats
from veldist.summaries.cdf_interpolation import cdf_at, cdf_inverse

__all__ = [
    "IQR_PER_SIGMA",
    "cumulative_sums",
    "discrete_moments",
    "histogram_cdf",
    "histogram_moments",
    "histogram_percentile",
    "histogram_percentiles",
    "mass_beyond_sigma",
]


IQR_PER_SIGMA = float(2.0 * ndtri(0.75))
"""Interquartile range of a Gaussian of unit dispersion, 1.349."""

# Sums of masses that are off 1 by no more than this are 1.
_ROUNDING = 1e-12
# Rows with means within so many dispersions of the common centre lose at most four of sixteen digits.
_NEAR = 10.0


def histogram_moments(masses: Floats, edges: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Mean, dispersion (both km/s), skewness and excess kurtosis of every row, by Sheppard's corrections.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Probability mass per bin; rows sum to 1.
    edges : ndarray, shape (n_bins + 1,)
        Bin edges (km/s), uniform and ascending.

    Returns
    -------
    mean, sigma, skewness, kurtosis : ndarray, shape (n_draws,)
    """
    n_bins = edges.size - 1
    dv = (edges[-1] - edges[0]) / n_bins
    # In bins from the middle of the grid: no digits are lost to a large systemic velocity.
    middle = 0.5 * (edges[0] + edges[-1])
    x = np.arange(n_bins, dtype=np.float64) - 0.5 * (n_bins - 1)
    mean = masses @ x
    m2, m3, m4 = _central_moments(masses, x, mean)
    variance = np.maximum(m2 - 1.0 / 12.0, 1.0 / 12.0)
    skewness = m3 / variance**1.5
    # No distribution has less than skewness^2 - 2; a histogram too coarse for the corrections could.
    kurtosis = np.maximum((m4 - 3.0 * m2**2 + 1.0 / 120.0) / variance**2, skewness**2 - 2.0)
    return middle + dv * mean, dv * np.sqrt(variance), skewness, kurtosis


def discrete_moments(masses: Floats, edges: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """As `histogram_moments`, of masses placed at the bin centres: what codes compute that know no bins.

    The variance is dv^2 / 12 larger, and skewness and kurtosis are closer to 0. A single filled bin has
    no dispersion, and NaN for skewness and kurtosis.
    """
    dv = (edges[-1] - edges[0]) / (edges.size - 1)
    x = np.arange(edges.size - 1, dtype=np.float64) - 0.5 * (edges.size - 2)
    mean = masses @ x
    m2, m3, m4 = _central_moments(masses, x, mean)
    m2 = np.maximum(m2, 0.0)
    some = m2 > np.finfo(np.float64).eps
    nothing = np.full(m2.shape, np.nan)
    skewness = np.divide(m3, m2**1.5, out=nothing.copy(), where=some)
    kurtosis = np.divide(m4, m2**2, out=nothing.copy(), where=some) - 3.0
    return 0.5 * (edges[0] + edges[-1]) + dv * mean, dv * np.sqrt(m2), skewness, kurtosis


def _central_moments(masses: Floats, x: Floats, mean: Floats) -> tuple[Floats, Floats, Floats]:
    """Second to fourth moments about the mean of every row, for masses at ``x`` (n_bins,)."""
    # One product with powers about a common centre, from which the rows' means differ little.
    center = float(mean.mean())
    powers = np.vander(x - center, 5, increasing=True)
    total, _, r2, r3, r4 = (masses @ powers).T
    d = mean - center
    m2 = r2 - d**2 * total
    m3 = r3 - d * (3.0 * r2 - 2.0 * d**2 * total)
    m4 = r4 - d * (4.0 * r3 - d * (6.0 * r2 - 3.0 * d**2 * total))
    # Rounding is amplified by (d / dispersion)^4: rows far from the rest are done about their own mean.
    far = np.flatnonzero(d**2 > _NEAR**2 * m2)
    if far.size:
        deviation = x - mean[far, None]
        square = deviation * deviation
        weighted = masses[far] * square
        m2[far] = weighted.sum(axis=1)
        m3[far] = np.vecdot(weighted, deviation)
        m4[far] = np.vecdot(weighted, square)
    return m2, m3, m4


def cumulative_sums(masses: Floats) -> Floats:
    """Sums of the masses (n_draws, n_bins) up to the bin edges, draws last: (n_bins + 1, n_draws)."""
    # Column by column: the additions then run over contiguous draws.
    sums = np.empty((masses.shape[1] + 1, masses.shape[0]))
    sums[0] = 0.0
    for j, column in enumerate(masses.T):
        np.add(sums[j], column, out=sums[j + 1])
    return sums


def histogram_cdf(masses: Floats) -> Floats:
    """Cumulative probability at the bin edges: 0 at the first, 1 at the last.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Probability mass per bin.

    Returns
    -------
    ndarray, shape (n_draws, n_bins + 1)
    """
    cdf = cumulative_sums(masses)
    total = cdf[-1].copy()
    if np.abs(total - 1.0).max() > _ROUNDING:
        cdf[1:] /= total
    # Rounding must not leave the last edge below a percentile that is asked for.
    np.fmax(cdf[-1], 1.0, out=cdf[-1])
    return cdf.T


def histogram_percentile(cdf: Floats, edges: Floats, q: float) -> Floats:
    """Smallest velocity (km/s) at which the cumulative probability of every row reaches ``q``.

    The cumulative probability is that of `veldist.summaries.cdf_interpolation`, known at the edges and a
    cubic between them. It is not interpolated between bin centres: a cumulative sum is reached at a bin's
    right edge, and centres would shift every percentile by half a bin.

    Parameters
    ----------
    cdf : ndarray, shape (n_draws, n_bins + 1)
        From `histogram_cdf`.
    edges : ndarray, shape (n_bins + 1,)
        Bin edges (km/s), uniform and ascending.
    q : float
        Probability, 0 < q <= 1.

    Returns
    -------
    ndarray, shape (n_draws,)
    """
    return histogram_percentiles(cdf, edges, (q,))[0]


def histogram_percentiles(cdf: Floats, edges: Floats, q: Sequence[float]) -> Floats:
    """As `histogram_percentile`, for several probabilities at once: shape (n_q, n_draws)."""
    dv = (edges[-1] - edges[0]) / (edges.size - 1)
    return edges[0] + dv * cdf_inverse(cdf, np.asarray(q, dtype=np.float64))


def mass_beyond_sigma(cdf: Floats, edges: Floats, mean: Floats, sigma: Floats) -> Floats:
    """Probability farther than one dispersion from the mean, of every row; 0.3173 for a Gaussian.

    Parameters
    ----------
    cdf : ndarray, shape (n_draws, n_bins + 1)
        From `histogram_cdf`.
    edges : ndarray, shape (n_bins + 1,)
        Bin edges (km/s), of uniform spacing.
    mean, sigma : ndarray, shape (n_draws,)
        Moments of the rows, km/s.

    Returns
    -------
    ndarray, shape (n_draws,)
    """
    dv = (edges[-1] - edges[0]) / (edges.size - 1)
    below, up_to = cdf_at(cdf, (np.stack([mean - sigma, mean + sigma]) - edges[0]) / dv)
    return below + 1.0 - up_to
