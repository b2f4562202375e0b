"""Read the histogram LOSVDs (`BayesLOSVD`) of a DYNAMITE input: ours, and those made from spectra.

Tables made from BAYES-LOSVD's output (Falcon-Barroso & Martig 2021, A&A 646, A31) may list velocities in
descending order, leave gaps in ``binID_BayesLOSVD`` where a bin was not fitted, have masses that do not sum
to 1, and lack columns that do not concern the LOSVDs.
"""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats, Ints
from veldist._support.validate import describe_rows, name_first, to_uniform_centers
from veldist.export.dynamite.kinematics import DynamiteKinematics
from veldist.export.dynamite.pixel_files import read_aperture, read_bins

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["read_dynamite_kinematics"]

# `dv` may differ from the step of `vcent` by this fraction: files have six digits, or those of float32.
_STEP_TOLERANCE = 1e-3
# Sums of masses outside this range are remarked upon; medians of broad posteriors sum to less than 1.
_SUMS = (0.5, 1.5)
_CHECK = "`veldist check` lists all that DYNAMITE would get wrong."


def read_dynamite_kinematics(
    folder: str | os.PathLike[str],
    kin_filename: str = "bayes_losvd_kins.ecsv",
    aperture_filename: str = "aperture.dat",
    bins_filename: str = "bins.dat",
) -> DynamiteKinematics:
    """Read the three files of a DYNAMITE input of histogram LOSVDs.

    Parameters
    ----------
    folder : path-like
        Where the files are.
    kin_filename, aperture_filename, bins_filename : str
        Names of kinematics table, aperture and bin map.

    Returns
    -------
    DynamiteKinematics
        Velocities ascend, whatever their order in the file.

    Raises
    ------
    FileNotFoundError
        If a file is missing; the message names it.
    ValueError
        If a file cannot be understood: a table without LOSVDs or velocity grid, columns, rows and metadata of
        different numbers, values that are missing, NaN or infinite, velocities that are not uniform, a row
        without mass, or pixels that belong to rows the table does not have. The message names file and rows.

    Warns
    -----
    UserWarning
        If masses are negative, or their sums are far from 1, as those of densities are: they are returned as
        they stand.

    Notes
    -----
    Only what prevents reading is an error here; `veldist.export.validate_dynamite_inputs` looks for
    everything that DYNAMITE would refuse or get wrong.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"'{folder}' is no directory: pass the one that holds {kin_filename}.")
    path = folder / kin_filename
    table = _read_table(path)
    meta: dict[str, Any] = dict(table.meta)
    centers, dv, ascending = _velocity_grid(path, meta)
    losvd, dlosvd = _losvd_columns(path, table, centers.size)
    if not ascending:
        losvd, dlosvd = losvd[:, ::-1].copy(), dlosvd[:, ::-1].copy()
    _check_rows(path, table, meta, losvd)
    grid = read_aperture(folder / aperture_filename)
    pixel_ids = read_bins(folder / bins_filename, grid)
    if pixel_ids.max() > len(table):
        raise ValueError(
            f"{folder / bins_filename} has pixels of bin {pixel_ids.max()}, but {path} has {len(table)} "
            "rows: these files do not belong together."
        )
    _warn(path, losvd, dv)
    total = losvd.sum(axis=1)
    mean = losvd @ centers / total
    spread = np.sqrt(np.maximum((losvd * (centers - mean[:, None]) ** 2).sum(axis=1) / total, 0.0))
    n_stars = meta.get("n_stars")
    return DynamiteKinematics(
        losvd=losvd,
        dlosvd=dlosvd,
        edges=np.append(centers - 0.5 * dv, centers[-1] + 0.5 * dv),
        centers=centers,
        dv=dv,
        v=_column(path, table, "v") if "v" in table.colnames else mean,
        sigma=_column(path, table, "sigma") if "sigma" in table.colnames else spread,
        xbin=_optional(path, table, "xbin"),
        ybin=_optional(path, table, "ybin"),
        bin_flux=_optional(path, table, "bin_flux"),
        n_stars=np.array(n_stars) if isinstance(n_stars, list) and len(n_stars) == len(table) else None,
        bin_id=np.arange(1, len(table) + 1),
        original_bin=_original(path, table, meta),
        psf=_psf(path, meta),
        grid=grid,
        pixel_ids=pixel_ids,
        meta=meta,
    )


def _read_table(path: Path) -> Table:
    from astropy.table import Table

    if not path.is_file():
        there = sorted(p.name for p in path.parent.glob("*.ecsv"))
        hint = f"the directory has {name_first(there)}: pass kin_filename" if there else "write it first"
        raise FileNotFoundError(f"'{path}' is no file: {hint}.")
    try:
        table = Table.read(path, format="ascii.ecsv")
    except Exception as error:  # astropy raises what its parsers happen to raise
        raise ValueError(f"{path} is no table in the ECSV format: {error}") from error
    if len(table) == 0:
        raise ValueError(f"{path} has no rows.")
    return table


def _velocity_grid(path: Path, meta: dict[str, Any]) -> tuple[Floats, float, bool]:
    """Bin centres, ascending; bin width; and whether the file has them in this order."""
    missing = [key for key in ("dv", "vcent", "nvbins", "nbins") if key not in meta]
    if missing:
        raise ValueError(
            f"{path} lacks {missing} in its metadata: dv is the width of a velocity bin (km/s), vcent the "
            "list of their centres, nvbins their number, nbins the number of rows."
        )
    try:
        centers = np.array(meta["vcent"], dtype=np.float64)
        dv = abs(float(meta["dv"]))
    except (TypeError, ValueError):
        raise ValueError(f"{path}: vcent and dv in the metadata must be numbers (km/s).") from None
    if centers.ndim != 1 or centers.size == 0 or centers.size != meta["nvbins"]:
        raise ValueError(f"{path}: nvbins is {meta['nvbins']}, but vcent has {centers.size} values.")
    ascending = bool(centers[-1] >= centers[0])
    if not ascending:
        centers = centers[::-1].copy()
    if centers.size > 1:
        _, step = to_uniform_centers(centers, f"{path}: vcent")
        if abs(step - dv) > _STEP_TOLERANCE * step:
            raise ValueError(f"{path}: dv is {dv:g} km/s, but the steps of vcent are {step:g} km/s.")
    if not (np.isfinite(centers).all() and 0 < dv < np.inf):
        raise ValueError(f"{path}: vcent and dv must be finite and dv not 0, got dv = {dv:g}.")
    return centers, dv, ascending


def _losvd_columns(path: Path, table: Table, n: int) -> tuple[Floats, Floats]:
    """Masses and uncertainties, shape (n_rows, n) each; columns are found by their names."""
    if "h3" in table.colnames and "losvd_0" not in table.colnames:
        raise ValueError(f"{path} holds Gauss-Hermite coefficients, not LOSVDs: read it with astropy.")
    wanted = [f"{prefix}losvd_{j}" for j in range(n) for prefix in ("", "d")]
    missing = [name for name in wanted if name not in table.colnames]
    extra = [
        name for name in table.colnames if re.fullmatch(r"d?losvd_\d+", name) and name not in set(wanted)
    ]
    if missing or extra:
        what = f"lacks the columns {name_first(missing, 5)}" if missing else f"also has {extra[0]}"
        raise ValueError(
            f"{path}: nvbins = {n} needs losvd_0, dlosvd_0, ..., losvd_{n - 1}, dlosvd_{n - 1}; it {what}."
        )
    columns = np.column_stack([_column(path, table, name) for name in wanted])
    return columns[:, 0::2].copy(), columns[:, 1::2].copy()


def _column(path: Path, table: Table, name: str) -> Floats:
    """A column of finite numbers."""
    column: Any = table[name]
    if column.dtype.kind not in "iuf" or column.ndim != 1:
        raise ValueError(f"{path}: the column {name} holds no plain numbers (dtype {column.dtype}).")
    values = np.asarray(np.ma.filled(np.ma.asarray(column, dtype=np.float64), np.nan))
    bad = ~np.isfinite(values)
    if bad.any():
        raise ValueError(f"{path}: {name} is missing, NaN or infinite in {describe_rows(bad)}.")
    return values


def _optional(path: Path, table: Table, name: str) -> Floats | None:
    return _column(path, table, name) if name in table.colnames else None


def _check_rows(path: Path, table: Table, meta: dict[str, Any], losvd: Floats) -> None:
    n = len(table)
    if meta["nbins"] != n:
        raise ValueError(f"{path}: nbins is {meta['nbins']}, but the table has {n} rows.")
    if "binID_dynamite" in table.colnames:
        ids = _column(path, table, "binID_dynamite")
        wrong = ids != np.arange(1, n + 1)
        if wrong.any():
            raise ValueError(
                f"{path}: binID_dynamite must be 1, 2, ..., {n}, since pixels point to rows by their place; "
                f"it is not in {describe_rows(wrong, ids.astype(np.int64))}."
            )
    empty = ~(losvd.sum(axis=1) > 0)
    if empty.any():
        raise ValueError(f"{path}: the LOSVD has no mass in {describe_rows(empty)}.")


def _original(path: Path, table: Table, meta: dict[str, Any]) -> Ints:
    """Ids of the bins before those without an LOSVD were left out."""
    for name in ("original_bin", "binID_BayesLOSVD"):
        if name in table.colnames:
            return _column(path, table, name).astype(np.int64)
    kept: NDArray[Any] = np.asarray(meta.get("original_bin", np.arange(len(table))))
    return kept.astype(np.int64) if kept.shape == (len(table),) else np.arange(len(table))


def _psf(path: Path, meta: dict[str, Any]) -> dict[str, list[float]] | None:
    psf = meta.get("PSF")
    if psf is None:
        return None
    try:
        return {key: [float(value) for value in psf[key]] for key in ("sigma", "weight")}
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{path}: PSF must hold the lists sigma (arcsec) and weight, got {psf!r}.") from None


def _warn(path: Path, losvd: Floats, dv: float) -> None:
    """Remark upon masses that cannot be right, three stack levels up."""
    negative: NDArray[np.bool_] = np.any(losvd < 0, axis=1)
    if negative.any():
        warnings.warn(f"{path}: masses are negative in {describe_rows(negative)}. {_CHECK}", stacklevel=3)
    total = losvd.sum(axis=1)
    off = (total < _SUMS[0]) | (total > _SUMS[1])
    if off.any():
        dense = bool(np.all(np.abs(total * dv - 1.0) < 0.5)) and not 0.5 < dv < 1.5
        guess = "They look like densities (per km/s): multiply by dv. " if dense else ""
        warnings.warn(
            f"{path}: masses do not sum to about 1 in {describe_rows(off, total)}. {guess}{_CHECK}",
            stacklevel=3,
        )
