"""Figure of one LOSVD: posterior, truth where it is known, and the stars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from veldist.validate import (
    check_finite,
    check_positive,
    check_same_length,
    to_array,
    to_masses,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BLUE", "DENSITY_LABEL", "VELOCITY_LABEL", "Band", "draw_bands", "plot_losvd"]

# Blue of Okabe & Ito (2008), distinct from black and grey for all readers.
BLUE = "#0072B2"
VELOCITY_LABEL = r"Line-of-sight velocity [km s$^{-1}$]"
DENSITY_LABEL = r"Probability density [(km s$^{-1}$)$^{-1}$]"
# Share of the height below zero density that is set apart for the stars.
_RUG_STRIP = 0.07


class Band(NamedTuple):
    """A credible band: percentiles of the draws, legend entry, opacity (it adds up where bands overlap)."""

    lower: float
    upper: float
    name: str
    opacity: float


def plot_losvd(
    edges: Any,
    pdf_samples: Any,
    ax: Axes | None = None,
    true_intrinsic: Any | Callable[[NDArray[np.float64]], Any] | None = None,
    vel: Any = None,
    err: Any = None,
    *,
    color: str = BLUE,
    label: str = "posterior median",
    legend: bool = True,
) -> Axes:
    """Draw the posterior of an LOSVD: median, 68 % and 95 % credible bands.

    Parameters
    ----------
    edges : array_like or Quantity, shape (n_bins + 1,)
        Edges of the velocity bins (km/s), ascending.
    pdf_samples : array_like, shape (n_draws, n_bins)
        Posterior draws, probability mass per bin; rows sum to 1. They are drawn as densities, mass divided by
        bin width.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    true_intrinsic : callable or array_like or Quantity, optional
        The truth, where it is known. A function of velocity (km/s) that returns the density (per km/s)
        is drawn as a line; true velocities of the stars (km/s) as their histogram in the same bins,
        normalised over the stars within the grid.
    vel : array_like or Quantity, shape (n_stars,), optional
        Observed velocities (km/s), drawn as ticks along the bottom. The legend says how many are outside the
        grid.
    err : array_like or Quantity, shape (n_stars,), optional
        Errors of ``vel`` (km/s, 1 sigma); their median is drawn as an error bar.
    color : str
        Colour of the posterior.
    label : str
        Legend entry of the median.
    legend : bool
        Whether to draw the legend.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If the edges are not ascending, the draws are not masses per bin (see
        `veldist.analysis.summary_draws`), or the truth, velocities or errors are unusable.
    """
    edges = _ascending(edges)
    masses = to_masses(pdf_samples, "pdf_samples", np.diff(edges))
    if err is not None and vel is None:
        raise ValueError("err was given without vel: pass the velocities that the errors belong to.")
    truth = None if true_intrinsic is None else _truth(true_intrinsic, edges)
    if vel is not None:
        vel = to_array(vel, "vel", "km/s")
        check_finite(vel, "vel")
    if err is not None:
        err = to_array(err, "err", "km/s")
        check_same_length(vel, err, "vel", "err")
        check_finite(err, "err")
        check_positive(err, "err", "errors are standard deviations.")

    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
    draw_bands(
        ax,
        edges,
        masses,
        color,
        (Band(2.5, 97.5, "95 %", opacity=0.2), Band(16.0, 84.0, "68 %", opacity=0.3)),
        label=label,
        linewidth=1.6,
    )
    if truth is not None:
        x, density, name = truth
        style: dict[str, Any] = {"color": "black", "linestyle": "--", "linewidth": 1.2, "label": name}
        if callable(true_intrinsic):
            ax.plot(x, density, **style)
        else:
            ax.stairs(density, x, **style)
    if vel is not None:
        _draw_stars(ax, edges, vel, err)
    ax.set_xlim(edges[0], edges[-1])
    top = ax.get_ylim()[1]
    # auto=None leaves autoscaling on for what the caller adds later.
    ax.set_ylim(0.0 if vel is None else -top * _RUG_STRIP / (1.0 - _RUG_STRIP), top, auto=None)
    ax.set_xlabel(VELOCITY_LABEL)
    ax.set_ylabel(DENSITY_LABEL)
    if legend:
        ax.legend(frameon=False, fontsize="small")
    return ax


def draw_bands(
    ax: Axes,
    edges: NDArray[np.float64],
    masses: NDArray[np.float64],
    color: str,
    bands: Sequence[Band],
    label: str,
    linewidth: float,
) -> NDArray[np.float64]:
    """Draw the median density and credible bands, widest first; return the last band's upper limit."""
    density = masses / np.diff(edges)
    upper = density
    for k, band in enumerate(bands):
        lower, upper = np.percentile(density, [band.lower, band.upper], axis=0)
        ax.stairs(
            upper,
            edges,
            baseline=lower,
            fill=True,
            color=color,
            alpha=band.opacity,
            linewidth=0,
            zorder=1 + 0.1 * k,
            label=band.name,
        )
    ax.stairs(np.median(density, axis=0), edges, color=color, linewidth=linewidth, label=label, zorder=2)
    return upper


