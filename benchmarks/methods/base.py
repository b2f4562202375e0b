"""What every method of the contest is: a callable from stars to draws of the masses per velocity bin."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from veldist.calibration import LosvdMethod

__all__ = ["Array", "Method", "condition_on_grid", "cover_stars"]

Array = NDArray[np.float64]


class Method(LosvdMethod, Protocol):
    """A way to estimate an LOSVD with uncertainties by draws from a posterior or a bootstrap, with a name.

    Methods that do not depend on a velocity grid fit once and integrate their draws exactly over every grid;
    the others fit once per grid. A method is picklable, for it runs in worker processes.

    Attributes
    ----------
    name : str
        Identifier for tables and files.
    """

    @property
    def name(self) -> str:
        """Identifier for tables and files."""
        ...


def condition_on_grid(masses: Array) -> Array:
    """Divide each row of masses (n_draws, n_bins) by its sum.

    Raises
    ------
    ValueError
        If a draw has no mass on the grid.
    """
    total = masses.sum(axis=1, keepdims=True)
    empty = ~(total[:, 0] > 0.0)
    if empty.any():
        raise ValueError(
            f"{empty.sum()} of {empty.size} draws have no mass on the grid: move or widen the grid."
        )
    return masses / total


def cover_stars(edges: Array, vel: Array) -> tuple[Array, slice]:
    """Add bins of the same width on either side until every star lies in one.

    A histogram that cannot reach a star gives it no density, and no fit exists.

    Parameters
    ----------
    edges : ndarray, (n_bins + 1,)
        Edges of uniform bins, ascending.
    vel : ndarray, (N,)
        Velocities.

    Returns
    -------
    edges : ndarray
        Edges of the extended grid.
    inside : slice
        The given bins among the extended ones.
    """
    n_bins = edges.size - 1
    width = (edges[-1] - edges[0]) / n_bins
    left = max(0, int(np.ceil((edges[0] - vel.min()) / width)))
    right = max(0, int(np.ceil((vel.max() - edges[-1]) / width)))
    extended = np.concatenate(
        [
            edges[0] - width * np.arange(left, 0, -1),
            edges,
            edges[-1] + width * np.arange(1, right + 1),
        ]
    )
    return extended, slice(left, left + n_bins)
