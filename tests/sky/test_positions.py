"""Positions and pixels that the report is given."""

from collections import UserDict
from dataclasses import asdict

import numpy as np
import pytest
from astropy import units as u

from tests.report.test_write import GRID, IDS, content, gaussian_solver, some_maps
from veldist.batch.fit_all import fit_all_bins
from veldist.pipeline.folder import LAYOUT, STORE, report_on
from veldist.report import write_report
from veldist.report.shapes import map_shapes
from veldist.sky.layout import Layout, write_layout
from veldist.sky.pixels import read_grid
from veldist.sky.positions import place_all, to_positions

SOLVERS = [gaussian_solver(0), gaussian_solver(1), None, gaussian_solver(3)]
X, Y = np.array([0.0, 1.0, np.nan, 1.0]), np.array([0.0, 0.0, np.inf, 2.0])


def write(path, **where):
    return content(write_report(path / "r.html", SOLVERS, maps=some_maps(4, skipped=[2]), **where))["shapes"]


def test_only_skipped_bins_may_be_nowhere():
    positions = to_positions(X, Y, 4)
    assert np.array_equal(positions, np.column_stack([X, Y]), equal_nan=True)
    place_all(positions, SOLVERS)
    for name, x, y in (("x", [np.nan, 0.0, 0.0, np.nan], Y), ("y", np.zeros(4), [np.inf, 1.0, 0.0, np.nan])):
        message = rf"'{name}' is NaN or infinite in 2 of 4 bins \(0, 3\) that have a solver: give their"
        with pytest.raises(ValueError, match=message):
            place_all(to_positions(x, y, 4), SOLVERS)


def test_solvers_with_a_position_are_not_read():
    class Unread(list):
        def __getitem__(self, index):
            assert index == 2
            return super().__getitem__(index)

        def __iter__(self):
            raise AssertionError

    place_all(to_positions(X, Y, 4), Unread(SOLVERS))


def test_there_need_not_be_positions():
    assert to_positions(None, None, 4) is None
    place_all(None, SOLVERS)


def test_bins_without_a_place_have_no_shape(tmp_path):
    shapes = write(tmp_path, x=X, y=Y)
    assert [path is None for path in shapes["paths"]] == [False, False, True, False]
    assert shapes["positions"] == [[0, 0], [1, 0], None, [1, 2]]
    without = map_shapes(None, None, np.column_stack([X, Y])[[0, 1, 3]], 3)
    assert [path for path in shapes["paths"] if path] == without["paths"]
    # Pixels are there all the same.
    shapes = write(tmp_path, x=X, y=Y, grid=GRID, ids=IDS)
    assert all(shapes["paths"])
    assert shapes["positions"][2] is None
    assert map_shapes(None, None, np.full((2, 2), np.nan), 2) is None


def test_a_layout_may_hold_a_skipped_bin_without_a_position(tmp_path):
    rng = np.random.default_rng(1)
    data = [{"vel": rng.normal(0, 10, n), "err": np.ones(n)} for n in (20, 3, 20)]
    grid = {"center": 0.0, "width": 100.0, "n_bins": 20}
    options = {"min_stars": 10, "progress": False, "n_jobs": 1, "store": tmp_path / STORE}
    with pytest.warns(UserWarning, match="are skipped: 1"):
        solvers = fit_all_bins(data, grid, {"num_samples": 50}, **options)
    assert solvers[1] is None
    x = np.array([0.0, np.nan, 1.0])
    write_layout(tmp_path / LAYOUT, Layout(GRID, np.array([[1, 1, 3, 3], [1, 1, 3, 3]]), x, x))
    shapes = content(report_on(tmp_path, tmp_path / "r.html"))["shapes"]
    assert shapes["positions"] == [[0, 0], None, [1, 1]]
    assert shapes["paths"][1] is None
    write_layout(tmp_path / LAYOUT, Layout(GRID, IDS % 4, x[[1, 0, 2]], x))
    with pytest.raises(ValueError, match=r"'x' is NaN or infinite in 1 of 3 bins \(0\) that have a solver"):
        report_on(tmp_path, tmp_path / "r.html")


def test_the_pixels_may_be_a_dict(tmp_path):
    expected = write(tmp_path, grid=GRID, ids=IDS)
    for grid in (asdict(GRID), UserDict(asdict(GRID)), asdict(GRID) | {"x_size": 8.0 / 60.0 * u.arcmin}):
        assert write(tmp_path, grid=grid, ids=IDS) == expected
    assert read_grid(GRID, with_angle=True) is GRID


@pytest.mark.parametrize(
    ("grid", "error", "message"),
    [
        ({k: v for k, v in asdict(GRID).items() if k != "nx"}, ValueError, r"grid lacks \['nx'\]"),
        (asdict(GRID) | {"ny": 0}, ValueError, r"grid\['ny'\]"),
        (asdict(GRID) | {"x_size": -1.0}, ValueError, "x_size"),
        (asdict(GRID) | {"x_size": "wide"}, TypeError, r"grid\['x_size'\]"),
        ((4, 2), TypeError, r"voronoi_bin_metadata\['aperture'\], got tuple"),
    ],
)
def test_wrong_pixels_are_named(tmp_path, grid, error, message):
    with pytest.raises(error, match=message):
        write(tmp_path, grid=grid, ids=IDS)
