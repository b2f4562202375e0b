"""Files that appear when they are complete, and only where files may be."""

import errno
import os
from pathlib import Path

import pytest

from veldist._support.files import check_new, new_file, new_files, write_whole


def write(path):
    write_whole(path, b"new")


def write_through_a_temporary_file(path):
    with new_file(path) as temporary:
        Path(temporary).write_bytes(b"new")


WRITERS = pytest.mark.parametrize("writer", [write, write_through_a_temporary_file])


@WRITERS
def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path, writer):
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "file"
    target.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(target)
    writer(link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    # A link to a file that is not there yet makes it.
    target.unlink()
    writer(link)
    assert target.read_bytes() == b"new"
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["elsewhere", "file", "link"]


@WRITERS
def test_devices_and_pipes_are_not_replaced(tmp_path, writer):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match=r"pipe.*not a file.*name a file"):
        writer(pipe)
    assert pipe.is_fifo()
    with pytest.raises(OSError, match="/dev/null"):
        writer(Path("/dev/null"))
    assert Path("/dev/null").is_char_device()


@WRITERS
def test_what_cannot_be_a_file_is_refused(tmp_path, writer):
    with pytest.raises(IsADirectoryError, match="name a file"):
        writer(tmp_path)
    with pytest.raises(IsADirectoryError, match="name one"):
        writer(Path())
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(NotADirectoryError, match=r"file' is a file.*name a directory"):
        writer(tmp_path / "file" / "x")


def test_a_file_on_another_file_system_is_replaced_at_once(tmp_path, monkeypatch):
    """As where a link leads there: a move across file systems is no single step."""
    replace = Path.replace
    target = tmp_path / "a" / "file"
    target.parent.mkdir()

    def refuse(self, other):
        if self.parent != Path(other).parent:
            raise OSError(18, "Invalid cross-device link")
        return replace(self, other)

    monkeypatch.setattr(Path, "replace", refuse)
    with new_files([target]) as (temporary,):
        temporary.write_bytes(b"new")
    assert target.read_bytes() == b"new"
    assert [p.name for p in target.parent.iterdir()] == ["file"]


def test_files_that_are_there_need_permission(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        check_new(tmp_path / "file", overwrite=False)
    assert check_new(tmp_path / "file", overwrite=True) == tmp_path / "file"


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    monkeypatch.setattr(Path, "replace", lambda self, other: (_ for _ in ()).throw(OSError("no")))
    with pytest.raises(OSError, match="no"):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@WRITERS
def test_a_full_disk_is_named(tmp_path, monkeypatch, writer):
    def fail(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match=f"no room for the files in '{tmp_path}' .*: make some") as caught:
        writer(tmp_path / "file")
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
