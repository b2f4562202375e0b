"""Spatial bins as areas of a map: their pixels, or Voronoi cells around their centres."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.sky.pixels import read_grid
from veldist.sky.voronoi import outline, typical_spacing, voronoi_cells

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.path import Path

__all__ = ["CellAreas", "PixelAreas", "pixel_areas"]

# Between the outline of cells and the frame, in units of the longer side.
_GAP = 0.025
# Lines in a path.
_MOST_LINES = 10_000

SKIPPED = {"facecolor": "0.9", "edgecolor": "0.55", "hatch": "//////", "linewidth": 0}
"""Skipped bins: hatched, because some colour maps have a grey of their own."""


@dataclass(frozen=True)
class PixelAreas:
    """Bins as sets of pixels."""

    # (ny, nx): Bin of every pixel, from 1; 0 for none.
    pixels: NDArray[np.intp]
    # (nx + 1,), (ny + 1,): Sides of the pixels (arcsec).
    x_edges: Floats
    y_edges: Floats
    # As `veldist.figures.shapes.MapShapes`.
    anchors: Floats
    sizes: Floats

    @property
    def aspect(self) -> float:
        """Height over width."""
        return float(np.ptp(self.y_edges) / np.ptp(self.x_edges))

    def draw(self, ax: Axes, values: Floats, cmap: Colormap, norm: Normalize) -> ScalarMappable:
        """Draw an image of the values."""
        from matplotlib.patches import PathPatch

        image = np.where(self.pixels > 0, np.append(np.nan, values)[self.pixels], np.nan)
        drawn = ax.imshow(
            np.ma.masked_invalid(image),
            cmap=cmap,
            norm=norm,
            origin="lower",
            extent=(self.x_edges[0], self.x_edges[-1], self.y_edges[0], self.y_edges[-1]),
            interpolation="nearest",
            # The same picture whether pixels are chosen before or after their colours, and less work before.
            interpolation_stage="data",
        )
        skipped = self._outline((self.pixels > 0) & np.isnan(image))
        # Not add_patch, which would look at every corner for the limits of the axes, for seconds.
        ax.add_artist(PathPatch(skipped, zorder=1, **SKIPPED))
        return drawn

    def mark(self, ax: Axes, chosen: NDArray[np.bool_], hatch: str, color: str) -> None:
        """Hatch the chosen bins."""
        from matplotlib.patches import PathPatch

        path = self._outline(np.append(False, chosen)[self.pixels])
        ax.add_artist(PathPatch(path, facecolor="none", edgecolor=color, hatch=hatch, linewidth=0))

    def draw_boundaries(self, ax: Axes, width: float) -> None:
        """Draw the pixel sides between different bins, and around all of them."""
        from matplotlib.collections import LineCollection

        padded = np.pad(self.pixels, 1)
        row, first, last = _runs(padded[1:, 1:-1] != padded[:-1, 1:-1])
        level = self.x_edges[first], self.y_edges[row], self.x_edges[last], self.y_edges[row]
        column, first, last = _runs((padded[1:-1, 1:] != padded[1:-1, :-1]).T)
        upright = self.x_edges[column], self.y_edges[first], self.x_edges[column], self.y_edges[last]
        ends = np.stack([np.append(*pair) for pair in zip(level, upright, strict=True)], axis=1)
        # As few paths as the renderer's memory allows: one for each line would take seconds.
        lines = np.pad(ends.reshape(-1, 2, 2), ((0, 0), (0, 1), (0, 0)), constant_values=np.nan)
        paths = [lines[k : k + _MOST_LINES].reshape(-1, 2) for k in range(0, len(lines), _MOST_LINES)]
        # Onto whole pixels of the picture, as single lines would be.
        style: dict[str, Any] = {
            "colors": "0.25",
            "linewidths": width,
            "capstyle": "projecting",
            "snap": True,
        }
        ax.add_collection(LineCollection(paths, **style), autolim=False)

    def _outline(self, chosen: NDArray[np.bool_]) -> Path:
        """All chosen pixels as one path of rectangles, one for every run of pixels within a row."""
        from matplotlib.path import Path

        row, first, last = _runs(chosen)
        x = np.stack([self.x_edges[k] for k in (first, last, last, first, first)], axis=1)
        y = np.stack([self.y_edges[row + k] for k in (0, 0, 1, 1, 0)], axis=1)
        corner = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
        return Path(np.stack([x, y], axis=2).reshape(-1, 2), np.tile(corner, row.size).astype(np.uint8))


def _runs(chosen: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Rows, first columns and columns after the last of all runs of True within rows."""
    change = np.diff(np.pad(chosen, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    row, first = np.nonzero(change == 1)
    return row, first, np.nonzero(change == -1)[1]


def pixel_areas(grid: Any, ids: Any, n_bins: int) -> PixelAreas:
    """Read the pixels of a map.

    Parameters
    ----------
    grid : object or mapping
        Pixels, as `veldist.plotting.plot_map` takes them.
    ids : array_like of int
        Bin of every pixel, from 1; 0 for none.
    n_bins : int
        Number of bins.

    Raises
    ------
    TypeError, ValueError
        If ids are not integers in 0..n_bins, or not as many as pixels; or as `veldist.sky.pixels.read_grid`.
    """
    grid = read_grid(grid)
    pixels = np.asarray(ids)
    if pixels.dtype.kind not in "iu":
        raise TypeError(f"ids must be integers (bins counted from 1, 0 for none), got dtype {pixels.dtype}.")
    if pixels.shape not in ((grid.ny, grid.nx), (grid.nx * grid.ny,)):
        raise ValueError(
            f"ids has shape {pixels.shape}, but the grid has ny = {grid.ny} rows of nx = {grid.nx} pixels: "
            "pass shape (ny, nx), or flat with x fastest."
        )
    if pixels.min() < 0 or pixels.max() > n_bins:
        raise ValueError(
            f"ids range from {pixels.min()} to {pixels.max()}, but values has {n_bins} bins: "
            "ids count from 1, with 0 for pixels in no bin."
        )
    pixels = pixels.reshape(grid.ny, grid.nx).astype(np.intp)
    x_edges = grid.x_start + grid.x_size * np.arange(grid.nx + 1) / grid.nx
    y_edges = grid.y_start + grid.y_size * np.arange(grid.ny + 1) / grid.ny
    row, column = np.nonzero(pixels)
    middles = np.stack([0.5 * (x_edges[1:] + x_edges[:-1])[column], 0.5 * (y_edges[1:] + y_edges[:-1])[row]])
    owner = pixels[row, column] - 1
    count = np.bincount(owner, minlength=n_bins).astype(np.float64)
    with np.errstate(invalid="ignore"):
        mean = np.stack([np.bincount(owner, axis, n_bins) for axis in middles]) / count
    # The mean of the pixels may lie outside a bin that is not convex: the nearest pixel does not.
    distance = np.hypot(*(middles - mean[:, owner]))
    nearest = np.full(n_bins, np.inf)
    np.minimum.at(nearest, owner, distance)
    # From the last to the first, which stays, of those equally near.
    chosen = np.flatnonzero(distance == nearest[owner])[::-1]
    anchors = np.full((n_bins, 2), np.nan)
    anchors[owner[chosen]] = middles[:, chosen].T
    pixel = (x_edges[1] - x_edges[0]) * (y_edges[1] - y_edges[0])
    return PixelAreas(pixels, x_edges, y_edges, anchors, np.sqrt(count * pixel))


class CellAreas:
    """Bins as the Voronoi cells of their centres.

    Parameters
    ----------
    centers : ndarray, shape (n_bins, 2)
        Centres (arcsec), different from each other; NaN for bins that have no place.
    margin : float, optional
        How far the cells reach beyond the convex hull of the centres (arcsec); by default half the distance
        between neighbours at the rim.

    Raises
    ------
    ValueError
        If there is one centre only and no margin.
    """

    def __init__(self, centers: Floats, margin: float | None) -> None:
        self.anchors = centers
        self._placed = np.flatnonzero(np.isfinite(centers).all(axis=1))
        points = centers[self._placed]
        if margin is None:
            if len(points) == 1:
                raise ValueError(
                    "x, y: a single bin has no neighbours that tell its extent: pass margin (arcsec), or "
                    "kind='points'."
                )
            margin = 0.5 * typical_spacing(points)
        border = outline(points, margin)
        self._cells = voronoi_cells(points, border)
        self._limits = border.polygon.min(axis=0), border.polygon.max(axis=0)
        self.sizes = np.full(len(centers), np.nan)
        self.sizes[self._placed] = np.sqrt([_area(cell) for cell in self._cells])

    @property
    def aspect(self) -> float:
        """Height over width."""
        width, height = self._limits[1] - self._limits[0]
        return float(height / width)

    def draw(self, ax: Axes, values: Floats, cmap: Colormap, norm: Normalize) -> ScalarMappable:
        """Draw polygons filled by the values."""
        from matplotlib.collections import PolyCollection
        from matplotlib.patches import PathPatch

        shown = np.isfinite(values[self._placed])
        drawn = PolyCollection(self._chosen(shown), cmap=cmap, norm=norm, zorder=0.5)
        drawn.set_array(values[self._placed][shown])
        # A thin line of the same colour closes the seams that antialiasing leaves between polygons.
        drawn.set(edgecolor="face", linewidth=0.3)
        ax.add_collection(drawn)
        ax.add_artist(PathPatch(_path(self._chosen(~shown)), zorder=1, **SKIPPED))
        low, high = self._limits
        # So that the frame does not cover the outline.
        gap = _GAP * (high - low).max()
        ax.set(xlim=(low[0] - gap, high[0] + gap), ylim=(low[1] - gap, high[1] + gap))
        return drawn

    def mark(self, ax: Axes, chosen: NDArray[np.bool_], hatch: str, color: str) -> None:
        """Hatch the chosen bins."""
        from matplotlib.patches import PathPatch

        path = _path(self._chosen(chosen[self._placed]))
        ax.add_artist(PathPatch(path, facecolor="none", edgecolor=color, hatch=hatch, linewidth=0))

    def draw_boundaries(self, ax: Axes, width: float) -> None:
        """Draw the sides of all cells."""
        from matplotlib.collections import LineCollection

        lines = [np.append(cell, cell[:1], axis=0) for cell in self._cells]
        ax.add_collection(LineCollection(lines, colors="0.25", linewidths=width, joinstyle="round"))

    def _chosen(self, chosen: NDArray[np.bool_]) -> list[Floats]:
        return [cell for cell, wanted in zip(self._cells, chosen, strict=True) if wanted]


def _path(polygons: Sequence[Floats]) -> Path:
    """Polygons as one path."""
    from matplotlib.path import Path

    if not polygons:
        return Path(np.empty((0, 2)), np.empty(0, dtype=np.uint8))
    vertices = np.concatenate([np.append(corners, corners[:1], axis=0) for corners in polygons])
    codes = [[Path.MOVETO, *[Path.LINETO] * (len(corners) - 1), Path.CLOSEPOLY] for corners in polygons]
    return Path(vertices, np.concatenate(codes).astype(np.uint8))


def _area(polygon: Floats) -> float:
    """Area of a polygon whose corners run counter-clockwise (the shoelace formula)."""
    x, y = (polygon - polygon[0]).T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))
