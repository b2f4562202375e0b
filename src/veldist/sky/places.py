"""Where the bins are: the positions that users pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from veldist._support.arrays import Floats
from veldist.sky.positions import read_positions

__all__ = ["place_all", "to_positions"]


def to_positions(x: Any, y: Any, n_bins: int) -> Floats | None:
    """Positions of the bins, (n_bins, 2) in arcsec, not finite where a bin has none; None if none was given.

    Parameters
    ----------
    x, y : array_like or Quantity or None, shape (n_bins,)
        Positions (arcsec).
    n_bins : int
        Number of bins.

    Raises
    ------
    TypeError, ValueError
        If only one of x and y is given, or they are not one number per bin.
    """
    found = read_positions(None, x, y, np.zeros(n_bins, dtype=bool))
    return np.stack([found["x"], found["y"]], axis=1) if found else None


def place_all(positions: Floats | None, bins: Sequence[Any]) -> None:
    """Refuse bins without a position that are not None.

    Only those without a position are looked at, as they may have to be read from a store.

    Raises
    ------
    ValueError
        If there is one.
    """
    if positions is None:
        return
    nowhere = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if nowhere.size:
        fitted = np.zeros(len(bins), dtype=bool)
        fitted[nowhere] = [bins[int(k)] is not None for k in nowhere]
        read_positions(None, positions[:, 0], positions[:, 1], fitted)
