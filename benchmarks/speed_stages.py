"""Time and peak memory of the stages of one bin, in a process of its own for every case."""

from __future__ import annotations

import importlib
import resource
import sys
import time
import warnings
from typing import Any

import numpy as np
import psutil

from speed_cases import GRID, answer, mock, use_cores
from stage_clock import OTHER, StageClock
from veldist import KinematicSolver
from veldist.analysis import compute_summary_maps
from veldist.inference import Settings

_ENGINE = "veldist.inference.engine"
_MERGE = "veldist.models.losvd.model:merge_stars"
SUMMARIES, TOTAL = "summaries", "total"
STAGES = {
    "checks": tuple(f"veldist.solver:{name}" for name in ("read_stars", "check_coverage", "find_outliers")),
    "frame, prior": ("veldist.models.losvd.model:fit_frame", "veldist.models.losvd.model:LosvdModel.build"),
    "merging": (_MERGE,),
    "design": ("veldist.models.losvd.model:LosvdModel.design", f"{_ENGINE}:Likelihood.from_design"),
    "modes": (f"{_ENGINE}:find_modes",),
    "resampling": tuple(
        f"{_ENGINE}:{name}"
        for name in ("Target.build", "_sample_enough", "combine_evidence", "resample", "pareto_k")
    ),
    "rejuvenation": (f"{_ENGINE}:_run_chains",),
    "diagnostics": tuple(f"{_ENGINE}:{name}" for name in ("masses", "effective_sample_size", "nested_rhat")),
    "re-gridding": ("veldist.solver:KinematicSolver._report",),
    SUMMARIES: (),
}
# What a fit imports when it first needs it: part of the start-up, not of a bin's memory.
_LATE_IMPORTS = ("scipy.optimize",)
# Overhead of watching the memory is nothing in a run that takes longer (s).
_LONG = 1.0
# Of the memory that is free; a case that needs more is reported as such.
_MEMORY_SHARE = 0.8


def measure(
    n_stars: int, velocity_bins: int, n_draws: int, repeats: int, seconds: float
) -> list[dict[str, Any]]:
    """Fit mocks of so many stars, report the posterior on a grid of so many bins, and summarise it.

    Parameters
    ----------
    n_stars : int
        Stars of each mock.
    velocity_bins : int
        Bins of the velocity grid.
    n_draws : int
        Draws.
    repeats : int
        Mocks.
    seconds : float
        After which no other mock is begun.

    Returns
    -------
    list of dict
        One row for every stage and one for the total: medians over the mocks, and the peak memory of the
        first, above that after all imports. Not a number where the memory does not suffice or the system does
        not tell.
    """
    use_cores(0, 1)
    for name in _LATE_IMPORTS:
        importlib.import_module(name)
    before = psutil.Process().memory_info().rss
    if sys.platform.startswith("linux"):
        limit = psutil.Process().memory_info().vms + int(_MEMORY_SHARE * psutil.virtual_memory().available)
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    clocks: list[StageClock] = []
    sizes: list[float] = []
    peaks: dict[str, float] = {}
    try:
        start = time.perf_counter()
        clock, size = _fit(n_stars, velocity_bins, n_draws, 0, memory=True)
        peaks = {stage: (peak - before) / 2**20 for stage, peak in clock.peak.items()}
        if time.perf_counter() - start > _LONG:
            clocks, sizes = [clock], [size]
        while not clocks or (len(clocks) < repeats and time.perf_counter() - start < seconds):
            clock, size = _fit(n_stars, velocity_bins, n_draws, len(clocks), memory=False)
            clocks.append(clock)
            sizes.append(size)
    except MemoryError:
        clocks, sizes, peaks = [], [], {}
    wall = {stage: [c.seconds[stage] for c in clocks] for stage in (*STAGES, OTHER)}
    cpu = {stage: [c.cpu[stage] for c in clocks] for stage in (*STAGES, OTHER)}
    for times in (wall, cpu):
        times[TOTAL] = np.sum(list(times.values()), axis=0).tolist()
    peaks[TOTAL] = max(peaks.values(), default=np.nan)
    return [
        {
            "n_stars": n_stars,
            "velocity_bins": velocity_bins,
            "draws": n_draws,
            "stage": stage,
            "median_ms": _median_ms(wall[stage]),
            "mean_ms": 1e3 * float(np.mean(wall[stage])) if clocks else np.nan,
            "worst_ms": 1e3 * max(wall[stage], default=np.nan),
            "median_cpu_ms": _median_ms(cpu[stage]),
            "runs": len(wall[stage]),
            "peak_memory_MiB": peaks.get(stage, np.nan),
            "samplers_own_smallest_ess": float(np.median(sizes)) if sizes else np.nan,
        }
        for stage in wall
    ]


def _median_ms(seconds: list[float]) -> float:
    return 1e3 * float(np.median(seconds)) if seconds else np.nan


def _fit(n_stars: int, velocity_bins: int, n_draws: int, seed: int, memory: bool) -> tuple[StageClock, float]:
    """Clock of one mock, and the sampler's own estimate of the smallest effective sample size."""
    vel, err = mock(n_stars, seed)
    solver = KinematicSolver()
    solver.setup_grid(**GRID, n_bins=velocity_bins)
    with warnings.catch_warnings():
        # A Student t has stars far out.
        warnings.simplefilter("ignore")
        with StageClock(STAGES, memory) as clock:
            solver.add_data(vel, err)
            solver.run(num_samples=n_draws, seed=seed)
            with clock.stage(SUMMARIES):
                compute_summary_maps([solver], order=None)
    clock.check_called(but=() if n_stars > Settings().merge_above else (_MERGE,))
    assert solver.diagnostics is not None
    return clock, solver.diagnostics.ess_min


if __name__ == "__main__":
    answer(measure)
