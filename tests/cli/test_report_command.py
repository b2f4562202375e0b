"""`veldist report`, and what `veldist fit` and `veldist demo` keep for it."""

import numpy as np
import pytest
from astropy.table import Table
from typer.testing import CliRunner

from veldist.cli.app import app


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def stars(tmp_path_factory):
    rng = np.random.default_rng(2)
    table = {"x": rng.normal(0, 30, 150), "y": rng.normal(0, 30, 150), "v": rng.normal(20, 10, 150)}
    path = tmp_path_factory.mktemp("stars") / "stars.ecsv"
    Table(table | {"e": np.full(150, 2.0)}).write(path, format="ascii.ecsv")
    return path


def fit(stars, out, *options):
    columns = ("--x", "x", "--y", "y", "--vel", "v", "--err", "e")
    settings = ("--stars-per-bin", 50, "--num-samples", 100, "--jobs", 1, "--out", out)
    return run("fit", stars, *columns, *settings, *options)


def test_fit_keeps_what_its_report_needs(stars, tmp_path):
    out = tmp_path / "galaxy"
    result = fit(stars, out)
    assert result.exit_code == 0, result.output
    for name in ("map", "pixels.ecsv", "report.html"):
        assert (out / name).exists()
    again = tmp_path / "again.html"
    result = run("report", out, "-o", again)
    assert result.exit_code == 0, result.output
    assert again.read_bytes() == (out / "report.html").read_bytes()
    assert run("report", out, "-o", again, "--title", "Dwarf <1>").exit_code == 0
    assert "<h1>Dwarf &lt;1&gt;</h1>" in again.read_text(encoding="utf-8")


def test_a_fit_goes_on_where_it_stopped_and_refuses_other_options(stars, tmp_path):
    assert fit(stars, tmp_path).exit_code == 0
    records = sorted((tmp_path / "map").glob("bin_*.npz"))
    assert len(records) == 3
    written = [path.stat().st_mtime_ns for path in records]
    records[1].unlink()
    assert fit(stars, tmp_path).exit_code == 0
    assert [p.stat().st_mtime_ns == t for p, t in zip(records, written, strict=True)] == [True, False, True]
    result = fit(stars, tmp_path, "--seed", 5)
    assert result.exit_code == 1
    assert "seed: 0 -> 5" in result.output
    assert "another --out, or remove the store" in result.output


def test_demo_starts_again_with_other_arguments(tmp_path):
    demo = ("demo", "--stars-per-bin", 100, "--jobs", 1, "--out", tmp_path)
    assert run(*demo, "--n-stars", 300).exit_code == 0
    first = (tmp_path / "report.html").read_bytes()
    result = run(*demo, "--n-stars", 400)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "report.html").read_bytes() != first


def test_demo_removes_no_store_but_its_own(stars, tmp_path):
    assert fit(stars, tmp_path).exit_code == 0
    before = sorted((tmp_path / "map").rglob("*"))
    result = run("demo", "--n-stars", 300, "--stars-per-bin", 100, "--jobs", 1, "--out", tmp_path)
    assert result.exit_code == 1
    assert "holds another fit" in result.output
    assert sorted((tmp_path / "map").rglob("*")) == before


def test_mistakes_give_one_plain_message(tmp_path):
    result = run("report", tmp_path, "-o", tmp_path / "r.html")
    assert result.exit_code == 1
    assert "holds no fitted map" in result.output
    assert not list(tmp_path.iterdir())
