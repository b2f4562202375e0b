"""How fast: every stage of a bin, a map, the start-up, and effective samples per second beside NUTS.

Run with ``python benchmarks/speed.py`` (``make bench-speed``) on a machine that is idle otherwise: all times
are medians, ratios are of times of one run. Prints the tables and leaves ``speed_*.csv`` and ``speed.png`` in
the folder ``--out``. NUTS is left out where NumPyro is not installed (extra ``bench``). ``--profile`` shows
instead in which functions the time of a fit goes.

Mocks: the seven LOSVDs of `veldist.simulate.standard_losvds` in turns, dispersion 20 km/s, errors of 5 to
15 km/s.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

import speed_report as report
import speed_startup
from speed_cases import GRID, mock, run_fresh
from speed_plot import plot

PARTS = ("startup", "stages", "map", "ess", "nuts")
N_DRAWS = 1000
# The map and the profile.
N_STARS, VELOCITY_BINS = 200, 60
# The user of NUTS runs it so: bins of 200 stars, 50 velocity bins, 4 chains of 500 + 1,000 draws.
NUTS_BINS = 50
NUTS = {"n_warmup": 500, "n_draws": 1000, "chains": 4}
# Skew-normal, counter-rotating and flat-topped.
NUTS_SEEDS = [1, 3, 4]
CORES = 2


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes
    ----------
    repeats : int
        Mocks of every case, or runs.
    seconds : float
        After which no other mock of a case is begun.
    runs : int
        Runs of a mock for its effective sample size.
    map_repeats : int
        Runs of a map.
    """

    repeats: int = 21
    seconds: float = 40.0
    runs: int = 200
    map_repeats: int = 3


QUICK = Effort(repeats=3, seconds=2.0, runs=12, map_repeats=1)


def measure_stages(n_stars: list[int], velocity_bins: list[int], effort: Effort) -> list[dict[str, Any]]:
    """Rows of `speed_stages.measure`, all numbers of stars and velocity bins."""
    rows = []
    for n in n_stars:
        for k in velocity_bins:
            rows += run_fresh(
                "speed_stages", n_stars=n, velocity_bins=k, n_draws=N_DRAWS, repeats=effort.repeats,
                seconds=effort.seconds,
            )  # fmt: skip
            print(report.case_line(rows[-1]), flush=True)
    return rows


def measure_maps(sizes: list[int], effort: Effort) -> list[dict[str, Any]]:
    """Median times of maps, and how well they use the cores."""
    rows = []
    for n_bins in sizes:
        runs = [
            run_fresh(
                "speed_map", n_bins=n_bins, n_stars=N_STARS, velocity_bins=VELOCITY_BINS, n_draws=N_DRAWS,
                jobs=[1, CORES],
            )
            for _ in range(effort.map_repeats)
        ]  # fmt: skip
        for way in runs[0]:
            processes, pool = way.split()
            # Both of one run: whatever else the machine does, it does to both.
            efficiency = np.median([run["1 none"] / run[way] / int(processes) for run in runs])
            seconds = float(np.median([run[way] for run in runs]))
            rows.append(
                {
                    "spatial_bins": n_bins,
                    "stars_per_bin": N_STARS,
                    "draws": N_DRAWS,
                    "processes": int(processes),
                    "pool": pool,
                    "median_seconds": seconds,
                    "ms_per_bin": 1e3 * seconds / n_bins,
                    "parallel_efficiency": float(efficiency),
                    "runs": len(runs),
                }
            )
    return rows


