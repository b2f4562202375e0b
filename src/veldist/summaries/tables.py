"""Summaries of all spatial bins as a table with units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from veldist._support.validate import check_keys
from veldist.fits.contamination import describe_stars
from veldist.fits.draws import check_fits
from veldist.fits.fit import Fit
from veldist.fits.stars import Stars
from veldist.inference import Diagnostics
from veldist.models.losvd.frame import FAR
from veldist.sky.positions import read_positions
from veldist.summaries.columns import MAP_COLUMNS, NUMBERS
from veldist.summaries.maps import compute_summary_maps
from veldist.summaries.scalars import METRICS, SCALARS

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["BinState", "add_remarks", "bin_state", "make_table", "summary_table"]

# Its uncertainty is not known.
_EVIDENCE = "log_bayes_factor"


def summary_table(
    solvers: Sequence[Any],
    metadata: Mapping[str, Any] | None = None,
    *,
    x: Any = None,
    y: Any = None,
    maps: dict[str, dict[str, NDArray[Any]]] | None = None,
) -> QTable:
    """Summaries of all spatial bins as a table with units and descriptions, one row per bin.

    It can be written as it is, e.g. ``table.write("kinematics.ecsv")`` or ``"kinematics.fits"``.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin.
    metadata : dict, optional
        The layout of the bins, as `veldist.write_dynamite_kinematics` takes it: its ``bins`` give the
        positions.
    x, y : array_like or Quantity, shape (n_bins,), optional
        Positions of the bins (arcsec), where there is no ``metadata``; both or neither.
    maps : dict, optional
        What `compute_summary_maps` returned for these solvers, where it has been called already.

    Returns
    -------
    astropy.table.QTable
        Columns ``bin_id`` (1-based, as in a pixel map of bins), ``x`` and ``y`` if given, ``n_stars``,
        ``n_far`` (those of which an `OutlierWarning` tells), and for every map ``NAME`` and ``NAME_unc``, as
        in `compute_summary_maps`. For the basic summaries but
        ``bimodality_score`` also ``NAME_prior_ratio`` and ``NAME_prior_dominated``; NaN, and False, for
        skipped bins. Maps of other names are added without a unit. ``log_bayes_factor`` (of "not Gaussian"
        against "Gaussian", NaN where there is none) has no uncertainty. If the solvers have diagnostics, also
        ``converged``, which is False for skipped bins. ``foreign`` in the metadata, if it is there, says
        what the stars of all bins together tell of non-members.

    Raises
    ------
    TypeError, ValueError
        If positions are given twice, or only one of x and y is, they or the maps do not have one value per
        bin, or as `compute_summary_maps`.
    """
    fits = check_fits(solvers)
    # One pass, which keeps no fit: they may be read from a store one by one.
    states = {i: bin_state(fit) for i in range(len(fits)) for fit in [fits[i]] if fit is not None}
    fitted = np.isin(np.arange(len(fits)), list(states))
    positions = read_positions(metadata, x, y, fitted)
    table = make_table(states, compute_summary_maps(fits) if maps is None else maps, positions, len(fits))
    add_remarks(table, describe_stars({i: state.stars for i, state in states.items()}))
    return table


def add_remarks(table: QTable, remarks: Sequence[str]) -> None:
    """Add to a table's metadata what is to be said of contaminants; nothing if nothing is."""
    if remarks:
        # Of a short name: FITS headers have no long ones.
        table.meta["foreign"] = " ".join(remarks)


class BinState(NamedTuple):
    """What is known of a fitted bin beside its LOSVD: the last two are None where there are only draws."""

    n_stars: int
    n_far: int
    diagnostics: Diagnostics | None
    stars: Stars | None


def bin_state(fit: Fit) -> BinState:
    """State of a fitted bin."""
    return BinState(fit.n_stars, fit.n_far, fit.diagnostics, fit.stars)


def make_table(
    states: Mapping[int, BinState],
    maps: Mapping[str, Mapping[str, NDArray[Any]]],
    positions: Mapping[str, NDArray[np.float64]],
    n_bins: int,
) -> QTable:
    """As `summary_table`, from what has been read of the fitted bins."""
    from astropy.table import QTable
    from astropy.units import Quantity

    table = QTable()

    def add(name: str, values: NDArray[Any], unit: str | None, description: str) -> None:
        table[name] = values if unit is None else Quantity(values, unit)
        table[name].info.description = description

    n_stars, n_far = np.full((2, n_bins), np.nan)
    converged = np.zeros(n_bins, dtype=bool)
    for i, state in states.items():
        n_stars[i], n_far[i] = state.n_stars, state.n_far
        converged[i] = state.diagnostics is not None and state.diagnostics.converged
    diagnosed = any(state.diagnostics is not None for state in states.values())
    check_keys(maps, METRICS, "maps")
    for name, entry in maps.items():
        for key, array in entry.items():
            if np.shape(array) != (n_bins,):
                raise ValueError(
                    f"maps['{name}']['{key}'] has shape {np.shape(array)}, but there are {n_bins} solvers: "
                    "pass the maps of the same solvers."
                )
    add("bin_id", np.arange(1, n_bins + 1), None, "spatial bin, counted from 1")
    for name, values in positions.items():
        add(name, values, "arcsec", f"{name} position of the bin")
    add("n_stars", n_stars, None, "number of stars")
    add("n_far", n_far, None, f"stars more than {FAR:g} dispersions from the median velocity: no members?")
    for name, entry in maps.items():
        if name == _EVIDENCE and not diagnosed:
            continue
        # Maps of the user's own are taken as they are.
        unit, description = MAP_COLUMNS.get(name, (None, name))
        is_median = name in MAP_COLUMNS and name not in (*NUMBERS, METRICS[-1])
        description += " (posterior median)" if is_median else ""
        add(name, np.asarray(entry["median"]), unit, description)
        if "uncertainty" not in entry or name == _EVIDENCE:
            continue
        spread = "half the 16-84 percentile range of the modes per draw" if name == METRICS[-1] else None
        add(f"{name}_unc", np.asarray(entry["uncertainty"]), unit, spread or f"uncertainty of {name}")
        if name in SCALARS and "prior_ratio" in entry:
            add(f"{name}_prior_ratio", entry["prior_ratio"], None, f"{name}_unc over that of the prior")
            add(
                f"{name}_prior_dominated",
                entry["prior_dominated"],
                None,
                f"whether the prior outweighs the data on {name}",
            )
    if diagnosed:
        add("converged", converged, None, "whether the posterior sample has converged")
    return table
