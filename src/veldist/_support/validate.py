"""Checks at the door: units are converted, bad values are named with the cure.

Every public function turns its arguments into plain floats and arrays here, so that the code behind
it deals with clean numbers in km/s, arcsec and degrees.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.counts import check_count, shown
from veldist._support.units import describe_rows, name_first, strip_units

__all__ = [
    "check_count",
    "check_finite",
    "check_keys",
    "check_limit",
    "check_positive",
    "check_same_length",
    "describe_rows",
    "name_first",
    "shown",
    "strip_units",
    "to_array",
    "to_float",
    "to_masses",
    "to_numbers",
    "to_uniform_centers",
]


# Beyond what a number of this unit can be, and why: placeholders, and other units.
_LIMITS = {
    "km/s": (299792.458, "the speed of light"),
    "arcsec": (1_296_000.0, "a full circle"),
    "deg": (360.0, "a full circle"),
}


def _in(unit: str) -> str:
    """The unit in a message; dimensionless numbers need none."""
    return f" in {unit}" if unit else ""


def _is_no_number(item: Any) -> bool:
    kind = getattr(getattr(item, "dtype", None), "kind", "O")
    return isinstance(item, str | bytes | bool) or kind not in "iufO"


def to_numbers(value: Any, name: str, unit: str) -> NDArray[np.float64]:
    """Convert to a float64 array of any shape in ``unit``; NaN and infinities pass.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If lists in it differ in length, it has masked entries or a wrong unit, or numbers are impossible.
    """
    if value is None:
        raise TypeError(f"{name} is None: pass real numbers.")
    plain = strip_units(value, name, unit)
    try:
        array = np.asarray(plain)
    except (ValueError, TypeError):
        raise ValueError(
            f"{name} holds lists of different lengths, or no numbers at all: pass one number for each row."
        ) from None
    # A list turns truth values and numbers into numbers.
    items = plain if isinstance(plain, list | tuple) else array.flat if array.dtype.kind == "O" else ()
    wrong = next((item for item in items if _is_no_number(item)), None)
    try:
        # Objects may hold numbers; complex numbers, dates and strings of digits are mistakes.
        if array.dtype.kind not in "iufO" or wrong is not None:
            raise TypeError
        with np.errstate(over="ignore"):
            array = np.array(array, dtype=np.float64)
    except (TypeError, ValueError):
        got = f"a {type(value).__name__} of dtype {array.dtype}" if wrong is None else f"{shown(wrong)} in it"
        raise TypeError(f"{name} must hold real numbers{_in(unit)}, got {got}.") from None
    except OverflowError:
        raise ValueError(
            f"{name} holds integers beyond the largest float, 1.8e308: pass real values{_in(unit)}."
        ) from None
    check_limit(array, name, unit)
    return array


def to_array(value: Any, name: str, unit: str) -> NDArray[np.float64]:
    """Convert to a one-dimensional float64 array in ``unit``.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If the array is not one-dimensional, is empty, has masked entries or a wrong unit, or numbers are
        impossible.
    """
    array = to_numbers(value, name, unit)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}.")
    if array.size == 0:
        raise ValueError(f"{name} is empty: at least one value is needed.")
    return array


def to_float(value: Any, name: str, unit: str, *, finite: bool = True) -> float:
    """Convert a scalar (a number or a `~astropy.units.Quantity`) to a float in ``unit``.

    Raises
    ------
    TypeError
        If it is not a real scalar.
    ValueError
        If it is not finite, unless it need not be, is impossible, or has a wrong unit.
    """
    plain = strip_units(value, name, unit)
    kind = getattr(getattr(plain, "dtype", None), "kind", "O")
    try:
        if isinstance(plain, str | bytes | bool | list | tuple) or kind not in "iufO" or np.ndim(plain):
            raise TypeError
        number = float(plain)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a single number{_in(unit)}, got {shown(value)}.") from None
    except OverflowError:
        raise ValueError(f"{name} must be finite, got {shown(value)}.") from None
    if not np.isfinite(number):
        if finite:
            raise ValueError(f"{name} must be finite, got {number}.")
        return number
    largest, what = _LIMITS.get(unit, (np.inf, ""))
    if abs(number) > largest:
        raise ValueError(
            f"{name} must be within {what}, +-{largest:.0f} {unit}, got {number:g}: check its unit."
        )
    return number


def check_limit(
    array: NDArray[np.float64], name: str, unit: str, rows: NDArray[np.integer] | None = None
) -> None:
    """Raise `ValueError` naming the rows that are beyond what a number of this unit can be.

    NaN and infinities pass: whether they are mistakes is for `check_finite` to say.
    """
    largest, what = _LIMITS.get(unit, (np.inf, ""))
    bad = (np.abs(array) > largest) & np.isfinite(array)
    if bad.any():
        raise ValueError(
            f"{name} has {describe_rows(bad.ravel(), array, rows=rows)} beyond {what}, {largest:.0f} {unit}: "
            f"placeholders for missing values, or another unit than {unit}. Remove these rows, or convert "
            "the unit."
        )


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


def check_keys(
    mapping: Any, required: tuple[str, ...], name: str, optional: tuple[str, ...] | None = None
) -> None:
    """Raise if a dictionary lacks one of the required keys, naming all that are missing.

    Where ``optional`` says which others there may be, also if it has a key that is neither.
    """
    if not isinstance(mapping, Mapping):
        raise TypeError(f"{name} must be a dict with keys {list(required)}, got {type(mapping).__name__}.")
    missing = [key for key in required if key not in mapping]
    unknown = [] if optional is None else [key for key in mapping if key not in (*required, *optional)]
    if unknown:
        raise ValueError(
            f"{name} has unknown keys {name_first([shown(key) for key in unknown])}: it takes "
            f"{list(required)}" + (f" and, if need be, {list(optional)}." if optional else ".")
        )
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
    array = to_numbers(value, name, "")
    if array.ndim != 2 or array.shape[0] == 0 or array.shape[1] != widths.size:
        raise ValueError(
            f"{name} has shape {array.shape}, but (n_draws, n_bins) with n_bins = {widths.size} and at least "
            "one draw is needed; pass a single distribution as pdf[None, :]."
        )
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
