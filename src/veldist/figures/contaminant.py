"""Figure of members and contaminants: the velocities of all stars and what was learnt of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.stars import read_stars
from veldist.figures.layers import BLUE, DENSITY_LABEL, VERMILLION, draw_legend_on_top
from veldist.models.contaminants import Contaminant, ContaminantDensity, member_frame

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_contaminant"]

# Percentiles of the stars that the figure reaches from and to, and beyond the members so many dispersions.
_REACH, _DISPERSIONS = (0.5, 99.5), 5.0
# Bins in a dispersion of the members as observed, and the most of all.
_PER_DISPERSION, _MOST_BINS = 2.0, 120
# Errors stand for all: so many percentiles of them.
_ERRORS = 21
_POINTS = 601


class _Members(NamedTuple):
    """Mean and dispersion of the members (km/s), their share, and how they were found."""

    v: float
    sigma: float
    share: float
    label: str


def plot_contaminant(
    contaminant: ContaminantDensity,
    vel: Any,
    err: Any,
    ax: Axes | None = None,
    *,
    log: bool = False,
    legend: bool = True,
) -> Axes:
    """Draw the velocities of all stars, the members' Gaussian, the contaminant's part, and their sum.

    All are convolved with the stars' errors, as the histogram is.

    Parameters
    ----------
    contaminant : Contaminant or any other ContaminantDensity
        What `Contaminant.learn` found, or a density that is given. If it has no members, they are fitted as
        one Gaussian beside it.
    vel, err : array_like or Quantity, shape (n_stars,)
        Velocities of the stars and their 1-sigma errors (km/s); a single error serves all.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    log : bool
        Whether densities are on a logarithmic scale, on which few contaminants are seen as well.
    legend : bool
        Whether to draw the legend.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If the contaminant has no method ``density``, or velocities or errors are unusable.
    """
    if not isinstance(contaminant, ContaminantDensity):
        raise TypeError(
            f"contaminant must have a method density(vel, err), got {type(contaminant).__name__}: pass a "
            "Contaminant."
        )
    vel, err = read_stars(vel, err)
    members = _members(contaminant, vel, err)
    edges = _edges(members, vel, float(np.median(err)))
    fine = np.linspace(edges[0], edges[-1], _POINTS)
    inside = members.share * _typical(Contaminant.gaussian(members.v, members.sigma), fine, err)
    outside = (1.0 - members.share) * _typical(contaminant, fine, err)

    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
    counts, _ = np.histogram(vel, edges)
    density = counts / (vel.size * np.diff(edges))
    beyond = vel.size - int(counts.sum())
    name = f"{vel.size:,} stars" + (f", {beyond:,} farther out" if beyond else "")
    ax.stairs(density, edges, fill=True, color="0.85", zorder=0.4, label=name)
    ax.stairs(density, edges, color="0.65", linewidth=0.7, zorder=0.5)
    ax.plot(fine, inside, color=BLUE, linewidth=1.6, zorder=2, label=members.label)
    label = f"contaminants, {100.0 * (1.0 - members.share):.0f} %"
    ax.plot(
        fine, outside, color=VERMILLION, linewidth=1.6, linestyle=(0, (5.0, 1.5)), zorder=2.1, label=label
    )
    ax.plot(fine, inside + outside, color="black", linewidth=0.8, linestyle=":", zorder=2.2, label="sum")
    ax.set_xlim(edges[0], edges[-1])
    top = 1.05 * max(float(density.max()), float((inside + outside).max()))
    if log:
        # A bin with a single star is still seen.
        ax.set_yscale("log")
        ax.set_ylim(0.3 / (vel.size * (edges[1] - edges[0])), 2.0 * top)
    else:
        ax.set_ylim(0.0, top)
    ax.set_xlabel(r"Observed velocity [km s$^{-1}$]")
    ax.set_ylabel(DENSITY_LABEL)
    if legend:
        draw_legend_on_top(ax)
    return ax


def _members(contaminant: ContaminantDensity, vel: Floats, err: Floats) -> _Members:
    """What the contaminant knows of the members, or one Gaussian beside it."""
    known = contaminant.member if isinstance(contaminant, Contaminant) else None
    if known is None:
        v, sigma, share = member_frame(vel, err, contaminant.density(vel, err))
    else:
        v, sigma, share = known.v, known.sigma, known.share
    label = f"members, {100.0 * share:.0f} %: $V$ = {v:.1f}, $\\sigma$ = {sigma:.1f} km s$^{{-1}}$"
    return _Members(v, sigma, share, label)


def _edges(members: _Members, vel: Floats, error: float) -> Floats:
    """Edges of the histogram's bins: narrow enough to see the members, and not too many."""
    width = float(np.hypot(members.sigma, error))
    low, high = np.percentile(vel, _REACH)
    low = min(float(low), members.v - _DISPERSIONS * width)
    high = max(float(high), members.v + _DISPERSIONS * width)
    n_bins = int(min(np.ceil(_PER_DISPERSION * (high - low) / width), _MOST_BINS))
    return np.linspace(low, high, n_bins + 1)


def _typical(density: ContaminantDensity, fine: Floats, err: Floats) -> Floats:
    """Density of observed velocities, averaged over the stars' errors."""
    errors = np.percentile(err, 100.0 * (np.arange(_ERRORS) + 0.5) / _ERRORS)
    return np.mean([density.density(fine, np.full(fine.size, error)) for error in errors], axis=0)
