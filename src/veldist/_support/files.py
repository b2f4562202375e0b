"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import uuid
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

__all__ = ["check_ahead", "check_new", "move_all", "new_file", "new_files", "write_whole"]


def check_new(path: str | os.PathLike[str], overwrite: bool) -> Path:
    """The file to write, links followed, after checking that it may be written.

    Raises
    ------
    FileExistsError
        If there is a file and ``overwrite`` is false.
    IsADirectoryError
        If there is a directory.
    NotADirectoryError
        If what should be its folder is a file.
    OSError
        If there is something else, a device or a pipe: only files are replaced.
    """
    path = Path(path)
    if not path.name:
        raise IsADirectoryError(f"'{path}' is no name of a file: name one.")
    if path.is_dir():
        raise IsADirectoryError(f"'{path}' is a directory: name a file.")
    folder = next((folder for folder in path.absolute().parents if folder.exists()), None)
    if folder is not None and not folder.is_dir():
        raise NotADirectoryError(f"'{folder}' is a file and can hold no '{path.name}': name a directory.")
    if path.exists() and not path.is_file():
        raise OSError(f"'{path}' is a device or a pipe, not a file: it is not replaced; name a file.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"'{path}' exists: pass overwrite=True to replace it, or another name.")
    # What a link points to is replaced, not the link.
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def check_ahead(path: str | os.PathLike[str], overwrite: bool = True) -> Path:
    """As `check_new`, and that its folder can be written to: for before the work that leads to the file.

    Raises
    ------
    OSError
        As `check_new`, or if nothing can be written there.
    """
    path = check_new(path, overwrite)
    folder = next(folder for folder in path.absolute().parents if folder.exists())
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".veldist-"):
            pass
    except OSError as error:
        raise _not_writable(error, folder) from None
    return path


def _not_writable(error: OSError, folder: Path) -> OSError:
    return type(error)(
        f"the folder '{folder}' cannot be written to ({error.strerror}): choose another directory, or change "
        "its permissions."
    )


def write_whole(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file so that it has its former content or all of the new one.

    Parameters
    ----------
    path : Path
        The file; its folder must be there.
    data : bytes
        Its content.
    durable : bool
        Whether to wait until the disk has it.

    Raises
    ------
    OSError
        As `check_new`, or if it cannot be written.
    """
    path = check_new(path, True)
    # In the same folder, under a name that no other process uses.
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")
    try:
        with _full_disk_told(path.parent):
            with partial.open("wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            partial.replace(path)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


@contextmanager
def new_file(path: str | os.PathLike[str], overwrite: bool = True) -> Generator[Path]:
    """As `new_files`, for a single file."""
    with new_files([path], overwrite) as temporary:
        yield temporary[0]


@contextmanager
def new_files(paths: Sequence[str | os.PathLike[str]], overwrite: bool = True) -> Generator[list[Path]]:
    """Temporary file names, all moved to ``paths`` at the end of the block, or none if it fails.

    Parameters
    ----------
    paths : sequence of path-like
        Files of one directory, which is made if it does not exist.
    overwrite : bool
        Whether existing files may be replaced.

    Raises
    ------
    FileExistsError, IsADirectoryError
        As `check_new`.
    PermissionError
        If the directory cannot be written to.
    OSError
        If there is no room for the files.
    """
    targets = [check_new(path, overwrite) for path in paths]
    with _scratch(targets[0].parent) as scratch:
        new, old = scratch / "new", scratch / "old"
        new.mkdir()
        old.mkdir()
        # Of the same names: formats are told by suffixes.
        yield [new / target.name for target in targets]
        move_all(new, old, targets)


@contextmanager
def _scratch(directory: Path) -> Generator[Path]:
    """A temporary directory inside ``directory``, which is made, and removed again if the block fails."""
    made = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    with ExitStack() as stack:
        try:
            try:
                directory.mkdir(parents=True, exist_ok=True)
                name = stack.enter_context(tempfile.TemporaryDirectory(dir=directory, prefix=".veldist-"))
            except OSError as error:
                if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
                    raise
                raise _not_writable(error, directory) from error
            with _full_disk_told(directory):
                yield Path(name)
        except BaseException:
            stack.close()
            for folder in made:
                with suppress(OSError):
                    folder.rmdir()
            raise


@contextmanager
def _full_disk_told(directory: Path) -> Generator[None]:
    """Say where there is no room, which the system does not."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OSError(
            error.errno,
            f"there is no room for the files in '{directory}' ({os.strerror(error.errno)}): make some, and "
            "repeat this.",
        ) from error


def _move(source: Path, target: Path) -> None:
    """Replace a file by another, at once also where a link has led to another file system."""
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        beside = target.with_name(f".{target.name}.{uuid.uuid4().hex}.partial")
        shutil.copy2(source, beside)
        beside.replace(target)


def move_all(new: Path, old: Path, targets: Sequence[Path]) -> None:
    """Move files from ``new`` to their targets, or leave all targets as they were.

    ``old`` is a directory for copies of what was there before.
    """
    before = [target for target in targets if target.exists()]
    for target in before:
        shutil.copy2(target, old / target.name)
    try:
        for target in targets:
            _move(new / target.name, target)
    except BaseException:
        for target in targets:
            if target in before:
                _move(old / target.name, target)
            else:
                target.unlink(missing_ok=True)
        raise
