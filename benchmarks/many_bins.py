"""Time per bin and memory of large maps with a store.

Run with ``python benchmarks/many_bins.py --bins 2000 10000``; the machine should be idle otherwise.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
import psutil

GRID = {"center": 0.0, "width": 160.0, "n_bins": 60}


class MemoryWatch(threading.Thread):
    """Peak resident memory (bytes) of this process and of the largest of its children."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.main = self.worker = 0
        self._end = threading.Event()

    def run(self) -> None:
        """Look every tenth of a second."""
        process = psutil.Process()
        while not self._end.wait(0.1):
            self.main = max(self.main, process.memory_info().rss)
            for child in process.children(recursive=True):
                try:
                    self.worker = max(self.worker, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue

    def stop(self) -> None:
        """End watching."""
        self._end.set()
        self.join()


def measure(n_bins: int, n_stars: int, n_jobs: int | None, stored: bool) -> None:
    """Fit one map and print a line."""
    from veldist import fit_all_bins
    from veldist.analysis import compute_summary_maps

    rng = np.random.default_rng(n_bins)
    bins = [
        {"vel": rng.normal(0.0, 12.0, n_stars), "err": rng.uniform(1.0, 4.0, n_stars)} for _ in range(n_bins)
    ]
    watch = MemoryWatch()
    watch.start()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "map.zarr" if stored else None
        start = time.perf_counter()
        arguments = {"n_jobs": n_jobs, "progress": False, "store": store}
        solvers = fit_all_bins(bins, GRID, {"num_samples": 1000}, **arguments)  # type: ignore[arg-type]
        fit = time.perf_counter() - start
        resume = 0.0
        if stored:
            start = time.perf_counter()
            fit_all_bins(bins, GRID, {"num_samples": 1000}, **arguments)  # type: ignore[arg-type]
            resume = time.perf_counter() - start
        start = time.perf_counter()
        compute_summary_maps(solvers)
        maps = time.perf_counter() - start
        size = sum(p.stat().st_size for p in Path(folder).rglob("*") if p.is_file())
    watch.stop()
    peaks = f"{watch.main / 2**20:.0f} MiB main, {watch.worker / 2**20:.0f} MiB worker"
    print(
        f"{n_bins:6d} bins of {n_stars} stars, {'store' if stored else 'no store'}: "
        f"fit {1e3 * fit / n_bins:.1f}, resume {1e3 * resume / n_bins:.2f}, maps {1e3 * maps / n_bins:.1f} "
        f"ms/bin; peak memory {peaks}; {size / 2**20:.0f} MiB on disk",
        flush=True,
    )


def main() -> None:
    """Print one line for every number of bins, each from a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bins", type=int, nargs="+", default=[2000, 10000])
    parser.add_argument("--stars", type=int, default=50)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--no-store", action="store_true")
    args = parser.parse_args()
    if len(args.bins) == 1:
        measure(args.bins[0], args.stars, args.jobs, not args.no_store)
        return
    for n_bins in args.bins:
        options = ["--bins", str(n_bins), "--stars", str(args.stars)]
        options += ["--jobs", str(args.jobs)] if args.jobs else []
        options += ["--no-store"] if args.no_store else []
        subprocess.run([sys.executable, __file__, *options], check=True)


if __name__ == "__main__":
    main()
