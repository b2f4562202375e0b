"""A map of many spatial bins as one labelled dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from veldist._support.validate import check_count, check_keys
from veldist.batch.draws import MapDraws, collect_draws
from veldist.fits.diagnostics import DIAGNOSTICS
from veldist.fits.draws import check_fits
from veldist.fits.labelled import creator, velocity_coordinates
from veldist.models.losvd.frame import FAR
from veldist.sky.positions import bin_positions, check_bins
from veldist.summaries.columns import MAP_COLUMNS, MEMBERS, NUMBERS
from veldist.summaries.scalars import METRICS, SCALARS

if TYPE_CHECKING:
    from xarray import Dataset

__all__ = ["to_xarray"]

# Suffix in the dataset, key in the maps, and long name.
_MAP_PARTS = (
    ("", "median", "{} (posterior median)"),
    ("_unc", "uncertainty", "{} (half the 16-84 percentile range)"),
    ("_prior_ratio", "prior_ratio", "{} (uncertainty over that of the prior)"),
    ("_prior_dominated", "prior_dominated", "{} (whether the prior outweighs the data)"),
)

# The dataset holds these itself.
_IN_DATASET = ("log_bayes_factor", "outside_grid", *MEMBERS)


def to_xarray(
    solvers: Sequence[Any],
    bins: Sequence[dict[str, Any]] | None = None,
    *,
    draws: int | None = None,
    dtype: Literal["float32", "float64"] = "float32",
    maps: dict[str, dict[str, NDArray[Any]]] | None = None,
) -> Dataset:
    """The posteriors of all spatial bins of a map as one labelled `xarray.Dataset`.

    The draws take ``n_bins * draws * n_velocity`` numbers of four bytes: 480 MB for 2,000 bins, 1,000 draws
    and 60 velocity bins, 96 MB with ``draws=200``. Everything in the dataset can be written by
    ``to_netcdf``.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin on the same velocity grid, None for a skipped bin, as
        `veldist.fit_all_bins` returns. Each item is looked up once and not kept, so that a sequence that
        loads its items from disk never holds more than one. Nothing is changed in them.
    bins : sequence of dict, optional
        ``xbin`` and ``ybin`` of every spatial bin (numbers in arcsec, or Quantities), skipped ones included:
        the entry "bins" of the ``voronoi_bin_metadata`` of `veldist.write_dynamite_kinematics`.
    draws : int, optional
        Keep so many randomly chosen draws of each bin: the same rows for all, and always the same ones
        for the same numbers. All by default.
    dtype : {"float32", "float64"}
        Precision of the draws. Everything else is in double precision.
    maps : dict, optional
        What `veldist.analysis.compute_summary_maps` returned for these solvers: its arrays become variables
        under the names of `veldist.analysis.summary_table`, ``sigma``, ``sigma_unc`` etc.

    Returns
    -------
    xarray.Dataset
        ``intrinsic_pdf`` (bin, draw, velocity) and ``outside_grid`` (bin, draw); ``losvd_median`` and
        ``losvd_uncertainty`` (bin, velocity) from ``clipped_samples``, or where there are none yet as
        `KinematicSolver.clip_uncertainties` makes them by default (from all draws); and per bin
        ``fitted``, ``n_stars``, ``n_far``, ``converged``, ``ess_min``, ``rhat_max``, ``pareto_k``,
        ``log_evidence``, ``log_bayes_factor``. Skipped bins have ``fitted`` and ``converged`` False and NaN
        elsewhere. If one of the bins was fitted beside contaminants, also ``member_fraction`` and
        ``n_members`` (bin, draw), and ``membership`` (star) of all stars of such bins, one bin after another
        and in each in the order of its stars.

        Coordinates ``velocity`` (bin centres), ``velocity_left`` and ``velocity_right``, km/s; ``draw``, the
        row in each solver's ``samples``; ``bin``, the place in ``solvers``, and ``bin_id``, the same
        counted from 1 as in a pixel map of bins; ``xbin`` and ``ybin``, arcsec, if given; ``star_bin``
        (star), the place of a star's bin in ``solvers``.

    Raises
    ------
    TypeError
        If an argument has the wrong type, or an item is neither a fitted solver nor None.
    ValueError
        If there is no solver, the velocity grids or numbers of draws differ (the message names the bins),
        ``draws`` exceeds the draws there are, or ``bins`` or ``maps`` do not have one value per bin.
    OrderError
        If solvers have not been run.
    """
    from xarray import Dataset

    fits = check_fits(solvers)
    n_bins = len(fits)
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype must be 'float32' or 'float64', got {dtype!r}.")
    if draws is not None:
        draws = check_count(draws, "draws", 1)
    # What may be wrong is found before all solvers are loaded.
    summaries = {} if maps is None else _summary_variables(maps, n_bins)
    if bins is not None:
        check_bins(bins, n_bins)

    collected = collect_draws(fits, draws, dtype)
    coordinates = velocity_coordinates(collected.edges) | {
        "bin": ("bin", np.arange(n_bins), {"long_name": "place of the spatial bin in the list of solvers"}),
        "bin_id": ("bin", np.arange(1, n_bins + 1), {"long_name": "spatial bin, counted from 1"}),
        "draw": ("draw", collected.rows, {"long_name": "row of the draw in each solver's samples"}),
    }
    coordinates |= _star_bins(collected)
    if bins is not None:
        coordinates |= _positions(bins, collected.fitted)
    return Dataset(
        _bin_variables(collected) | summaries,
        coords=coordinates,
        attrs=creator()
        | {
            "title": "posteriors of the line-of-sight velocity distributions of a map",
            "n_bins": n_bins,
            "n_fitted": int(collected.fitted.sum()),
            "num_samples": collected.num_samples,
        },
    )


def _variable(dims: tuple[str, ...], values: NDArray[Any], unit: str | None, long_name: str) -> Any:
    # A truth value has no unit.
    units = {} if values.dtype == bool else {"units": unit or "1"}
    return dims, values, units | {"long_name": long_name}


def _bin_variables(draws: MapDraws) -> dict[str, Any]:
    mass = "probability mass per velocity bin"
    per_bin = {
        "fitted": (draws.fitted, "whether the bin has been fitted"),
        "converged": (draws.converged, "whether the posterior sample has converged"),
        "n_stars": (draws.scalars["n_stars"], "number of stars"),
        "n_far": (draws.scalars["n_far"], f"stars more than {FAR:g} dispersions from the median velocity"),
    } | {name: (draws.scalars[name], long_name) for name, long_name in DIAGNOSTICS.items()}
    variables = {
        "intrinsic_pdf": _variable(("bin", "draw", "velocity"), draws.pdf, None, mass),
        "losvd_median": _variable(("bin", "velocity"), draws.median, None, f"median {mass}"),
        "losvd_uncertainty": _variable(
            ("bin", "velocity"), draws.uncertainty, None, f"uncertainty of the {mass}"
        ),
    }
    for name, values in draws.per_draw.items():
        variables[name] = _variable(("bin", "draw"), values, *MAP_COLUMNS[name])
    for name, (values, long_name) in per_bin.items():
        variables[name] = _variable(("bin",), values, None, long_name)
    if draws.membership:
        stars = np.concatenate(list(draws.membership.values()))
        variables["membership"] = _variable(("star",), stars, None, "posterior probability to be a member")
    return variables


def _star_bins(draws: MapDraws) -> dict[str, Any]:
    """Coordinate of the stars, for their memberships."""
    if not draws.membership:
        return {}
    bins = np.repeat(list(draws.membership), [values.size for values in draws.membership.values()])
    return {"star_bin": ("star", bins, {"long_name": "place of the star's bin in the list of solvers"})}


def _summary_variables(maps: Any, n_bins: int) -> dict[str, Any]:
    """Variables of the summary maps, after checking that they are of as many bins."""
    check_keys(maps, METRICS, "maps")
    variables = {}
    for metric in (name for name in maps if name in MAP_COLUMNS and name not in _IN_DATASET):
        unit, description = MAP_COLUMNS[metric]
        for suffix, key, long_name in _MAP_PARTS:
            # As in the summary table: the prior is not asked about the number of modes, nor about relatives.
            if key not in maps[metric] or (key.startswith("prior") and metric not in SCALARS):
                continue
            if metric in NUMBERS and key == "median":
                long_name = "{}"
            values = np.asarray(maps[metric][key])
            if values.shape != (n_bins,):
                raise ValueError(
                    f"maps['{metric}']['{key}'] has shape {values.shape}, but there are {n_bins} solvers: "
                    "pass the maps of the same solvers."
                )
            variables[metric + suffix] = _variable(
                ("bin",), values, None if key == "prior_ratio" else unit, long_name.format(description)
            )
    return variables


def _positions(bins: Sequence[dict[str, Any]], fitted: NDArray[np.bool_]) -> dict[str, Any]:
    """Coordinates ``xbin`` and ``ybin``; only skipped bins may be nowhere."""
    return {
        key: ("bin", values, {"units": "arcsec", "long_name": f"{key[0]} position of the bin"})
        for key, values in zip(("xbin", "ybin"), bin_positions(bins, fitted), strict=True)
    }
