"""Summaries of all spatial bins of a map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.processes import check_jobs
from veldist._support.validate import check_count
from veldist.fits.draws import check_fits
from veldist.fits.each import over_bins
from veldist.summaries.columns import (
    CORRELATIONS,
    MAP_COLUMNS,
    MAX_ORDER,
    MEMBERS,
    MOMENT_OF,
    hermite_names,
)
from veldist.summaries.one_bin import BinSummary, summarise_bin, warn_if_coarse
from veldist.summaries.scalars import METRICS

__all__ = ["DEFAULT_ORDER", "check_order", "compute_summary_maps", "summary_maps"]

DEFAULT_ORDER = 4
"""Order of the Gauss-Hermite series in maps."""

# Starting worker processes costs as much as so many bins. Threads would get into each other's way: the array
# operations are short.
_MIN_BINS_FOR_PROCESSES = 100


def compute_summary_maps(
    solvers: Sequence[Any], *, order: int | None = DEFAULT_ORDER, n_jobs: int | None = None
) -> dict[str, dict[str, NDArray[Any]]]:
    """Summaries of all spatial bins, ready to be drawn as maps.

    The basic ones are those of `veldist.analysis.compute_summary`, but do not suffer from coarse velocity
    bins: where these are wider than 0.5 dispersions, the posterior behind a solver is summarised on narrower
    ones.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin, as `veldist.fit_all_bins` returns. Each
        is looked up once and not kept.
    order : int or None
        Order of the Gauss-Hermite series that is fitted to every draw, 3 to 6, with the small errors that
        `veldist.summaries.gauss_hermite.series_fit.gauss_hermite_draws` states; None for none, which saves
        more than half of the time.
    n_jobs : int, optional
        Number of worker processes, with which the result has the same bits; by default all cores for a
        hundred bins or more, and none for fewer.

    Returns
    -------
    dict
        ``name -> {"median", "uncertainty", ...}``, arrays (n_bins,), NaN for skipped bins, for all names in
        `veldist.summaries.columns` (up to ``order``); those of ``MEMBERS`` only if one of the fits is beside
        contaminants. For probabilities and correlations "median" is their
        value and "uncertainty" its Monte Carlo error for the effective sample size; that of
        ``log_bayes_factor`` is not known: NaN. For ``bimodality_score`` "median" is the score of
        `veldist.analysis.compute_summary` as a float, and "uncertainty" half of the 16-84 percentile range of
        the number of modes per draw, 0 where the draws agree. ``peak1_v`` and the like are NaN where too few
        draws have two modes, and what comes from the Gauss-Hermite series where too few of the fits
        converged: its parameters and correlations are those of the draws whose fit did. Below
        ``gh_converged`` of about 0.9 do not rely on them.

        The basic summaries also have "prior_ratio" and "prior_dominated": the uncertainty over that of the
        prior, which can exceed 1, and where the prior weighs more than the data (see
        `veldist.summaries.prior_weight`). They are NaN and False for skipped bins, for solvers that hold no
        posterior, or whose prior has no mass on the grid; where the prior has no width, because it is nearly
        all exactly Gaussian, the ratio is NaN and the prior dominates. For ``bimodality_score`` the prior is
        not looked at. Summaries that are close relatives of a moment, h3 of the skewness for instance, have
        the "prior_dominated" of that moment.

    Raises
    ------
    TypeError, ValueError
        If there are no bins, ``order`` is out of range, a solver has not been run, or as
        `veldist.analysis.summary_draws`, naming the solver.

    Warns
    -----
    GridWarning
        As `veldist.analysis.compute_summary`, once for all solvers that hold no posterior to look at more
        closely.
    """
    fits = check_fits(solvers)
    check_order(order)
    n_jobs = check_jobs(n_jobs)
    if n_jobs is None and len(fits) < _MIN_BINS_FOR_PROCESSES:
        n_jobs = 1
    found = dict(over_bins(partial(summarise_bin, order=order), fits, n_jobs))
    return summary_maps(found, len(fits), order, stacklevel=2)


def check_order(order: int | None) -> None:
    """Refuse an order of the Gauss-Hermite series that there is not."""
    if order is not None and check_count(order, "order", 3) > MAX_ORDER:
        raise ValueError(f"order must be 3 to {MAX_ORDER}, or None for no Gauss-Hermite fit, got {order}.")


def summary_maps(
    summaries: Mapping[int, BinSummary], n_bins: int, order: int | None, stacklevel: int = 1
) -> dict[str, dict[str, NDArray[Any]]]:
    """What `compute_summary_maps` returns, from the summaries of the bins that have one."""
    names = _names(order, any(MEMBERS[0] in summary.values for summary in summaries.values()))
    median, uncertainty = np.full((2, len(names), n_bins), np.nan)
    ratio = np.full((len(METRICS), n_bins), np.nan)
    dominated = np.zeros((len(names), n_bins), dtype=bool)
    width = np.full(n_bins, np.nan)
    for i, summary in summaries.items():
        pairs = [summary.values.get(name, (np.nan, np.nan)) for name in names]
        median[:, i], uncertainty[:, i] = np.transpose(pairs)
        ratio[:, i] = summary.prior_ratio
        dominated[:, i] = [summary.dominated(name) for name in names]
        width[i] = summary.width
    warn_if_coarse(median[names.index("sigma")], width, stacklevel + 2)
    maps: dict[str, dict[str, NDArray[Any]]] = {}
    for k, name in enumerate(names):
        maps[name] = {"median": median[k].copy(), "uncertainty": uncertainty[k].copy()}
        if name in METRICS:
            maps[name]["prior_ratio"] = ratio[METRICS.index(name)].copy()
        if name in METRICS or name in MOMENT_OF:
            maps[name]["prior_dominated"] = dominated[k].copy()
    return maps


def _names(order: int | None, members: bool) -> list[str]:
    """What is there to be shown with a series of this order, and of members if not all stars are."""
    series = () if order is None else hermite_names(order)
    left_out = {n for n in (*hermite_names(MAX_ORDER), "gh_converged") if n not in series}
    if order is not None:
        left_out.remove("gh_converged")
    left_out |= {name for name, pair in CORRELATIONS.items() if not set(pair) <= set(series)}
    left_out |= set() if members else set(MEMBERS)
    return [name for name in MAP_COLUMNS if name not in left_out]
