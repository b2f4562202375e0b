from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table

from tests.helpers.export_solvers import EDGES, gaussian_solver
from tests.helpers.folders import make_metadata
from veldist import KinematicSolver
from veldist.errors import ConvergenceWarning, OrderError
from veldist.export import (
    DynamiteFiles,
    read_aperture,
    read_bins,
    validate_dynamite_inputs,
    write_dynamite_gauss_hermite,
)
from veldist.summaries.gauss_hermite.series_fit import gauss_hermite

NAME = "gauss_hermite_kins.ecsv"


def layout(n_bins: int) -> dict[str, Any]:
    """Columns of two by three pixels, each a bin."""
    return make_metadata(np.repeat(np.arange(1, n_bins + 1), 2)[None].repeat(3, axis=0))


def read(folder: Path) -> Table:
    return Table.read(folder / NAME, format="ascii.ecsv")


def columns_up_to(order: int) -> list[str]:
    names = ["v", "sigma", *(f"h{m}" for m in range(3, order + 1))]
    return ["vbin_id", *(p + name for name in names for p in ("", "d"))]


@pytest.mark.parametrize("order", [4, 5, 6])
def test_table_is_the_posterior_of_the_series(tmp_path: Path, order: int) -> None:
    solvers = [gaussian_solver(v=5.0 * i, sigma=18.0 + i, n_draws=60, seed=i) for i in range(3)]
    solvers.insert(1, None)
    files = write_dynamite_gauss_hermite(solvers, tmp_path, layout(4), order)
    assert files == DynamiteFiles(tmp_path / NAME, tmp_path / "aperture.dat", tmp_path / "bins.dat")
    table = read(tmp_path)
    assert table.colnames == columns_up_to(order)
    assert table["vbin_id"].tolist() == [1, 2, 3]
    for row, solver in enumerate(s for s in solvers if s is not None):
        fit = gauss_hermite(solver.samples["intrinsic_pdf"], EDGES, order=order)
        for name, draws in fit.draws.items():
            low, median, high = np.percentile(draws, [16, 50, 84])
            assert table[name][row] == pytest.approx(median, rel=1e-12)
            assert table[f"d{name}"][row] == pytest.approx(max(0.5 * (high - low), 1e-4), rel=1e-12)
    assert table["v"].unit == table["dsigma"].unit == u.km / u.s
    assert table["h3"].unit is None
    assert all(column.description for column in table.itercols())
    meta = table.meta
    assert dict(meta["PSF"]) == layout(4)["psf"]
    assert meta["original_bin"] == [0, 2, 3]
    assert meta["n_stars"] == [100] * 3
    assert meta["gh_converged"] == [1.0] * 3
    grid = read_aperture(files.aperture)
    renumbered = np.array([0, 1, 0, 2, 3])[layout(4)["pixel_bin_ids"]]
    np.testing.assert_array_equal(read_bins(files.bins, grid), renumbered)
    assert validate_dynamite_inputs(tmp_path) == []


def test_gaussian_draws_have_their_own_velocity_and_dispersion(tmp_path: Path) -> None:
    solver = gaussian_solver(v=7.0, sigma=20.0, n_draws=400, seed=3)
    write_dynamite_gauss_hermite([solver], tmp_path, layout(1))
    (row,) = read(tmp_path)
    for name, truth in zip(("v", "sigma"), solver.truth, strict=True):
        low, median, high = np.percentile(truth, [16, 50, 84])
        # Bins are 0.25 dispersions wide: the series is exact to far less than a bin.
        assert row[name] == pytest.approx(median, abs=0.01)
        assert row[f"d{name}"] == pytest.approx(0.5 * (high - low), abs=0.01)
    assert abs(row["h3"]) < 1e-3
    assert abs(row["h4"]) < 1e-3


