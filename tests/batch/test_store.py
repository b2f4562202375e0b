"""The store of a map."""

import gc
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
import warnings
import weakref
from dataclasses import replace
from functools import wraps
from pathlib import Path

import numpy as np
import pytest

from tests.helpers.quick import GRID, QUICK, RUN, assert_all_same, assert_same, make_bins
from veldist import BatchError, BatchInterrupted, GridWarning, KinematicSolver, fit_all_bins, load
from veldist.analysis import compute_summary_maps
from veldist.batch import task
from veldist.batch.fingerprint import describe_changes, describe_settings
from veldist.batch.solver_map import FitMap, SolverMap
from veldist.batch.store import MANIFEST, MapStore, open_store
from veldist.export.rows.losvds import collect_losvds, read_rows
from veldist.fits.draws import check_fits, is_fitted
from veldist.fits.fit import Fit
from veldist.fits.record import DamagedRecordError
from veldist.inference import Settings
from veldist.models.losvd.basis import PriorSettings
from veldist.models.losvd.resolution import ResolutionRule

SIZES = [40, 25, 60, 5, 33, 90]


def fit(bins=None, **kwargs):
    kwargs = {"grid_kwargs": GRID, "run_kwargs": RUN, "n_jobs": 1, "progress": False} | kwargs
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "1 of 6 bins have fewer")
        return fit_all_bins(make_bins(SIZES) if bins is None else bins, **kwargs)


def record(path, number):
    """The file of a bin, counted from 1."""
    return path / f"bin_{number:05d}.npz"


@pytest.fixture(scope="module")
def plain():
    return fit()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_store_holds_the_bits_of_a_run_without_one(plain, tmp_path, n_jobs):
    stored = fit(store=tmp_path / "map", n_jobs=n_jobs)
    assert isinstance(stored, SolverMap)
    assert_all_same(plain, stored)
    assert_all_same(plain, load(str(tmp_path / "map")))


def test_the_sequence_of_a_store_behaves_like_a_list(plain, tmp_path):
    stored = fit(store=tmp_path / "map")
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
    stored = fit(store=tmp_path / "map")
    for _ in stored:
        assert len(stored._held) <= 2


def test_exports_take_a_store_and_keep_nothing(plain, tmp_path, monkeypatch):
    stored = fit(store=tmp_path / "map")
    read, alive, most = MapStore.read, weakref.WeakSet(), []

    def watch(self, index):
        gc.collect()
        most.append(len(alive))
        fit, notes = read(self, index)
        alive.add(fit)
        return fit, notes

    monkeypatch.setattr(MapStore, "read", watch)
    rows = collect_losvds(read_rows(check_fits(stored)), len(stored))
    expected = collect_losvds(read_rows(check_fits(plain)), len(plain))
    assert np.array_equal(rows.solved, [True, True, True, False, True, True])
    assert np.array_equal(rows.losvd, expected.losvd)
    assert np.array_equal(rows.dlosvd, expected.dlosvd)
    # One may still be held while the next is read.
    assert len(most) == 5
    assert max(most) <= 1
    assert len(stored._held) == 0


def test_every_record_is_a_file_of_its_own(plain, tmp_path):
    path = tmp_path / "map"
    fit(store=path, n_jobs=2)
    names = [f"bin_{k:05d}.npz" for k in (1, 2, 3, 5, 6)]
    assert sorted(p.name for p in path.iterdir()) == [*names, MANIFEST]
    for number in (1, 2, 3, 5, 6):
        solver = plain[number - 1]
        with np.load(record(path, number), allow_pickle=False) as file:
            assert np.array_equal(file["stars.vel"], solver.vel)
            assert np.array_equal(
                file["posterior.posterior.coefficients"], solver.posterior.posterior.coefficients
            )
        assert_same(KinematicSolver.load(record(path, number)), solver)
        assert_same(load(record(path, number)), solver)


