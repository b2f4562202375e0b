"""Maps as FITS cubes with a linear coordinate system, for astropy, ds9 and everybody else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.files import new_file
from veldist._support.validate import check_keys
from veldist._version import __version__
from veldist.sky.pixels import PixelGrid
from veldist.summaries.columns import MAP_COLUMNS

__all__ = ["write_fits_maps"]

_DEFAULT = ("v_mean", "sigma", "h3", "h4")


def write_fits_maps(
    path: str | os.PathLike[str],
    maps: dict[str, dict[str, NDArray[Any]]],
    grid: PixelGrid,
    pixel_ids: Any,
    *,
    metrics: Sequence[str] = _DEFAULT,
    overwrite: bool = True,
) -> Path:
    """Write pixel maps of summaries and their uncertainties.

    Parameters
    ----------
    path : path-like
        The file.
    maps : dict
        From `veldist.analysis.compute_summary_maps`.
    grid : PixelGrid
        The pixels.
    pixel_ids : array_like of int, shape (ny, nx) or (nx * ny,)
        Bin of each pixel, x fastest, counted from 1; 0 where there is none.
    metrics : sequence of str
        Which maps, in this order.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    pathlib.Path
        The file. Its extensions are the cubes ``MEDIAN`` and ``UNCERTAINTY``, (n_metrics, ny, nx), with a NaN
        where there is no bin or no value, and the image ``BINS`` of bin numbers. Plane k of the cubes is
        named in the keywords ``NAMEk`` and ``UNITk``, k from 1. The axes are linear offsets in arcsec, x
        increasing with the column: to the right, as in figures, whatever the direction on the sky.

    Raises
    ------
    TypeError, ValueError
        If maps are missing, or the pixels do not fit the grid or the maps.
    FileExistsError, IsADirectoryError
        If the file must not be replaced.
    """
    from astropy.io import fits

    if isinstance(metrics, str):
        raise TypeError(f"metrics must be a list of names, got {metrics!r}: pass [{metrics!r}].")
    metrics = tuple(metrics)
    if not metrics:
        raise ValueError("metrics is empty: name at least one map.")
    check_keys(maps, metrics, "maps")
    ids = np.asarray(pixel_ids)
    if ids.dtype.kind not in "iu":
        raise TypeError(f"pixel_ids must be integers, got dtype {ids.dtype}.")
    if ids.size != grid.nx * grid.ny:
        raise ValueError(f"pixel_ids has {ids.size} values, but the grid has {grid.nx} x {grid.ny} pixels.")
    ids = ids.reshape(grid.ny, grid.nx)
    n_bins = np.size(maps[metrics[0]]["median"])
    if ids.min() < 0 or ids.max() > n_bins:
        raise ValueError(
            f"pixel_ids range from {ids.min()} to {ids.max()}, but the maps have {n_bins} bins: ids count "
            "from 1, with 0 for pixels in no bin."
        )

    def cube(key: str) -> NDArray[np.float32]:
        planes = [
            np.append(np.nan, np.asarray(maps[metric][key], dtype=np.float64))[ids] for metric in metrics
        ]
        return np.array(planes, dtype=np.float32)

    header = fits.Header()
    header["CREATOR"] = f"veldist {__version__}"
    hdus = [fits.PrimaryHDU(header=header)]
    for name, key in (("MEDIAN", "median"), ("UNCERTAINTY", "uncertainty")):
        header = _coordinates(grid)
        header["CTYPE3"], header["CRPIX3"], header["CRVAL3"], header["CDELT3"] = "METRIC", 1.0, 1.0, 1.0
        units = [MAP_COLUMNS.get(metric, (None, ""))[0] or "" for metric in metrics]
        if len(set(units)) == 1 and units[0]:
            header["BUNIT"] = units[0]
        for k, (metric, unit) in enumerate(zip(metrics, units, strict=True), start=1):
            header[f"NAME{k}"] = (metric, f"plane {k}")
            header[f"UNIT{k}"] = (unit, f"unit of plane {k}")
        hdus.append(fits.ImageHDU(cube(key), header, name=name))
    hdus.append(fits.ImageHDU(ids.astype(np.int32), _coordinates(grid), name="BINS"))
    with new_file(path, overwrite) as temporary:
        fits.HDUList(hdus).writeto(temporary)
    return Path(path)


def _coordinates(grid: PixelGrid) -> Any:
    """Header of the two linear axes of the pixels."""
    from astropy.io import fits

    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = ("XOFFSET", "offset in x"), ("YOFFSET", "offset in y")
    header["CUNIT1"], header["CUNIT2"] = "arcsec", "arcsec"
    # FITS counts pixels from 1, at their centres.
    header["CRPIX1"], header["CRPIX2"] = 1.0, 1.0
    header["CRVAL1"], header["CRVAL2"] = grid.x_start + 0.5 * grid.dx, grid.y_start + 0.5 * grid.dy
    header["CDELT1"], header["CDELT2"] = grid.dx, grid.dy
    header["APANGLE"] = (grid.angle_deg, "[deg] galaxy's major axis to x, ccw")
    return header
