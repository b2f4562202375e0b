"""Numbers with few digits, as JSON can hold them."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["rounded", "rounded_or_none"]


def rounded_or_none(value: Any, digits: int = 6) -> float | int | None:
    """A number with so many significant digits; None for NaN and infinity, which JSON does not know."""
    number = float(value)
    if not np.isfinite(number):
        return None
    number = float(f"{number:.{digits}g}")
    return int(number) if number == int(number) else number


def rounded(values: Any, digits: int = 6) -> list[float | int | None]:
    """As `rounded_or_none`, of an array."""
    return [rounded_or_none(value, digits) for value in np.ravel(values)]
