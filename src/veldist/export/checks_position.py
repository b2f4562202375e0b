"""Do bins lie where the bin map has them? A transposed or mirrored map gives LOSVDs to the wrong bins."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from veldist.export.checks_pixels import BinMap
from veldist.export.checks_problem import Problem, row_problem
from veldist.export.checks_table import KinTable
from veldist.pixel_grid import PixelGrid

__all__ = ["check_positions"]

# A centre, a mean over stars, may lie this many pixels outside the rectangle around its bin's pixels.
_MARGIN = 0.25


def check_positions(table: KinTable, grid: PixelGrid, bin_map: BinMap) -> Iterator[Problem]:
    """Check that every bin centre lies in the aperture and near the bin's own pixels.

    Positions may be given in the frame of the pixels or in one turned by the aperture's angle: the frame
    in which fewest bins are misplaced is the one that counts. Bins without pixels are not looked at.
    """
    if not {"xbin", "ybin"} <= table.values.keys() or bin_map.ids.size != grid.nx * grid.ny:
        return
    ids = bin_map.ids.reshape(grid.ny, grid.nx)
    frames = [
        _pixel_units(table, grid, angle) for angle in dict.fromkeys((0.0, grid.angle_deg, -grid.angle_deg))
    ]
    outside, misplaced, column, row = min(
        ((*_misplaced(column, row, ids), column, row) for column, row in frames),
        key=lambda result: np.count_nonzero(result[0] | result[1]),
    )
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
        misplaced & ~outside,
        places,
        rule="bin-position",
        severity="doubtful",
        what=f"arcsec is not near the pixels that {bin_map.file} gives the bin"
        + _explain(column, row, ids, int(np.count_nonzero(outside | misplaced))),
        cure="Write ids with x varying fastest, y upwards, counted from 1 in the order of the rows.",
    )


def _pixel_units(
    table: KinTable, grid: PixelGrid, angle_deg: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bin centres in pixels from the lower left corner, after a turn about the origin."""
    x, y, angle = table.values["xbin"], table.values["ybin"], np.radians(angle_deg)
    turned_x, turned_y = x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    return (turned_x - grid.x_start) / grid.dx, (turned_y - grid.y_start) / grid.dy


def _misplaced(
    column: NDArray[np.float64], row: NDArray[np.float64], ids: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
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


def _explain(
    column: NDArray[np.float64], row: NDArray[np.float64], ids: NDArray[np.int64], n_bad: int
) -> str:
    """Name the change of the map under which most bins fall into place, if there is one."""
    ny, nx = ids.shape
    changes = {
        "y varying fastest": ids.ravel().reshape(nx, ny).T,
        "x mirrored": ids[:, ::-1],
        "y downwards": ids[::-1],
    }
    if ids.max() < column.size:
        # The last bin has no pixel, as in a map that counts from 0.
        changes = {"bins counted from 1": ids + 1} | changes
    left = {
        name: sum(map(np.count_nonzero, _misplaced(column, row, other))) for name, other in changes.items()
    }
    best = min(left, key=lambda name: left[name])
    return f" (it would be with {best})" if left[best] < 0.5 * n_bad else ""
