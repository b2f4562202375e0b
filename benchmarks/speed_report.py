"""Tables of the speed benchmark (see `speed`); its figure is made by `speed_plot`."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from speed_ess import LEAST_MASS
from speed_stages import TOTAL

__all__ = [
    "case_line",
    "ess_rows",
    "machine",
    "print_ess",
    "print_map",
    "print_ratios",
    "print_stages",
    "print_startup",
    "ratio_rows",
]

Rows = list[dict[str, Any]]


def machine() -> str:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return (
        f"{model}, {os.cpu_count()} cores{load}; Python {platform.python_version()}, NumPy {np.__version__}, "
        f"SciPy {scipy.__version__}"
    )


def print_startup(rows: Rows) -> None:
    """Print the start-up times."""
    print("\nFrom nothing (s):  median  worst")
    for row in rows:
        print(f"  {row['what']:28s} {row['median_seconds']:6.2f} {row['worst_seconds']:6.2f}")


def case_line(row: dict[str, Any]) -> str:
    """One case in a line, to show that it goes on."""
    return (
        f"N = {row['n_stars']:>9,}, {row['velocity_bins']:3d} velocity bins: {row['median_ms']:8.1f} ms "
        f"(mean {row['mean_ms']:.0f}, worst of {row['runs']}: {row['worst_ms']:.0f}), "
        f"{row['peak_memory_MiB']:.0f} MiB, smallest ESS {row['samplers_own_smallest_ess']:.0f}"
    )


def print_stages(rows: Rows) -> None:
    """Print the stages' times and peak memory, a column for every number of stars."""
    sizes = list(dict.fromkeys(row["n_stars"] for row in rows))
    stages = list(dict.fromkeys(row["stage"] for row in rows))
    for k in dict.fromkeys(row["velocity_bins"] for row in rows):
        value = {(row["n_stars"], row["stage"]): row for row in rows if row["velocity_bins"] == k}
        print(f"\n{k} velocity bins: ms (peak MiB above the imports), by number of stars; one core")
        print(f"{'':14s}" + "".join(f"{n:>18,}" for n in sizes))
        for stage in stages:
            cells = [value[n, stage] for n in sizes]
            line = "".join(f"{c['median_ms']:10.1f} ({c['peak_memory_MiB']:5.1f})" for c in cells)
            print(f"{stage:14s}{line}".replace("(  nan)", "(    -)"))
        # Medians of stages do not add up to that of the total.
        totals = [value[n, TOTAL] for n in sizes]
        for label, column in (("mean", "mean_ms"), ("worst", "worst_ms"), ("processor", "median_cpu_ms")):
            print(f"{label:14s}" + "".join(f"{c[column]:10.1f}{'':8s}" for c in totals))
        own = "".join(f"{c['samplers_own_smallest_ess']:10.0f}{'':8s}" for c in totals)
        print(f"{'smallest ESS':14s}{own} (the sampler's own estimate)")


def print_map(rows: Rows) -> None:
    """Print the times of maps."""
    print("\nMaps:  bins  processes  pool      s   ms/bin  efficiency")
    for row in rows:
        print(
            f"{row['spatial_bins']:11d} {row['processes']:10d}  {row['pool']:5s}"
            f"{row['median_seconds']:7.2f} {row['ms_per_bin']:8.1f} {row['parallel_efficiency']:11.2f}"
        )


def ess_rows(ours: Rows, theirs: Rows, nuts_stars: int, cores: int) -> Rows:
    """One row for every mock, method and way of timing."""
    rows = []
    for row in ours:
        for timing in ("seconds_1_core", "seconds_all_cores", "cpu_seconds"):
            rows.append(_ess_row("veldist", row, row, timing, 1 if timing == "seconds_1_core" else cores))
    same = [row for row in ours if row["n_stars"] == nuts_stars]
    for row, nuts in zip(same, theirs, strict=False):
        for timing in (name for name in nuts if "seconds" in name):
            rows.append(_ess_row("NUTS, random walk", row, nuts, timing, cores))
    return rows


