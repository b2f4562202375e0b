"""veldist fit where not all stars are members, as a user runs it."""

from __future__ import annotations

import shlex
import warnings

import numpy as np
import pytest
from astropy.table import QTable, Table
from typer.testing import CliRunner

from tests.helpers.mixed import mixed_stars
from veldist.cli.app import app
from veldist.cli.populations import read_contaminant, read_error_model

COLUMNS = "--x x --y y --vel v --err e"
RUN = "--stars-per-bin 80 --num-samples 200 --jobs 1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table of stars, half of them members, with missing values, and a control field."""
    path, stars = tmp_path_factory.mktemp("mixed"), mixed_stars(600, 0.5, 5)
    columns = {"x": stars.x, "y": stars.y, "v": stars.vel, "e": stars.err, "p": stars.probability}
    table = Table(columns, masked=True)
    table["v"].mask[[3, 7]] = True
    table.write(path / "stars.ecsv", format="ascii.ecsv")
    rng = np.random.default_rng(0)
    control = Table({"v": rng.normal(-20.0, 80.0, 400), "w": np.zeros(400), "dw": np.full(400, 2.0)})
    control.write(path / "control.csv", format="ascii.csv")
    return path


def fit(folder, options, out="out"):
    command = f"fit {folder / 'stars.ecsv'} {COLUMNS} {RUN} --drop-masked --out {folder / out} {options}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CliRunner().invoke(app, shlex.split(command))


@pytest.fixture(scope="module")
def learnt(folder):
    return fit(folder, "--contaminant learn", "learnt"), folder / "learnt"


def said(result):
    return " ".join(result.output.split())


def test_what_was_learnt_is_said_and_kept_with_the_results(learnt):
    result, out = learnt
    assert result.exit_code == 0, result.output
    assert "members at 60" in said(result)
    assert "598 stars; contaminant: Gaussian at" in said(result)
    kinematics = Table.read(out / "dynamite_input/bayes_losvd_kins.ecsv", format="ascii.ecsv")
    assert "members at 60" in kinematics.meta["populations"]
    assert kinematics.meta["bin_flux_mode"] == "nmembers"
    for name in ("summary.ecsv", "stars.ecsv"):
        assert "members at 60" in Table.read(out / name, format="ascii.ecsv").meta["populations"]
    report = (out / "report.html").read_text()
    assert '"populations","members at 60' in report
    assert '"key":"member_fraction"' in report


def test_bins_and_grid_are_those_of_the_members(learnt):
    table = QTable.read(learnt[1] / "summary.ecsv")
    # 300 members make 4 bins of 80.
    assert len(table) == 4
    assert np.ptp(table["n_members"]) < 15
    assert np.all(np.abs(table["v_mean"].to_value("km/s") - 60.0) < 6.0)
    assert np.all(np.abs(table["sigma"].to_value("km/s") - 9.0) < 4.0)
    assert table.meta["gridwid"] < 200.0


def test_every_star_of_the_table_is_listed(learnt, folder):
    stars = Table.read(learnt[1] / "stars.ecsv", format="ascii.ecsv")
    assert stars["row"].tolist() == list(range(600))
    assert np.flatnonzero(stars["status"] == "no velocity").tolist() == [3, 7]
    assert (np.delete(stars["status"], [3, 7]) == "used").all()
    for name in ("bin_id", "membership", "vel"):
        assert np.flatnonzero(stars[name].mask).tolist() == [3, 7]
    table = QTable.read(learnt[1] / "summary.ecsv")
    for k in range(len(table)):
        found = stars["membership"][stars["bin_id"] == k + 1].sum()
        assert abs(found - table["n_members"][k]) < 1.0 + table["n_members_unc"][k]
    member = mixed_stars(600, 0.5, 5).member
    assert np.mean((stars["membership"].filled(0.0) > 0.5) == member) > 0.9


def test_memberships_are_a_prior_without_a_cut(folder):
    result = fit(folder, "--contaminant uniform --membership p --error-model outliers:0.05,5", "prior")
    assert result.exit_code == 0, result.output
    text = said(result)
    vel = Table.read(folder / "stars.ecsv")["v"]
    assert f"uniform from {vel.min():g} to {vel.max():g} km/s" in text
    assert "probabilities of membership from the table" in text
    assert "errors: 95 % with err, 5 % with 5 err" in text
    stars = Table.read(folder / "prior/stars.ecsv", format="ascii.ecsv")
    assert np.sum(stars["status"] == "used") == 598
    expected = np.asarray(Table.read(folder / "stars.ecsv")["p"])
    sums = np.bincount(stars["bin_id"].filled(0), expected)[1:]
    assert np.ptp(sums) < 8.0


