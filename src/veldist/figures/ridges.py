"""LOSVDs along an axis or a radius: stacked, or as a position-velocity image."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.percentiles import percentiles
from veldist._support.validate import check_finite, to_array, to_float
from veldist.figures.layers import BLUE, DENSITY_LABEL, VELOCITY_LABEL, VERMILLION, check_central, draw_band
from veldist.fits.draws import check_fits, fit_draws
from veldist.summaries.moments import histogram_cdf, histogram_percentile
from veldist.summaries.strip import Strip, strip_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_ridge"]

_KINDS = ("ridge", "image")
_BAND_OPACITY = 0.45
_MOST_LABELS = 16
_MOST_RIDGES = 60


class _Row(NamedTuple):
    """LOSVD at one coordinate, and percentiles 16, 50 and 84 of the draws' median velocity (km/s)."""

    coordinate: float
    strip: Strip
    median: Floats


def plot_ridge(
    solvers: Sequence[Any],
    coordinate: Any,
    ax: Axes | None = None,
    *,
    kind: str = "ridge",
    label: str = "Position along the axis [arcsec]",
    systemic: Any = None,
    central: str = "median",
    overlap: float = 1.5,
    color: str = BLUE,
    cmap: str = "cividis",
) -> Axes:
    """Draw LOSVDs along a coordinate, lowest value at the bottom.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin.
    coordinate : array_like or Quantity, shape (n_bins,)
        Where each bin is (arcsec): its position along the rotation axis, its radius. Those of skipped bins
        are not looked at.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    kind : {"ridge", "image"}
        Densities with their 68 % bands, one above the other at even distances whatever the coordinates; or an
        image of the density, velocity along x and coordinate along y, each bin reaching half-way to its
        neighbours. In both, a mark at the median velocity of every bin, in the image with the 68 % interval.
    label : str
        Label of the coordinate.
    systemic : float or Quantity, optional
        Systemic velocity (km/s), a dotted line; by default the median of the bins' median velocities.
    central : {"median", "mean"}
        What of the draws is the line, or the colour.
    overlap : float
        Height of the highest density in units of the distance between ridges, > 0.
    color : str
        Colour of the ridges.
    cmap : str
        Colour map of the image.

    Returns
    -------
    matplotlib.axes.Axes

    Warns
    -----
    UserWarning
        If there are more ridges than can be told apart.

    Raises
    ------
    TypeError, ValueError
        If there is nothing to draw, a solver has not been run, there is not one coordinate for each solver,
        an option is out of range, or two bins of an image have the same coordinate.
    """
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {list(_KINDS)}, got {kind!r}.")
    check_central(central)
    if not to_float(overlap, "overlap", "") > 0:
        raise ValueError(f"overlap must be positive, got {overlap}.")
    rows = _rows(solvers, coordinate, kind)
    if kind == "ridge" and len(rows) > _MOST_RIDGES:
        warnings.warn(
            f"{len(rows)} ridges are more than can be told apart (about {_MOST_RIDGES}): use kind='image', "
            "or pass fewer solvers.",
            stacklevel=2,
        )
    middle = [row.median[1] for row in rows]
    center = float(np.median(middle)) if systemic is None else to_float(systemic, "systemic", "km/s")
    if ax is None:
        import matplotlib.pyplot as plt

        height = float(np.clip(1.0 + 0.3 * len(rows), 3.2, 8.0)) if kind == "ridge" else 4.2
        _, ax = plt.subplots(figsize=(4.6, height), layout="constrained")
    if kind == "ridge":
        _draw_ridges(ax, rows, central, overlap, color)
    else:
        _draw_image(ax, rows, central, cmap)
    line = {"ridge": "0.45", "image": "white"}[kind]
    ax.axvline(
        center, color=line, linestyle=":", linewidth=1.0, zorder=2 if kind == "image" else len(rows) + 1.9
    )
    low, high = min(row.strip.reach[0] for row in rows), max(row.strip.reach[2] for row in rows)
    ax.set_xlim(min(low, center), max(high, center))
    ax.set_xlabel(VELOCITY_LABEL)
    ax.set_ylabel(label)
    return ax


