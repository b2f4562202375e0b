"""NUTS on a random-walk histogram, as NumPyro compiles it: half of the chains in each of two processes."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from arviz_stats.base import array_stats

from methods.jax_setup import import_numpyro
from methods.random_walk_nuts import RandomWalkNuts
from speed_cases import GRID, answer, collect, mock, start_fresh, use_cores
from veldist import KinematicSolver

__all__ = ["compare", "measure"]


def compare(
    ours: list[dict[str, Any]], seeds: list[int], n_warmup: int, n_draws: int, chains: int, cores: int
) -> list[dict[str, Any]]:
    """Run NUTS on the mocks of `speed_ess`.

    Parameters
    ----------
    ours : list of dict
        Rows of `speed_ess.measure`.
    seeds : list of int
        Of the mocks.
    n_warmup, n_draws : int
        Warm-up and kept draws of each chain.
    chains : int
        Chains, a multiple of the number of cores.
    cores : int
        Processes side by side, each on a core of its own.

    Returns
    -------
    list of dict
        One row for every mock. The time of a bin is that of the slower process, its processor time that of
        all processes, but with one compilation. The effective sample size is that of means within the run, by
        ArviZ (Vehtari et al. 2021, Bayesian Analysis 16, 667), in the same bins.
    """
    with tempfile.TemporaryDirectory() as folder:
        files = [str(Path(folder) / f"{k}.npy") for k in range(cores)]
        processes = [
            start_fresh(
                "speed_nuts",
                n_stars=ours[0]["n_stars"],
                velocity_bins=ours[0]["velocity_bins"],
                seeds=seeds,
                n_warmup=n_warmup,
                n_draws=n_draws,
                chains=chains // cores,
                core=core,
                file=file,
            )
            for core, file in enumerate(files)
        ]
        times = np.array([collect(process) for process in processes])
        masses = np.concatenate([np.load(file) for file in files], axis=1)
    rows = []
    wall = times[:, :, 0].max(axis=0)
    compiling, sampling = times[:, :, 1, 0] - times[:, :, 1, 1], times[:, :, 1, 1].sum(axis=0)
    # A program of threads would compile once.
    cpu = np.stack([sampling + compiling.max(axis=0), sampling], axis=1)
    for k, (row, draws) in enumerate(zip(ours, masses, strict=True)):
        size = array_stats.ess(draws[:, :, row["informative"]], chain_axis=0, draw_axis=1, method="mean")
        rows.append(
            {
                "truth": row["truth"],
                "draws": chains * n_draws,
                "smallest_ess": float(size.min()),
                "median_ess": float(np.median(size)),
                "seconds_with_compilation": float(wall[k, 0]),
                "seconds_sampling": float(wall[k, 1]),
                "cpu_seconds_with_compilation": float(cpu[k, 0]),
                "cpu_seconds_sampling": float(cpu[k, 1]),
            }
        )
    return rows


def measure(
    n_stars: int,
    velocity_bins: int,
    seeds: list[int],
    n_warmup: int,
    n_draws: int,
    chains: int,
    core: int,
    file: str,
) -> list[list[list[float]]]:
    """Some of the chains on every mock; the draws, (mocks, chains, draws, bins), go to a file.

    Returns
    -------
    list
        Seconds, (mocks, 2, 2): of the wall clock and the processor, with compilation and without.
    """
    use_cores(core, 1)
    jax, _ = import_numpyro()
    solver = KinematicSolver()
    solver.setup_grid(**GRID, n_bins=velocity_bins)
    assert solver.grid is not None
    method = RandomWalkNuts(n_warmup=n_warmup, n_draws=n_draws, n_chains=chains)
    times, masses = [], []
    for seed in seeds:
        vel, err = mock(n_stars, seed)
        # Those who write the model down and call NumPyro compile it anew for every bin.
        jax.clear_caches()
        clocks = [(time.perf_counter(), time.process_time())]
        for _ in range(2):
            # The same chains twice, so that the difference is the compilation.
            draws = method.fit_grid(vel, err, solver.grid["edges"], np.random.default_rng([seed, core]))
            clocks.append((time.perf_counter(), time.process_time()))
        times.append(np.diff(clocks, axis=0).T.tolist())
        masses.append(draws.reshape(chains, n_draws, -1))
    np.save(file, np.array(masses))
    return times


if __name__ == "__main__":
    answer(measure)
