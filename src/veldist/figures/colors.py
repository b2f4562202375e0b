"""Colours of maps: limits, colour bars, and what several maps share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.validate import to_float, to_numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Normalize

__all__ = [
    "DRAWN",
    "add_colorbar",
    "check_norm",
    "color_limits",
    "common_norm",
    "limit_in",
    "share_colorbar",
    "unit_of",
]

DRAWN = "_veldist_map"
"""Label of the artist that holds a map's values (not in legends, because of the underscore)."""


def common_norm(
    *values: Any,
    diverging: bool = False,
    center: float | None = None,
    vmin: float | None = None,
    vmax: float | None = None,
    percentiles: tuple[float, float] = (0.0, 100.0),
) -> Normalize:
    """Colour limits that suit several maps at once, for the ``norm`` of `veldist.plotting.plot_map`.

    Parameters
    ----------
    *values : array_like or Quantity
        Values of the maps, NaN for skipped bins. The limits are in the unit of the first that has one, to
        which the others are converted; plain numbers are taken to be in it.
    diverging, center, vmin, vmax, percentiles
        As for `veldist.plotting.plot_map`, with the percentiles those of all values together.

    Returns
    -------
    matplotlib.colors.Normalize

    Raises
    ------
    ValueError
        If there are no values, their units cannot be converted, or as `veldist.plotting.plot_map`.
    """
    from matplotlib.colors import Normalize

    if not values:
        raise ValueError("common_norm needs the values of at least one map.")
    unit = next(filter(None, map(unit_of, values)), "")
    plain = [to_values(v, f"values of map {k}", unit) for k, v in enumerate(values, start=1)]
    together = np.concatenate([np.ravel(v) for v in plain])
    finite = together[np.isfinite(together)]
    limits = (limit_in(unit, n, v) for n, v in (("center", center), ("vmin", vmin), ("vmax", vmax)))
    return Normalize(*color_limits(finite, diverging, *limits, percentiles))


def to_values(values: Any, name: str, unit: str) -> Floats:
    """What is drawn, as numbers in the given unit; truth values are 0 and 1.

    Raises
    ------
    TypeError, ValueError
        As `veldist._support.validate.to_numbers`.
    """
    if getattr(getattr(values, "dtype", None), "kind", "") == "b":
        values = np.asarray(values, dtype=np.float64)
    return to_numbers(values, name, unit)


def unit_of(values: Any) -> str:
    """Unit of a quantity, or of a list of quantities; empty if there is none."""
    if isinstance(values, list | tuple) and len(values):
        values = values[0]
    unit = getattr(values, "unit", None)
    return "" if unit is None else str(unit)


def limit_in(unit: str, name: str, value: Any) -> float | None:
    """A limit of the colours (a number or a quantity) in the unit of the values; None stays None.

    Raises
    ------
    TypeError, ValueError
        If it is not a finite number, or its unit is of another kind.
    """
    return None if value is None else to_float(value, name, unit)


def share_colorbar(axes: Any, label: str = "", *, where: str = "right") -> Colorbar:
    """Draw one colour bar for several maps.

    Parameters
    ----------
    axes : matplotlib.axes.Axes, or array_like of them
        Axes in which `veldist.plotting.plot_map` has drawn with ``colorbar=None``, of one figure and with the
        same colours: pass them the same ``norm`` (see `common_norm`), or ``vmin`` and ``vmax``.
    label : str
        Label of the colour bar, with the unit.
    where : {"right", "left", "top", "bottom"}
        On which side of the axes. Room is made for it: best in figures with ``layout="compressed"``.

    Returns
    -------
    matplotlib.colorbar.Colorbar

    Raises
    ------
    TypeError
        If something else than axes is passed.
    ValueError
        If there is no map in some of the axes, or their colours differ.
    """
    from matplotlib.axes import Axes

    if where not in ("right", "left", "top", "bottom"):
        raise ValueError(f"where must be 'right', 'left', 'top' or 'bottom', got {where!r}.")
    panels = [axes] if isinstance(axes, Axes) else np.ravel(np.asarray(axes, dtype=object)).tolist()
    if not panels or not all(isinstance(ax, Axes) for ax in panels):
        raise TypeError(f"axes must be matplotlib Axes that plot_map has drawn in, got {axes!r}.")
    drawn = [_drawn(ax, k) for k, ax in enumerate(panels)]
    first = drawn[0]
    for k, other in enumerate(drawn):
        if other.cmap != first.cmap or other.get_clim() != first.get_clim():
            raise ValueError(
                f"the maps' colours differ: axes[0] run over {first.cmap.name} from "
                f"{first.get_clim()[0]:.6g} to {first.get_clim()[1]:.6g}, axes[{k}] over {other.cmap.name} "
                f"from {other.get_clim()[0]:.6g} to {other.get_clim()[1]:.6g}. Pass plot_map the same "
                "cmap and norm=common_norm(values, other_values)."
            )
    held = np.concatenate([np.ma.compressed(np.ma.asarray(artist.get_array())) for artist in drawn])
    bar = panels[0].figure.colorbar(
        first, ax=panels, location=where, extend=_extend(held, first.norm), label=label, pad=0.02
    )
    bar.solids.set_edgecolor("face")
    return bar


