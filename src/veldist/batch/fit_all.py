"""Many spatial bins: the same fit for each, on all cores, with nothing lost if one fails."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from veldist._support import validate
from veldist._support.outputs import progress_bar
from veldist._support.processes import Outcome, check_jobs, count_jobs, run_tasks
from veldist.batch.failures import BatchError, BatchInterrupted, Solvers
from veldist.batch.notes import Notes
from veldist.batch.population import Population
from veldist.batch.solver_map import FitMap, SolverMap
from veldist.batch.store import Inputs, MapStore
from veldist.batch.task import BinTask, Common, Product, Result, finish_bin, fit_bin, start_bin
from veldist.batch.writing import StoreWriteError
from veldist.errors import ContaminationWarning
from veldist.fits.contamination import describe_bins
from veldist.fits.cost import check_cost
from veldist.fits.draws import Fits, is_fitted
from veldist.fits.fit import Fit
from veldist.fits.fitting import DEFAULT_SAMPLES, check_run
from veldist.fits.grid import VelocityGrid
from veldist.fits.record import DamagedRecordError
from veldist.fits.stars import count_members, count_stars
from veldist.solver import KinematicSolver

if TYPE_CHECKING:
    from distributed import Client

    from veldist.models.contaminants import ContaminantDensity
    from veldist.models.error_model import ErrorModel

__all__ = ["FittedBins", "Workers", "as_solvers", "fit_all_bins", "fit_bins"]


def fit_all_bins(
    bin_data_list: Sequence[dict[str, Any]],
    grid_kwargs: dict[str, Any],
    run_kwargs: dict[str, Any] | None = None,
    min_stars: int = 10,
    *,
    contaminant: ContaminantDensity | Literal["learn"] | None = None,
    error_model: ErrorModel | None = None,
    n_jobs: int | None = None,
    progress: bool = True,
    store: str | os.PathLike[str] | None = None,
    client: Client | None = None,
) -> Solvers:
    """Fit the LOSVD of every spatial bin.

    Parameters
    ----------
    bin_data_list : sequence of dict
        ``{"vel": ..., "err": ...}`` per bin, as `KinematicSolver.add_data` takes them; with a contaminant
        perhaps also ``"membership"``.
    grid_kwargs : dict
        Arguments of `KinematicSolver.setup_grid`, the same for all bins.
    run_kwargs : dict, optional
        Arguments of `KinematicSolver.run`. Bin k runs with seed ``seed + k``. With ``{"gpu": True}`` the
        likelihoods of many bins at a time are evaluated on the GPU of this machine.
    min_stars : int
        Bins with fewer stars are skipped, with one warning that names them. Of bins with ``"membership"``
        the expected number of members counts, the sum of the probabilities.
    contaminant : Contaminant, "learn" or ContaminantDensity, optional
        How the velocities of the stars that are no members are distributed, in all bins alike; how many of
        them there are is left free in every bin. ``"learn"`` for `veldist.Contaminant.learn` of all stars
        together.
    error_model : ErrorModel, optional
        Errors that are not one Gaussian.
    n_jobs : int, optional
        Number of worker processes; all cores by default (no extra process for a handful of bins). The
        results have the same bits for any number.
    progress : bool
        Whether to show a progress bar.
    store : str or path-like, optional
        A directory, ``"map"`` say, in which every bin is kept as soon as it is fitted. If it is there
        already, from a run that was stopped or killed, only the bins that it lacks are fitted. One run at
        a time may write to it.
    client : distributed.Client, optional
        A Dask cluster that does the work instead of processes of this machine; see
        `veldist.execution.dask.run_on_dask`. A store must then be in a file system that all workers share.

    Returns
    -------
    sequence of KinematicSolver or None
        One per bin, in order, with `~KinematicSolver.clip_uncertainties` applied; None where skipped. A list,
        or, with a store, a `veldist.batch.solver_map.SolverMap`, which reads a solver when it is asked for.

    Raises
    ------
    TypeError, ValueError
        If the arguments that concern all bins are wrong, two of n_jobs, client and a GPU are asked for, or
        the store holds a fit of other stars or settings.
    ImportError, RuntimeError
        If a GPU is asked for, and JAX is not installed or sees none.
    OSError
        If the store cannot be written to, because the disk is full, say. No more bins are fitted then; those
        that are kept stay.
    RuntimeError
        If another run writes to the store.
    BatchError
        At the end, if bins failed (their data are bad, say). It names them and carries the others'
        results.
    BatchInterrupted
        On Ctrl-C. It carries the results of the bins that were done.

    Warns
    -----
    ContaminationWarning
        If neither contaminant nor error model is given, and the velocities of all bins together speak for
        non-members or heavy wings.
    """
    workers = Workers(n_jobs, progress, store, client)
    population = Population(contaminant, error_model)
    # Once, for an iterator has nothing to say a second time.
    bins = _check_bins(bin_data_list)
    fitted = fit_bins(bins, grid_kwargs, run_kwargs, min_stars, workers, population, stacklevel=3)
    solvers = as_solvers(fitted.fits)
    try:
        for text in describe_bins(bins) if population.plain else ():
            warnings.warn(text, ContaminationWarning, stacklevel=2)
        fitted.notes.warn(stacklevel=3)
    finally:
        # Also where warnings are errors: the bins' failures, and the results, come first.
        if fitted.failures:
            raise BatchError(solvers, fitted.failures)
    return solvers


@dataclass(frozen=True)
class Workers:
    """Who does the work, who sees it, and where the results are kept; see `fit_all_bins`."""

    n_jobs: int | None = None
    progress: bool = True
    store: str | os.PathLike[str] | None = None
    client: Client | None = None


@dataclass
class FittedBins:
    """What became of the bins of a batch.

    Attributes
    ----------
    fits : sequence of Fit or None
        One per bin, None where skipped or failed: a list, or the `FitMap` of a store.
    notes : Notes
        The warnings issued on the way.
    products : dict of int to object
        What was made of every bin that has been fitted in this run.
    failures : dict of int to Exception
        What went wrong in which bin.
    """

    fits: Fits
    notes: Notes
    products: dict[int, Any] = field(default_factory=dict)
    failures: dict[int, BaseException] = field(default_factory=dict)


def as_solvers(fits: Fits) -> Solvers:
    """A solver around every fit."""
    if isinstance(fits, FitMap):
        return SolverMap(fits)
    return [None if fit is None else KinematicSolver.from_fit(fit) for fit in fits]


def fit_bins(
    bin_data_list: Sequence[dict[str, Any]],
    grid_kwargs: dict[str, Any],
    run_kwargs: dict[str, Any] | None,
    min_stars: int,
    workers: Workers,
    population: Population | None = None,
    *,
    product: Product | None = None,
    stacklevel: int = 2,
) -> FittedBins:
    """As `fit_all_bins`, for records instead of solvers, with all that went wrong in the result.

    Parameters
    ----------
    bin_data_list, grid_kwargs, run_kwargs, min_stars
        As for `fit_all_bins`, which also says what is raised.
    workers : Workers
        Who does the work.
    population : Population, optional
        What else there is beside members.
    product : callable, optional
        What to make of every bin at once, in the worker that has fitted it.
    stacklevel : int
        Of the warning of skipped bins, as in `warnings.warn`.
    """
    n_jobs, client, store = workers.n_jobs, workers.client, workers.store
    bins, grid, run, seed = _check_arguments(bin_data_list, grid_kwargs, run_kwargs, n_jobs, client)
    min_stars = validate.check_count(min_stars, "min_stars", 1)
    shared = (population or Population()).shared(bins)
    sizes = [count_stars(data["vel"], f"bin_data_list[{k}]['vel']") for k, data in enumerate(bins)]
    expected = [count_members(data, f"bin_data_list[{k}]") for k, data in enumerate(bins)]
    wanted = _wanted(expected, min_stars, stacklevel + 1)
    # Those of a cluster have memories of their own.
    processes = count_jobs(n_jobs, len(wanted)) if client is None else 1
    n_draws, summaries = run.get("num_samples", DEFAULT_SAMPLES), product is not None
    check_cost(n_draws, grid.n_bins, processes, summaries=summaries, stacklevel=stacklevel + 1)
    fitted = FittedBins([None] * len(bins), Notes(len(wanted)))
    # Large bins first, so that no worker is left alone with one at the end.
    todo = sorted(wanted, key=lambda k: -sizes[k])
    if store is None:
        opened = nullcontext()
    else:
        from veldist.batch.fingerprint import describe_settings, digest_bins

        settings = describe_settings(grid_kwargs, run, seed, min_stars, shared)
        opened = MapStore.writing(store, Inputs(settings, digest_bins(bins, shared), sizes, expected))
    with opened as kept:
        if kept is not None:
            done = _resume(kept, fitted.notes, stacklevel + 1)
            todo = [k for k in todo if k not in done]
            if todo:
                kept.check_writable()
        tasks = [BinTask(k, bins[k], seed + k) for k in todo]
        run.pop("num_warmup", None)
        common = Common(grid, run, None if kept is None else (str(kept.path), kept.identity), product, shared)
        bar = progress_bar(
            total=len(wanted),
            initial=len(wanted) - len(todo),
            desc="LOSVDs",
            unit="bin",
            shown=workers.progress,
        )
        try:
            with closing(_outcomes(common, tasks, n_jobs, client)) as outcomes, bar:
                _collect(fitted, tasks, outcomes, bar)
        except KeyboardInterrupt:
            raise _interrupted(fitted, kept, len(wanted)) from None
        except StoreWriteError as error:
            assert kept is not None
            raise kept.stopped(error) from error
    if kept is not None:
        fitted.fits = FitMap(kept)
    return fitted


def _interrupted(fitted: FittedBins, kept: MapStore | None, n_wanted: int) -> BatchInterrupted:
    """What was done until Ctrl-C, and how to go on."""
    if kept is not None:
        fitted.fits = FitMap(kept)
    done = int(np.sum(is_fitted(fitted.fits)))
    where = "the attribute `solvers` of this exception" if kept is None else f"the store {kept.path}"
    cure = "" if kept is None else "; the same call goes on from there"
    message = f"interrupted after {done} of {n_wanted} bins: they are in {where}{cure}."
    if not done:
        message = f"interrupted before any of {n_wanted} bins was done{cure}."
    return BatchInterrupted(message, as_solvers(fitted.fits))


def _collect(
    fitted: FittedBins, tasks: Sequence[BinTask], outcomes: Iterable[Outcome[Result]], bar: Any
) -> None:
    """Take the results as they come; raise if the store takes no more of them."""
    fits: list[Fit | None] = list(fitted.fits)
    # At once, so that what is there is there if an interruption comes.
    fitted.fits = fits
    for outcome in outcomes:
        if isinstance(outcome.error, StoreWriteError):
            raise outcome.error
        index = tasks[outcome.index].index
        if outcome.error is not None:
            fitted.failures[index] = outcome.error
        if outcome.value is not None:
            fits[index] = outcome.value.fit
            fitted.notes.add(index, outcome.value.notes)
            fitted.products[index] = outcome.value.product
        bar.update()


def _resume(store: MapStore, notes: Notes, stacklevel: int) -> set[int]:
    """Bins that the store has, whole; others are removed from it, with a warning."""
    done, damaged = set(), []
    for index in np.flatnonzero(store.done() & store.wanted).tolist():
        try:
            notes.add(index, store.verify(index))
            done.add(index)
        except DamagedRecordError:
            damaged.append(index)
    if damaged:
        store.check_writable()
        for index in damaged:
            store.forget(index)
        warnings.warn(
            f"the records of {len(damaged)} bins in the store {store.path} are damaged: these bins are "
            f"fitted again ({validate.name_first([k + 1 for k in damaged])}, counted from 1).",
            stacklevel=stacklevel,
        )
    return done


def _outcomes(
    common: Common, tasks: list[BinTask], n_jobs: int | None, client: Client | None
) -> Generator[Outcome[Result]]:
    """Outcomes of the fits, from this machine, its GPU, or a cluster."""
    if common.run.get("gpu"):
        from veldist.execution.gpu import fit_in_batches

        return fit_in_batches(partial(start_bin, common), partial(finish_bin, common), tasks)
    fit = partial(fit_bin, common)
    if client is None:
        return run_tasks(fit, tasks, n_jobs)
    from veldist.execution.dask import run_on_dask

    return run_on_dask(fit, tasks, client)


def _check_arguments(
    bin_data_list: Any, grid_kwargs: Any, run_kwargs: Any, n_jobs: int | None, client: Client | None
) -> tuple[list[dict[str, Any]], VelocityGrid, dict[str, Any], int]:
    """Bins, grid, arguments of the fits and the seed; fails at once, not once per bin."""
    bins = _check_bins(bin_data_list)
    if run_kwargs is not None and not isinstance(run_kwargs, dict):
        raise TypeError(f"run_kwargs must be a dict, got {type(run_kwargs).__name__}.")
    run = dict(run_kwargs or {})
    seed = validate.check_count(run.pop("seed", 0), "run_kwargs['seed']", 0)
    if n_jobs is not None and client is not None:
        raise ValueError(f"n_jobs = {n_jobs} and client exclude each other: the cluster has its own size.")
    check_jobs(n_jobs)
    if client is not None:
        from veldist.execution.dask import check_client

        check_client(client)
    for name, given, method in (
        ("grid_kwargs", grid_kwargs, KinematicSolver.setup_grid),
        ("run_kwargs", run, KinematicSolver.run),
    ):
        allowed = list(inspect.signature(method).parameters)[1:]
        unknown = sorted(set(given) - set(allowed)) if isinstance(given, dict) else []
        if unknown:
            raise TypeError(f"{name} has unknown keys {unknown}; allowed are {allowed}.")
    grid = VelocityGrid.read(grid_kwargs, "grid_kwargs")
    check_run(**run)
    if run.get("gpu") and (n_jobs is not None or client is not None):
        other = "client" if n_jobs is None else f"n_jobs = {n_jobs}"
        raise ValueError(
            f"run_kwargs['gpu'] = True and {other} exclude each other: the GPU of this machine takes many "
            "bins at once, from one process."
        )
    return bins, grid, run, seed


def _wanted(expected: Sequence[float], min_stars: int, stacklevel: int) -> list[int]:
    """Bins with enough stars, or expected members; a warning names the others."""
    skipped = [k for k, number in enumerate(expected) if number < min_stars]
    if skipped:
        warnings.warn(
            f"{len(skipped)} of {len(expected)} bins have fewer than min_stars = {min_stars} stars (with "
            f"membership: expected members) and are skipped: {validate.name_first(skipped)}.",
            stacklevel=stacklevel,
        )
    return [k for k, number in enumerate(expected) if number >= min_stars]


def _check_bins(bin_data_list: Any) -> list[dict[str, Any]]:
    """Every bin must be a dict with both columns; their values are checked bin by bin when it is fitted."""
    if isinstance(bin_data_list, dict | str) or not isinstance(bin_data_list, Iterable):
        raise TypeError(
            "bin_data_list must be a sequence of dicts {'vel': ..., 'err': ...}, one per bin, got "
            f"{type(bin_data_list).__name__}."
        )
    bins = list(bin_data_list)
    if not bins:
        raise ValueError("bin_data_list is empty: at least one bin is needed.")
    for k, data in enumerate(bins):
        validate.check_keys(data, ("vel", "err"), f"bin_data_list[{k}]")
    return bins