def _rows(solvers: Sequence[Any], coordinate: Any, kind: str) -> list[_Row]:
    """Solved bins by ascending coordinate."""
    position = to_array(coordinate, "coordinate", "arcsec")
    if position.size != len(solvers):
        raise ValueError(
            f"coordinate has {position.size} values, but there are {len(solvers)} solvers: pass one each."
        )
    rows, positions = [], []
    for i, fit in enumerate(check_fits(solvers)):
        if fit is None:
            continue
        masses, edges = fit_draws(fit, i)
        medians = histogram_percentile(histogram_cdf(masses), edges, 0.5)
        # The draws themselves are not kept: those of thousands of bins would fill the memory.
        row = _Row(
            float(position[i]), strip_of(masses, edges, i + 1), percentiles(medians, (16.0, 50.0, 84.0))
        )
        rows.append(row)
        positions.append(position[i])
    if not rows:
        raise ValueError(f"solvers holds no solved bin (of {len(solvers)}): there is nothing to draw.")
    check_finite(np.array(positions), "coordinate")
    rows.sort(key=lambda row: row.coordinate)
    if kind == "image":
        same = np.diff([row.coordinate for row in rows]) == 0.0
        if same.any():
            where = rows[int(np.argmax(same))].coordinate
            raise ValueError(
                f"{int(same.sum()) + 1} or more bins share coordinates (first: {where:g}), so that an image "
                "has no room for them: leave one at each coordinate, or use kind='ridge'."
            )
    return rows


def _draw_ridges(ax: Axes, rows: Sequence[_Row], central: str, overlap: float, color: str) -> None:
    """One density above the other, each hiding what is behind it."""
    from matplotlib.ticker import ScalarFormatter as Formatter

    lines = [row.strip.line(central) for row in rows]
    unit = overlap / max(float(line.max()) for line in lines)
    top = 0.0
    for k, (row, line) in enumerate(zip(rows, lines, strict=True)):
        edges, lower, upper = row.strip.edges, row.strip.lower, row.strip.upper
        # Lower ridges are in front.
        z = 1.0 + (len(rows) - k)
        draw_band(ax, edges, k, k + unit * upper, "white", 1.0, "", z)
        draw_band(ax, edges, k + unit * lower, k + unit * upper, color, _BAND_OPACITY, "", z + 0.2)
        ax.stairs(k + unit * line, edges, baseline=None, color=color, linewidth=1.1, zorder=z + 0.3)
        ax.plot([edges[0], edges[-1]], [k, k], color="0.7", linewidth=0.5, zorder=z + 0.1)
        top = max(top, k + unit * float(upper.max()))
    front = len(rows) + 2.0
    ax.plot(
        [row.median[1] for row in rows],
        np.arange(len(rows)),
        "o",
        color=VERMILLION,
        markersize=4,
        markeredgecolor="white",
        markeredgewidth=0.7,
        zorder=front,
        clip_on=False,
    )
    step = -(-len(rows) // _MOST_LABELS)
    shown = range(0, len(rows), step)
    # Minus signs as in the labels of the velocities.
    names = _names(np.array([row.coordinate for row in rows]))
    ax.set_yticks(list(shown), [Formatter.fix_minus(names[k]) for k in shown])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(-0.15, top + 0.15)
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)


def _names(coordinates: Floats) -> list[str]:
    """Coordinates to a thousandth of their range."""
    close = max(1e-3 * float(np.ptp(coordinates)), 1e-3)
    decimals = next(d for d in range(4) if np.all(np.abs(coordinates - coordinates.round(d)) <= close))
    return [f"{value:.{decimals}f}" for value in coordinates]


def _draw_image(ax: Axes, rows: Sequence[_Row], central: str, cmap: str) -> None:
    """Density by colour, and the median velocities with their 68 % intervals."""
    position = np.array([row.coordinate for row in rows])
    # A bin alone has no neighbour to reach half-way to.
    half = 0.5 * np.diff(position) if position.size > 1 else np.array([0.5])
    between = position[:-1] + half[: position.size - 1]
    bounds = np.concatenate([[position[0] - half[0]], between, [position[-1] + half[-1]]])
    densities = [row.strip.line(central) for row in rows]
    peak = max(float(density.max()) for density in densities)
    for row, density, low, high in zip(rows, densities, bounds[:-1], bounds[1:], strict=True):
        image = ax.pcolormesh(
            row.strip.edges, [low, high], density[None, :], cmap=cmap, vmin=0.0, vmax=peak, rasterized=True
        )
    p16, p50, p84 = np.transpose([row.median for row in rows])
    ax.errorbar(
        p50,
        position,
        xerr=[p50 - p16, p84 - p50],
        fmt="o",
        markersize=3,
        linewidth=1.0,
        color="white",
        markeredgecolor="black",
        markeredgewidth=0.6,
        zorder=3,
    )
    ax.set_facecolor(image.get_cmap()(0.0))
    ax.set_ylim(bounds[0], bounds[-1])
    ax.figure.colorbar(image, ax=ax, label=DENSITY_LABEL, pad=0.02)
