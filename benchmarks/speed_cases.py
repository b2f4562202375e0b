"""Mock stars of the speed benchmark, and how its parts are run: each in a Python of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist import simulate

__all__ = [
    "GRID",
    "SIGMA",
    "answer",
    "clean_environment",
    "collect",
    "mock",
    "run_fresh",
    "start_fresh",
    "truth_name",
    "use_cores",
]

SIGMA = 20.0
# All stars are on it, for one that is not costs NUTS on the user's grid more bins.
GRID = {"center": 0.0, "width": 15.0 * SIGMA}
_ERR = (0.25 * SIGMA, 0.75 * SIGMA)
_MARK = "RESULT "


def mock(n_stars: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Velocities and errors (km/s) of a bin; the seven true LOSVDs take turns with the seed."""
    truth = simulate.standard_losvds(0.0, SIGMA)[truth_name(seed)]
    return simulate.observe(truth, n_stars, _ERR, np.random.default_rng(seed))


def truth_name(seed: int) -> str:
    """Which LOSVD the mock of this seed is drawn from."""
    names = list(simulate.standard_losvds(0.0, SIGMA))
    return names[seed % len(names)]


def clean_environment() -> dict[str, str]:
    """The environment, with one thread of linear algebra."""
    return os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def use_cores(first: int, n_cores: int) -> None:
    """Keep this process, and those it will start, on some of the cores it may use, where the system can."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[first : first + n_cores] or cores)


def start_fresh(module: str, **arguments: Any) -> subprocess.Popen[str]:
    """Start ``measure(**arguments)`` of one of this folder's modules in a new Python."""
    script = Path(__file__).with_name(f"{module}.py")
    command = [sys.executable, str(script), json.dumps(arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=clean_environment())


def collect(process: subprocess.Popen[str]) -> Any:
    """What the function returned.

    Raises
    ------
    RuntimeError
        If it failed; its traceback is on the standard error.
    """
    output, _ = process.communicate()
    lines = [line for line in output.splitlines() if line.startswith(_MARK)]
    if process.returncode != 0 or not lines:
        raise RuntimeError(f"{process.args} failed with exit status {process.returncode}.")
    return json.loads(lines[-1].removeprefix(_MARK))


def run_fresh(module: str, **arguments: Any) -> Any:
    """Run ``measure(**arguments)`` of one of this folder's modules in a new Python; return its result."""
    return collect(start_fresh(module, **arguments))


def answer(measure: Callable[..., Any]) -> None:
    """The other end of `run_fresh`."""
    print(_MARK + json.dumps(measure(**json.loads(sys.argv[1]))), flush=True)
