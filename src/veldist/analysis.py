"""What the posterior draws mean: scalar summaries of an LOSVD, per bin, as maps and as a table.

Every summary is computed on every draw and then quoted as the median of the draws with half of their
16-84 percentile range as its uncertainty. Moments are those of the smooth density behind a histogram;
percentiles take the density as constant within each velocity bin (see `veldist.moments`).

==================== ======================================================================================
``v_mean``           mean velocity, km/s
``v_median``         median velocity, km/s
``v_asymmetry``      ``v_mean - v_median``, km/s: positive where the longer tail is at high velocities
``sigma``            dispersion (standard deviation), km/s
``iqr``              interquartile range, km/s: unlike the dispersion, blind to what the wings do
``sigma_iqr``        ``iqr / 1.349``, km/s: the dispersion of the Gaussian with that interquartile range
``skewness``         third standardised moment; positive where the longer tail is at high velocities
``kurtosis``         excess kurtosis: fourth standardised moment minus 3, 0 for a Gaussian
``tail_weight``      probability farther than 1 ``sigma`` from ``v_mean``; 0.3173 for a Gaussian
``bimodality_score`` number of modes that the posterior supports (see `veldist.modality`): 1 for a Gaussian,
                     2 or more where distinct peaks are real
==================== ======================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veldist.modality import count_modes, supported_modes
from veldist.moments import (
    IQR_PER_SIGMA,
    histogram_cdf,
    histogram_moments,
    histogram_percentile,
    mass_beyond_sigma,
)
from veldist.validate import check_finite, to_array, to_masses, to_uniform_centers

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

METRICS = (
    "v_mean",
    "v_median",
    "v_asymmetry",
    "sigma",
    "iqr",
    "sigma_iqr",
    "skewness",
    "kurtosis",
    "tail_weight",
    "bimodality_score",
)
"""Names of the summaries, in the order of every dictionary and table."""

# Unit and meaning of the columns of `summary_table`.
_COLUMNS = {
    "v_mean": ("km/s", "mean velocity"),
    "v_median": ("km/s", "median velocity"),
    "v_asymmetry": ("km/s", "mean minus median velocity"),
    "sigma": ("km/s", "velocity dispersion"),
    "iqr": ("km/s", "interquartile range"),
    "sigma_iqr": ("km/s", "dispersion of a Gaussian of this interquartile range"),
    "skewness": (None, "skewness"),
    "kurtosis": (None, "excess kurtosis"),
    "tail_weight": (None, "probability beyond 1 sigma of v_mean, Gaussian 0.3173"),
    "bimodality_score": (None, "number of modes that the posterior supports"),
}


def summary_draws(pdf_samples: Any, grid_centers: Any) -> dict[str, NDArray[np.float64]]:
    """Summaries of each posterior draw: the full posterior of every metric.

    Parameters
    ----------
    pdf_samples : array_like, shape (n_draws, n_bins)
        Posterior draws of the LOSVD, probability mass per bin. Rows must sum to 1 within 1e-3; what is
        left of the difference is divided out.
    grid_centers : array_like or Quantity, shape (n_bins,)
        Bin centres (km/s), uniform and ascending.

    Returns
    -------
    dict of str to ndarray, shape (n_draws,)
        One array for each of `METRICS`; ``bimodality_score`` holds the number of modes of the draw. Use them
        for anything that a median and an uncertainty do not tell: correlations, probabilities such as
        ``np.mean(draws["skewness"] > 0)``.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shapes disagree, the centres are not uniform and ascending, masses are NaN, infinite or
        negative, or rows do not sum to 1 (densities instead of masses, for instance).
    """
    return _summary_draws(*_checked(pdf_samples, grid_centers, "pdf_samples", "grid_centers"))


def compute_summary(pdf_samples: Any, grid_centers: Any) -> dict[str, tuple[float, float] | int]:
    """Median and uncertainty of every metric of an LOSVD.

    Parameters
    ----------
    pdf_samples : array_like, shape (n_draws, n_bins)
        Posterior draws of the LOSVD, probability mass per bin; rows sum to 1.
    grid_centers : array_like or Quantity, shape (n_bins,)
        Bin centres (km/s), uniform and ascending.

    Returns
    -------
    dict
        ``metric -> (median, uncertainty)`` for all `METRICS` but the last, where the uncertainty is half of
        the 16-84 percentile range of the draws, and ``"bimodality_score" -> int``. The metrics are defined
        at the top of this module.

    Raises
    ------
    TypeError, ValueError
        As `summary_draws`.
    """
    masses, edges = _checked(pdf_samples, grid_centers, "pdf_samples", "grid_centers")
    median, uncertainty, score = _summarise(masses, edges)
    summary: dict[str, tuple[float, float] | int] = {
        metric: (float(median[k]), float(uncertainty[k])) for k, metric in enumerate(METRICS[:-1])
    }
    summary[METRICS[-1]] = score
    return summary


def compute_summary_maps(solvers: Sequence[Any]) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Summaries of all spatial bins, ready to be drawn as maps.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin, as `veldist.fit_all_bins` returns.

    Returns
    -------
    dict
        ``metric -> {"median": (n_bins,), "uncertainty": (n_bins,)}`` for all `METRICS`, NaN for skipped bins.
        For ``bimodality_score`` "median" is the score of `compute_summary` as a float, and "uncertainty" is
        half of the 16-84 percentile range of the number of modes per draw: 0 where the draws agree.

    Raises
    ------
    TypeError, ValueError
        If there are no bins, a solver has not been run, or as `summary_draws`, naming the solver.
    """
    values = np.full((2, len(METRICS), _n_solvers(solvers)), np.nan)
    for i, solver in enumerate(solvers):
        if solver is not None:
            masses, edges = solver_draws(solver, i)
            values[0, :, i], values[1, :, i], score = _summarise(masses, edges)
            values[0, -1, i] = score
    return {
        metric: {"median": values[0, k].copy(), "uncertainty": values[1, k].copy()}
        for k, metric in enumerate(METRICS)
    }


