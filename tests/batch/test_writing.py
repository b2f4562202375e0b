"""Writing to a store: one run at a time, nothing left behind, and no fit that cannot be kept."""

import errno
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.batch.test_store import count_fits, fit, record, start, wait_for
from tests.helpers.quick import assert_all_same, make_bins
from veldist import load
from veldist.batch import writing
from veldist.batch.store import MANIFEST
from veldist.batch.writing import StoreInUseError, StoreWriteError, is_vacant, locked

KEPT = [f"bin_{k:05d}.npz" for k in (3, 6)]


def names(path):
    return sorted(p.name for p in path.iterdir())


@pytest.mark.parametrize(
    ("number", "cure"),
    [
        (errno.ENOSPC, r"No space left on device\): make room on that disk"),
        (errno.EDQUOT, r"\(.*\): make room within your quota"),
        (errno.EIO, r"\(Input/output error\): mend that"),
        (errno.EACCES, r"\(Permission denied\): let it be written to"),
        (errno.EROFS, r"\(Read-only file system\): let it be written to"),
    ],
)
def test_a_store_that_takes_no_more_stops_the_fit(number, cure, tmp_path, monkeypatch):
    path, original = tmp_path / "map", Path.replace

    def fail(self, target):
        # Large bins first: two are kept.
        if Path(target).name.startswith("bin_") and len(list(path.glob("bin_*"))) == 2:
            raise OSError(number, os.strerror(number))
        return original(self, target)

    fitted = count_fits(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fail)
        with pytest.raises(StoreWriteError) as caught:
            fit(store=path)
    assert isinstance(caught.value, OSError)
    kept = "stopped after 2 of 5 bins; they are kept, the same call goes on"
    assert caught.match(rf"^{kept}: the store {path} cannot be written to .*{cure}\.$")
    # The third was on its way; no other was fitted for nothing.
    assert fitted == [90, 60, 40]
    assert names(path) == [*KEPT, MANIFEST]
    fitted.clear()
    assert_all_same(fit(), fit(store=path))
    assert sorted(fitted[-3:]) == [25, 33, 40]


def test_workers_stop_as_well(tmp_path):
    process = start(tmp_path, tmp_path / "map", 500, 2)
    wait_for(lambda: len(list((tmp_path / "map").glob("bin_*.npz"))) >= 3, process)
    (tmp_path / "map").rename(tmp_path / "moved")
    output = process.communicate(timeout=60)[0]
    assert process.returncode == 1
    last = output.splitlines()[-1]
    assert last.startswith("veldist.batch.writing.StoreWriteError: stopped before the first bin: the store")
    assert "(No such file or directory): mend that" in last


def test_a_store_that_cannot_be_written_is_refused_before_the_first_fit(tmp_path, monkeypatch):
    path, original = tmp_path / "map", os.open
    expected = fit(store=path)
    before = names(path)

    def refuse(file, flags, *args, **kwargs):
        if flags & os.O_CREAT and Path(file).parent == path:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return original(file, flags, *args, **kwargs)

    monkeypatch.setattr(os, "open", refuse)
    # Where nothing is to be written, nothing is wrong.
    assert_all_same(expected, fit(store=path))
    assert names(path) == before
    record(path, 2).unlink()
    fitted = count_fits(monkeypatch)
    with pytest.raises(StoreWriteError, match=r"^stopped after 4 of 5 bins; .*\(Read-only file system\)"):
        fit(store=path)
    record(path, 3).write_bytes(b"damaged")
    with pytest.raises(StoreWriteError, match=r"^stopped after 4 of 5 bins; .*\(Read-only file system\)"):
        fit(store=path)
    assert fitted == []


def test_a_new_store_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreWriteError, match=r"store .*file/map cannot be written to \(Not a directory\)"):
        fit(store=tmp_path / "file" / "map")


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="makes a file system")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_disk_that_is_full(n_jobs, tmp_path, monkeypatch):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no file system can be made here")
    try:
        bins = make_bins([30 + k for k in range(40)])
        with pytest.raises(StoreWriteError, match=r"after \d+ of 40 bins; .*\(No space left on device\)"):
            fit(bins, store=disk / "map", n_jobs=n_jobs)
        kept = names(disk / "map")
        assert 3 < len(kept) < 40
        assert kept[-1] == MANIFEST
        assert all(name.endswith(".npz") for name in kept[:-1])
    finally:
        subprocess.run(["umount", disk], check=True)


def test_two_runs_do_not_write_to_one_store(tmp_path):
    path = tmp_path / "map"
    process = start(tmp_path, path, 500, 1)
    wait_for(lambda: len(list(path.glob("bin_*.npz"))) >= 1, process)
    with pytest.raises(StoreInUseError) as caught:
        # Not even to say that it is of other stars.
        fit(store=path)
    assert caught.match(
        rf"^the store {path} is being written by process {process.pid} on .*: wait for its end"
    )
    # Reading is free.
    with pytest.warns(UserWarning, match="are not done"):
        load(path)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    # Its lock has gone with it, and the next run tidies up.
    assert (path / "lock").exists()
    (path / ".bin_00007.npz.0123.partial").touch()
    with pytest.raises(ValueError, match="holds another fit"):
        fit(store=path)
    assert {p.suffix for p in path.iterdir()} == {".npz", ".json"}


@pytest.mark.parametrize("new", [True, False])
def test_of_many_that_come_at_once_one_writes(new, tmp_path):
    n = 4
    meet = Barrier(n)
    inside = []

    def enter(path):
        meet.wait()
        try:
            with locked(path):
                inside.append(path)
                assert inside.count(path) == 1
                meet.wait()
                inside.remove(path)
                (path / "manifest").touch()
        except StoreInUseError:
            meet.wait()
            return False
        return True

    with ThreadPoolExecutor(n) as threads:
        for k in range(30):
            path = tmp_path / str(k)
            if not new:
                path.mkdir()
            assert sum(threads.map(enter, [path] * n)) == 1
            assert names(path) == ["manifest"]


def test_what_is_left_of_a_start_that_was_killed_is_as_good_as_nothing(tmp_path):
    path = tmp_path / "map"
    path.mkdir()
    assert is_vacant(path)
    (path / "lock").write_text("12345 on elsewhere")
    (path / f".{MANIFEST}.0123.partial").write_text("{")
    assert is_vacant(path)
    fit(store=path)
    assert len(names(path)) == 6
    assert not is_vacant(path)


def test_where_files_cannot_be_locked_a_message_says_so(tmp_path, monkeypatch, caplog):
    def refuse(*arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(writing.fcntl, "flock", refuse)
    fit(store=tmp_path / "map")
    assert "cannot be locked here (No locks available): let no other run write to it." in caplog.text
    assert len(names(tmp_path / "map")) == 6
