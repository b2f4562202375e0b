"""Kill a batch again and again while it writes to its store, and compare the end with an undisturbed run.

Run with ``python benchmarks/kills.py --bins 500 --kills 10``. Every process of the batch gets SIGKILL at a
random moment.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

GRID = {"center": 0.0, "width": 160.0, "n_bins": 40}


def make_bins(n_bins: int) -> list[dict[str, np.ndarray]]:
    """Mock stars of so many bins."""
    rng = np.random.default_rng(1)
    sizes = rng.integers(30, 120, n_bins)
    return [{"vel": rng.normal(0.0, 12.0, n), "err": rng.uniform(1.0, 4.0, n)} for n in sizes]


def fit(store: str, n_bins: int, n_jobs: int) -> None:
    """The run that is killed."""
    from veldist import fit_all_bins

    fit_all_bins(
        make_bins(n_bins), GRID, {"num_samples": 500, "seed": 3}, n_jobs=n_jobs, progress=False, store=store
    )


def start(store: Path, args: argparse.Namespace) -> subprocess.Popen[bytes]:
    """The run in processes of its own."""
    options = ("--bins", str(args.bins), "--jobs", str(args.jobs), "--fit", str(store))
    return subprocess.Popen([sys.executable, __file__, *options], start_new_session=True)


def finished(store: Path) -> dict[str, int]:
    """Bins that have a flag, and when their record was written (ns)."""
    if not store.exists():
        return {}
    done = {
        path.name
        for path in (store / "done" / "c").glob("*")
        if path.name.isdigit() and path.read_bytes() == b"\x01"
    }
    return {bin_id: (store / "bins" / bin_id / "c" / "0").stat().st_mtime_ns for bin_id in done}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bins", type=int, default=500)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fit")
    args = parser.parse_args()
    if args.fit:
        fit(args.fit, args.bins, args.jobs)
        return
    from veldist import load
    from veldist.fits.record import pack

    rng = np.random.default_rng(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        calm, killed = Path(folder) / "calm.zarr", Path(folder) / "killed.zarr"
        began = time.perf_counter()
        assert start(calm, args).wait() == 0
        duration = time.perf_counter() - began
        print(f"undisturbed run: {duration:.1f} s, {len(finished(calm))} of {args.bins} bins")
        before: dict[str, int] = {}
        redone = torn = 0
        for kill in range(args.kills):
            process = start(killed, args)
            while process.poll() is None and len(finished(killed)) <= len(before):
                time.sleep(0.01)
            # A share of the work that is left, so that all kills find some.
            delay = (
                rng.uniform(0.0, 2.0) * duration * (1.0 - len(before) / args.bins) / (args.kills + 1 - kill)
            )
            try:
                process.wait(delay)
                print(f"kill {kill + 1}: too late, the run has ended")
                break
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            time.sleep(0.2)
            after = finished(killed)
            redone += sum(written != after.get(bin_id) for bin_id, written in before.items())
            records = {p.name for p in (killed / "bins").glob("[0-9]*")}
            flagless = len(records - set(after))
            torn += flagless
            print(f"kill {kill + 1}, {delay:.2f} s after its first bin: {len(after)} done, {flagless} torn")
            before = after
        assert start(killed, args).wait() == 0
        after = finished(killed)
        redone += sum(written != after.get(bin_id) for bin_id, written in before.items())
        one, other = load(calm), load(killed)
        equal = sum(pack(a) == pack(b) for a, b in zip(one, other, strict=True))  # type: ignore[arg-type]
        print(f"done bins that were fitted again: {redone}; records in flight when killed: {torn}")
        print(f"lost bins: {args.bins - len(after)}; bins with equal bits: {equal} of {args.bins}")


if __name__ == "__main__":
    main()
