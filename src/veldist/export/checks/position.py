"""Do bins lie where the bin map has them? A transposed or mirrored map gives LOSVDs to the wrong bins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats, Ints
from veldist.export.checks.pixel_files import BinMap
from veldist.export.checks.problem import Problem, row_problem
from veldist.export.checks.table import KinTable
from veldist.sky.pixels import PixelGrid

__all__ = ["Misplaced", "check_positions", "find_misplaced"]

# A centre, a mean over stars, may lie this many pixels outside the rectangle around its bin's pixels.
_MARGIN = 0.25


@dataclass(frozen=True, eq=False)
class Misplaced:
    """Bin centres that are not where the bin map has their bins."""

    # (n_bins,): Which centres are outside of the aperture, and which are not near the pixels of their own
    # bin.
    outside: NDArray[np.bool_]
    far: NDArray[np.bool_]
    # (n_bins,): The centres in pixels from the lower left corner, in the frame in which they fit best.
    column: Floats
    row: Floats


def find_misplaced(x: Floats, y: Floats, grid: PixelGrid, pixel_ids: Ints) -> Misplaced:
    """Compare bin centres with the pixels of their bins.

    Positions may be given in the frame of the pixels or in one turned by the aperture's angle: the frame
    in which fewest bins are misplaced is the one that counts. Bins without pixels are not looked at.

    Parameters
    ----------
    x, y : ndarray, shape (n_bins,)
        Bin centres (arcsec).
    grid : PixelGrid
        The pixels.
    pixel_ids : ndarray of int, shape (nx * ny,)
        Bin of each pixel, counted from 1; x varies fastest.
    """
    ids = pixel_ids.reshape(grid.ny, grid.nx)
    frames = [
        _pixel_units(x, y, grid, angle) for angle in dict.fromkeys((0.0, grid.angle_deg, -grid.angle_deg))
    ]
    return min(
        (Misplaced(*_misplaced(column, row, ids), column, row) for column, row in frames),
        key=lambda found: np.count_nonzero(found.outside | found.far),
    )


def check_positions(table: KinTable, grid: PixelGrid, bin_map: BinMap) -> Iterator[Problem]:
    """Check that every bin centre lies in the aperture and near the bin's own pixels: `find_misplaced`."""
    if not {"xbin", "ybin"} <= table.values.keys() or bin_map.ids.size != grid.nx * grid.ny:
        return
    ids = bin_map.ids.reshape(grid.ny, grid.nx)
    found = find_misplaced(table.values["xbin"], table.values["ybin"], grid, bin_map.ids)
    outside = found.outside
    places = list(zip(table.values["xbin"].tolist(), table.values["ybin"].tolist(), strict=True))
    right, top = grid.x_start + grid.x_size, grid.y_start + grid.y_size
    yield from row_problem(
        table.file,
        "xbin, ybin",
        outside,
        places,
        rule="outside-aperture",
        severity="doubtful",
        what=f"arcsec is outside the aperture ({grid.x_start:g} to {right:g}, {grid.y_start:g} to {top:g})",
        cure="Check units (arcsec) and the corner of the aperture.",
    )
    yield from row_problem(
        table.file,
        "xbin, ybin",
        found.far & ~outside,
        places,
        rule="bin-position",
        severity="doubtful",
        what=f"arcsec is not near the pixels that {bin_map.file} gives the bin" + _explain(found, ids),
        cure="Write ids with x varying fastest, y upwards, counted from 1 in the order of the rows.",
    )


def _pixel_units(x: Floats, y: Floats, grid: PixelGrid, angle_deg: float) -> tuple[Floats, Floats]:
    """Bin centres in pixels from the lower left corner, after a turn about the origin."""
    angle = np.radians(angle_deg)
    turned_x, turned_y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    return (turned_x - grid.x_start) / grid.dx, (turned_y - grid.y_start) / grid.dy


def _misplaced(column: Floats, row: Floats, ids: Ints) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which centres are outside of the aperture, and which are far from their own pixels.

    Near means inside the rectangle around the bin's pixels, so that the centre of a ring is not far.
    """
    ny, nx = ids.shape
    outside = (column < 0) | (column > nx) | (row < 0) | (row > ny)
    n = column.size
    far = np.zeros(n, dtype=bool)
    pixel_row, pixel_column = np.indices(ids.shape)
    own = (ids >= 1) & (ids <= n)
    for place, pixel in ((column, pixel_column), (row, pixel_row)):
        low, high = np.full(n, np.inf), np.full(n, -np.inf)
        np.minimum.at(low, ids[own] - 1, pixel[own].astype(np.float64))
        np.maximum.at(high, ids[own] - 1, pixel[own] + 1.0)
        far |= np.isfinite(low) & ((place < low - _MARGIN) | (place > high + _MARGIN))
    return outside, far


def _explain(found: Misplaced, ids: Ints) -> str:
    """Name the change of the map under which most bins fall into place, if there is one."""
    ny, nx = ids.shape
    changes = {
        "y varying fastest": ids.ravel().reshape(nx, ny).T,
        "x mirrored": ids[:, ::-1],
        "y downwards": ids[::-1],
    }
    n = found.column.size
    if ids.max() < n:
        # The last bin has no pixel, as in a map that counts from 0.
        changes = {"bins counted from 1": ids + 1} | changes
    if ids.max() > n or not (ids == 1).any():
        changes = {"ids smaller by 1": np.maximum(ids - 1, 0)} | changes
    left = {
        name: sum(map(np.count_nonzero, _misplaced(found.column, found.row, other)))
        for name, other in changes.items()
    }
    n_bad = int(np.count_nonzero(found.outside | found.far))
    best = min(left, key=lambda name: left[name])
    return f" (it would be with {best})" if left[best] < 0.5 * n_bad else ""
