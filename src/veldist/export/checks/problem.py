"""One finding about a DYNAMITE input file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from veldist._support.validate import name_first

__all__ = ["Problem", "Rule", "Severity", "cell_problem", "row_problem"]

Severity = Literal["error", "wrong", "doubtful"]
Rule = Literal[
    "file-missing",
    "unreadable",
    "ecsv-header",
    "kind",
    "no-rows",
    "text",
    "nan",
    "infinite",
    "masked",
    "id-column",
    "id-last",
    "id-integer",
    "id-order",
    "id-count",
    "psf-missing",
    "psf-numbers",
    "psf-lengths",
    "psf-weights",
    "psf-negative-weight",
    "psf-sigma",
    "meta-missing",
    "meta-number",
    "count-nbins",
    "count-nvbins",
    "count-columns",
    "dv-positive",
    "vcent-finite",
    "vcent-descending",
    "vcent-uniform",
    "vcent-dv",
    "column-missing",
    "losvd-missing",
    "losvd-order",
    "dlosvd-positive",
    "dlosvd-size",
    "losvd-negative",
    "losvd-density",
    "losvd-sum",
    "moments",
    "edge-mass",
    "bin-flux",
    "systemic-velocity",
    "velocity-size",
    "velocity-unit",
    "column-unit",
    "successor",
    "gh-missing",
    "gh-uncertainty",
    "gh-sigma",
    "gh-size",
    "comment-line",
    "aperture-lines",
    "aperture-number",
    "aperture-size",
    "aperture-pixels",
    "aperture-angle",
    "pixel-shape",
    "bins-lines",
    "bins-integer",
    "pixel-count",
    "negative-id",
    "pixel-without-row",
    "bin-without-pixel",
    "outside-aperture",
    "bin-position",
]


@dataclass(frozen=True)
class Problem:
    """One finding about a DYNAMITE input file.

    Attributes
    ----------
    file : str
        Name of the file.
    row : int or None
        First row of the table concerned, counted from 0 as in ``table[row]``; in the text files of
        aperture and bin map, which have no columns, the line, counted from 1. None if all of the file is
        meant.
    column : str or None
        Column of the table, or key of its metadata (``meta['dv']``). None in text files.
    value : object
        The value found there, None where something is missing.
    severity : {"error", "wrong", "doubtful"}
        ``"error"``: DYNAMITE stops. ``"wrong"``: not what the file format means, and DYNAMITE is not known
        to notice, so that its result would be wrong. ``"doubtful"``: possible, but more often a mistake.
    rule : str
        Short name of the rule that was broken; ``docs/checks.md`` explains each.
    message : str
        What is wrong; how many values and which rows.
    cure : str
        What to do about it.
    """

    file: str
    row: int | None
    column: str | None
    value: Any
    severity: Severity
    rule: Rule
    message: str
    cure: str

    def __str__(self) -> str:
        """One line with severity, place, message and cure."""
        place = self.file
        if self.row is not None:
            place += f", {'line' if self.column is None else 'row'} {self.row}"
        if self.column is not None:
            place += f", {self.column}"
        return f"{self.severity}: {place}: {self.message} {self.cure} [{self.rule}]"


def cell_problem(
    file: str,
    names: Sequence[str],
    bad: NDArray[np.bool_],
    values: Sequence[Sequence[Any]] | NDArray[Any],
    *,
    rule: Rule,
    severity: Severity,
    what: str,
    cure: str,
) -> Iterator[Problem]:
    """Yield one problem for all flagged cells of a table, placed at the first of them, or none.

    Parameters
    ----------
    file : str
        Name of the file.
    names : sequence of str
        Names of the columns.
    bad : ndarray of bool, shape (n_rows, n_columns)
        Which cells are flagged.
    values : array_like, shape (n_rows, n_columns)
        What the cells hold.
    rule, severity, cure : str
        As in `Problem`.
    what : str
        What is wrong with the value, as in "-0.1 is ..."; the rest of the sentence is made here.
    """
    if not bad.any():
        return
    rows = np.flatnonzero(bad.any(axis=1))
    row = int(rows[0])
    col = int(np.argmax(bad[row]))
    value = _plain(values[row][col])
    message = f"{_show(value)} {what}"
    n_bad = int(np.count_nonzero(bad))
    if n_bad > 1:
        columns = np.flatnonzero(bad.any(axis=0))
        message += f"; {n_bad} such values, {_rows(rows, bad.shape[0])}"
        if columns.size > 1:
            message += f", columns {name_first([names[j] for j in columns], 5)}"
    yield Problem(file, row, names[col], value, severity, rule, message + ".", cure)


def row_problem(
    file: str,
    column: str,
    bad: NDArray[np.bool_],
    values: Sequence[Any] | NDArray[Any],
    *,
    rule: Rule,
    severity: Severity,
    what: str,
    cure: str,
) -> Iterator[Problem]:
    """Yield one problem for all flagged rows of a table, placed at the first of them, or none.

    ``values`` has one entry per row; the other parameters are those of `cell_problem`.
    """
    if not bad.any():
        return
    rows = np.flatnonzero(bad)
    value = _plain(values[int(rows[0])])
    message = f"{_show(value)} {what}"
    if rows.size > 1:
        message += f"; {_rows(rows, bad.size)}"
    yield Problem(file, int(rows[0]), column, value, severity, rule, message + ".", cure)


def _rows(rows: NDArray[np.intp], total: int) -> str:
    return f"{rows.size} of {total} rows ({name_first(rows, 5)})"


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _show(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return "(" + ", ".join(_show(item) for item in value) + ")"
    return repr(value)
