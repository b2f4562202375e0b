"""Map of what was measured in spatial bins, drawn as areas of a pixel map."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.path import Path

__all__ = ["HATCH", "plot_map"]

_SEQUENTIAL, _DIVERGING = "viridis", "RdBu_r"
_COLORBARS = ("right", "top")
# Leaning the other way than the hatches of skipped bins; a grey that shows on dark and light colours.
HATCH, _HATCH_COLOR = "\\\\\\\\", "0.45"


def plot_map(
    values: Any,
    grid: Any,
    ids: Any,
    ax: Axes | None = None,
    *,
    label: str | None = None,
    cmap: str | Colormap | None = None,
    diverging: bool = False,
    center: float | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    percentiles: tuple[float, float] = (0.0, 100.0),
    colorbar: str | None = "right",
    boundary_width: float | None = None,
    hatched: Any = None,
) -> Axes:
    """Draw one value per spatial bin as a map of areas.

    Parameters
    ----------
    values : array_like or Quantity, shape (n_bins,)
        One value per bin. Bins whose value is NaN (skipped) are light grey and hatched.
    grid : object
        The pixels: attributes ``x_start``, ``y_start`` (lower left corner, arcsec), ``x_size``, ``y_size``
        (full extent, arcsec), ``nx`` and ``ny``. The map is drawn in the frame of these pixels.
    ids : array_like of int, shape (ny, nx) or (nx * ny,)
        Bin of every pixel, x fastest, counted from 1; 0 where there is none (left blank).
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    label : str, optional
        Label of the colour bar, with the unit. By default the unit of ``values``, if they have one.
    cmap : str or matplotlib.colors.Colormap, optional
        Colour map; by default "viridis", or "RdBu_r" if diverging.
    diverging : bool
        Put ``center`` at the middle of the colour map, with limits at equal distances from it.
    center : float, optional
        Neutral value of a diverging map, 0 by default.
    vmin, vmax : float, optional
        Limits of the colours. In a diverging map one of them sets both.
    percentiles : (float, float)
        Percentiles of the values that set the limits that are not given. Colour bars are pointed
        where values lie beyond the limits.
    colorbar : {"right", "top", None}
        Where to put the colour bar.
    boundary_width : float, optional
        Width of the lines between bins, in points; by default thinner for more bins. 0 for none.
    hatched : array_like of bool (or of 0 and 1), shape (n_bins,), optional
        Bins to hatch on top of their colour, those dominated by the prior for instance.

    Returns
    -------
    matplotlib.axes.Axes

    Warns
    -----
    UserWarning
        If bins with a value have no pixel, so that the map cannot show them.

    Raises
    ------
    TypeError, ValueError
        If the shapes disagree, ids are not integers in 0..n_bins, values are infinite, ``center`` is given
        for a map that does not diverge, or the limits are contradictory.
    """
    if colorbar is not None and colorbar not in _COLORBARS:
        raise ValueError(f"colorbar must be one of {_COLORBARS} or None, got {colorbar!r}.")
    unit = getattr(values, "unit", None)
    if label is None:
        label = f"[{unit}]" if unit is not None else ""
    array = np.asarray(getattr(values, "value", values), dtype=np.float64)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"values must hold one number per bin, shape (n_bins,), got shape {array.shape}.")
    if np.any(np.isinf(array)):
        raise ValueError(
            f"values are infinite in {np.count_nonzero(np.isinf(array))} of {array.size} bins (first: bin "
            f"{np.flatnonzero(np.isinf(array))[0] + 1}): use NaN for bins without a value."
        )
    pixels = _pixel_ids(ids, grid, array.size)
    hidden = np.setdiff1d(np.flatnonzero(np.isfinite(array)) + 1, pixels)
    if hidden.size:
        warnings.warn(
            f"{hidden.size} of {array.size} bins have a value but no pixel in ids, so the map does not show "
            f"them (first: bin {hidden[0]}).",
            stacklevel=2,
        )
    marked = np.zeros(array.size, dtype=bool) if hatched is None else np.asarray(hatched)
    if marked.shape != array.shape or marked.dtype.kind not in "biu" or not np.isin(marked, (0, 1)).all():
        raise ValueError(
            f"hatched must hold one bool for each of the {array.size} bins, got shape {marked.shape} of "
            f"dtype {marked.dtype}: pass True (or 1) for bins to hatch, False (or 0) for the others."
        )
    marked = marked.astype(bool)
    low, high = _limits(array[np.isfinite(array)], diverging, center, vmin, vmax, percentiles)

    import matplotlib as mpl
    from matplotlib.collections import LineCollection
    from matplotlib.patches import PathPatch

    if ax is None:
        import matplotlib.pyplot as plt

        height = float(np.clip(3.4 * grid.y_size / grid.x_size, 1.2, 7.0))
        _, ax = plt.subplots(figsize=(4.8, 0.6 + height), layout="compressed")
    image = np.where(pixels > 0, np.append(np.nan, array)[pixels], np.nan)
    x_edges = grid.x_start + grid.x_size * np.arange(grid.nx + 1) / grid.nx
    y_edges = grid.y_start + grid.y_size * np.arange(grid.ny + 1) / grid.ny
    colors = mpl.colormaps[cmap] if isinstance(cmap, str) else cmap
    drawn = ax.imshow(
        np.ma.masked_invalid(image),
        cmap=colors or mpl.colormaps[_DIVERGING if diverging else _SEQUENTIAL],
        vmin=low,
        vmax=high,
        origin="lower",
        extent=(x_edges[0], x_edges[-1], y_edges[0], y_edges[-1]),
        interpolation="nearest",
    )
    skipped = _outline((pixels > 0) & np.isnan(image), x_edges, y_edges)
    # Hatched, because some colour maps have a grey of their own.
    ax.add_patch(PathPatch(skipped, facecolor="0.9", edgecolor="0.55", hatch="//////", linewidth=0, zorder=1))
    if marked.any():
        outline = _outline(np.append(False, marked & np.isfinite(array))[pixels], x_edges, y_edges)
        style = {"facecolor": "none", "edgecolor": _HATCH_COLOR, "hatch": HATCH, "linewidth": 0}
        ax.add_patch(PathPatch(outline, **style))
    if boundary_width is None:
        boundary_width = float(np.clip(6.0 / np.sqrt(array.size), 0.15, 0.5))
    if boundary_width > 0:
        lines = list(_boundaries(pixels, x_edges, y_edges))
        ax.add_collection(
            LineCollection(lines, colors="0.25", linewidths=boundary_width, capstyle="projecting")
        )
    ax.set_aspect("equal")
    ax.set_xlabel("x [arcsec]")
    ax.set_ylabel("y [arcsec]")
    if colorbar is not None:
        _add_colorbar(ax, drawn, label, colorbar, array, low, high)
    return ax


def _pixel_ids(ids: Any, grid: Any, n_bins: int) -> NDArray[np.intp]:
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
    return pixels.reshape(grid.ny, grid.nx).astype(np.intp)


def _limits(
    finite: NDArray[np.float64],
    diverging: bool,
    center: float | None,
    vmin: float | None,
    vmax: float | None,
    percentiles: tuple[float, float],
) -> tuple[float, float]:
    """Colour limits; of a diverging map, at equal distances from its centre."""
    if center is not None and not diverging:
        raise ValueError(f"center = {center} needs diverging=True.")
    low, high = np.percentile(finite, percentiles) if finite.size else (0.0, 1.0)
    if diverging:
        center = 0.0 if center is None else center
        given = [abs(limit - center) for limit in (vmin, vmax) if limit is not None]
        if len(given) == 2 and not np.isclose(given[0], given[1]):
            raise ValueError(
                f"vmin = {vmin} and vmax = {vmax} are not at equal distances from center = {center}: "
                "pass one of them."
            )
        reach = given[0] if given else max(abs(low - center), abs(high - center))
        low, high = center - reach, center + reach
    else:
        low, high = (low if vmin is None else vmin), (high if vmax is None else vmax)
    if low > high:
        raise ValueError(f"the colours would run from {low} down to {high}: pass vmin < vmax.")
    if low == high:
        # A constant map still needs a range of colours.
        margin = 0.5 * abs(low) or 0.5
        low, high = low - margin, high + margin
    return float(low), float(high)


def _boundaries(
    pixels: NDArray[np.intp], x_edges: NDArray[np.float64], y_edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pixel sides between different bins (and around all of them), (n, 2, 2)."""
    padded = np.pad(pixels, 1)
    row, column = np.nonzero(padded[1:-1, 1:] != padded[1:-1, :-1])
    x, y0, y1 = x_edges[column], y_edges[row], y_edges[row + 1]
    upright = np.stack([np.stack([x, y0], 1), np.stack([x, y1], 1)], 1)
    row, column = np.nonzero(padded[1:, 1:-1] != padded[:-1, 1:-1])
    y, x0, x1 = y_edges[row], x_edges[column], x_edges[column + 1]
    level = np.stack([np.stack([x0, y], 1), np.stack([x1, y], 1)], 1)
    return np.concatenate([upright, level])