def test_memberships_are_a_cut_with_a_limit(folder):
    result = fit(folder, "--contaminant gaussian:-20,80 --membership p --min-membership 0.5", "cut")
    assert result.exit_code == 0, result.output
    assert "probabilities of membership" not in said(result)
    stars = Table.read(folder / "cut/stars.ecsv", format="ascii.ecsv")
    below = np.asarray(stars["status"] == "membership below 0.5")
    p = np.asarray(Table.read(folder / "stars.ecsv")["p"])
    np.testing.assert_array_equal(np.delete(below, [3, 7]), np.delete(p < 0.5, [3, 7]))
    assert stars["membership"].mask[below].all()
    assert stars["bin_id"].mask[below].all()


def test_without_contaminants_stars_have_no_membership(folder):
    result = fit(folder, "--membership p --min-membership 0.9 --min-stars 90", "clean")
    assert result.exit_code in (0, 1), result.output
    result = fit(folder, "--membership p --min-membership 0.9", "clean")
    assert result.exit_code == 0, result.output
    stars = Table.read(folder / "clean/stars.ecsv", format="ascii.ecsv")
    assert stars.colnames == ["row", "x", "y", "vel", "err", "bin_id", "status"]
    assert "populations" not in stars.meta


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--membership p", "--membership is given without --min-membership and without --contaminant"),
        ("--membership p --error-model student:4", "--contaminant takes the column"),
        ("--v-guess 60", "--v-guess is where --contaminant learn looks"),
        ("--contaminant uniform --v-guess 60", "give both or neither"),
        ("--contaminant nowhere.csv", "is 'nowhere.csv', and there is no such file: pass learn, uniform"),
        ("--contaminant uniform:5", "uniform:5 is not understood: pass --contaminant uniform:LOW,HIGH"),
        ("--contaminant uniform:5,1", "low must be below high"),
        ("--contaminant gaussian:5,x", "pass numbers"),
        ("--contaminant gaussian:5,-1", "sigma"),
        ("--error-model student", "is not understood: pass --error-model student:NU"),
        ("--error-model gauss:1", "is 'gauss:1': pass outliers:F,SCALE or student:NU or binaries:F"),
        ("--error-model binaries:2", "fraction must be between 0 and 1"),
    ],
)
def test_what_is_not_understood_is_refused(folder, options, message):
    result = fit(folder, options, "refused")
    assert result.exit_code == 1
    assert message in said(result)
    assert not (folder / "refused").exists()


def test_members_that_cannot_be_told_are_refused_in_the_words_of_the_command(folder):
    clean = mixed_stars(300, 1.0)
    columns = {"x": clean.x, "y": clean.y, "v": clean.vel, "e": clean.err}
    Table(columns).write(folder / "clean.csv", format="ascii.csv")
    command = f"fit {folder / 'clean.csv'} {COLUMNS} --contaminant learn --out {folder / 'refused'}"
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 1
    assert "--contaminant FILE of a control field" in said(result)
    assert "--v-guess" in said(result)


@pytest.mark.parametrize("contaminant", ["learn", "uniform", "gaussian:-20,80"])
def test_placeholders_are_refused_with_their_rows(tmp_path, contaminant):
    stars = mixed_stars(300, 0.5)
    vel = stars.vel.copy()
    vel[[17, 200]] = -9999.0
    Table({"x": stars.x, "y": stars.y, "v": vel, "e": stars.err}).write(tmp_path / "s.csv")
    command = f"fit {tmp_path / 's.csv'} {COLUMNS} --contaminant {contaminant} --out {tmp_path / 'out'}"
    result = CliRunner().invoke(app, shlex.split(command))
    assert result.exit_code == 1
    assert "rows 17, 200" in said(result)
    assert "placeholders" in said(result)


@pytest.mark.parametrize(("columns", "source"), [("", "400 stars"), (":v", "400 stars"), (":v,dw", "2 km/s")])
def test_a_control_field_is_a_file_with_columns(folder, columns, source):
    found = read_contaminant(f"{folder / 'control.csv'}{columns}", None, "v")
    assert source in found.source
    assert abs(np.average(found.v, weights=found.weights) + 20.0) < 12.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("outliers:0.1,4", "90 % with err, 10 % with 4 err"),
        ("binaries:0.5", "50 % with err, 8 % with hypot(err, 0.087 km/s)"),
    ],
)
def test_error_models_say_what_they_are(text, said):
    assert said in str(read_error_model(text))