def color_limits(
    finite: Floats,
    diverging: bool,
    center: float | None,
    vmin: float | None,
    vmax: float | None,
    percentiles: tuple[float, float],
) -> tuple[float, float]:
    """Colour limits; of a diverging map, at equal distances from its centre.

    Parameters
    ----------
    finite : ndarray
        Values without NaN.
    diverging, center, vmin, vmax, percentiles
        As for `veldist.plotting.plot_map`.

    Raises
    ------
    ValueError
        If the limits are contradictory.
    """
    if center is not None and not diverging:
        raise ValueError(f"center = {center} needs diverging=True.")
    low, high = np.percentile(finite, percentiles) if finite.size else (0.0, 1.0)
    if diverging:
        center = 0.0 if center is None else center
        for name, limit, wrong in (("vmin", vmin, "below"), ("vmax", vmax, "above")):
            if limit is not None and (limit >= center if wrong == "below" else limit <= center):
                raise ValueError(
                    f"{name} = {limit} is not {wrong} center = {center}, around which the colours diverge: "
                    f"pass {name} {wrong} it, another center, or diverging=False."
                )
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


def check_norm(norm: Any, finite: Floats) -> Normalize:
    """Check a norm given by the user, and set those of its limits that are not set.

    Raises
    ------
    TypeError
        If it is not a norm.
    ValueError
        If it has no colour for some value.
    """
    from matplotlib.colors import Normalize

    if not isinstance(norm, Normalize):
        raise TypeError(f"norm must be a matplotlib.colors.Normalize, got {type(norm).__name__}.")
    norm.autoscale_None(finite)
    lost = np.ma.getmaskarray(np.ma.asarray(norm(finite)))
    if lost.any():
        raise ValueError(
            f"{type(norm).__name__} has no colour for {np.count_nonzero(lost)} of {finite.size} values "
            f"(first: {finite[np.argmax(lost)]:.6g}): use another norm, or NaN for these bins."
        )
    return norm


def add_colorbar(ax: Axes, drawn: ScalarMappable, label: str, where: str, values: Floats) -> None:
    """Draw a colour bar as long as the map's side, pointed where values lie beyond the limits.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes of the map, whose limits are set.
    drawn : matplotlib.cm.ScalarMappable
        What holds the map's colours.
    label : str
        Label with the unit.
    where : {"right", "top"}
        Side of the map.
    values : ndarray
        The map's values without NaN.
    """
    from matplotlib.ticker import MaxNLocator

    # An inset follows the map's shape, which a colour bar of its own axes would not. Gap and thickness are
    # fractions of the mean side.
    width, height = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    thickness = 0.055 * np.sqrt(width * height) / (width if where == "right" else height)
    side = 1.0 + 0.6 * thickness
    box = (side, 0.0, thickness, 1.0) if where == "right" else (0.0, side, 1.0, thickness)
    ticks = None
    if type(drawn.norm) is _linear():
        # Labels side by side need more room than labels above each other, and few digits.
        ticks = MaxNLocator(6, steps=[1, 2, 5, 10])
        if where == "top":
            ticks = MaxNLocator(3, steps=[1, 2, 3, 4, 5, 10])
    bar = ax.figure.colorbar(
        drawn,
        cax=ax.inset_axes(box),
        orientation="vertical" if where == "right" else "horizontal",
        extend=_extend(values, drawn.norm),
        ticks=ticks,
    )
    if where == "top":
        bar.ax.xaxis.set_ticks_position("top")
        bar.ax.xaxis.set_label_position("top")
        bar.ax.tick_params(labelsize="small", pad=1)
    bar.set_label(label)


def _linear() -> type:
    from matplotlib.colors import Normalize

    return Normalize


def _extend(values: Floats, norm: Any) -> str:
    """Which ends of a colour bar are pointed."""
    below = bool(values.min(initial=norm.vmin) < norm.vmin)
    above = bool(values.max(initial=norm.vmax) > norm.vmax)
    return {(False, False): "neither", (True, False): "min", (False, True): "max", (True, True): "both"}[
        below, above
    ]


def _drawn(ax: Axes, index: int) -> ScalarMappable:
    """The latest map in some axes."""
    artists: Iterable[Any] = [*ax.images, *ax.collections]
    found = [artist for artist in artists if artist.get_label() == DRAWN]
    if not found:
        raise ValueError(f"axes[{index}] hold no map: draw them with plot_map first.")
    return cast("ScalarMappable", found[-1])
