"""The spatial layout of an export to DYNAMITE: where the Voronoi bins, the pixels and the PSF are.

`read_layout` checks the dictionary a user hands over and turns it into a record in DYNAMITE's numbering:
one row per solved bin, pixels of skipped bins in no bin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats, Ints
from veldist._support.validate import check_count, check_keys, shown, strip_units, to_float
from veldist.export.rows.bins import describe_bins
from veldist.sky.pixels import PixelGrid

__all__ = ["VoronoiLayout", "read_layout"]

_ROOT = "voronoi_bin_metadata"
# DYNAMITE refuses a PSF whose weights are further than this from 1.
_PSF_WEIGHT_TOLERANCE = 1e-8


@dataclass(frozen=True, eq=False)
class VoronoiLayout:
    """Solved Voronoi bins on the sky, numbered as DYNAMITE wants them.

    Parameters
    ----------
    xbin, ybin : ndarray of float, shape (n_solved,)
        Centres of the solved bins [arcsec].
    bin_flux : ndarray of float, shape (n_solved,), or None
        The user's fluxes, if they were asked for.
    aperture : PixelGrid
        The pixel grid.
    pixel_ids : ndarray of int, shape (nx * ny,)
        Row (1..n_solved) that each pixel belongs to, 0 for none; x varies fastest.
    psf_sigma, psf_weight : list of float
        Dispersions [arcsec] and weights of the circular Gaussians that make the PSF.
    """

    xbin: Floats
    ybin: Floats
    bin_flux: Floats | None
    aperture: PixelGrid
    pixel_ids: Ints
    psf_sigma: list[float]
    psf_weight: list[float]


def read_layout(metadata: Any, solved: NDArray[np.bool_], with_flux: bool) -> VoronoiLayout:
    """Check the description of the Voronoi bins and renumber it for the solved ones.

    Numbers (positions, fluxes) of skipped bins are not looked at, since none of them is exported.

    Parameters
    ----------
    metadata : dict
        As described in `veldist.write_dynamite_kinematics`.
    solved : ndarray of bool, shape (n_bins,)
        Which bins have a solver.
    with_flux : bool
        Whether every bin must come with its own ``bin_flux``.

    Returns
    -------
    VoronoiLayout

    Raises
    ------
    TypeError
        If an entry has the wrong type.
    ValueError
        If keys are missing, counts disagree, numbers are out of range, or a solved bin has no pixel.
    """
    check_keys(metadata, ("bins", "aperture", "pixel_bin_ids", "psf"), _ROOT, optional=())
    aperture = _read_aperture(metadata["aperture"])
    sigma, weight = _read_psf(metadata["psf"])
    required = ("xbin", "ybin", "bin_flux") if with_flux else ("xbin", "ybin")
    bins = _check_bins(metadata["bins"], solved.size, required)
    xbin = _bin_column(bins, solved, "xbin", "arcsec")
    ybin = _bin_column(bins, solved, "ybin", "arcsec")
    flux = _read_flux(bins, solved) if with_flux else None
    ids = _read_pixel_ids(metadata["pixel_bin_ids"], aperture, solved)
    return VoronoiLayout(xbin, ybin, flux, aperture, ids, sigma, weight)


def _read_aperture(aperture: Any) -> PixelGrid:
    name = f"{_ROOT}['aperture']"
    check_keys(
        aperture, ("x_start", "y_start", "x_size", "y_size", "angle_deg", "nx", "ny"), name, optional=()
    )
    lengths = {
        key: to_float(aperture[key], f"{name}['{key}']", "arcsec")
        for key in ("x_start", "y_start", "x_size", "y_size")
    }
    for key in ("x_size", "y_size"):
        if not lengths[key] > 0:
            raise ValueError(
                f"{name}['{key}'] must be positive, got {lengths[key]}: "
                "give the extent of the pixel grid in arcsec (its lower left corner is x_start, y_start)."
            )
    angle = to_float(aperture["angle_deg"], f"{name}['angle_deg']", "deg")
    nx, ny = (check_count(aperture[key], f"{name}['{key}']", minimum=1) for key in ("nx", "ny"))
    return PixelGrid(**lengths, angle_deg=angle, nx=nx, ny=ny)


def _read_psf(psf: Any) -> tuple[list[float], list[float]]:
    name = f"{_ROOT}['psf']"
    check_keys(psf, ("sigma", "weight"), name, optional=())
    sigma = _numbers(psf["sigma"], f"{name}['sigma']", "arcsec")
    weight = _numbers(psf["weight"], f"{name}['weight']", "")
    if len(sigma) != len(weight):
        raise ValueError(
            f"{name} has {len(sigma)} values of sigma but {len(weight)} of weight: "
            "give one of each for every Gaussian of the PSF."
        )
    for key, values in (("sigma", sigma), ("weight", weight)):
        if min(values) < 0:
            raise ValueError(f"{name}['{key}'] must not be negative, got {values}.")
    total = sum(weight)
    if abs(total - 1.0) > _PSF_WEIGHT_TOLERANCE:
        raise ValueError(
            f"{name}['weight'] sums to {total!r}, but must sum to 1 within {_PSF_WEIGHT_TOLERANCE:g}: "
            "divide the weights by their sum."
        )
    return sigma, weight


def _numbers(values: Any, name: str, unit: str) -> list[float]:
    """Read a sequence of finite numbers, each of which may be a quantity."""
    try:
        if isinstance(values, str | bytes):
            raise TypeError
        items = list(values)
    except TypeError:
        raise TypeError(f"{name} must be a list of numbers, got {shown(values)}.") from None
    if not items:
        raise ValueError(f"{name} is empty: at least one value is needed.")
    return [to_float(item, f"{name}[{i}]", unit) for i, item in enumerate(items)]


def _check_bins(bins: Any, n_bins: int, required: tuple[str, ...]) -> Sequence[dict[str, Any]]:
    name = f"{_ROOT}['bins']"
    if not isinstance(bins, list | tuple):
        raise TypeError(f"{name} must be a list with one dict per Voronoi bin, got {type(bins).__name__}.")
    if len(bins) != n_bins:
        raise ValueError(
            f"{name} has {len(bins)} entries but solvers has {n_bins}: "
            "give one of each for every Voronoi bin, skipped bins included."
        )
    for i, entry in enumerate(bins):
        if not isinstance(entry, dict):
            raise TypeError(
                f"{name}[{i}] must be a dict with keys {list(required)}, got {type(entry).__name__}."
            )
    incomplete = np.array([any(key not in entry for key in required) for entry in bins])
    if incomplete.any():
        missing = [key for key in required if any(key not in entry for entry in bins)]
        raise ValueError(
            f"{name} lacks {missing} in {describe_bins(incomplete)}: "
            f"each entry needs the keys {list(required)}."
        )
    return bins


def _bin_column(bins: Sequence[dict[str, Any]], solved: NDArray[np.bool_], key: str, unit: str) -> Floats:
    """Collect one number per solved bin and refuse those that are not finite."""
    values = np.zeros(solved.size)
    for i in np.flatnonzero(solved):
        values[i] = to_float(bins[i][key], f"{_ROOT}['bins'][{i}]['{key}']", unit, finite=False)
    bad = ~np.isfinite(values)
    if bad.any():
        raise ValueError(
            f"'{key}' in {_ROOT}['bins'] is NaN or infinite in {describe_bins(bad)}: "
            "every bin that has a solver needs a finite value."
        )
    return values[solved]


def _read_flux(bins: Sequence[dict[str, Any]], solved: NDArray[np.bool_]) -> Floats:
    flux = _bin_column(bins, solved, "bin_flux", "")
    if (flux < 0).any():
        bad = np.zeros_like(solved)
        bad[solved] = flux < 0
        raise ValueError(
            f"'bin_flux' in {_ROOT}['bins'] is negative in {describe_bins(bad)}: "
            "fluxes are weights of a mean velocity and must not be negative."
        )
    if not flux.any():
        raise ValueError(
            f"'bin_flux' in {_ROOT}['bins'] is 0 in every solved bin, so a mean velocity has no weights: "
            "give positive fluxes, or use bin_flux_mode='uniform'."
        )
    return flux


def _read_pixel_ids(value: Any, aperture: PixelGrid, solved: NDArray[np.bool_]) -> Ints:
    """Check the ids of the user's numbering (1..n_bins, 0 = none) and map them to rows of the export."""
    name = f"{_ROOT}['pixel_bin_ids']"
    plain = strip_units(value, name, "")
    try:
        ids = np.asarray(plain)
    except ValueError:
        raise ValueError(f"{name} holds rows of different lengths: pass one id for each pixel.") from None
    nx, ny = aperture.nx, aperture.ny
    if ids.shape not in ((nx * ny,), (ny, nx)):
        hint = "; it looks transposed, pass its .T" if ids.shape == (nx, ny) else ""
        raise ValueError(
            f"{name} has shape {ids.shape}, but nx = {nx} and ny = {ny} need ({nx * ny},) or (ny, nx) = "
            f"({ny}, {nx}), with x varying fastest{hint}."
        )
    ids = ids.ravel()
    if ids.dtype.kind not in "iuf":
        raise TypeError(f"{name} must hold integers, got dtype {ids.dtype}.")
    n_bins = solved.size
    for bad, what in (
        (ids != np.floor(ids), "not integers"),
        (~((ids >= 0) & (ids <= n_bins)), f"outside 0..{n_bins}"),
    ):
        if bad.any():
            raise ValueError(
                f"{name} has {np.count_nonzero(bad)} of {ids.size} pixels that are {what} (the first: "
                f"{ids[bad][0]} at flat index {np.argmax(bad)}): "
                f"ids are 1..{n_bins}, in the order of solvers, and 0 for a pixel in no bin."
            )
    ids = ids.astype(np.int64)
    empty = solved & (np.bincount(ids, minlength=n_bins + 1)[1:] == 0)
    if empty.any():
        raise ValueError(
            f"{name} gives no pixel to {describe_bins(empty)} that have a solver: "
            "DYNAMITE would compare their LOSVDs with nothing. "
            "Assign them pixels (id = index + 1), or pass None as their solver."
        )
    row_of_id = np.zeros(n_bins + 1, dtype=np.int64)
    row_of_id[1:][solved] = np.arange(1, np.count_nonzero(solved) + 1)
    return row_of_id[ids]
