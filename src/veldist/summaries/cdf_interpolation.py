"""The cumulative distribution of a histogram between the edges of its bins, and its inverse.

At the edges it is known exactly. A straight line between them would take the density as constant within each
bin, and shift percentiles by up to dv^2 |f'| / 8 f, 14 % of a bin for a Gaussian in bins as wide as its
dispersion. Here the log-odds of the cumulative probability F,

    u = log F / (1 - F),

which are nearly straight for a peak with wings, are a cubic in each bin. Their slope at an edge comes from
the differences d_1 ... d_6 over the six nearest bins, exact for polynomials of degree six,

    u' = [37 (d_3 + d_4) - 8 (d_2 + d_5) + (d_1 + d_6)] / 60 dv,

limited to between 0.1 and 2.5 times the mean slope of the bin. The cubic is then monotone (Fritsch & Carlson
1980, SIAM J. Numer. Anal. 17, 238: any slopes up to 3), and nowhere so flat that its inverse would lose
digits.

F is 0 and 1 at the ends of the grid, and has no log-odds there. In the two outermost bins with mass at either
end F itself is the cubic. Differences over bins where it is not known repeat those of the nearest other bin,
so that a density that the grid cuts off goes on as it is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats

__all__ = ["cdf_at", "cdf_inverse"]

# Cumulative probabilities this close to 0 and 1 count as such: closer to 1 the log-odds lose their digits.
_END = 1e-10
# Limits of the slopes at the edges of a bin, in units of its mean slope.
_FLATTEST, _STEEPEST = 0.1, 2.5
# Steps of Newton's method from the straight line: nearly all bins settle in four, and with these limits of
# the slopes every one in six. A step below `_SETTLED` leaves an error of the order of its square.
_QUICK_STEPS, _MORE_STEPS, _SETTLED = 4, 3, 1e-7


class _Cubic(NamedTuple):
    """Monotone cubics, each in one bin: of the log-odds, or of the cumulative probability itself."""

    lower: Floats
    linear: Floats
    quadratic: Floats
    cubic: Floats

    @classmethod
    def of(cls, lower: Floats, rise: Floats, first: Floats, last: Floats) -> _Cubic:
        """From the value at the lower edge, the rise over the bin, and slopes at the edges, to be limited."""
        first, last = np.clip([first, last], _FLATTEST * rise, _STEEPEST * rise)
        return cls(lower, first, 3.0 * rise - 2.0 * first - last, first + last - 2.0 * rise)

    def rise_to(self, t: Floats) -> Floats:
        """Difference to the lower edge at positions t within the bin, 0 to 1."""
        return t * (self.linear + t * (self.quadratic + t * self.cubic))

    def slope(self, t: Floats) -> Floats:
        """Derivative at positions t; positive unless the cubic is constant."""
        return self.linear + t * (2.0 * self.quadratic + 3.0 * t * self.cubic)


def cdf_at(cdf: Floats, position: Floats) -> Floats:
    """Cumulative probability at positions that are given in bins from the first edge.

    Parameters
    ----------
    cdf : ndarray, shape (n_draws, n_bins + 1)
        Cumulative probability at the edges: 0 at the first, 1 at the last.
    position : ndarray, shape (..., n_draws)
        0 at the first edge, n_bins at the last; beyond them the nearer end is taken.

    Returns
    -------
    ndarray, shape (..., n_draws)
    """
    n_bins = cdf.shape[1] - 1
    inside = np.clip(position, 0.0, n_bins)
    left = np.minimum(inside.astype(np.intp), n_bins - 1)
    cubic, is_odds = _cubic(cdf, left)
    value = cubic.lower + cubic.rise_to(inside - left)
    return np.where(is_odds, 1.0 / (1.0 + np.exp(-value)), value)


def cdf_inverse(cdf: Floats, q: Floats) -> Floats:
    """Smallest position, in bins from the first edge, at which the cumulative probability reaches q.

    Parameters
    ----------
    cdf : ndarray, shape (n_draws, n_bins + 1)
        Cumulative probability at the edges: 0 at the first, 1 at the last.
    q : ndarray, shape (n_q,)
        Probabilities, 0 < q <= 1.

    Returns
    -------
    ndarray, shape (n_q, n_draws)
    """
    left = np.stack([_left_edge(cdf, p) for p in q])
    odds = _log_odds(np.clip(q, _END, 1.0 - _END))
    cubic = _inner_cubics(cdf, left)
    found = left + _settle(cubic, odds[:, None] - cubic.lower)
    for k in np.flatnonzero(np.isnan(found).any(axis=1)):
        rest = np.flatnonzero(np.isnan(found[k]))
        cubic, is_odds = _cubic(np.asfortranarray(cdf[rest]), left[k, rest])
        found[k, rest] = left[k, rest] + _settle(cubic, np.where(is_odds, odds[k], q[k]) - cubic.lower)
    return found


def _left_edge(cdf: Floats, q: float) -> NDArray[np.intp]:
    """The edge to the left of where the cumulative probability reaches q."""
    return np.less(cdf.T, q).view(np.uint8).sum(axis=0, dtype=np.uint32).astype(np.intp) - 1


def _settle(cubic: _Cubic, target: Floats) -> Floats:
    """Position within the bin, 0 to 1, where the cubic has risen by the target; NaN if that is NaN."""
    rise = cubic.linear + cubic.quadratic + cubic.cubic
    flat = rise <= 0.0
    if flat.any():
        # Log-odds of two edges that differ by no more than rounding: any line will do.
        cubic, rise = cubic._replace(linear=np.where(flat, 1.0, cubic.linear)), np.where(flat, 1.0, rise)
    t = np.clip(target / rise, 0.0, 1.0)
    t, step = _newton(cubic, target, t, _QUICK_STEPS)
    hard = np.abs(step) > _SETTLED
    if hard.any():
        t[hard], _ = _newton(_Cubic(*(part[hard] for part in cubic)), target[hard], t[hard], _MORE_STEPS)
    return t


def _newton(cubic: _Cubic, target: Floats, t: Floats, n_steps: int) -> tuple[Floats, Floats]:
    """Positions after some of Newton's steps, and the last step."""
    step = t
    for _ in range(n_steps):
        step = (target - cubic.rise_to(t)) / cubic.slope(t)
        t = np.clip(t + step, 0.0, 1.0)
    return t, step


