"""What a command cannot do is refused before its work, in a sentence, and leaves nothing behind."""

import shlex

import numpy as np
import pytest
from astropy.table import Table
from typer.testing import CliRunner

from veldist.cli.app import app

FIT = "fit stars.csv --x x --y y --vel v --err e --stars-per-bin 30"
FORECAST = "forecast --n-stars 50 --err 1 --sigma 5"


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (f"{FIT} --v-systemic nan", "--v-systemic must be finite, got nan"),
        (f"{FIT} --v-systemic inf", "--v-systemic must be finite, got inf"),
        (f"{FIT} --v-systemic 1e308", "--v-systemic must be within the speed of light"),
        (f"{FIT} --psf-sigma inf", "--psf-sigma must be finite, got inf"),
        (f"{FIT} --psf-sigma 1e308", "--psf-sigma must be within a full circle"),
        (f"{FIT} --num-samples 100000000", "--num-samples must be at most 1000000"),
        (f"{FIT} --grid-center nan --grid-width 9 --grid-bins 9", "center must be finite"),
        (
            f"{FIT} --grid-center 0 --grid-width 1e308 --grid-bins 9",
            "width must be within the speed of light",
        ),
        (f"{FIT} --grid-center 0 --grid-width 9 --grid-bins 99999999999", "n_bins must be at most 100000"),
        (f"{FIT} -o stars.csv", "stars.csv' is a file and can hold no"),
        (f"{FIT} -o stars.csv/x", "stars.csv' is a file and can hold no"),
        (f"{FIT} -o /proc/x", "the folder '/proc' cannot be written to"),
        (f"{FIT} -o taken", "report.html' is a directory: name a file"),
        ("demo -o stars.csv", "stars.csv' is a file and can hold no"),
        ("demo -o ''", "error: --out is empty: name a folder, or . for"),
        (f"{FIT} --out=", "error: --out is empty: name a folder, or . for"),
        (f"{FORECAST} -o ''", "is no name of a file: name one"),
        (f"{FORECAST} -o /proc/x.png", "the folder '/proc' cannot be written to"),
        (f"{FORECAST} -o x.xyz", "a figure needs one of the suffixes"),
        (f"{FORECAST} -o stars.csv/x.png", "stars.csv' is a file and can hold no"),
        ("forecast --n-stars 50 --err 1e-300 --sigma 5", "below 1e-09 km/s, which no measurement is"),
        ("forecast --n-stars 50 --err nan --sigma 5", "err must be finite"),
        ("forecast --n-stars 50 --err 1 --sigma 1e308", "sigma must be within the speed of light"),
        ("forecast --n-stars 50 --err 1 --sigma 1e-300", "sigma = 1e-300 km/s is lost in errors of 1 km/s"),
        ("report nowhere", "nowhere holds no fitted map"),
        ("check nowhere", "folder 'nowhere' does not exist"),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_work(command, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    table = Table({name: rng.normal(0, 10, 60) for name in "xyv"} | {"e": np.full(60, 2.0)})
    table.write("stars.csv", format="ascii.csv")
    (tmp_path / "taken/report.html").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 1, result.output
    assert message in " ".join(result.output.split()), result.output
    assert sorted(tmp_path.rglob("*")) == before
