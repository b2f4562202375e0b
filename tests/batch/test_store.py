"""Saved solvers and the store of a map."""

import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
import warnings
import zipfile
from dataclasses import replace
from functools import wraps
from pathlib import Path

import numpy as np
import pytest

from veldist import BatchError, BatchInterrupted, GridWarning, KinematicSolver, fit_all_bins, load
from veldist.analysis import compute_summary_maps
from veldist.batch.fingerprint import describe_changes, describe_settings
from veldist.batch.solver_map import SolverMap
from veldist.batch.store import MapStore
from veldist.export.rows.losvds import collect_losvds, find_solved
from veldist.fits.record import DamagedRecordError, pack, unpack
from veldist.inference import Settings
from veldist.models.losvd.basis import PriorSettings
from veldist.models.losvd.resolution import choose_resolution

GRID = {"center": 0.0, "width": 160.0, "n_bins": 32}
QUICK = Settings(n_chains=32, n_groups=4, n_proposals=40, max_doublings=0, rhat_max=9.0, ess_fraction=0.0)
RUN = {"num_samples": 60, "seed": 17, "settings": QUICK}
SIZES = [40, 25, 60, 5, 33, 90]


def make_bins(sizes=SIZES, seed=0):
    rng = np.random.default_rng(seed)
    return [{"vel": rng.normal(0, 12, n), "err": rng.uniform(1, 4, n)} for n in sizes]


def fit(bins=None, **kwargs):
    kwargs = {"grid_kwargs": GRID, "run_kwargs": RUN, "n_jobs": 1, "progress": False} | kwargs
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "1 of 6 bins have fewer")
        return fit_all_bins(make_bins() if bins is None else bins, **kwargs)


@pytest.fixture(scope="module")
def solver():
    solver = KinematicSolver()
    solver.setup_grid(**GRID)
    solver.add_data(**make_bins([50])[0])
    solver.run(**RUN)
    solver.clip_uncertainties()
    return solver


@pytest.fixture(scope="module")
def plain():
    return fit()


def assert_same(one, two):
    if one is None or two is None:
        assert one is two
        return
    for name in ("samples", "clipped_samples", "grid"):
        a, b = getattr(one, name), getattr(two, name)
        assert a.keys() == b.keys()
        for key, value in a.items():
            assert np.array_equal(value, b[key])
            assert type(value) is type(b[key])
    # Everything else that a solver holds goes into its bytes.
    assert pack(one) == pack(two)


def assert_all_same(one, two):
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert_same(a, b)


# One solver, one file


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
    assert not (tmp_path / "sprung").exists()


def edit_header(data, path, **changes):
    path.write_bytes(data)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(bytes(arrays.pop("header"))) | changes
    header = {key: value for key, value in header.items() if value is not ...}
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), dtype=np.uint8), **arrays)
    return path.with_name(path.name + ".npz").rename(path) if not path.exists() else path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "something"}, "is no solver saved by veldist"),
        ({"format_version": 99, "veldist": "9.1"}, "has format 99, written by veldist 9.1.*newer"),
        ({"clipped": ...}, "lacks or has other parts"),
    ],
)
def test_other_formats_are_refused(solver, tmp_path, changes, message):
    path = edit_header(pack(solver), tmp_path / "bin.npz", **changes)
    with pytest.raises(ValueError, match=message):
        KinematicSolver.load(path)


