"""Ways to spoil a folder of DYNAMITE input, and the comparison of what is found with what is expected."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from astropy.table import MaskedColumn

from tests.helpers.folders import APERTURE, Folder
from veldist.export.checks.folder import validate_dynamite_inputs

Spoil = Callable[[Folder], Any]
# rule, severity, file, row (line in text files), column, value
Expected = tuple[str, str, str, int | None, str | None, Any]


def meta(key: str, value: Any) -> Spoil:
    return lambda f: f.table.meta.update({key: value})


def no_meta(key: str) -> Spoil:
    return lambda f: f.table.meta.pop(key)


def cell(column: str, row: int, value: Any) -> Spoil:
    def spoil(f: Folder) -> None:
        f.table[column] = f.table[column].astype(float)
        f.table[column][row] = value

    return spoil


def scale(factor: float, *, rows: Any = slice(None)) -> Spoil:
    def spoil(f: Folder) -> None:
        for name in f.table.colnames:
            if re.fullmatch(r"d?losvd_\d+", name):
                f.table[name][rows] *= factor

    return spoil


def mask(column: str, row: int) -> Spoil:
    def spoil(f: Folder) -> None:
        flags = np.arange(len(f.table)) == row
        f.table[column] = MaskedColumn(f.table[column], mask=flags)

    return spoil


def text_column(column: str) -> Spoil:
    def spoil(f: Folder) -> None:
        f.table[column] = [str(value) for value in f.table[column]]

    return spoil


def line(file: str, number: int, text: str | None) -> Spoil:
    """Replace a line, counted from 1, or remove it."""

    def spoil(f: Folder) -> None:
        lines = f.aperture if file == APERTURE else f.bins
        lines[number - 1 : number] = [] if text is None else [text]

    return spoil


def ids(change: Callable[[np.ndarray], np.ndarray]) -> Spoil:
    return lambda f: f.set_ids(change(f.ids()))


def remove(*columns: str) -> Spoil:
    return lambda f: f.table.remove_columns(list(columns))


def check(folder: Folder, spoil: Spoil, expected: list[Expected]) -> None:
    """Spoil the folder and compare all that is reported with what is expected; ``...`` matches anything."""
    # Corruptions of the text write the files themselves.
    written = folder.write()
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    spoil(folder)
    if before == {path.name: path.read_bytes() for path in written.iterdir()}:
        folder.write()
    found = validate_dynamite_inputs(folder.path)
    assert [p.rule for p in found] == [e[0] for e in expected], "\n".join(map(str, found))
    for problem, (_, severity, file, row, column, value) in zip(found, expected, strict=True):
        assert (problem.severity, problem.file) == (severity, file)
        if row is not ...:
            assert problem.row == row
        assert problem.column == column
        if isinstance(value, float):
            assert problem.value == pytest.approx(value, rel=1e-9, nan_ok=True)
        elif value is not ...:
            assert problem.value == value
            assert type(problem.value) is type(value)
        text = str(problem)
        for part in (file, problem.severity, problem.message, problem.cure, problem.rule):
            assert part
            assert part in text
        if problem.row is not None:
            assert f"{'row' if column else 'line'} {problem.row}" in text
