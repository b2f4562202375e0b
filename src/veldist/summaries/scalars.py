"""Scalar summaries of an LOSVD, draw by draw.

Every summary is computed on every draw and then quoted as the median of the draws with half of their 16-84
percentile range as its uncertainty. Moments are those of the smooth density behind a histogram (see
`veldist.summaries.moments`); percentiles come from the cumulative distribution, which is known at the edges
of the velocity bins, and a cubic between them (see `veldist.summaries.cdf_interpolation`).

==================== ======================================================================================
``v_mean``           mean velocity, km/s
``v_median``         median velocity, km/s
``v_asymmetry``      ``v_mean - v_median``, km/s: positive where the longer tail is at high velocities
``sigma``            dispersion (standard deviation), km/s
``iqr``              interquartile range, km/s: unlike the dispersion, blind to what the wings do
``sigma_iqr``        ``iqr / 1.349``, km/s: the dispersion of the Gaussian with that interquartile range
``skewness``         third standardised moment; positive where the longer tail is at high velocities
``kurtosis``         excess kurtosis: fourth standardised moment minus 3, 0 for a Gaussian
``tail_weight``      probability farther than 1 ``sigma`` from ``v_mean``; 0.3173 for a Gaussian
``bimodality_score`` number of modes that the posterior supports (see `analysis.modality`): 1 for a Gaussian,
                     2 or more where distinct peaks are real
``sigma_percentile`` half of the distance between the percentiles that a Gaussian has at -1 and +1 sigma
                     (15.87 and 84.13), km/s
``bowley_skewness``  :math:`(Q_3 + Q_1 - 2 Q_2) / (Q_3 - Q_1)` of the quartiles (Bowley 1901, Elements of
                     Statistics), -1 to 1; positive where the upper quartile is farther from the median
``moors_kurtosis``   :math:`[(E_7 - E_5) + (E_3 - E_1)] / (E_6 - E_2)` of the octiles (Moors 1988, The
                     Statistician 37, 25), less its value for a Gaussian, 1.2331; positive for peaks with
                     wings
==================== ======================================================================================

Unlike moments the last three hardly feel the wings, which few stars determine.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from veldist._support.arrays import Floats
from veldist._support.percentiles import percentiles
from veldist.fits.draws import checked_draws
from veldist.summaries.modality import count_modes, supported_modes
from veldist.summaries.moments import (
    IQR_PER_SIGMA,
    discrete_moments,
    histogram_cdf,
    histogram_moments,
    histogram_percentiles,
    mass_beyond_sigma,
)

__all__ = [
    "COLUMNS",
    "METRICS",
    "PERCENTILE_COLUMNS",
    "PERCENTILE_METRICS",
    "SCALARS",
    "SIGMA",
    "named_scalars",
    "percentile_draws",
    "scalar_draws",
    "shape_percentiles",
    "summarise",
    "summary_draws",
]

METRICS = (
    "v_mean",
    "v_median",
    "v_asymmetry",
    "sigma",
    "iqr",
    "sigma_iqr",
    "skewness",
    "kurtosis",
    "tail_weight",
    "bimodality_score",
)
"""Names of the summaries, in the order of every dictionary and table."""

SCALARS = METRICS[:-1]
"""The summaries that are continuous quantities: all but ``bimodality_score``."""

# Unit and meaning of the columns of `summary_table`.
COLUMNS = {
    "v_mean": ("km/s", "mean velocity"),
    "v_median": ("km/s", "median velocity"),
    "v_asymmetry": ("km/s", "mean minus median velocity"),
    "sigma": ("km/s", "velocity dispersion"),
    "iqr": ("km/s", "interquartile range"),
    "sigma_iqr": ("km/s", "dispersion of a Gaussian of this interquartile range"),
    "skewness": (None, "skewness"),
    "kurtosis": (None, "excess kurtosis"),
    "tail_weight": (None, "probability beyond 1 sigma of v_mean, Gaussian 0.3173"),
    "bimodality_score": (None, "number of modes that the posterior supports"),
}

SIGMA = METRICS.index("sigma")

PERCENTILE_METRICS = ("sigma_percentile", "bowley_skewness", "moors_kurtosis")
"""Names of the summaries that percentiles alone define, in the order of every dictionary and table."""

PERCENTILE_COLUMNS = {
    "sigma_percentile": ("km/s", "half of the distance between the 15.87 and 84.13 percentiles"),
    "bowley_skewness": (None, "Bowley's quartile skewness"),
    "moors_kurtosis": (None, "Moors' octile kurtosis in excess of a Gaussian's"),
}
"""Unit and meaning of each."""

_OCTILES = np.arange(1, 8) / 8.0


def summary_draws(pdf_samples: Any, grid_centers: Any) -> dict[str, NDArray[np.float64]]:
    """Summaries of each posterior draw: the full posterior of every metric.

    Parameters
    ----------
    pdf_samples : array_like, shape (n_draws, n_bins)
        Posterior draws of the LOSVD, probability mass per bin. Rows must sum to 1 within 1e-3; what is
        left of the difference is divided out.
    grid_centers : array_like or Quantity, shape (n_bins,)
        Bin centres (km/s), uniform and ascending.

    Returns
    -------
    dict of str to ndarray, shape (n_draws,)
        One array for each of `METRICS`; ``bimodality_score`` holds the number of modes of the draw. Use them
        for anything that a median and an uncertainty do not tell: correlations, probabilities such as
        ``np.mean(draws["skewness"] > 0)``.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shapes disagree, the centres are not uniform and ascending, masses are NaN, infinite or
        negative, or rows do not sum to 1 (densities instead of masses, for instance).
    """
    return _summary_draws(*checked_draws(pdf_samples, grid_centers, "pdf_samples", "grid_centers"))


def _summary_draws(
    masses: NDArray[np.float64], edges: NDArray[np.float64], discrete: bool = False
) -> dict[str, NDArray[np.float64]]:
    # Bins first in memory: sums and comparisons along the bins then run over contiguous draws.
    masses = np.asfortranarray(masses)
    cdf = histogram_cdf(masses)
    modes = count_modes(masses, cdf=cdf).astype(np.float64)
    return scalar_draws(masses, edges, cdf, discrete) | {METRICS[-1]: modes}


def scalar_draws(
    masses: NDArray[np.float64],
    edges: NDArray[np.float64],
    cdf: NDArray[np.float64] | None = None,
    discrete: bool = False,
    quartiles: NDArray[np.float64] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """As `summary_draws`, for the `SCALARS` of masses and edges that have been checked.

    The CDF and the quartiles (3, n_draws) are those of the masses, where they are at hand.
    """
    moments = discrete_moments if discrete else histogram_moments
    mean, sigma, skewness, kurtosis = moments(masses, edges)
    cdf = histogram_cdf(masses) if cdf is None else cdf
    if quartiles is None:
        quartiles = histogram_percentiles(cdf, edges, (0.25, 0.5, 0.75))
    tail_weight = mass_beyond_sigma(cdf, edges, mean, sigma)
    return named_scalars(mean, sigma, skewness, kurtosis, quartiles, tail_weight)


def named_scalars(
    mean: Floats, sigma: Floats, skewness: Floats, kurtosis: Floats, quartiles: Floats, tail_weight: Floats
) -> dict[str, Floats]:
    """`SCALARS` by name, from moments (n_draws,), quartiles (3, n_draws) and tail weights."""
    median, iqr = quartiles[1], quartiles[2] - quartiles[0]
    return {
        "v_mean": mean,
        "v_median": median,
        "v_asymmetry": mean - median,
        "sigma": sigma,
        "iqr": iqr,
        "sigma_iqr": iqr / IQR_PER_SIGMA,
        "skewness": skewness,
        "kurtosis": kurtosis,
        "tail_weight": tail_weight,
    }


def shape_percentiles(cdf: Floats, edges: Floats) -> Floats:
    """The seven octiles, and the percentiles of a Gaussian's -1 and +1 sigma (km/s), (9, n_draws).

    Parameters
    ----------
    cdf : ndarray, shape (n_draws, n_bins + 1)
        From `veldist.summaries.moments.histogram_cdf`.
    edges : ndarray, shape (n_bins + 1,)
        Bin edges (km/s), uniform and ascending.
    """
    return histogram_percentiles(cdf, edges, (*_OCTILES, *ndtr([-1.0, 1.0])))


def percentile_draws(found: Floats) -> dict[str, Floats]:
    """`PERCENTILE_METRICS` of every draw, (n_draws,), from its `shape_percentiles`."""
    octiles, (low, high) = found[:7], found[7:]
    q1, q2, q3 = octiles[1::2]
    return {
        "sigma_percentile": 0.5 * (high - low),
        "bowley_skewness": (q3 + q1 - 2.0 * q2) / (q3 - q1),
        "moors_kurtosis": _moors(octiles) - _GAUSSIAN_MOORS,
    }


def _moors(octiles: Floats) -> Floats:
    e1, e2, e3, _, e5, e6, e7 = octiles
    return (e7 - e5 + e3 - e1) / (e6 - e2)


_GAUSSIAN_MOORS = float(_moors(ndtri(_OCTILES)))


def summarise(
    masses: NDArray[np.float64], edges: NDArray[np.float64], discrete: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Median and uncertainty of all metrics, in their order, and the number of supported modes."""
    draws = _summary_draws(masses, edges, discrete)
    low, median, high = percentiles([draws[metric] for metric in METRICS], (16.0, 50.0, 84.0))
    return median, 0.5 * (high - low), supported_modes(masses, draws["bimodality_score"])
