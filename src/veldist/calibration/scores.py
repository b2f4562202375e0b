"""How well posterior draws tell a truth: intervals, error, width, CRPS."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEATURES", "crps", "score"]

FEATURES = ("coverage68", "coverage95", "error", "width", "crps")
"""What `score` returns, in this order."""

_PERCENTILES = (2.5, 16.0, 50.0, 84.0, 97.5)


def crps(draws: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Continuous ranked probability score of draws, by the estimator that is fair to few of them.

    .. math:: \frac1n \sum_i |x_i - t| - \frac{1}{2 n (n - 1)} \sum_{i,j} |x_i - x_j|

    (Gneiting & Raftery 2007, J. Am. Stat. Assoc. 102, 359, eq. 21; Ferro 2014, Q. J. R. Meteorol. Soc. 140,
    1917). It has the unit of the draws; the smaller the better; for a single draw it is the absolute error.

    Parameters
    ----------
    draws : ndarray, (n, ...)
        Posterior draws.
    truth : ndarray, (...)
        True values.
    """
    n = draws.shape[0]
    error = np.abs(draws - truth).mean(axis=0)
    if n == 1:
        return error
    rank = (2.0 * np.arange(1, n + 1) - n - 1.0).reshape(-1, *[1] * (draws.ndim - 1))
    return error - np.sum(rank * np.sort(draws, axis=0), axis=0) / (n * (n - 1))


def score(draws: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score draws against true values.

    Parameters
    ----------
    draws : ndarray, (n, Q)
        Posterior draws of Q quantities.
    truth : ndarray, (Q,)
        Their true values.

    Returns
    -------
    ndarray, (5, Q)
        By `FEATURES`: whether the central 68 % (16-84 percentiles) and 95 % intervals hold the truth, median
        minus truth, half of the 16-84 percentile range, CRPS.
    """
    lowest, low, median, high, highest = np.percentile(draws, _PERCENTILES, axis=0)
    return np.stack(
        [
            (low <= truth) & (truth <= high),
            (lowest <= truth) & (truth <= highest),
            median - truth,
            0.5 * (high - low),
            crps(draws, truth),
        ]
    )
