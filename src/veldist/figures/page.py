"""A page of the LOSVDs of many spatial bins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from veldist._support.arrays import Floats, Ints
from veldist._support.validate import check_count
from veldist.errors import OrderError
from veldist.figures.layers import (
    BLUE,
    DENSITY_LABEL,
    GAUSSIAN,
    TRUTH,
    VELOCITY_LABEL,
    check_central,
)
from veldist.figures.panels import FONT_SIZE, Panels, draw_frames, steps
from veldist.fits.draws import check_fits, fit_draws, is_fitted
from veldist.fits.fit import Fit
from veldist.summaries.curves import Curve, gaussian_curve
from veldist.summaries.strip import Strip, strip_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_page", "evenly_spread", "plot_losvd_grid"]

# In inches: width of a page, and room left, right, below and above the panels (for one line of title).
_WIDTH, _LEFT, _RIGHT, _BOTTOM, _TOP, _LINE = 7.1, 0.75, 0.1, 0.45, 0.3, 0.15
# Between panels, in units of their width and height.
_GAPS = 0.06, 0.08


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
    shown = [solved[k] for k in evenly_spread(len(solved), n_max)]
    # A fit is looked at once only: fits may be read from a store one by one.
    read = ((i, fits[i]) for i in shown)
    strips = [_strip(fit, i, true_intrinsic, gaussian) for i, fit in read if fit is not None]
    return draw_page(
        strips,
        n_columns=n_columns,
        titles=None if titles is None else [titles[i] for i in shown],
        central=central,
        color=color,
        n_fitted=len(solved),
        n_skipped=len(solvers) - len(solved),
    )


def evenly_spread(n: int, n_max: int) -> Ints:
    """Indices of at most ``n_max`` of ``n`` things, the first and the last among them if there is room."""
    return np.linspace(0, n - 1, min(n_max, n)).round().astype(np.int64)


def _strip(fit: Fit, i: int, true_intrinsic: Sequence[Any] | None, gaussian: bool) -> Strip:
    """What is drawn of a bin."""
    masses, edges = fit_draws(fit, i)
    if gaussian and fit.stars is None:
        raise OrderError(
            f"solvers[{i}] has no stars to fit a Gaussian to: call add_data(), or gaussian=False."
        )
    stars = (fit.stars.vel, fit.stars.err) if gaussian and fit.stars is not None else None
    true = None if true_intrinsic is None else true_intrinsic[i]
    options = {"membership": fit.membership, "stars": stars, "true_intrinsic": true}
    return strip_of(masses, edges, i + 1, fit.n_stars or None, **options)


def draw_page(
    strips: Sequence[Strip],
    *,
    n_columns: int = 6,
    titles: Sequence[str] | None = None,
    central: str = "median",
    color: str = BLUE,
    n_fitted: int | None = None,
    n_skipped: int = 0,
) -> Figure:
    """Draw strips as panels with common axes, row by row.

    All panels lie in one axes of the figure, whose coordinates are inches: axes of their own for a hundred
    panels would take seconds.

    Parameters
    ----------
    strips : sequence of Strip
        The bins to draw, at least one.
    n_columns : int
        Panels per row, 1 or more.
    titles : sequence of str, optional
        What to write into each panel, one for each strip. By default number of the bin and number of stars.
    central : {"median", "mean"}
        What of the draws the line is, in each velocity bin.
    color : str
        Colour of the posterior.
    n_fitted : int, optional
        Number of bins that were fitted, for the title of the figure; by default as many as are drawn.
    n_skipped : int
        Number of bins that were not.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    panels = _panels(strips, n_columns, central)
    gaussians = [(k, strip.gaussian) for k, strip in enumerate(strips) if strip.gaussian is not None]
    truths = [(k, strip.truth) for k, strip in enumerate(strips) if strip.truth is not None]
    compared = ["best Gaussian (grey)"] * bool(gaussians) + ["truth (black)"] * bool(truths)
    width, height = panels.size
    page = _LEFT + width + _RIGHT, _BOTTOM + height + _TOP + (_LINE if compared else 0.0)
    figure = plt.figure(figsize=page)
    ax = figure.add_axes((_LEFT / page[0], _BOTTOM / page[1], width / page[0], height / page[1]))
    ax.set(xlim=(0.0, width), ylim=(0.0, height))
    ax.set_axis_off()
    _draw_posteriors(ax, panels, strips, central, color)
    smooth = [panels.line(k, gaussian_curve(frame, panels.low, panels.high)) for k, frame in gaussians]
    true = [panels.line(k, curve) for k, curve in truths]
    _add_lines(ax, smooth, **(GAUSSIAN | {"linewidth": 0.8}))
    _add_lines(ax, true, **(TRUTH | {"linewidth": 0.8, "label": "truth"}))
    draw_frames(ax, panels)
    for k, strip in enumerate(strips):
        x, y = panels.corner(k)
        title = f"bin {strip.number}, N = {'?' if strip.n_stars is None else strip.n_stars}"
        if strip.n_members is not None:
            title = f"bin {strip.number}, {strip.n_members} of {strip.n_stars}"
        ax.text(
            x + 0.05 * panels.width,
            y + 0.94 * panels.height,
            title if titles is None else titles[k],
            va="top",
            fontsize=FONT_SIZE,
        )
    figure.suptitle(
        f"{len(strips)} of {len(strips) if n_fitted is None else n_fitted} fitted bins"
        + (f" ({n_skipped} more skipped)" if n_skipped else "")
        + f" | posterior {central} and 68 % band | dotted: common median velocity"
        + ("\ndashed: " + " and ".join(compared) if compared else ""),
        fontsize=8,
        y=1.0 - 0.08 / page[1],
    )
    figure.supxlabel(VELOCITY_LABEL, fontsize=9, y=0.05 / page[1], va="bottom")
    figure.supylabel(DENSITY_LABEL, fontsize=9, x=0.08 / page[0], ha="left")
    return figure


