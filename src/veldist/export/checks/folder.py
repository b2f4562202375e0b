"""Check a folder of DYNAMITE input, and report everything that is wrong with it at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from veldist.export.checks.gauss_hermite import check_gauss_hermite
from veldist.export.checks.histogram import check_histogram
from veldist.export.checks.pixel_files import BinMap, parse_aperture, parse_bins
from veldist.export.checks.pixels import check_bin_numbers, check_pixel_count, check_pixel_shape
from veldist.export.checks.position import check_positions
from veldist.export.checks.problem import Problem
from veldist.export.checks.shared import check_psf_size, check_shared
from veldist.export.checks.table import find_tables, read_table
from veldist.sky.pixels import PixelGrid

__all__ = ["Problem", "validate_dynamite_inputs"]

_DEFAULT_TABLE = "bayes_losvd_kins.ecsv"
_Content = TypeVar("_Content")


def validate_dynamite_inputs(
    folder: str | os.PathLike[str],
    kin_filename: str | None = None,
    aperture_filename: str = "aperture.dat",
    bins_filename: str = "bins.dat",
) -> list[Problem]:
    """Check input files of DYNAMITE: kinematics, pixel grid and bin map, each by itself and together.

    Files of any origin can be checked: LOSVDs as histograms (``losvd_j``, ``dlosvd_j``) and Gauss-Hermite
    coefficients (``v dv sigma dsigma h3 dh3 h4 dh4 ...``). Reading goes on after a problem, so that all are
    found in one go; what follows from one that is reported already is not reported again.

    Parameters
    ----------
    folder : path-like
        Folder that holds the files.
    kin_filename : str, optional
        Name of the kinematics table. By default all tables in the folder whose columns are those of
        histograms or of Gauss-Hermite coefficients.
    aperture_filename, bins_filename : str
        Names of the files with pixel grid and bin map.

    Returns
    -------
    list of Problem
        In the order of the files; empty if nothing was found. Each problem concerns all values that break
        one rule: it is placed at the first of them and counts the others.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    NotADirectoryError
        If ``folder`` is a file.
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(
            f"folder '{folder}' does not exist: name the folder of DYNAMITE's input files."
        )
    if not folder.is_dir():
        raise NotADirectoryError(f"folder '{folder}' is a file: name the folder that holds it.")
    problems: list[Problem] = []
    grid, bin_map = _read_pixels(folder, aperture_filename, bins_filename, problems)
    if kin_filename is not None:
        paths = [folder / kin_filename]
    else:
        paths = find_tables(folder, skip={aperture_filename, bins_filename})
        default = folder / _DEFAULT_TABLE
        if default not in paths and (default.is_file() or not paths):
            paths.insert(0, default)
    found: list[Problem] = []
    for path in paths:
        found += _check_table(path, grid, bin_map)
    return found + problems


def _read_pixels(
    folder: Path, aperture_filename: str, bins_filename: str, problems: list[Problem]
) -> tuple[PixelGrid | None, BinMap | None]:
    """Read aperture and bin map, adding what is wrong with them to ``problems``."""
    grid = _read(folder, aperture_filename, "the pixel grid", parse_aperture, problems)
    bin_map = _read(folder, bins_filename, "the bin of each pixel", parse_bins, problems)
    if grid is not None:
        together = [check_pixel_shape(grid, aperture_filename)]
        if bin_map is not None:
            together.insert(0, check_pixel_count(grid, aperture_filename, bin_map))
        for found in together:
            # One wrong number of pixels is enough to say. With a wrong nx or ny their shape is wrong, too.
            if all(problem.rule != "pixel-count" for problem in problems):
                problems += found
    return grid, bin_map


def _read(
    folder: Path,
    name: str,
    what: str,
    parse: Callable[[str, str], tuple[_Content | None, list[Problem]]],
    problems: list[Problem],
) -> _Content | None:
    """Read a text file, adding what is wrong with it to ``problems``; None if it cannot be used."""
    path = folder / name
    if not path.is_file():
        problems.append(_missing(name, what))
        return None
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        message = f"the file cannot be read ({error})."
        problems.append(
            Problem(path.name, None, None, str(error), "error", "unreadable", message, "Make it readable.")
        )
        return None
    content, found = parse(path.name, text)
    problems += found
    return content


def _check_table(path: Path, grid: PixelGrid | None, bin_map: BinMap | None) -> list[Problem]:
    """Check one table by itself and against the pixels."""
    if not path.is_file():
        return [_missing(path.name, "the kinematics")]
    table, problems = read_table(path)
    if table is None:
        return problems
    problems += check_shared(table)
    if table.kind == "histogram":
        problems += check_histogram(table)
    elif table.kind == "gauss-hermite":
        problems += check_gauss_hermite(table)
    else:
        problems.append(
            Problem(
                path.name,
                None,
                None,
                list(table.values),
                "error",
                "kind",
                "the columns are those of neither histograms (losvd_j, dlosvd_j) nor Gauss-Hermite "
                "coefficients (vbin_id v dv sigma dsigma h3 dh3 h4 dh4).",
                "Name a kinematics table.",
            )
        )
    if grid is not None and table.kind is not None:
        problems += check_psf_size(table, grid)
    if bin_map is not None and table.kind is not None:
        problems += check_bin_numbers(bin_map, table.n_rows, table.file)
        if grid is not None:
            problems += check_positions(table, grid, bin_map)
    return problems


def _missing(name: str, what: str) -> Problem:
    return Problem(
        name,
        None,
        None,
        None,
        "error",
        "file-missing",
        f"the file with {what} is missing.",
        "Put it into the folder, or give the name it has.",
    )
