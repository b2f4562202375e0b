"""Small multiples in one axes: panels with common ranges, drawn as collections.

Axes of their own for a hundred panels would take seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from veldist._support.arrays import Floats
from veldist.summaries.curves import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FONT_SIZE", "Panels", "draw_frames", "parts_within", "steps"]

FONT_SIZE = 6.5
"""Of what is written in and at panels, in points."""

# Length of ticks, and distance of their labels, in inches.
_TICK, _PAD = 2.5 / 72.0, 3.5 / 72.0
# Digits are about 0.6 of the font size wide.
_HALF_DIGIT = 0.3 * FONT_SIZE / 72.0
# What lies lower than this above zero density, in inches, is left to the frame: lines would stick out of it.
_FRAME = 0.4 / 72.0


class Panels(NamedTuple):
    """Panels of equal size that share their ranges of velocity (km/s) and of density, which begins at 0.

    Coordinates and sizes are in inches, from the lower left corner of all panels together.
    """

    count: int
    n_columns: int
    width: float
    height: float
    gap: tuple[float, float]
    low: float
    high: float
    top: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of all panels together."""
        n_rows = -(-self.count // self.n_columns)
        width, height = self.width + self.gap[0], self.height + self.gap[1]
        return self.n_columns * width - self.gap[0], n_rows * height - self.gap[1]

    def corner(self, k: int) -> tuple[float, float]:
        """Lower left corner of a panel; they follow each other row by row from the top."""
        row, column = divmod(k, self.n_columns)
        return column * (self.width + self.gap[0]), self.size[1] - row * (
            self.height + self.gap[1]
        ) - self.height

    def x(self, k: int, velocity: Any) -> Any:
        """Where a velocity is in a panel."""
        return self.corner(k)[0] + (velocity - self.low) * (self.width / (self.high - self.low))

    def y(self, k: int, density: Any) -> Any:
        """Where a density is in a panel."""
        return self.corner(k)[1] + density * (self.height / self.top)

    def line(self, k: int, curve: Curve) -> Floats:
        """What is in a panel of a curve, shape (n, 2); with rows of NaN between its parts."""
        points = steps(*curve) if curve.is_histogram else np.stack(curve, axis=1)
        lowest = self.top * _FRAME / self.height
        inside = parts_within(points, (self.low, lowest), (self.high, self.top))
        return np.stack([self.x(k, inside[:, 0]), self.y(k, inside[:, 1])], axis=1)


def steps(edges: Floats, values: Floats) -> Floats:
    """Corners of a histogram that rises from 0 and falls to 0 at its ends, shape (2 n_bins + 2, 2)."""
    return np.stack([np.repeat(edges, 2), np.pad(np.repeat(values, 2), 1)], axis=1)


def parts_within(points: Floats, low: tuple[float, float], high: tuple[float, float]) -> Floats:
    """Parts of a line that are within a rectangle, with rows of NaN between them.

    Every segment is cut by the algorithm of Liang & Barsky (1984, ACM Trans. Graph. 3, 1).

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Corners of the line.
    low, high : (float, float)
        Corners of the rectangle.

    Returns
    -------
    ndarray, shape (m, 2)
    """
    start, along = points[:-1], np.diff(points, axis=0)
    level = along == 0.0
    outside = np.where((start < low) | (start > high), np.inf, -np.inf)
    with np.errstate(all="ignore"):
        cuts = (np.stack([low, high])[:, None] - start) / along
    enter = np.where(level, outside, cuts.min(axis=0)).max(axis=1).clip(min=0.0)
    leave = np.where(level, -outside, cuts.max(axis=0)).min(axis=1).clip(max=1.0)
    kept = np.flatnonzero(enter < leave)
    if not kept.size:
        return np.empty((0, 2))
    ends = [start[kept] + t[kept, None] * along[kept] for t in (enter, leave)]
    parts = np.stack([*ends, np.full_like(ends[0], np.nan)], axis=1)
    goes_on = np.append((np.diff(kept) == 1) & (leave[kept[:-1]] == 1.0) & (enter[kept[1:]] == 0.0), False)
    # Of a segment that another one follows, the start only.
    rows = np.stack([np.ones_like(goes_on), ~goes_on, ~goes_on], axis=1)
    return parts[rows][:-1]


def draw_frames(ax: Axes, panels: Panels) -> None:
    """Draw the panels' frames and ticks, and label the outer ones."""
    import matplotlib as mpl
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.ticker import MaxNLocator

    velocities = _ticks(panels.low, panels.high, MaxNLocator(3, prune="both"))
    # The highest label would collide with the lowest one of the row above.
    densities = _ticks(0.0, panels.top, MaxNLocator(3, prune="upper"))
    frames, ticks = [], []
    text: dict[str, Any] = {"fontsize": FONT_SIZE, "color": mpl.rcParams["xtick.color"]}
    for k in range(panels.count):
        x0, y0 = panels.corner(k)
        x1, y1 = x0 + panels.width, y0 + panels.height
        frames.append([(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)])
        at, levels = panels.x(k, np.array(list(velocities))), panels.y(k, np.array(list(densities)))
        ticks += [[(x, y0), (x, y0 + _TICK)] for x in at] + [[(x0, y), (x0 + _TICK, y)] for y in levels]
        # With an incomplete last row, the lowest panel of the other columns carries the velocities.
        if k + panels.n_columns >= panels.count:
            for x, label in zip(at, velocities.values(), strict=True):
                # Those that stick out would run into other labels.
                if x0 <= x - _HALF_DIGIT * len(label) and x + _HALF_DIGIT * len(label) <= x1:
                    ax.text(x, y0 - _PAD, label, ha="center", va="top", **text)
        if k % panels.n_columns == 0:
            for y, label in zip(levels, densities.values(), strict=True):
                ax.text(x0 - _PAD, y, label, ha="right", va="center_baseline", **text)
    color: dict[str, Any] = {"facecolor": mpl.rcParams["axes.facecolor"], "zorder": -1}
    style: dict[str, Any] = {
        "color": mpl.rcParams["axes.edgecolor"],
        "linewidth": mpl.rcParams["axes.linewidth"],
        "zorder": 2.5,
        "clip_on": False,
    }
    for artist in (
        PolyCollection(frames, label="panels", **color),
        LineCollection(frames, label="frames", capstyle="projecting", joinstyle="miter", **style),
        LineCollection(ticks, label="ticks", **style),
    ):
        ax.add_collection(artist, autolim=False)


def _ticks(low: float, high: float, locator: Any) -> dict[float, str]:
    """Ticks within a range, with their labels."""
    from matplotlib.ticker import ScalarFormatter

    values = [float(value) for value in locator.tick_values(low, high) if low <= value <= high]
    formatter = ScalarFormatter(useOffset=False)
    formatter.set_scientific(False)
    formatter.create_dummy_axis()
    assert formatter.axis is not None
    formatter.axis.set_view_interval(low, high)
    return dict(zip(values, formatter.format_ticks(values), strict=True))