def _draw_stars(
    ax: Axes, edges: NDArray[np.float64], vel: NDArray[np.float64], err: NDArray[np.float64] | None
) -> None:
    """Ticks for the observed velocities in a strip below zero density, and the median error above it."""
    outside = int(np.count_nonzero((vel < edges[0]) | (vel > edges[-1])))
    name = f"{vel.size} stars" + (f", {outside} outside the grid" if outside else "")
    across = ax.get_xaxis_transform()
    # Many ticks have to be fainter for their crowding to show.
    opacity = float(np.clip(8.0 / np.sqrt(vel.size), 0.15, 0.8))
    ax.axhline(0.0, color="0.6", linewidth=0.6, zorder=0)
    height = np.full(vel.size, 0.5 * _RUG_STRIP)
    ax.plot(
        vel,
        height,
        "|",
        transform=across,
        color="black",
        alpha=opacity,
        markersize=7,
        markeredgewidth=0.8,
        label=name,
    )
    if err is not None:
        error = float(np.median(err))
        center = edges[0] + 0.04 * (edges[-1] - edges[0]) + error
        ax.plot(
            [center - error, center + error],
            [2.0 * _RUG_STRIP] * 2,
            transform=across,
            color="0.35",
            marker="|",
            linewidth=1.2,
            label=f"median error $\\pm${error:.3g} km s$^{{-1}}$",
        )


def _truth(
    true_intrinsic: Any, edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], str]:
    """Abscissae (or bin edges), density and name of the true LOSVD."""
    if callable(true_intrinsic):
        velocity = np.linspace(edges[0], edges[-1], max(400, 10 * edges.size))
        density = np.asarray(true_intrinsic(velocity), dtype=np.float64)
        if density.shape != velocity.shape:
            raise ValueError(
                f"true_intrinsic returned shape {density.shape} for velocities of shape {velocity.shape}: "
                "it must accept an array of velocities (km/s) and return one density for each."
            )
        check_finite(density, "true_intrinsic(velocity)")
        return velocity, density, "true density"
    velocity = to_array(true_intrinsic, "true_intrinsic", "km/s")
    check_finite(velocity, "true_intrinsic")
    counts, _ = np.histogram(velocity, edges)
    if counts.sum() == 0:
        raise ValueError(
            f"none of the {velocity.size} velocities of true_intrinsic lies on the grid, "
            f"{edges[0]} to {edges[-1]} km/s (they span {velocity.min()} to {velocity.max()}): "
            "pass velocities, or a density function."
        )
    return edges, counts / (counts.sum() * np.diff(edges)), "true velocities"


def _ascending(edges: Any) -> NDArray[np.float64]:
    array = to_array(edges, "edges", "km/s")
    if array.size < 2 or not np.all(np.diff(array) > 0) or not np.all(np.isfinite(array)):
        raise ValueError(f"edges must be at least two finite, ascending velocities, got {array}.")
    return array