def test_every_damaged_byte_is_found_or_harmless(solver):
    data = pack(solver)
    rng = np.random.default_rng(0)
    found = 0
    for position in rng.integers(0, len(data), 150):
        broken = bytearray(data)
        broken[position] ^= 1 << rng.integers(8)
        try:
            again = unpack(bytes(broken), "it")
        except ValueError:
            found += 1
        else:
            # File dates and the like.
            assert pack(again) == data
    assert found > 100
    for length in (0, 3, 100, len(data) // 2, len(data) - 1):
        with pytest.raises(ValueError):
            unpack(data[:length], "it")
    with pytest.raises(DamagedRecordError, match="cut off"):
        unpack(data[: len(data) // 2], "it")


def test_load_says_what_is_wrong_with_the_path(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")
    with pytest.raises(ValueError, match="is no store of veldist"):
        load(tmp_path)
    with pytest.raises(IsADirectoryError, match=r"veldist\.load"):
        KinematicSolver.load(tmp_path)


def test_load_reads_a_file_too(solver, tmp_path):
    solver.save(tmp_path / "bin")
    assert_same(load(tmp_path / "bin"), solver)


# A map, one store


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_store_holds_the_bits_of_a_run_without_one(plain, tmp_path, n_jobs):
    stored = fit(store=tmp_path / "map.zarr", n_jobs=n_jobs)
    assert isinstance(stored, SolverMap)
    assert_all_same(plain, stored)
    assert_all_same(plain, load(str(tmp_path / "map.zarr")))


def test_the_sequence_of_a_store_behaves_like_a_list(plain, tmp_path):
    stored = fit(store=tmp_path / "map.zarr")
    assert len(stored) == 6
    assert stored[3] is None
    assert_same(stored[-1], plain[-1])
    assert_all_same(stored[1:6:2], plain[1:6:2])
    assert_all_same(stored[::-1], plain[::-1])
    with pytest.raises(IndexError):
        stored[6]
    with pytest.raises(TypeError):
        stored[0] = None
    held = stored[0]
    assert stored[0] is held
    assert_all_same(pickle.loads(pickle.dumps(stored[2:])), plain[2:])
    maps, expected = compute_summary_maps(stored), compute_summary_maps(plain)
    for metric, values in expected.items():
        assert np.array_equal(maps[metric]["median"], values["median"], equal_nan=True)
    assert "5 of 6 bins" in repr(stored)


def test_iterating_keeps_nothing(tmp_path):
    stored = fit(store=tmp_path / "map.zarr")
    for _ in stored:
        assert len(stored._held) <= 2


def test_exports_take_a_store_and_keep_nothing(plain, tmp_path, monkeypatch):
    stored = fit(store=tmp_path / "map.zarr")
    read, held = MapStore.read, []

    def watch(self, index):
        held.append(len(stored._held))
        return read(self, index)

    monkeypatch.setattr(MapStore, "read", watch)
    solved = find_solved(stored)
    assert np.array_equal(solved, find_solved(plain))
    rows, expected = collect_losvds(stored, solved), collect_losvds(plain, solved)
    assert np.array_equal(rows.losvd, expected.losvd)
    assert np.array_equal(rows.dlosvd, expected.dlosvd)
    assert max(held) <= 1


def count_fits(monkeypatch):
    fitted = []
    original = KinematicSolver.run

    @wraps(original)
    def run(self, **kwargs):
        fitted.append(self.n_stars)
        return original(self, **kwargs)

    monkeypatch.setattr(KinematicSolver, "run", run)
    return fitted


def test_only_what_is_missing_is_fitted(plain, tmp_path, monkeypatch):
    path = tmp_path / "map.zarr"
    fit(store=path)
    store = MapStore(path, writable=True)
    store.forget(2)
    store.forget(4)
    shutil.rmtree(path / "bins" / "4")  # a record not yet begun, and one that lacks its flag only
    with pytest.warns(UserWarning, match=r"2 of 5 bins in .* are not done and are None: 2, 4\."):
        assert [s is None for s in load(path)] == [False, False, True, True, True, False]
    fitted = count_fits(monkeypatch)
    # Neither workers nor warm-up, which does nothing, nor defaults written out make another fit.
    again = RUN | {"num_warmup": 7, "gpu": False, "prior": PriorSettings()}
    assert_all_same(plain, fit(store=path, run_kwargs=again))
    assert sorted(fitted) == [33, 60]
    fitted.clear()
    assert_all_same(plain, fit(store=path))
    assert fitted == []


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "gone", "metadata"])
def test_a_damaged_record_is_fitted_again(plain, tmp_path, damage):
    path = tmp_path / "map.zarr"
    stored = fit(store=path)
    chunk = path / "bins" / "1" / "c" / "0"
    data = bytearray(chunk.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        chunk.write_bytes(data)
    elif damage == "cut":
        chunk.write_bytes(data[: len(data) // 2])
    elif damage == "empty":
        chunk.write_bytes(b"")
    elif damage == "gone":
        chunk.unlink()
    else:
        (path / "bins" / "1" / "zarr.json").write_text("{")
    with pytest.raises(DamagedRecordError, match="the record of bin 1 in the store"):
        stored[1]
    with pytest.warns(UserWarning, match=r"records of 1 bins in the store .* fitted again \(1\)"):
        again = fit(store=path)
    assert_all_same(plain, again)


def test_a_flag_that_cannot_be_read_costs_its_bin_only(plain, tmp_path):
    # What a power cut can leave: a file of no length.
    store = tmp_path / "map.zarr"
    fit(store=store)
    (store / "done" / "c" / "2").write_bytes(b"")
    with pytest.warns(UserWarning, match="1 of 5 bins .* are not done .* 2"):
        assert load(store)[2] is None
    assert_all_same(fit(store=store), plain)


def test_functions_without_a_name_of_their_own_are_refused(tmp_path):
    nameless = PriorSettings(resolution=lambda n_stars, error_ratio: choose_resolution(n_stars, error_ratio))
    with pytest.raises(ValueError, match="top of a module"):
        fit(store=tmp_path / "map.zarr", run_kwargs=RUN | {"prior": nameless})


def half(n_stars, error_ratio):
    return replace(choose_resolution(n_stars, error_ratio), cell_width=0.4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"run_kwargs": RUN | {"seed": 18}}, "seed: 17 -> 18"),
        ({"run_kwargs": RUN | {"num_samples": 61}}, "run_kwargs.num_samples: 60 -> 61"),
        (
            {"run_kwargs": RUN | {"settings": replace(QUICK, thin=2)}},
            r"run_kwargs.settings.thin: 1 -> 2\n",
        ),
        ({"run_kwargs": RUN | {"prior": PriorSettings(small=0.5)}}, r"run_kwargs.prior.small: 0.4 -> 0.5"),
        (
            {"run_kwargs": RUN | {"prior": PriorSettings(resolution=half)}},
            r"prior.resolution: 'veldist\..*\.choose_resolution' -> '.*test_store\.half'",
        ),
        ({"grid_kwargs": GRID | {"width": 170}}, "grid_kwargs.width: 160.0 -> 170.0"),
        ({"min_stars": 30}, "min_stars: 10 -> 30"),
        ({"bins": make_bins(SIZES[:5])}, "number of bins: 6 -> 5"),
        ({"bins": make_bins(seed=1)}, "stars of 6 of 6 bins: 0, 1, 2, 3, 4, 5"),
    ],
)
def test_another_fit_is_refused(tmp_path_factory, changes, message):
    path = tmp_path_factory.getbasetemp() / "refused.zarr"
    fit(store=path)
    with (
        warnings.catch_warnings(),
        pytest.raises(ValueError, match="holds another fit.*(.|\n)*" + message) as caught,
    ):
        warnings.filterwarnings("ignore", ".*bins have fewer than min_stars")
        fit(store=path, **changes)
    assert "or the path of a new store" in str(caught.value)


def test_what_is_no_store_is_not_touched(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="is no store of veldist"):
        fit(store=tmp_path / "file")
    with pytest.raises(ValueError, match="is no store of veldist"):
        fit(store=tmp_path)
    with pytest.raises(TypeError, match="store must be a path, got int"):
        fit(store=3)


def test_newer_stores_are_refused_and_other_versions_told(tmp_path, monkeypatch):
    path = tmp_path / "map.zarr"
    fit(store=path)
    monkeypatch.setattr("veldist.batch.store.__version__", "0.9")
    with pytest.warns(UserWarning, match=r"begun with veldist .*; this is 0\.9"):
        fit(store=path)
    attributes = json.loads((path / "zarr.json").read_text())
    attributes["attributes"]["format_version"] = 99
    (path / "zarr.json").write_text(json.dumps(attributes))
    with pytest.raises(ValueError, match="has format 99"):
        load(path)


def test_a_bin_put_right_goes_into_the_same_store(plain, tmp_path):
    bins = make_bins()
    good = bins[2]["vel"][0]
    bins[2]["vel"][0] = np.nan
    with pytest.raises(BatchError, match="bin 2") as caught:
        fit(bins, store=tmp_path / "map.zarr")
    assert [s is None for s in caught.value.solvers] == [False, False, True, True, False, False]
    bins[2]["vel"][0] = good
    assert_all_same(plain, fit(bins, store=tmp_path / "map.zarr"))
    # From then on these stars are those of the store.
    bins[2]["vel"][0] += 1.0
    with pytest.raises(ValueError, match="stars of 1 of 6 bins: 2"):
        fit(bins, store=tmp_path / "map.zarr")


def test_warnings_are_told_again_by_a_resumed_run(tmp_path):
    bins = make_bins()
    for k in (0, 2):
        bins[k]["vel"][:2] = 85.0
        bins[k]["err"][:2] = 30.0
    for _ in range(2):
        with pytest.warns(GridWarning, match=r"2 of 5 bins \(0, 2\):\n  bin 0: 2 of 40"):
            fit(bins, store=tmp_path / "map.zarr")


def test_another_store_may_take_the_place_of_a_removed_one(plain, tmp_path):
    path = tmp_path / "map.zarr"
    fit(make_bins([20, 20]), store=path)
    shutil.rmtree(path)
    assert_all_same(plain, fit(store=path))


def test_settings_are_compared_by_what_they_mean():
    def describe(**run_kwargs):
        return describe_settings(GRID, run_kwargs, 0, 10)

    assert describe() == describe(num_samples=1000, settings=Settings(n_draws=5), gpu=None)
    assert describe_changes({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}) == ["a.c: 2 -> 'absent'"]
    assert json.loads(json.dumps(describe())) == describe()


SCRIPT = """
import signal
import sys
import numpy as np
from tests.batch.test_store import RUN, fit, make_bins, sizes_of
from veldist import BatchInterrupted
# Ignored in programs that a shell started in the background.
signal.signal(signal.SIGINT, signal.default_int_handler)
print("started", flush=True)
try:
    run = RUN | {{"num_samples": {n_draws}}}
    fit(make_bins(sizes_of({n_bins})), n_jobs={n_jobs}, store={store!r}, run_kwargs=run)
except BatchInterrupted as error:
    print(error, flush=True)
print("ended", flush=True)
"""


def sizes_of(n_bins):
    return [30 + k % 400 for k in range(n_bins)]


def start(tmp_path, store, n_bins, n_jobs, n_draws=60):
    script = tmp_path / "script.py"
    store = None if store is None else str(store)
    code = SCRIPT.format(n_bins=n_bins, n_jobs=n_jobs, n_draws=n_draws, store=store)
    script.write_text(code)
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"PYTHONPATH": root},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def wait_for(condition, process, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
@pytest.mark.parametrize(
    ("n_bins", "n_draws", "n_kills", "n_jobs"),
    [
        (20, 60, 3, 1),
        (20, 60, 3, 2),
        # Larger records, and kills all along the run.
        pytest.param(500, 1000, 20, 2, marks=pytest.mark.slow),
    ],
)
def test_killed_at_any_moment_and_started_again_it_ends_with_the_same_bits(
    tmp_path, n_bins, n_draws, n_kills, n_jobs
):
    bins, run = make_bins(sizes_of(n_bins)), RUN | {"num_samples": n_draws}
    expected = fit(bins, run_kwargs=run)
    store = tmp_path / "map.zarr"
    rng = np.random.default_rng(n_jobs)
    before = {}

    def finished():
        flags = [p.name for p in (store / "done" / "c").glob("[0-9]*") if "." not in p.name]
        return {k: (store / "bins" / k / "c" / "0").stat().st_mtime_ns for k in flags}

    for _ in range(n_kills):
        process = start(tmp_path, store, n_bins, n_jobs, n_draws)
        wanted = len(before) + rng.integers(1, n_bins // (n_kills + 1))
        wait_for(lambda wanted=wanted: len(finished()) >= wanted, process)
        time.sleep(rng.uniform(0.0, 0.02))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        after = finished()
        # What was done has not been touched.
        assert before.items() <= after.items()
        before = after
    assert before
    final = fit(bins, store=store, run_kwargs=run)
    assert before.items() <= finished().items()
    assert_all_same(expected, final)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs process groups")
def test_ctrl_c_stops_at_once_and_keeps_what_was_done(tmp_path):
    store = tmp_path / "map.zarr"
    process = start(tmp_path, store, 400, 2)
    wait_for(lambda: len(list((store / "done" / "c").glob("[0-9]*"))) >= 3, process)
    # As a terminal does it: to all processes.
    os.killpg(process.pid, signal.SIGINT)
    began = time.monotonic()
    out = process.communicate()[0]
    # About 0.2 s on an idle machine.
    assert time.monotonic() - began < 5.0
    assert "interrupted after" in out
    assert "the same call goes on from there" in out
    assert "Traceback" not in out
    with pytest.warns(UserWarning, match="are not done"):
        assert sum(s is not None for s in load(store)) >= 3


def test_without_a_store_the_interruption_carries_what_was_done(plain, monkeypatch):
    original = KinematicSolver.run

    @wraps(original)
    def run(self, **kwargs):
        if self.n_stars == 33:
            raise KeyboardInterrupt
        return original(self, **kwargs)

    monkeypatch.setattr(KinematicSolver, "run", run)
    with pytest.raises(BatchInterrupted, match="after 3 of 5 bins: they are in the attribute") as caught:
        fit()
    assert isinstance(caught.value, KeyboardInterrupt)
    solvers = pickle.loads(pickle.dumps(caught.value)).solvers
    assert [s is None for s in solvers] == [False, True, False, True, True, False]
    assert_same(solvers[5], plain[5])


def test_a_file_is_an_ordinary_npz(solver, tmp_path):
    solver.save(tmp_path / "bin.npz")
    assert zipfile.ZipFile(tmp_path / "bin.npz").testzip() is None
    with np.load(tmp_path / "bin.npz", allow_pickle=False) as file:
        assert np.array_equal(file["stars.vel"], solver.vel)
