"""The two text files of a DYNAMITE input that describe the pixels: the aperture and the bin map.

Both begin with a comment line. The aperture's other lines are ``x_start y_start``, ``x_size y_size``,
``angle`` and ``nx ny``; the bin map's are the number of pixels and then one id per pixel, x varying fastest:
the bin, counted from 1, or 0 for a pixel in no bin.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from veldist._support.arrays import Ints
from veldist.sky.pixels import PixelGrid

__all__ = ["aperture_text", "bins_text", "read_aperture", "read_bins"]

_IDS_PER_LINE = 10
# First lines of the files that DYNAMITE's own scripts make ("Counterrotaton" is their spelling).
_APERTURE_HEADER = "#counter_rotation_boxed_aperturefile_version_2"
_BINS_HEADER = "#Counterrotaton_binning_version_1"
_APERTURE_LINES = (("x_start", "y_start"), ("x_size", "y_size"), ("angle",), ("nx", "ny"))
# No map has more bins than 32 bits count.
_MOST_BINS = 2**31
# What may be zero or negative.
_FREE = ("x_start", "y_start", "angle")
_APERTURE_FORM = "the lines are: a comment, x_start y_start, x_size y_size, angle, nx ny"
_BINS_FORM = "the lines are: a comment, the number of pixels, the ids with x varying fastest"


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
    path = Path(path)
    lines = _read_lines(path, _APERTURE_FORM)
    numbers: dict[str, float] = {}
    for k, names in enumerate(_APERTURE_LINES, start=1):
        words = lines[k].split() if k < len(lines) else []
        if len(words) < len(names):
            raise ValueError(
                f"{path}, line {k + 1}: nothing is given for {' and '.join(names[len(words) :])}; "
                f"{_APERTURE_FORM}."
            )
        for name, word in zip(names, words, strict=False):
            whole = name in ("nx", "ny")
            try:
                numbers[name] = int(word) if whole else float(word)
            except ValueError:
                kind = "an integer" if whole else "a number"
                raise ValueError(
                    f"{path}, line {k + 1}: {name} is {word!r}, not {kind}; {_APERTURE_FORM}."
                ) from None
            if not np.isfinite(numbers[name]) or (name not in _FREE and not numbers[name] > 0):
                need = "finite" if name in _FREE else "finite and positive"
                raise ValueError(f"{path}, line {k + 1}: {name} is {word}, but must be {need}.")
    *lengths, nx, ny = numbers.values()
    return PixelGrid(*lengths, int(nx), int(ny))


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
    path = Path(path)
    lines = _read_lines(path, _BINS_FORM)
    ids: list[int] = []
    for k, line in enumerate(lines[2:], start=3):
        for word in line.split():
            try:
                number = int(word)
            except ValueError:
                raise ValueError(f"{path}, line {k}: {word!r} is not an integer; {_BINS_FORM}.") from None
            if not 0 <= number < _MOST_BINS:
                raise ValueError(f"{path}, line {k}: {number} is no id; bins are 1, 2, ..., and 0 is no bin.")
            ids.append(number)
    announced = (lines[1].split() or [""])[0] if len(lines) > 1 else ""
    if not announced.isdecimal() or int(announced) != len(ids):
        raise ValueError(f"{path}, line 2: announces {announced!r} pixels, but {len(ids)} ids follow.")
    if not ids:
        raise ValueError(f"{path} has no ids; {_BINS_FORM}.")
    array = np.array(ids, dtype=np.int64)
    if grid is None:
        return array
    if array.size != grid.nx * grid.ny:
        raise ValueError(
            f"{path} has {array.size} ids, but the aperture has nx * ny = {grid.nx} * {grid.ny} = "
            f"{grid.nx * grid.ny} pixels: these files do not belong together."
        )
    return array.reshape(grid.ny, grid.nx)


def _read_lines(path: Path, form: str) -> list[str]:
    """Lines of a file that begins with a comment."""
    if not path.is_file():
        raise FileNotFoundError(f"'{path}' is no file: name it, or write it first.")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines:
        raise ValueError(f"{path} is empty; {form}.")
    if lines[0].lstrip()[:1] in tuple("+-.0123456789"):
        raise ValueError(
            f"{path} begins with {lines[0][:20]!r}, but its first line is skipped as a comment: put a line "
            "that begins with # in front."
        )
    return lines
