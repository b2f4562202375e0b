"""Numbers that stand for missing ones: -9999, 999.99 and the like, far outside those of all other stars.

How far out a star is says nothing by itself: of 10,000 stars of a Plummer sphere some lie more than a hundred
robust spreads from the centre, and fields of a survey may be as far apart. Only numbers that people write
where they know none are looked for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.validate import describe_rows

__all__ = ["refuse_placeholders"]

# 99 to 999999, with up to three decimals: as given, or, with their unit, in arcsec.
_NINES = [float("9" * before + "." + "9" * after) for before in range(2, 7) for after in range(4)]
_PLACEHOLDERS = np.unique(np.multiply.outer([1.0, 60.0, 3600.0], _NINES))
# Columns may be in single precision.
_RELATIVE = 1e-7
# Of fewer stars nothing can be said.
_FEW = 10


def refuse_placeholders(
    position: Floats, name: str, shown: Floats | None = None, rows: NDArray[np.integer] | None = None
) -> None:
    """Raise `ValueError` if stars have a placeholder for a coordinate or a velocity, with their rows.

    That is a number of nines that lies outside the range of the others by more than that range is wide.

    Parameters
    ----------
    position : ndarray, shape (n_stars,)
        Coordinates (arcsec) or velocities (km/s), finite.
    name : str
        What they are called.
    shown : ndarray, shape (n_stars,), optional
        The same in the user's unit.
    rows : ndarray of int, shape (n_stars,), optional
        Rows of the stars in the user's table; their places in ``position`` by default.
    """
    size = np.abs(position)
    index = np.searchsorted(_PLACEHOLDERS, size * (1.0 - _RELATIVE)).clip(max=_PLACEHOLDERS.size - 1)
    bad = np.abs(size - _PLACEHOLDERS[index]) <= _RELATIVE * size
    others = position[~bad]
    if others.size < _FEW:
        return
    low, high = others.min(), others.max()
    bad &= np.maximum(low - position, position - high) > high - low
    if bad.any():
        shown = position if shown is None else shown
        raise ValueError(
            f"{name} has {describe_rows(bad, shown, rows=rows)} far outside the range of the other stars, "
            f"{shown[~bad].min():.5g} to {shown[~bad].max():.5g}: placeholders for missing values. Remove "
            "these stars."
        )
