"""One fit, one file."""

import json
import os
import pickle
import zipfile

import numpy as np
import pytest

from tests.helpers.quick import GRID, RUN, assert_same, quick_solver
from tests.helpers.solvers import gaussian_solver
from veldist import KinematicSolver, load
from veldist.fits.fit import Fit
from veldist.fits.grid import VelocityGrid
from veldist.fits.record import DamagedRecordError, pack, read_file, unpack, verify, write_file


@pytest.fixture(scope="module")
def solver():
    return quick_solver()


def test_a_saved_solver_comes_back_with_the_same_bits(solver, tmp_path):
    solver.save(tmp_path / "bin")
    again = KinematicSolver.load(str(tmp_path / "bin"))
    assert_same(solver, again)
    assert str(again.diagnostics) == str(solver.diagnostics)
    assert again.diagnostics.quantities == solver.diagnostics.quantities
    assert np.array_equal(again.vel, solver.vel)
    assert np.array_equal(again.sample_prior(20, seed=3), solver.sample_prior(20, seed=3))
    a, b = again.posterior.posterior, solver.posterior.posterior
    for name in ("coefficients", "component", "psi", "log_base"):
        assert getattr(a, name).dtype == getattr(b, name).dtype
        assert np.array_equal(getattr(a, name), getattr(b, name))
    again.setup_grid(center=0.0, width=100.0, n_bins=17)
    assert again.samples["intrinsic_pdf"].shape == (60, 17)
    assert again.clipped_samples is None


def test_solvers_that_have_not_run_can_be_saved(tmp_path):
    solver = KinematicSolver()
    solver.save(tmp_path / "empty")
    assert KinematicSolver.load(tmp_path / "empty").grid is None
    solver.setup_grid(**GRID)
    solver.add_data([1.0, 2.0], 1.0)
    solver.save(tmp_path / "stars")
    again = KinematicSolver.load(tmp_path / "stars")
    assert again.n_stars == 2
    assert again.samples is None
    assert np.array_equal(again.run(**RUN)["intrinsic_pdf"], solver.run(**RUN)["intrinsic_pdf"])


def test_draws_without_a_posterior_can_be_saved():
    solver = gaussian_solver()
    solver.clip_uncertainties()
    again, _ = unpack(pack(solver.fit), "it")
    assert again.posterior is None
    assert_same(KinematicSolver.from_fit(again), solver)
    # A fit of which nothing but the summary is known.
    bare = Fit(grid=VelocityGrid.of(0.0, 10.0, 5), draws={}, clipped={"losvd_median": np.arange(5.0)})
    again, _ = unpack(pack(bare), "it")
    assert again.draws == {}
    assert again.stars is None
    assert np.array_equal(again.clipped["losvd_median"], np.arange(5.0))


def test_the_same_fit_gives_the_same_bytes_whether_compressed_or_not(solver):
    assert pack(solver.fit) == pack(solver.fit)
    small = pack(solver.fit, compress=True)
    assert len(small) < len(pack(solver.fit))
    assert pack(unpack(small, "it")[0]) == pack(solver.fit)


def test_the_header_takes_more_entries(solver):
    data = pack(solver.fit, bin=7, warnings=[["GridWarning", "two stars"]])
    for header in (verify(data, "it"), unpack(data, "it")[1]):
        assert header["bin"] == 7
        assert header["warnings"] == [["GridWarning", "two stars"]]
        assert header["num_samples"] == 60


def test_files_hold_fits(solver, tmp_path):
    write_file(solver.fit, tmp_path / "bin")
    again = read_file(str(tmp_path / "bin"))
    assert isinstance(again, Fit)
    assert_same(KinematicSolver.from_fit(again), solver)


def test_saving_replaces_a_file_as_a_whole(solver, tmp_path, monkeypatch):
    path = tmp_path / "bin"
    path.write_text("the former content")

    def fail(handle):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        solver.save(path)
    assert path.read_text() == "the former content"
    assert [p.name for p in tmp_path.iterdir()] == ["bin"]


def test_nothing_in_a_file_is_unpickled(solver, tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / "trap.npz"
    np.savez(path, header=np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError):
        KinematicSolver.load(path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="is no solver saved by veldist"):
        KinematicSolver.load(path)
    # In an array, behind a good header.
    header = np.frombuffer(json.dumps(verify(pack(solver.fit), "it")).encode(), dtype=np.uint8)
    np.savez(path, header=header, **{"stars.vel": np.array([Trap()], dtype=object)}, allow_pickle=True)
    with pytest.raises(ValueError, match=r"damaged.*stars\.vel"):
        KinematicSolver.load(path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "something"}, "is no solver saved by veldist"),
        ({"format_version": 99, "veldist": "9.1"}, "has format 99, written by veldist 9.1.*newer"),
        ({"clipped": ...}, r"lacks \['clipped'\].*that version"),
        ({"grid": {"edges": None, "width": 1.0, "colour": "red"}}, None),
        ({"stars": {"vel": None}}, "lacks or has other parts"),
    ],
)
def test_other_formats_are_refused(solver, tmp_path, changes, message):
    path = tmp_path / "bin.npz"
    path.write_bytes(pack(solver.fit))
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(bytes(arrays.pop("header"))) | changes
    header = {key: value for key, value in header.items() if value is not ...}
    if "stars" in changes:
        del arrays["stars.err"]
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8), **arrays)
    if message is None:
        # What this version does not know of is passed over.
        assert KinematicSolver.load(path).grid["width"] == 1.0
        return
    with pytest.raises(ValueError, match=message):
        KinematicSolver.load(path)


