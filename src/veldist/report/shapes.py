"""The shapes of the spatial bins as SVG paths with whole-number coordinates."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.figures.areas import pixel_areas
from veldist.report.numbers import rounded
from veldist.sky.pixels import read_grid
from veldist.sky.voronoi import outline, typical_spacing, voronoi_cells

__all__ = ["map_shapes", "trace"]

# Corners of Voronoi cells are rounded to this fraction of the map's longer side.
_RESOLUTION = 2000
_TURNS = ((1, 0), (0, 1), (-1, 0), (0, -1))


def map_shapes(grid: Any, ids: Any, positions: Floats | None, n_bins: int) -> dict[str, Any] | None:
    """What the maps show the bins as.

    Parameters
    ----------
    grid, ids
        Pixels (a `veldist.sky.pixels.PixelGrid` or a mapping, see `veldist.sky.pixels.read_grid`) and
        the bin of each; both or neither.
    positions : ndarray, shape (n_bins, 2), optional
        Positions of the bins (arcsec); a bin whose position is not finite has none.
    n_bins : int
        Number of bins.

    Returns
    -------
    dict or None
        ``paths``: one SVG path per bin, None for a bin that has no place, in units of ``unit`` [dx, dy]
        arcsec from ``origin`` [x, y] upwards; ``size`` [nx, ny] of the whole map in these units;
        ``positions`` [x, y] of the bins, arcsec. None if nothing tells where the bins are.

    Raises
    ------
    TypeError, ValueError
        If only one of grid and ids is given, or as `veldist.figures.areas.pixel_areas` and
        `veldist.sky.pixels.read_grid`.
    """
    if (grid is None) != (ids is None):
        raise ValueError("grid and ids must be given together, or neither: the pixels, and the bin of each.")
    if grid is not None:
        grid = read_grid(grid, with_angle=True)
        areas = pixel_areas(grid, ids, n_bins)
        places = areas.anchors if positions is None else positions
        return {
            "paths": trace(areas.pixels, n_bins),
            "origin": rounded([grid.x_start, grid.y_start]),
            "unit": rounded([grid.x_size / grid.nx, grid.y_size / grid.ny], 8),
            "size": [int(grid.nx), int(grid.ny)],
            "positions": _places(places),
        }
    placed = [] if positions is None else np.flatnonzero(np.isfinite(positions).all(axis=1)).tolist()
    if positions is None or not placed:
        return None
    polygons = _cells(positions[placed])
    corners = np.concatenate(polygons)
    low, high = corners.min(axis=0), corners.max(axis=0)
    unit = float((high - low).max()) / _RESOLUTION
    paths: list[str | None] = [None] * n_bins
    for index, polygon in zip(placed, polygons, strict=True):
        paths[index] = _polygon_path(np.rint((polygon - low) / unit).astype(int))
    return {
        "paths": paths,
        "origin": rounded(low),
        "unit": [float(f"{unit:.8g}")] * 2,
        "size": np.ceil((high - low) / unit).astype(int).tolist(),
        "positions": _places(positions),
    }


def _places(positions: Floats) -> list[list[float | int | None] | None]:
    return [rounded(place) if np.isfinite(place).all() else None for place in positions]


def _cells(positions: Floats) -> list[Floats]:
    """Voronoi cells of the positions, or small octagons where these do not have any."""
    different = len(np.unique(positions, axis=0))
    if different == len(positions) > 1:
        return voronoi_cells(positions, outline(positions, 0.5 * typical_spacing(positions)))
    extent = float(np.ptp(positions, axis=0).max()) or 1.0
    angle = 2.0 * np.pi * (np.arange(8) + 0.5) / 8
    radius = 0.3 * extent / np.sqrt(different)
    octagon = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return [position + octagon for position in positions]


def _polygon_path(corners: NDArray[np.int_]) -> str:
    steps = np.diff(corners, axis=0)
    steps = steps[np.any(steps != 0, axis=1)]
    return f"M{corners[0][0]} {corners[0][1]}l" + " ".join(f"{dx} {dy}" for dx, dy in steps) + "z"


def trace(pixels: NDArray[np.intp], n_bins: int) -> list[str | None]:
    """Outlines of all bins of a pixel map, in pixels from the lower left corner.

    Parameters
    ----------
    pixels : ndarray of int, shape (ny, nx)
        Bin of every pixel, from 1; 0 for none.
    n_bins : int
        Number of bins.

    Returns
    -------
    list of str or None
        One SVG path per bin, None for a bin without pixels. Outlines run counter-clockwise, holes clockwise.
    """
    padded = np.pad(pixels, 1)
    # Sides of pixels, with the bin on their left: start (column, row), direction, bin.
    sides: list[dict[tuple[int, int], list[int]]] = [{} for _ in range(n_bins + 1)]
    here = padded[1:-1, 1:-1]
    for direction, (other, start) in enumerate(
        [
            (padded[:-2, 1:-1], (0, 0)),  # lower side, rightwards
            (padded[1:-1, 2:], (1, 0)),  # right side, upwards
            (padded[2:, 1:-1], (1, 1)),  # upper side, leftwards
            (padded[1:-1, :-2], (0, 1)),  # left side, downwards
        ]
    ):
        row, column = np.nonzero((here != other) & (here > 0))
        for x, y, owner in zip(
            (column + start[0]).tolist(), (row + start[1]).tolist(), here[row, column].tolist(), strict=True
        ):
            sides[owner].setdefault((x, y), []).append(direction)
    return [_loops(own) if own else None for own in sides[1:]]


def _loops(sides: dict[tuple[int, int], list[int]]) -> str:
    """Join sides into closed outlines."""
    path = []
    while sides:
        start = next(iter(sides))
        x, y = start
        direction = _take(sides, start, None)
        path.append(f"M{x} {y}")
        length = 0
        while True:
            dx, dy = _TURNS[direction]
            x, y, length = x + dx, y + dy, length + 1
            if (x, y) == start and start not in sides:
                break
            after = _take(sides, (x, y), direction)
            if after != direction:
                path.append(_run(direction, length))
                direction, length = after, 0
        path.append("z")
    return "".join(path)


def _take(sides: dict[tuple[int, int], list[int]], corner: tuple[int, int], before: int | None) -> int:
    """Remove one side that starts at a corner; where two do, the one to the left, which keeps loops apart."""
    found = sides[corner]
    turn = (lambda d: (d - before + 1) % 4) if before is not None else (lambda d: d)
    # Left of the direction of travel is +1.
    chosen = max(found, key=turn)
    found.remove(chosen)
    if not found:
        del sides[corner]
    return chosen


def _run(direction: int, length: int) -> str:
    dx, dy = _TURNS[direction]
    return f"h{dx * length}" if dx else f"v{dy * length}"
