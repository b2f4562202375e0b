"""How many modes a velocity distribution has, and how many of them the data support.

A *mode* is a peak that is separated from its neighbours by real valleys and that holds a real share
of the stars:

- *depth*: the lowest density between two neighbouring modes is at most ``1 - depth`` times the lower
  of the two peaks. A ripple shallower than that, however wide, joins its neighbour.
- *mass*: the probability between the two valleys that bound the mode is at least ``min_mass``. In the
  wings the density is close to zero, so a single star makes a deep valley there; what gives such a
  peak away is that it holds next to nothing.

One draw of the posterior is never smooth, so the count of a single draw says little. A mode is
*supported* when more than half of the draws have at least that many modes **and** the posterior-mean
distribution has them as well: bumps that the data do not fix appear at a different velocity in every
draw and cancel in the mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["count_modes", "supported_modes"]

# Two equal Gaussians have a valley of this depth when they are 2.9 of their dispersions apart. Draws of the
# posterior of a unimodal LOSVD seldom ripple as deeply.
_DEPTH = 0.3
# Two stars among forty: fewer do not make a population.
_MIN_MASS = 0.05


def count_modes(
    masses: NDArray[np.float64], depth: float = _DEPTH, min_mass: float = _MIN_MASS
) -> NDArray[np.int64]:
    """Count the modes of every row of a set of histograms with bins of equal width.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Probability mass per bin; rows sum to 1.
    depth : float
        Smallest fractional depth of a valley below the lower of its two peaks, in (0, 1).
    min_mass : float
        Smallest probability of a mode, counted from valley to valley.

    Returns
    -------
    ndarray of int, shape (n_draws,)
        Number of modes, at least 1.

    Notes
    -----
    One pass over the bins, all rows at once, alternates between climbing to a peak and descending to
    a valley, and turns around only when the density has changed by the factor ``1 - depth``. That gives the
    longest alternation of peaks and valleys with such contrasts, hence the same count from left to
    right and from right to left: it is the number of maxima of log density whose topological
    persistence is at least ``-log(1 - depth)``.
    """
    n_draws, n_bins = masses.shape
    keep = 1.0 - depth
    # Columns are read one at a time: bins first makes each of them contiguous.
    columns = np.ascontiguousarray(masses.T)
    below = np.zeros(n_draws)
    climbing = np.ones(n_draws, dtype=bool)
    extreme = np.zeros(n_draws)
    valley_cdf = np.zeros(n_draws)
    mode_start = np.zeros(n_draws)
    n_modes = np.zeros(n_draws, dtype=np.int64)
    for j in range(n_bins):
        value = columns[j]
        # While descending, a rise out of the valley closes the mode to the left of that valley.
        rise = ~climbing & (value * keep >= extreme) & (value > extreme)
        n_modes += rise & (valley_cdf - mode_start >= min_mass)
        mode_start = np.where(rise, valley_cdf, mode_start)
        fall = climbing & (value <= extreme * keep) & (value < extreme)
        climbing = (climbing | rise) & ~fall
        further = rise | fall | np.where(climbing, value > extreme, value < extreme)
        extreme = np.where(further, value, extreme)
        # The valley bin itself is shared equally by the modes on its two sides.
        valley_cdf = np.where(further & ~climbing, below + 0.5 * value, valley_cdf)
        below = below + value
    # The density is zero outside the grid, which closes the last mode.
    n_modes += below - mode_start >= min_mass
    return np.maximum(n_modes, 1)


def supported_modes(masses: NDArray[np.float64], modes_per_draw: NDArray[Any]) -> int:
    """Number of modes that the posterior as a whole supports.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Posterior draws, probability mass per bin; rows sum to 1.
    modes_per_draw : ndarray, shape (n_draws,)
        `count_modes` of the draws.

    Returns
    -------
    int
        The largest k such that more than half of the draws have at least k modes, or the number of
        modes of the posterior mean if that is smaller. The mean is asked for valleys of half the depth only,
        because the uncertainty of their position fills them in.
    """
    ordered = np.sort(modes_per_draw)
    # More than half of the draws reach the value that is at position (n - 1) // 2 in ascending order.
    majority = int(ordered[(ordered.size - 1) // 2])
    if majority == 1:
        return 1
    return min(majority, int(count_modes(masses.mean(axis=0, keepdims=True), depth=_DEPTH / 2)[0]))
