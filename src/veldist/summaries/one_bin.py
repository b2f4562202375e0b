"""All summaries of the posterior of one spatial bin, in one pass over its draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.percentiles import percentiles
from veldist.summaries.columns import CORRELATIONS, MOMENT_OF, PEAKS, hermite_names
from veldist.summaries.gauss_hermite.series_fit import GaussHermite, gauss_hermite_draws
from veldist.summaries.modality import supported_modes
from veldist.summaries.moments import histogram_cdf
from veldist.summaries.peaks import modality_of
from veldist.summaries.prior_weight import prior_weight
from veldist.summaries.scalars import (
    METRICS,
    percentile_draws,
    resolved_draws,
    scalar_draws,
    shape_percentiles,
)

__all__ = ["BinSummary", "summarise_bin"]


@dataclass(frozen=True)
class BinSummary:
    """Summaries of one bin.

    Attributes
    ----------
    values : dict of str to (float, float)
        Median and uncertainty by the names of `veldist.summaries.columns`.
    prior_ratio : ndarray, shape (n_metrics,)
        Uncertainties of `METRICS` over those of the prior.
    prior_dominated : ndarray of bool, shape (n_metrics,)
        Which of `METRICS` the prior dominates.
    width : float
        Width of the velocity bins that were summarised, km/s.
    """

    values: dict[str, tuple[float, float]]
    prior_ratio: Floats
    prior_dominated: NDArray[np.bool_]
    width: float

    def dominated(self, name: str) -> bool:
        """Whether the prior dominates a summary, or the moment closest to it."""
        name = MOMENT_OF.get(name, name)
        return bool(name in METRICS and self.prior_dominated[METRICS.index(name)])


def summarise_bin(solver: Any, index: int, order: int | None) -> BinSummary:
    """Summarise a fitted solver.

    Parameters
    ----------
    solver : KinematicSolver
        A fitted solver.
    index : int
        Its place in the list, for messages.
    order : int or None
        Order of the Gauss-Hermite series; None for no fit.

    Raises
    ------
    TypeError, ValueError
        As `veldist.summaries.scalars.resolved_draws`.
    """
    masses, edges = resolved_draws(solver, index)
    # Bins first in memory: sums and comparisons along the bins then run over contiguous draws.
    by_bin = np.asfortranarray(masses)
    cdf = histogram_cdf(by_bin)
    modality = modality_of(by_bin, edges, cdf)
    found = shape_percentiles(cdf, edges)
    draws: dict[str, Floats] = scalar_draws(by_bin, edges, cdf, quartiles=found[1:7:2])
    draws |= {METRICS[-1]: modality.n_modes.astype(np.float64)}
    draws |= percentile_draws(found)
    outside = (getattr(solver, "samples", None) or {}).get("outside_grid")
    if outside is not None and np.size(outside) == masses.shape[0]:
        draws["outside_grid"] = np.asarray(outside, dtype=np.float64)
    n_draws, diagnostics = masses.shape[0], getattr(solver, "diagnostics", None)
    effective = float(np.clip(getattr(diagnostics, "ess_min", n_draws), 1.0, n_draws))
    shares = {"p_multimodal": modality.p_multimodal}
    values: dict[str, tuple[float, float]] = {}
    if order is not None:
        fit = gauss_hermite_draws(masses, edges, order)
        values |= dict(zip(hermite_names(order), fit.summary().values(), strict=True))
        shares["gh_converged"] = float(fit.converged.mean())
        values |= _correlations(fit, effective / n_draws)
    low, median, high = percentiles(list(draws.values()), (16.0, 50.0, 84.0))
    spread = 0.5 * (high - low)
    values |= {name: (float(median[k]), float(spread[k])) for k, name in enumerate(draws)}
    ratio, dominated = prior_weight(solver, masses, edges, spread[: len(METRICS)])
    values[METRICS[-1]] = (
        float(supported_modes(by_bin, modality.n_modes)),
        values[METRICS[-1]][1],
    )
    values |= {name: (p, _binomial_error(p, effective)) for name, p in shares.items()}
    values |= _peaks(modality)
    evidence = getattr(diagnostics, "log_bayes_factor", np.nan)
    values["log_bayes_factor"] = (float(evidence), np.nan)
    return BinSummary(values, ratio, dominated, float(edges[1] - edges[0]))


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
