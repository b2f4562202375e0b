r"""Are numbers uniform on (0, 1)? Simultaneous bands of their empirical distribution function, exactly.

At the points :math:`z_j = j / K`, :math:`j = 1 .. K - 1`, the number :math:`C_j` of n uniform values below
:math:`z_j` is binomial. The band holds every count whose two binomial tails, :math:`P(X \le C_j)` and
:math:`P(X \ge C_j)`, exceed one and the same alpha; alpha is chosen so that *all* counts are inside
together with the wanted probability (Saeilynoja, Buerkner & Vehtari 2022, Stat. Comput. 32, 32, sect. 2.2).

That probability is computed without simulation. The increments of C are multinomial, which is to say
independent Poisson variables of mean n / K given that their sum is n, so that one recursion over j, a
convolution cut off at the band's limits, gives the probability of staying inside
(cf. Steck 1971, Ann. Math. Stat. 42, 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom, poisson

from veldist._support.arrays import Floats, Ints

__all__ = ["EcdfBand", "band_coverage", "ecdf_band", "ecdf_counts", "ecdf_excursion", "uniformity_p_value"]

# Tails that differ by less than this, relatively, are equal but for rounding.
_SAME_TAIL = 1e-9
# Relative precision of alpha: counts are discrete, so that it need not be high.
_PRECISION = 1e-6


@dataclass(frozen=True, eq=False)
class EcdfBand:
    """Band that holds the empirical distribution function of uniform values everywhere at once."""

    points: Floats  # (K - 1,): where the distribution function is looked at
    # (K - 1,): Smallest and largest value of it inside the band.
    lower: Floats
    upper: Floats
    probability: float  # wanted probability that all of it is inside
    coverage: float  # actual one: the smallest not below ``probability`` that discrete counts allow


def ecdf_counts(values: Floats, n_points: int) -> Ints:
    """How many of the values lie below j / (n_points + 1), j = 1 .. n_points; shape (n_points,)."""
    points = np.arange(1, n_points + 1) / (n_points + 1)
    return np.searchsorted(np.sort(values), points, side="left").astype(np.int64)


def band_coverage(lower: Ints, upper: Ints, n: int) -> float:
    """Probability that the counts of n uniform values stay inside ``lower <= C_j <= upper`` for all j.

    Parameters
    ----------
    lower, upper : ndarray of int, (K - 1,)
        Limits of the counts at j / K, neither of them descending.
    n : int
        Number of values.
    """
    low, high = np.append(lower, n), np.append(upper, n)
    if np.any(high < np.maximum.accumulate(low)):
        return 0.0
    mean = n / low.size
    largest_step = int(np.max(high - np.append(0, low[:-1])))
    increment = poisson.pmf(np.arange(largest_step + 1), mean)
    inside, start = np.ones(1), 0
    for a, b in zip(low, high, strict=True):
        reached = np.convolve(inside, increment[: b - start + 1])
        inside, start = reached[a - start : b - start + 1], a
    return float(inside[0] / poisson.pmf(n, n))


@lru_cache(maxsize=8)
def _tails(n: int, n_points: int) -> tuple[Floats, Floats]:
    """P(X <= k) and P(X >= k), (n_points, n + 1) each, for every point and count k."""
    k, points = np.arange(n + 1), np.arange(1, n_points + 1)[:, None] / (n_points + 1)
    return binom.cdf(k, n, points), binom.sf(k - 1, n, points)


def _limits(alpha: float, n: int, n_points: int) -> tuple[Ints, Ints]:
    """Smallest and largest count at every point whose tails exceed alpha."""
    below, above = _tails(n, n_points)
    return np.argmax(below > alpha, axis=1), n - np.argmax(above[:, ::-1] > alpha, axis=1)


@lru_cache(maxsize=64)
def ecdf_band(n: int, n_points: int, probability: float = 0.99) -> EcdfBand:
    """Narrowest band of equal tails that holds all of the distribution function of n uniform values.

    Parameters
    ----------
    n : int
        Number of values.
    n_points : int
        Points at which it is looked at: j / (n_points + 1).
    probability : float
        Probability of being inside at all points, above 0, below 1.
    """
    # Bonferroni's bound and the tail of a single point bracket alpha; both as logarithms.
    low, high = np.log((1.0 - probability) / (4.0 * n_points)), np.log(0.5)
    while high - low > _PRECISION:
        middle = 0.5 * (low + high)
        if band_coverage(*_limits(np.exp(middle), n, n_points), n) >= probability:
            low = middle
        else:
            high = middle
    lower, upper = _limits(np.exp(low), n, n_points)
    return EcdfBand(
        points=np.arange(1, n_points + 1) / (n_points + 1),
        lower=lower / n,
        upper=upper / n,
        probability=probability,
        coverage=band_coverage(lower, upper, n),
    )


def ecdf_excursion(values: NDArray[np.float64], band: EcdfBand) -> float:
    """Largest distance from uniformity in units of the band's half-width there; above 1 is outside.

    Points at which nothing could be outside, the band reaching down to 0 below them or up to 1 above them,
    do not count.
    """
    difference = ecdf_counts(values, band.points.size) / values.size - band.points
    above = difference > 0.0
    possible = np.where(above, band.upper < 1.0, band.lower > 0.0) & (difference != 0.0)
    half = np.where(above, band.upper - band.points, band.points - band.lower)[possible]
    # A wide miss where the band does not reach to that side of uniformity: few values have counts far apart.
    ratio = np.divide(np.abs(difference[possible]), half, out=np.full(half.size, np.inf), where=half > 0.0)
    return float(ratio.max(initial=0.0))


def uniformity_p_value(values: Floats, n_points: int) -> float:
    """Probability that uniform values stray as far, in their smallest binomial tail, as these.

    It is exact but for rounding: what is below 1e-12 may come out as 0.
    """
    n = values.size
    counts = ecdf_counts(values, n_points)
    smallest = min(tail[np.arange(n_points), counts].min() for tail in _tails(n, n_points))
    return max(1.0 - band_coverage(*_limits(smallest * (1.0 + _SAME_TAIL), n, n_points), n), 0.0)
