"""The two text files of a DYNAMITE input that describe the pixels: the aperture and the bin map.

Both begin with a comment line. The aperture's other lines are ``x_start y_start``, ``x_size y_size``,
``angle`` and ``nx ny``; the bin map's are the number of pixels and then one id per pixel, x varying fastest:
the bin, counted from 1, or 0 for a pixel in no bin.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from veldist._support.arrays import Ints
from veldist.export.checks.pixel_files import parse_aperture, parse_bins
from veldist.export.checks.pixels import check_pixel_count
from veldist.export.checks.problem import Problem
from veldist.sky.pixels import PixelGrid

__all__ = ["aperture_text", "bins_text", "read_aperture", "read_bins"]

_IDS_PER_LINE = 10
# First lines of the files that DYNAMITE's own scripts make ("Counterrotaton" is their spelling).
_APERTURE_HEADER = "#counter_rotation_boxed_aperturefile_version_2"
_BINS_HEADER = "#Counterrotaton_binning_version_1"


def aperture_text(aperture: PixelGrid) -> str:
    """Contents of an aperture file; its numbers read back as the same floats.

    Parameters
    ----------
    aperture : PixelGrid
        Geometry of the pixels (arcsec, degrees).
    """
    a = aperture
    lines = [
        _APERTURE_HEADER,
        f"{float(a.x_start)!r} {float(a.y_start)!r}",
        f"{float(a.x_size)!r} {float(a.y_size)!r}",
        f"{float(a.angle_deg)!r}",
        f"{int(a.nx)} {int(a.ny)}",
    ]
    return "\n".join(lines) + "\n"


def bins_text(pixel_ids: Any) -> str:
    """Contents of a bin map: number of pixels, then the ids, ten to a line.

    Parameters
    ----------
    pixel_ids : ndarray of int, shape (ny, nx) or (nx * ny,)
        Bin of each pixel, counted from 1, x varying fastest; 0 for none.
    """
    ids = [str(i) for i in np.ravel(pixel_ids).tolist()]
    lines = [" ".join(ids[k : k + _IDS_PER_LINE]) for k in range(0, len(ids), _IDS_PER_LINE)]
    return "\n".join([_BINS_HEADER, str(len(ids)), *lines]) + "\n"


def read_aperture(path: str | os.PathLike[str]) -> PixelGrid:
    """Read an aperture file. Words after those that are needed are not looked at.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    PixelGrid

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If lines or numbers are missing or unusable, naming file, line and value.
    """
    grid, problems = parse_aperture("", _read_text(path))
    _refuse(path, problems)
    assert grid is not None
    return grid


def read_bins(path: str | os.PathLike[str], grid: PixelGrid | None = None) -> Ints:
    """Read a bin map.

    Parameters
    ----------
    path : path-like
        The file.
    grid : PixelGrid, optional
        The aperture, if known.

    Returns
    -------
    ndarray of int, shape (n_pixels,), or (ny, nx) if ``grid`` is given
        Bin of each pixel, counted from 1; 0 for none.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If ids are missing, are not integers or are negative, or if there are not as many as announced
        or as ``grid`` has pixels; the message names file, line and value.
    """
    bin_map, problems = parse_bins("", _read_text(path))
    _refuse(path, problems)
    assert bin_map is not None
    if grid is None:
        return bin_map.ids
    _refuse(path, check_pixel_count(grid, "the aperture", bin_map))
    return bin_map.ids.reshape(grid.ny, grid.nx)


def _read_text(path: str | os.PathLike[str]) -> str:
    if not Path(path).is_file():
        raise FileNotFoundError(f"'{path}' is no file: name it, or write it first.")
    return Path(path).read_text(encoding="utf-8", errors="replace")


def _refuse(path: str | os.PathLike[str], problems: Iterable[Problem]) -> None:
    """Raise the first problem that is more than doubtful."""
    for problem in problems:
        if problem.severity != "doubtful":
            raise ValueError(f"{path}, line {problem.row}: {problem.message} {problem.cure}")
