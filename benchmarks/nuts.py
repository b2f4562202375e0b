"""Effective samples per second, and those of NUTS on a random-walk histogram beside them.

NUTS (NumPyro) runs as it is often run: 4 chains of 500 + 1,000 iterations on 50 velocity bins, two chains in
each of two processes, one core each. The machine should be idle otherwise.
"""

from __future__ import annotations

import os
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from importlib.util import find_spec
from multiprocessing import get_context
from typing import Any

import numpy as np

from benchmarks.methods.base import Array
from benchmarks.mocks import GRID, mock, truth_name
from benchmarks.results import keep, machine, make_parser, markdown
from veldist import fit_all_bins

VELOCITY_BINS, N_DRAWS, NUTS_STARS, CORES, CHAINS = 50, 1000, 200, 2, 4
EDGES = GRID["center"] + GRID["width"] * (np.arange(VELOCITY_BINS + 1) / VELOCITY_BINS - 0.5)
# Skew-normal, counter-rotating and flat-topped.
SEEDS = (1, 3, 4)
# Bins whose mean mass is at least this fraction of the fullest one's are called informative.
LEAST_MASS = 0.01
# Times are medians over so many blocks of runs.
BLOCKS = 4


def effective_samples(n_stars: int, mock_seed: int, runs: int) -> tuple[list[dict[str, Any]], Any]:
    """Effective sample size from outside: the scatter of many fits of the same stars.

    The draws of one run have a mean whose variance over the runs is that of the posterior divided by the
    effective sample size, by definition. That asks nothing of the sampler and of its chains. Its relative
    error is ``sqrt(2 / (runs - 1))`` for a bin, which makes the smallest over the bins too small by one to
    two such errors.

    Returns
    -------
    rows : list of dict
        One for every clock.
    informative : ndarray of bool, (VELOCITY_BINS,)
        The bins that were looked at.
    """
    vel, err = mock(n_stars, mock_seed)
    data = [{"vel": vel, "err": err}] * (runs // BLOCKS)

    def fit(n_jobs: int, seed: int) -> Any:
        run = {"num_samples": N_DRAWS, "seed": seed}
        with warnings.catch_warnings():
            # A Student t has stars far out.
            warnings.simplefilter("ignore")
            return fit_all_bins(data, GRID | {"n_bins": VELOCITY_BINS}, run, n_jobs=n_jobs, progress=False)

    fit(CORES, runs)  # the processes are up, and each has met the prior
    means, variances, own = [], [], []
    times: dict[str, list[float]] = {"1 core": [], f"{CORES} cores": [], "processor": []}
    for block in range(BLOCKS):
        clocks = [(time.perf_counter(), time.process_time())]
        for n_jobs in (CORES, 1):
            solvers = fit(n_jobs, block * len(data))
            clocks.append((time.perf_counter(), time.process_time()))
        many, one = np.diff(clocks, axis=0) / len(data)
        for clock, seconds in zip(times, (one[0], many[0], one[1]), strict=True):
            times[clock].append(seconds)
        for solver in solvers:
            pdf = solver.samples["intrinsic_pdf"]
            means.append(pdf.mean(axis=0))
            variances.append(pdf.var(axis=0))
            own.append(solver.diagnostics.ess_min)
    mean = np.mean(means, axis=0)
    informative = mean >= LEAST_MASS * mean.max()
    size = np.mean(variances, axis=0)[informative] / np.var(means, axis=0, ddof=1)[informative]
    case = {"truth": truth_name(mock_seed), "n_stars": n_stars, "bins": int(informative.sum())}
    return [
        _row(case, "veldist", clock, N_DRAWS, float(np.median(seconds)), size, float(np.median(own)))
        for clock, seconds in times.items()
    ], informative


def _row(
    case: dict[str, Any], method: str, clock: str, draws: int, seconds: float, size: Array, own: float
) -> dict[str, Any]:
    smallest, median = float(np.min(size)), float(np.median(size))
    return case | {
        "method": method, "clock": clock, "draws": draws, "seconds": seconds, "smallest": smallest,
        "median": median, "own_estimate": own, "smallest_per_s": smallest / seconds,
        "median_per_s": median / seconds,
    }  # fmt: skip


def random_walk(seeds: tuple[int, ...], n_warmup: int, n_draws: int, core: int) -> list[tuple[Array, Array]]:
    """A core's share of the chains of NUTS on every mock.

    Returns
    -------
    list of tuple
        For every mock seconds, (2, 2), of the wall clock and the processor, with compilation and without;
        and draws, (chains, n_draws, VELOCITY_BINS).
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[core : core + 1] or cores)
    from benchmarks.methods.jax_setup import import_numpyro
    from benchmarks.methods.random_walk_nuts import RandomWalkNuts

    jax, _ = import_numpyro()
    chains = CHAINS // CORES
    method = RandomWalkNuts(n_warmup=n_warmup, n_draws=n_draws, n_chains=chains)
    results = []
    for seed in seeds:
        vel, err = mock(NUTS_STARS, seed)
        # Those who write the model down and call NumPyro compile it anew for every bin.
        jax.clear_caches()
        clocks = [(time.perf_counter(), time.process_time())]
        for _ in range(2):
            # The same chains twice, so that the difference is the compilation.
            draws = method.fit_grid(vel, err, EDGES, np.random.default_rng([seed, core]))
            clocks.append((time.perf_counter(), time.process_time()))
        results.append((np.diff(clocks, axis=0).T, draws.reshape(chains, n_draws, -1)))
    return results


def nuts_rows(
    ours: list[tuple[dict[str, Any], Any]], seeds: tuple[int, ...], n_warmup: int, n_draws: int
) -> Any:
    """Rows as of `effective_samples` for NUTS on the same mocks, in the same bins.

    The time of a bin is that of the slower process, its processor time that of all processes, but with one
    compilation. The effective sample size is that of means within the run, by ArviZ (Vehtari et al. 2021,
    Bayesian Analysis 16, 667).
    """
    from arviz_stats.base import array_stats

    with ProcessPoolExecutor(CORES, get_context("spawn")) as pool:
        shares = list(pool.map(partial(random_walk, seeds, n_warmup, n_draws), range(CORES)))
    rows = []
    for (first, informative), *found in zip(ours, *shares, strict=True):
        times = np.stack([seconds for seconds, _ in found])
        draws = np.concatenate([masses for _, masses in found])[:, :, informative]
        size = array_stats.ess(draws, chain_axis=0, draw_axis=1, method="mean")
        wall, sampling = times[:, 0].max(axis=0), times[:, 1, 1].sum()
        # A program of threads would compile once.
        compiling = (times[:, 1, 0] - times[:, 1, 1]).max()
        case = {name: first[name] for name in ("truth", "n_stars", "bins")}
        for clock, seconds in {
            f"{CORES} cores, with compilation": wall[0], f"{CORES} cores": wall[1],
            "processor, with compilation": sampling + compiling, "processor": sampling,
        }.items():  # fmt: skip
            rows.append(
                _row(case, "NUTS, random walk", clock, CHAINS * n_draws, float(seconds), size, np.nan)
            )
    return rows


def ratio_rows(rows: list[dict[str, Any]]) -> list[list[str]]:
    """Effective samples per second of this package over NUTS's for every pair of clocks, over all mocks."""
    same = [row for row in rows if row["n_stars"] == NUTS_STARS]
    clocks = {
        m: list(dict.fromkeys(r["clock"] for r in same if r["method"] == m))
        for m in {r["method"] for r in same}
    }
    nuts = next(method for method in clocks if method != "veldist")
    lines = []
    for mine in clocks["veldist"]:
        for theirs in clocks[nuts]:
            if (mine == "processor") != theirs.startswith("processor"):
                continue
            line = [mine, theirs]
            for column in ("smallest_per_s", "median_per_s"):
                top, below = (
                    np.array([r[column] for r in same if (r["method"], r["clock"]) == key])
                    for key in (("veldist", mine), (nuts, theirs))
                )
                ratio = top / below
                line.append(f"{np.median(ratio):.0f} ({ratio.min():.0f}-{ratio.max():.0f})")
            lines.append(line)
    return lines


def main(arguments: list[str]) -> None:
    """Measure, print, keep."""
    parser = make_parser(__name__, __doc__)
    parser.add_argument("--stars", type=int, nargs="*", default=[30, 2000], help="besides NUTS's 200")
    parser.add_argument("--runs", type=int, default=200, help=f"fits of each mock, a multiple of {BLOCKS}")
    parser.add_argument(
        "--mocks", type=int, default=len(SEEDS), help=f"mocks of each size, at most {len(SEEDS)}"
    )
    parser.add_argument("--warmup", type=int, default=500, help="of each chain of NUTS")
    parser.add_argument("--draws", type=int, default=1000, help="of each chain of NUTS")
    options = parser.parse_args(arguments)
    print(machine(), flush=True)
    seeds = SEEDS[: options.mocks]
    found = {n: [effective_samples(n, s, options.runs) for s in seeds] for n in (NUTS_STARS, *options.stars)}
    rows = [row for mocks in found.values() for mock_rows, _ in mocks for row in mock_rows]
    ours = [(mock_rows[0], informative) for mock_rows, informative in found[NUTS_STARS]]
    if find_spec("numpyro") is None:
        print("No NUTS: NumPyro is not installed (pip install 'veldist[bench]').")
    else:
        rows += nuts_rows(ours, seeds, options.warmup, options.draws)
        heads = ("veldist on", "NUTS on", "smallest ESS / s", "median ESS / s")
        print(f"\nRatios: median over the mocks (lowest-highest)\n\n{markdown(ratio_rows(rows), heads)}")
    print(f"\n{markdown([list(row.values()) for row in rows], list(rows[0]))}")
    print(f"\n{keep(rows, options.out, 'nuts')}")
