"""Picture of an aperture: which pixel belongs to which bin, and where the stars are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.validate import check_finite, check_same_length, to_array
from veldist.figures.map import plot_map
from veldist.sky.pixels import PixelGrid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_aperture"]

# Light tints in the hues of Okabe & Ito (2008): stars and numbers show on them, and the colour-blind tell
# them apart; lines between bins do the rest.
_TINTS = ("#a6cfe8", "#f6cf8a", "#a8dcc4", "#f2b79a", "#e3bcd3", "#d9d9d9", "#f3eda5")
_AXIS_COLOR = "#b03000"


def plot_aperture(
    grid: PixelGrid,
    pixel_ids: Any,
    ax: Axes | None = None,
    *,
    x: Any = None,
    y: Any = None,
    numbers: bool = False,
) -> Axes:
    """Draw the pixels in the colours of their bins, no two neighbours alike.

    Parameters
    ----------
    grid : PixelGrid
        The aperture. Where its angle is not 0, an arrow shows the galaxy's major axis.
    pixel_ids : array_like of int, shape (ny, nx) or (nx * ny,)
        Bin of each pixel, x fastest, counted from 1; 0 where there is none.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    x, y : array_like or Quantity, shape (n_stars,), optional
        Positions of the stars (arcsec).
    numbers : bool
        Whether to write the bins' numbers.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If the ids are not integers, or do not fit the grid, or only one of x and y is given.
    """
    ids = np.asarray(pixel_ids)
    if ids.dtype.kind not in "iu":
        raise TypeError(f"pixel_ids must be integers, got dtype {ids.dtype}.")
    if ids.size != grid.nx * grid.ny or ids.min() < 0 or ids.max() < 1:
        raise ValueError(
            f"pixel_ids has {ids.size} values from {ids.min()} to {ids.max()} for {grid.ny} rows of "
            f"{grid.nx} pixels: pass one bin number, counted from 1 (0 for none), for each."
        )
    ids = ids.reshape(grid.ny, grid.nx)
    if (x is None) != (y is None):
        raise ValueError("x and y must be given together, or neither.")

    from matplotlib.colors import ListedColormap

    ax = plot_map(
        _tints(ids),
        grid,
        ids,
        ax,
        cmap=ListedColormap(_TINTS),
        vmin=-0.5,
        vmax=len(_TINTS) - 0.5,
        colorbar=None,
        numbers=numbers,
    )
    if x is not None:
        x, y = to_array(x, "x", "arcsec"), to_array(y, "y", "arcsec")
        check_same_length(x, y, "x", "y")
        check_finite(x, "x")
        check_finite(y, "y")
        # Many stars have to be smaller for their crowding to show.
        size = float(np.clip(60.0 / np.sqrt(x.size), 0.4, 3.0))
        limits = ax.get_xlim(), ax.get_ylim()
        ax.plot(x, y, ".", color="black", ms=size, mew=0, label=f"{x.size} stars", zorder=2.2)
        ax.set(xlim=limits[0], ylim=limits[1])
    if grid.angle_deg != 0.0:
        _major_axis(ax, grid, ids)
    n_bins, n_pixels = np.unique(ids[ids > 0]).size, int(np.count_nonzero(ids))
    ax.set_title(
        f"{n_bins} bins in {n_pixels} of {ids.size} pixels of {grid.dx:.3g} arcsec", fontsize="small"
    )
    return ax


def _tints(ids: NDArray[np.integer]) -> NDArray[np.float64]:
    """Colour of each bin, so that bins with a common side differ: the least used one that is free."""
    pairs = np.concatenate(
        [
            np.stack([ids[:, 1:].ravel(), ids[:, :-1].ravel()], axis=1),
            np.stack([ids[1:].ravel(), ids[:-1].ravel()], axis=1),
        ]
    )
    pairs = np.unique(np.sort(pairs[(pairs[:, 0] != pairs[:, 1]) & (pairs > 0).all(axis=1)], axis=1), axis=0)
    neighbours: dict[int, set[int]] = {int(k): set() for k in np.unique(ids[ids > 0])}
    for a, b in pairs.tolist():
        neighbours[a].add(b)
        neighbours[b].add(a)
    color: dict[int, int] = {}
    used = [0] * len(_TINTS)
    # Those with most neighbours choose first: scattered pixels can leave a bin more than six.
    for k in sorted(neighbours, key=lambda k: (-len(neighbours[k]), k)):
        taken = {color[j] for j in neighbours[k] if j in color}
        free = [c for c in range(len(_TINTS)) if c not in taken] or list(range(len(_TINTS)))
        color[k] = min(free, key=lambda c: (used[c], c))
        used[color[k]] += 1
    return np.array([float(color.get(k, np.nan)) for k in range(1, int(ids.max()) + 1)])


def _major_axis(ax: Axes, grid: PixelGrid, ids: NDArray[np.integer]) -> None:
    """Arrow along the galaxy's major axis, which is -angle_deg from the x axis, and its name in a corner."""
    angle = -np.radians(grid.angle_deg)
    reach = 0.42 * min(grid.x_size, grid.y_size)
    x, y = grid.x_start + 0.5 * grid.x_size, grid.y_start + 0.5 * grid.y_size
    dx, dy = reach * np.cos(angle), reach * np.sin(angle)
    ax.annotate(
        "",
        xy=(x + dx, y + dy),
        xytext=(x - dx, y - dy),
        arrowprops={"arrowstyle": "->", "color": _AXIS_COLOR, "linewidth": 1.2},
        zorder=2.4,
    )
    # Beside the arrow it would cover numbers: in the corner with the fewest pixels of bins it rarely does.
    upper, right = min(
        ((upper, right) for upper in (True, False) for right in (False, True)),
        key=lambda corner: _covered(ids, *corner),
    )
    ax.annotate(
        "major axis",
        xy=(float(right), float(upper)),
        xycoords="axes fraction",
        xytext=(-4.0 if right else 4.0, -4.0 if upper else 4.0),
        textcoords="offset points",
        color=_AXIS_COLOR,
        fontsize="small",
        ha="right" if right else "left",
        va="top" if upper else "bottom",
        zorder=2.5,
        bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.0},
    )


def _covered(ids: NDArray[np.integer], upper: bool, right: bool) -> int:
    """Number of pixels in bins in a corner, a third as wide and an eighth as high as the aperture."""
    ny, nx = max(ids.shape[0] // 8, 1), max(ids.shape[1] // 3, 1)
    rows = slice(-ny, None) if upper else slice(ny)
    columns = slice(-nx, None) if right else slice(nx)
    return int(np.count_nonzero(ids[rows, columns]))