def test_a_map_of_fits_is_read_bin_by_bin(plain, tmp_path):
    path = tmp_path / "map"
    stored = fit(store=path)
    fits = stored.fits
    assert isinstance(fits, FitMap)
    assert check_fits(stored) is fits
    assert check_fits(fits) is fits
    assert fits.path == path
    assert fits.settings["grid_kwargs"] == GRID
    assert len(fits) == 6
    assert fits[3] is None
    assert isinstance(fits[0], Fit)
    # Nothing is kept.
    assert fits[0] is not fits[0]
    assert_same(KinematicSolver.from_fit(fits[-1]), plain[-1])
    part = pickle.loads(pickle.dumps(fits[::-2]))
    assert list(part.fitted) == [True, False, True]
    assert_same(KinematicSolver.from_fit(part[0]), plain[5])
    with pytest.raises(IndexError):
        fits[6]


def test_fitted_and_unfinished_are_known_without_reading(tmp_path, monkeypatch):
    path = tmp_path / "map"
    fit(store=path)
    record(path, 5).unlink()
    with pytest.warns(UserWarning, match="are not done"):
        stored = load(path)
    monkeypatch.setattr(MapStore, "read", None)
    monkeypatch.setattr(MapStore, "verify", None)
    assert list(is_fitted(check_fits(stored))) == [True, True, True, False, False, True]
    assert list(stored[1:6:2].fitted) == [True, False, True]
    assert stored.unfinished == stored[:2].unfinished == [4]
    assert stored.path == path


def test_a_map_sent_elsewhere_is_not_read_from_another_store(tmp_path):
    path = tmp_path / "map"
    sent = pickle.dumps(fit(store=path))
    shutil.rmtree(path)
    fit(make_bins(SIZES, seed=1), store=path)
    open_store.cache_clear()
    with pytest.raises(ValueError, match="has been replaced by another: load it again"):
        pickle.loads(sent)


def count_fits(monkeypatch):
    fitted = []
    original = task.fit_stars

    @wraps(original)
    def fit_stars(stars, grid, **kwargs):
        fitted.append(stars.n_stars)
        return original(stars, grid, **kwargs)

    monkeypatch.setattr(task, "fit_stars", fit_stars)
    return fitted


