"""A page of the LOSVDs of many spatial bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from veldist.analysis import solver_draws
from veldist.losvd_plots import BLUE, DENSITY_LABEL, VELOCITY_LABEL, Band, draw_bands
from veldist.moments import histogram_cdf, histogram_percentile
from veldist.validate import check_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_losvd_grid"]


def plot_losvd_grid(
    solvers: Sequence[Any],
    n_columns: int = 6,
    n_max: int = 30,
    titles: Sequence[str] | None = None,
    *,
    color: str = BLUE,
) -> Figure:
    """Draw the LOSVDs of many spatial bins on one page, medians with 68 % bands on common axes.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin.
    n_columns : int
        Panels per row.
    n_max : int
        Most bins to draw. If there are more, as many are taken evenly from the list; the title of the figure
        says how many of how many are shown.
    titles : sequence of str, optional
        What to write into the panel of each bin, one for each solver (skipped ones too). By default the
        number of the bin, counted from 1, and its number of stars.
    color : str
        Colour of the posterior.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        If there is nothing to draw, a solver has not been run, or titles are not one per solver.
    """
    n_columns = check_count(n_columns, "n_columns", minimum=1)
    n_max = check_count(n_max, "n_max", minimum=1)
    solved = [i for i, solver in enumerate(solvers) if solver is not None]
    if not solved:
        raise ValueError(f"solvers holds no solved bin (of {len(solvers)}): there is nothing to draw.")
    if titles is not None and len(titles) != len(solvers):
        raise ValueError(
            f"titles has {len(titles)} entries, but there are {len(solvers)} solvers: pass one each."
        )
    shown = [solved[k] for k in np.linspace(0, len(solved) - 1, min(n_max, len(solved))).round().astype(int)]

    posteriors = [solver_draws(solvers[i], i) for i in shown]

    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    n_columns = min(n_columns, len(shown))
    n_rows = -(-len(shown) // n_columns)
    # In inches, for the width of a page. A layout engine would take seconds for a hundred panels.
    left, right, bottom, top = 0.75, 0.1, 0.45, 0.3
    panel_width = max((7.1 - left - right) / n_columns, 1.0)
    panel_height = 0.82 * min(panel_width, 3.0)
    width, height = left + right + n_columns * panel_width, bottom + top + n_rows * panel_height
    figure, axes = plt.subplots(
        n_rows, n_columns, sharex=True, sharey=True, squeeze=False, figsize=(width, height)
    )
    figure.subplots_adjust(
        left / width, bottom / height, 1.0 - right / width, 1.0 - top / height, wspace=0.06, hspace=0.08
    )
    ranges, peak = [], 0.0
    for ax, i, (masses, edges) in zip(axes.flat, shown, posteriors, strict=False):
        upper = draw_bands(
            ax,
            edges,
            masses,
            color,
            (Band(16.0, 84.0, "68 %", 0.35),),
            label="posterior median",
            linewidth=1.0,
        )
        peak = max(peak, float(upper.max()))
        cdf = histogram_cdf(masses.mean(axis=0, keepdims=True))
        ranges.append([histogram_percentile(cdf, edges, q)[0] for q in (0.002, 0.5, 0.998)])
        title = titles[i] if titles is not None else f"bin {i + 1}, N = {getattr(solvers[i], 'n_stars', '?')}"
        ax.text(0.05, 0.94, title, transform=ax.transAxes, va="top", fontsize=6.5)
        ax.tick_params(labelsize=6.5, direction="in", length=2.5)
    low, middle, high = np.array(ranges).T
    systemic = float(np.median(middle))
    for ax in axes.flat[: len(shown)]:
        ax.axvline(systemic, color="0.6", linewidth=0.6, linestyle=":", zorder=0)
    for ax in axes.flat[len(shown) :]:
        ax.set_visible(False)
    for column in range(n_columns):
        # With an incomplete last row, the lowest panel of the other columns carries the velocities.
        lowest = axes[(len(shown) - 1 - column) // n_columns, column]
        lowest.tick_params(labelbottom=True)
    axes[0, 0].set_xlim(low.min(), high.max())
    axes[0, 0].set_ylim(0.0, 1.3 * peak)
    axes[0, 0].xaxis.set_major_locator(MaxNLocator(3, prune="both"))
    # The highest label would collide with the lowest one of the row above.
    axes[0, 0].yaxis.set_major_locator(MaxNLocator(3, prune="upper"))
    skipped = len(solvers) - len(solved)
    figure.suptitle(
        f"{len(shown)} of {len(solved)} fitted bins"
        + (f" ({skipped} more skipped)" if skipped else "")
        + " | posterior median and 68 % band | dotted: common median velocity",
        fontsize=8,
        y=1.0 - 0.08 / height,
    )
    figure.supxlabel(VELOCITY_LABEL, fontsize=9, y=0.05 / height, va="bottom")
    figure.supylabel(DENSITY_LABEL, fontsize=9, x=0.08 / width, ha="left")
    return figure
