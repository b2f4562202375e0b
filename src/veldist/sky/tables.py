"""Read table files and turn their columns into plain numbers of known unit."""

from __future__ import annotations

import difflib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from astropy.table import Table
    from astropy.units import UnitBase

__all__ = ["check_columns", "column_label", "find_units", "read_table", "to_numbers"]

logger = logging.getLogger(__name__)

FORMATS = {
    ".csv": "ascii.csv",
    ".ecsv": "ascii.ecsv",
    ".fits": "fits",
    ".fit": "fits",
    ".fits.gz": "fits",
    ".vot": "votable",
    ".votable": "votable",
    ".xml": "votable",
}


def column_label(role: str, name: str) -> str:
    """Name an argument and its column in messages."""
    return f"{role} (column '{name}')"


def read_table(path: Path, format: str | None) -> Table:
    """Read a table file, telling its format by its name if none is given.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the format is unknown, or the file is not of that format or has no rows.
    """
    from astropy.table import Table

    if not path.is_file():
        raise FileNotFoundError(f"path: there is no file '{path}' (looked in '{path.absolute().parent}').")
    if format is None:
        format = next((form for end, form in FORMATS.items() if path.name.lower().endswith(end)), None)
        if format is None:
            raise ValueError(
                f"path: the name of '{path}' ends with none of {', '.join(FORMATS)}: pass format, e.g. "
                "'ascii', 'fits' or another one that astropy.table.Table.read knows."
            )
    try:
        table = Table.read(path, format=FORMATS.get(f".{format}", format))
    except Exception as error:  # every reader has its own kinds
        raise ValueError(
            f"path: '{path}' cannot be read as '{format}' ({type(error).__name__}: {error}): check the "
            "file, or pass the right format."
        ) from error
    if len(table) == 0:
        raise ValueError(f"path: the table in '{path}' has no rows.")
    return table


def check_columns(table: Table, columns: dict[str, str]) -> None:
    """Raise `ValueError` if columns are missing, naming those that look alike and all that there are.

    Parameters
    ----------
    table : Table
        The table.
    columns : dict of str to str
        Name of the column for each argument.
    """
    available = list(table.colnames)
    lower = {name.lower(): name for name in available}
    problems = []
    for role, name in columns.items():
        if name in available:
            continue
        close = difflib.get_close_matches(str(name).lower(), lower, n=3)
        close += [other for other in lower if str(name).lower() in other and other not in close]
        hint = f" (did you mean {' or '.join(repr(lower[other]) for other in close[:3])}?)" if close else ""
        problems.append(f"{role}='{name}'{hint}")
    if problems:
        raise ValueError(f"the table lacks {', '.join(problems)}: its columns are {', '.join(available)}.")


def find_units(
    table: Table,
    columns: dict[str, str],
    endings: dict[str, str],
    given: str | None,
    argument: str,
    default: str,
) -> dict[str, UnitBase]:
    """Find the units of columns: from the file, else as given, else from their names, else the default.

    Parameters
    ----------
    table : Table
        The table.
    columns : dict of str to str
        Name of the column for each argument; all describe the same quantity.
    endings : dict of str to str
        Units that the endings of column names stand for.
    given : str or None
        Unit of the columns that carry none in the file.
    argument : str
        Name of the argument that ``given`` comes from.
    default : str
        Unit to take if nothing tells, and that all others must be convertible to.

    Returns
    -------
    dict of str to Unit
        Unit of the column for each argument.

    Raises
    ------
    ValueError
        If a unit is unknown or of the wrong kind, or if only some of the columns have one.
    """
    from astropy import units as u

    choices = list(dict.fromkeys(endings.values()))
    if given is not None and given not in choices:
        raise ValueError(f"{argument} must be one of {', '.join(map(repr, choices))}, got {given!r}.")
    found: dict[str, UnitBase] = {}
    for role, name in columns.items():
        label, unit = column_label(role, name), table[name].unit
        named = next((unit for end, unit in endings.items() if name.lower().endswith(end)), None)
        if isinstance(unit, u.UnrecognizedUnit):
            if given is None:
                raise ValueError(f"{label} has unit '{unit}', which is not understood: pass {argument}.")
            unit = None
        if unit is not None and unit != u.dimensionless_unscaled:
            if not unit.is_equivalent(default):
                raise ValueError(
                    f"{label} has unit '{unit}', which cannot be converted to {default}: choose another "
                    "column."
                )
            found[role] = unit
            if given is not None and unit != u.Unit(given):
                logger.warning("%s has unit '%s' in the file: %s is not used", label, unit, argument)
        elif given is not None:
            found[role] = u.Unit(given)
            if named is not None and named != given:
                logger.warning("%s is taken in %s, as %s says, despite its name", label, given, argument)
        elif named is not None:
            found[role] = u.Unit(named)
            logger.info("%s has no unit: taken in %s because of its name", label, named)
    unknown = [column_label(role, name) for role, name in columns.items() if role not in found]
    if unknown and found:
        role, unit = next(iter(found.items()))
        raise ValueError(
            f"{unknown[0]} has no unit, but {column_label(role, columns[role])} is in {unit}: "
            f"pass {argument}."
        )
    return {role: found.get(role, u.Unit(default)) for role in columns}


def to_numbers(column: Any, label: str) -> NDArray[np.float64]:
    """Convert a table column to floats, shape (n_rows,), NaN where it is masked.

    Raises
    ------
    TypeError
        If the column does not hold real numbers.
    ValueError
        If it holds several numbers in each row.
    """
    data = np.ma.asarray(getattr(column, "data", column))
    if data.ndim != 1:
        raise ValueError(f"{label} must hold one number in each row, got shape {data.shape}.")
    if data.dtype.kind not in "iuf":
        entries = data.compressed()
        shown = ", ".join(repr(str(entry)) for entry in entries[:3])
        raise TypeError(
            f"{label} must hold numbers, got {data.dtype} (first entries {shown}): correct the file."
        )
    numbers = np.array(data.data, dtype=np.float64)
    numbers[np.ma.getmaskarray(data)] = np.nan
    return numbers
