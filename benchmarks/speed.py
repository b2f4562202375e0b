"""Times of the stages of one bin, of starts, and of maps, by pytest-benchmark (see `test_speed`).

What this does not know is passed on to pytest: ``-k "stage and 200-"`` measures bins of 200 stars only, and
``--benchmark-compare`` sets the last run that was kept in the folder ``--out`` beside this one. The machine
should be idle otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.results import commit, keep, machine, make_parser, markdown
from benchmarks.test_speed import MAP_BINS, STAGES


class _Results:
    """Takes the results of pytest-benchmark."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def pytest_benchmark_update_json(self, config: Any, benchmarks: Any, output_json: dict[str, Any]) -> None:
        """Hook of pytest-benchmark: one row for every benchmark, times in ms."""
        for found in output_json["benchmarks"]:
            params, stats = found["params"] or {}, found["stats"]
            self.rows.append(
                {
                    "benchmark": found["name"].removeprefix("test_").partition("[")[0],
                    "n_stars": params.get("n_stars", 0),
                    "case": " ".join(str(v) for name, v in params.items() if name != "n_stars"),
                    **{f"{name}_ms": 1e3 * stats[name] for name in ("median", "mean", "max")},
                    "rounds": stats["rounds"],
                    "peak_MiB": found["extra_info"].get("peak_MiB", np.nan),
                }
            )


def table(rows: list[dict[str, Any]], cases: list[str], value: Callable[[dict[str, Any]], float]) -> str:
    """Markdown: a line for every case, a column for every number of stars."""
    sizes = sorted({row["n_stars"] for row in rows})
    found = {(row["case"], row["n_stars"]): value(row) for row in rows}
    lines = [[case, *(found.get((case, n), np.nan) for n in sizes)] for case in cases]
    return markdown(lines, ["stars", *(f"{n:,}" for n in sizes)])


def print_tables(rows: list[dict[str, Any]]) -> None:
    """Print the tables of ``docs/performance.md``."""
    parts = {
        name: [row for row in rows if row["benchmark"] == name] for name in {r["benchmark"] for r in rows}
    }
    if "startup" in parts:
        lines = [[row["case"], row["median_ms"] / 1e3] for row in parts["startup"]]
        print(f"\n{markdown(lines, ['', 's'])}")
    if "stage" in parts:
        cases = [case for case in STAGES if any(row["case"] == case for row in parts["stage"])]
        print(f"\nms, median over mocks\n\n{table(parts['stage'], cases, lambda row: row['median_ms'])}")
        print(f"\nms, mean\n\n{table(parts['stage'], cases, lambda row: row['mean_ms'])}")
        print(f"\npeak memory, MiB\n\n{table(parts['stage'], cases, lambda row: row['peak_MiB'])}")
    if "velocity_bins" in parts:
        cases = list(dict.fromkeys(row["case"] for row in parts["velocity_bins"]))
        print(f"\nms, by velocity bins\n\n{table(parts['velocity_bins'], cases, lambda r: r['median_ms'])}")
    if "map" in parts:
        lines = [
            [*row["case"].split(), row["median_ms"] / 1e3, row["median_ms"] / MAP_BINS]
            for row in parts["map"]
        ]
        print(f"\n{MAP_BINS} bins\n\n{markdown(lines, ['processes', 'pool', 's', 'ms per bin'])}")


def main(arguments: list[str]) -> None:
    """Measure, print, keep."""
    parser = make_parser(__name__, __doc__)
    options, rest = parser.parse_known_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    print(machine(), flush=True)
    results = _Results()
    own = ["--benchmark-columns=median,mean,max,rounds"]
    own += [f"--benchmark-storage={options.out}", f"--benchmark-save={commit()}"]
    status = pytest.main([str(Path(__file__).with_name("test_speed.py")), *own, *rest], plugins=[results])
    if results.rows:
        print_tables(results.rows)
        print(f"\n{keep(results.rows, options.out, 'speed')}")
    if status:
        raise SystemExit(status)