def test_only_what_is_missing_is_fitted(plain, tmp_path, monkeypatch):
    path = tmp_path / "map"
    fit(store=path)
    MapStore(path).forget(2)
    record(path, 5).unlink()
    with pytest.warns(
        UserWarning, match=r"2 of 5 bins in .* are not done and are None: 3, 5 \(counted from 1\)\."
    ):
        assert [s is None for s in load(path)] == [False, False, True, True, True, False]
    fitted = count_fits(monkeypatch)
    # Neither workers nor warm-up, which does nothing, nor defaults written out make another fit.
    again = RUN | {"num_warmup": 7, "gpu": False, "prior": PriorSettings()}
    assert_all_same(plain, fit(store=path, run_kwargs=again))
    # Large bins first.
    assert fitted == [60, 33]
    fitted.clear()
    assert_all_same(plain, fit(store=path))
    assert fitted == []


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "text", "header", "directory"])
def test_a_damaged_record_is_fitted_again(plain, tmp_path, damage):
    path = tmp_path / "map"
    stored = fit(store=path)
    file = record(path, 2)
    data = bytearray(file.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
    elif damage == "cut":
        file.write_bytes(data[: len(data) // 2])
    elif damage == "empty":
        # What a power cut can leave.
        file.write_bytes(b"")
    elif damage == "text":
        file.write_text("not a record")
    elif damage == "header":
        np.savez(file, header=np.frombuffer(b"{", dtype=np.uint8))
    else:
        file.unlink()
        file.mkdir()
    with pytest.raises(DamagedRecordError, match=r"the record of bin 2 in the store .*fits this bin again"):
        stored[1]
    if damage == "directory":
        file.rmdir()
        assert_all_same(plain, fit(store=path))
        return
    with pytest.warns(
        UserWarning, match=r"records of 1 bins in the store .* fitted again \(2, counted from 1\)"
    ):
        again = fit(store=path)
    assert_all_same(plain, again)


def test_a_removed_record_is_a_bin_not_done(plain, tmp_path):
    path = tmp_path / "map"
    stored = fit(store=path)
    record(path, 2).unlink()
    with pytest.raises(
        DamagedRecordError, match=r"bin 2 in the store .* cannot be read .*fits this bin again"
    ):
        stored[1]
    with pytest.warns(UserWarning, match=r"1 of 5 bins .* are not done .* 2 \(counted"):
        assert load(path)[1] is None
    assert_all_same(plain, fit(store=path))


def test_the_record_of_another_bin_or_store_is_refused_and_fitted_again(plain, tmp_path):
    path, other = tmp_path / "map", tmp_path / "other"
    stored = fit(store=path)
    fit(store=other)
    # The same stars and settings: only the store is another.
    shutil.copy(record(other, 1), record(path, 1))
    shutil.copy(record(path, 3), record(path, 2))
    for k in (0, 1):
        with pytest.raises(DamagedRecordError, match=f"bin {k + 1} in .* is that of another bin or store"):
            stored[k]
    with pytest.warns(UserWarning, match=r"records of 2 bins .* \(1, 2, counted from 1\)"):
        again = fit(store=path)
    assert_all_same(plain, again)


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "list", "parts", "bins"])
def test_a_damaged_manifest_is_refused_with_file_and_cure(tmp_path, damage):
    path = tmp_path / "map"
    fit(store=path)
    file = path / MANIFEST
    text, manifest = file.read_text(), json.loads(file.read_text())
    if damage == "cut":
        file.write_text(text[: len(text) // 2])
    elif damage == "empty":
        file.write_text("")
    elif damage == "text":
        file.write_bytes(b"\xff\x00")
    elif damage == "list":
        file.write_text("[1, 2]")
    elif damage == "parts":
        del manifest["settings"]["min_stars"]
        file.write_text(json.dumps(manifest))
    else:
        manifest["bins"][2]["n_stars"] = "many"
        file.write_text(json.dumps(manifest))
    before = sorted((p.name, p.read_bytes()) for p in path.iterdir())
    for use in (lambda: load(path), lambda: fit(store=path)):
        with pytest.raises(ValueError, match=f"{MANIFEST} .*copy it again, or pass the path of a new store"):
            use()
    assert sorted((p.name, p.read_bytes()) for p in path.iterdir()) == before


def test_a_store_without_its_manifest_is_refused(tmp_path):
    path = tmp_path / "map"
    fit(store=path)
    (path / MANIFEST).unlink()
    for use in (lambda: load(path), lambda: fit(store=path)):
        with pytest.raises(ValueError, match=f"{path} .*is no store of veldist: pass another path"):
            use()
    assert len(list(path.iterdir())) == 5


def test_a_store_is_made_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    def fail(*args, **kwargs):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("veldist.batch.store.write_whole", fail)
        with pytest.raises(OSError, match="disk full"):
            fit(store=tmp_path / "deep" / "map")
    assert list((tmp_path / "deep").iterdir()) == []
    # An empty folder is as good as none.
    (tmp_path / "deep" / "map").mkdir()
    fit(store=tmp_path / "deep" / "map")
    assert len(load(tmp_path / "deep" / "map")) == 6


def test_a_record_appears_as_a_whole_or_not_at_all(plain, tmp_path, monkeypatch):
    path, move = tmp_path / "map", Path.replace

    def fail(self, to):
        if to == record(path, 3):
            # All of it is written, under another name.
            assert self.stat().st_size > 1000
            assert not to.exists()
            raise OSError("disk full")
        return move(self, to)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(BatchError, match="bin 2: OSError: disk full"):
            fit(store=path)
    names = [f"bin_{k:05d}.npz" for k in (1, 2, 5, 6)]
    assert sorted(p.name for p in path.iterdir()) == [*names, MANIFEST]
    assert_all_same(plain, fit(store=path))


def test_files_half_written_by_a_killed_run_are_no_records(plain, tmp_path):
    path = tmp_path / "map"
    fit(store=path)
    data = record(path, 1).read_bytes()
    record(path, 1).unlink()
    (path / f".{record(path, 1).name}.0123.partial").write_bytes(data[:1000])
    with pytest.warns(UserWarning, match=r"1 of 5 bins .* are not done .* 1 \(counted"):
        assert load(path)[0] is None
    assert_all_same(plain, fit(store=path))


def test_functions_without_a_name_of_their_own_are_refused(tmp_path):
    nameless = PriorSettings(resolution=lambda n_stars, error_ratio: ResolutionRule()(n_stars, error_ratio))
    with pytest.raises(ValueError, match="top of a module"):
        fit(store=tmp_path / "map", run_kwargs=RUN | {"prior": nameless})


def half(n_stars, error_ratio):
    return replace(ResolutionRule()(n_stars, error_ratio), cell_width=0.4)


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
            r"prior.resolution: \{'limits': .*\} -> '.*test_store\.half'",
        ),
        (
            {"run_kwargs": RUN | {"prior": PriorSettings(resolution=ResolutionRule(limits=(9, 99, 999)))}},
            r"prior.resolution.limits: \[100.0, 1000.0, 5000.0\] -> \[9, 99, 999\]",
        ),
        ({"grid_kwargs": GRID | {"width": 170}}, "grid_kwargs.width: 160.0 -> 170.0"),
        ({"min_stars": 30}, "min_stars: 10 -> 30"),
        ({"bins": make_bins(SIZES[:5])}, "number of bins: 6 -> 5"),
        ({"bins": make_bins(SIZES, seed=1)}, "stars of 6 of 6 bins: 1, 2, 3, 4, 5, 6 \\(counted from 1\\)"),
    ],
)
def test_another_fit_is_refused(tmp_path_factory, changes, message):
    path = tmp_path_factory.getbasetemp() / "refused"
    fit(store=path)
    with (
        warnings.catch_warnings(),
        pytest.raises(ValueError, match="holds another fit.*(.|\n)*" + message) as caught,
    ):
        warnings.filterwarnings("ignore", ".*bins have fewer than min_stars")
        fit(store=path, **changes)
    assert "or the path of a new store" in str(caught.value)


