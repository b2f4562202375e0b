"""The benchmarks can be called by the names that the documentation gives them, and time what fits do."""

import logging
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from benchmarks import results, test_speed
from benchmarks.__main__ import COMMANDS
from veldist._support.threads import one_thread

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_its_options(name, capsys):
    pytest.importorskip("psutil")
    with pytest.raises(SystemExit) as end:
        import_module(f"benchmarks.{name}").main(["--help"])
    assert end.value.code == 0
    assert f"usage: python -m benchmarks {name} " in capsys.readouterr().out


def test_names_that_do_not_exist_are_answered_with_those_that_do():
    command = [sys.executable, "-m", "benchmarks", "speeed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "no benchmark is called 'speeed'" in done.stderr
    assert all(name in done.stderr for name in COMMANDS)


def test_the_documentation_names_commands_that_exist():
    text = "\n".join(path.read_text() for path in DOCS)
    commands = set(re.findall(r"python -m benchmarks\s+([a-z]\w*)", text))
    assert commands == set(COMMANDS) - {"prior_contest", "sbc"}  # make bench-prior, make bench-sbc
    targets = set(re.findall(r"make ((?:bench|test|figures)[\w-]*)", text))
    assert {"bench-accuracy", "bench-prior", "bench-sbc", "bench-speed", "test-slow"} <= targets
    makefile = (ROOT / "Makefile").read_text()
    for target in targets:
        assert re.search(rf"^(?:[\w-]+ )*{target}(?: [\w-]+)*:", makefile, re.MULTILINE), target
    for command in re.findall(r"-m benchmarks (\w+)", makefile):
        assert command in COMMANDS
    for path in re.findall(r"benchmarks/[\w/]+\.\w+", text):
        assert (ROOT / path).exists(), path
    assert "python benchmarks" not in text


def test_stages_are_those_of_a_fit():
    n_stars = 2100  # enough to be merged
    stages = test_speed.stages.__wrapped__(n_stars, 0)
    assert set(stages) == set(test_speed.STAGES)
    with one_thread():
        found = {name: stage() for name, stage in stages.items()}
    solver = found["whole bin"]
    draws = solver.posterior.posterior
    assert np.array_equal(found["fit"].posterior.coefficients, draws.coefficients)
    n_draws = test_speed.N_DRAWS
    assert np.array_equal(found["re-gridding"][0][:n_draws], solver.samples["intrinsic_pdf"])
    assert found["frame"] == solver.posterior.frame
    assert found["merging"].weight.sum() == pytest.approx(n_stars)
    assert found["Gauss-Hermite"].v.size == n_draws


def test_peak_memory_is_what_a_call_allocates():
    assert test_speed.peak_memory(lambda: np.ones(2**20).sum()) == pytest.approx(8.0, rel=0.01)


def test_results_are_csv_with_the_commit_in_their_name(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "commit", lambda: "abc1234")
    rows = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert results.keep(rows, tmp_path / "new", "name") == tmp_path / "new" / "name_abc1234.csv"
    assert (tmp_path / "new" / "name_abc1234.csv").read_text() == "a,b\n1,x\n2,y\n"
    assert results.result_path(tmp_path, "map", ".png").name == "map_abc1234.png"


def test_markdown():
    text = results.markdown([["x", 12345, 0.1234], ["y", 1, float("nan")], ["z", 2, 1234.5]], ["", "n", "s"])
    assert text.splitlines() == [
        "|  | n | s |",
        "| --- | --- | --- |",
        "| x | 12,345 | 0.123 |",
        "| y | 1 | - |",
        "| z | 2 | 1,234 |",
    ]


def test_ratios_to_nuts_are_of_the_same_mock_and_kind_of_clock():
    from benchmarks.nuts import NUTS_STARS, ratio_rows

    def row(truth, method, clock, rate, n_stars=NUTS_STARS):
        return {
            "truth": truth,
            "n_stars": n_stars,
            "method": method,
            "clock": clock,
            "smallest_per_s": rate,
            "median_per_s": 2 * rate,
        }

    rows = [row("a", "veldist", "1 core", 100.0), row("b", "veldist", "1 core", 900.0)]
    rows += [row("a", "veldist", "processor", 50.0), row("b", "veldist", "processor", 50.0)]
    rows += [row("a", "veldist", "1 core", 1.0, n_stars=30)]
    rows += [row("a", "NUTS", "2 cores", 10.0), row("b", "NUTS", "2 cores", 30.0)]
    rows += [row("a", "NUTS", "processor", 5.0), row("b", "NUTS", "processor", 2.0)]
    assert ratio_rows(rows) == [
        ["1 core", "2 cores", "20 (10-30)", "20 (10-30)"],
        ["processor", "processor", "18 (10-25)", "18 (10-25)"],
    ]


def test_stages_of_a_map_are_the_records_of_the_pipeline():
    pytest.importorskip("psutil")
    from benchmarks.map_stages import Meter, Stages

    stages = Stages(Meter())
    logger = logging.getLogger("veldist.pipeline")
    logger.addHandler(stages)
    below = logging.getLogger("veldist.pipeline.below")
    level, logger.level = logger.level, logging.INFO
    try:
        with stages.within("first"):
            below.info("a message without a stage")
        with stages.within("second"):
            block = np.ones(2**22)
            block.sum()
            below.info("binning", extra={"stage": "binning", "seconds": 1000.0})
            del block
    finally:
        logger.removeHandler(stages)
        logger.level = level
    assert [row["stage"] for row in stages.rows] == ["first", "binning", "other of second"]
    assert stages.rows[1]["seconds"] == 1000.0
    # What a stage says of itself counts, and is not part of the rest.
    assert -1000.0 < stages.rows[2]["seconds"] < -900.0
    assert all(row["processor_seconds"] >= 0 for row in stages.rows)
    assert stages.rows[1]["main_MiB"] > 32


@pytest.mark.slow
def test_the_stages_of_a_small_map_add_up(tmp_path, capsys):
    pytest.importorskip("psutil")
    from benchmarks.map_stages import main

    main(["--stars", "1000", "--per-bin", "100", "--jobs", "1", "--out", str(tmp_path)])
    (path,) = tmp_path.glob("map_stages_*.csv")
    rows = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding=None)
    assert rows["stage"][-1] == "total"
    assert rows["seconds"][:-1].sum() == pytest.approx(rows["seconds"][-1])
    assert str(path) in capsys.readouterr().out
