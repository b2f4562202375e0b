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

import numpy as np
from scipy.special import ndtri

from veldist.arrays import Floats

__all__ = ["IQR_PER_SIGMA", "histogram_cdf", "histogram_moments", "histogram_percentile", "mass_beyond_sigma"]


IQR_PER_SIGMA = float(2.0 * ndtri(0.75))
"""Interquartile range of a Gaussian of unit dispersion, 1.349."""


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
    x = np.arange(n_bins) - 0.5 * (n_bins - 1)
    mean = masses @ x
    deviation = x - mean[:, None]
    weighted = masses * deviation
    m2 = np.vecdot(weighted, deviation)
    square = deviation * deviation
    m3 = np.vecdot(weighted, square)
    m4 = np.vecdot(weighted * deviation, square)
    variance = np.maximum(m2 - 1.0 / 12.0, 1.0 / 12.0)
    skewness = m3 / variance**1.5
    # No distribution has less than skewness^2 - 2; a histogram too coarse for the corrections could.
    kurtosis = np.maximum((m4 - 3.0 * m2**2 + 1.0 / 120.0) / variance**2, skewness**2 - 2.0)
    return middle + dv * mean, dv * np.sqrt(variance), skewness, kurtosis


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
    cdf = np.zeros((masses.shape[0], masses.shape[1] + 1))
    np.cumsum(masses, axis=1, out=cdf[:, 1:])
    # Rounding must not leave the last edge below a percentile that is asked for.
    return cdf / cdf[:, -1:]


def histogram_percentile(cdf: Floats, edges: Floats, q: float) -> Floats:
    """Smallest velocity (km/s) at which the cumulative probability of every row reaches ``q``.

    The cumulative probability is interpolated linearly between edges, which is exact for a density that
    is constant within bins. It is not interpolated between bin centres: a cumulative sum is reached at a
    bin's right edge, and centres would shift every percentile by half a bin.

    Parameters
    ----------
    cdf : ndarray, shape (n_draws, n_bins + 1)
        From `histogram_cdf`.
    edges : ndarray, shape (n_bins + 1,)
        Bin edges (km/s), ascending.
    q : float
        Probability, 0 < q <= 1.

    Returns
    -------
    ndarray, shape (n_draws,)
    """
    right = np.count_nonzero(cdf < q, axis=1)[:, None]
    lower = np.take_along_axis(cdf, right - 1, axis=1)[:, 0]
    upper = np.take_along_axis(cdf, right, axis=1)[:, 0]
    right = right[:, 0]
    return edges[right - 1] + (edges[right] - edges[right - 1]) * (q - lower) / (upper - lower)


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
    n_bins = edges.size - 1

    def below(velocity: Floats) -> Floats:
        position = np.clip((velocity - edges[0]) / (edges[-1] - edges[0]), 0.0, 1.0) * n_bins
        left = np.minimum(position.astype(np.int64), n_bins - 1)[:, None]
        lower = np.take_along_axis(cdf, left, axis=1)[:, 0]
        upper = np.take_along_axis(cdf, left + 1, axis=1)[:, 0]
        return lower + (position - left[:, 0]) * (upper - lower)

    return below(mean - sigma) + 1.0 - below(mean + sigma)
