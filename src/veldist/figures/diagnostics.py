"""Figures of how far the draws can be trusted: one bin in detail, or all bins of a map."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from veldist.errors import OrderError
from veldist.figures.layers import BLUE, VERMILLION
from veldist.fits.draws import as_fit
from veldist.fits.fit import Fit
from veldist.inference import Diagnostics, Settings
from veldist.inference.diagnostics import LEAST_ACCEPTANCE, rhat_limit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_diagnostics"]

# Above this Pareto k the importance sample is no good start (Vehtari et al. 2024, JMLR 25, 72).
_PARETO_K = 0.7
# Odds of ten to one, "strong" evidence in Jeffreys's scale, in the logarithm.
_STRONG = float(np.log(10.0))
# Log Bayes factors are drawn linearly up to here, logarithmically beyond.
_LINEAR = 10.0
_LIMIT: dict[str, Any] = {"color": VERMILLION, "linestyle": "--", "linewidth": 1.1, "zorder": 1}


class _Bin(NamedTuple):
    """Diagnostics of one bin and the limits that they were judged by."""

    diagnostics: Diagnostics
    n_stars: int
    n_draws: int
    least_ess: float
    largest_rhat: float


class _Measure(NamedTuple):
    """A diagnostic that is one number a bin, with its limit or reference lines."""

    name: str
    limits: tuple[float, ...]
    scale: str = "linear"


def plot_diagnostics(
    solvers: Any, fig: Any = None, *, settings: Settings | None = None, color: str = BLUE
) -> tuple[Any, NDArray[Any]]:
    """Draw the diagnostics of one bin, or of all bins of a map, with the limits that they must keep.

    Of one bin: effective sample size and nested R-hat of every monitored quantity (powers of the standardised
    velocity z, masses between standardised velocities, and the scale of the prior's deviations from a
    Gaussian), Pareto k of the importance weights, acceptance of the moves, and the log Bayes factor of "not
    Gaussian" over "Gaussian". Of a map: the worst of each against the number of stars; bins that did not
    converge are crosses. Dashed lines are limits. A large Pareto k alone is no failure: the Markov moves mend
    the start. The Bayes factor has no limit; dotted lines are odds of ten to one either way.

    Parameters
    ----------
    solvers : KinematicSolver, or iterable of KinematicSolver or None
        A solver that has been run; or one per spatial bin, None for a skipped bin.
    fig : Figure or SubFigure, optional
        Where to draw; a new figure by default.
    settings : Settings, optional
        The settings of the run, which set the limits; by default the default ones.
    color : str
        Colour of what is good.

    Returns
    -------
    figure : matplotlib.figure.Figure or SubFigure
    axes : ndarray of matplotlib.axes.Axes
        Shape (6,). Of one bin: effective sample sizes, R-hat, Pareto k, acceptance within and between
        components, log Bayes factor. Of a map: effective sample size, R-hat, acceptance, Pareto k, log Bayes
        factor, rounds of moves.

    Raises
    ------
    OrderError
        If a solver has no diagnostics, as it has not been run.
    TypeError
        If ``solvers`` is neither a solver nor several.
    ValueError
        If no bin was solved.
    """
    settings = settings or Settings()
    if isinstance(getattr(solvers, "fit", solvers), Fit):
        one = _read(as_fit(solvers, "solvers"), "the solver", settings)
        return _draw_one(one, _figure(fig, (7.1, 4.4)), color)
    if not isinstance(solvers, Iterable):
        raise TypeError(f"solvers must be a KinematicSolver or several, got {type(solvers).__name__}.")
    # One pass that keeps the numbers only: solvers may be read from a store one by one.
    every = [
        None if solver is None else _read(as_fit(solver, f"solvers[{i}]"), f"solvers[{i}]", settings)
        for i, solver in enumerate(solvers)
    ]
    bins = [entry for entry in every if entry is not None]
    if not bins:
        raise ValueError(f"solvers holds no solved bin (of {len(every)}): there is nothing to draw.")
    return _draw_map(bins, len(every) - len(bins), _figure(fig, (7.1, 4.6)), color)


def _read(fit: Fit, name: str, settings: Settings) -> _Bin:
    if fit.posterior is None or fit.diagnostics is None:
        raise OrderError(f"{name} has no diagnostics: call run() first.")
    n_draws, n_groups = fit.posterior.posterior.n_draws, fit.posterior.posterior.n_groups
    return _Bin(
        diagnostics=fit.diagnostics,
        n_stars=fit.n_stars,
        n_draws=n_draws,
        least_ess=settings.ess_fraction * n_draws,
        largest_rhat=rhat_limit(settings.rhat_max, n_groups, n_draws),
    )


def _figure(fig: Any, size: tuple[float, float]) -> Any:
    if fig is not None:
        return fig
    import matplotlib.pyplot as plt

    return plt.figure(figsize=size, layout="constrained")


def _draw_one(one: _Bin, fig: Any, color: str) -> tuple[Any, NDArray[Any]]:
    """Quantities one below the other, and beside them what is one number."""
    d = one.diagnostics
    grid = fig.add_gridspec(4, 3, width_ratios=(1.15, 1.0, 1.0))
    ess = fig.add_subplot(grid[:, 0])
    rhat = fig.add_subplot(grid[:, 1], sharey=ess)
    strips = [fig.add_subplot(grid[k, 2]) for k in range(4)]
    rows = np.arange(len(d.quantities))
    for ax, values, limit, bad in (
        (ess, d.ess, one.least_ess, d.ess < one.least_ess),
        (rhat, d.rhat, one.largest_rhat, ~(d.rhat <= one.largest_rhat)),
    ):
        ax.axvline(limit, **_LIMIT)
        ax.plot(values[~bad], rows[~bad], "o", color=color, markersize=4)
        ax.plot(values[bad], rows[bad], "X", color=VERMILLION, markersize=6)
        ax.tick_params(axis="x", labelsize="x-small")
        ax.grid(axis="y", color="0.9", linewidth=0.6)
        ax.set_axisbelow(True)
    ess.set_yticks(rows, [_quantity(name) for name in d.quantities], fontsize="x-small")
    ess.invert_yaxis()
    ess.set_xlim(0.0, 1.05 * one.n_draws)
    ess.set_xlabel(f"Effective sample size of {one.n_draws} draws", fontsize="x-small")
    rhat.set_xlabel("Nested $\\hat R$", fontsize="x-small")
    finite = np.append(d.rhat[np.isfinite(d.rhat)], [1.0, one.largest_rhat])
    rhat.set_xlim(finite.min() - 0.002, finite.max() + 0.05 * np.ptp(finite))
    rhat.tick_params(labelleft=False)
    k_range = (
        (min(-0.2, d.pareto_k - 0.1), max(1.1, d.pareto_k + 0.1)) if np.isfinite(d.pareto_k) else (-0.2, 1.1)
    )
    ticks = _bayes_ticks(abs(d.log_bayes_factor) if np.isfinite(d.log_bayes_factor) else 0.0)
    reach = 1.2 * ticks[-1]
    _strip(strips[0], d.pareto_k, "Pareto $k$ of the weights", k_range, color, _PARETO_K, 1)
    _strip(strips[1], d.acceptance, "Acceptance, same component", (0.0, 1.0), color, LEAST_ACCEPTANCE, -1)
    _strip(strips[2], d.component_acceptance, "Acceptance, other component", (0.0, 1.0), color)
    _strip(strips[3], d.log_bayes_factor, "ln Bayes factor, not Gaussian", (-reach, reach), color)
    strips[3].set_xscale("symlog", linthresh=_LINEAR)
    strips[3].set_xticks([*(-np.array(ticks[::-1])), 0.0, *ticks])
    strips[3].xaxis.set_major_formatter("{x:g}")
    for odds in (-_STRONG, _STRONG):
        strips[3].axvline(odds, color="0.5", linestyle=":", linewidth=1.0)
    state = "converged" if d.converged else "NOT CONVERGED: " + "; ".join(d.messages)
    fig.suptitle(
        f"{one.n_stars} stars, {d.n_rounds} rounds of moves: {state}",
        fontsize="medium" if d.converged else "small",
        color="black" if d.converged else VERMILLION,
        wrap=True,
    )
    return fig, np.array([ess, rhat, *strips], dtype=object)


def _strip(
    ax: Axes,
    value: float,
    label: str,
    ends: tuple[float, float],
    color: str,
    limit: float | None = None,
    bad_side: int = 0,
) -> None:
    """One number on a scale; the bad side of a limit is shaded."""
    bad = False
    if limit is not None:
        ax.axvline(limit, **_LIMIT)
        ax.axvspan(limit, ends[1] if bad_side > 0 else ends[0], color=VERMILLION, alpha=0.1, linewidth=0)
        bad = bool((value - limit) * bad_side > 0)
    if np.isfinite(value):
        ax.plot([value], [0.0], "X" if bad else "o", color=VERMILLION if bad else color, markersize=6)
    ax.set_xlim(*ends)
    ax.set_ylim(-1.0, 1.0)
    ax.set_yticks([])
    ax.tick_params(labelsize="x-small")
    ax.set_xlabel(f"{label}: {value:.3g}", fontsize="x-small")
    for side in ("left", "right", "top"):
        ax.spines[side].set_visible(False)


def _quantity(name: str) -> str:
    """Names of moments and masses as mathematics."""
    if name.startswith("z^"):
        return "$z$" if name == "z^1" else f"${name[0]}^{name[2:]}$"
    if name.startswith("mass["):
        low, high = name.removeprefix("mass[").removesuffix("]").split(", ")
        return f"mass, ${low} < z < {high}$"
    return name


def _bayes_ticks(largest: float) -> list[float]:
    """Two positive ticks, the second not below ``largest``: more would run into each other."""
    if largest <= _LINEAR:
        return [0.5 * _LINEAR, _LINEAR]
    last = int(np.ceil(np.log10(largest)))
    return [10.0 ** (last // 2), 10.0**last]


def _draw_map(bins: list[_Bin], n_skipped: int, fig: Any, color: str) -> tuple[Any, NDArray[Any]]:
    """Every diagnostic against the number of stars."""
    n_stars = np.array([entry.n_stars for entry in bins], dtype=float)
    converged = np.array([entry.diagnostics.converged for entry in bins], dtype=bool)
    all_d = [entry.diagnostics for entry in bins]
    # The bins of a map have the same numbers of draws, unless they were fitted in several runs.
    share = np.array([entry.diagnostics.ess_min / entry.n_draws for entry in bins])
    columns = (
        (share, _Measure("Smallest effective size / draws", (bins[0].least_ess / bins[0].n_draws,))),
        (
            [d.rhat_max for d in all_d],
            _Measure("Largest nested $\\hat R$", (max(b.largest_rhat for b in bins),)),
        ),
        ([d.acceptance for d in all_d], _Measure("Acceptance", (LEAST_ACCEPTANCE,))),
        ([d.pareto_k for d in all_d], _Measure("Pareto $k$", (_PARETO_K,))),
        ([d.log_bayes_factor for d in all_d], _Measure("ln Bayes factor, not Gaussian", (), "symlog")),
        ([d.n_rounds for d in all_d], _Measure("Rounds of moves", (), "log")),
    )
    axes = fig.subplots(2, 3, sharex=True)
    opacity = float(np.clip(8.0 / np.sqrt(n_stars.size), 0.15, 0.8))
    for ax, (values, measure) in zip(axes.flat, columns, strict=True):
        values = np.asarray(values, dtype=float)
        for limit in measure.limits:
            ax.axhline(limit, **_LIMIT)
        ax.plot(n_stars[converged], values[converged], "o", color=color, markersize=3, alpha=opacity, mew=0)
        ax.plot(n_stars[~converged], values[~converged], "X", color=VERMILLION, markersize=6)
        if measure.scale == "symlog":
            ax.set_yscale("symlog", linthresh=_LINEAR)
            finite = values[np.isfinite(values)]
            below, above = (_bayes_ticks(float(np.max(side, initial=0.0))) for side in (-finite, finite))
            ax.set_yticks([*(-np.array(below[::-1])), 0.0, *above])
            ax.yaxis.set_major_formatter("{x:g}")
            for odds in (-_STRONG, _STRONG):
                ax.axhline(odds, color="0.5", linestyle=":", linewidth=1.0)
        elif measure.scale == "log":
            ax.set_yscale("log", base=2)
            ax.yaxis.set_major_formatter("{x:.0f}")
        ax.set_ylabel(measure.name, fontsize="small")
        ax.tick_params(labelsize="x-small")
    axes[0, 0].set_ylim(0.0, 1.05)
    axes[0, 2].set_ylim(0.0, 1.05)
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    if n_stars.max() > 5.0 * n_stars.min():
        axes[0, 0].set_xscale("log")
        axes[0, 0].xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes[0, 0].xaxis.set_major_formatter("{x:g}")
        axes[0, 0].xaxis.set_minor_formatter(NullFormatter())
    else:
        # Bins of equal counts span a star or two.
        margin = max(2.0, 0.05 * float(np.ptp(n_stars)))
        axes[0, 0].set_xlim(n_stars.min() - margin, n_stars.max() + margin)
        axes[0, 0].xaxis.set_major_locator(MaxNLocator(4, integer=True))
    fig.supxlabel("Number of stars", fontsize="small")
    fig.suptitle(
        f"{int(converged.sum())} of {len(bins)} bins converged"
        + (f", {n_skipped} skipped" if n_skipped else ""),
        fontsize="medium",
        color="black" if converged.all() else VERMILLION,
    )
    return fig, axes.ravel()
