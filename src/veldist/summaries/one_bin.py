"""All summaries of the posterior of one spatial bin, in one pass over its draws."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.percentiles import percentiles
from veldist._support.validate import name_first
from veldist.errors import GridWarning
from veldist.fits.draws import checked_draws, resolved_draws
from veldist.fits.fit import Fit
from veldist.summaries.columns import CORRELATIONS, MEMBERS, MOMENT_OF, PEAKS, hermite_names
from veldist.summaries.gauss_hermite.series_fit import GaussHermite, gauss_hermite_draws
from veldist.summaries.modality import supported_modes
from veldist.summaries.moments import histogram_cdf
from veldist.summaries.peaks import modality_of
from veldist.summaries.prior_weight import prior_ratio, prior_weight
from veldist.summaries.scalars import (
    METRICS,
    SCALARS,
    SIGMA,
    percentile_draws,
    scalar_draws,
    shape_percentiles,
    summarise,
)

__all__ = [
    "BinSummary",
    "compute_percentile_summary",
    "compute_summary",
    "summarise_bin",
    "warn_if_coarse",
]


@dataclass(frozen=True)
class BinSummary:
    """Summaries of one bin."""

    # Median and uncertainty by the names of `veldist.summaries.columns`.
    values: dict[str, tuple[float, float]]
    prior_ratio: Floats  # (n_metrics,): uncertainties of `METRICS` over those of the prior
    prior_dominated: NDArray[np.bool_]  # (n_metrics,): which of `METRICS` the prior dominates
    width: float  # width of the velocity bins that were summarised, km/s
    # 16 and 84 percent percentiles of what was computed draw by draw.
    intervals: dict[str, tuple[float, float]]

    def dominated(self, name: str) -> bool:
        """Whether the prior dominates a summary, or the moment closest to it."""
        name = MOMENT_OF.get(name, name)
        return bool(name in METRICS and self.prior_dominated[METRICS.index(name)])


def summarise_bin(index: int, fit: Fit, order: int | None) -> BinSummary:
    """Summarise a fitted bin.

    Parameters
    ----------
    index : int
        Its place in the list, for messages.
    fit : Fit
        A fitted bin.
    order : int or None
        Order of the Gauss-Hermite series; None for no fit.

    Raises
    ------
    TypeError, ValueError
        As `veldist.fits.draws.resolved_draws`.
    """
    masses, edges = resolved_draws(fit, index)
    # Bins first in memory: sums and comparisons along the bins then run over contiguous draws.
    by_bin = np.asfortranarray(masses)
    cdf = histogram_cdf(by_bin)
    modality = modality_of(by_bin, edges, cdf)
    found = shape_percentiles(cdf, edges)
    draws: dict[str, Floats] = scalar_draws(by_bin, edges, cdf, quartiles=found[1:7:2])
    draws |= {METRICS[-1]: modality.n_modes.astype(np.float64)}
    draws |= percentile_draws(found)
    for name in ("outside_grid", *MEMBERS):
        values_of = (fit.samples or {}).get(name)
        if values_of is not None and np.size(values_of) == masses.shape[0]:
            draws[name] = np.asarray(values_of, dtype=np.float64)
    n_draws, diagnostics = masses.shape[0], fit.diagnostics
    least = n_draws if diagnostics is None else diagnostics.ess_min
    effective = float(np.clip(least, 1.0, n_draws))
    shares = {"p_multimodal": modality.p_multimodal}
    values: dict[str, tuple[float, float]] = {}
    if order is not None:
        series = gauss_hermite_draws(masses, edges, order)
        values |= dict(zip(hermite_names(order), series.summary().values(), strict=True))
        shares["gh_converged"] = float(series.converged.mean())
        values |= _correlations(series, effective / n_draws)
    low, median, high = percentiles(list(draws.values()), (16.0, 50.0, 84.0))
    spread = 0.5 * (high - low)
    intervals = dict(zip(draws, zip(low.tolist(), high.tolist(), strict=True), strict=True))
    values |= {name: (float(median[k]), float(spread[k])) for k, name in enumerate(draws)}
    ratio, dominated = prior_weight(fit, masses, edges, spread[: len(METRICS)])
    values[METRICS[-1]] = (
        float(supported_modes(by_bin, modality.n_modes)),
        values[METRICS[-1]][1],
    )
    values |= {name: (p, _binomial_error(p, effective)) for name, p in shares.items()}
    values |= _peaks(modality)
    evidence = np.nan if diagnostics is None else diagnostics.log_bayes_factor
    values["log_bayes_factor"] = (float(evidence), np.nan)
    return BinSummary(values, ratio, dominated, float(edges[1] - edges[0]), intervals)


def _peaks(modality: Any) -> dict[str, tuple[float, float]]:
    pairs = (modality.peak_v[0], modality.peak_mass[0], modality.peak_v[1], modality.peak_mass[1])
    return dict(zip(PEAKS, pairs, strict=True))


def _binomial_error(p: float, n: float) -> float:
    """Standard error of a share of n independent draws; not 0 where all or none have it (Jeffreys' prior)."""
    p = (n * p + 0.5) / (n + 1.0)
    return float(np.sqrt(p * (1.0 - p) / n))


def _correlations(fit: GaussHermite, efficiency: float) -> dict[str, tuple[float, float]]:
    """Correlations of the draws whose fit converged, with their sampling error (1 - r^2) / sqrt(n - 1).

    Every draw counts for ``efficiency`` independent ones.
    """
    names = hermite_names(fit.order)
    matrix, n = fit.correlation(), np.count_nonzero(fit.converged)
    found: dict[str, tuple[float, float]] = {}
    for name, (a, b) in CORRELATIONS.items():
        if a in names and b in names:
            r = float(matrix[names.index(a), names.index(b)]) if fit.enough_converged else np.nan
            found[name] = (r, (1.0 - r**2) / float(np.sqrt(max(efficiency * n - 1.0, 1.0))))
    return found


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
    masses, edges = checked_draws(pdf_samples, grid_centers, "pdf_samples", "grid_centers")
    found = shape_percentiles(histogram_cdf(masses), edges)
    draws = {"v_median": found[3]} | percentile_draws(found)
    low, median, high = percentiles(list(draws.values()), (16.0, 50.0, 84.0))
    return {name: (float(median[k]), float(0.5 * (high - low)[k])) for k, name in enumerate(draws)}


def warn_if_coarse(sigma: NDArray[np.float64], width: NDArray[np.float64], stacklevel: int = 3) -> None:
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
            stacklevel=stacklevel,
        )
