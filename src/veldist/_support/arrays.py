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
    """Find the different ones of many positions, shape (n, 2), quickly: as complex numbers.

    Returns the rows in which they come first, sorted by x, then y; of each row, which of them is there; and
    the number of rows at each of them.
    """
    rows = np.ascontiguousarray(points).view(np.complex128).ravel()
    _, first, which, size = np.unique(rows, return_index=True, return_inverse=True, return_counts=True)
    return first, which, size
