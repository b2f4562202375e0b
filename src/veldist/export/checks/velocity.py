"""Rules for the velocity grid in the metadata of a histogram table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from veldist._support.arrays import Floats
from veldist.export.checks.problem import Problem, Rule, Severity
from veldist.export.checks.shared import numbers_of
from veldist.export.checks.table import KinTable

__all__ = ["VelocityGrid", "check_velocity_grid"]

# Velocity steps may differ by this fraction of a bin: grids are written with six digits or in float32.
_STEP_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class VelocityGrid:
    """What of the velocity grid can be used."""

    n: int | None  # number of velocity bins, if the metadata agree about it
    dv: float | None  # bin width (km/s), if it is a positive number
    centers: Floats | None  # (n,): bin centres (km/s), if they are ascending and ``dv`` apart


def check_velocity_grid(table: KinTable) -> tuple[VelocityGrid, list[Problem]]:
    """Check ``dv``, ``vcent``, ``nbins`` and ``nvbins``, and return what can be used of them."""
    if table.meta is None:
        return VelocityGrid(None, None, None), []
    problems = list(_check_counts(table, table.meta))
    vcent = numbers_of(table.meta.get("vcent"))
    dv = _number(table.meta.get("dv"))
    n = _number(table.meta.get("nvbins"))
    agreed = vcent.size if vcent is not None and vcent.size == n else None
    grid_problems = list(_check_spacing(table.file, vcent, dv))
    good = not grid_problems and vcent is not None and vcent.size > 0 and dv is not None
    positive = dv if dv is not None and 0 < dv < np.inf else None
    return VelocityGrid(agreed, positive, vcent if good else None), problems + grid_problems


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


# What each key must hold; counts with a decimal point are no array shapes.
_KEYS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "dv": ("a number", lambda value: _number(value) is not None),
    "vcent": ("a list of numbers", lambda value: numbers_of(value) is not None),
    "nbins": ("an integer", _is_count),
    "nvbins": ("an integer", _is_count),
}


def _check_counts(table: KinTable, meta: dict[str, Any]) -> Iterator[Problem]:
    def problem(key: str, rule: Rule, value: Any, message: str, cure: str) -> Problem:
        return Problem(table.file, None, f"meta['{key}']", value, "error", rule, message, cure)

    meaning = {
        "dv": "the width of a velocity bin, km/s",
        "vcent": "the list of the velocity bins' centres, km/s",
        "nbins": "the number of rows",
        "nvbins": "the number of velocity bins",
    }
    for key in _KEYS:
        if meta.get(key) is None:
            yield problem(key, "meta-missing", None, f"'{key}' is missing.", f"Add {meaning[key]}.")
        elif not _KEYS[key][1](meta[key]):
            message = f"{meta[key]!r} is not {_KEYS[key][0]}."
            yield problem(key, "meta-number", meta[key], message, f"Give {meaning[key]}.")
    n_rows, n_velocity = _number(meta.get("nbins")), _number(meta.get("nvbins"))
    vcent = numbers_of(meta.get("vcent"))
    if n_rows is not None and n_rows != table.n_rows:
        message = f"'nbins' is {meta['nbins']}, but the table has {table.n_rows} rows."
        yield problem("nbins", "count-nbins", meta["nbins"], message, "Set nbins to the number of rows.")
    if n_velocity is not None and vcent is not None and n_velocity != vcent.size:
        message = f"'nvbins' is {meta['nvbins']}, but 'vcent' has {vcent.size} values."
        yield problem(
            "nvbins",
            "count-nvbins",
            meta["nvbins"],
            message,
            "nvbins is the number of velocity bins, each with one entry of vcent and one pair of columns.",
        )


def _check_spacing(file: str, vcent: Floats | None, dv: float | None) -> Iterator[Problem]:
    def problem(
        key: str, severity: Severity, rule: Rule, value: Any, message: str, cure: str, row: int | None = None
    ) -> Problem:
        place = f"meta['{key}']" if row is None else f"meta['{key}'][{row}]"
        return Problem(file, None, place, value, severity, rule, message, cure)

    if dv is not None and not 0 < dv < np.inf:
        yield problem("dv", "wrong", "dv-positive", dv, f"dv = {dv:g} is no width.", "Give km/s per bin.")
        dv = None
    if vcent is None or vcent.size == 0:
        return
    if not np.isfinite(vcent).all():
        j = int(np.argmax(~np.isfinite(vcent)))
        message = f"the centre is {vcent[j]}."
        yield problem("vcent", "error", "vcent-finite", float(vcent[j]), message, "Give a number, km/s.", j)
        return
    if vcent.size == 1:
        return
    steps = np.diff(vcent)
    mean = float(vcent[-1] - vcent[0]) / steps.size
    if (steps < 0).all():
        yield problem(
            "vcent",
            "wrong",
            "vcent-descending",
            float(vcent[0]),
            f"the centres descend, from {vcent[0]:g} to {vcent[-1]:g} km/s; DYNAMITE takes them to ascend.",
            "Reverse vcent, and the order of the losvd_j and dlosvd_j columns with it.",
        )
        return
    unequal = np.abs(steps - mean) > _STEP_TOLERANCE * abs(mean)
    if unequal.any():
        j = int(np.argmax(np.abs(steps - np.median(steps))))
        yield problem(
            "vcent",
            "wrong",
            "vcent-uniform",
            float(vcent[j + 1]),
            f"the centres are not equally far apart: the step to {vcent[j + 1]:g} is {steps[j]:g} km/s, "
            f"the median step {np.median(steps):g} km/s.",
            "Report all LOSVDs on velocity bins of equal width.",
            j + 1,
        )
    elif dv is not None and abs(mean - dv) > _STEP_TOLERANCE * dv:
        yield problem(
            "dv",
            "wrong",
            "vcent-dv",
            dv,
            f"dv is {dv:g} km/s, but the centres are {mean:g} km/s apart.",
            "Set dv to the distance of the centres.",
        )
