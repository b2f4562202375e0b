"""The same work for every fitted bin of a map, on several cores, each read by whoever works on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar, cast

import numpy as np

from veldist._support.processes import run_tasks
from veldist._support.threads import one_thread
from veldist.fits.draws import Fits, is_fitted
from veldist.fits.fit import Fit

__all__ = ["over_bins"]

R = TypeVar("R")


def over_bins(
    function: Callable[[int, Fit], R],
    fits: Fits,
    n_jobs: int | None = None,
    bins: Sequence[int] | None = None,
) -> Iterator[tuple[int, R]]:
    """Yield ``index, function(index, fit)`` of the fitted bins, in order of completion.

    Fits that live on disk are read by the process that works on them, and not kept.

    Parameters
    ----------
    function : callable
        Picklable if processes are used.
    fits : sequence of Fit or None
        The bins.
    n_jobs : int, optional
        Number of worker processes, with which the results have the same bits; by default all cores, and none
        for a handful of bins.
    bins : sequence of int, optional
        Only these.

    Raises
    ------
    Exception
        What the function raised in the first of the bins where it did, after all others are done.
    """
    wanted = np.flatnonzero(is_fitted(fits)) if bins is None else bins
    tasks: list[tuple[int, Fit | None]] = [(int(i), None) for i in wanted]
    stored = hasattr(fits, "path")
    if not stored and n_jobs != 1:
        tasks = [(i, fits[i]) for i, _ in tasks]
    source = fits if stored or n_jobs == 1 else None
    failures: dict[int, BaseException] = {}
    for outcome in run_tasks(partial(_work, function, source), tasks, n_jobs):
        index = tasks[outcome.index][0]
        if outcome.error is not None:
            failures[index] = outcome.error
        else:
            yield index, cast(R, outcome.value)
    if failures:
        raise failures[min(failures)]


def _work(function: Callable[[int, Fit], R], fits: Fits | None, task: tuple[int, Fit | None]) -> R:
    index, fit = task
    with one_thread():
        if fit is None and fits is not None:
            fit = fits[index]
        assert fit is not None
        return function(index, fit)
