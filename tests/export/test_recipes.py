"""The recipes of docs/exports.md run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.export_solvers import gaussian_solver, layout
from veldist import write_dynamite_kinematics
from veldist.export import effective_errors

PAGE = Path(__file__).parents[2] / "docs" / "exports.md"


def block(word):
    """The code block of the page that holds a word."""
    found = [
        code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.S) if word in code
    ]
    assert len(found) == 1
    return found[0]


def test_gcfit_file_has_what_its_specification_requires(tmp_path, monkeypatch):
    """A group velocity_dispersion*, with r in a length and σ in a speed, its errors, all of one size."""
    h5py = pytest.importorskip("h5py")
    monkeypatch.chdir(tmp_path)
    solvers = [gaussian_solver(0.0, 20.0 - k, seed=k) for k in range(3)]
    exec(block("h5py"), {"solvers": solvers, "radius": np.array([1.0, 2.0, 3.0])})
    with h5py.File("cluster.hdf") as file:
        group = file["velocity_dispersion/mine"]
        assert set(group) == {"r", "σ", "Δσ,up", "Δσ,down"}
        assert {name: group[name].attrs["unit"] for name in group} == {
            "r": "arcsec",
            "σ": "km/s",
            "Δσ,up": "km/s",
            "Δσ,down": "km/s",
        }
        np.testing.assert_allclose(group["σ"], [20.0, 19.0, 18.0], atol=0.2)


def test_aperture_and_bins_of_stars():
    rng = np.random.default_rng(1)
    names = {"x": rng.normal(0, 20, 600), "y": rng.normal(0, 10, 600)}
    exec(block("bin_stars"), names)
    assert len(names["metadata"]["bins"]) == 6


def test_scaled_errors_reach_the_export(tmp_path):
    solver = gaussian_solver(0.0, seed=3)
    plain = solver.clip_uncertainties()["losvd_uncertainty"].copy()
    exec(block("clip_uncertainties"), {"solvers": [solver, None]})
    scale = effective_errors(solver.samples["intrinsic_pdf"], solver.grid["edges"], plain).scale
    assert scale > 1.0
    np.testing.assert_allclose(solver.clipped_samples["losvd_uncertainty"], scale * plain)
    metadata = layout(1) | {"bins": [{"xbin": 0.0, "ybin": 0.0}]}
    files = write_dynamite_kinematics([solver], tmp_path, metadata)
    from astropy.table import Table

    table = Table.read(files.kinematics, format="ascii.ecsv")
    assert table["dlosvd_24"][0] == pytest.approx(scale * plain[24])
