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

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist.summaries.moments import cumulative_sums

__all__ = ["DEPTH", "MIN_MASS", "LargestModes", "count_modes", "largest_modes", "supported_modes"]

# Two equal Gaussians have a valley of this depth when they are 2.9 of their dispersions apart. Draws of the
# posterior of a unimodal LOSVD seldom ripple as deeply.
DEPTH = 0.3
# Two stars among forty: fewer do not make a population.
MIN_MASS = 0.05


def count_modes(
    masses: NDArray[np.float64],
    depth: float = DEPTH,
    min_mass: float = MIN_MASS,
    cdf: NDArray[np.float64] | None = None,
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
    cdf : ndarray, shape (n_draws, n_bins + 1), optional
        `veldist.summaries.moments.histogram_cdf` of the masses, where it is known already.

    Returns
    -------
    ndarray of int, shape (n_draws,)
        Number of modes, at least 1.

    Notes
    -----
    One walk over the bins, all rows at once, alternates between climbing to a peak and descending to
    a valley, and turns around only when the density has changed by the factor ``1 - depth``. That gives the
    longest alternation of peaks and valleys with such contrasts, hence the same count from left to
    right and from right to left: it is the number of maxima of log density whose topological
    persistence is at least ``-log(1 - depth)``.
    """
    return _modes(masses, depth, min_mass, cdf, None)


def largest_modes(
    masses: NDArray[np.float64],
    depth: float = DEPTH,
    min_mass: float = MIN_MASS,
    cdf: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.int64], LargestModes]:
    """As `count_modes`, and the two modes of the largest mass of every row that has at least two.

    Returns
    -------
    n_modes : ndarray of int, shape (n_draws,)
        Number of modes.
    largest : LargestModes
        The two.
    """
    largest = LargestModes.none(masses.shape[0])
    return _modes(masses, depth, min_mass, cdf, largest), largest


@dataclass(frozen=True)
class LargestModes:
    """The two modes of the largest mass, for every draw; the larger one first."""

    # (2, n_draws): Probability from valley to valley; 0 where there is none.
    mass: NDArray[np.float64]
    # (2, n_draws): Bin of the peak; -1 where there is none.
    bin: NDArray[np.intp]

    @classmethod
    def none(cls, n_draws: int) -> LargestModes:
        """No modes yet."""
        return cls(np.zeros((2, n_draws)), np.full((2, n_draws), -1, dtype=np.intp))

    def add(self, rows: NDArray[np.intp], mass: NDArray[np.float64], peak: NDArray[np.intp]) -> None:
        """Take note of one more mode of some draws."""
        first, second = mass > self.mass[0, rows], mass > self.mass[1, rows]
        top = rows[first]
        self.mass[1, top], self.bin[1, top] = self.mass[0, top], self.bin[0, top]
        self.mass[0, top], self.bin[0, top] = mass[first], peak[first]
        middle = second & ~first
        self.mass[1, rows[middle]], self.bin[1, rows[middle]] = mass[middle], peak[middle]


def _modes(
    masses: NDArray[np.float64],
    depth: float,
    min_mass: float,
    cdf: NDArray[np.float64] | None,
    largest: LargestModes | None,
) -> NDArray[np.int64]:
    """Number of modes; the largest ones of draws that have several are added to ``largest``."""
    n_modes = np.ones(masses.shape[0], dtype=np.int64)
    # Bins first: sums and comparisons of neighbours run over contiguous draws.
    columns = np.ascontiguousarray(masses.T)
    below = cumulative_sums(masses) if cdf is None else np.ascontiguousarray(cdf.T)
    several = np.flatnonzero(_has_massive_sides(columns, below, min_mass))
    if several.size:
        values, half_way, places = _turning_points(columns.take(several, axis=1), below.take(several, axis=1))
        # Nor can a draw without a valley that is deep enough between any two peaks have several.
        left, right = (np.fmax.accumulate(v, axis=0) for v in (values, values[::-1]))
        deep = np.any(values <= (1.0 - depth) * np.minimum(left, right[::-1]), axis=0)
        several = several[deep]
        values, half_way, places = (a.compress(deep, axis=1) for a in (values, half_way, places))
    if several.size:
        found = None if largest is None else LargestModes.none(several.size)
        n_modes[several] = _count_alternations(
            values, half_way, below[-1, several], 1.0 - depth, min_mass, places, found
        )
        if largest is not None and found is not None:
            two = n_modes[several] >= 2
            largest.mass[:, several[two]], largest.bin[:, several[two]] = (
                found.mass[:, two],
                found.bin[:, two],
            )
    return n_modes


def _has_massive_sides(
    columns: NDArray[np.float64], below: NDArray[np.float64], min_mass: float
) -> NDArray[np.bool_]:
    """Draws with a local minimum that has ``min_mass`` on either side: all others have one mode."""
    inner = columns[1:-1]
    # Some slack for rounding: this need only never miss one.
    least = min_mass - 1e-9
    valley = (inner < columns[:-2]) & (inner <= columns[2:])
    # What lies to the left of a valley's right edge, or to the right of its left edge, is no less.
    valley &= below[2:-1] >= least
    valley &= below[1:-2] <= below[-1] - least
    return np.logical_or.reduce(valley, axis=0)


def _turning_points(
    columns: NDArray[np.float64], below: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Masses at the ends and local extremes, cumulative masses up to their middles, and their bins.

    All are (most turning points, n_draws), filled up with NaN and -1. A walk from peak to valley need visit
    no other bins. Of equal neighbours the first counts.
    """
    rises, falls = columns[1:] > columns[:-1], columns[1:] < columns[:-1]
    turns = np.ones(columns.shape, dtype=bool)
    turns[1:-1] = (rises[1:] != rises[:-1]) | (falls[1:] != falls[:-1])
    draw, bin_ = np.nonzero(turns.T)
    n_turns = np.bincount(draw, minlength=columns.shape[1])
    place = np.arange(draw.size) - np.repeat(np.cumsum(n_turns) - n_turns, n_turns)
    values, half_way = np.full((2, n_turns.max(), columns.shape[1]), np.nan)
    values[place, draw] = columns[bin_, draw]
    half_way[place, draw] = below[bin_, draw] + 0.5 * columns[bin_, draw]
    places = np.full(values.shape, -1, dtype=np.intp)
    places[place, draw] = bin_
    return values, half_way, places


def _count_alternations(
    values: NDArray[np.float64],
    half_way: NDArray[np.float64],
    total: NDArray[np.float64],
    keep: float,
    min_mass: float,
    places: NDArray[np.intp],
    largest: LargestModes | None,
) -> NDArray[np.int64]:
    """Number of modes by the walk that `count_modes` describes; steps that are NaN change nothing.

    The modes are added to ``largest``.
    """
    n_draws = values.shape[1]
    # Nothing rises or falls to zero by less than a factor: no contrast is asked of zero but to be left.
    lowered = np.where(values == 0.0, -1.0, keep * values)
    descending = np.zeros(n_draws, dtype=bool)
    rise, fall, lower = np.empty((3, n_draws), dtype=bool)
    # The peak, times `keep`, while climbing; the valley while descending; else what nothing can pass.
    peak, valley = np.full(n_draws, -1.0), np.full(n_draws, np.inf)
    valley_cdf, mode_start, mode_mass = np.zeros((3, n_draws))
    n_modes = np.zeros(n_draws, dtype=np.int64)
    # The highest bin since the last valley.
    top, top_bin = np.full(n_draws, -1.0), np.full(n_draws, -1, dtype=np.intp)
    for value, low, middle, place in zip(values, lowered, half_way, places, strict=True):
        # While descending, a rise out of the valley closes the mode to the left of that valley.
        np.greater_equal(low, valley, out=rise)
        if rise.any():
            np.subtract(valley_cdf, mode_start, out=mode_mass)
            massive = rise & (mode_mass >= min_mass)
            n_modes += massive
            if largest is not None:
                closed = np.flatnonzero(massive)
                largest.add(closed, mode_mass[closed], top_bin[closed])
                np.copyto(top, -1.0, where=rise)
            np.copyto(mode_start, valley_cdf, where=rise)
            np.copyto(valley, np.inf, where=rise)
            np.greater(descending, rise, out=descending)
        np.less_equal(value, peak, out=fall)
        np.logical_or(descending, fall, out=descending)
        np.less(value, valley, out=lower)
        np.logical_and(lower, descending, out=lower)
        # The valley bin itself is shared equally by the modes on its two sides.
        np.copyto(valley, value, where=lower)
        np.copyto(valley_cdf, middle, where=lower)
        if largest is not None:
            higher = value > top
            np.copyto(top, value, where=higher)
            np.copyto(top_bin, place, where=higher)
        np.fmax(peak, low, out=peak)
        np.copyto(peak, -2.0, where=descending)
    # The density is zero outside the grid, which closes the last mode.
    last = total - mode_start
    n_modes += last >= min_mass
    if largest is not None:
        closed = np.flatnonzero(last >= min_mass)
        largest.add(closed, last[closed], top_bin[closed])
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
    return min(majority, int(count_modes(masses.mean(axis=0, keepdims=True), depth=DEPTH / 2)[0]))
