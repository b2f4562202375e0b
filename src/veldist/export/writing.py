"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

__all__ = ["check_new", "move_all", "new_file", "new_files"]


def check_new(path: str | os.PathLike[str], overwrite: bool) -> Path:
    """The path, after checking that a file may be written there.

    Raises
    ------
    FileExistsError
        If there is a file and ``overwrite`` is false.
    IsADirectoryError
        If there is a directory.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"'{path}' is a directory: name a file.")
    if path.exists() and not overwrite:
        raise FileExistsError(f"'{path}' exists: pass overwrite=True to replace it, or another name.")
    return path


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
    """
    targets = [check_new(path, overwrite) for path in paths]
    folder = targets[0].parent
    folder.mkdir(parents=True, exist_ok=True)
    try:
        scratch = tempfile.TemporaryDirectory(dir=folder, prefix=".veldist-")
    except PermissionError as error:
        raise PermissionError(
            f"'{folder}' cannot be written to: name another folder, or change its permissions."
        ) from error
    with scratch as name:
        # Of the same name: formats are told by suffixes.
        temporary = [Path(name, "new", target.name) for target in targets]
        for part in ("new", "old"):
            Path(name, part).mkdir()
        yield temporary
        move_all(Path(name, "new"), Path(name, "old"), targets)


def move_all(new: Path, old: Path, targets: Sequence[Path]) -> None:
    """Move files from ``new`` to their targets, or leave all targets as they were.

    ``old`` is a directory for copies of what was there before. All directories are on one file system,
    so each move is atomic.
    """
    before = [target for target in targets if target.exists()]
    for target in before:
        shutil.copy2(target, old / target.name)
    try:
        for target in targets:
            (new / target.name).replace(target)
    except BaseException:
        for target in targets:
            if target in before:
                (old / target.name).replace(target)
            else:
                target.unlink(missing_ok=True)
        raise
