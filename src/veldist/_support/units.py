"""Plain numbers from whatever carries units, masks or labels: Quantities, table columns, pandas Series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.counts import shown

__all__ = ["describe_rows", "name_first", "strip_units"]


def describe_rows(
    bad: NDArray[np.bool_],
    values: NDArray[Any] | None = None,
    limit: int = 5,
    rows: NDArray[np.integer] | None = None,
) -> str:
    """Say how many entries are flagged and which come first, e.g. ``3 of 200 values (rows 4, 7, 9)``.

    Their rows are their places, counted from 0, if ``rows`` does not tell others.
    """
    places = np.flatnonzero(bad)
    named = places if rows is None else rows[places]
    which = f"row{'s' if places.size > 1 else ''} {name_first(named, limit)}"
    text = f"{places.size} of {bad.size} values ({which}"
    if values is not None:
        text += f": {name_first(np.ravel(values)[places], limit)}"
    return text + ")"


def name_first(items: Sequence[Any] | NDArray[Any], limit: int = 20) -> str:
    """The first ``limit`` items, comma-separated, and dots if there are more."""
    return ", ".join(str(item) for item in items[:limit]) + (", ..." if len(items) > limit else "")


def strip_units(value: Any, name: str, unit: str) -> Any:
    """Convert an `astropy.units.Quantity` to plain numbers in ``unit``; pass plain numbers through.

    Raises
    ------
    TypeError
        If a list mixes quantities and plain numbers, or what has a unit is no number.
    ValueError
        If the quantity cannot be expressed in ``unit``, or if a masked array has masked entries.
    """
    if isinstance(value, list | tuple):
        value = _join(value, name, unit)
    mask = getattr(value, "mask", None)
    # A pandas Series has a *method* of that name, and holds what is missing as NaN.
    if callable(mask):
        return _from_pandas(value)
    if mask is not None and np.any(mask):
        bad = np.broadcast_to(np.asarray(mask, dtype=bool), np.shape(value)).ravel()
        raise ValueError(
            f"{name} has {describe_rows(bad)} that are masked: drop these rows before passing the column on."
        )
    # Not an isinstance test: that would import astropy for users who pass plain numbers.
    if getattr(value, "unit", None) is not None:
        value = _to_unit(value, name, unit)
    if isinstance(value, np.ma.MaskedArray):
        value = value.data
    return value


def _join(values: Sequence[Any], name: str, unit: str) -> Any:
    """A list of quantities as one, in ``unit``; other lists as they are."""
    has = [getattr(item, "unit", None) is not None for item in values]
    if not any(has):
        return values
    if not all(has):
        k = has.index(not has[0])
        raise TypeError(
            f"{name} mixes values with a unit and values without: {shown(values[0])} in row 0, "
            f"{shown(values[k])} in row {k}. Give all of them units, or none."
        )
    parts = [strip_units(item, f"{name}[{k}]", unit) for k, item in enumerate(values)]
    if any(np.shape(part) != np.shape(parts[0]) for part in parts):
        raise ValueError(
            f"{name} is a list of quantities of different lengths: pass one number for each row."
        )
    return np.array(parts)


def _from_pandas(value: Any) -> Any:
    """The values of a pandas Series or DataFrame, NaN where they are missing; no kind is converted."""
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if kind in ("i", "u", "f"):
        return value.to_numpy(dtype=np.float64, na_value=np.nan)
    # Objects may be numbers.
    return value.to_numpy(dtype=object, na_value=np.nan) if kind == "O" else value.to_numpy()


def _to_unit(value: Any, name: str, unit: str) -> Any:
    from astropy import units as u

    wanted = f" in {unit}" if unit else ""
    if np.asarray(getattr(value, "value", value)).dtype.kind not in "iufO":
        raise TypeError(f"{name} must hold real numbers{wanted}, got {shown(value)}.")
    try:
        return u.Quantity(value).to_value(unit)
    except (u.UnitsError, TypeError, ValueError, AttributeError):
        raise ValueError(
            f"{name} has unit '{value.unit}', which cannot be converted to {unit or 'a pure number'}: "
            f"pass a quantity that can, or plain numbers{wanted}."
        ) from None
