"""Rules for what histogram and Gauss-Hermite tables have in common: rows, ids, PSF and units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from veldist._support.arrays import Floats
from veldist.export.checks.problem import Problem, Rule, Severity, row_problem
from veldist.export.checks.table import KinTable
from veldist.sky.pixels import PixelGrid

__all__ = ["check_psf_size", "check_shared", "numbers_of"]

# DYNAMITE's own tolerance for the sum of the PSF's weights.
_WEIGHT_TOLERANCE = 1e-8
_UNITS = {"v": "km/s", "dv": "km/s", "sigma": "km/s", "dsigma": "km/s", "xbin": "arcsec", "ybin": "arcsec"}


def check_shared(table: KinTable) -> Iterator[Problem]:
    """Check rows, ids, PSF and units of a kinematics table."""
    if table.n_rows == 0:
        yield Problem(
            table.file, None, None, 0, "error", "no-rows", "the table has no rows.", "Write one row per bin."
        )
    else:
        yield from _check_ids(table)
    yield from _check_units(table)
    if table.meta is not None:
        yield from _check_psf(table.file, table.meta)
        yield from _check_velocity_unit(table.file, table.meta)


def _check_ids(table: KinTable) -> Iterator[Problem]:
    """Rows are found by their position: ids must count them."""
    file, n = table.file, table.n_rows
    name, ids = next(iter(table.values.items()))
    cure = f"Make the first column the bins' ids, 1..{n} (or 0..{n - 1}), one row each in this order."
    counts = any(np.array_equal(ids, np.arange(n) + start) for start in (0, 1))
    if "id" not in name.lower() and not counts:
        yield Problem(
            file,
            None,
            name,
            None,
            "error",
            "id-column",
            f"the first column is {name}, and DYNAMITE takes it for the ids.",
            cure,
        )
        return
    for column in dict.fromkeys((name, "binID_dynamite", "bin_id")):
        values = table.values.get(column)
        if values is None or np.isnan(values).any():
            continue
        repeated = np.diff(values, prepend=-np.inf) <= 0
        if (values != np.floor(values)).any():
            yield from row_problem(
                file,
                column,
                values != np.floor(values),
                values,
                rule="id-integer",
                severity="wrong",
                what="is not a whole number",
                cure=cure,
            )
        elif repeated.any():
            yield from row_problem(
                file,
                column,
                repeated,
                values,
                rule="id-order",
                severity="wrong",
                what="does not exceed the id of the row before (bins are told apart by their row)",
                cure=cure,
            )
        elif column != name:
            yield from row_problem(
                file,
                column,
                values != np.arange(1, n + 1),
                values,
                rule="id-count",
                severity="wrong",
                what="is not the row counted from 1",
                cure=f"Number the rows 1..{n} in {column}, as bins.dat does.",
            )
    last = ids[-1] + 1 if ids[0] == 0 else ids[-1]
    if last != n and not np.isnan(last):
        base = ", counted from 0" if ids[0] == 0 else ""
        yield Problem(
            file,
            n - 1,
            name,
            float(ids[-1]),
            "error",
            "id-last",
            f"the last id of the first column is {ids[-1]:g}{base}, but there are {n} rows.",
            cure,
        )


def _check_units(table: KinTable) -> Iterator[Problem]:
    from astropy import units as u

    for name, expected in _UNITS.items():
        unit = table.units.get(name)
        if unit is None:
            continue
        try:
            same = abs(u.Unit(unit).to(expected) - 1.0) < 1e-9
        except (ValueError, u.UnitConversionError):
            same = False
        if not same:
            yield Problem(
                table.file,
                None,
                name,
                unit,
                "doubtful",
                "column-unit",
                f"the column's unit is {unit}; DYNAMITE takes the numbers as {expected}.",
                f"Convert the numbers to {expected}.",
            )


def _check_velocity_unit(file: str, meta: dict[str, Any]) -> Iterator[Problem]:
    """Metadata that only DYNAMITE's successor in JAX reads."""
    unit = meta.get("velocity_unit", "km/s")
    if unit != "km/s":
        yield Problem(
            file,
            None,
            "meta['velocity_unit']",
            unit,
            "doubtful",
            "velocity-unit",
            f"the unit of velocities is {unit!r}; DYNAMITE takes the numbers as km/s.",
            "Convert to km/s, and write 'km/s'.",
        )


