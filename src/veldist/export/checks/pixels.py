"""Rules for what aperture, bin map and table say of the same pixels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from veldist._support.validate import name_first
from veldist.export.checks.pixel_files import BinMap
from veldist.export.checks.problem import Problem, Severity
from veldist.sky.pixels import PixelGrid

__all__ = ["check_bin_numbers", "check_pixel_count", "check_pixel_shape"]

# Logarithm of the ratio of a pixel's sides.
_SQUARE_TOLERANCE = 0.01


def check_pixel_shape(grid: PixelGrid, aperture_file: str) -> Iterator[Problem]:
    """Suspect pixels that are not square."""
    if abs(np.log(grid.dx / grid.dy)) > _SQUARE_TOLERANCE:
        exchanged = np.log((grid.x_size / grid.ny) / (grid.y_size / grid.nx))
        hint = "; they would be square with nx and ny exchanged" if abs(exchanged) < _SQUARE_TOLERANCE else ""
        yield Problem(
            aperture_file,
            5,
            None,
            (grid.dx, grid.dy),
            "doubtful",
            "pixel-shape",
            f"pixels are {grid.dx:g} arcsec wide and {grid.dy:g} high, not square{hint}.",
            "Check the extent, and that nx comes before ny.",
        )


def check_pixel_count(grid: PixelGrid, aperture_file: str, bin_map: BinMap) -> Iterator[Problem]:
    """Compare the number of ids with nx * ny."""
    if bin_map.ids.size != grid.nx * grid.ny:
        yield Problem(
            bin_map.file,
            2,
            None,
            bin_map.ids.size,
            "error",
            "pixel-count",
            f"the file holds {bin_map.ids.size} ids, but nx * ny is {grid.nx} * {grid.ny} = "
            f"{grid.nx * grid.ny} in {aperture_file}.",
            "Write one id per pixel, or mend nx and ny.",
        )


def check_bin_numbers(bin_map: BinMap, n_rows: int, table_file: str) -> Iterator[Problem]:
    """Compare the ids in the map with the rows of a table."""
    ids = bin_map.ids
    unknown = ids > n_rows
    if unknown.any():
        first = int(np.argmax(unknown))
        yield Problem(
            bin_map.file,
            int(bin_map.lines[first]),
            None,
            int(ids[first]),
            "error",
            "pixel-without-row",
            f"{np.count_nonzero(unknown)} pixels have ids beyond the {n_rows} rows of {table_file} "
            f"(the largest is {ids.max()}; the first, {ids[first]}, is pixel {first}).",
            "Set the pixels of bins that were left out to 0, and renumber the rest 1, 2, ... in the order of "
            "the rows.",
        )
    missing = np.setdiff1d(np.arange(1, n_rows + 1), ids)
    if missing.size:
        # DYNAMITE compares the largest id with the number of rows, and looks at no other.
        severity: Severity = "error" if ids.max(initial=0) < n_rows else "wrong"
        yield Problem(
            bin_map.file,
            None,
            None,
            int(missing[0]),
            severity,
            "bin-without-pixel",
            f"no pixel has the id of {missing.size} of {n_rows} rows of {table_file} (ids "
            f"{name_first(missing, 5)}): their LOSVDs would be compared with nothing.",
            "Assign them pixels (id = row + 1), or remove the rows and renumber the rest.",
        )
