"""Gauss-Hermite series of the solved bins, fit to be written: medians, uncertainties that do not vanish."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.validate import check_count, to_float
from veldist.errors import ConvergenceWarning
from veldist.export.rows.bins import describe_bins
from veldist.fits.draws import Fits, resolved_draws
from veldist.summaries.gauss_hermite.series_fit import ENOUGH_CONVERGED, gauss_hermite

__all__ = ["SeriesRows", "collect_series"]


@dataclass(frozen=True)
class SeriesRows:
    """One row for every solved bin.

    Attributes
    ----------
    names : tuple of str
        ``v``, ``sigma``, ``h3``, ``h4``, ...
    values, errors : ndarray, shape (n_solved, order)
        Medians and uncertainties, the latter not below the floors; V and sigma in km/s.
    n_floored : int
        Uncertainties that the floors raised.
    converged : ndarray, shape (n_solved,)
        Share of the fits that converged.
    floors : dict of str to float
        ``velocity`` (km/s) and ``coefficient``.
    n_stars : list of int
        Numbers of stars.
    """

    names: tuple[str, ...]
    values: Floats
    errors: Floats
    n_floored: int
    converged: Floats
    floors: dict[str, float]
    n_stars: list[int]


def collect_series(
    fits: Fits,
    solved: NDArray[np.bool_],
    order: int,
    velocity_floor: Any,
    coefficient_floor: Any,
    stacklevel: int,
) -> SeriesRows:
    """Fit the series to all draws of all solved bins, one after the other, none kept.

    Parameters
    ----------
    fits : sequence of Fit or None
        They may come from a store that is larger than the memory.
    solved : ndarray of bool, shape (n_bins,)
        Which bins have a solver.
    order : int
        Order of the series.
    velocity_floor : float or Quantity
        Smallest uncertainty of V and sigma, km/s.
    coefficient_floor : float
        Smallest uncertainty of h_m.
    stacklevel : int
        Of the warning, as seen by the caller.

    Raises
    ------
    ValueError
        If a floor is not positive, or hardly any fit of a bin converged.

    Warns
    -----
    ConvergenceWarning
        If fewer than 90 % of the fits of a bin converged.
    """
    floors = {
        "velocity": to_float(velocity_floor, "velocity_floor", "km/s"),
        "coefficient": to_float(coefficient_floor, "coefficient_floor", ""),
    }
    for name, floor in floors.items():
        if not floor > 0:
            raise ValueError(
                f"{name}_floor must be positive, got {floor}: orbit codes divide by uncertainties."
            )
    pairs, converged, n_stars = [], [], []
    names: tuple[str, ...] = ()
    for i, fit in enumerate(fits):
        if fit is not None:
            series = gauss_hermite(*resolved_draws(fit, i), order=order)
            names = series.names
            pairs.append(list(series.summary().values()))
            converged.append(float(series.converged.mean()))
            n_stars.append(check_count(fit.n_stars, f"solvers[{i}].n_stars", minimum=1))
    values, errors = np.moveaxis(np.array(pairs), -1, 0).copy()
    bins, shares = np.flatnonzero(solved), np.array(converged)
    nothing, low = np.zeros_like(solved), np.zeros_like(solved)
    nothing[solved] = ~np.isfinite(values).all(axis=1)
    if nothing.any():
        raise ValueError(
            f"hardly any Gauss-Hermite fit converged in {describe_bins(nothing)}: these LOSVDs have no such "
            "series. Use narrower velocity bins or larger Voronoi bins, pass None for them, or write "
            "histograms."
        )
    low[solved] = shares < ENOUGH_CONVERGED
    if low.any():
        worst = int(np.argmin(shares))
        warnings.warn(
            f"fewer than {ENOUGH_CONVERGED:.0%} of the Gauss-Hermite fits converged in {describe_bins(low)}; "
            f"the worst is index {bins[worst]} with {shares[worst]:.0%}. Such LOSVDs have no well-defined "
            "series: use narrower velocity bins or larger Voronoi bins, or write histograms.",
            ConvergenceWarning,
            stacklevel=stacklevel + 1,
        )
    least = np.array([floors["velocity"]] * 2 + [floors["coefficient"]] * (order - 2))
    n_floored = int(np.count_nonzero(errors < least))
    return SeriesRows(names, values, np.maximum(errors, least), n_floored, shares, floors, n_stars)
