"""Padding, systemic velocity, floors and overwriting in an export of histogram LOSVDs."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from scipy.stats import norm

from tests.helpers.export_solvers import gaussian_solver
from tests.helpers.folders import IDS, make_metadata, make_solver
from tests.helpers.solvers import made_solver
from veldist import write_dynamite_kinematics
from veldist.errors import GridWarning
from veldist.export import (
    read_dynamite_kinematics,
    validate_dynamite_inputs,
    write_dynamite_gauss_hermite,
)
from veldist.export.dynamite.doubts import warn_cut
from veldist.export.rows.cut import cut_of
from veldist.fits import clipping
from veldist.fits.grid import VelocityGrid

NAMES = ("bayes_losvd_kins.ecsv", "aperture.dat", "bins.dat")


def layout(n_bins: int) -> dict[str, Any]:
    """Bins side by side, two pixels each."""
    return make_metadata(np.repeat(np.arange(1, n_bins + 1), 2)[None])


def solvers_with_gap() -> list[Any]:
    return [make_solver(0), None, *(make_solver(i) for i in range(2, 6))]


def write(folder: Path, **kwargs: Any) -> Table:
    write_dynamite_kinematics(solvers_with_gap(), folder, make_metadata(IDS), **kwargs)
    return Table.read(folder / NAMES[0], format="ascii.ecsv")


def test_skipped_bins_are_mapped_to_the_solvers(tmp_path: Path) -> None:
    table = write(tmp_path)
    assert table["original_bin"].tolist() == table.meta["original_bin"] == [0, 2, 3, 4, 5]
    assert table["binID_dynamite"].tolist() == [1, 2, 3, 4, 5]


def test_padding_adds_an_empty_bin_on_each_side(tmp_path: Path) -> None:
    plain, padded = write(tmp_path / "plain"), write(tmp_path / "padded", pad=True)
    n = plain.meta["nvbins"]
    assert padded.meta["nvbins"] == n + 2
    assert (plain.meta["padded"], padded.meta["padded"]) == (False, True)
    assert padded.meta["vcent"][1:-1] == plain.meta["vcent"]
    np.testing.assert_allclose(np.diff(padded.meta["vcent"]), plain.meta["dv"], rtol=1e-12)
    for j in range(n):
        np.testing.assert_array_equal(padded[f"losvd_{j + 1}"], plain[f"losvd_{j}"])
        np.testing.assert_array_equal(padded[f"dlosvd_{j + 1}"], plain[f"dlosvd_{j}"])
    for j in (0, n + 1):
        assert not padded[f"losvd_{j}"].any()
        assert (padded[f"dlosvd_{j}"] > 0).all()
    np.testing.assert_allclose(padded["v"], plain["v"], rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(padded["sigma"], plain["sigma"], rtol=1e-12)
    assert validate_dynamite_inputs(tmp_path / "padded") == []


def test_the_uncertainty_of_padding_is_the_floor(tmp_path: Path) -> None:
    known, unknown = gaussian_solver(seed=1), gaussian_solver(seed=2)
    large = {"losvd_uncertainty": np.linspace(0.02, 0.03, 48)}
    unknown.clipped_samples = {"losvd_median": unknown.clipped_samples["losvd_median"]} | large
    # No uncertainty of this one was so small that the floor raised it.
    known.clipped_samples = known.clipped_samples | large
    write_dynamite_kinematics([known, unknown], tmp_path, layout(2), pad=True)
    table = Table.read(tmp_path / NAMES[0], format="ascii.ecsv")
    floor = 0.01 * known.clipped_samples["losvd_median"].max()
    for j in (0, 49):
        np.testing.assert_allclose(table[f"dlosvd_{j}"], [floor, 0.02], rtol=1e-12)


def cut_solver() -> Any:
    """A dispersion of 20 km/s on a grid of +-30 km/s, which holds 86.6 % of it."""
    solver = gaussian_solver(edges=np.linspace(-30.0, 30.0, 13))
    solver.samples["outside_grid"][:] = 2.0 * norm.sf(1.5)
    return solver


@pytest.mark.parametrize("pad", [False, True])
def test_padding_does_not_hide_that_the_grid_cuts(tmp_path: Path, pad: bool) -> None:
    with pytest.warns(
        GridWarning, match=r"13.36% outside.*setup_grid\(\) after run\(\).*truncate_losvd"
    ) as caught:
        write_dynamite_kinematics([cut_solver()], tmp_path, make_metadata(np.array([[1]])), pad=pad)
    assert Path(caught[0].filename) == Path(__file__)
    assert "edge-mass" in {p.rule for p in validate_dynamite_inputs(tmp_path)}
    with pytest.warns(GridWarning, match="13.36% outside"):
        write_dynamite_gauss_hermite([cut_solver()], tmp_path / "gh", make_metadata(np.array([[1]])))


def test_mass_outside_counts_unless_the_losvd_was_truncated() -> None:
    """A second component beyond the grid leaves the outermost bins empty; truncation empties full ones."""
    solver = gaussian_solver()
    warn_cut({1: cut_of(solver.fit)}, 2, stacklevel=1)  # no warning: pytest makes them errors
    solver.samples["outside_grid"][:] = 0.1
    with pytest.warns(GridWarning, match=r"1 of 2 bins \(index 1\).* 10.00% outside"):
        warn_cut({1: cut_of(solver.fit)}, 2, stacklevel=1)
    solver = cut_solver()
    solver.truncate_losvd(1.4)
    warn_cut({0: cut_of(solver.fit)}, 1, stacklevel=1)
    with pytest.warns(GridWarning, match="13.36% outside"):
        warn_cut({0: cut_of(solver.fit, draws=True)}, 1, stacklevel=1, draws=True)
    solver.clipped_samples = None
    with pytest.warns(GridWarning, match="13.36% outside"):
        warn_cut({0: cut_of(solver.fit)}, 1, stacklevel=1)


def test_a_table_that_loses_its_bin_map_is_named(tmp_path: Path) -> None:
    solvers = [gaussian_solver(seed=i, n_draws=50) for i in range(2)]
    write_dynamite_kinematics(solvers, tmp_path, layout(2))
    write_dynamite_gauss_hermite(solvers, tmp_path, layout(2))  # the same bins: no warning
    with pytest.warns(
        UserWarning, match=r"'bins.dat' in .* 'bayes_losvd_kins.ecsv' there.*another output_dir"
    ):
        write_dynamite_gauss_hermite([None, solvers[1]], tmp_path, layout(2))
    write_dynamite_gauss_hermite([None, solvers[1]], tmp_path / "new", layout(2))
    write_dynamite_gauss_hermite(solvers, tmp_path / "new", layout(2))  # its own table


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", "scratch")

    monkeypatch.setattr(tempfile, "mkdtemp", refuse)
    with pytest.raises(PermissionError, match=r"the folder '.*out' cannot be written to .*: choose another"):
        write(tmp_path / "deep" / "out")
    assert not list(tmp_path.iterdir())


def test_a_failed_export_leaves_no_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*args: Any, **kwargs: Any) -> int:
        raise OSError(errno.ENOSPC, "no room.*[Nn]o space left")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match=r"no room.*[Nn]o space left"):
        write(tmp_path / "deep" / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("pad", [False, True])
@pytest.mark.parametrize("v_systemic", [50.0, 0.05 * u.Unit("Mm/s")])
def test_systemic_velocity_is_subtracted_everywhere(tmp_path: Path, v_systemic: Any, pad: bool) -> None:
    plain = write(tmp_path / "plain", pad=pad)
    shifted = write(tmp_path / "shifted", pad=pad, v_systemic=v_systemic)
    np.testing.assert_allclose(np.array(plain.meta["vcent"]) - shifted.meta["vcent"], 50.0, rtol=1e-12)
    np.testing.assert_allclose(plain["v"] - shifted["v"], 50.0, rtol=1e-12)
    np.testing.assert_allclose(plain["sigma"], shifted["sigma"], rtol=1e-12)
    assert shifted.meta["v_systemic"] == pytest.approx(50.0, rel=1e-12)
    assert plain.meta["v_systemic"] == 0.0
    np.testing.assert_array_equal(plain["losvd_7"], shifted["losvd_7"])


@pytest.mark.parametrize("bad", [np.nan, "fast", 3.0 * u.arcsec])
def test_systemic_velocity_must_be_one(tmp_path: Path, bad: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="v_systemic"):
        write(tmp_path / "out", v_systemic=bad)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_replaced_unless_allowed(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsError, match=rf"{name}' exists: pass overwrite=True"):
        write(tmp_path, overwrite=False)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["mine"]
    write(tmp_path, overwrite=True)
    with pytest.raises(FileExistsError, match=r"ecsv' and '.*aperture.dat' and '.*bins.dat' exist: pass"):
        write(tmp_path, overwrite=False)
    write(tmp_path / "new", overwrite=False)


def test_floors_are_recorded(tmp_path: Path) -> None:
    solvers = [gaussian_solver(seed=i, scatter=5.0) for i in range(3)]
    draws = [s.samples["intrinsic_pdf"] for s in solvers]
    solvers[0].clipped_samples = clipping.clip(draws[0], 0.05, 1e-10)
    solvers[1].clipped_samples = clipping.clip(draws[1], 0.0, 1e-4)
    solvers[2].clipped_samples = {k: v for k, v in solvers[2].clipped_samples.items() if k != "floor"}
    write_dynamite_kinematics(solvers, tmp_path, layout(3))
    floor = Table.read(tmp_path / NAMES[0], format="ascii.ecsv").meta["uncertainty_floor"]
    assert floor["fraction"] == [0.05, 0.0, None]
    assert floor["absolute"] == [1e-10, 1e-4, None]
    for row, value in enumerate([0.05 * np.median(draws[0], axis=0).max(), 1e-4]):
        assert floor["value"][row] == pytest.approx(value, rel=1e-12)
        low, high = np.percentile(draws[row], [16, 84], axis=0)
        assert floor["n_floored"][row] == np.count_nonzero(0.5 * (high - low) < value)
    assert floor["n_floored"][2] is floor["value"][2] is None
    assert 0 < floor["n_floored"][0] < 48


def test_floors_that_are_not_known_are_not_mentioned(tmp_path: Path) -> None:
    assert "uncertainty_floor" not in write(tmp_path).meta


def test_truncation_keeps_the_floor_in_step_with_the_uncertainties() -> None:
    solver = gaussian_solver()
    before = clipping.clip(solver.samples["intrinsic_pdf"], 0.05, 1e-10)
    after = clipping.truncate(before, solver.grid["centers"], 2.0, 1e-10)
    assert before["floored"].any()
    for clipped in (before, after):
        error, floor = (clipped[name][clipped["floored"]] for name in ("losvd_uncertainty", "floor"))
        np.testing.assert_allclose(error, floor, rtol=1e-12)
    assert after["floor"].max() > before["floor"].max()


def test_a_single_velocity_bin_and_row(tmp_path: Path) -> None:
    clipped = {"losvd_median": np.ones(1), "losvd_uncertainty": np.full(1, 0.01)}
    solver = made_solver(VelocityGrid(np.array([-7.0, 13.0]), 20.0), 9, draws={}, clipped=clipped)
    with pytest.warns(GridWarning, match="100.00% in an outermost"):
        write_dynamite_kinematics([solver], tmp_path, make_metadata(np.array([[1]])), pad=True)
    found = read_dynamite_kinematics(tmp_path)
    np.testing.assert_array_equal(found.edges, [-27.0, -7.0, 13.0, 33.0])
    np.testing.assert_array_equal(found.losvd, [[0.0, 1.0, 0.0]])
