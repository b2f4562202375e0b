"""Spatial bins in messages: how many, and which come first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from veldist._support.validate import name_first
from veldist.errors import OrderError

__all__ = ["describe_bins", "refuse_not_run"]


def describe_bins(bad: NDArray[np.bool_], limit: int = 5) -> str:
    """Say how many Voronoi bins are flagged and which come first, e.g. ``2 of 40 bins (indices 3, 17)``."""
    bins = np.flatnonzero(bad)
    word = "indices" if bins.size > 1 else "index"
    return f"{bins.size} of {bad.size} bins ({word} {name_first(bins, limit)})"


def refuse_not_run(not_run: NDArray[np.bool_]) -> None:
    """Raise `OrderError` if bins have a solver that has not been run, naming them."""
    if not_run.any():
        raise OrderError(
            f"run() has not been called in {describe_bins(not_run)}: "
            "run these solvers, or pass None to skip them."
        )
