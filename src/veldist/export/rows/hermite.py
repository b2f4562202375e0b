"""Gauss-Hermite series of the solved bins, fit to be written: medians, uncertainties that do not vanish."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.validate import check_count, to_float
from veldist.errors import ConvergenceWarning
from veldist.export.rows.bins import describe_bins, read_each
from veldist.export.rows.cut import Cut, cut_of
from veldist.fits.draws import Fits, resolved_draws
from veldist.fits.fit import Fit
from veldist.summaries.gauss_hermite.series_fit import ENOUGH_CONVERGED, gauss_hermite

__all__ = ["SeriesRow", "SeriesRows", "collect_series", "read_series"]


@dataclass(frozen=True, eq=False)
class SeriesRows:
    """One row for every solved bin."""

    names: tuple[str, ...]  # ``v``, ``sigma``, ``h3``, ``h4``, ...
    # (n_solved, order): Medians and uncertainties, the latter not below the floors; V and sigma in km/s.
    values: Floats
    errors: Floats
    n_floored: int  # uncertainties that the floors raised
    converged: Floats  # (n_solved,): share of the fits that converged
    floors: dict[str, float]  # ``velocity`` (km/s) and ``coefficient``
    n_stars: list[int]  # numbers of stars


class SeriesRow(NamedTuple):
    """The series of one bin."""

    names: tuple[str, ...]  # names of its parameters
    pairs: list[tuple[float, float]]  # their medians and uncertainties
    converged: float  # share of the draws whose fit converged
    n_stars: int  # number of stars
    cut: Cut  # what the velocity grid leaves out


def read_series(fits: Fits, order: int) -> dict[int, SeriesRow]:
    """Fit the series to all draws of all fitted bins, one after the other: see `read_each`."""

    def row(index: int, fit: Fit) -> SeriesRow | None:
        if fit.samples is None or fit.grid is None:
            return None
        series = gauss_hermite(*resolved_draws(fit, index), order=order)
        pairs, converged = list(series.summary().values()), float(series.converged.mean())
        return SeriesRow(series.names, pairs, converged, fit.n_stars, cut_of(fit, draws=True))

    return read_each(fits, row)


def collect_series(
    rows: Mapping[int, SeriesRow],
    n_bins: int,
    velocity_floor: Any,
    coefficient_floor: Any,
    stacklevel: int,
) -> SeriesRows:
    """Put the series of the solved bins together, fit to be written.

    Parameters
    ----------
    rows : mapping of int to SeriesRow
        As `read_series` returns them.
    n_bins : int
        Number of bins, skipped ones included.
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
    kept = sorted(rows.items())
    solved = np.isin(np.arange(n_bins), list(rows))
    names = kept[0][1].names
    n_stars = [check_count(row.n_stars, f"solvers[{i}].n_stars", minimum=1) for i, row in kept]
    values, errors = np.moveaxis(np.array([row.pairs for _, row in kept]), -1, 0).copy()
    bins, shares = np.flatnonzero(solved), np.array([row.converged for _, row in kept])
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
    least = np.array([floors["velocity"]] * 2 + [floors["coefficient"]] * (len(names) - 2))
    n_floored = int(np.count_nonzero(errors < least))
    return SeriesRows(names, values, np.maximum(errors, least), n_floored, shares, floors, n_stars)
