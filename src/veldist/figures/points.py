"""Spatial bins as marks at their centres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.sky.voronoi import typical_spacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap, Normalize

__all__ = ["PointMarks"]

# A line through a mark stands for a hatch on something so small. (Sides, style 2 = lines only, angle.)
_LINES: dict[str, Any] = {"/": (2, 2, -45.0), "\\": (2, 2, 45.0)}
_SMALLEST, _LARGEST = 9.0, 60.0
# Area of all marks together (points^2), unless one is smaller or larger than the limits.
_ALL_MARKS = 3000.0


class PointMarks:
    """Bins as round marks at their centres.

    Parameters
    ----------
    centers : ndarray, shape (n_bins, 2)
        Centres (arcsec); NaN for bins that have no place.
    """

    def __init__(self, centers: Floats) -> None:
        self.anchors = centers
        self._placed = np.isfinite(centers).all(axis=1)
        points = np.unique(centers[self._placed], axis=0)
        spacing = typical_spacing(points) if len(points) > 1 else 1.0
        self.sizes = np.full(len(centers), np.nan)
        self.sizes[self._placed] = spacing
        self._limits = points.min(axis=0) - 0.5 * spacing, points.max(axis=0) + 0.5 * spacing
        self._area = float(np.clip(_ALL_MARKS / self._placed.sum(), _SMALLEST, _LARGEST))

    @property
    def aspect(self) -> float:
        """Height over width."""
        width, height = self._limits[1] - self._limits[0]
        return float(height / width)

    def draw(self, ax: Axes, values: Floats, cmap: Colormap, norm: Normalize) -> ScalarMappable:
        """Draw filled marks."""
        shown = self._placed & np.isfinite(values)
        drawn = ax.scatter(
            *self.anchors[shown].T,
            c=values[shown],
            s=self._area,
            cmap=cmap,
            norm=norm,
            edgecolors="0.25",
            linewidths=0.3,
            zorder=2,
        )
        skipped = self._placed & ~shown
        ax.scatter(
            *self.anchors[skipped].T, s=self._area, facecolor="0.9", edgecolor="0.55", linewidth=0.5, zorder=1
        )
        self.mark(ax, skipped, "/", "0.55")
        (left, bottom), (right, top) = self._limits
        ax.set(xlim=(left, right), ylim=(bottom, top))
        return drawn

    def mark(self, ax: Axes, chosen: NDArray[np.bool_], hatch: str, color: str) -> None:
        """Draw a line through the chosen marks, as a hatch leans."""
        where = self.anchors[chosen & self._placed]
        ax.scatter(
            *where.T, s=1.4 * self._area, marker=_LINES[hatch[0]], color=color, linewidths=0.8, zorder=3
        )

    def draw_boundaries(self, ax: Axes, width: float) -> None:
        """Do nothing: marks have no common sides."""
