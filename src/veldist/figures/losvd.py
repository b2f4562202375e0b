"""Figure of one LOSVD: posterior, truth where it is known, the best Gaussian, and the stars."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.stars import read_stars
from veldist._support.validate import to_array, to_masses
from veldist.figures.layers import (
    BLUE,
    DENSITY_LABEL,
    GAUSSIAN,
    RUG_STRIP,
    VELOCITY_LABEL,
    check_central,
    draw_bands,
    draw_legend,
    draw_rug,
    draw_star_histogram,
    draw_truth,
    shown_range,
)
from veldist.fits.stars import check_possible, read_membership
from veldist.models.losvd.frame import fit_frame
from veldist.summaries.curves import gaussian_curve, read_truth

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_losvd"]

_STARS = ("rug", "histogram", None)


def plot_losvd(
    edges: Any,
    pdf_samples: Any,
    ax: Axes | None = None,
    true_intrinsic: Any | Callable[[NDArray[np.float64]], Any] | None = None,
    vel: Any = None,
    err: Any = None,
    membership: Any = None,
    *,
    central: str = "median",
    stars: str | None = "rug",
    gaussian: bool = False,
    color: str = BLUE,
    label: str | None = None,
    legend: bool = True,
) -> Axes:
    """Draw the posterior of an LOSVD: median, 68 % and 95 % credible bands.

    Of a grid that is much wider than the LOSVD and the range of the stars, only their part is shown.

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
        Observed velocities (km/s), drawn as ``stars`` says. The legend says how many are outside the grid.
    err : array_like or Quantity, shape (n_stars,), optional
        Errors of ``vel`` (km/s, 1 sigma).
    membership : array_like, shape (n_stars,), optional
        Probability of each star to be a member. Ticks of others are fainter, and lower; histogram and best
        Gaussian count each star by its probability, and what is left of the histogram stands upon it.
    central : {"median", "mean"}
        What of the draws the line is, in each bin.
    stars : {"rug", "histogram"} or None
        How to draw the stars: as ticks along the bottom, with an error bar of the median error; as a
        histogram of their observed velocities, with what the posterior mean predicts for it, the LOSVD
        convolved with the stars' errors; or not at all.
    gaussian : bool
        Whether to draw the best Gaussian for comparison: error-corrected maximum likelihood from ``vel`` and
        ``err`` (see `veldist.models.losvd.frame.fit_frame`).
    color : str
        Colour of the posterior.
    label : str, optional
        Legend entry of the line; by default "posterior median" or "posterior mean".
    legend : bool
        Whether to draw the legend.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If the edges are not ascending, the draws are not masses per bin (see
        `veldist.analysis.summary_draws`), an option is unknown, ``gaussian`` is asked for without stars
        and errors, or the truth, velocities or errors are unusable.
    """
    edges = _ascending(edges)
    masses = to_masses(pdf_samples, "pdf_samples", np.diff(edges))
    check_central(central)
    if stars not in _STARS:
        raise ValueError(f"stars must be one of {list(_STARS)}, got {stars!r}.")
    if err is not None and vel is None:
        raise ValueError("err was given without vel: pass the velocities that the errors belong to.")
    if gaussian and (vel is None or err is None):
        raise ValueError("gaussian=True needs the stars it is fitted to: pass vel and err.")
    truth = None if true_intrinsic is None else read_truth(true_intrinsic, edges)
    if vel is not None:
        given, (vel, errors) = err is not None, read_stars(vel, 1.0 if err is None else err)
        if membership is None:
            check_possible(vel, errors)
        else:
            membership = read_membership(membership, vel.size)
        err = errors if given else None

    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
    draw_bands(ax, edges, masses, color, label or f"posterior {central}", central)
    if gaussian and err is not None:
        ax.plot(*gaussian_curve(fit_frame(vel, err, membership), edges[0], edges[-1]), **GAUSSIAN)
    if truth is not None:
        draw_truth(ax, truth)
    ax.set_xlim(shown_range(edges, masses, vel if membership is None else vel[membership > 0.5]))
    rug = vel is not None and stars == "rug"
    if rug:
        draw_rug(ax, edges, vel, err, membership)
    elif vel is not None and stars == "histogram":
        draw_star_histogram(ax, edges, masses, vel, err, color, membership)
    top = ax.get_ylim()[1]
    # auto=None leaves autoscaling on for what the caller adds later.
    ax.set_ylim(-top * RUG_STRIP / (1.0 - RUG_STRIP) if rug else 0.0, top, auto=None)
    ax.set_xlabel(VELOCITY_LABEL)
    ax.set_ylabel(DENSITY_LABEL)
    if legend:
        draw_legend(ax, (label or f"posterior {central}", "68", "95", "true", "best"))
    return ax


def _ascending(edges: Any) -> NDArray[np.float64]:
    array = to_array(edges, "edges", "km/s")
    if array.size < 2 or not np.all(np.diff(array) > 0) or not np.all(np.isfinite(array)):
        raise ValueError(f"edges must be at least two finite, ascending velocities, got {array}.")
    return array
