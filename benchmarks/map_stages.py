"""Stages of a whole map of ``veldist demo``, from stars on the sky to the report: time, memory.

A stage is what the pipeline says it is: a record of the logger ``veldist.pipeline`` (or one below it) with
the attributes ``stage`` (its name) and ``seconds`` (its wall time), logged at the end of the stage. Stages
follow one another; processor time and peak memory of a stage are those since the end of the one before. What
the pipeline does not account for is *other*, a line for each of its functions.

Each map is made in a process of its own; what this module imports is not counted. Processor time is that of
all processes together, memory the resident memory of the main process and of the largest worker, looked at
ten times a second. The machine should be idle otherwise.
"""

from __future__ import annotations

import logging
import math
import tempfile
import threading
import time
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import psutil

from benchmarks.results import keep, machine, make_parser, markdown
from veldist.cli.truth import compare_with_truth, make_catalog
from veldist.pipeline.fit import PipelineSettings, fit_catalog
from veldist.pipeline.folder import STORE
from veldist.pipeline.write import write_results

# Expected number of stars and stars per bin: 77 and 400 bins.
MAPS = ((10_000, 130), (60_000, 150))
SEED = 1
_LOOK = 0.1


class Meter(threading.Thread):
    """Processor time of this process and its workers, its own not counted, and their peak memory."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._cpu: dict[int, float] = {}
        self._own = 0.0
        self._peak = [0, 0]
        self._lock = threading.Lock()
        self._end = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self._end.wait(_LOOK):
            self.look()
            self._own = time.thread_time()

    def stop(self) -> None:
        """End looking."""
        self._end.set()
        self.join()

    def look(self) -> None:
        """Take note of all processes; of one that has ended the last that was seen counts."""
        with self._lock:
            main = psutil.Process()
            for k, process in enumerate([main, *main.children(recursive=True)]):
                try:
                    times, memory = process.cpu_times(), process.memory_info().rss
                except psutil.NoSuchProcess:
                    continue
                self._cpu[process.pid] = times.user + times.system
                self._peak[k > 0] = max(self._peak[k > 0], memory)

    def read(self) -> tuple[float, float, float]:
        """Processor time so far (s), and peak memory (MiB) of the main process and of the largest worker."""
        self.look()
        with self._lock:
            main, worker = (peak / 2**20 for peak in self._peak)
            self._peak = [0, 0]
            return sum(self._cpu.values()) - self._own, main, worker or math.nan


class Stages(logging.Handler):
    """Rows of a map's stages, from the pipeline's records."""

    def __init__(self, meter: Meter) -> None:
        super().__init__(logging.DEBUG)
        self.rows: list[dict[str, Any]] = []
        self._meter = meter
        self._cpu = meter.read()[0]

    def emit(self, record: logging.LogRecord) -> None:
        """The end of a stage, if the record is one of those."""
        if hasattr(record, "stage"):
            self.add(record.stage, record.seconds)  # type: ignore[attr-defined]

    def add(self, stage: str, seconds: float) -> None:
        """A stage that ends here."""
        cpu, main, worker = self._meter.read()
        found = {"stage": stage, "seconds": seconds, "processor_seconds": cpu - self._cpu}
        self.rows.append(found | {"main_MiB": main, "worker_MiB": worker})
        self._cpu = cpu

    @contextmanager
    def within(self, name: str) -> Generator[None]:
        """What is done in the block and is in none of its stages is a stage of its own."""
        begun, before = time.perf_counter(), len(self.rows)
        yield
        rest = time.perf_counter() - begun - sum(row["seconds"] for row in self.rows[before:])
        self.add(f"other of {name}" if len(self.rows) > before else name, rest)


def measure(n_stars: int, stars_per_bin: int, jobs: int | None) -> list[dict[str, Any]]:
    """Rows of one map."""
    mpl.use("Agg")
    settings = PipelineSettings(stars_per_bin=stars_per_bin, seed=SEED, n_jobs=jobs)
    logger = logging.getLogger("veldist.pipeline")
    logger.setLevel(logging.DEBUG)
    meter = Meter()
    meter.start()
    stages = Stages(meter)
    logger.addHandler(stages)
    with tempfile.TemporaryDirectory() as folder:
        with stages.within("mock catalogue"):
            cluster, catalog = make_catalog(folder, n_stars, SEED)
        with stages.within("fit_catalog"):
            result = fit_catalog(catalog, settings, progress=False, store=Path(folder) / STORE)
        with stages.within("write_results"):
            write_results(result, folder)
        with stages.within("comparison with the truth"):
            compare_with_truth(result, cluster, folder)
    meter.stop()
    n_bins = len(result.fits)
    total = {name: sum(row[name] for row in stages.rows) for name in ("seconds", "processor_seconds")}
    peaks = {
        name: float(np.nanmax([row[name] for row in stages.rows])) for name in ("main_MiB", "worker_MiB")
    }
    rows = [*stages.rows, {"stage": "total"} | total | peaks]
    return [
        {"bins": n_bins, "stage": row["stage"], "ms_per_bin": 1e3 * row["seconds"] / n_bins} | row
        for row in rows
    ]


def main(arguments: list[str]) -> None:
    """Measure, print, keep."""
    parser = make_parser(__name__, __doc__)
    parser.add_argument("--stars", type=int, help="expected number of stars; by default two maps")
    parser.add_argument("--per-bin", type=int, default=150, help="stars in each bin of that map")
    parser.add_argument("--jobs", type=int, help="worker processes; all cores by default")
    options = parser.parse_args(arguments)
    print(machine(), flush=True)
    rows = []
    for n_stars, per_bin in MAPS if options.stars is None else [(options.stars, options.per_bin)]:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            rows += pool.submit(measure, n_stars, per_bin, options.jobs).result()
    print(f"\n{markdown([list(row.values()) for row in rows], list(rows[0]))}")
    print(f"\n{keep(rows, options.out, 'map_stages')}")
