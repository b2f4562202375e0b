"""Where the bins are: the positions and pixels that users pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from veldist.arrays import Floats
from veldist.bin_positions import read_positions
from veldist.pixel_grid import PixelGrid
from veldist.validate import check_count, check_keys, to_float

__all__ = ["to_pixel_grid", "to_positions"]

_LENGTHS = ("x_start", "y_start", "x_size", "y_size")
_COUNTS = ("nx", "ny")


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


def to_pixel_grid(grid: Any) -> Any:
    """The pixels, from a grid or from ``voronoi_bin_metadata["aperture"]``.

    Parameters
    ----------
    grid : PixelGrid or mapping
        Pixels, or a mapping with ``x_start``, ``y_start``, ``x_size``, ``y_size`` (arcsec), ``angle_deg``,
        ``nx`` and ``ny``.

    Returns
    -------
    PixelGrid
        Or what was given, if it has these attributes.

    Raises
    ------
    TypeError, ValueError
        If something is missing, or is no number, or the grid has no pixels or no extent.
    """
    if isinstance(grid, Mapping):
        check_keys(dict(grid), (*_LENGTHS, "angle_deg", *_COUNTS), "grid")
        lengths = {key: to_float(grid[key], f"grid['{key}']", "arcsec") for key in _LENGTHS}
        angle = to_float(grid["angle_deg"], "grid['angle_deg']", "deg")
        nx, ny = (check_count(grid[key], f"grid['{key}']", minimum=1) for key in _COUNTS)
        return PixelGrid(**lengths, angle_deg=angle, nx=nx, ny=ny)
    missing = [name for name in (*_LENGTHS, *_COUNTS) if not hasattr(grid, name)]
    if missing:
        raise TypeError(
            f"grid must be a PixelGrid or a dict, as voronoi_bin_metadata['aperture'], got "
            f"{type(grid).__name__}, which lacks {missing}."
        )
    return grid