def _log_odds(probability: Floats) -> Floats:
    return np.log(probability / (1.0 - probability))


def _inner_cubics(cdf: Floats, left: NDArray[np.intp]) -> _Cubic:
    """The cubics to the right of edges ``left`` (n_q, n_draws) where all edges that count have log-odds.

    Those, their differences and the slopes are computed once for each edge. NaN where an edge has none.
    """
    # A slope takes three more edges on either side.
    start = max(int(left.min()) - 3, 0)
    probability = cdf.T[start : int(left.max()) + 5]
    end = (probability <= _END) | (probability >= 1.0 - _END)
    odds = _log_odds(np.where(end, np.nan, probability) if end.any() else probability)
    d = np.diff(odds, axis=0)
    slopes = np.full_like(odds, np.nan)
    slopes[3:-3] = _slope(d[:-5], d[1:-4], d[2:-3], d[3:-2], d[4:-1], d[5:])
    place = (left - start) * cdf.shape[0] + np.arange(cdf.shape[0])
    lower, rise = odds.ravel().take(place), d.ravel().take(place)
    slopes = slopes.ravel()
    return _Cubic.of(lower, rise, slopes.take(place), slopes.take(place + cdf.shape[0]))


def _slope(d1: Floats, d2: Floats, d3: Floats, d4: Floats, d5: Floats, d6: Floats) -> Floats:
    """Slope per bin at an edge from the differences over the six nearest bins."""
    return (37.0 * (d3 + d4) - 8.0 * (d2 + d5) + (d1 + d6)) / 60.0


def _cubic(cdf: Floats, left: NDArray[np.intp]) -> tuple[_Cubic, NDArray[np.bool_]]:
    """The cubics of the bins to the right of edges ``left`` (..., n_draws), and which are of the log-odds."""
    n_draws, n_bins = cdf.shape[0], cdf.shape[1] - 1
    # Four edges on either side of the bin's middle; beyond the grid its ends are repeated. Edges come
    # first in memory, as the summaries have them anyway.
    edges = np.clip(left + np.arange(-3, 5).reshape((8,) + (1,) * left.ndim), 0, n_bins)
    value = cdf.T.ravel().take(edges * n_draws + np.arange(n_draws))
    end = (value <= _END) | (value >= 1.0 - _END)
    is_odds = ~end[2:6].any(axis=0)
    if end.any():
        value = np.where(is_odds, _log_odds(np.clip(value, _END, 1.0 - _END)), value)
    else:
        value = _log_odds(value)
    d = np.diff(value, axis=0)
    if end.any():
        unknown = np.where(is_odds, end[:-1] | end[1:], end[:-1] & end[1:])
        for k in (2, 1, 0):
            d[k] = np.where(unknown[k], d[k + 1], d[k])
            d[6 - k] = np.where(unknown[6 - k], d[5 - k], d[6 - k])
    return _Cubic.of(value[3], d[3], _slope(*d[:6]), _slope(*d[1:])), is_odds
