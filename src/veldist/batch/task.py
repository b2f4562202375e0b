"""The fit of one bin of a batch, in one go or in halves, between which the posterior is sampled elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from veldist.inference import Evaluator
from veldist.models.losvd.model import LosvdPosterior
from veldist.solver import DEFAULT_SAMPLES, KinematicSolver

if TYPE_CHECKING:
    from veldist.batch.store import MapStore

__all__ = ["BinTask", "Common", "Started", "finish_bin", "fit_bin", "start_bin"]

Result = tuple[KinematicSolver | None, list[tuple[str, str]]]
"""Solver, unless it is kept in a store, and the warnings issued on the way: category and text."""


@dataclass(frozen=True)
class Common:
    """What all bins of a batch share.

    Attributes
    ----------
    grid_kwargs, run_kwargs : dict
        Arguments of `KinematicSolver.setup_grid` and, without the seed, of `KinematicSolver.run`.
    store : tuple of str, or None
        Path and identity of the store that takes the results.
    """

    grid_kwargs: dict[str, Any]
    run_kwargs: dict[str, Any]
    store: tuple[str, str] | None


@dataclass(frozen=True)
class BinTask:
    """One bin's work, as it travels to a worker process.

    Attributes
    ----------
    index : int
        The bin.
    vel, err : array_like
        Its stars, km/s.
    seed : int
        Its seed.
    """

    index: int
    vel: Any
    err: Any
    seed: int


@dataclass(frozen=True)
class Started:
    """A bin whose fit is still to be made.

    Attributes
    ----------
    solver : KinematicSolver
        With grid and stars.
    notes : list
        The warnings so far.
    """

    solver: KinematicSolver
    notes: list[tuple[str, str]]


def fit_bin(common: Common, task: BinTask) -> Result:
    """Fit one bin."""
    with _recorded() as notes:
        solver = _load(common, task)
        solver.run(**common.run_kwargs, seed=task.seed)
        solver.clip_uncertainties()
    return _hand_over(common, task, solver, notes)


def start_bin(common: Common, task: BinTask) -> tuple[Started, Callable[[Evaluator | None], LosvdPosterior]]:
    """Everything before the fit, and the fit: what that returns is for `finish_bin`."""
    with _recorded() as notes:
        solver = _load(common, task)
    run = common.run_kwargs
    n_samples = run.get("num_samples", DEFAULT_SAMPLES)
    return Started(solver, notes), solver._fitting(
        n_samples, task.seed, run.get("settings"), run.get("prior")
    )


def finish_bin(common: Common, task: BinTask, started: Started, posterior: LosvdPosterior) -> Result:
    """Everything after the fit."""
    with _recorded() as notes:
        started.solver._accept(posterior, common.run_kwargs.get("num_samples", DEFAULT_SAMPLES))
        started.solver.clip_uncertainties()
    return _hand_over(common, task, started.solver, started.notes + notes)


def _load(common: Common, task: BinTask) -> KinematicSolver:
    solver = KinematicSolver()
    solver.setup_grid(**common.grid_kwargs)
    solver.add_data(task.vel, task.err)
    return solver


def _hand_over(
    common: Common, task: BinTask, solver: KinematicSolver, notes: list[tuple[str, str]]
) -> Result:
    if common.store is not None:
        _open_store(*common.store).write(task.index, solver, notes)
        return None, notes
    # They are quickly computed again, and larger than all the rest together.
    solver.samples = None
    return solver, notes


@contextmanager
def _recorded() -> Generator[list[tuple[str, str]]]:
    """A list that holds, when the block has been left, the warnings issued in it."""
    notes: list[tuple[str, str]] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield notes
    notes += [(w.category.__name__, str(w.message)) for w in caught]


@lru_cache(maxsize=1)
def _open_store(path: str, identity: str) -> MapStore:
    from veldist.batch.store import MapStore

    return MapStore(path, writable=True)
