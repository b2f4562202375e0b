"""Second moments for JAM, against every draw done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from tests.helpers.export_solvers import gaussian_solver, layout
from veldist.errors import GridWarning
from veldist.export.jam import write_jam_table

NAMES = ["xbin", "ybin", "vrms", "dvrms", "v", "dv", "sigma", "dsigma", "bin_id", "n_stars"]


@pytest.fixture
def solvers():
    return [gaussian_solver(30.0, 15.0, seed=1), None, gaussian_solver(-20.0, 25.0, seed=2, n_stars=70)]


@pytest.mark.parametrize("name", ["jam.ecsv", "jam.txt"])
@pytest.mark.parametrize("systemic", [0.0, 5.0 * u.km / u.s])
def test_every_draw_counts(solvers, tmp_path, name, systemic):
    path = write_jam_table(solvers, tmp_path / "new" / name, layout(3), v_systemic=systemic)
    assert path == tmp_path / "new" / name
    table = Table.read(path, format="ascii.ecsv" if name.endswith("ecsv") else "ascii.commented_header")
    assert table.colnames == NAMES
    assert list(table["bin_id"]) == [1, 3]
    assert list(table["xbin"]) == [0.0, 2.0]
    assert list(table["n_stars"]) == [100, 70]
    for row, solver in zip(table, (solvers[0], solvers[2]), strict=True):
        v, sigma = solver.truth
        v = v - u.Quantity(systemic, "km/s").value
        for column, draws in {"v": v, "sigma": sigma, "vrms": np.hypot(v, sigma)}.items():
            low, median, high = np.percentile(draws, [16, 50, 84])
            # Gaussians that fit on the grid, in bins of a third of a dispersion: the moments are exact.
            assert row[column] == pytest.approx(median, abs=2e-2)
            assert row[f"d{column}"] == pytest.approx(0.5 * (high - low), abs=2e-2)


def test_vrms_is_not_that_of_the_medians(tmp_path):
    """Where V is 0 and uncertain, the scatter of V adds to Vrms."""
    solver = gaussian_solver(0.0, 5.0, n_draws=2000, scatter=4.0, edges=np.linspace(-60, 60, 121))
    table = Table.read(
        write_jam_table([solver], tmp_path / "jam.ecsv", x=[0.0], y=[0.0]), format="ascii.ecsv"
    )
    assert table["vrms"][0] == pytest.approx(np.median(np.hypot(*solver.truth)), rel=0.02)
    assert table["vrms"][0] > 1.1 * np.hypot(table["v"][0], table["sigma"][0])


def test_errors_teach(solvers, tmp_path):
    path = tmp_path / "jam.ecsv"
    with pytest.raises(ValueError, match="positions of the bins are missing"):
        write_jam_table(solvers, path)
    with pytest.raises(ValueError, match="nothing to write"):
        write_jam_table([None], path, x=[0], y=[0])
    with pytest.raises(ValueError, match=r"bins\[0\]|'xbin' is NaN"):
        bad = layout(3)
        bad["bins"][0]["xbin"] = np.nan
        write_jam_table(solvers, path, bad)
    assert not path.exists()
    write_jam_table(solvers, path, layout(3))
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_jam_table(solvers, path, layout(3), overwrite=False)
    with pytest.raises(IsADirectoryError):
        write_jam_table(solvers, tmp_path, layout(3))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["jam.ecsv"]


def test_a_cut_losvd_is_warned_about_and_no_error_vanishes(tmp_path):
    cut = [gaussian_solver(0.0, edges=np.linspace(-30.0, 30.0, 21))]
    with pytest.warns(GridWarning, match="outermost"):
        write_jam_table(cut, tmp_path / "jam.ecsv", x=[0.0], y=[0.0])
    sure = [gaussian_solver(0.0, scatter=0.0)]
    table = Table.read(write_jam_table(sure, tmp_path / "jam.ecsv", x=[0.0], y=[0.0]), format="ascii.ecsv")
    assert table["dvrms"][0] == table["dv"][0] == 1e-3
    assert table["n_stars"].dtype.kind == "i"