def _panels(strips: Sequence[Strip], n_columns: int, central: str) -> Panels:
    """Panels that fill the width of a page, and hold all bands."""
    n_columns = min(n_columns, len(strips))
    n_rows = -(-len(strips) // n_columns)
    pitch = max((_WIDTH - _LEFT - _RIGHT) / n_columns, 1.0)
    width = n_columns * pitch / (n_columns + _GAPS[0] * (n_columns - 1))
    height = n_rows * 0.82 * min(pitch, 3.0) / (n_rows + _GAPS[1] * (n_rows - 1))
    return Panels(
        count=len(strips),
        n_columns=n_columns,
        width=width,
        height=height,
        gap=(_GAPS[0] * width, _GAPS[1] * height),
        low=min(strip.reach[0] for strip in strips),
        high=max(strip.reach[2] for strip in strips),
        top=1.3 * max(float(np.maximum(strip.upper, strip.line(central)).max()) for strip in strips),
    )


def _draw_posteriors(ax: Axes, panels: Panels, strips: Sequence[Strip], central: str, color: str) -> None:
    """Bands, lines, and the common median velocity."""
    from matplotlib.collections import PolyCollection

    bands, lines = [], []
    for k, strip in enumerate(strips):
        edges = panels.x(k, np.clip(strip.edges, panels.low, panels.high))
        # Without the ends, which are at zero.
        upper, lower = (steps(edges, panels.y(k, side))[1:-1] for side in (strip.upper, strip.lower))
        bands.append(np.concatenate([upper, lower[::-1]]))
        lines.append(panels.line(k, Curve(strip.edges, strip.line(central))))
    band = PolyCollection(bands, facecolor=color, alpha=0.35, linewidth=0, zorder=1, label="68 %")
    ax.add_collection(band, autolim=False)
    _add_lines(ax, lines, color=color, linewidth=1.0, zorder=2, label=f"posterior {central}")
    systemic = float(np.median([strip.reach[1] for strip in strips]))
    upright = Curve(np.array([systemic, systemic]), np.array([0.0, panels.top]))
    lines = [panels.line(k, upright) for k in range(len(strips))]
    _add_lines(ax, lines, color="0.6", linewidth=0.6, linestyle=":", zorder=0, label="common median")


def _add_lines(ax: Axes, lines: Sequence[Floats], **style: Any) -> None:
    from matplotlib.collections import LineCollection

    ax.add_collection(LineCollection(lines, joinstyle="miter", **style), autolim=False)