def numbers_of(value: Any) -> Floats | None:
    """Convert a list of real numbers from the metadata; None if it is something else."""
    if not isinstance(value, list | tuple):
        return None
    if any(isinstance(item, bool | str) or not isinstance(item, int | float) for item in value):
        return None
    return np.array(value, dtype=np.float64)


def _check_psf(file: str, meta: dict[str, Any]) -> Iterator[Problem]:
    def problem(severity: Severity, rule: Rule, key: str, value: Any, message: str, cure: str) -> Problem:
        return Problem(file, None, "meta['PSF']" + key, value, severity, rule, message, cure)

    form = "Give PSF: {sigma: [...], weight: [...]}, one entry per Gaussian, sigma in arcsec."
    if "PSF" not in meta:
        yield problem("error", "psf-missing", "", None, "the PSF is missing.", form)
        return
    psf = meta["PSF"]
    missing = [key for key in ("sigma", "weight") if not isinstance(psf, dict) or key not in psf]
    if missing:
        names = " and ".join(missing)
        yield problem("error", "psf-missing", "", psf, f"the PSF has no {names}.", form)
        return
    lists = {key: numbers_of(psf[key]) for key in ("sigma", "weight")}
    for key, numbers in lists.items():
        if numbers is None or numbers.size == 0 or not np.isfinite(numbers).all():
            message = f"{psf[key]!r} is not a list of finite numbers."
            yield problem("error", "psf-numbers", f"['{key}']", psf[key], message, form)
            lists[key] = None
    sigma, weight = lists["sigma"], lists["weight"]
    if sigma is not None and weight is not None and sigma.size != weight.size:
        message = f"the PSF has {sigma.size} values of sigma but {weight.size} of weight."
        yield problem("wrong", "psf-lengths", "", (sigma.size, weight.size), message, form)
    if sigma is not None:
        for severity, bad, what, cure in (
            ("wrong", sigma < 0, "is negative", "Give the width of the Gaussian, arcsec."),
            (
                "doubtful",
                sigma == 0,
                "is a PSF without width",
                "Give its width, unless stars are not blurred.",
            ),
        ):
            if bad.any():
                value = float(sigma[np.argmax(bad)])
                yield problem(severity, "psf-sigma", "['sigma']", value, f"{value:g} {what}.", cure)
    if weight is not None:
        if (weight < 0).any():
            value = float(weight[np.argmax(weight < 0)])
            yield problem(
                "wrong",
                "psf-negative-weight",
                "['weight']",
                value,
                f"{value:g} is negative.",
                "Give shares of the light, which are positive.",
            )
        total = float(weight.sum())
        if abs(total - 1.0) > _WEIGHT_TOLERANCE:
            yield problem(
                "error",
                "psf-weights",
                "['weight']",
                total,
                f"the weights sum to {total:.10g}, not to 1 within {_WEIGHT_TOLERANCE:g}.",
                "Divide them by their sum.",
            )


def check_psf_size(table: KinTable, grid: PixelGrid) -> Iterator[Problem]:
    """Suspect the units of a PSF that is wider than the pixel grid."""
    psf = (table.meta or {}).get("PSF")
    sigma = numbers_of(psf.get("sigma")) if isinstance(psf, dict) else None
    largest = max(grid.x_size, grid.y_size)
    if sigma is not None and (sigma > largest).any():
        value = float(sigma[np.argmax(sigma > largest)])
        yield Problem(
            table.file,
            None,
            "meta['PSF']['sigma']",
            value,
            "doubtful",
            "psf-sigma",
            f"{value:g} arcsec is more than the aperture, {grid.x_size:g} x {grid.y_size:g} arcsec.",
            "Check the units: sigma and aperture are in arcsec.",
        )
