r"""Robust summaries of the shape of an LOSVD, from its percentiles.

==================== ======================================================================================
``sigma_percentile`` half of the distance between the percentiles that a Gaussian has at -1 and +1 sigma
                     (15.87 and 84.13), km/s
``bowley_skewness``  :math:`(Q_3 + Q_1 - 2 Q_2) / (Q_3 - Q_1)` of the quartiles (Bowley 1901, Elements of
                     Statistics), -1 to 1; positive where the upper quartile is farther from the median
``moors_kurtosis``   :math:`[(E_7 - E_5) + (E_3 - E_1)] / (E_6 - E_2)` of the octiles (Moors 1988, The
                     Statistician 37, 25), less its value for a Gaussian, 1.2331; positive for peaks with
                     wings
==================== ======================================================================================

Unlike moments they hardly feel the wings, which few stars determine.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr, ndtri

from veldist._support.arrays import Floats
from veldist.summaries.moments import histogram_percentiles

__all__ = ["PERCENTILE_COLUMNS", "PERCENTILE_METRICS", "percentile_draws", "shape_percentiles"]

PERCENTILE_METRICS = ("sigma_percentile", "bowley_skewness", "moors_kurtosis")
"""Names of the summaries, in the order of every dictionary and table."""

PERCENTILE_COLUMNS = {
    "sigma_percentile": ("km/s", "half of the distance between the 15.87 and 84.13 percentiles"),
    "bowley_skewness": (None, "Bowley's quartile skewness"),
    "moors_kurtosis": (None, "Moors' octile kurtosis in excess of a Gaussian's"),
}
"""Unit and meaning of each."""

_OCTILES = np.arange(1, 8) / 8.0


def _moors(octiles: Floats) -> Floats:
    e1, e2, e3, _, e5, e6, e7 = octiles
    return (e7 - e5 + e3 - e1) / (e6 - e2)


_GAUSSIAN_MOORS = float(_moors(ndtri(_OCTILES)))


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
    """`PERCENTILE_METRICS` of every draw, from its `shape_percentiles`.

    Returns
    -------
    dict of str to ndarray, shape (n_draws,)
    """
    octiles, (low, high) = found[:7], found[7:]
    q1, q2, q3 = octiles[1::2]
    return {
        "sigma_percentile": 0.5 * (high - low),
        "bowley_skewness": (q3 + q1 - 2.0 * q2) / (q3 - q1),
        "moors_kurtosis": _moors(octiles) - _GAUSSIAN_MOORS,
    }
