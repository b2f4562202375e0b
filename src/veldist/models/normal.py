"""Masses of the unit Gaussian between two points, without cancellation."""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Floats

__all__ = ["mass_between", "masses_between"]


def masses_between(t: Floats) -> Floats:
    """Mass between each two neighbours of ascending points along the last axis, (..., n) to (..., n - 1).

    Differences of the cumulative distribution are taken on the tail's side (signs are flipped where both
    points are positive), so that none suffers from cancellation: all are positive until they underflow,
    beyond 38 standard deviations.
    """
    tail = _tail(t)
    return _between(t[..., :-1], t[..., 1:], tail[..., :-1], tail[..., 1:])


def mass_between(low: Floats, high: Floats) -> Floats:
    """Mass between pairs of points, ``low <= high``; as `masses_between`."""
    return _between(low, high, _tail(low), _tail(high))


def _tail(t: Floats) -> Floats:
    """Mass beyond each point, on the side that it is on."""
    # Here, for it takes longer to load than all of the engine.
    from scipy.special import ndtr

    return ndtr(-np.abs(t))


def _between(low: Floats, high: Floats, beyond_low: Floats, beyond_high: Floats) -> Floats:
    across = (0.5 - beyond_low) + (0.5 - beyond_high)
    return np.where(high <= 0, beyond_high - beyond_low, np.where(low > 0, beyond_low - beyond_high, across))
