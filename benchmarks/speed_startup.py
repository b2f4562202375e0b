"""Seconds from nothing to an import, and to the first posterior."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import numpy as np

from speed_cases import clean_environment

__all__ = ["measure"]

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
_NAMES = "KinematicSolver, fit_all_bins, write_dynamite_kinematics"
_PROGRAMS = {
    "Python alone": "pass",
    "import veldist": "import veldist",
    "import of its main names": f"from veldist import {_NAMES}",
    "first posterior, 150 stars": _FIRST_POSTERIOR,
}


def measure(repeats: int) -> list[dict[str, Any]]:
    """Median time of every program, in turns; the first also reads the files from disk and is left out."""
    times: dict[str, list[float]] = {what: [] for what in _PROGRAMS}
    for _ in range(repeats + 1):
        for what, program in _PROGRAMS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True, env=clean_environment())
            times[what].append(time.perf_counter() - start)
    return [
        {
            "what": what,
            "median_seconds": float(np.median(t[1:])),
            "worst_seconds": max(t[1:]),
            "runs": repeats,
        }
        for what, t in times.items()
    ]