def test_load_says_what_is_wrong_with_the_path(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"there is no store at .*nothing"):
        MapStore(tmp_path / "nothing")
    with pytest.raises(ValueError, match="is no store of veldist"):
        load(tmp_path)


def test_what_is_no_store_is_not_touched(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="is no store of veldist"):
        fit(store=tmp_path / "file")
    with pytest.raises(ValueError, match="is no store of veldist"):
        fit(store=tmp_path)
    with pytest.raises(TypeError, match="store must be a path, got int"):
        fit(store=3)


def test_newer_stores_are_refused_and_other_versions_told(tmp_path, monkeypatch):
    path = tmp_path / "map"
    fit(store=path)
    monkeypatch.setattr("veldist.batch.store.__version__", "0.9")
    with pytest.warns(UserWarning, match=r"begun with veldist .*; this is 0\.9"):
        fit(store=path)
    manifest = json.loads((path / MANIFEST).read_text()) | {"format_version": 99, "veldist": "9.1"}
    (path / MANIFEST).write_text(json.dumps(manifest))
    for use in (lambda: load(path), lambda: fit(store=path)):
        with pytest.raises(ValueError, match=r"has format 99, written by veldist 9\.1.*install that version"):
            use()


def test_a_record_of_a_newer_format_is_not_taken_for_a_good_one(tmp_path, monkeypatch):
    path = tmp_path / "map"
    with monkeypatch.context() as patch:
        patch.setattr("veldist.fits.record._VERSION", 99)
        stored = fit(store=path)
    with pytest.raises(DamagedRecordError, match=r"bin 1 in .* has format 99.*install that version"):
        stored[0]


