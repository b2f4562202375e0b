"""The commands, as a user runs them."""

import numpy as np
import pytest
from astropy.table import QTable, Table
from typer.testing import CliRunner

import veldist
from veldist.cli.app import app
from veldist.simulate import rotating_cluster


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    cluster = rotating_cluster(n_stars=500, seed=3, v_systemic=55.0)
    table = Table(
        {
            "xi_arcmin": cluster.x / 60,
            "eta_arcmin": cluster.y / 60,
            "v_kms": cluster.vel,
            "e_kms": cluster.err,
            "p": np.where(np.arange(cluster.n_stars) % 10 == 0, 0.5, 0.99),
        }
    )
    path = tmp_path_factory.mktemp("catalog") / "stars.csv"
    table.write(path, format="ascii.csv")
    return path, cluster


COLUMNS = ("--x", "xi_arcmin", "--y", "eta_arcmin", "--vel", "v_kms", "--err", "e_kms")


def test_fit_writes_maps_table_and_dynamite_input(catalog, tmp_path):
    path, cluster = catalog
    out = tmp_path / "result"
    result = run(
        "fit", path, *COLUMNS, "--membership", "p", "--min-membership", 0.9, "--stars-per-bin", 60,
        "--num-samples", 200, "--jobs", 1, "--out", out,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    for name in (
        "kinematic_maps.png",
        "losvds.png",
        "summary.ecsv",
        "dynamite_input/bayes_losvd_kins.ecsv",
        "dynamite_input/aperture.dat",
        "dynamite_input/bins.dat",
    ):
        assert (out / name).stat().st_size > 100
        assert str(out / name) in result.output.replace("\n", "")
    assert "done in" in result.output
    table = QTable.read(out / "summary.ecsv")
    n_members = int(np.sum(np.arange(cluster.n_stars) % 10 != 0))
    assert table["n_stars"].sum() == n_members
    assert len(table) == round(n_members / 60)
    assert np.all(np.abs(table["v_mean"].to_value("km/s") - 55) < 12)
    assert np.all((table["sigma"].to_value("km/s") > 5) & (table["sigma"].to_value("km/s") < 16))
    kinematics = Table.read(out / "dynamite_input/bayes_losvd_kins.ecsv", format="ascii.ecsv")
    assert np.allclose(kinematics["xbin"], table["x"].to_value("arcsec"))


def test_the_systemic_velocity_is_taken_out_of_dynamites_input_only(catalog, tmp_path):
    path, _ = catalog
    options = ("--stars-per-bin", 250, "--num-samples", 100, "--jobs", 1)
    for name, systemic in (("as_it_is", 0.0), ("moved", 55.0)):
        result = run("fit", path, *COLUMNS, *options, "--v-systemic", systemic, "--out", tmp_path / name)
        assert result.exit_code == 0, result.output
    tables, summaries = (
        [read(tmp_path / name / file) for name in ("as_it_is", "moved")]
        for read, file in (
            (lambda p: Table.read(p, format="ascii.ecsv"), "dynamite_input/bayes_losvd_kins.ecsv"),
            (QTable.read, "summary.ecsv"),
        )
    )
    np.testing.assert_allclose(tables[1]["v"], tables[0]["v"] - 55.0)
    np.testing.assert_allclose(tables[1].meta["vcent"], np.array(tables[0].meta["vcent"]) - 55.0)
    np.testing.assert_array_equal(summaries[1]["v_mean"], summaries[0]["v_mean"])


def test_fit_takes_a_grid(catalog, tmp_path):
    path, _ = catalog
    grid = ("--grid-center", 55, "--grid-width", 160, "--grid-bins", 32)
    arguments = (
        "fit",
        path,
        *COLUMNS,
        "--stars-per-bin",
        250,
        "--num-samples",
        100,
        "--jobs",
        1,
        "--out",
        tmp_path,
    )
    assert run(*arguments, *grid).exit_code == 0
    table = Table.read(tmp_path / "dynamite_input/bayes_losvd_kins.ecsv", format="ascii.ecsv")
    assert table.meta["nvbins"] == 32
    assert table.meta["dv"] == pytest.approx(5.0)
    result = run(*arguments, *grid[:2])
    assert result.exit_code == 1
    assert "belong together" in result.output


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--vel": "velocity"}, "velocity"),
        ({"--min-membership": 0.5}, "membership"),
        ({"--stars-per-bin": 60, "--min-stars": 500}, "--min-stars = 500"),
        ({"--err": "v_kms"}, "vel and err are the same column"),
    ],
)
def test_mistakes_give_one_plain_message(catalog, tmp_path, change, message):
    path, _ = catalog
    options = dict(zip(COLUMNS[::2], COLUMNS[1::2], strict=True)) | change
    result = run("fit", path, *(part for pair in options.items() for part in pair), "--out", tmp_path)
    assert result.exit_code == 1
    assert "error:" in result.output
    assert message in result.output
    assert "Traceback" not in result.output
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


@pytest.mark.filterwarnings("ignore::veldist.ContaminationWarning")
def test_a_bin_that_fails_does_not_take_the_others_with_it(catalog, tmp_path):
    # A grid that holds no star of the two bins at high velocity.
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(0, 1, 100), rng.normal(50, 1, 50)])
    table = {"x": x, "y": rng.normal(0, 1, 150), "v": np.where(x > 25, 500.0, 0.0) + rng.normal(0, 5, 150)}
    Table(table | {"e": np.ones(150)}).write(tmp_path / "s.ecsv", format="ascii.ecsv")
    result = run(
        "fit", tmp_path / "s.ecsv", "--x", "x", "--y", "y", "--vel", "v", "--err", "e", "--stars-per-bin", 50,
        "--grid-center", 0, "--grid-width", 60, "--grid-bins", 20, "--num-samples", 100, "--jobs", 1,
        "--out", tmp_path / "out",
    )  # fmt: skip
    assert result.exit_code == 1
    assert result.output.count("failed and is left out") == 1
    assert "2 of 3 bins fitted" in result.output
    written = Table.read(tmp_path / "out/dynamite_input/bayes_losvd_kins.ecsv", format="ascii.ecsv")
    assert len(written) == 2


def test_the_version_is_printed():
    assert run("--version").output.strip() == veldist.__version__


def test_a_missing_file_is_named(tmp_path):
    result = run("fit", tmp_path / "nothing.csv", *COLUMNS)
    assert result.exit_code == 1
    assert "nothing.csv" in result.output


def test_demo_runs_and_compares_with_the_truth(tmp_path):
    result = run("demo", "--out", tmp_path, "--n-stars", 600, "--stars-per-bin", 100, "--jobs", 1)
    assert result.exit_code == 0, result.output
    for name in ("catalog.ecsv", "kinematic_maps.png", "losvds.png", "truth.png", "summary.ecsv"):
        assert (tmp_path / name).exists()
    assert "hold the truth" in result.output or "holds the truth" in result.output
