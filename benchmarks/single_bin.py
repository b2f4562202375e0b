"""Time of one bin (200 stars, 60 velocity bins, 1,000 draws) on one core, and of the import.

Run with ``python benchmarks/single_bin.py``; the machine should be idle otherwise.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np

from veldist import KinematicSolver, simulate

REPEATS = 30


def import_time() -> float:
    """Seconds that ``import veldist`` and its public names take beyond starting Python, median of five."""
    names = "from veldist import KinematicSolver, fit_all_bins, write_dynamite_kinematics"
    bare, loaded = (
        np.median([_seconds([sys.executable, "-c", code]) for _ in range(5)]) for code in ("pass", names)
    )
    return float(loaded - bare)


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True)
    return time.perf_counter() - start


def main() -> None:
    """Print the table."""
    print(f"import of the public names: {import_time():.2f} s")
    for name, losvd in simulate.standard_losvds(v=0.0, sigma=20.0).items():
        times, sizes = [], []
        for seed in range(REPEATS):
            vel, err = simulate.observe(losvd, 200, (5.0, 15.0), np.random.default_rng(seed))
            solver = KinematicSolver()
            solver.setup_grid(center=0.0, width=300.0, n_bins=60)
            solver.add_data(vel, err)
            start = time.perf_counter()
            solver.run(num_samples=1000, seed=seed)
            times.append(time.perf_counter() - start)
            assert solver.diagnostics is not None
            sizes.append(solver.diagnostics.ess_min)
        time_text = f"{1e3 * np.median(times):5.1f} ms (worst of {REPEATS}: {1e3 * max(times):.0f})"
        print(f"{name:18s} {time_text}; smallest ESS {np.median(sizes):.0f} (worst {min(sizes):.0f})")


if __name__ == "__main__":
    main()
