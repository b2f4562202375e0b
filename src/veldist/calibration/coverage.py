"""Repeated mocks of known truths: are the intervals right, and how wide are they?"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from veldist import validate
from veldist.calibration.coverage_result import Cell, Coverage, Tally
from veldist.calibration.methods import LosvdMethod, Veldist
from veldist.calibration.scores import FEATURES, score
from veldist.errors import ConvergenceWarning
from veldist.gauss_hermite import gauss_hermite
from veldist.parallel import run_tasks
from veldist.simulate import LOSVD, observe, standard_losvds
from veldist.solver import KinematicSolver
from veldist.summaries import METRICS, summary_draws

__all__ = ["SCALARS", "coverage"]

SCALARS = (*METRICS[:-1], "h3", "h4")
"""Summaries that can be scored; `METRICS` are defined in `veldist.summaries`."""

# Bins that are expected to hold at least so many stars count as informative.
_INFORMATIVE = 1.0


def coverage(
    truths: LOSVD | Mapping[str, LOSVD] | None = None,
    n_stars: int | Sequence[int] = 150,
    err: Any = 5.0,
    grids: Mapping[str, Any] | None = None,
    *,
    n_mocks: int = 200,
    quantities: Sequence[str] = SCALARS,
    method: LosvdMethod | None = None,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: bool = True,
) -> Coverage:
    """Fit repeated mocks of known LOSVDs and score the posteriors against the truths.

    Every combination of truth, number of stars and errors is drawn ``n_mocks`` times; every posterior is
    scored on every velocity grid, against the truth's exact masses in the same bins and the summaries of
    those. The mocks depend on nothing but ``seed`` and the combination: two methods meet the same stars.

    Parameters
    ----------
    truths : LOSVD or dict of str to LOSVD, optional
        True LOSVDs (see `veldist.simulate`); by default `veldist.simulate.standard_losvds`, seven shapes
        with a dispersion of 20 km/s.
    n_stars : int or sequence of int
        Numbers of stars, >= 2.
    err : float, tuple (low, high), array_like, or dict of str to any of these
        Errors, km/s, as `veldist.simulate.observe` takes them; a dict holds several, by name.
    grids : dict of str to dict, or dict, optional
        Velocity grids by name, each the arguments ``center``, ``width``, ``n_bins`` of
        `KinematicSolver.setup_grid`; or a single one. By default 40 bins over 12 dispersions around the first
        truth.
    n_mocks : int
        Mocks of every combination.
    quantities : sequence of str
        Which of `SCALARS` to score beside the bin masses.
    method : callable, optional
        What is tested (see `LosvdMethod`); by default `Veldist`, the posterior of this package.
    seed : int
        Seed of the mocks.
    n_jobs : int, optional
        Worker processes; all cores by default. The result does not depend on it.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    Coverage
        Tables, and a plot.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong.
    RuntimeError
        If all mocks of a combination failed.

    Warns
    -----
    RuntimeWarning
        If some fits failed; they are counted in the table and missing from its averages.
    """
    truths = _named_truths(truths)
    first = next(iter(truths.values()))
    edges = _named_edges(grids, first)
    sizes = [validate.check_count(n, "n_stars", 2) for n in np.atleast_1d(np.asarray(n_stars, dtype=object))]
    errors = dict(err) if isinstance(err, Mapping) else {_label(err): err}
    n_mocks = validate.check_count(n_mocks, "n_mocks", 2)
    seed = validate.check_count(seed, "seed", 0)
    unknown = [q for q in quantities if q not in SCALARS]
    if unknown:
        raise ValueError(f"quantities has unknown names {unknown}; allowed are {list(SCALARS)}.")
    cells = [
        Cell(t, name, truth, n, label, spec, tuple(edges))
        for n in sizes
        for t, (name, truth) in enumerate(truths.items())
        for label, spec in errors.items()
    ]
    for cell in cells:
        observe(cell.truth, cell.n_stars, cell.err, 0)
    tasks = [
        _Task(
            cell,
            (seed, cell.truth_index, cell.n_stars, list(errors).index(cell.err_label), k),
            list(edges.values()),
            tuple(quantities),
            method or Veldist(),
        )
        for cell in sorted(cells, key=lambda c: -c.n_stars)
        for k in range(n_mocks)
    ]
    tallies = {cell.key: Tally() for cell in cells}
    with tqdm(total=len(tasks), desc="coverage", unit="mock", disable=not progress) as bar:
        for outcome in run_tasks(_score_mock, tasks, n_jobs):
            bar.update()
            tally = tallies[tasks[outcome.index].cell.key]
            if outcome.value is None:
                tally.fail(outcome.error)
            else:
                tally.add(outcome.index, *outcome.value)
    result = Coverage.collect(cells, tallies, edges, tuple(quantities), _INFORMATIVE)
    if result.n_failed:
        warnings.warn(
            f"{result.n_failed} of {len(tasks)} fits failed and are missing from the averages, the first "
            f"with: {result.first_error}.",
            RuntimeWarning,
            stacklevel=2,
        )
    return result


@dataclass(frozen=True)
class _Task:
    """One mock, as it travels to a worker process."""

    cell: Cell
    seed: tuple[int, ...]
    grids: list[NDArray[np.float64]]
    quantities: tuple[str, ...]
    method: LosvdMethod


def _score_mock(task: _Task) -> tuple[list[NDArray[np.float64]], bool]:
    """Scores on every grid, (features, quantities + bins + 1), and whether the fit converged.

    The last column holds the total variation of the posterior mean from the truth, in place of an error.
    """
    rng = np.random.default_rng(task.seed)
    vel, err = observe(task.cell.truth, task.cell.n_stars, task.cell.err, rng)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        all_draws = task.method(vel, err, task.grids, rng)
    scores = []
    for draws, edges in zip(all_draws, task.grids, strict=True):
        truth = task.cell.truth.bin_masses(edges, conditional=True)
        both = [_scalars(masses, edges, task.quantities) for masses in (draws, truth[None, :])]
        last = np.full((len(FEATURES), 1), 0.5 * np.abs(draws.mean(axis=0) - truth).sum())
        scores.append(np.concatenate([score(both[0], both[1][0]), score(draws, truth), last], axis=1))
    return scores, not any(issubclass(w.category, ConvergenceWarning) for w in caught)


def _scalars(
    masses: NDArray[np.float64], edges: NDArray[np.float64], quantities: tuple[str, ...]
) -> NDArray[np.float64]:
    """Summaries of every row, (n, Q)."""
    values: dict[str, NDArray[np.float64]] = {}
    if any(q in METRICS for q in quantities):
        values |= summary_draws(masses, 0.5 * (edges[1:] + edges[:-1]))
    if "h3" in quantities or "h4" in quantities:
        values |= {
            name: values_ for name, values_ in gauss_hermite(masses, edges).draws.items() if name[0] == "h"
        }
    return np.stack([values[q] for q in quantities], axis=1) if quantities else np.empty((len(masses), 0))


def _named_truths(truths: Any) -> dict[str, LOSVD]:
    if truths is None:
        return standard_losvds()
    named = {type(truths).__name__: truths} if isinstance(truths, LOSVD) else truths
    if not isinstance(named, Mapping) or not named:
        raise TypeError("truths must be an LOSVD of veldist.simulate, or a dict of them by name.")
    for name, truth in named.items():
        if not isinstance(truth, LOSVD):
            raise TypeError(f"truths[{name!r}] must be an LOSVD, got {type(truth).__name__}.")
    return dict(named)


def _named_edges(grids: Any, first: LOSVD) -> dict[str, NDArray[np.float64]]:
    if grids is None:
        grids = {"fitted": {"center": first.mean, "width": 12.0 * first.std, "n_bins": 40}}
    if not isinstance(grids, Mapping) or not grids:
        raise TypeError(
            "grids must be a dict of the arguments of setup_grid, or a dict of such dicts by name."
        )
    named: dict[str, Any] = {"grid": grids} if "n_bins" in grids else dict(grids)
    edges = {}
    for name, kwargs in named.items():
        validate.check_keys(kwargs, ("center", "width", "n_bins"), f"grids[{name!r}]")
        solver = KinematicSolver()
        solver.setup_grid(**kwargs)
        assert solver.grid is not None
        edges[name] = solver.grid["edges"]
    return edges


def _label(err: Any) -> str:
    if isinstance(err, tuple):
        return "-".join(f"{e:g}" if isinstance(e, float | int) else str(e) for e in err)
    return f"{err:g}" if isinstance(err, float | int) else "given" if np.ndim(err) else str(err)