def _ess_row(
    method: str, case: dict[str, Any], row: dict[str, Any], timing: str, cores: int
) -> dict[str, Any]:
    cpu = timing.startswith("cpu")
    clock = "processor" if cpu else f"{cores} core{'s' if cores > 1 else ''}"
    return {
        "truth": case["truth"],
        "n_stars": case["n_stars"],
        "velocity_bins": case["velocity_bins"],
        "informative_bins": len(case["informative"]),
        "method": method,
        "clock": clock,
        "with_compilation": "compilation" in timing,
        "draws": row["draws"],
        "seconds_per_bin": row[timing],
        "smallest_ess": row["smallest_ess"],
        "median_ess": row["median_ess"],
        "samplers_own_smallest_ess": row.get("samplers_own_smallest_ess", np.nan),
        "smallest_ess_per_second": row["smallest_ess"] / row[timing],
        "median_ess_per_second": row["median_ess"] / row[timing],
    }


def print_ess(rows: Rows) -> None:
    """Print effective sample sizes."""
    print(
        f"\nEffective sample sizes of bins with at least {LEAST_MASS:g} of the fullest one's mass\n"
        f"{'truth':17s}{'N':>6s}{'bins':>5s}  {'method':18s}{'clock':22s}{'draws':>6s}{'s / bin':>9s}"
        f"{'smallest':>9s}{'median':>8s}{'own est.':>9s}{'smallest/s':>11s}{'median/s':>10s}"
    )
    for row in rows:
        clock = row["clock"] + (" + compilation" if row["with_compilation"] else "")
        print(
            f"{row['truth']:17s}{row['n_stars']:6d}{row['informative_bins']:5d}  {row['method']:18s}"
            f"{clock:22s}{row['draws']:6d}{row['seconds_per_bin']:9.3f}{row['smallest_ess']:9.0f}"
            f"{row['median_ess']:8.0f}{row['samplers_own_smallest_ess']:9.0f}"
            f"{row['smallest_ess_per_second']:11.0f}{row['median_ess_per_second']:10.0f}".replace(
                "nan", "  -"
            )
        )


def ratio_rows(rows: Rows, nuts_stars: int) -> Rows:
    """Effective samples per second of this package over NUTS's, for every pair of timings; all mocks."""
    same = [row for row in rows if row["n_stars"] == nuts_stars]
    ours = [row for row in same if row["method"] == "veldist"]
    ratios = []
    for mine in dict.fromkeys(row["clock"] for row in ours):
        for theirs, compiled in dict.fromkeys(
            (row["clock"], row["with_compilation"]) for row in same if row["method"] != "veldist"
        ):
            if (mine == "processor") != (theirs == "processor"):
                continue
            result: dict[str, Any] = {
                "veldist_clock": mine,
                "nuts_clock": theirs,
                "nuts_with_compilation": compiled,
            }
            for column in ("smallest_ess_per_second", "median_ess_per_second"):
                values = [
                    next(r[column] for r in ours if r["clock"] == mine and r["truth"] == row["truth"])
                    / row[column]
                    for row in same
                    if row["method"] != "veldist"
                    and (row["clock"], row["with_compilation"]) == (theirs, compiled)
                ]
                result |= {
                    f"ratio_of_{column}": float(np.median(values)),
                    f"lowest_ratio_of_{column}": min(values),
                    f"highest_ratio_of_{column}": max(values),
                }
            ratios.append(result)
    return ratios


def print_ratios(rows: Rows) -> None:
    """Print how much faster than NUTS."""
    print("\nEffective samples per second, veldist / NUTS: median over the mocks (lowest to highest)")
    for row in rows:
        parts = []
        for column in ("smallest", "median"):
            name = f"ratio_of_{column}_ess_per_second"
            parts.append(
                f"{column} ESS {row[name]:5.0f} ({row[f'lowest_{name}']:.0f} to {row[f'highest_{name}']:.0f})"
            )
        kind = "with compilation" if row["nuts_with_compilation"] else "sampling alone"
        print(f"  {row['veldist_clock']:9s} / {row['nuts_clock']:9s} {kind:17s} " + ", ".join(parts))
