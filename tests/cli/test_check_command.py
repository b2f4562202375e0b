"""The command `veldist check`, as a user runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.export.checks.test_histogram import HISTOGRAM_CASES
from tests.helpers.folders import APERTURE as A
from tests.helpers.folders import BINS as B
from tests.helpers.folders import HISTOGRAM as T
from tests.helpers.folders import histogram_folder
from veldist.cli.app import app
from veldist.export.checks.folder import validate_dynamite_inputs


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


def test_command_passes_a_good_folder(tmp_path: Path) -> None:
    result = run(histogram_folder(tmp_path).path)
    assert result.exit_code == 0, result.output
    assert "no problems" in result.output


@pytest.mark.parametrize(("case", "code", "strict"), [("nan", 1, 1), ("density", 1, 1), ("edge-mass", 0, 1)])
def test_command_fails_if_dynamite_would(tmp_path: Path, case: str, code: int, strict: int) -> None:
    folder = histogram_folder(tmp_path)
    HISTOGRAM_CASES[case][0](folder)
    folder.write()
    (problem,) = validate_dynamite_inputs(tmp_path)
    for arguments, expected in (([], code), (["--strict"], strict)):
        result = run(tmp_path, *arguments)
        assert result.exit_code == expected, result.output
        assert str(problem) in result.output
        assert f"1 {problem.severity}" in result.output


def test_command_prints_every_problem(tmp_path: Path) -> None:
    folder = histogram_folder(tmp_path)
    for name in ("nan", "edge-mass", "no-psf"):
        HISTOGRAM_CASES[name][0](folder)
    problems = validate_dynamite_inputs(folder.write())
    assert len(problems) == 3
    result = run(tmp_path)
    assert result.exit_code == 1
    assert all(str(problem) in result.output for problem in problems)
    assert "2 error, 1 doubtful" in result.output


def test_command_takes_file_names(tmp_path: Path) -> None:
    histogram_folder(tmp_path)
    (tmp_path / T).rename(tmp_path / "k.ecsv")
    (tmp_path / A).rename(tmp_path / "a.dat")
    (tmp_path / B).rename(tmp_path / "b.dat")
    names = ["--kin-filename", "k.ecsv", "--aperture-filename", "a.dat", "--bins-filename", "b.dat"]
    assert run(tmp_path, *names).exit_code == 0
    assert run(tmp_path).exit_code == 1


def test_command_names_a_missing_folder(tmp_path: Path) -> None:
    result = run(tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "nowhere" in result.output
    assert "Traceback" not in result.output
