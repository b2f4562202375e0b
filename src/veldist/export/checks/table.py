"""Kinematics tables read leniently: what cannot be used becomes a problem and a NaN, and reading goes on."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.export.checks.problem import Problem, cell_problem

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["KinTable", "Kind", "find_tables", "read_table"]

Kind = Literal["histogram", "gauss-hermite"]

_HISTOGRAM_COLUMN = re.compile(r"d?losvd_\d+")
# Not h3, h4, ... themselves, which summaries of any kind have.
_GAUSS_HERMITE_COLUMN = re.compile(r"vbin_id|dv|dsigma|dh\d+")
# Column names found by the second pattern from which on a table is one of Gauss-Hermite coefficients.
_MIN_GAUSS_HERMITE = 3


@dataclass(frozen=True, eq=False)
class KinTable:
    """A kinematics table as plain numbers."""

    file: str  # name of the file
    kind: Kind | None  # what its columns tell it to be
    # (n_rows,): Columns in their order; NaN where a cell holds no finite number.
    values: dict[str, Floats]
    units: dict[str, str]  # units of the columns that declare one
    meta: dict[str, Any] | None  # metadata, None if the file has no readable ECSV header
    n_rows: int  # number of rows

    def matrix(self, names: list[str]) -> Floats:
        """Return columns side by side, shape (n_rows, len(names)); NaN for those that are missing."""
        missing = np.full(self.n_rows, np.nan)
        return np.array([self.values.get(name, missing) for name in names]).T.reshape(self.n_rows, len(names))


def find_tables(folder: Path, skip: set[str]) -> list[Path]:
    """Find the kinematics tables of a folder by their column names, in the order of the file names."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name in skip or path.suffix not in (".ecsv", ".dat", ".txt") or not path.is_file():
            continue
        with path.open(encoding="utf-8", errors="replace") as file:
            first = next((line for line in file if line.strip() and not line.startswith("#")), "")
        if _kind(re.split(r"[\s,;\"']+", first.strip())) is not None:
            found.append(path)
    return found


def _kind(names: list[str]) -> Kind | None:
    if any(_HISTOGRAM_COLUMN.fullmatch(name) for name in names):
        return "histogram"
    if sum(_GAUSS_HERMITE_COLUMN.fullmatch(name) is not None for name in names) >= _MIN_GAUSS_HERMITE:
        return "gauss-hermite"
    return None


def read_table(path: Path) -> tuple[KinTable | None, list[Problem]]:
    """Read a kinematics table and report every cell that holds no finite number.

    Returns
    -------
    table : KinTable or None
        None if nothing can be read.
    problems : list of Problem
    """
    file = path.name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        return None, [_unreadable(file, error)]
    problems: list[Problem] = []
    is_ecsv = text.startswith("# %ECSV")
    if not is_ecsv:
        problems.append(
            Problem(
                file,
                None,
                None,
                text.split("\n", 1)[0][:60],
                "error",
                "ecsv-header",
                "the file does not begin with '# %ECSV', so the PSF and all other metadata are missing.",
                "Write it with astropy as format 'ascii.ecsv', metadata in table.meta.",
            )
        )
    failure: Exception | None = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if not is_ecsv:
                raise ValueError("no ECSV header")
            table, meta = _read_ecsv(text)
        except Exception as error:  # astropy and PyYAML raise many kinds
            failure = error
            try:
                table, meta = _read_plain(text, is_ecsv)
            except Exception as second:
                return None, [*problems, _unreadable(file, second)]
    values, found = _to_numbers(table, file)
    explained = meta is not None and any(problem.rule == "text" for problem in found)
    if failure is not None and is_ecsv and not explained:
        found.append(_unreadable(file, failure))
    units = {name: str(table[name].unit) for name in table.colnames if table[name].unit is not None}
    result = KinTable(file, _kind(table.colnames), values, units, meta, len(table))
    return result, problems + found


