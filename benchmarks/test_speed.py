"""How long the stages of a bin, a start and a map take: ``python -m benchmarks speed``, or pytest by itself.

``pytest benchmarks/test_speed.py -p benchmark --benchmark-autosave`` keeps a run, and ``--benchmark-compare``
sets the next one beside it. Every round of a stage is another mock (`benchmarks.mocks`), so that the median
is that of bins, and the mean what a map costs.
"""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Generator
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pytest

from benchmarks.mocks import GRID, mock
from veldist import KinematicSolver, fit_all_bins
from veldist._support.threads import one_thread
from veldist.analysis import compute_percentile_summary, compute_summary_maps
from veldist.inference import Likelihood, Settings
from veldist.inference.laplace import find_modes
from veldist.models.losvd.frame import fit_frame
from veldist.models.losvd.merge import MergedStars, merge_stars
from veldist.models.losvd.model import LosvdModel
from veldist.summaries.gauss_hermite.series_fit import gauss_hermite

# A Student t has stars far out.
pytestmark = pytest.mark.filterwarnings("ignore")

N_DRAWS, VELOCITY_BINS, MAP_STARS, MAP_BINS = 1000, 60, 200, 200
ROUNDS = {30: 21, 200: 21, 2000: 21, 20_000: 15, 1_000_000: 5}
STAGES = (
    "whole bin", "checks", "frame", "merging", "design", "modes", "fit", "re-gridding", "summaries",
    "percentiles", "Gauss-Hermite",
)  # fmt: skip
_FIRST_POSTERIOR = """
import numpy as np
from veldist import KinematicSolver
rng = np.random.default_rng(1)
err = rng.uniform(1.0, 4.0, 150)
solver = KinematicSolver()
solver.setup_grid(center=0.0, width=120.0, n_bins=40)
solver.add_data(vel=rng.normal(0.0, 11.0, 150) + rng.normal(0.0, err), err=err)
assert solver.run(num_samples=1000)["intrinsic_pdf"].shape == (1000, 40)
"""
PROGRAMS = {
    "Python alone": "pass",
    "import veldist": "import veldist",
    "import of its main names": (
        "from veldist import KinematicSolver, fit_all_bins, write_dynamite_kinematics"
    ),
    "first posterior, 150 stars": _FIRST_POSTERIOR,
}


@pytest.fixture(autouse=True)
def on_one_core() -> Generator[None]:
    """One thread of linear algebra, as fits have, whatever pytest was started with."""
    with one_thread():
        yield


def whole_bin(n_stars: int, seed: int, velocity_bins: int = VELOCITY_BINS) -> KinematicSolver:
    """A fitted and summarised bin, from its stars."""
    solver = KinematicSolver()
    solver.setup_grid(**GRID, n_bins=velocity_bins)
    solver.add_data(*mock(n_stars, seed))
    solver.run(num_samples=N_DRAWS, seed=seed)
    compute_summary_maps([solver], order=None)
    return solver


@lru_cache(maxsize=max(ROUNDS.values()))
def stages(n_stars: int, seed: int) -> dict[str, Callable[[], Any]]:
    """Each of `STAGES` of one mock, as a function that does that stage only; no merging of few stars."""
    vel, err = mock(n_stars, seed)
    solver = whole_bin(n_stars, seed)
    assert solver.posterior is not None
    assert solver.samples is not None
    assert solver.grid is not None
    losvd, draws = solver.posterior, solver.posterior.posterior
    model = LosvdModel(losvd.frame, losvd.cells, draws.psi, draws.prior)
    settings = Settings(n_draws=N_DRAWS)
    z, error = model.frame.standardise(vel), err / model.frame.scale
    stars, merging = MergedStars(z, error, np.ones(n_stars)), {}
    if n_stars > settings.merge_above:
        merge = partial(merge_stars, z, error, model.cells.edges, settings.merge_tolerance)
        stars, merging = merge(), {"merging": merge}

    def design() -> Likelihood:
        matrix = model.design(stars.z, stars.error, standardised=True)
        typical = model.psi @ model.prior.center + draws.log_base
        return Likelihood.from_design(matrix, typical, stars.weight, stars.log_offset)

    likelihood = design()
    pdf, centers, edges = solver.samples["intrinsic_pdf"], solver.grid["centers"], solver.grid["edges"]
    return merging | {
        "whole bin": lambda: whole_bin(n_stars, seed),
        "checks": lambda: solver_with(vel, err),
        "frame": lambda: fit_frame(vel, err),
        "design": design,
        "modes": lambda: find_modes(likelihood, model.psi, model.prior),
        "fit": lambda: model.fit(vel, err, np.random.default_rng(seed), settings),
        "re-gridding": lambda: losvd.bin_masses(edges),
        "summaries": lambda: compute_summary_maps([solver], order=None),
        "percentiles": lambda: compute_percentile_summary(pdf, centers),
        "Gauss-Hermite": lambda: gauss_hermite(pdf, edges, order=4),
    }


def solver_with(vel: Any, err: Any) -> KinematicSolver:
    """A solver that has taken its stars."""
    solver = KinematicSolver()
    solver.setup_grid(**GRID, n_bins=VELOCITY_BINS)
    solver.add_data(vel, err)
    return solver


def peak_memory(function: Callable[[], Any]) -> float:
    """Most memory (MiB) that Python and NumPy hold at once during a call, beyond what they held before."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("n_stars", ROUNDS)
def test_stage(benchmark: Any, n_stars: int, stage: str) -> None:
    """One stage of one bin; every round another mock."""
    if stage not in stages(n_stars, 0):
        pytest.skip("few stars are not merged")
    seeds = iter(range(1_000_000))
    benchmark.extra_info["peak_MiB"] = peak_memory(stages(n_stars, 0)[stage])
    benchmark.pedantic(
        lambda function: function(),
        setup=lambda: ((stages(n_stars, next(seeds))[stage],), {}),
        rounds=ROUNDS[n_stars],
    )


@pytest.mark.parametrize("velocity_bins", [20, 200])
@pytest.mark.parametrize("n_stars", ROUNDS)
def test_velocity_bins(benchmark: Any, n_stars: int, velocity_bins: int) -> None:
    """A whole bin on other velocity grids."""
    seeds = iter(range(1_000_000))
    benchmark.pedantic(
        whole_bin,
        setup=lambda: ((n_stars, next(seeds), velocity_bins), {}),
        rounds=ROUNDS[n_stars],
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_startup(benchmark: Any, program: str) -> None:
    """A program from nothing."""
    command = [sys.executable, "-c", PROGRAMS[program]]
    # The first reads the files from disk.
    benchmark.pedantic(subprocess.run, (command,), {"check": True}, rounds=11, warmup_rounds=1)


@pytest.mark.parametrize(("processes", "pool"), [(1, "none"), (2, "cold"), (2, "warm")])
def test_map(benchmark: Any, processes: int, pool: str) -> None:
    """The fits of a map; a cold pool has to start its worker processes."""
    from loky import get_reusable_executor

    bins = [dict(zip(("vel", "err"), mock(MAP_STARS, seed), strict=True)) for seed in range(MAP_BINS)]
    grid, run = GRID | {"n_bins": VELOCITY_BINS}, {"num_samples": N_DRAWS}

    def fit() -> None:
        fit_all_bins(bins, grid, run, n_jobs=processes, progress=False)

    def setup() -> None:
        if pool == "cold":
            get_reusable_executor().shutdown(wait=True)

    benchmark.extra_info["bins"] = MAP_BINS
    benchmark.pedantic(fit, setup=setup, rounds=3, warmup_rounds=1)
