"""Stars that are no members, from the command line to the files that others read."""

import json
import re

import numpy as np
import pytest
from astropy.table import QTable, Table
from typer.testing import CliRunner

from veldist.cli.app import app

COLUMNS = ("--x", "x", "--y", "y", "--vel", "v", "--err", "e")
QUICK = ("--stars-per-bin", "60", "--num-samples", "60", "--jobs", "1")


def fit(folder, changes):
    """``veldist fit`` of 120 stars in two bins, some of other values."""
    rng = np.random.default_rng(1)
    table = Table({name: rng.normal(0, 10, 120) for name in "xyv"} | {"e": np.full(120, 2.0)})
    for (column, row), value in changes.items():
        table[column][row] = value
    table.write(folder / "stars.csv", format="ascii.csv")
    arguments = ("fit", str(folder / "stars.csv"), *COLUMNS, *QUICK, "--out", str(folder / "out"))
    return CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({("v", 17): -9999.0}, r"vel has 1 of 120 values \(row 17: -9999.0\) more than 100 dispersions"),
        ({("v", 3): 1e200}, r"vel has 1 of 120 values \(row 3: 1e\+200\) beyond the speed of light"),
        ({("e", 99): 1e-300}, r"err has 1 of 120 values \(row 99: 1e-300\) below 1e-09 km/s"),
        ({("v", k): 999.0 for k in range(50)}, r"vel has 50 of 120 values \(rows 0, 1, 2, 3, 4, ...: 999.0"),
    ],
)
def test_impossible_stars_are_refused_before_the_first_bin_with_rows_of_the_table(tmp_path, changes, message):
    result = fit(tmp_path, changes)
    assert result.exit_code == 1
    assert re.search("error: " + message, result.output), result.output
    assert not list((tmp_path / "out").rglob("*"))


def test_rows_are_those_of_the_table_where_others_are_left_out(tmp_path):
    rng = np.random.default_rng(1)
    table = Table({name: rng.normal(0, 10, 120) for name in "xyv"} | {"e": np.full(120, 2.0)})
    table["v"][60] = -9999.0
    table["p"] = np.where(np.arange(120) < 50, 0.0, 1.0)
    table.write(tmp_path / "stars.csv", format="ascii.csv")
    members = ("--membership", "p", "--min-membership", "0.5")
    arguments = ("fit", str(tmp_path / "stars.csv"), *COLUMNS, *QUICK, *members, "--out", str(tmp_path / "o"))
    result = CliRunner().invoke(app, arguments)
    assert "vel has 1 of 70 values (row 60: -9999.0)" in result.output


@pytest.mark.filterwarnings("ignore::veldist.GridWarning", "ignore::veldist.OutlierWarning")
def test_far_stars_are_told_in_dynamites_table_and_in_the_report(tmp_path):
    result = fit(tmp_path, {("v", 17): 500.0})
    assert result.exit_code == 0, result.output
    table = Table.read(tmp_path / "out/dynamite_input/bayes_losvd_kins.ecsv", format="ascii.ecsv")
    (note,) = table.meta["outliers"]
    assert re.match(r"solvers\[[01]\]: 1 of 60 values \(row \d+: 500.0\) of vel lie more than 8", note)
    summary = QTable.read(tmp_path / "out/summary.ecsv", format="ascii.ecsv")
    assert sorted(summary["n_far"]) == [0, 1]
    assert np.median(summary["outside_grid"][summary["n_far"] == 1]) < 0.04
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r"<script[^>]*application/json[^>]*>(.*?)</script>", page, re.DOTALL)[1])
    messages = [text for bin_ in data["bins"] for text in bin_["messages"]]
    assert [note.endswith(text) for text in messages] == [True]
