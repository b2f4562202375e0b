"""A page of the LOSVDs of many spatial bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.validate import check_count
from veldist.errors import OrderError
from veldist.figures.layers import (
    BLUE,
    DENSITY_LABEL,
    VELOCITY_LABEL,
    Band,
    Truth,
    check_central,
    draw_bands,
    draw_gaussian,
    draw_truth,
    read_truth,
)
from veldist.fits.draws import check_fits, fit_draws, is_fitted
from veldist.fits.fit import Fit
from veldist.models.losvd.frame import Frame, fit_frame
from veldist.summaries.moments import histogram_cdf, histogram_percentile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_losvd_grid"]


def plot_losvd_grid(
    solvers: Sequence[Any],
    n_columns: int = 6,
    n_max: int = 30,
    titles: Sequence[str] | None = None,
    *,
    central: str = "median",
    true_intrinsic: Sequence[Any] | None = None,
    gaussian: bool = False,
    color: str = BLUE,
) -> Figure:
    """Draw the LOSVDs of many spatial bins on one page, medians with 68 % bands on common axes.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin. Of a `veldist.SolverMap` only those shown
        are read.
    n_columns : int
        Panels per row.
    n_max : int
        Most bins to draw. If there are more, as many are taken evenly from the list; the title of the figure
        says how many of how many are shown.
    titles : sequence of str, optional
        What to write into the panel of each bin, one for each solver (skipped ones too). By default the
        number of the bin, counted from 1, and its number of stars.
    central : {"median", "mean"}
        What of the draws the line is, in each velocity bin.
    true_intrinsic : sequence, optional
        The truth of each bin, one for each solver: a density function or velocities, as for `plot_losvd`, or
        None where it is not known.
    gaussian : bool
        Whether to draw the best Gaussian of each bin's stars, as `plot_losvd` does.
    color : str
        Colour of the posterior.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        If there is nothing to draw, a solver has not been run, titles or truths are not one per solver, an
        option is unknown, a truth is unusable, or ``gaussian`` is asked for and a solver has no stars.
    """
    n_columns = check_count(n_columns, "n_columns", minimum=1)
    n_max = check_count(n_max, "n_max", minimum=1)
    check_central(central)
    fits = check_fits(solvers)
    solved = np.flatnonzero(is_fitted(fits)).tolist()
    if not solved:
        raise ValueError(f"solvers holds no solved bin (of {len(solvers)}): there is nothing to draw.")
    for name, given in (("titles", titles), ("true_intrinsic", true_intrinsic)):
        if given is not None and len(given) != len(solvers):
            raise ValueError(
                f"{name} has {len(given)} entries, but there are {len(solvers)} solvers: pass one each."
            )
    shown = [solved[k] for k in np.linspace(0, len(solved) - 1, min(n_max, len(solved))).round().astype(int)]

    panels = [_panel(fit, i, true_intrinsic, gaussian) for i in shown for fit in [fits[i]] if fit is not None]

    import matplotlib.pyplot as plt
    from matplotlib.ticker import MaxNLocator

    n_columns = min(n_columns, len(shown))
    n_rows = -(-len(shown) // n_columns)
    # In inches, for the width of a page. A layout engine would take seconds for a hundred panels.
    compared = any(panel.truth is not None or panel.gaussian is not None for panel in panels)
    left, right, bottom, top = 0.75, 0.1, 0.45, 0.45 if compared else 0.3
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
    for ax, i, panel in zip(axes.flat, shown, panels, strict=False):
        masses, edges = panel.masses, panel.edges
        upper = draw_bands(
            ax,
            edges,
            masses,
            color,
            (Band(16.0, 84.0, "68 %", 0.35),),
            label=f"posterior {central}",
            linewidth=1.0,
            central=central,
        )
        if panel.gaussian is not None:
            draw_gaussian(ax, panel.gaussian, edges, linewidth=0.8)
        if panel.truth is not None:
            draw_truth(ax, panel.truth, linewidth=0.8)
        peak = max(peak, float(upper.max()))
        cdf = histogram_cdf(masses.mean(axis=0, keepdims=True))
        ranges.append([histogram_percentile(cdf, edges, q)[0] for q in (0.002, 0.5, 0.998)])
        title = titles[i] if titles is not None else f"bin {i + 1}, N = {panel.n_stars}"
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
        + f" | posterior {central} and 68 % band | dotted: common median velocity"
        + ("\ndashed: " if compared else "")
        + " and ".join(
            name
            for name, shown_too in (
                ("best Gaussian (grey)", gaussian),
                ("truth (black)", any(panel.truth is not None for panel in panels)),
            )
            if shown_too
        ),
        fontsize=8,
        y=1.0 - 0.08 / height,
    )
    figure.supxlabel(VELOCITY_LABEL, fontsize=9, y=0.05 / height, va="bottom")
    figure.supylabel(DENSITY_LABEL, fontsize=9, x=0.08 / width, ha="left")
    return figure


class _Panel(NamedTuple):
    """What is drawn of one bin."""

    masses: Floats
    edges: Floats
    n_stars: Any
    truth: Truth | None
    gaussian: Frame | None


def _panel(fit: Fit, i: int, true_intrinsic: Sequence[Any] | None, gaussian: bool) -> _Panel:
    """Look at a fit once only: fits may be read from a store one by one."""
    masses, edges = fit_draws(fit, i)
    true = None if true_intrinsic is None else true_intrinsic[i]
    fitted = None
    if fit.stars is not None:
        fitted = fit_frame(fit.stars.vel, fit.stars.err) if gaussian else None
    elif gaussian:
        raise OrderError(
            f"solvers[{i}] has no stars to fit a Gaussian to: call add_data(), or gaussian=False."
        )
    return _Panel(
        masses,
        edges,
        fit.n_stars or "?",
        None if true is None else read_truth(true, edges, f"true_intrinsic[{i}]"),
        fitted,
    )