def _unreadable(file: str, error: Exception) -> Problem:
    # The second half of astropy's messages lists attempts; the first line says what is wrong.
    reason = str(error).strip().split("\n", 1)[0].rstrip(".")
    return Problem(
        file,
        None,
        None,
        reason,
        "error",
        "unreadable",
        f"the file cannot be read as a table ({type(error).__name__}: {reason}).",
        "Write it with astropy as format 'ascii.ecsv', and do not edit it by hand.",
    )


def _read_ecsv(text: str) -> tuple[Table, dict[str, Any]]:
    from astropy.table import Table

    table = Table.read(text, format="ascii.ecsv")
    return table, dict(table.meta)


def _read_plain(text: str, is_ecsv: bool) -> tuple[Table, dict[str, Any] | None]:
    """Read a damaged table: columns that are no numbers come back as text."""
    from astropy.io import ascii as astropy_ascii
    from astropy.table.meta import get_header_from_yaml

    lines = text.splitlines()
    header: dict[str, Any] = {}
    meta: dict[str, Any] | None = None
    if is_ecsv:
        try:
            header = get_header_from_yaml([line[2:] for line in lines if line.startswith("# ")][1:])
            meta = dict(header.get("meta", {}))
        except Exception:
            meta = None
    table = astropy_ascii.read(
        lines, format="basic", delimiter=header.get("delimiter", " "), guess=False, comment=r"\s*#"
    )
    for column in header.get("datatype", []):
        if column.get("unit") and column["name"] in table.colnames:
            table[column["name"]].unit = column["unit"]
    return table, meta


def _to_numbers(table: Table, file: str) -> tuple[dict[str, Floats], list[Problem]]:
    """Convert all columns to floats, NaN for cells that are masked, text, or not finite."""
    names, shape = list(table.colnames), (len(table), len(table.colnames))
    masked, text, nan, infinite = (np.zeros(shape, dtype=bool) for _ in range(4))
    cells = np.empty(shape, dtype=object)
    numbers = np.full(shape, np.nan)
    for j, name in enumerate(names):
        column = table[name]
        cells[:, j] = [str(cell) if column.ndim > 1 else cell for cell in column]
        masked[:, j] = _mask(column, len(table))
        if column.dtype.kind in "biuf" and column.ndim == 1:
            numbers[:, j] = np.where(masked[:, j], np.nan, np.asarray(column, dtype=np.float64))
            nan[:, j] = np.isnan(numbers[:, j]) & ~masked[:, j]
            infinite[:, j] = np.isinf(numbers[:, j])
        else:
            declared = column.dtype.kind in "US" and column.ndim == 1
            numbers[:, j] = [_to_float(cell) for cell in cells[:, j]]
            text[:, j] = ~np.isfinite(numbers[:, j]) & ~masked[:, j]
            if not (declared and text[:, j].any()):
                # Digits, but declared as text: the whole column is at fault.
                text[:, j] = ~masked[:, j]
    numbers[infinite] = np.nan
    cells[masked] = None
    problems: list[Problem] = []
    for bad, rule, severity, what, cure in (
        (text, "text", "error", "is text, not a number", "Write plain numbers of type int64 or float64."),
        (
            nan,
            "nan",
            "error",
            "is not a number",
            "Leave out the bin: renumber the rest, and set its pixels to 0.",
        ),
        (infinite, "infinite", "wrong", "is infinite", "Leave the bin out, or mend the value."),
        (
            masked,
            "masked",
            "wrong",
            "means an empty, masked cell",
            "Leave the bin out, or fill in the value.",
        ),
    ):
        problems += cell_problem(file, names, bad, cells, rule=rule, severity=severity, what=what, cure=cure)
    return {name: numbers[:, j] for j, name in enumerate(names)}, problems


def _mask(column: Any, n_rows: int) -> NDArray[np.bool_]:
    mask = np.asarray(getattr(column, "mask", False))
    return np.broadcast_to(mask.any(axis=tuple(range(1, mask.ndim))) if mask.ndim > 1 else mask, n_rows)


def _to_float(cell: Any) -> float:
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("nan")
