"""Names for the array types that modules deal in throughout, and equal rows of positions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Floats", "Ints", "distinct_rows"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Any array of the array API standard.
Array = Any


def distinct_rows(points: Floats) -> tuple[Ints, Ints, Ints]:
    """Find the different ones of many positions: `numpy.unique` of complex numbers, which is quick.

    Parameters
    ----------
    points : ndarray, shape (n_points, 2)
        Positions.

    Returns
    -------
    first : ndarray of int, shape (n_distinct,)
        Row in which each different position comes first, sorted by x, then y.
    which : ndarray of int, shape (n_points,)
        Number of the position of each row.
    size : ndarray of int, shape (n_distinct,)
        Number of rows at each.
    """
    rows = np.ascontiguousarray(points).view(np.complex128).ravel()
    _, first, which, size = np.unique(rows, return_index=True, return_inverse=True, return_counts=True)
    return first, which, size
