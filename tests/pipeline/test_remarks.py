"""What is said of a catalogue with a foreground, by the command and in all that it writes."""

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import QTable, Table
from typer.testing import CliRunner

from veldist import ContaminationWarning
from veldist.cli.app import app
from veldist.cli.messages import as_options
from veldist.pipeline.remarks import remarks_on_bins, remarks_on_stars

GRID = {"center": -150.0, "width": 900.0, "n_bins": 150}


def foreground(n=600, seed=0):
    """A narrow group of members, as in Draco, and a broad foreground."""
    rng = np.random.default_rng(seed)
    member = rng.random(n) < 0.31
    err = rng.uniform(0.5, 5.0, n)
    vel = np.where(member, rng.normal(-291.0, 9.0, n), rng.normal(-100.0, 120.0, n)) + rng.normal(0.0, err)
    # Rows of a table of which the first 1000 were left out.
    return SimpleNamespace(
        vel=vel, err=err, rows=1000 + np.arange(n), x=rng.normal(0, 60, n), y=rng.normal(0, 60, n)
    )


def test_the_command_tells_of_a_foreground_and_writes_it_down(tmp_path):
    stars = foreground()
    path, out = tmp_path / "stars.csv", tmp_path / "out"
    Table({name: getattr(stars, name) for name in ("x", "y", "vel", "err")}).write(path, format="ascii.csv")
    columns = ("--x", "x", "--y", "y", "--vel", "vel", "--err", "err")
    options = ("--stars-per-bin", "300", "--num-samples", "50", "--jobs", "1", "--out", str(out))
    with pytest.warns(ContaminationWarning) as caught:
        result = CliRunner().invoke(app, ["fit", str(path), *columns, *options])
    assert result.exit_code == 0, result.output
    told = [str(w.message) for w in caught if w.category is ContaminationWarning]
    assert [text.startswith("non-members or heavy wings") for text in told][:2] == [True, False]
    assert "--contaminant learn" in as_options(told[0])
    note = QTable.read(out / "summary.ecsv").meta["foreign"]
    assert note == " ".join(told)
    written = Table.read(out / "dynamite_input/bayes_losvd_kins.ecsv", format="ascii.ecsv")
    assert " ".join(written.meta["contamination"]) == note
    assert "non-members or heavy wings" in (out / "report.html").read_text()


def test_rows_are_those_of_the_table():
    stars = foreground()
    text = remarks_on_stars(stars, GRID)[0]
    named = [int(part.split()[-1]) for part in text.split("rows ")[1].split(" (km/s")[0].split(" (")[:-1]]
    assert len(named) == 8
    assert all(stars.vel[row - 1000] > -200.0 for row in named)


def test_velocity_bins_wider_than_the_members_are_told():
    stars = foreground()
    assert len(remarks_on_stars(stars, GRID)) == 1
    _, wide = remarks_on_stars(stars, GRID | {"n_bins": 30})
    assert "30 km/s wide, more than the dispersion of the narrow component" in wide
    stars.vel = np.random.default_rng(1).normal(0.0, 10.0, stars.vel.size)
    assert remarks_on_stars(stars, GRID | {"n_bins": 30}) == []


@pytest.mark.parametrize(("several", "told"), [(0, False), (2, False), (3, True)])
def test_maps_of_many_modes_are_told(several, told):
    bins = [SimpleNamespace(values={"p_multimodal": (0.99 if k < several else 0.5, 0.0)}) for k in range(4)]
    remarks = remarks_on_bins(bins)
    assert bool(remarks) == told
    assert all(text.startswith("3 of 4 bins have LOSVDs with two or more modes") for text in remarks)
