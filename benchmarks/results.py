"""Options that all benchmarks share, and where their results go."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import scipy
from astropy.table import Table

__all__ = ["keep", "machine", "make_parser", "markdown", "result_path"]

_HERE = Path(__file__).parent


def make_parser(name: str, doc: str | None) -> argparse.ArgumentParser:
    """Parser of a benchmark, with the option ``--out`` that all have.

    Parameters
    ----------
    name : str
        The benchmark's ``__name__``.
    doc : str or None
        Its ``__doc__``, whose first paragraph is the description.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks {name.rpartition('.')[2]}", description=(doc or "").split("\n\n")[0]
    )
    parser.add_argument("--out", type=Path, default=Path("bench_results"), help="folder of the results")
    return parser


def commit() -> str:
    """Short hash of the commit that is measured, with ``-dirty`` if files differ; ``unknown`` outside git."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        return subprocess.run(command, cwd=_HERE, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def result_path(out: Path, name: str, suffix: str = ".csv") -> Path:
    """File of a result, with the commit in its name; the folder is made."""
    out.mkdir(parents=True, exist_ok=True)
    return out / f"{name}_{commit()}{suffix}"


def keep(rows: Sequence[dict[str, Any]] | Table, out: Path, name: str) -> Path:
    """Write rows, or a table, as CSV; return the file."""
    path = result_path(out, name)
    (rows if isinstance(rows, Table) else Table(rows=list(rows))).write(path, overwrite=True)
    return path


def markdown(rows: Sequence[Sequence[Any]], heads: Sequence[str]) -> str:
    """Table of the documentation; numbers with three digits, ``-`` where there is none."""
    lines = [heads, ["---"] * len(heads), *([_cell(value) for value in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        if np.isnan(value):
            return "-"
        digits = next((k for k, least in enumerate((99.95, 9.995, 0.9995)) if abs(value) >= least), 3)
        return f"{value:,.{digits}f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def machine() -> str:
    """What the figures are measured on, and how busy it is."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return (
        f"{model}, {os.cpu_count()} cores{load}; Python {platform.python_version()}, NumPy {np.__version__}, "
        f"SciPy {scipy.__version__}; commit {commit()}"
    )
