"""Checks at the door: units are converted, bad values are named with the cure.

Every public function turns its arguments into plain floats and arrays here, so that the code behind
it deals with clean numbers in km/s, arcsec and degrees.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "check_count",
    "check_finite",
    "check_keys",
    "check_positive",
    "check_same_length",
    "describe_rows",
    "strip_units",
    "to_array",
    "to_float",
]


def describe_rows(bad: NDArray[np.bool_], values: NDArray[Any] | None = None, limit: int = 5) -> str:
    """Say how many entries are flagged and which come first, e.g. ``3 of 200 values (rows 4, 7, 9)``."""
    rows = np.flatnonzero(bad)
    shown = ", ".join(str(r) for r in rows[:limit]) + (", ..." if rows.size > limit else "")
    text = f"{rows.size} of {bad.size} values (row{'s' if rows.size > 1 else ''} {shown}"
    if values is not None:
        shown = ", ".join(f"{v}" for v in np.ravel(values)[rows[:limit]])
        text += f": {shown}" + (", ..." if rows.size > limit else "")
    return text + ")"


def strip_units(value: Any, name: str, unit: str) -> Any:
    """Convert an `astropy.units.Quantity` to plain numbers in ``unit``; pass plain numbers through.

    Raises
    ------
    ValueError
        If the quantity cannot be expressed in ``unit``, or if a masked array has masked entries.
    """
    mask = getattr(value, "mask", None)
    if mask is not None and np.any(mask):
        bad = np.broadcast_to(np.asarray(mask, dtype=bool), np.shape(value)).ravel()
        raise ValueError(
            f"{name} has {describe_rows(bad)} that are masked: drop these rows before passing the column on."
        )
    # Not an isinstance test: that would import astropy for users who pass plain numbers.
    if getattr(value, "unit", None) is not None:
        from astropy import units as u

        try:
            value = u.Quantity(value).to_value(unit)
        except u.UnitConversionError:
            raise ValueError(
                f"{name} has unit '{value.unit}', which cannot be converted to {unit}: "
                f"pass a quantity convertible to {unit}, or plain numbers in {unit}."
            ) from None
    if isinstance(value, np.ma.MaskedArray):
        value = value.data
    return value


def to_array(value: Any, name: str, unit: str) -> NDArray[np.float64]:
    """Convert to a one-dimensional float64 array in ``unit``.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the array is not one-dimensional, is empty, has masked entries or a wrong unit.
    """
    value = strip_units(value, name, unit)
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise TypeError(f"{name} must hold real numbers in {unit}, got dtype {array.dtype}.") from None
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}.")
    if array.size == 0:
        raise ValueError(f"{name} is empty: at least one value is needed.")
    return np.array(array, dtype=np.float64)


def to_float(value: Any, name: str, unit: str) -> float:
    """Convert a scalar (a number or a `~astropy.units.Quantity`) to a finite float in ``unit``.

    Raises
    ------
    TypeError
        If it is not a real scalar.
    ValueError
        If it is not finite or has a wrong unit.
    """
    plain = strip_units(value, name, unit)
    try:
        number = float(plain)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a single number in {unit}, got {value!r}.") from None
    if not np.isfinite(number):
        raise ValueError(f"{name} must be finite, got {number}.")
    return number


def check_finite(array: NDArray[Any], name: str) -> None:
    """Raise `ValueError` naming the rows that are NaN or infinite."""
    bad = ~np.isfinite(array)
    if bad.any():
        raise ValueError(
            f"{name} has {describe_rows(bad.ravel(), array)} that are NaN or infinite: remove these stars."
        )


def check_positive(array: NDArray[Any], name: str, cure: str) -> None:
    """Raise `ValueError` naming the rows that are zero or negative."""
    bad = ~(array > 0)
    if bad.any():
        raise ValueError(f"{name} has {describe_rows(bad.ravel(), array)} that are not positive: {cure}")


def check_same_length(a: NDArray[Any], b: NDArray[Any], name_a: str, name_b: str) -> None:
    """Raise `ValueError` if two arrays that describe the same stars differ in length."""
    if a.shape != b.shape:
        raise ValueError(
            f"{name_a} has {a.size} values but {name_b} has {b.size}: pass one of each for every star."
        )


def check_count(value: Any, name: str, minimum: int) -> int:
    """Return an integer of at least ``minimum``.

    Raises
    ------
    TypeError
        If it is not an integer (booleans are not).
    ValueError
        If it is below ``minimum``.
    """
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}.") from None
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {number}.")
    return number


def check_keys(mapping: Any, required: tuple[str, ...], name: str) -> None:
    """Raise if a dictionary lacks one of the required keys, naming all that are missing."""
    if not isinstance(mapping, dict):
        raise TypeError(f"{name} must be a dict with keys {list(required)}, got {type(mapping).__name__}.")
    missing = [key for key in required if key not in mapping]
    if missing:
        raise ValueError(f"{name} lacks {missing}: it needs the keys {list(required)}.")
