"""All stars of a user's table, and what became of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats

__all__ = ["USED", "StarTable"]

USED = "used"
"""Status of a star that is part of the sample."""

# What is missing, by the columns that tell it.
_MISSING = {
    "position": ("x", "y"),
    "velocity": ("vel",),
    "error": ("err",),
    "membership": ("membership",),
}


@dataclass(frozen=True, eq=False)
class StarTable:
    """All rows of a table of stars.

    Attributes
    ----------
    x, y : ndarray, (n_rows,)
        Positions (arcsec), NaN where they are missing.
    vel, err : ndarray, (n_rows,)
        Velocities and their errors (km/s), in the same way.
    status : ndarray of str, (n_rows,)
        ``"used"``, or why the star is not: ``"membership below 0.5"``, ``"no position"`` and the like.
    """

    x: Floats
    y: Floats
    vel: Floats
    err: Floats
    status: NDArray[np.str_]

    @classmethod
    def of(cls, values: Mapping[str, Floats], kept: NDArray[np.bool_], threshold: float) -> StarTable:
        """From the columns of all rows, which of them are kept, and the smallest membership of these."""
        status = np.full(kept.size, USED, dtype=object)
        for row in np.flatnonzero(~kept).tolist():
            missing = [
                f"no {what}"
                for what, roles in _MISSING.items()
                if not np.isfinite([values[role][row] for role in roles if role in values]).all()
            ]
            status[row] = ", ".join(missing) or f"membership below {threshold:g}"
        return cls(values["x"], values["y"], values["vel"], values["err"], status.astype(str))
