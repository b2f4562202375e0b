"""Numbers of spatial bins, readable on the colours of their map."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from veldist._support.arrays import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_numbers", "ink"]

# Font sizes in points, and share of a bin's size that a digit is high.
_SMALLEST, _LARGEST, _SHARE = 3.0, 8.0, 0.45
# Beside marks there is room for what can be read in print.
_SMALLEST_BESIDE, _LARGEST_BESIDE = 5.0, 7.0
# Colours with more luminance than this have more contrast with black than with white.
_MIDDLE = np.sqrt(1.05 * 0.05) - 0.05


def ink(colors: Any) -> list[str]:
    """Black or white, whichever has more contrast with a colour.

    The contrast is that of the Web Content Accessibility Guidelines 2.1, (L1 + 0.05) / (L2 + 0.05) with L the
    relative luminance of sRGB colours.

    Parameters
    ----------
    colors : array_like, shape (n, 3) or (n, 4)
        Red, green, blue in 0..1, opaque.

    Returns
    -------
    list of str
        "black" or "white" for each.
    """
    coded = np.asarray(colors, dtype=np.float64)[:, :3]
    linear = np.where(coded <= 0.04045, coded / 12.92, ((coded + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return ["black" if bright else "white" for bright in luminance > _MIDDLE]


def draw_numbers(ax: Axes, anchors: Floats, sizes: Floats, colors: Any, *, beside: bool = False) -> None:
    """Write the number of every bin, from 1.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Axes of the map.
    anchors, sizes : ndarray, shape (n_bins, 2), (n_bins,)
        Places and sizes of the bins (arcsec), NaN for those without.
    colors : array_like, shape (n_bins, 4)
        Colours that the numbers are written on.
    beside : bool
        Write them beside their anchors, on the background.
    """
    from matplotlib.patheffects import withStroke

    # Points per arcsec, from the room that the axes have now.
    box = ax.get_window_extent()
    width, height = np.ptp(ax.get_xlim()), np.ptp(ax.get_ylim())
    scale = min(box.width / width, box.height / height) * 72.0 / ax.figure.dpi
    places = np.flatnonzero(np.isfinite(anchors).all(axis=1))
    inks = ink(colors)
    for k in places:
        text = str(k + 1)
        # Digits are about 0.6 of the font size wide.
        room = _SHARE * sizes[k] * scale * min(1.0, 2.0 / len(text))
        limits = (_SMALLEST_BESIDE, _LARGEST_BESIDE) if beside else (_SMALLEST, _LARGEST)
        size = float(np.clip(room, *limits))
        style: dict[str, Any] = {"ha": "center", "va": "center", "color": inks[k]}
        if beside:
            style = {"ha": "left", "va": "bottom", "color": "0.2"}
        drawn = ax.annotate(
            text,
            anchors[k],
            xytext=(2.5, 1.5) if beside else (0.0, 0.0),
            textcoords="offset points",
            fontsize=size,
            annotation_clip=True,
            zorder=4,
            **style,
        )
        drawn.set_in_layout(False)
        if not beside:
            # A rim of the bin's colour keeps hatches and borders off the digits.
            drawn.set_path_effects([withStroke(linewidth=0.25 * size, foreground=tuple(colors[k]))])
