"""Time of a map of many bins on one core and on several, with the worker processes up already or not."""

from __future__ import annotations

import time
import warnings
from typing import Any

from speed_cases import GRID, answer, mock, use_cores
from veldist import fit_all_bins

__all__ = ["measure"]


def measure(n_bins: int, n_stars: int, velocity_bins: int, n_draws: int, jobs: list[int]) -> dict[str, float]:
    """Fit the same map once in every way.

    Parameters
    ----------
    n_bins : int
        Spatial bins.
    n_stars : int
        Stars of each.
    velocity_bins : int
        Bins of the velocity grid.
    n_draws : int
        Draws.
    jobs : list of int
        Numbers of processes, and of the cores that they are kept on. The first must be 1.

    Returns
    -------
    dict of str to float
        Seconds, by ``"<jobs> <pool>"``, where the pool of worker processes is ``none``, ``cold`` or ``warm``.
    """
    bins: list[dict[str, Any]] = [
        dict(zip(("vel", "err"), mock(n_stars, seed), strict=True)) for seed in range(n_bins)
    ]
    use_cores(0, max(jobs))

    def seconds(n_jobs: int, first: int = n_bins) -> float:
        start = time.perf_counter()
        grid, run = GRID | {"n_bins": velocity_bins}, {"num_samples": n_draws}
        with warnings.catch_warnings():
            # A Student t has stars far out.
            warnings.simplefilter("ignore")
            fit_all_bins(bins[:first], grid, run, n_jobs=n_jobs, progress=False)
        return time.perf_counter() - start

    seconds(1, first=2)  # everything is imported now
    times = {"1 none": seconds(1)}
    for n_jobs in jobs[1:]:
        # A pool of another size is a new one.
        times[f"{n_jobs} cold"] = seconds(n_jobs)
        times[f"{n_jobs} warm"] = seconds(n_jobs)
    return times


if __name__ == "__main__":
    answer(measure)