def _outline(chosen: NDArray[np.bool_], x_edges: NDArray[np.float64], y_edges: NDArray[np.float64]) -> Path:
    """All chosen pixels as one path of rectangles."""
    from matplotlib.path import Path

    row, column = np.nonzero(chosen)
    x = np.stack([x_edges[column + k] for k in (0, 1, 1, 0, 0)], axis=1)
    y = np.stack([y_edges[row + k] for k in (0, 0, 1, 1, 0)], axis=1)
    corner = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
    return Path(np.stack([x, y], axis=2).reshape(-1, 2), np.tile(corner, row.size).astype(np.uint8))


def _add_colorbar(
    ax: Axes, drawn: Any, label: str, where: str, values: NDArray[np.float64], low: float, high: float
) -> None:
    """Colour bar as long as the map's side, pointed where values lie beyond the limits."""
    below, above = bool(np.nanmin(values, initial=low) < low), bool(np.nanmax(values, initial=high) > high)
    extend = {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[
        below, above
    ]
    from matplotlib.ticker import MaxNLocator

    # An inset follows the map's shape, which a colour bar of its own axes would not. Gap and thickness are
    # fractions of the mean side.
    width, height = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    thickness = 0.055 * np.sqrt(width * height) / (width if where == "right" else height)
    side = 1.0 + 0.6 * thickness
    box = (side, 0.0, thickness, 1.0) if where == "right" else (0.0, side, 1.0, thickness)
    bar = ax.figure.colorbar(
        drawn,
        cax=ax.inset_axes(box),
        orientation="vertical" if where == "right" else "horizontal",
        extend=extend,
        # Labels side by side need more room than labels above each other, and few digits.
        ticks=MaxNLocator(6 if where == "right" else 3, steps=[1, 2, 5, 10]),
    )
    if where == "top":
        bar.ax.xaxis.set_ticks_position("top")
        bar.ax.xaxis.set_label_position("top")
        bar.ax.tick_params(labelsize="small", pad=1)
    bar.set_label(label)
