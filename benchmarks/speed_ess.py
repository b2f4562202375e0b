"""Effective sample size of the draws, measured from outside: the scatter of many runs on the same stars."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np

from speed_cases import GRID, answer, mock, truth_name, use_cores
from veldist import fit_all_bins

__all__ = ["LEAST_MASS", "measure"]

LEAST_MASS = 0.01
"""Bins whose mean mass is at least this fraction of the fullest one's are called informative."""
# Times are medians over so many blocks of runs.
_BLOCKS = 4


def measure(
    n_stars: int, velocity_bins: int, n_draws: int, runs: int, seeds: list[int], cores: int
) -> list[dict[str, Any]]:
    """Fit every mock many times with different random numbers.

    The draws of one run have a mean whose variance over the runs is that of the posterior divided by the
    effective sample size, by definition. That asks nothing of the sampler and of its chains. Its relative
    error is ``sqrt(2 / (runs - 1))`` for a bin, which makes the smallest over the bins too small by one to
    two such errors.

    Parameters
    ----------
    n_stars : int
        Stars of each mock.
    velocity_bins : int
        Bins of the velocity grid.
    n_draws : int
        Draws of a run.
    runs : int
        Runs of each mock, a multiple of four.
    seeds : list of int
        Of the mocks.
    cores : int
        Cores of the machine that the runs are spread over when they are timed for the second time.

    Returns
    -------
    list of dict
        One row for every mock. ``informative`` lists the bins that were looked at.
    """
    use_cores(0, cores)
    grid = GRID | {"n_bins": velocity_bins}
    rows = []
    for mock_seed in seeds:
        vel, err = mock(n_stars, mock_seed)
        # Start the processes, and let each meet the prior.
        _fit([{"vel": vel, "err": err}] * 8 * cores, grid, n_draws, 0, cores)
        data = [{"vel": vel, "err": err}] * (runs // _BLOCKS)
        means, variances, own = [], [], []
        times: dict[int, list[float]] = {n_jobs: [] for n_jobs in (1, cores)}
        cpu = []
        for block in range(_BLOCKS):
            solvers: Any = []
            for n_jobs, seconds in times.items():
                start, cpu_start = time.perf_counter(), time.process_time()
                solvers = _fit(data, grid, n_draws, block * len(data), n_jobs)
                seconds.append((time.perf_counter() - start) / len(data))
                if n_jobs == 1:
                    cpu.append((time.process_time() - cpu_start) / len(data))
            for solver in solvers:
                masses = solver.samples["intrinsic_pdf"]
                means.append(masses.mean(axis=0))
                variances.append(masses.var(axis=0))
                own.append(solver.diagnostics.ess_min)
        mean = np.mean(means, axis=0)
        informative = mean >= LEAST_MASS * mean.max()
        size = np.mean(variances, axis=0)[informative] / np.var(means, axis=0, ddof=1)[informative]
        rows.append(
            {
                "truth": truth_name(mock_seed),
                "n_stars": n_stars,
                "velocity_bins": velocity_bins,
                "draws": n_draws,
                "runs": len(means),
                "informative": np.flatnonzero(informative).tolist(),
                "smallest_ess": float(size.min()),
                "median_ess": float(np.median(size)),
                "samplers_own_smallest_ess": float(np.median(own)),
                "seconds_1_core": float(np.median(times[1])),
                "seconds_all_cores": float(np.median(times[cores])),
                "cpu_seconds": float(np.median(cpu)),
            }
        )
    return rows


def _fit(data: list[dict[str, Any]], grid: dict[str, Any], n_draws: int, seed: int, n_jobs: int) -> Any:
    with warnings.catch_warnings():
        # A Student t has stars far out.
        warnings.simplefilter("ignore")
        return fit_all_bins(data, grid, {"num_samples": n_draws, "seed": seed}, n_jobs=n_jobs, progress=False)


if __name__ == "__main__":
    answer(measure)
