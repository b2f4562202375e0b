"""Checks at the door: units are converted, bad values are named with the cure.

Every public function turns its arguments into plain floats and arrays here, so that the code behind
it deals with clean numbers in km/s, arcsec and degrees.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from contextlib import suppress
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
    "name_first",
    "strip_units",
    "to_array",
    "to_float",
    "to_masses",
    "to_uniform_centers",
]


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
    ValueError
        If the quantity cannot be expressed in ``unit``, or if a masked array has masked entries.
    """
    if isinstance(value, list | tuple) and len(value) and getattr(value[0], "unit", None) is not None:
        from astropy import units as u

        value = u.Quantity(value)
    mask = getattr(value, "mask", None)
    # A pandas Series has a *method* of that name, and holds what is missing as NaN.
    if callable(mask):
        with suppress(TypeError, ValueError):
            value = value.to_numpy(dtype=np.float64, na_value=np.nan)
        mask = None
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
                f"{name} has unit '{value.unit}', which cannot be converted to {unit or 'a pure number'}: "
                f"pass a quantity that can, or plain numbers{_in(unit)}."
            ) from None
    if isinstance(value, np.ma.MaskedArray):
        value = value.data
    return value


def _in(unit: str) -> str:
    """The unit in a message; dimensionless numbers need none."""
    return f" in {unit}" if unit else ""


def to_array(value: Any, name: str, unit: str) -> NDArray[np.float64]:
    """Convert to a one-dimensional float64 array in ``unit``.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the array is not one-dimensional, is empty, has masked entries or a wrong unit.
    """
    if value is None:
        raise TypeError(f"{name} is None: pass one number for every star.")
    value = strip_units(value, name, unit)
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        try:
            # Objects may hold numbers; complex numbers, dates and strings of digits are mistakes.
            if array.dtype.kind != "O" or any(isinstance(item, str | bytes) for item in array.flat):
                raise TypeError
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            raise TypeError(
                f"{name} must hold real numbers{_in(unit)}, got a {type(value).__name__} of dtype "
                f"{array.dtype}."
            ) from None
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
        if isinstance(plain, str | bytes | bool | np.bool_):
            raise TypeError
        number = float(plain)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a single number{_in(unit)}, got {value!r}.") from None
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


def to_masses(value: Any, name: str, widths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convert posterior draws to a float64 array of probability masses whose rows sum to exactly 1.

    Parameters
    ----------
    value : array_like, shape (n_draws, n_bins)
        Probability masses per velocity bin.
    name : str
        Name of the argument, for the messages.
    widths : ndarray, shape (n_bins,)
        Bin widths (km/s): they fix n_bins and tell densities from masses in the message.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the shape is wrong, a value is NaN, infinite or negative, or a row is off 1 by more than 1e-3.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "iuf":
        raise TypeError(f"{name} must hold real numbers, got dtype {array.dtype}.")
    if array.ndim != 2 or array.shape[0] == 0 or array.shape[1] != widths.size:
        raise ValueError(
            f"{name} has shape {array.shape}, but (n_draws, n_bins) with n_bins = {widths.size} and at least "
            "one draw is needed; pass a single distribution as pdf[None, :]."
        )
    array = array.astype(np.float64)
    # One sum finds every NaN and infinity (but a sum of +inf and -inf is NaN as well).
    if not np.isfinite(array.sum()):
        bad = np.any(~np.isfinite(array), axis=1)
        raise ValueError(
            f"{name} has NaN or infinite masses in {describe_rows(bad)}: the fit has failed there."
        )
    if array.min() < 0:
        bad = np.any(array < 0, axis=1)
        raise ValueError(f"{name} has negative masses in {describe_rows(bad)}: probabilities are >= 0.")
    total = array.sum(axis=1)
    bad = np.abs(total - 1.0) > 1e-3
    if bad.any():
        cure = "divide each row by its sum"
        if np.allclose(array @ widths, 1.0, atol=1e-3):
            cure = "these are densities per km/s, not masses: multiply by the bin width"
        raise ValueError(f"{name} has rows that do not sum to 1, {describe_rows(bad, total)}: {cure}.")
    return array / total[:, None]


def to_uniform_centers(value: Any, name: str) -> tuple[NDArray[np.float64], float]:
    """Convert velocity bin centres to a float64 array in km/s and return it with the bin width.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If there are fewer than two, or if they are not finite, ascending and uniform to 1e-3 of a bin.
    """
    centers = to_array(value, name, "km/s")
    if centers.size < 2:
        raise ValueError(f"{name} has 1 value: at least two bins are needed to know the bin width.")
    width = float(centers[-1] - centers[0]) / (centers.size - 1)
    if not (width > 0 and np.isfinite(width)):
        raise ValueError(
            f"{name} must be finite and ascending, got {centers[0]} to {centers[-1]} km/s: "
            "if they descend, reverse them and the columns of the draws."
        )
    step = np.diff(centers)
    # Centres read back from a file with six digits, or from float32, are uniform enough. NaN fails the test.
    if not np.all(np.abs(step - width) < 1e-3 * width):
        raise ValueError(
            f"{name} must be uniform, but its steps range from {step.min()} to {step.max()} km/s: "
            "report the LOSVD on bins of equal width."
        )
    return centers, width
