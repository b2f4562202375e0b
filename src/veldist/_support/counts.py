"""Plain numbers that count or set something: no units, no arrays."""

from __future__ import annotations

import math
import numbers
import operator
import reprlib
from typing import Any

import numpy as np

__all__ = ["check_count", "check_number", "shown"]

_MOST = 2**63 - 1
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = 60


def shown(value: Any) -> str:
    """A value as it is shown in messages: in a line, whatever it is."""
    try:
        text = _REPR.repr(value)
    except Exception:  # integers of thousands of digits, and objects that cannot say what they are
        text = f"something of type {type(value).__name__}"
    return " ".join(text.split())


def check_count(value: Any, name: str, minimum: int, maximum: int | None = _MOST) -> int:
    """Return an integer of at least ``minimum``.

    Raises
    ------
    TypeError
        If it is not an integer (booleans and arrays are not).
    ValueError
        If it is below ``minimum`` or above ``maximum``.
    """
    try:
        if isinstance(value, bool | np.bool_) or (
            hasattr(value, "shape") and not isinstance(value, np.generic)
        ):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {shown(value)}.") from None
    if number < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {shown(number)}.")
    if maximum is not None and number > maximum:
        raise ValueError(f"{name} must be at most {maximum}, got {shown(number)}.")
    return number


def check_number(value: Any, name: str) -> float:
    """Return a finite number.

    Raises
    ------
    TypeError
        If it is no real number (booleans and arrays are not).
    ValueError
        If it is NaN or infinite.
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {shown(value)}.")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} must be finite, got {shown(value)}.")
    return number
