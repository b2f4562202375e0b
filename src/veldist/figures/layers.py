"""What figures of LOSVDs are made of: credible bands, truth, Gaussian, and the stars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from veldist._support.arrays import Floats
from veldist.models.losvd.observed import expected_fractions
from veldist.summaries.curves import Curve
from veldist.summaries.strip import density_percentiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BANDS",
    "BLUE",
    "CENTRAL",
    "DENSITY_LABEL",
    "GAUSSIAN",
    "RUG_STRIP",
    "TRUTH",
    "VELOCITY_LABEL",
    "VERMILLION",
    "Band",
    "check_central",
    "draw_band",
    "draw_bands",
    "draw_legend",
    "draw_legend_on_top",
    "draw_rug",
    "draw_star_histogram",
    "draw_truth",
    "shown_range",
    "star_bins",
]

# Of Okabe & Ito (2008), distinct from black, grey and each other for all readers.
BLUE, VERMILLION = "#0072B2", "#D55E00"
VELOCITY_LABEL = r"Line-of-sight velocity [km s$^{-1}$]"
DENSITY_LABEL = r"Probability density [(km s$^{-1}$)$^{-1}$]"
RUG_STRIP = 0.07
"""Share of the height below zero density that is set apart for the stars."""
CENTRAL = ("median", "mean")
GAUSSIAN: dict[str, Any] = {
    "color": "0.4",
    "linestyle": (0, (2.0, 1.6)),
    "linewidth": 1.1,
    "zorder": 1.9,
    "label": "best Gaussian",
}
"""Style of the Gaussian: dashes shorter than those of the truth."""
TRUTH: dict[str, Any] = {"color": "black", "linestyle": "--", "linewidth": 1.2, "zorder": 2.4}
"""Style of the truth."""

# What of the LOSVD may lie outside the part of a wide grid that is shown.
_OUTSIDE = 1e-3
# A grid is shown as a whole unless the LOSVD and the stars take less than this share of it.
_SMALL_SHARE = 0.5
# Velocities farther out than this many robust dispersions do not decide on histograms.
_FAR = 6.0
_QUARTILES_PER_SIGMA = 1.349
_FEWEST_BINS, _MOST_BINS = 6, 60
# Freedman and Diaconis take one broad peak for granted: up to so many bins where there are enough stars.
_STRUCTURE_BINS = 30


class Band(NamedTuple):
    """A credible band: percentiles of the draws, legend entry, opacity (it adds up where bands overlap)."""

    lower: float
    upper: float
    name: str
    opacity: float


BANDS = (Band(2.5, 97.5, "95 %", opacity=0.2), Band(16.0, 84.0, "68 %", opacity=0.3))


def check_central(central: str) -> None:
    """Raise `ValueError` for an unknown kind of central line."""
    if central not in CENTRAL:
        raise ValueError(f"central must be one of {list(CENTRAL)}, got {central!r}.")


def draw_bands(ax: Axes, edges: Floats, masses: Floats, color: str, label: str, central: str) -> None:
    """Draw the median or mean density, and `BANDS`."""
    sides = [side for band in BANDS for side in (band.lower, band.upper)]
    *limits, line = density_percentiles(masses, edges, (*sides, 50.0))
    for k, band in enumerate(BANDS):
        draw_band(ax, edges, limits[2 * k], limits[2 * k + 1], color, band.opacity, band.name, 1 + 0.1 * k)
    if central == "mean":
        line = masses.mean(axis=0) / np.diff(edges)
    ax.stairs(line, edges, color=color, linewidth=1.6, label=label, zorder=2)


def draw_band(
    ax: Axes, edges: Any, lower: Any, upper: Any, color: str, opacity: float, name: str, zorder: float
) -> None:
    """Fill the room between two histograms."""
    ax.stairs(
        upper,
        edges,
        baseline=lower,
        fill=True,
        color=color,
        alpha=opacity,
        linewidth=0,
        zorder=zorder,
        label=name,
    )


def draw_truth(ax: Axes, truth: Curve) -> None:
    """Draw the truth, dashed in black."""
    if truth.is_histogram:
        ax.stairs(truth.density, truth.velocity, label="true velocities", **TRUTH)
    else:
        ax.plot(truth.velocity, truth.density, label="true density", **TRUTH)


def draw_rug(ax: Axes, edges: Floats, vel: Floats, err: Floats | None, membership: Floats | None) -> None:
    """Ticks for the observed velocities in a strip below zero density, and the median error above it.

    Stars that are rather no members have fainter ticks, at the strip's lower end.
    """
    if membership is not None:
        members = membership > 0.5
        _draw_ticks(ax, vel[~members], "0.6", 0.2, f"{np.count_nonzero(~members)} of less")
        vel, err = vel[members], None if err is None else err[members]
    outside = int(np.count_nonzero((vel < edges[0]) | (vel > edges[-1])))
    what = "stars" if membership is None else "stars of membership > 0.5"
    name = f"{vel.size} {what}" + (f", {outside} outside the grid" if outside else "")
    across = ax.get_xaxis_transform()
    ax.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
    _draw_ticks(ax, vel, "black", 0.5, name)
    if err is not None and err.size:
        error = float(np.median(err))
        left, right = ax.get_xlim()
        center = left + 0.04 * (right - left) + error
        ax.plot(
            [center - error, center + error],
            [2.0 * RUG_STRIP] * 2,
            transform=across,
            color="0.35",
            marker="|",
            linewidth=1.2,
            label=f"median error $\\pm${error:.2g} km s$^{{-1}}$",
        )


def _draw_ticks(ax: Axes, vel: Floats, color: str, height: float, name: str) -> None:
    """Ticks at a height in the strip, as faint as their crowding wants.

    Where they are densest, about a 120th of all lie on each other.
    """
    if not vel.size:
        return
    ax.plot(
        vel,
        np.full(vel.size, height * RUG_STRIP),
        "|",
        transform=ax.get_xaxis_transform(),
        color=color,
        alpha=float(np.clip(1.0 - 0.1 ** (120.0 / vel.size), 0.015, 0.8)),
        markersize=7,
        markeredgewidth=0.8,
        label=name,
        # Thousands of ticks would make a vector graphic unwieldy.
        rasterized=vel.size > 2000,
    )


def draw_star_histogram(
    ax: Axes,
    edges: Floats,
    masses: Floats,
    vel: Floats,
    err: Floats | None,
    color: str,
    membership: Floats | None,
) -> None:
    """Histogram of the observed velocities and, given errors, what the mean LOSVD predicts with them.

    Both are densities on the velocity grid: normalised over what lies on it, of the members where not all
    are. The contaminants' part of the histogram stands upon the members'.
    """
    on_grid = (vel >= edges[0]) & (vel <= edges[-1])
    inside = vel[on_grid]
    share = np.ones(inside.size) if membership is None else membership[on_grid]
    name = f"{vel.size} stars, observed"
    if inside.size < vel.size:
        name += f", {vel.size - inside.size} outside the grid"
    if share.sum() > 0.0:
        likely = inside[share > 0.5]
        bins = star_bins(likely if likely.size else inside, *ax.get_xlim())
        if membership is not None:
            bins = _extended(bins, *ax.get_xlim())
        scale = 1.0 / (share.sum() * np.diff(bins))
        members, everyone = (np.histogram(inside, bins, weights=w)[0] * scale for w in (share, None))
        if membership is not None:
            name = f"{membership.sum():.0f} members observed"
            upper = f"{(1.0 - membership).sum():.0f} others"
            ax.stairs(
                everyone, bins, baseline=members, fill=True, color="0.93", hatch="////", edgecolor="0.75",
                linewidth=0.0, zorder=0.3, label=upper,
            )  # fmt: skip
        ax.stairs(members, bins, fill=True, color="0.85", zorder=0.4, label=name)
        ax.stairs(members, bins, color="0.65", linewidth=0.7, zorder=0.5)
    if err is not None:
        fine = np.linspace(*np.clip(ax.get_xlim(), edges[0], edges[-1]), 301)
        # Including the parts of the grid that are not shown, for the normalisation.
        fine = np.unique(np.concatenate([edges[:1], fine, edges[-1:]]))
        if membership is not None and (membership > 0.5).any():
            err = err[membership > 0.5]
        fractions = expected_fractions(fine, err, edges, masses.mean(axis=0, keepdims=True))[0]
        density = fractions / (fractions.sum() * np.diff(fine))
        ax.plot(
            0.5 * (fine[1:] + fine[:-1]),
            density,
            color=color,
            linewidth=0.9,
            linestyle=(0, (4.0, 1.2, 1.0, 1.2)),
            zorder=2.2,
            label="posterior mean with errors",
        )


def _extended(bins: Floats, low: float, high: float) -> Floats:
    """Bins of the same width on either side, as many as there is room for."""
    width = bins[1] - bins[0]
    left, right = (max(0, int(room / width)) for room in (bins[0] - low, high - bins[-1]))
    return bins[0] + width * np.arange(-left, bins.size + right)


def draw_legend(ax: Axes, order: Sequence[str]) -> None:
    """Legend with the entries whose labels begin as in ``order`` first."""
    handles, labels = ax.get_legend_handles_labels()
    first = [next((k for k, start in enumerate(order) if label.startswith(start)), 99) for label in labels]
    rank = np.argsort(first, kind="stable")
    legend = ax.legend(
        [handles[k] for k in rank],
        [labels[k] for k in rank],
        frameon=False,
        fontsize="x-small",
        handlelength=1.7,
    )
    for handle in legend.legend_handles:
        # The ticks of many stars are too faint to be seen one by one.
        if handle is not None and getattr(handle, "get_marker", lambda: None)() == "|":
            handle.set_alpha(0.8)


def draw_legend_on_top(ax: Axes) -> None:
    """Legend above the axes, where it hides nothing."""
    ax.legend(
        loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False, fontsize="x-small", borderpad=0.1
    )


def star_bins(vel: Floats, low: float, high: float) -> Floats:
    """Edges for a histogram of velocities within ``[low, high]``, without those far from the others.

    Bins are as wide as Freedman & Diaconis (1981, Z. Wahrsch. verw. Geb. 57, 453) have them, or narrower
    where there are stars enough to see more than one peak. The outermost reach half a bin beyond the stars.
    """
    q25, median, q75 = np.percentile(vel, [25.0, 50.0, 75.0])
    spread = (q75 - q25) / _QUARTILES_PER_SIGMA
    low, high = max(low, float(vel.min())), min(high, float(vel.max()))
    if spread > 0:
        low, high = max(low, median - _FAR * spread), min(high, median + _FAR * spread)
    if not high > low:
        # All stars that count have one velocity.
        return np.array([low - 0.5, low + 0.5])
    width = 2.0 * (q75 - q25) / np.cbrt(vel.size)
    wanted = max((high - low) / width if width > 0 else 0.0, min(np.sqrt(vel.size), _STRUCTURE_BINS))
    n_bins = int(np.clip(np.ceil(wanted), _FEWEST_BINS, _MOST_BINS))
    half = 0.5 * (high - low) / n_bins
    return np.linspace(low - half, high + half, n_bins + 2)


def shown_range(edges: Floats, masses: Floats, vel: Floats | None) -> tuple[float, float]:
    """Part of the grid to show: all of it, unless LOSVD and stars are lost in it."""
    cdf = np.cumsum(masses.mean(axis=0))
    first = int(np.searchsorted(cdf, _OUTSIDE))
    last = int(np.searchsorted(cdf, 1.0 - _OUTSIDE)) + 1
    low, high = edges[first], edges[min(last, edges.size - 1)]
    if vel is not None:
        stars = vel[(vel >= edges[0]) & (vel <= edges[-1])]
        low, high = min([low, *stars]), max([high, *stars])
    if high - low > _SMALL_SHARE * (edges[-1] - edges[0]):
        return float(edges[0]), float(edges[-1])
    margin = 0.15 * (high - low)
    return float(max(edges[0], low - margin)), float(min(edges[-1], high + margin))