def summary_table(solvers: Sequence[Any], x: Any = None, y: Any = None) -> QTable:
    """Summaries of all spatial bins as a table with units and descriptions, one row per bin.

    It can be written as it is, e.g. ``table.write("kinematics.ecsv")`` or ``"kinematics.fits"``.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin.
    x, y : array_like or Quantity, shape (n_bins,), optional
        Positions of the bins (arcsec); both or neither.

    Returns
    -------
    astropy.table.QTable
        Columns ``bin_id`` (1-based, as in a pixel map of bins), ``x`` and ``y`` if given, ``n_stars``, and
        for every metric ``METRIC`` and ``METRIC_unc``, as in `compute_summary_maps`; NaN for skipped bins.
        If the solvers have diagnostics, also ``log_bayes_factor`` (of "not Gaussian" against "Gaussian", NaN
        where there is none) and ``converged``, which is False for skipped bins.

    Raises
    ------
    TypeError, ValueError
        If only one of x and y is given, they do not have one finite value per bin, or as
        `compute_summary_maps`.
    """
    from astropy.table import QTable
    from astropy.units import Quantity

    table = QTable()

    def add(name: str, values: NDArray[Any], unit: str | None, description: str) -> None:
        table[name] = values if unit is None else Quantity(values, unit)
        table[name].info.description = description

    def collect(path: str, missing: float) -> list[Any]:
        """One attribute of all solvers, e.g. ``diagnostics.converged``."""
        values: list[Any] = list(solvers)
        for name in path.split("."):
            values = [getattr(value, name, None) for value in values]
        return [missing if value is None else value for value in values]

    maps = compute_summary_maps(solvers)
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
    add("n_stars", np.array(collect("n_stars", np.nan), dtype=float), None, "number of stars")
    for metric, (unit, description) in _COLUMNS.items():
        add(metric, maps[metric]["median"], unit, f"{description} (posterior median)")
        add(
            f"{metric}_unc", maps[metric]["uncertainty"], unit, f"half the 16-84 percentile range of {metric}"
        )
    if any(getattr(solver, "diagnostics", None) is not None for solver in solvers):
        evidence = np.array(collect("diagnostics.log_bayes_factor", np.nan), dtype=float)
        add("log_bayes_factor", evidence, None, "log Bayes factor of a non-Gaussian LOSVD")
        converged = np.array(collect("diagnostics.converged", False), dtype=bool)
        add("converged", converged, None, "whether the posterior sample has converged")
    return table


def solver_draws(solver: Any, index: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Checked posterior masses (n_draws, n_bins) and bin edges (km/s) of one of a list of solvers.

    Raises
    ------
    TypeError, ValueError
        If the solver has not been run, or as `summary_draws`; the message names ``solvers[index]``.
    """
    samples = getattr(solver, "samples", None)
    if not samples or "intrinsic_pdf" not in samples:
        raise ValueError(f"solvers[{index}] has no samples['intrinsic_pdf']: call its run() first.")
    return _checked(
        samples["intrinsic_pdf"],
        solver.grid["centers"],
        f"solvers[{index}].samples['intrinsic_pdf']",
        f"solvers[{index}].grid['centers']",
    )


def _summary_draws(masses: NDArray[np.float64], edges: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    mean, sigma, skewness, kurtosis = histogram_moments(masses, edges)
    cdf = histogram_cdf(masses)
    median = histogram_percentile(cdf, edges, 0.5)
    iqr = histogram_percentile(cdf, edges, 0.75) - histogram_percentile(cdf, edges, 0.25)
    return {
        "v_mean": mean,
        "v_median": median,
        "v_asymmetry": mean - median,
        "sigma": sigma,
        "iqr": iqr,
        "sigma_iqr": iqr / IQR_PER_SIGMA,
        "skewness": skewness,
        "kurtosis": kurtosis,
        "tail_weight": mass_beyond_sigma(cdf, edges, mean, sigma),
        "bimodality_score": count_modes(masses).astype(np.float64),
    }


def _summarise(
    masses: NDArray[np.float64], edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Median and uncertainty of all metrics, in their order, and the number of supported modes."""
    draws = _summary_draws(masses, edges)
    low, median, high = np.percentile([draws[metric] for metric in METRICS], [16.0, 50.0, 84.0], axis=1)
    return median, 0.5 * (high - low), supported_modes(masses, draws["bimodality_score"])


def _checked(
    pdf_samples: Any, grid_centers: Any, pdf_name: str, grid_name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Masses with rows that sum to 1 and bin edges in km/s, both checked."""
    centers, dv = to_uniform_centers(grid_centers, grid_name)
    masses = to_masses(pdf_samples, pdf_name, np.full(centers.size, dv))
    return masses, np.linspace(centers[0] - 0.5 * dv, centers[-1] + 0.5 * dv, centers.size + 1)


def _n_solvers(solvers: Sequence[Any]) -> int:
    if len(solvers) == 0:
        raise ValueError("solvers is empty: pass one solver (or None) per spatial bin.")
    return len(solvers)
