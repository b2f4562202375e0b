"""Time per bin of the summaries (1,000 draws, 60 velocity bins) on one core.

Run with ``python benchmarks/summaries.py``; the machine should be idle otherwise. Every figure is the median
over repeats of the time for all bins, divided by their number; ``--map`` adds the time of all summaries of a
whole map. In a map the first bin of every prior is
dearer than the others, which meet the draws of that prior again: see "first".
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from veldist import KinematicSolver, simulate
from veldist.analysis import compute_summary, compute_summary_maps
from veldist.summaries.gauss_hermite.series_fit import gauss_hermite
from veldist.summaries.prior_weight import prior_weight
from veldist.summaries.scalars import METRICS

SIGMA = 20.0
UNIT_WIDTHS = np.ones(len(METRICS))


def fitted(n_bins: int, n_stars: int, width: float) -> list[KinematicSolver]:
    """Solvers of a map whose bins differ in their LOSVD, stars and frame."""
    solvers = []
    losvds = list(simulate.standard_losvds(v=0.0, sigma=SIGMA).values())
    for seed in range(n_bins):
        losvd = losvds[seed % len(losvds)]
        vel, err = simulate.observe(losvd, n_stars, (5.0, 15.0), np.random.default_rng(seed))
        solver = KinematicSolver()
        solver.setup_grid(center=0.0, width=width, n_bins=60)
        solver.add_data(vel, err)
        solver.run(num_samples=1000, seed=seed)
        solvers.append(solver)
    return solvers


def reported(solver: KinematicSolver) -> tuple[Any, Any, Any]:
    """Draws, bin centres and edges."""
    assert solver.samples is not None
    assert solver.grid is not None
    return solver.samples["intrinsic_pdf"], solver.grid["centers"], solver.grid["edges"]


def seconds(run: Callable[[], Any], repeats: int) -> float:
    """Median time of a call."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def whole_map(n_bins: int) -> None:
    """Time all summaries of a map of 200 stars a bin, the Gauss-Hermite fit included."""
    solvers = fitted(n_bins, 200, 300.0)
    for order, n_jobs, pool in ((4, 1, ""), (4, 2, ", new pool"), (4, 2, ", same pool"), (None, 1, "")):
        start = time.perf_counter()
        compute_summary_maps(solvers, order=order, n_jobs=n_jobs)
        what = "all summaries" if order else "without the Gauss-Hermite fit"
        seconds = time.perf_counter() - start
        print(f"{n_bins} bins x 1,000 draws, {what}, {n_jobs} processes{pool}: {seconds:.2f} s")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--bins", type=int, default=12, help="spatial bins")
    parser.add_argument("--repeats", type=int, default=9, help="of which the median is taken")
    parser.add_argument("--map", type=int, metavar="BINS", help="only time a whole map of so many bins")
    options = parser.parse_args()
    if options.map is not None:
        whole_map(options.map)
        return
    print("ms per bin:  compute_summary   maps (first)   without h_m   prior part   Gauss-Hermite h4   h6")
    for n_stars, width in ((40, 300.0), (200, 300.0), (200, 600.0), (2000, 300.0)):
        solvers = fitted(options.bins, n_stars, width)
        draws = [reported(solver) for solver in solvers]
        start = time.perf_counter()
        compute_summary_maps(solvers)
        first = time.perf_counter() - start
        calls: tuple[Callable[[], Any], ...] = (
            lambda draws=draws: [compute_summary(pdf, centers) for pdf, centers, _ in draws],
            lambda solvers=solvers: compute_summary_maps(solvers),
            lambda solvers=solvers: compute_summary_maps(solvers, order=None),
            lambda solvers=solvers, draws=draws: [
                prior_weight(solver, pdf, edges, UNIT_WIDTHS)
                for solver, (pdf, _, edges) in zip(solvers, draws, strict=True)
            ],
            lambda draws=draws: [gauss_hermite(pdf, edges, order=4) for pdf, _, edges in draws],
            lambda draws=draws: [gauss_hermite(pdf, edges, order=6) for pdf, _, edges in draws],
        )
        plain, maps, without, prior, h4, h6 = (
            1e3 * seconds(call, options.repeats) / options.bins for call in calls
        )
        first *= 1e3 / options.bins
        print(
            f"N = {n_stars:4d}, {width:g} km/s: {plain:6.2f} {maps:8.2f} ({first:.2f}) {without:9.2f} "
            f"{prior:10.2f} {h4:12.1f} {h6:12.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
