"""Spatial bins one after the other, and in messages: how many, and which come first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from veldist._support.validate import name_first
from veldist.errors import OrderError
from veldist.fits.draws import Fits
from veldist.fits.fit import Fit

__all__ = ["describe_bins", "read_each"]

Row = TypeVar("Row")


def describe_bins(bad: NDArray[np.bool_], limit: int = 5) -> str:
    """Say how many Voronoi bins are flagged and which come first, e.g. ``2 of 40 bins (indices 3, 17)``."""
    bins = np.flatnonzero(bad)
    word = "indices" if bins.size > 1 else "index"
    return f"{bins.size} of {bad.size} bins ({word} {name_first(bins, limit)})"


def read_each(fits: Fits, row_of: Callable[[int, Fit], Row | None]) -> dict[int, Row]:
    """A row of each fitted bin, in one walk that keeps no fit: they may be read from a store.

    ``row_of`` takes a bin's number and fit, and returns None for a solver that has not been run.

    Raises
    ------
    TypeError
        If an entry is neither a solver nor None.
    OrderError
        If some have not been run, naming them.
    """
    rows: dict[int, Row] = {}
    not_run = np.zeros(len(fits), dtype=bool)
    # Not enumerate(fits), which would hold one while the next is loaded.
    for i in range(len(fits)):
        fit = fits[i]
        if fit is None:
            continue
        row = row_of(i, fit)
        if row is None:
            not_run[i] = True
        else:
            rows[i] = row
    if not_run.any():
        raise OrderError(
            f"run() has not been called in {describe_bins(not_run)}: "
            "run these solvers, or pass None to skip them."
        )
    return rows
