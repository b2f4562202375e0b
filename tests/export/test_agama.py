"""Files for Forstand, read back as a script with numpy.loadtxt would."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tests.helpers.export_solvers import EDGES, gaussian_solver, layout
from veldist.errors import GridWarning
from veldist.export.agama import write_agama_forstand
from veldist.summaries.gauss_hermite.series_fit import gauss_hermite


@pytest.fixture
def solvers():
    return [gaussian_solver(10.0, seed=1), None, gaussian_solver(-10.0, seed=2)]


def test_tags_name_the_rows(solvers, tmp_path):
    paths = write_agama_forstand(solvers, tmp_path, layout(3))
    x, y, tag = np.loadtxt(paths["bins"], unpack=True)
    # Two columns of four pixels each for the bins 0 and 2; those of the skipped bin are gone.
    assert x.size == 16
    np.testing.assert_array_equal(np.unique(x[tag == 0]), [-2.5, -1.5])
    np.testing.assert_array_equal(np.unique(x[tag == 1]), [1.5, 2.5])
    np.testing.assert_array_equal(np.unique(y), [-1.5, -0.5, 0.5, 1.5])
    kinematics = np.loadtxt(paths["kinematics"])
    assert kinematics.shape == (2, 2 * (EDGES.size - 1))
    for row, solver in zip(kinematics, (solvers[0], solvers[2]), strict=True):
        np.testing.assert_allclose(row[0::2], solver.clipped_samples["losvd_median"], rtol=1e-9)
        np.testing.assert_allclose(row[1::2], solver.clipped_samples["losvd_uncertainty"], rtol=1e-9)
    np.testing.assert_allclose(np.loadtxt(paths["edges"]), EDGES)


def test_series_are_those_of_the_draws(solvers, tmp_path):
    paths = write_agama_forstand(solvers, tmp_path, layout(3), "gh", order=6, v_systemic=7.0)
    assert set(paths) == {"bins", "kinematics"}
    rows = np.loadtxt(paths["kinematics"])
    assert rows.shape == (2, 12)
    for row, solver in zip(rows, (solvers[0], solvers[2]), strict=True):
        summary = list(gauss_hermite(solver.samples["intrinsic_pdf"], EDGES, order=6).summary().values())
        expected = np.array(summary).ravel()
        expected[0] -= 7.0
        # Nobody divides by nothing.
        expected[1::2] = np.maximum(expected[1::2], [1e-3] * 2 + [1e-4] * 4)
        np.testing.assert_allclose(row, expected, rtol=1e-8, atol=1e-10)


def test_the_systemic_velocity_shifts_the_edges(solvers, tmp_path):
    paths = write_agama_forstand(solvers, tmp_path, layout(3), v_systemic=7.0)
    np.testing.assert_allclose(np.loadtxt(paths["edges"]), EDGES - 7.0)


def test_errors_teach(solvers, tmp_path):
    with pytest.raises(ValueError, match="representation must be one of"):
        write_agama_forstand(solvers, tmp_path, layout(3), "moments")
    with pytest.raises(ValueError, match="differ from each other"):
        write_agama_forstand(solvers, tmp_path, layout(3), bins_filename="a", kin_filename="a")
    write_agama_forstand(solvers, tmp_path, layout(3))
    with pytest.raises(FileExistsError, match="voronoi_bins"):
        write_agama_forstand(solvers, tmp_path, layout(3), overwrite=False)


def test_all_files_or_none(solvers, tmp_path, monkeypatch):
    paths = write_agama_forstand(solvers, tmp_path, layout(3))
    before = {path: path.read_bytes() for path in paths.values()}
    written = []

    def fail_second(path, *arguments, **options):
        written.append(path)
        if len(written) == 2:
            raise OSError("disk full")
        path.write_text("new")

    monkeypatch.setattr(np, "savetxt", fail_second)
    with pytest.raises(OSError, match="disk full"):
        write_agama_forstand(solvers[:1], tmp_path, layout(1))
    assert {path: path.read_bytes() for path in paths.values()} == before
    assert len(list(tmp_path.iterdir())) == 3


def test_a_cut_losvd_and_fits_that_fail_are_warned_about(tmp_path):
    cut = [gaussian_solver(0.0, edges=np.linspace(-30.0, 30.0, 21))]
    with pytest.warns(GridWarning, match="outermost"):
        write_agama_forstand(cut, tmp_path, layout(1))
    coarse = [gaussian_solver(0.0, 60.0, edges=np.linspace(-200.0, 200.0, 5))]
    with pytest.raises(ValueError, match="hardly any Gauss-Hermite fit"), warnings.catch_warnings():
        warnings.simplefilter("ignore", GridWarning)
        write_agama_forstand(coarse, tmp_path, layout(1), "gh")
