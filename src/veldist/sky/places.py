"""Where the bins are: the positions that users pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from veldist._support.arrays import Floats
from veldist.sky.positions import read_positions

__all__ = ["to_positions"]


def to_positions(x: Any, y: Any, solvers: Sequence[Any]) -> Floats | None:
    """Positions of the bins, (n_bins, 2) in arcsec, not finite for skipped bins without one; None if none.

    Parameters
    ----------
    x, y : array_like or Quantity or None, shape (n_bins,)
        Positions (arcsec).
    solvers : sequence
        One per bin, None for a skipped one. Only those without a position are looked at, as they may have to
        be read from a store.

    Raises
    ------
    TypeError, ValueError
        If only one of x and y is given, they are not one number per bin, or a bin with a solver has no finite
        position.
    """
    found = read_positions(None, x, y, np.zeros(len(solvers), dtype=bool))
    if not found:
        return None
    positions = np.stack([found["x"], found["y"]], axis=1)
    nowhere = np.flatnonzero(~np.isfinite(positions).all(axis=1))
    if nowhere.size:
        fitted = np.zeros(len(solvers), dtype=bool)
        fitted[nowhere] = [solvers[int(k)] is not None for k in nowhere]
        read_positions(None, x, y, fitted)
    return positions