def test_a_real_fit_passes_the_checks(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    solver = KinematicSolver()
    solver.setup_grid(0.0, 200.0, 40)
    solver.add_data(rng.normal(0.0, 20.0, 150), np.full(150, 5.0))
    solver.run(num_samples=100, seed=1)
    write_dynamite_gauss_hermite([solver], tmp_path, layout(1))
    assert validate_dynamite_inputs(tmp_path) == []
    (row,) = read(tmp_path)
    # Dispersion of 150 stars: 20 / sqrt(300) = 1.2 km/s, more with errors and h4 free.
    assert abs(row["sigma"] - 20.0) < 5.0
    # Bins of two dispersions do not determine a series: the posterior behind the solver does.
    solver.setup_grid(0.0, 200.0, 5)
    write_dynamite_gauss_hermite([solver], tmp_path / "coarse", layout(1))
    (coarse,) = read(tmp_path / "coarse")
    assert coarse["v"] == pytest.approx(row["v"], abs=0.3)
    assert coarse["sigma"] == pytest.approx(row["sigma"], abs=0.3)


def test_systemic_velocity_is_subtracted(tmp_path: Path) -> None:
    solver = gaussian_solver(v=7.0, n_draws=50)
    write_dynamite_gauss_hermite([solver], tmp_path / "plain", layout(1))
    write_dynamite_gauss_hermite([solver], tmp_path / "shifted", layout(1), v_systemic=4000.0 * u.m / u.s)
    plain, shifted = read(tmp_path / "plain"), read(tmp_path / "shifted")
    assert shifted.meta["v_systemic"] == 4.0
    assert plain["v"][0] - shifted["v"][0] == pytest.approx(4.0, rel=1e-12)
    for name in plain.colnames[2:]:
        assert plain[name][0] == shifted[name][0]


def test_uncertainties_have_floors(tmp_path: Path) -> None:
    solver = gaussian_solver(n_draws=5, scatter=0.0)
    write_dynamite_gauss_hermite([solver], tmp_path, layout(1), velocity_floor=0.5, coefficient_floor=0.02)
    table = read(tmp_path)
    assert [table[f"d{name}"][0] for name in ("v", "sigma", "h3", "h4")] == [0.5, 0.5, 0.02, 0.02]
    assert dict(table.meta["uncertainty_floor"]) == {"velocity": 0.5, "coefficient": 0.02, "n_floored": 4}
    # Gaussian draws differ in v and sigma alone.
    write_dynamite_gauss_hermite([gaussian_solver(n_draws=50, scatter=3.0)], tmp_path, layout(1))
    table = read(tmp_path)
    assert table.meta["uncertainty_floor"]["n_floored"] == 2
    assert table["dh3"][0] == table["dh4"][0] == 1e-4 < 0.1 < table["dv"][0]


def test_fits_that_do_not_converge_are_warned_about(tmp_path: Path) -> None:
    """All stars in two velocity bins: no series of four parameters is determined."""
    bad = gaussian_solver(n_draws=40)
    bad.samples["intrinsic_pdf"][:15] = 0.0
    bad.samples["intrinsic_pdf"][:15, 23:25] = 0.5
    solvers = [gaussian_solver(n_draws=40), None, bad]
    match = r"in 1 of 3 bins \(index 2\); the worst is index 2 with"
    with pytest.warns(ConvergenceWarning, match=match) as seen:
        write_dynamite_gauss_hermite(solvers, tmp_path, layout(3))
    assert Path(seen[0].filename) == Path(__file__)
    assert read(tmp_path).meta["gh_converged"][1] == 25 / 40
    bad.samples["intrinsic_pdf"][:] = bad.samples["intrinsic_pdf"][0]
    with pytest.raises(
        ValueError, match=r"hardly any Gauss-Hermite fit converged in 1 of 3 bins \(index 2\)"
    ):
        write_dynamite_gauss_hermite(solvers, tmp_path, layout(3))


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"order": 3}, "order must be at least 4"),
        ({"order": 7}, "order must be 4 to 6"),
        ({"velocity_floor": 0.0}, "velocity_floor must be positive"),
        ({"coefficient_floor": -1.0}, "coefficient_floor must be positive"),
        ({"kin_filename": "bins.dat"}, "must differ from each other"),
        ({"v_systemic": np.inf}, "v_systemic must be finite"),
    ],
)
def test_bad_arguments_write_nothing(tmp_path: Path, kwargs: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        write_dynamite_gauss_hermite([gaussian_solver(n_draws=5)], tmp_path / "out", layout(1), **kwargs)
    assert not (tmp_path / "out").exists()


def test_solvers_that_were_not_run_and_files_that_exist(tmp_path: Path) -> None:
    solver = KinematicSolver.from_fit(replace(gaussian_solver(n_draws=5).fit, draws=None))
    with pytest.raises(OrderError, match=r"in 1 of 1 bins"):
        write_dynamite_gauss_hermite([solver], tmp_path, layout(1))
    (tmp_path / NAME).write_text("mine")
    with pytest.raises(FileExistsError, match=NAME):
        write_dynamite_gauss_hermite([gaussian_solver(n_draws=5)], tmp_path, layout(1), overwrite=False)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["mine"]