def profile(n_stars: int, out: Path, n_fits: int = 21) -> None:
    """Print where the time of fits goes, and keep it for `pstats` or a viewer."""
    from veldist import KinematicSolver
    from veldist.analysis import compute_summary_maps

    def fit(seed: int) -> None:
        solver = KinematicSolver()
        solver.setup_grid(**GRID, n_bins=VELOCITY_BINS)
        solver.add_data(*mock(n_stars, seed))
        solver.run(num_samples=N_DRAWS, seed=seed)
        compute_summary_maps([solver], order=None)

    profiler = cProfile.Profile()
    with warnings.catch_warnings():
        # A Student t has stars far out.
        warnings.simplefilter("ignore")
        fit(0)  # everything is imported now
        profiler.enable()
        for seed in range(n_fits):
            fit(seed)
        profiler.disable()
    path = out / f"speed_{n_stars}_stars.pstats"
    profiler.dump_stats(path)
    print(f"{n_fits} bins of {n_stars} stars, {VELOCITY_BINS} velocity bins, with summaries; kept in {path}")
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(30)


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what to measure")
    parser.add_argument("--stars", type=int, nargs="+", default=[30, 200, 2000, 20_000, 1_000_000])
    parser.add_argument("--velocity-bins", type=int, nargs="+", default=[20, 60, 200])
    parser.add_argument("--bins", type=int, nargs="+", default=[200], help="spatial bins of the maps")
    parser.add_argument("--ess-stars", type=int, nargs="+", default=[30, 2000], help="besides NUTS's 200")
    parser.add_argument("--out", type=Path, default=Path("bench_speed"), help="folder of the results")
    parser.add_argument("--quick", action="store_true", help="see that it works; the figures mean little")
    parser.add_argument("--profile", type=int, nargs="?", const=N_STARS, metavar="STARS",
                        help="profile fits of so many stars (200) and do nothing else")  # fmt: skip
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.profile:
        profile(options.profile, options.out)
        return
    effort, nuts, seeds = Effort(), NUTS, NUTS_SEEDS
    if options.quick:
        effort, nuts, seeds = QUICK, NUTS | {"n_warmup": 50, "n_draws": 100}, NUTS_SEEDS[:1]
        options.stars, options.velocity_bins = options.stars[:2], options.velocity_bins[:2]
        options.bins, options.ess_stars = [24], []
    print(report.machine(), flush=True)

    rows: dict[str, list[dict[str, Any]]] = {}

    def keep(part: str, table: list[dict[str, Any]]) -> None:
        """At once: later parts take minutes."""
        rows[part] = table
        columns = {name: [row[name] for row in table] for name in table[0]}
        Table(columns).write(options.out / f"speed_{part}.csv", overwrite=True)

    if "startup" in options.parts:
        keep("startup", speed_startup.measure(effort.repeats))
        report.print_startup(rows["startup"])
    if "stages" in options.parts:
        keep("stages", measure_stages(options.stars, options.velocity_bins, effort))
        report.print_stages(rows["stages"])
    if "map" in options.parts:
        keep("map", measure_maps(options.bins, effort))
        report.print_map(rows["map"])
    if {"ess", "nuts"} & set(options.parts):
        sizes = [N_STARS, *(options.ess_stars if "ess" in options.parts else [])]
        ours = [
            row
            for n in sizes
            for row in run_fresh(
                "speed_ess", n_stars=n, velocity_bins=NUTS_BINS, n_draws=N_DRAWS, runs=effort.runs,
                seeds=seeds, cores=CORES,
            )
        ]  # fmt: skip
        theirs: list[dict[str, Any]] = []
        if "nuts" in options.parts and find_spec("numpyro") is None:
            print("\nNo NUTS: NumPyro is not installed (pip install 'veldist[bench]').")
        elif "nuts" in options.parts:
            from speed_nuts import compare

            theirs = compare([r for r in ours if r["n_stars"] == N_STARS], seeds, **nuts, cores=CORES)
        keep("ess", report.ess_rows(ours, theirs, N_STARS, CORES))
        report.print_ess(rows["ess"])
        if theirs:
            keep("nuts_ratios", report.ratio_rows(rows["ess"], N_STARS))
            report.print_ratios(rows["nuts_ratios"])

    plot(rows).savefig(options.out / "speed.png", dpi=150)
    print(f"\nTables and figure are in {options.out}.")


if __name__ == "__main__":
    main()
