"""Repeated mocks of known truths: are the intervals right, and how wide are they?"""

from __future__ import annotations

import pickle
import warnings
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support import validate
from veldist._support.outputs import progress_bar
from veldist._support.processes import check_jobs, run_tasks
from veldist.calibration.coverage_result import Cell, Coverage, Tally, all_warnings
from veldist.calibration.methods import LosvdMethod, Veldist
from veldist.calibration.scores import FEATURES, score
from veldist.fits.grid import VelocityGrid
from veldist.simulate import LOSVD, observe, standard_losvds
from veldist.summaries.gauss_hermite.series_fit import gauss_hermite
from veldist.summaries.scalars import METRICS, summary_draws

__all__ = ["SCALARS", "coverage"]

SCALARS = (*METRICS[:-1], "h3", "h4")
"""Summaries that can be scored; `METRICS` are defined in `veldist.summaries.scalars`."""

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
    those. A mock depends on nothing but ``seed``, its number, and the combination (the names of truth and
    errors, and the number of stars): two methods meet the same stars, and part of a run repeats that part.

    Parameters
    ----------
    truths : LOSVD or dict of str to LOSVD, optional
        True LOSVDs (see `veldist.simulate`); by default `veldist.simulate.standard_losvds`, seven shapes
        with a dispersion of 20 km/s.
    n_stars : int or sequence of int
        Numbers of stars, >= 2, all different.
    err : float, tuple (low, high), array_like, or dict of str to any of these
        Errors, km/s, as `veldist.simulate.observe` takes them; a dict holds several, by name.
    grids : dict of str to dict, or dict, optional
        Velocity grids by name, each the arguments ``center``, ``width``, ``n_bins`` of
        `KinematicSolver.setup_grid`; or a single one. By default 40 bins over 12 dispersions around the first
        truth.
    n_mocks : int
        Mocks of every combination.
    quantities : sequence of str
        Which of `SCALARS` to score beside the bin masses. h3 and h4 need bins narrower than 0.8 dispersions:
        in wider ones the masses do not determine them (see `veldist.summaries.gauss_hermite.series_fit`), and
        their scores mean nothing.
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
        If some fits failed; they are counted in the result and missing from its averages.
    ConvergenceWarning or other
        What the method has warned of, once for each category. These fits are part of the averages.
    """
    truths = _named_truths(truths)
    first = next(iter(truths.values()))
    edges = _named_edges(grids, first)
    sizes = _sizes(n_stars)
    errors = dict(err) if isinstance(err, Mapping) else {_label(err): err}
    if not errors:
        raise ValueError("err is an empty dict: pass at least one error, by name.")
    n_mocks = validate.check_count(n_mocks, "n_mocks", 2)
    seed = validate.check_count(seed, "seed", 0)
    n_jobs = check_jobs(n_jobs)
    quantities = _quantities(quantities)
    cells = [
        Cell(name, truth, n, label, spec)
        for n in sizes
        for name, truth in truths.items()
        for label, spec in errors.items()
    ]
    for cell in cells:
        observe(cell.truth, cell.n_stars, cell.err, 0)
    tasks = [
        _Task(
            cell,
            (seed, _number(cell.truth_name), cell.n_stars, _number(cell.err_label), k),
            list(edges.values()),
            quantities,
            method or Veldist(),
        )
        for cell in sorted(cells, key=lambda c: -c.n_stars)
        for k in range(n_mocks)
    ]
    tallies = {cell.key: Tally() for cell in cells}
    with progress_bar(total=len(tasks), desc="coverage", unit="mock", shown=progress) as bar:
        for outcome in run_tasks(_score_mock, tasks, n_jobs):
            bar.update()
            tally = tallies[tasks[outcome.index].cell.key]
            if outcome.value is None:
                tally.fail(outcome.error)
            else:
                tally.add(outcome.index, *outcome.value)
    result = Coverage.collect(cells, tallies, edges, quantities, _INFORMATIVE)
    if result.n_failed:
        warnings.warn(
            f"{result.n_failed} of {len(tasks)} fits failed and are missing from the averages, the first "
            f"with: {result.first_error}.",
            RuntimeWarning,
            stacklevel=2,
        )
    for category, (count, first_text) in all_warnings(tallies.values()).items():
        warnings.warn(
            f"{count} of {len(tasks)} fits, which are part of the averages, gave a {category.__name__}, the "
            f"first with: {first_text}",
            category,
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


def _score_mock(task: _Task) -> tuple[list[NDArray[np.float64]], dict[type[Warning], str]]:
    """Scores on every grid, (features, quantities + bins + 1), and the first warning of every category.

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
    texts = {_importable(w.category): str(w.message) for w in reversed(caught)}
    return scores, texts


