"""Map of what was measured in spatial bins, drawn as areas of a pixel map or around the bins' centres."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.figures.colors import DRAWN, add_colorbar, check_norm, color_limits, limit_in, to_values, unit_of
from veldist.figures.numbers import draw_numbers
from veldist.figures.points import PointMarks
from veldist.figures.shapes import MapShapes, map_shapes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap, Normalize

__all__ = ["HATCH", "draw_map", "plot_map", "read_values"]

_SEQUENTIAL, _DIVERGING = "viridis", "RdBu_r"
_COLORBARS = ("right", "top")
# Leaning the other way than the hatches of skipped bins; a grey that shows on dark and light colours.
HATCH, _HATCH_COLOR = "\\\\\\\\", "0.45"


def plot_map(
    values: Any,
    grid: Any = None,
    ids: Any = None,
    ax: Axes | None = None,
    *,
    x: Any = None,
    y: Any = None,
    kind: str = "areas",
    margin: Any = None,
    label: str | None = None,
    cmap: str | Colormap | None = None,
    diverging: bool = False,
    center: Any = None,
    vmin: Any = None,
    vmax: Any = None,
    percentiles: tuple[float, float] = (0.0, 100.0),
    norm: Normalize | None = None,
    colorbar: str | None = "right",
    boundary_width: float | None = None,
    hatched: Any = None,
    numbers: bool = False,
) -> Axes:
    """Draw one value per spatial bin as a map.

    The bins are areas of pixels, if ``grid`` and ``ids`` are given; or, if ``x`` and ``y`` are, the Voronoi
    cells of their centres, or marks there. Voronoi cells need not be the bins' true shapes.

    Parameters
    ----------
    values : array_like or Quantity, shape (n_bins,)
        One value per bin. Bins whose value is NaN (skipped) are light grey and hatched.
    grid : object or mapping, optional
        The pixels: attributes or keys ``x_start``, ``y_start`` (lower left corner, arcsec), ``x_size``,
        ``y_size`` (full extent, arcsec), ``nx`` and ``ny``; `veldist.sky.binning.PixelGrid`, or
        ``voronoi_bin_metadata["aperture"]``. The map is drawn in the frame of these pixels.
    ids : array_like of int, shape (ny, nx) or (nx * ny,), optional
        Bin of every pixel, x fastest, counted from 1; 0 where there is none (left blank).
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    x, y : array_like or Quantity, shape (n_bins,), optional
        Centres of the bins (arcsec), instead of ``grid`` and ``ids``. They may be NaN for skipped bins,
        which are then not drawn.
    kind : {"areas", "points"}
        Whether centres stand for Voronoi cells or for marks.
    margin : float or Quantity, optional
        How far Voronoi cells reach beyond the convex hull of the centres (arcsec); by default half the
        median distance from the hull's corners to the nearest other centre.
    label : str, optional
        Label of the colour bar, with the unit. By default the unit of ``values``, if they have one.
    cmap : str or matplotlib.colors.Colormap, optional
        Colour map; by default "viridis", or "RdBu_r" if diverging.
    diverging : bool
        Put ``center`` at the middle of the colour map, with limits at equal distances from it.
    center : float or Quantity, optional
        Neutral value of a diverging map in the unit of ``values``, 0 by default.
    vmin, vmax : float or Quantity, optional
        Limits of the colours in the unit of ``values``. In a diverging map one of them sets both.
    percentiles : (float, float)
        Percentiles of the values that set the limits that are not given. Colour bars are pointed
        where values lie beyond the limits.
    norm : matplotlib.colors.Normalize, optional
        Limits and scale of the colours, instead of ``center``, ``vmin`` and ``vmax``; to share them between
        maps (see `veldist.plotting.common_norm`), or to make them logarithmic.
    colorbar : {"right", "top", None}
        Where to put the colour bar. Without one, `veldist.plotting.share_colorbar` draws one for several
        maps.
    boundary_width : float, optional
        Width of the lines between bins, in points; by default thinner for more bins. 0 for none.
    hatched : array_like of bool (or of 0 and 1), shape (n_bins,), optional
        Bins to hatch on top of their colour, those dominated by the prior for instance. Marks have a line
        through them instead.
    numbers : bool
        Write the bins' numbers, counted from 1, in black or white, whichever contrasts with the colour. They
        suit the size that the figure has when it is drawn.

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
        If the shapes disagree, ids are not integers in 0..n_bins, values are infinite, there are neither
        pixels nor centres or both, centres of bins with a value are NaN, or (as Voronoi cells) at the same
        position, ``center`` is given for a map that does not diverge, or the limits are contradictory.
    """
    from matplotlib.colors import Normalize

    unit = unit_of(values)
    if label is None:
        label = f"[{unit}]" if unit else ""
    array = read_values(values, "values", unit)
    finite = array[np.isfinite(array)]
    shapes = map_shapes(np.isfinite(array), grid, ids, x, y, kind, margin)
    if norm is None:
        given = (limit_in(unit, n, v) for n, v in (("center", center), ("vmin", vmin), ("vmax", vmax)))
        norm = Normalize(*color_limits(finite, diverging, *given, percentiles))
    elif center is not None or vmin is not None or vmax is not None:
        raise ValueError("norm sets the limits of the colours: leave center, vmin and vmax out.")
    else:
        norm = check_norm(norm, finite)
    return draw_map(
        array,
        shapes,
        ax,
        norm=norm,
        cmap=(_DIVERGING if diverging else _SEQUENTIAL) if cmap is None else cmap,
        label=label,
        colorbar=colorbar,
        hatched=hatched,
        boundary_width=boundary_width,
        numbers=numbers,
    )


def draw_map(
    values: Floats,
    shapes: MapShapes,
    ax: Axes | None,
    *,
    norm: Normalize,
    cmap: str | Colormap,
    label: str,
    colorbar: str | None,
    hatched: Any = None,
    boundary_width: float | None = None,
    numbers: bool = False,
) -> Axes:
    """Draw values of `read_values` in shapes of `veldist.figures.shapes.map_shapes`, else as `plot_map`.

    Maps of the same bins may share their shapes.
    """
    if colorbar is not None and colorbar not in _COLORBARS:
        raise ValueError(f"colorbar must be one of {_COLORBARS} or None, got {colorbar!r}.")
    marked = _marked(hatched, values.size)

    import matplotlib as mpl

    colors = mpl.colormaps[cmap] if isinstance(cmap, str) else cmap
    if ax is None:
        import matplotlib.pyplot as plt

        height = float(np.clip(3.4 * shapes.aspect, 1.2, 7.0))
        _, ax = plt.subplots(figsize=(4.8, 0.6 + height), layout="compressed")
    ax.set_aspect("equal")
    drawn: Any = shapes.draw(ax, values, colors, norm)
    drawn.set_label(DRAWN)
    if marked.any():
        shapes.mark(ax, marked & np.isfinite(values), HATCH, _HATCH_COLOR)
    if boundary_width is None:
        boundary_width = float(np.clip(6.0 / np.sqrt(values.size), 0.15, 0.5))
    if boundary_width > 0:
        shapes.draw_boundaries(ax, boundary_width)
    if numbers:
        grey = mpl.colors.to_rgba("0.9")
        written = np.where(np.isfinite(values)[:, None], colors(norm(np.nan_to_num(values))), grey)
        draw_numbers(ax, shapes.anchors, shapes.sizes, written, beside=isinstance(shapes, PointMarks))
    ax.set_xlabel("x [arcsec]")
    ax.set_ylabel("y [arcsec]")
    if colorbar is not None:
        add_colorbar(ax, drawn, label, colorbar, values[np.isfinite(values)])
    return ax


def read_values(values: Any, name: str, unit: str) -> Floats:
    """One value for each bin in the given unit, NaN for skipped bins.

    Raises
    ------
    TypeError, ValueError
        If they are not numbers, shape (n_bins,), are infinite, or of another unit.
    """
    array = to_values(values, name, unit)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must hold one number per bin, shape (n_bins,), got shape {array.shape}.")
    if np.any(np.isinf(array)):
        raise ValueError(
            f"{name} are infinite in {np.count_nonzero(np.isinf(array))} of {array.size} bins (first: bin "
            f"{np.flatnonzero(np.isinf(array))[0] + 1}): use NaN for bins without a value."
        )
    return array


def _marked(hatched: Any, n_bins: int) -> NDArray[np.bool_]:
    marked = np.zeros(n_bins, dtype=bool) if hatched is None else np.asarray(hatched)
    if marked.shape != (n_bins,) or marked.dtype.kind not in "biu" or not np.isin(marked, (0, 1)).all():
        raise ValueError(
            f"hatched must hold one bool for each of the {n_bins} bins, got shape {marked.shape} of "
            f"dtype {marked.dtype}: pass True (or 1) for bins to hatch, False (or 0) for the others."
        )
    return marked.astype(bool)
