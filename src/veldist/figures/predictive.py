"""Posterior predictive check: could the fitted LOSVD have produced these observed velocities?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.validate import check_count
from veldist.figures.layers import BANDS, BLUE, draw_band, draw_legend_on_top, star_bins
from veldist.fits.draws import as_fit
from veldist.fits.predictive import predictive_fractions, predictive_pit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_ppc"]

# Stars expected in a bin of the PIT histogram at least, and the most bins.
_PER_BIN, _MOST_BINS, _FEWEST_BINS = 15, 20, 4


def plot_ppc(
    solver: Any, ax_or_fig: Any = None, *, seed: int = 0, color: str = BLUE, legend: bool = True
) -> tuple[Any, NDArray[Any]]:
    """Draw what was observed over what the posterior predicts for as many stars with the same errors.

    On the left the histogram of the observed velocities, and the 68 and 95 % bands of the histograms of
    replicated samples: every posterior draw of the LOSVD, convolved with the stars' errors, with the binomial
    counting noise of so many stars. On the right the histogram of `veldist.fits.predictive.predictive_pit`,
    the place of every star in its own prediction, with the bands of the counting noise of independent uniform
    numbers. It is level if LOSVD and errors are right; a hump means errors too large, a bowl stars that the
    LOSVD cannot account for, a slope that it lies too low or too high. Where not all stars are members, each
    counts by its probability to be one.

    Parameters
    ----------
    solver : KinematicSolver
        A solver that has been run.
    ax_or_fig : Figure, SubFigure or sequence of two Axes, optional
        Where to draw; a new figure by default.
    seed : int
        Seed of the counting noise.
    color : str
        Colour of the prediction.
    legend : bool
        Whether to draw legends.

    Returns
    -------
    figure : matplotlib.figure.Figure or SubFigure
    axes : ndarray of matplotlib.axes.Axes, shape (2,)

    Raises
    ------
    OrderError
        If the solver has no stars or has not been run.
    TypeError, ValueError
        If ``ax_or_fig`` is neither a figure nor two axes, or the seed is no integer >= 0.
    """
    rng = np.random.default_rng(check_count(seed, "seed", 0))
    fit = as_fit(solver, "solver")
    pit = predictive_pit(fit)
    assert fit.stars is not None
    vel = fit.stars.vel
    share = np.ones(vel.size) if fit.membership is None else fit.membership
    likely = vel[share > 0.5]
    bins = star_bins(likely if likely.size else vel, -np.inf, np.inf)
    fractions = np.minimum(predictive_fractions(fit, bins), 1.0)
    figure, axes = _places(ax_or_fig)
    counts = rng.binomial(round(share.sum()), fractions)
    _draw_velocities(axes[0], vel, share, bins, counts, fractions, color, legend)
    _draw_pit(axes[1], pit, share, legend)
    return figure, axes


def _draw_velocities(
    ax: Axes,
    vel: NDArray[np.float64],
    share: NDArray[np.float64],
    bins: NDArray[np.float64],
    counts: NDArray[np.integer],
    fractions: NDArray[np.float64],
    color: str,
    legend: bool,
) -> None:
    """Observed and predicted numbers of stars per velocity bin."""
    for k, band in enumerate(BANDS):
        lower, upper = np.percentile(counts, [band.lower, band.upper], axis=0)
        draw_band(
            ax, bins, lower, upper, color, band.opacity, f"{band.name} of samples predicted", 1 + 0.1 * k
        )
    ax.stairs(
        share.sum() * fractions.mean(axis=0),
        bins,
        baseline=None,
        color=color,
        linewidth=1.4,
        label="prediction",
        zorder=2,
    )
    observed, _ = np.histogram(vel, bins, weights=share)
    everyone, _ = np.histogram(vel, bins)
    outside = vel.size - int(everyone.sum())
    name = f"{vel.size} stars observed" + (f", {outside} farther out" if outside else "")
    if share.min() < 1.0:
        name = f"{share.sum():.0f} members observed"
        ax.stairs(everyone, bins, color="0.6", linewidth=0.8, linestyle=":", zorder=0.9, label="all stars")
    ax.plot(
        0.5 * (bins[1:] + bins[:-1]),
        observed,
        "o",
        color="black",
        markersize=3.5,
        zorder=3,
        label=name,
    )
    ax.set_xlim(bins[0], bins[-1])
    ax.set_ylim(bottom=0.0)
    ax.set_xlabel(r"Observed velocity [km s$^{-1}$]")
    ax.set_ylabel(f"Stars per {bins[1] - bins[0]:.2g} km s$^{{-1}}$")
    if legend:
        draw_legend_on_top(ax)


def _draw_pit(ax: Axes, pit: NDArray[np.float64], share: NDArray[np.float64], legend: bool) -> None:
    """Histogram of the PIT, relative to a level one, with the bands of counting noise."""
    # Here, for it takes longer to load than all of the figure.
    from scipy.stats import binom

    n_stars = max(1, round(share.sum()))
    n_bins = int(np.clip(n_stars // _PER_BIN, _FEWEST_BINS, _MOST_BINS))
    bins = np.linspace(0.0, 1.0, n_bins + 1)
    level = n_stars / n_bins
    reach = 0.0
    for k, band in enumerate(BANDS):
        lower, upper = binom.ppf([0.01 * band.lower, 0.01 * band.upper], n_stars, 1.0 / n_bins) / level
        ends = np.array([0.0, 1.0])
        draw_band(ax, ends, [lower], [upper], "0.4", band.opacity, f"{band.name} if uniform", 1 + 0.1 * k)
        reach = max(reach, float(upper) - 1.0)
    ax.axhline(1.0, color="0.4", linewidth=1.0, zorder=2)
    counts, _ = np.histogram(pit, bins, weights=share)
    ax.stairs(counts / level, bins, color="black", linewidth=1.3, zorder=3, label="stars", baseline=None)
    ax.set_xlim(0.0, 1.0)
    reach = 1.25 * max(reach, float(np.abs(counts / level - 1.0).max()))
    ax.set_ylim(max(0.0, 1.0 - reach), 1.0 + reach)
    ax.set_xlabel("Probability integral transform")
    ax.set_ylabel("Stars / number if uniform")
    if legend:
        draw_legend_on_top(ax)


def _places(ax_or_fig: Any) -> tuple[Any, NDArray[Any]]:
    """Figure and the two axes to draw into."""
    if ax_or_fig is None:
        import matplotlib.pyplot as plt

        return plt.subplots(1, 2, figsize=(7.1, 3.2), layout="constrained", width_ratios=(3, 2))
    if hasattr(ax_or_fig, "subplots"):
        return ax_or_fig, ax_or_fig.subplots(1, 2, width_ratios=(3, 2))
    if isinstance(ax_or_fig, Sequence | np.ndarray) and len(ax_or_fig) == 2:
        axes = np.array([ax_or_fig[0], ax_or_fig[1]], dtype=object)
        if all(hasattr(ax, "stairs") for ax in axes):
            return axes[0].figure, axes
    raise TypeError(f"ax_or_fig must be a figure or two axes, got {ax_or_fig!r}: there are two panels.")