def test_a_bin_put_right_goes_into_the_same_store(plain, tmp_path):
    bins = make_bins(SIZES)
    good = bins[2]["vel"][0]
    bins[2]["vel"][0] = np.nan
    with pytest.raises(BatchError, match="bin 2") as caught:
        fit(bins, store=tmp_path / "map")
    assert [s is None for s in caught.value.solvers] == [False, False, True, True, False, False]
    bins[2]["vel"][0] = good
    assert_all_same(plain, fit(bins, store=tmp_path / "map"))
    # From then on these stars are those of the store.
    bins[2]["vel"][0] += 1.0
    with pytest.raises(ValueError, match=r"stars of 1 of 6 bins: 3 \(counted from 1\)"):
        fit(bins, store=tmp_path / "map")


def test_warnings_are_told_again_by_a_resumed_run(tmp_path):
    bins = make_bins(SIZES)
    for k in (0, 2):
        bins[k]["vel"][:2] = 85.0
        bins[k]["err"][:2] = 30.0
    for _ in range(2):
        with pytest.warns(GridWarning, match=r"2 of 5 bins \(0, 2\):\n  bin 0: 2 of 40"):
            fit(bins, store=tmp_path / "map")


def test_another_store_may_take_the_place_of_a_removed_one(plain, tmp_path):
    path = tmp_path / "map"
    fit(make_bins([20, 20]), store=path)
    shutil.rmtree(path)
    assert_all_same(plain, fit(store=path))


def test_settings_are_compared_by_what_they_mean():
    def describe(**run_kwargs):
        return describe_settings(GRID, run_kwargs, 0, 10, {})

    assert describe() == describe(num_samples=1000, settings=Settings(n_draws=5), gpu=None)
    assert describe_changes({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}) == ["a.c: 2 -> 'absent'"]
    assert json.loads(json.dumps(describe())) == describe()


SCRIPT = """
import signal
import sys
import numpy as np
from tests.batch.test_store import fit, sizes_of
from tests.helpers.quick import RUN, make_bins
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
        env=os.environ | {"PYTHONPATH": os.pathsep.join((root, str(Path(root) / "src")))},
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
    store = tmp_path / "map"
    rng = np.random.default_rng(n_jobs)
    before = {}

    def finished():
        # What is there may be moved while one looks.
        return {p.name: p.stat().st_mtime_ns for p in store.glob("bin_*.npz")}

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
    store = tmp_path / "map"
    process = start(tmp_path, store, 400, 2)
    wait_for(lambda: len(list(store.glob("bin_*.npz"))) >= 3, process)
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


def interrupt_at_33_stars(monkeypatch):
    original = task.fit_stars

    @wraps(original)
    def fit_stars(stars, grid, **kwargs):
        if stars.n_stars == 33:
            raise KeyboardInterrupt
        return original(stars, grid, **kwargs)

    monkeypatch.setattr(task, "fit_stars", fit_stars)


def test_without_a_store_the_interruption_carries_what_was_done(plain, monkeypatch):
    interrupt_at_33_stars(monkeypatch)
    with pytest.raises(BatchInterrupted, match="after 3 of 5 bins: they are in the attribute") as caught:
        fit()
    assert isinstance(caught.value, KeyboardInterrupt)
    solvers = pickle.loads(pickle.dumps(caught.value)).solvers
    assert [s is None for s in solvers] == [False, True, False, True, True, False]
    assert_same(solvers[5], plain[5])


def test_an_interruption_before_any_bin_says_so(tmp_path, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(task, "fit_stars", interrupted)
    with pytest.raises(BatchInterrupted, match=r"^interrupted before any of 5 bins was done\.$"):
        fit()
    with pytest.raises(BatchInterrupted, match="before any of 5 bins was done; the same call goes on"):
        fit(store=tmp_path / "map")


def test_with_a_store_the_interruption_carries_what_is_in_it(plain, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_at_33_stars(patch)
        with pytest.raises(BatchInterrupted, match=r"after 3 of 5 bins: they are in the store .*") as caught:
            fit(store=tmp_path / "map")
    assert "the same call goes on from there" in str(caught.value)
    solvers = pickle.loads(pickle.dumps(caught.value)).solvers
    assert [s is None for s in solvers] == [False, True, False, True, True, False]
    assert_same(solvers[5], plain[5])
    assert_all_same(plain, fit(store=tmp_path / "map"))
