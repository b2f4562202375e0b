"""Many spatial bins: the same fit for each, on all cores, with nothing lost if one fails."""

from __future__ import annotations

import inspect
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from veldist import validate
from veldist.parallel import check_jobs, run_tasks
from veldist.solver import KinematicSolver, check_run

__all__ = ["BatchError", "fit_all_bins"]


class BatchError(RuntimeError):
    """Some bins failed; the results of all others are kept here.

    Attributes
    ----------
    solvers : list
        Solvers of the bins, None where skipped or failed.
    failures : dict of int to Exception
        What went wrong in which bin.
    """

    def __init__(self, solvers: list[KinematicSolver | None], failures: dict[int, BaseException]) -> None:
        lines = [f"  bin {k}: {type(e).__name__}: {e}" for k, e in sorted(failures.items())]
        shown = lines[:10] + ([f"  ... and {len(lines) - 10} more"] if len(lines) > 10 else [])
        super().__init__(
            f"{len(failures)} of {len(solvers)} bins failed; the results of the others are in the "
            "attribute `solvers` of this exception:\n" + "\n".join(shown)
        )
        self.solvers = solvers
        self.failures = failures

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.solvers, self.failures)


def fit_all_bins(
    bin_data_list: Sequence[dict[str, Any]],
    grid_kwargs: dict[str, Any],
    run_kwargs: dict[str, Any] | None = None,
    min_stars: int = 10,
    *,
    n_jobs: int | None = None,
    progress: bool = True,
) -> list[KinematicSolver | None]:
    """Fit the LOSVD of every spatial bin.

    Parameters
    ----------
    bin_data_list : sequence of dict
        ``{"vel": ..., "err": ...}`` per bin, as `KinematicSolver.add_data` takes them.
    grid_kwargs : dict
        Arguments of `KinematicSolver.setup_grid`, the same for all bins.
    run_kwargs : dict, optional
        Arguments of `KinematicSolver.run`. Bin k runs with seed ``seed + k``.
    min_stars : int
        Bins with fewer stars are skipped, with one warning that names them.
    n_jobs : int, optional
        Number of worker processes; all cores by default (no extra process for a handful of bins). The
        results have the same bits for any number.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    list of KinematicSolver or None
        One per bin, in order, with `~KinematicSolver.clip_uncertainties` applied; None where skipped.

    Raises
    ------
    TypeError, ValueError
        If the arguments that concern all bins are wrong.
    BatchError
        At the end, if bins failed (their data are bad, say). It names them and carries the others'
        results.
    """
    bins = _check_bins(bin_data_list)
    if run_kwargs is not None and not isinstance(run_kwargs, dict):
        raise TypeError(f"run_kwargs must be a dict, got {type(run_kwargs).__name__}.")
    run_kwargs = dict(run_kwargs or {})
    seed = validate.check_count(run_kwargs.pop("seed", 0), "run_kwargs['seed']", 0)
    min_stars = validate.check_count(min_stars, "min_stars", 1)
    n_jobs = check_jobs(n_jobs)
    _check_settings(grid_kwargs, run_kwargs)

    sizes = [_n_stars(data) for data in bins]
    skipped = [k for k, size in enumerate(sizes) if size < min_stars]
    if skipped:
        warnings.warn(
            f"{len(skipped)} of {len(bins)} bins have fewer than min_stars = {min_stars} stars and are "
            f"skipped: {validate.name_first(skipped)}.",
            stacklevel=2,
        )
    # Large bins first, so that no worker is left alone with one at the end.
    todo = sorted((k for k in range(len(bins)) if sizes[k] >= min_stars), key=lambda k: -sizes[k])
    tasks = [_Task(k, bins[k], grid_kwargs, run_kwargs | {"seed": seed + k}) for k in todo]

    solvers: list[KinematicSolver | None] = [None] * len(bins)
    failures: dict[int, BaseException] = {}
    notes: dict[type[Warning], dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    with tqdm(total=len(tasks), desc="LOSVDs", unit="bin", disable=not progress) as bar:
        for outcome in run_tasks(_fit_bin, tasks, n_jobs):
            bar.update()
            index = tasks[outcome.index].index
            if outcome.error is not None:
                failures[index] = outcome.error
            if outcome.value is not None:
                solvers[index], issued = outcome.value
                for category, text in issued:
                    notes[category][index].append(text)
    try:
        for category, texts in notes.items():
            warnings.warn(_join_notes(texts, len(tasks)), category, stacklevel=2)
    finally:
        # Also where warnings are errors: the bins' failures, and the results, come first.
        if failures:
            raise BatchError(solvers, failures)
    return solvers


def _join_notes(texts: dict[int, list[str]], n_bins: int, limit: int = 5) -> str:
    """One text for the warnings of one kind from many bins."""
    shown = "".join(f"\n  bin {k}: {' '.join(texts[k])}" for k in sorted(texts)[:limit])
    rest = f"\n  ... and {len(texts) - limit} more" if len(texts) > limit else ""
    return f"{len(texts)} of {n_bins} bins ({validate.name_first(sorted(texts))}):{shown}{rest}"


@dataclass(frozen=True)
class _Task:
    """One bin's work, as it travels to a worker process."""

    index: int
    data: dict[str, Any]
    grid_kwargs: dict[str, Any]
    run_kwargs: dict[str, Any]


def _fit_bin(task: _Task) -> tuple[KinematicSolver, list[tuple[type[Warning], str]]]:
    """Solver of one bin, and the warnings issued on the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        solver = KinematicSolver()
        solver.setup_grid(**task.grid_kwargs)
        solver.add_data(task.data["vel"], task.data["err"])
        solver.run(**task.run_kwargs)
        solver.clip_uncertainties()
    return solver, [(w.category, str(w.message)) for w in caught]


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


def _n_stars(data: dict[str, Any]) -> int:
    try:
        return int(np.size(data["vel"]))
    except ValueError:
        # A ragged list: fitting the bin will say what is wrong with it.
        return len(data["vel"])


def _check_settings(grid_kwargs: Any, run_kwargs: dict[str, Any]) -> None:
    """Fail at once, not once per bin, if the settings that all bins share are wrong."""
    validate.check_keys(grid_kwargs, ("center", "width", "n_bins"), "grid_kwargs")
    for name, given, method in (
        ("grid_kwargs", grid_kwargs, KinematicSolver.setup_grid),
        ("run_kwargs", run_kwargs, KinematicSolver.run),
    ):
        allowed = list(inspect.signature(method).parameters)[1:]
        unknown = sorted(set(given) - set(allowed))
        if unknown:
            raise TypeError(f"{name} has unknown keys {unknown}; allowed are {allowed}.")
    KinematicSolver().setup_grid(**grid_kwargs)
    check_run(**run_kwargs)
