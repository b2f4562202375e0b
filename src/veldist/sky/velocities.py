"""Read velocities alone from a table file, of a control field or a model of the Galaxy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from veldist.sky.catalog import VELOCITY_ENDINGS, find_usable
from veldist.sky.tables import check_columns, column_label, find_units, read_table, to_numbers

__all__ = ["read_velocities"]


def read_velocities(
    path: str | Path,
    vel: str,
    err: str | None = None,
    *,
    velocity_unit: str | None = None,
    drop_masked: bool = False,
    format: str | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Read velocities and perhaps their errors (km/s), of a control field say; arguments as `read_catalog`.

    Raises
    ------
    FileNotFoundError, TypeError, ValueError
        As `read_catalog`.
    """
    table = read_table(Path(path), format)
    columns = {"vel": vel} | ({} if err is None else {"err": err})
    check_columns(table, columns)
    units = find_units(table, columns, VELOCITY_ENDINGS, velocity_unit, "velocity_unit", "km/s")
    values = {role: to_numbers(table[name], column_label(role, name)) for role, name in columns.items()}
    usable = find_usable(values, columns, drop_masked)
    values = {role: column[usable] * units[role].to("km/s") for role, column in values.items()}
    return values["vel"], values.get("err")
