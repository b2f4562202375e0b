"""Everything that the writers write passes the validator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.helpers.folders import IDS, make_metadata, make_solver
from veldist import write_dynamite_kinematics
from veldist.export import write_dynamite_gauss_hermite
from veldist.export.checks.folder import validate_dynamite_inputs
from veldist.fits.grid import VelocityGrid


def solvers_of(n: int, **kwargs: Any) -> list[Any]:
    return [make_solver(i, **kwargs) for i in range(n)]


def test_skipped_bins_pass(tmp_path: Path) -> None:
    solvers = [s if i not in (1, 5) else None for i, s in enumerate(solvers_of(6))]
    write_dynamite_kinematics(solvers, tmp_path, make_metadata(IDS))
    assert validate_dynamite_inputs(tmp_path) == []


@pytest.mark.parametrize("mode", ["nstars", "uniform", "custom"])
def test_flux_modes_pass(tmp_path: Path, mode: str) -> None:
    write_dynamite_kinematics(solvers_of(6), tmp_path, make_metadata(IDS), bin_flux_mode=mode)
    assert validate_dynamite_inputs(tmp_path) == []


def test_padded_grids_pass(tmp_path: Path) -> None:
    """A little mass up to the edges, to which the writer adds empty bins."""
    solvers = solvers_of(6)
    for solver in solvers:
        solver.clipped_samples["losvd_median"][[0, -1]] = 0.004
    write_dynamite_kinematics(solvers, tmp_path, make_metadata(IDS), pad=True)
    assert validate_dynamite_inputs(tmp_path) == []


def test_a_systemic_velocity_that_was_subtracted_passes(tmp_path: Path) -> None:
    fits = [solver.fit for solver in solvers_of(6)]
    moved = [VelocityGrid(fit.grid.edges + 250.0, fit.grid.width) for fit in fits]
    solvers = [replace(fit, grid=grid) for fit, grid in zip(fits, moved, strict=True)]
    write_dynamite_kinematics(solvers, tmp_path, make_metadata(IDS))
    assert [p.rule for p in validate_dynamite_inputs(tmp_path)] == ["systemic-velocity"]
    write_dynamite_kinematics(solvers, tmp_path, make_metadata(IDS), v_systemic=250.0)
    assert validate_dynamite_inputs(tmp_path) == []


@pytest.mark.parametrize("order", [4, 6])
def test_gauss_hermite_coefficients_pass(tmp_path: Path, order: int) -> None:
    rng = np.random.default_rng(1)
    fits = [solver.fit for solver in solvers_of(6)]
    draws = [rng.dirichlet(500 * fit.clipped["losvd_median"] + 1e-3, 50) for fit in fits]
    solvers = [replace(f, draws={"intrinsic_pdf": pdf}) for f, pdf in zip(fits, draws, strict=True)]
    write_dynamite_gauss_hermite(solvers, tmp_path, make_metadata(IDS), order)
    assert validate_dynamite_inputs(tmp_path) == []
    write_dynamite_kinematics(solvers, tmp_path, make_metadata(IDS))
    assert validate_dynamite_inputs(tmp_path) == []


def test_one_bin_passes(tmp_path: Path) -> None:
    write_dynamite_kinematics(solvers_of(1), tmp_path, make_metadata(np.array([[1]])))
    assert validate_dynamite_inputs(tmp_path) == []


def test_other_names_pass(tmp_path: Path) -> None:
    names = {"kin_filename": "k.dat", "aperture_filename": "a.txt", "bins_filename": "b.txt"}
    write_dynamite_kinematics(solvers_of(6), tmp_path, make_metadata(IDS), **names)
    assert validate_dynamite_inputs(tmp_path, **names) == []
    assert validate_dynamite_inputs(tmp_path, None, "a.txt", "b.txt") == []


def test_rings_pass(tmp_path: Path) -> None:
    """The centre of a ring lies in another bin, and is where it belongs."""
    x, y = np.meshgrid(np.arange(-6, 7), np.arange(-6, 7))
    rings = (np.hypot(x, y) // 2).astype(int) + 1
    rings[rings > 2] = 0
    write_dynamite_kinematics(solvers_of(2), tmp_path, make_metadata(rings))
    assert validate_dynamite_inputs(tmp_path) == []


@pytest.mark.parametrize("sense", [1, -1])
def test_positions_in_a_turned_frame_pass(tmp_path: Path, sense: int) -> None:
    metadata = make_metadata(IDS, angle_deg=40.0)
    for entry in metadata["bins"]:
        turned = complex(entry["xbin"], entry["ybin"]) * np.exp(1j * sense * np.radians(40.0))
        entry |= {"xbin": turned.real, "ybin": turned.imag}
    write_dynamite_kinematics(solvers_of(6), tmp_path, metadata)
    assert validate_dynamite_inputs(tmp_path) == []


@st.composite
def layouts(draw: st.DrawFn) -> tuple[np.ndarray, list[bool]]:
    """Blocks of pixels on a grid of any shape, some in no bin, and which of the bins are solved."""
    nx, ny, dx, dy = (draw(st.integers(1, 4)) for _ in range(4))
    block = draw(st.permutations(list(range(nx * ny))))
    n_bins = draw(st.integers(1, nx * ny))
    image = np.array([k + 1 if k < n_bins else 0 for k in block]).reshape(ny, nx)
    solved = draw(st.lists(st.booleans(), min_size=n_bins, max_size=n_bins).filter(any))
    return np.kron(image, np.ones((dy, dx), dtype=int)), solved


@settings(max_examples=30)
@given(layouts(), st.integers(10, 40), st.floats(1.0, 400.0), st.floats(0.6, 1.2), st.floats(-180.0, 180.0))
def test_everything_the_writer_writes_passes(
    tmp_path_factory: pytest.TempPathFactory,
    layout: tuple[np.ndarray, list[bool]],
    n: int,
    width: float,
    total: float,
    angle: float,
) -> None:
    image, solved = layout
    out = tmp_path_factory.mktemp("export")
    # One sum of exactly 1/dv would be that of a density.
    assume(abs(total * width / n - 1.0) > 0.01)
    solvers = [make_solver(i, n, width, total) if ok else None for i, ok in enumerate(solved)]
    write_dynamite_kinematics(solvers, out, make_metadata(image, angle))
    found = validate_dynamite_inputs(out)
    assert not found, "\n".join(map(str, found))
