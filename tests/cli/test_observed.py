"""Visits and instruments on the command line."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import QTable, Table
from typer.testing import CliRunner

from veldist.cli.app import app
from veldist.cli.messages import as_options

COLUMNS = ("--x", "x", "--y", "y", "--vel", "v", "--err", "e")


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def path(tmp_path):
    """Sixty stars that two instruments have visited twice each, 6 km/s apart."""
    rng = np.random.default_rng(0)
    star, camera = np.repeat(np.arange(60), 4), np.tile(["blue", "red"], 120)
    position = rng.normal(0.0, 100.0, (60, 2))[star]
    vel = rng.normal(0.0, 10.0, 60)[star] + rng.normal(0.0, 1.0, 240) + 6.0 * (camera == "red")
    columns = {"x": position[:, 0], "y": position[:, 1], "v": vel, "e": np.ones(240)}
    Table(columns | {"star": star, "camera": camera}).write(tmp_path / "stars.csv")
    return tmp_path / "stars.csv"


def test_visits_are_stars_on_one_scale(path, tmp_path):
    out = tmp_path / "out"
    result = run(
        "fit", path, *COLUMNS, "--id", "star", "--instrument", "camera", "--align", "--stars-per-bin", 60,
        "--num-samples", 200, "--jobs", 1, "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    assert "instrument blue: 60 stars, the reference" in text
    assert "240 rows are 60 stars, 60 of them visited more than once" in text
    table = QTable.read(out / "summary.ecsv")
    assert table["n_stars"].tolist() == [60]


def test_errors_speak_of_options(path, tmp_path):
    result = run("fit", path, *COLUMNS, "--align", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "--align needs --instrument COLUMN" in " ".join(result.output.split())
    assert as_options("pass id='COLUMN', which") == "pass --id COLUMN, which"


def test_the_table_of_stars_has_all_visits(path, tmp_path):
    out = tmp_path / "out"
    result = run(
        "fit", path, *COLUMNS, "--id", "star", "--stars-per-bin", 30, "--num-samples", 200, "--jobs", 1,
        "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    stars = QTable.read(out / "stars.ecsv")
    assert len(stars) == 240
    assert set(stars["status"]) == {"used"}
    bins = np.asarray(stars["bin_id"]).reshape(60, 4)
    assert (bins == bins[:, :1]).all()
    assert np.bincount(bins[:, 0])[1:].tolist() == [30, 30]