def test_every_damaged_byte_is_found_or_harmless(solver):
    data = pack(solver.fit)
    rng = np.random.default_rng(0)
    found = 0
    for position in rng.integers(0, len(data), 150):
        broken = bytearray(data)
        broken[position] ^= 1 << rng.integers(8)
        try:
            again, _ = unpack(bytes(broken), "it")
        except ValueError:
            found += 1
        else:
            # File dates and the like.
            assert pack(again) == data
    assert found > 100
    for length in (0, 3, 100, len(data) // 2, len(data) - 1):
        for read in (unpack, verify):
            with pytest.raises(ValueError):
                read(data[:length], "it")
    with pytest.raises(DamagedRecordError, match="cut off"):
        unpack(data[: len(data) // 2], "it")


def test_verifying_finds_what_reading_finds(solver):
    data = pack(solver.fit)
    rng = np.random.default_rng(1)
    for position in rng.integers(0, len(data), 60):
        broken = bytearray(data)
        broken[position] ^= 1 << rng.integers(8)
        try:
            unpack(bytes(broken), "it")
        except DamagedRecordError:
            with pytest.raises(DamagedRecordError):
                verify(bytes(broken), "it")


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError, match=r"veldist\.load"):
        KinematicSolver.load(tmp_path)
    with pytest.raises(FileNotFoundError):
        KinematicSolver.load(tmp_path / "nothing")


def test_load_reads_a_file_too(solver, tmp_path):
    solver.save(tmp_path / "bin")
    assert_same(load(tmp_path / "bin"), solver)


def test_a_file_is_an_ordinary_npz(solver, tmp_path):
    solver.save(tmp_path / "bin.npz")
    assert zipfile.ZipFile(tmp_path / "bin.npz").testzip() is None
    with np.load(tmp_path / "bin.npz", allow_pickle=False) as file:
        assert np.array_equal(file["stars.vel"], solver.vel)


def rewrite(path, data, change):
    """The file with ``change(arrays, header)`` made to it, checksums right."""
    path.write_bytes(data)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(bytes(arrays.pop("header")))
    change(arrays, header)
    with path.open("wb") as file:
        np.savez(file, header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8), **arrays)


INNER = "posterior.posterior."


def shorten(name, axis=0):
    def change(arrays, header):
        arrays[name] = np.take(arrays[name], np.arange(arrays[name].shape[axis] - 1), axis=axis)

    return change


def set_array(name, make):
    def change(arrays, header):
        arrays[name] = make(arrays[name])

    return change


MISSHAPEN = {
    "stars": shorten("stars.err"),
    "cells": shorten("posterior.cells.edges"),
    "coefficients": shorten(INNER + "coefficients", 2),
    "chains": shorten(INNER + "component"),
    "basis": shorten(INNER + "psi"),
    "base": shorten(INNER + "log_base"),
    "prior": shorten(INNER + "prior.scales"),
    "quantities": shorten(INNER + "diagnostics.ess"),
    "medians": shorten("clipped.losvd_median"),
    "axes": set_array("stars.vel", lambda a: a[:, None]),
    "text": set_array("stars.vel", lambda a: a.astype(str)),
    "kind": set_array("grid.edges", lambda a: a.astype(int)),
    "component": set_array(INNER + "component", lambda a: a + 1000),
    "gone": lambda arrays, header: arrays.pop("stars.vel"),
    "gone of the summary": lambda arrays, header: arrays.pop("clipped.floor"),
    "draws": lambda arrays, header: header.update(num_samples=10**6),
    "few draws": lambda arrays, header: header.update(num_samples=0),
    "frame": lambda arrays, header: header["posterior"]["frame"].update(scale=-1.0),
    "names": lambda arrays, header: header["posterior"]["posterior"]["diagnostics"].update(quantities=["z"]),
    "text for a dictionary": lambda arrays, header: header.update(posterior="none"),
    "nothing": lambda arrays, header: header.update(posterior=None, stars=7),
}


@pytest.mark.parametrize("change", MISSHAPEN.values(), ids=MISSHAPEN)
def test_parts_that_do_not_fit_together_are_refused_when_read(solver, tmp_path, change):
    path = tmp_path / "bin.npz"
    solver.clip_uncertainties()
    rewrite(path, pack(solver.fit), change)
    with pytest.raises(ValueError, match=str(path)):
        KinematicSolver.load(path)


def test_unknown_members_are_not_read(solver, tmp_path):
    path = tmp_path / "bin.npz"
    path.write_bytes(pack(solver.fit))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("other.npy", b"not an array at all")
    assert_same(KinematicSolver.load(path), solver)


def test_a_member_that_holds_more_than_it_declares_is_refused_before_it_is_read(solver, tmp_path):
    path = tmp_path / "bin.npz"

    def inflate(arrays, header):
        arrays[INNER + "coefficients"] = np.zeros((64, 100_000, 32), dtype=np.float32)

    rewrite(path, pack(solver.fit), inflate)
    with pytest.raises(DamagedRecordError, match="coefficients"):
        KinematicSolver.load(path)
