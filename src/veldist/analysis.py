"""What the posterior draws mean: summaries of one LOSVD, of a map, and as a table; Gauss-Hermite series.

The metrics are defined in `veldist.summaries.scalars` and `veldist.summaries.columns`: every one is computed
on every draw and then quoted as the median of the draws with half of their 16-84 percentile range as its
uncertainty. How much of that uncertainty comes from the prior is defined in `veldist.summaries.prior_weight`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.percentiles import percentiles
from veldist._support.validate import check_solvers
from veldist.summaries.columns import MAP_COLUMNS
from veldist.summaries.gauss_hermite.series_fit import (
    GaussHermite,
    gauss_hermite,
    gauss_hermite_to_moments,
    moments_to_gauss_hermite,
)
from veldist.summaries.maps import compute_summary_maps, warn_if_coarse
from veldist.summaries.moments import histogram_cdf
from veldist.summaries.peaks import Modality, modality
from veldist.summaries.prior_weight import prior_ratio
from veldist.summaries.scalars import (
    METRICS,
    PERCENTILE_METRICS,
    SCALARS,
    SIGMA,
    checked_draws,
    percentile_draws,
    resolved_draws,
    shape_percentiles,
    solver_draws,
    summarise,
    summary_draws,
)
from veldist.summaries.tables import summary_table

__all__ = [
    "MAP_COLUMNS",
    "METRICS",
    "GaussHermite",
    "Modality",
    "compute_percentile_summary",
    "compute_percentile_summary_maps",
    "compute_summary",
    "compute_summary_maps",
    "gauss_hermite",
    "gauss_hermite_to_moments",
    "modality",
    "moments_to_gauss_hermite",
    "solver_draws",
    "summary_draws",
    "summary_table",
]


def compute_summary(
    pdf_samples: Any, grid_centers: Any, *, prior_samples: Any = None, discrete: bool = False
) -> dict[str, Any]:
    """Median and uncertainty of every metric of an LOSVD.

    Parameters
    ----------
    pdf_samples : array_like, shape (n_draws, n_bins)
        Posterior draws of the LOSVD, probability mass per bin; rows sum to 1.
    grid_centers : array_like or Quantity, shape (n_bins,)
        Bin centres (km/s), uniform and ascending.
    prior_samples : array_like, shape (n_prior_draws, n_bins), optional
        Draws of the LOSVD's prior in the same bins, e.g. from `KinematicSolver.sample_prior`.
    discrete : bool
        Take the moments of masses at the bin centres, as DYNAMITE does: the dispersion is then
        ``dv**2 / 12`` larger in square, and skewness and kurtosis are closer to 0. ``v_asymmetry`` and
        ``tail_weight`` are relative to these moments. By default the moments do not depend on the bins.

    Returns
    -------
    dict
        ``metric -> (median, uncertainty)`` for all `METRICS` but the last, where the uncertainty is half of
        the 16-84 percentile range of the draws, and ``"bimodality_score" -> int``. The metrics are defined in
        `veldist.summaries.scalars`. With ``prior_samples`` also ``"prior_ratio" -> dict``, the uncertainty of
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
    median, uncertainty, score = summarise(masses, edges, discrete)
    warn_if_coarse(median[SIGMA : SIGMA + 1], np.diff(edges[:2]))
    summary: dict[str, Any] = {
        metric: (float(median[k]), float(uncertainty[k])) for k, metric in enumerate(SCALARS)
    }
    summary[METRICS[-1]] = score
    if prior_samples is not None:
        _, prior, _ = summarise(
            *checked_draws(prior_samples, grid_centers, "prior_samples", "grid_centers"), discrete
        )
        summary["prior_ratio"] = dict(zip(SCALARS, prior_ratio(uncertainty, prior).tolist(), strict=False))
    return summary


def compute_percentile_summary(pdf_samples: Any, grid_centers: Any) -> dict[str, tuple[float, float]]:
    """Median and uncertainty of location, width and shape from percentiles alone, which wings hardly move.

    Parameters
    ----------
    pdf_samples : array_like, shape (n_draws, n_bins)
        Posterior draws of the LOSVD, probability mass per bin; rows sum to 1.
    grid_centers : array_like or Quantity, shape (n_bins,)
        Bin centres (km/s), uniform and ascending.

    Returns
    -------
    dict
        ``name -> (median, uncertainty)`` for ``v_median`` and those of `veldist.summaries.scalars`:
        ``sigma_percentile``, ``bowley_skewness``, ``moors_kurtosis``.

    Raises
    ------
    TypeError, ValueError
        As `summary_draws`.
    """
    return _percentile_summary(*checked_draws(pdf_samples, grid_centers, "pdf_samples", "grid_centers"))


def compute_percentile_summary_maps(solvers: Sequence[Any]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """As `compute_percentile_summary`, for all spatial bins; `compute_summary_maps` holds the same.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin.

    Returns
    -------
    dict
        ``name -> {"median", "uncertainty"}``, arrays (n_bins,), NaN for skipped bins.

    Raises
    ------
    TypeError, ValueError
        If there are no bins, or a solver has not been run.
    """
    check_solvers(solvers)
    names = ("v_median", *PERCENTILE_METRICS)
    values = np.full((len(names), 2, len(solvers)), np.nan)
    for i, solver in enumerate(solvers):
        if solver is not None:
            values[:, :, i] = list(_percentile_summary(*resolved_draws(solver, i)).values())
    return {name: {"median": m, "uncertainty": u} for name, (m, u) in zip(names, values, strict=True)}


def _percentile_summary(
    masses: NDArray[np.float64], edges: NDArray[np.float64]
) -> dict[str, tuple[float, float]]:
    cdf = histogram_cdf(masses)
    found = shape_percentiles(cdf, edges)
    draws = {"v_median": found[3]} | percentile_draws(found)
    low, median, high = percentiles(list(draws.values()), (16.0, 50.0, 84.0))
    return {name: (float(median[k]), float(0.5 * (high - low)[k])) for k, name in enumerate(draws)}