def _importable(category: type[Warning]) -> type[Warning]:
    """The category, or the nearest base class of it that can travel back from a worker process."""
    for kind in category.__mro__:
        try:
            pickle.dumps(kind)
        except (pickle.PicklingError, AttributeError):
            continue
        if issubclass(kind, Warning):
            return kind
    return Warning


def _scalars(
    masses: NDArray[np.float64], edges: NDArray[np.float64], quantities: tuple[str, ...]
) -> NDArray[np.float64]:
    """Summaries of every row, (n, Q)."""
    values: dict[str, NDArray[np.float64]] = {}
    if any(q in METRICS for q in quantities):
        values |= summary_draws(masses, 0.5 * (edges[1:] + edges[:-1]))
    if "h3" in quantities or "h4" in quantities:
        h3, h4 = gauss_hermite(masses, edges, order=4).h.T
        values |= {"h3": h3, "h4": h4}
    return np.stack([values[q] for q in quantities], axis=1) if quantities else np.empty((len(masses), 0))


def _number(name: Any) -> int:
    """A number for the seed that depends on the name alone."""
    return zlib.crc32(str(name).encode())


def _sizes(n_stars: Any) -> list[int]:
    """The numbers of stars, at least one and no two alike."""
    sizes = [validate.check_count(n, "n_stars", 2) for n in np.atleast_1d(np.asarray(n_stars, dtype=object))]
    if not sizes:
        raise ValueError("n_stars is empty: pass at least one number of stars.")
    _check_unique(sizes, "n_stars")
    return sizes


def _quantities(quantities: Any) -> tuple[str, ...]:
    """The names of what is scored."""
    if isinstance(quantities, str):
        raise TypeError(f"quantities must be a sequence of names, got a string: pass [{quantities!r}].")
    names = tuple(quantities)
    unknown = [q for q in names if q not in SCALARS]
    if unknown:
        raise ValueError(f"quantities has unknown names {unknown}; allowed are {list(SCALARS)}.")
    _check_unique(names, "quantities")
    return names


def _check_unique(values: Sequence[Any], name: str) -> None:
    repeated = [value for value in dict.fromkeys(values) if values.count(value) > 1]
    if repeated:
        raise ValueError(f"{name} holds {validate.name_first(repeated)} more than once: pass each once.")


def _named_truths(truths: Any) -> dict[str, LOSVD]:
    if truths is None:
        return standard_losvds()
    named = {type(truths).__name__: truths} if isinstance(truths, LOSVD) else truths
    if not isinstance(named, Mapping):
        raise TypeError("truths must be an LOSVD of veldist.simulate, or a dict of them by name.")
    if not named:
        raise ValueError("truths is an empty dict: pass at least one LOSVD, by name.")
    for name, truth in named.items():
        if not isinstance(truth, LOSVD):
            raise TypeError(f"truths[{name!r}] must be an LOSVD, got {type(truth).__name__}.")
    return dict(named)


def _named_edges(grids: Any, first: LOSVD) -> dict[str, NDArray[np.float64]]:
    if grids is None:
        grids = {"fitted": {"center": first.mean, "width": 12.0 * first.std, "n_bins": 40}}
    if not isinstance(grids, Mapping):
        raise TypeError(
            "grids must be a dict of the arguments of setup_grid, or a dict of such dicts by name."
        )
    if not grids:
        raise ValueError("grids is an empty dict: pass at least one velocity grid, or None for the default.")
    named: dict[str, Any] = {"grid": grids} if "n_bins" in grids else dict(grids)
    return {name: VelocityGrid.read(kwargs, f"grids[{name!r}]").edges for name, kwargs in named.items()}


def _label(err: Any) -> str:
    if isinstance(err, tuple):
        return "-".join(f"{e:g}" if isinstance(e, float | int) else str(e) for e in err)
    return f"{err:g}" if isinstance(err, float | int) else "given" if np.ndim(err) else str(err)
