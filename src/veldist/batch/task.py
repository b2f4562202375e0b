"""The fit of one bin of a batch, in one go or in halves, between which the posterior is sampled elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from veldist.batch.store import Note, open_store
from veldist.fits.fit import Fit
from veldist.fits.fitting import DEFAULT_SAMPLES, accept, fit_stars, prepare
from veldist.fits.grid import VelocityGrid
from veldist.fits.stars import Stars, check_coverage, read_bin
from veldist.inference import Evaluator
from veldist.models.losvd.model import LosvdPosterior

__all__ = ["BinTask", "Common", "Product", "Result", "Started", "finish_bin", "fit_bin", "start_bin"]

Product = Callable[[int, Fit], Any]
"""What is made of a bin as soon as it is fitted: takes the bin's index and its fit; must be picklable."""


@dataclass(frozen=True)
class Common:
    """What all bins of a batch share."""

    grid: VelocityGrid  # where the LOSVDs are reported
    run: dict[str, Any]  # arguments of `veldist.fits.fitting.fit_stars`, without the seed
    store: tuple[str, str] | None = None  # path and identity of the store that takes the results
    product: Product | None = None  # what else to make of every bin
    # Arguments of `veldist.fits.stars.Stars.read` that all bins share.
    population: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BinTask:
    """One bin's work, as it travels to a worker process."""

    index: int
    data: dict[str, Any]  # its stars, as a user has passed them
    seed: int


@dataclass(frozen=True)
class Result:
    """What became of a bin."""

    # The fit; None if a store has it.
    fit: Fit | None
    notes: list[Note]  # the warnings issued on the way
    product: Any  # what `Common.product` made of it


@dataclass(frozen=True)
class Started:
    """A bin whose fit is still to be made: its stars, and the warnings so far."""

    stars: Stars
    notes: list[Note]


def fit_bin(common: Common, task: BinTask) -> Result:
    """Fit one bin."""
    with _recorded() as notes:
        stars = _stars(common, task)
        fit = fit_stars(stars, common.grid, **common.run, seed=task.seed, alone=False).clip()
    return _hand_over(common, task, fit, notes)


def start_bin(common: Common, task: BinTask) -> tuple[Started, Callable[[Evaluator | None], LosvdPosterior]]:
    """Everything before the fit, and the fit: what that returns is for `finish_bin`."""
    with _recorded() as notes:
        stars = _stars(common, task)
    run = {name: value for name, value in common.run.items() if name != "gpu"}
    return Started(stars, notes), prepare(stars, seed=task.seed, **run)


def finish_bin(common: Common, task: BinTask, started: Started, posterior: LosvdPosterior) -> Result:
    """Everything after the fit."""
    n_samples = common.run.get("num_samples", DEFAULT_SAMPLES)
    with _recorded() as notes:
        fit = accept(started.stars, common.grid, posterior, n_samples, alone=False).clip()
    return _hand_over(common, task, fit, started.notes + notes)


def _stars(common: Common, task: BinTask) -> Stars:
    stars = read_bin(task.data, common.population)
    check_coverage(stars.vel, common.grid.edges, stacklevel=2, others=stars.contaminant is not None)
    return stars


def _hand_over(common: Common, task: BinTask, fit: Fit, notes: list[Note]) -> Result:
    if common.store is not None:
        open_store(*common.store).write(task.index, fit, notes)
    product = None if common.product is None else common.product(task.index, fit)
    return Result(fit if common.store is None else None, notes, product)


@contextmanager
def _recorded() -> Generator[list[Note]]:
    """A list that holds, when the block has been left, the warnings issued in it."""
    notes: list[Note] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield notes
    notes += [(w.category.__name__, str(w.message)) for w in caught]
