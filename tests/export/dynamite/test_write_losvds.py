from __future__ import annotations

import copy
import math
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.io import ascii as astropy_ascii
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

import veldist
from tests.helpers.export_solvers import gaussian_solver
from tests.helpers.solvers import made_solver
from veldist import KinematicSolver
from veldist.errors import GridWarning
from veldist.export.dynamite.write_losvds import DynamiteFiles, write_dynamite_kinematics
from veldist.fits.grid import VelocityGrid

NAMES = ("bayes_losvd_kins.ecsv", "aperture.dat", "bins.dat")


GRID = VelocityGrid.of(5.0, 240.0, 24)


def solver_of(median: Any, uncertainty: Any, n_stars: int = 100, grid: VelocityGrid = GRID) -> Any:
    clipped = {"losvd_median": median, "losvd_uncertainty": uncertainty}
    return made_solver(grid, n_stars, draws={}, clipped=clipped)


def make_solver(i: int) -> Any:
    """Gaussian masses inside +-105 km/s that sum to a little less than 1, as medians do."""
    rng = np.random.default_rng(i)
    mass = np.diff(norm.cdf(GRID.edges, rng.normal(0.0, 10.0), 20.0)) * rng.uniform(0.9, 1.0)
    mass[[0, -1]] = 0.0
    return solver_of(mass, rng.uniform(1e-3, 1e-2, mass.size), n_stars=30 + i)


def median(solver: Any) -> np.ndarray:
    return solver.clipped_samples["losvd_median"]


def uncertainty(solver: Any) -> np.ndarray:
    return solver.clipped_samples["losvd_uncertainty"]


