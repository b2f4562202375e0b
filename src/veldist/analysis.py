"""What the posterior draws mean: summaries of one LOSVD, of a map, and as a table.

The metrics are defined in `veldist.summaries`: every one is computed on every draw and then quoted as the
median of the draws with half of their 16-84 percentile range as its uncertainty. How much of that uncertainty
comes from the prior is defined in `veldist.prior_weight`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veldist.blas import one_thread
from veldist.errors import GridWarning
from veldist.prior_weight import prior_ratio, prior_weight
from veldist.summaries import (
    COLUMNS,
    METRICS,
    SCALARS,
    SIGMA,
    checked_draws,
    resolved_draws,
    solver_draws,
    summarise,
    summary_draws,
)
from veldist.validate import check_finite, check_keys, name_first, to_array

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = [
    "METRICS",
    "compute_summary",
    "compute_summary_maps",
    "solver_draws",
    "summary_draws",
    "summary_table",
]


def compute_summary(pdf_samples: Any, grid_centers: Any, *, prior_samples: Any = None) -> dict[str, Any]:
    """Median and uncertainty of every metric of an LOSVD.

    Parameters
    ----------
    pdf_samples : array_like, shape (n_draws, n_bins)
        Posterior draws of the LOSVD, probability mass per bin; rows sum to 1.
    grid_centers : array_like or Quantity, shape (n_bins,)
        Bin centres (km/s), uniform and ascending.
    prior_samples : array_like, shape (n_prior_draws, n_bins), optional
        Draws of the LOSVD's prior in the same bins, e.g. from `KinematicSolver.sample_prior`.

    Returns
    -------
    dict
        ``metric -> (median, uncertainty)`` for all `METRICS` but the last, where the uncertainty is half of
        the 16-84 percentile range of the draws, and ``"bimodality_score" -> int``. The metrics are defined
        in `veldist.summaries`. With ``prior_samples`` also ``"prior_ratio" -> dict``, the uncertainty of
        each metric but the last over that in the prior draws: 1 where the data have taught nothing.

    Raises
    ------
    TypeError, ValueError
        As `summary_draws`.

    Warns
    -----
    GridWarning
        If the velocity bins are wider than the dispersion, too coarse for all but the mean.
    """
    masses, edges = checked_draws(pdf_samples, grid_centers, "pdf_samples", "grid_centers")
    median, uncertainty, score = summarise(masses, edges)
    _warn_if_coarse(median[SIGMA : SIGMA + 1], np.diff(edges[:2]))
    summary: dict[str, Any] = {
        metric: (float(median[k]), float(uncertainty[k])) for k, metric in enumerate(SCALARS)
    }
    summary[METRICS[-1]] = score
    if prior_samples is not None:
        _, prior, _ = summarise(*checked_draws(prior_samples, grid_centers, "prior_samples", "grid_centers"))
        summary["prior_ratio"] = dict(zip(SCALARS, prior_ratio(uncertainty, prior).tolist(), strict=False))
    return summary


def compute_summary_maps(solvers: Sequence[Any]) -> dict[str, dict[str, NDArray[Any]]]:
    """Summaries of all spatial bins, ready to be drawn as maps.

    They are those of `compute_summary`, but do not suffer from coarse velocity bins: where these are wider
    than 0.7 dispersions, the posterior behind a solver is summarised on narrower ones.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin, as `veldist.fit_all_bins` returns.

    Returns
    -------
    dict
        ``metric -> {"median", "uncertainty", "prior_ratio", "prior_dominated"}``, arrays (n_bins,), for all
        `METRICS`; NaN, and False, for skipped bins. ``prior_ratio`` is the uncertainty over that of
        the prior and ``prior_dominated`` says where the prior weighs more than the data (see
        `veldist.prior_weight`); the ratio can exceed 1. They are NaN and False for solvers that hold no
        posterior, or whose prior has no mass on the grid; where the prior has no width, because it is
        nearly all exactly Gaussian, the ratio is NaN and the prior dominates.
        For ``bimodality_score`` "median" is the score of `compute_summary` as a float, "uncertainty" is
        half of the 16-84 percentile range of the number of modes per draw, 0 where the draws agree, and
        the prior is not looked at.

    Raises
    ------
    TypeError, ValueError
        If there are no bins, a solver has not been run, or as `summary_draws`, naming the solver.

    Warns
    -----
    GridWarning
        As `compute_summary`, once for all solvers that hold no posterior to look at more closely.
    """
    values = np.full((3, len(METRICS), _n_solvers(solvers)), np.nan)
    dominated = np.zeros(values.shape[1:], dtype=bool)
    width = np.full(len(solvers), np.nan)
    with one_thread():
        for i, solver in enumerate(solvers):
            if solver is not None:
                masses, edges = resolved_draws(solver, i)
                values[0, :, i], values[1, :, i], score = summarise(masses, edges)
                values[0, -1, i] = score
                values[2, :, i], dominated[:, i] = prior_weight(solver, masses, edges, values[1, :, i])
                width[i] = edges[1] - edges[0]
    _warn_if_coarse(values[0, SIGMA], width)
    keys = ("median", "uncertainty", "prior_ratio")
    return {
        metric: dict(zip(keys, values[:, k].copy(), strict=True)) | {"prior_dominated": dominated[k].copy()}
        for k, metric in enumerate(METRICS)
    }


def summary_table(
    solvers: Sequence[Any],
    x: Any = None,
    y: Any = None,
    *,
    maps: dict[str, dict[str, NDArray[Any]]] | None = None,
) -> QTable:
    """Summaries of all spatial bins as a table with units and descriptions, one row per bin.

    It can be written as it is, e.g. ``table.write("kinematics.ecsv")`` or ``"kinematics.fits"``.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin.
    x, y : array_like or Quantity, shape (n_bins,), optional
        Positions of the bins (arcsec); both or neither.
    maps : dict, optional
        What `compute_summary_maps` returned for these solvers, where it has been called already.

    Returns
    -------
    astropy.table.QTable
        Columns ``bin_id`` (1-based, as in a pixel map of bins), ``x`` and ``y`` if given, ``n_stars``, and
        for every metric ``METRIC`` and ``METRIC_unc``, as in `compute_summary_maps`, and for all but
        ``bimodality_score`` ``METRIC_prior_ratio`` and ``METRIC_prior_dominated``; NaN, and False, for
        skipped bins.
        If the solvers have diagnostics, also ``log_bayes_factor`` (of "not Gaussian" against "Gaussian", NaN
        where there is none) and ``converged``, which is False for skipped bins.

    Raises
    ------
    TypeError, ValueError
        If only one of x and y is given, they or the maps do not have one value per bin, or as
        `compute_summary_maps`.
    """
    from astropy.table import QTable
    from astropy.units import Quantity

    table = QTable()

    def add(name: str, values: NDArray[Any], unit: str | None, description: str) -> None:
        table[name] = values if unit is None else Quantity(values, unit)
        table[name].info.description = description

    # One pass, which keeps no solver: they may be read from a store one by one.
    columns = [
        (
            getattr(solver, "n_stars", np.nan),
            getattr(diagnostics, "log_bayes_factor", np.nan),
            getattr(diagnostics, "converged", False),
            diagnostics is not None,
        )
        for solver in solvers
        for diagnostics in [getattr(solver, "diagnostics", None)]
    ]
    n_stars, evidence, converged, diagnosed = zip(*columns, strict=True)
    if maps is None:
        maps = compute_summary_maps(solvers)
    check_keys(maps, METRICS, "maps")
    if maps[METRICS[0]]["median"].size != len(solvers):
        raise ValueError(
            f"maps have {maps[METRICS[0]]['median'].size} bins, but there are {len(solvers)} solvers: pass "
            "those of the same solvers."
        )
    add("bin_id", np.arange(1, len(solvers) + 1), None, "spatial bin, counted from 1")
    if (x is None) != (y is None):
        raise ValueError("x and y must be given together, or neither.")
    for name, position in (("x", x), ("y", y)) if x is not None else ():
        values = to_array(position, name, "arcsec")
        check_finite(values, name)
        if values.size != len(solvers):
            raise ValueError(
                f"{name} has {values.size} values, but there are {len(solvers)} bins: pass one each."
            )
        add(name, values, "arcsec", f"{name} position of the bin")
    add("n_stars", np.array(n_stars, dtype=float), None, "number of stars")
    for metric, (unit, description) in COLUMNS.items():
        add(metric, maps[metric]["median"], unit, f"{description} (posterior median)")
        add(
            f"{metric}_unc", maps[metric]["uncertainty"], unit, f"half the 16-84 percentile range of {metric}"
        )
        if metric in SCALARS and "prior_ratio" in maps[metric]:
            ratio, dominated = maps[metric]["prior_ratio"], maps[metric]["prior_dominated"]
            add(f"{metric}_prior_ratio", ratio, None, f"{metric}_unc over that of the prior")
            add(
                f"{metric}_prior_dominated",
                dominated,
                None,
                f"whether the prior outweighs the data on {metric}",
            )
    if any(diagnosed):
        add(
            "log_bayes_factor",
            np.array(evidence, dtype=float),
            None,
            "log Bayes factor of a non-Gaussian LOSVD",
        )
        add("converged", np.array(converged, dtype=bool), None, "whether the posterior sample has converged")
    return table


def _warn_if_coarse(sigma: NDArray[np.float64], width: NDArray[np.float64]) -> None:
    """Warn of LOSVDs narrower than their velocity bins (both km/s, NaN where there is none)."""
    coarse = np.flatnonzero(width > sigma)
    if coarse.size:
        worst = coarse[np.argmax(width[coarse] / sigma[coarse])]
        where = f" of {coarse.size} of {sigma.size} solvers ({name_first(coarse)})" if sigma.size > 1 else ""
        warnings.warn(
            f"the velocity bins{where} are wider than the dispersion (worst: {width[worst]:.3g} against "
            f"{sigma[worst]:.3g} km/s): all summaries but v_mean are rough. KinematicSolver.setup_grid() "
            "with narrower bins reports the same posterior without fitting again.",
            GridWarning,
            stacklevel=3,
        )


def _n_solvers(solvers: Sequence[Any]) -> int:
    if len(solvers) == 0:
        raise ValueError("solvers is empty: pass one solver (or None) per spatial bin.")
    return len(solvers)