def make_metadata(n_bins: int, nx: int = 5, ny: int = 3) -> dict[str, Any]:
    """Every id 1..n_bins and 0 in turn along x, each bin's centre in its first pixel."""
    first = range(1, n_bins + 1)
    x = [-12.3 + 25.0 / nx * (k % nx + 1.0 / 3.0) for k in first]
    y = [-1.0 / 3.0 + (1e-5 + 15.0) / ny * (k // nx + 1.0 / 7.0) for k in first]
    return {
        "bins": [{"xbin": x[i], "ybin": y[i], "bin_flux": 0.5 + i} for i in range(n_bins)],
        "aperture": {
            "x_start": -12.3,
            "y_start": -1.0 / 3.0,
            "x_size": 25.0,
            "y_size": 1e-5 + 15.0,
            "angle_deg": 33.3,
            "nx": nx,
            "ny": ny,
        },
        "pixel_bin_ids": np.arange(nx * ny) % (n_bins + 1),
        "psf": {"sigma": [0.3, 1.1], "weight": [0.7, 0.3]},
    }


@dataclass
class Reread:
    table: Table
    aperture: list[list[str]]
    ids: np.ndarray
    lines: list[str]


def read_like_dynamite(directory: Path) -> Reread:
    """Re-read an export by DYNAMITE's rules, written independently of the writer."""
    table = astropy_ascii.read(directory / NAMES[0])  # without telling the format
    assert type(table) is Table
    for name in table.colnames:
        assert table[name].dtype.kind in "if", f"{name} is no number"
        assert not np.isnan(table[name]).any()
    meta = table.meta
    assert abs(sum(meta["PSF"]["weight"]) - 1.0) <= 1e-8
    assert len(meta["PSF"]["sigma"]) == len(meta["PSF"]["weight"])
    nbins, nvbins = meta["nbins"], meta["nvbins"]
    assert nbins == len(table)
    assert len(meta["vcent"]) == nvbins
    np.testing.assert_allclose(np.diff(meta["vcent"]), meta["dv"], rtol=1e-9)
    assert meta["dv"] > 0
    fixed = ["binID_BayesLOSVD", "bin_flux", "binID_dynamite", "v", "sigma", "xbin", "ybin"]
    pairs = [name for j in range(nvbins) for name in (f"losvd_{j}", f"dlosvd_{j}")]
    assert table.colnames == fixed + pairs + ["bin_id", "original_bin"]
    for j in range(nvbins):
        assert (table[f"dlosvd_{j}"] > 0).all()
        assert (table[f"losvd_{j}"] >= 0).all()

    aperture = [line.split() for line in (directory / NAMES[1]).read_text().splitlines()]
    assert aperture[0][0].startswith("#")
    assert [len(row) for row in aperture[1:]] == [2, 2, 1, 2]
    nx, ny = (int(token) for token in aperture[4])

    lines = (directory / NAMES[2]).read_text().splitlines()
    assert lines[0].split()[0].startswith("#")
    assert len(lines[1].split()) == 1
    ids = np.array([int(token) for line in lines[2:] for token in line.split()])
    assert int(lines[1]) == ids.size == nx * ny

    last = int(table.columns[0][-1])
    if table.columns[0][0] == 0:
        last += 1
    assert last == len(table) == ids.max()
    np.testing.assert_array_equal(table["binID_dynamite"], np.arange(1, nbins + 1))
    assert set(range(1, nbins + 1)) <= set(ids.tolist()), "a row no pixel points to"
    return Reread(table, aperture, ids, lines)


def losvds(table: Table, prefix: str = "losvd") -> np.ndarray:
    return np.column_stack([table[f"{prefix}_{j}"] for j in range(table.meta["nvbins"])])


def snapshot(directory: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in directory.rglob("*") if p.is_file()}


# ---------------------------------------------------------------- what is written


def test_three_files_pass_dynamites_rules(tmp_path: Path) -> None:
    out = tmp_path / "a" / "b"
    files = write_dynamite_kinematics([make_solver(i) for i in range(4)], str(out), make_metadata(4))
    assert files == DynamiteFiles(*(out / name for name in NAMES))
    assert sorted(p.name for p in out.iterdir()) == sorted(NAMES)
    read_like_dynamite(out)


def test_first_lines_are_those_of_dynamites_scripts(tmp_path: Path) -> None:
    files = write_dynamite_kinematics([make_solver(0)], tmp_path, make_metadata(1))
    first = [path.read_text().splitlines()[0] for path in (files.aperture, files.bins)]
    assert first == ["#counter_rotation_boxed_aperturefile_version_2", "#Counterrotaton_binning_version_1"]


def test_is_exported_by_the_package() -> None:
    assert veldist.write_dynamite_kinematics is write_dynamite_kinematics


def test_numbers_come_back_unchanged(tmp_path: Path) -> None:
    solvers = [make_solver(i) for i in range(4)]
    metadata = make_metadata(4)
    write_dynamite_kinematics(solvers, tmp_path, metadata)
    read = read_like_dynamite(tmp_path)
    np.testing.assert_array_equal(losvds(read.table), [median(s) for s in solvers])
    np.testing.assert_array_equal(losvds(read.table, "dlosvd"), [uncertainty(s) for s in solvers])
    assert read.table["xbin"].tolist() == [b["xbin"] for b in metadata["bins"]]
    assert read.table["ybin"].tolist() == [b["ybin"] for b in metadata["bins"]]
    a = metadata["aperture"]
    numbers = [float(token) for row in read.aperture[1:] for token in row]
    assert numbers == [a[k] for k in ("x_start", "y_start", "x_size", "y_size", "angle_deg", "nx", "ny")]
    meta = read.table.meta
    assert meta["vcent"] == GRID.centers.tolist()
    assert meta["dv"] == 10.0
    assert dict(meta["PSF"]) == metadata["psf"]


def test_metadata_beyond_dynamites(tmp_path: Path) -> None:
    solvers = [make_solver(0), None, make_solver(2)]
    write_dynamite_kinematics(solvers, tmp_path, make_metadata(3))
    read = read_like_dynamite(tmp_path)
    meta = read.table.meta
    sums = [median(s).sum() for s in solvers if s]
    assert meta["velocity_unit"] == "km/s"
    assert meta["original_bin"] == [0, 2]
    assert meta["n_stars"] == [30, 32]
    assert meta["bin_flux_mode"] == "nstars"
    assert meta["veldist_version"] == veldist.__version__
    np.testing.assert_allclose(meta["losvd_sum_range"], [min(sums), max(sums)], rtol=1e-14)
    np.testing.assert_array_equal(read.table["bin_id"], [1, 2])
    assert read.table["v"].unit == u.km / u.s
    assert read.table["sigma"].unit == u.km / u.s
    assert read.table["xbin"].unit == read.table["ybin"].unit == u.arcsec
    assert all(column.description for column in read.table.itercols())


def test_medians_are_not_rescaled(tmp_path: Path) -> None:
    solver = solver_of(0.8 * median(make_solver(0)), uncertainty(make_solver(0)))
    write_dynamite_kinematics([solver], tmp_path, make_metadata(1))
    np.testing.assert_array_equal(losvds(read_like_dynamite(tmp_path).table)[0], median(solver))


def test_v_and_sigma_by_hand(tmp_path: Path) -> None:
    """Masses 0.2 at -15, 0.6 at -5 and 0.1 at 25 km/s, out of a sum of 0.9."""
    mass = np.zeros(6)
    mass[[1, 2, 5]] = 0.2, 0.6, 0.1
    mass = np.append(mass, 0.0)
    solver = solver_of(mass, np.full(7, 0.01), grid=VelocityGrid(np.arange(-30.0, 41.0, 10.0), 70.0))
    np.testing.assert_array_equal(solver.grid["centers"], [-25, -15, -5, 5, 15, 25, 35])
    write_dynamite_kinematics([solver], tmp_path, make_metadata(1))
    table = read_like_dynamite(tmp_path).table
    mean = (0.2 * -15 + 0.6 * -5 + 0.1 * 25) / 0.9
    square = (0.2 * 225 + 0.6 * 25 + 0.1 * 625) / 0.9
    assert table["v"][0] == pytest.approx(mean, rel=1e-13)
    assert table["sigma"][0] == pytest.approx(math.sqrt(square - mean**2), rel=1e-13)


def test_moving_the_grid_moves_v_only(tmp_path: Path) -> None:
    masses = median(make_solver(3)), uncertainty(make_solver(3))
    tables = []
    for shift in (0.0, 300.0):
        solver = solver_of(*masses, grid=VelocityGrid.of(shift, 240.0, 24))
        write_dynamite_kinematics([solver], tmp_path, make_metadata(1))
        tables.append(read_like_dynamite(tmp_path).table)
    # 1e-11: rounding of sums of 24 terms of up to 420 km/s.
    assert tables[1]["v"][0] - tables[0]["v"][0] == pytest.approx(300.0, abs=1e-11)
    assert tables[1]["sigma"][0] == pytest.approx(tables[0]["sigma"][0], abs=1e-11)


@pytest.mark.parametrize(
    ("mode", "expected"), [("nstars", [30, 32, 33]), ("uniform", [1, 1, 1]), ("custom", [0.5, 2.5, 3.5])]
)
def test_bin_flux(tmp_path: Path, mode: str, expected: list[float]) -> None:
    solvers = [make_solver(0), None, make_solver(2), make_solver(3)]
    write_dynamite_kinematics(solvers, tmp_path, make_metadata(4), bin_flux_mode=mode)
    assert read_like_dynamite(tmp_path).table["bin_flux"].tolist() == expected


@pytest.mark.filterwarnings("ignore:the centres")  # the map is not that of the centres
def test_skipped_bins_are_renumbered(tmp_path: Path) -> None:
    solvers = [None, make_solver(1), None, make_solver(3), make_solver(4), None]
    metadata = make_metadata(6, nx=4, ny=2)
    metadata["pixel_bin_ids"] = np.array([[6, 5, 4, 3], [2, 1, 0, 5]])
    write_dynamite_kinematics(solvers, tmp_path, metadata)
    read = read_like_dynamite(tmp_path)
    assert read.ids.tolist() == [0, 3, 2, 0, 1, 0, 0, 3]
    assert read.table.meta["original_bin"] == [1, 3, 4]
    assert read.table["binID_BayesLOSVD"].tolist() == [0, 1, 2]
    assert read.table["bin_flux"].tolist() == [31, 33, 34]
    assert read.table["xbin"].tolist() == [metadata["bins"][i]["xbin"] for i in (1, 3, 4)]


def test_last_bin_skipped(tmp_path: Path) -> None:
    write_dynamite_kinematics([make_solver(0), make_solver(1), None], tmp_path, make_metadata(3))
    assert read_like_dynamite(tmp_path).ids.max() == 2


@pytest.mark.parametrize("flat", [True, False])
def test_x_runs_fastest(tmp_path: Path, flat: bool) -> None:
    """Pixel (ix, iy) is number iy * nx + ix of the file, whichever shape was passed."""
    nx, ny = 7, 4
    image = np.array([[1 if iy == 0 else 2 if ix == 0 else 0 for ix in range(nx)] for iy in range(ny)])
    metadata = make_metadata(2, nx, ny)
    metadata["pixel_bin_ids"] = [int(i) for i in image.ravel()] if flat else image
    write_dynamite_kinematics([make_solver(0), make_solver(1)], tmp_path, metadata)
    ids = read_like_dynamite(tmp_path).ids
    for iy in range(ny):
        for ix in range(nx):
            assert ids[iy * nx + ix] == image[iy, ix]


@pytest.mark.parametrize(("nx", "ny", "full", "rest"), [(5, 4, 2, 0), (7, 3, 2, 1), (3, 3, 0, 9)])
def test_ten_ids_to_a_line(tmp_path: Path, nx: int, ny: int, full: int, rest: int) -> None:
    write_dynamite_kinematics([make_solver(0)], tmp_path, make_metadata(1, nx, ny))
    lines = read_like_dynamite(tmp_path).lines
    assert [len(line.split()) for line in lines[2:]] == [10] * full + [rest] * (rest > 0)


def test_quantities_are_converted(tmp_path: Path) -> None:
    plain = make_metadata(2)
    units = copy.deepcopy(plain)
    for entry in units["bins"]:
        entry["xbin"] = (entry["xbin"] * u.arcsec).to(u.arcmin)
        entry["ybin"] = (entry["ybin"] * u.arcsec).to(u.deg)
    for key in ("x_start", "y_start", "x_size", "y_size"):
        units["aperture"][key] = (units["aperture"][key] * u.arcsec).to(u.arcmin)
    units["aperture"]["angle_deg"] = (plain["aperture"]["angle_deg"] * u.deg).to(u.rad)
    units["psf"] = {"sigma": (plain["psf"]["sigma"] * u.arcsec).to(u.marcsec), "weight": [70, 30] * u.percent}
    reads = []
    for metadata in (plain, units):
        write_dynamite_kinematics([make_solver(0), make_solver(1)], tmp_path, metadata)
        reads.append(read_like_dynamite(tmp_path))
    for name in ("xbin", "ybin"):
        np.testing.assert_allclose(reads[1].table[name], reads[0].table[name], rtol=1e-14)
    numbers = [[float(token) for row in r.aperture[1:] for token in row] for r in reads]
    np.testing.assert_allclose(numbers[1], numbers[0], rtol=1e-14)
    for key in ("sigma", "weight"):
        np.testing.assert_allclose(
            reads[1].table.meta["PSF"][key], reads[0].table.meta["PSF"][key], rtol=1e-14
        )
    units["psf"]["sigma"] = [300 * u.marcsec, 1.1 * u.arcsec]
    write_dynamite_kinematics([make_solver(0), make_solver(1)], tmp_path, units)
    np.testing.assert_allclose(read_like_dynamite(tmp_path).table.meta["PSF"]["sigma"], [0.3, 1.1])


def test_solvers_are_left_as_they_are(tmp_path: Path) -> None:
    fresh, clipped = gaussian_solver(seed=0), gaussian_solver(seed=1)
    fresh.clipped_samples = None
    clipped.clip_uncertainties(floor_fraction=0.3)
    before = dict(clipped.clipped_samples)
    write_dynamite_kinematics([fresh, clipped], tmp_path, make_metadata(2))
    assert fresh.clipped_samples is None
    assert all(values is before[name] for name, values in clipped.clipped_samples.items())
    written = losvds(read_like_dynamite(tmp_path).table, "dlosvd")
    np.testing.assert_array_equal(written, [uncertainty(clipped_by_default(fresh)), uncertainty(clipped)])


def clipped_by_default(solver: Any) -> Any:
    solver.clip_uncertainties()
    return solver


@st.composite
def layouts(draw: st.DrawFn) -> tuple[list[bool], np.ndarray]:
    """A mask of solved bins and an image of ids in which each of these has a pixel."""
    solved = draw(st.lists(st.booleans(), min_size=1, max_size=12).filter(any))
    nx, ny = draw(st.integers(4, 9)), draw(st.integers(3, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    ids = rng.integers(0, len(solved) + 1, nx * ny)
    wanted = np.flatnonzero(solved) + 1
    ids[rng.choice(nx * ny, wanted.size, replace=False)] = wanted
    return solved, ids.reshape(ny, nx)


@pytest.mark.filterwarnings("ignore:the centres")  # the maps are random
@settings(max_examples=25, deadline=None)
@given(layouts(), st.booleans())
def test_every_pixel_finds_its_losvd(
    tmp_path_factory: pytest.TempPathFactory, layout: tuple[list[bool], np.ndarray], flat: bool
) -> None:
    solved, image = layout
    out = tmp_path_factory.mktemp("export")
    solvers = [make_solver(i) if ok else None for i, ok in enumerate(solved)]
    metadata = make_metadata(len(solved), image.shape[1], image.shape[0])
    metadata["pixel_bin_ids"] = image.ravel() if flat else image
    write_dynamite_kinematics(solvers, out, metadata)
    read = read_like_dynamite(out)
    written = losvds(read.table)
    for pixel, original in enumerate(image.ravel()):
        row = read.ids[pixel] - 1
        solver = solvers[original - 1] if original > 0 else None
        if solver is None:
            assert row == -1
        else:
            np.testing.assert_array_equal(written[row], median(solver))
            assert read.table["xbin"][row] == metadata["bins"][original - 1]["xbin"]
            assert read.table.meta["original_bin"][row] == original - 1


# ---------------------------------------------------------------- a failure changes nothing


@pytest.fixture(params=["fresh directory", "over a previous export"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "over a previous export":
        write_dynamite_kinematics([make_solver(9)], tmp_path, make_metadata(1))
        (tmp_path / "notes.txt").write_text("mine")
    return tmp_path


def export_two(directory: Path) -> None:
    write_dynamite_kinematics([make_solver(0), make_solver(1)], directory, make_metadata(2))


def test_failing_last_write_changes_nothing(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text = Path.write_text

    def full_disk(self: Path, *args: Any, **kwargs: Any) -> int:
        if self.name == "bins.dat":
            raise OSError("no space left")
        return write_text(self, *args, **kwargs)

    before = snapshot(target)
    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="no space left"):
        export_two(target)
    assert snapshot(target) == before


@pytest.mark.parametrize("failing", NAMES)
def test_failing_move_restores_what_was_there(
    target: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    move = Path.replace

    def refuse(self: Path, to: Path) -> Path:
        if self.name == failing and self.parent.name == "new":
            raise PermissionError("in use")
        return move(self, to)

    before = snapshot(target)
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(PermissionError, match="in use"):
        export_two(target)
    assert snapshot(target) == before


def test_success_leaves_only_the_new_files(target: Path) -> None:
    others = set(snapshot(target)) - set(NAMES)
    export_two(target)
    assert set(snapshot(target)) == others | set(NAMES)
    assert {p.name for p in target.iterdir()} == others | set(NAMES)
    assert len(read_like_dynamite(target).table) == 2


# ---------------------------------------------------------------- what is refused


def assert_refused(
    tmp_path: Path, solvers: Any, metadata: Any, error: type[Exception], match: str, **kwargs: Any
) -> None:
    out = tmp_path / "out"
    with pytest.raises(error, match=match):
        write_dynamite_kinematics(solvers, out, metadata, **kwargs)
    assert not out.exists()


@pytest.mark.parametrize("previous", [True, False])
@pytest.mark.parametrize("what", ["solver", "mass", "pixels", "flux"])
def test_refusal_writes_nothing(tmp_path: Path, what: str, previous: bool) -> None:
    solvers, metadata = [make_solver(0), make_solver(1)], make_metadata(2)
    if what == "solver":
        solvers[1] = KinematicSolver.from_fit(replace(solvers[1].fit, draws=None))
    elif what == "mass":
        uncertainty(solvers[1])[5] = 0.0
    elif what == "pixels":
        metadata["pixel_bin_ids"][3] = 3
    else:
        del metadata["bins"][1]["bin_flux"]
    if previous:
        write_dynamite_kinematics([make_solver(9)], tmp_path, make_metadata(1))
    before = snapshot(tmp_path)
    with pytest.raises(ValueError):
        write_dynamite_kinematics(solvers, tmp_path, metadata, bin_flux_mode="custom")
    assert snapshot(tmp_path) == before


def test_unknown_flux_mode(tmp_path: Path) -> None:
    match = r"one of \['nstars', 'nmembers', 'uniform', 'custom'\], got 'lum'"
    assert_refused(tmp_path, [make_solver(0)], make_metadata(1), ValueError, match, bin_flux_mode="lum")


@pytest.mark.parametrize(
    ("names", "error", "match"),
    [
        ({"bins_filename": "aperture.dat"}, ValueError, "must differ from each other"),
        ({"bins_filename": "sub/bins.dat"}, ValueError, "bins_filename must be a file name without"),
        ({"kin_filename": ""}, ValueError, "kin_filename must be a file name"),
        ({"aperture_filename": 3}, TypeError, "aperture_filename must be a str, got 3"),
    ],
)
def test_bad_file_names(tmp_path: Path, names: dict[str, Any], error: type[Exception], match: str) -> None:
    assert_refused(tmp_path, [make_solver(0)], make_metadata(1), error, match, **names)


def test_places_that_are_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "aperture.dat").mkdir()
    with pytest.raises(NotADirectoryError, match="name a directory"):
        write_dynamite_kinematics([make_solver(0)], tmp_path / "file", make_metadata(1))
    with pytest.raises(IsADirectoryError, match=r"aperture.dat. is a directory: name a file"):
        write_dynamite_kinematics([make_solver(0)], tmp_path, make_metadata(1))
    assert snapshot(tmp_path) == {"file": b"mine"}


def test_own_file_names(tmp_path: Path) -> None:
    files = write_dynamite_kinematics(
        [make_solver(0)], tmp_path, make_metadata(1), "k.ecsv", "a.dat", "b.dat"
    )
    assert [files.kinematics.name, files.aperture.name, files.bins.name] == ["k.ecsv", "a.dat", "b.dat"]
    assert set(snapshot(tmp_path)) == {"k.ecsv", "a.dat", "b.dat"}


# ---------------------------------------------------------------- what is warned of


def test_mass_in_outermost_bins(tmp_path: Path) -> None:
    solvers = [make_solver(0), None, make_solver(2), make_solver(3)]
    median(solvers[2])[0] = 0.02
    median(solvers[3])[-1] = 0.03
    share = 0.03 / median(solvers[3]).sum()
    match = rf"in 2 of 4 bins \(indices 2, 3\); the worst is index 3 with {share:.2%}"
    with pytest.warns(GridWarning, match=match) as caught:
        write_dynamite_kinematics(solvers, tmp_path, make_metadata(4))
    assert Path(caught[0].filename) == Path(__file__)
    read_like_dynamite(tmp_path)


def test_a_warning_turned_into_an_error_writes_nothing(tmp_path: Path) -> None:
    solver = make_solver(0)
    median(solver)[0] = 0.02
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_refused(tmp_path, [solver], make_metadata(1), GridWarning, "outermost velocity bin")
