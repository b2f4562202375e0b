"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["check_new", "new_file"]


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
    """A temporary file name, moved to ``path`` at the end of the block; nothing is left if the block fails.

    Parameters
    ----------
    path : path-like
        Its directory is made if it does not exist.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    FileExistsError, IsADirectoryError
        As `check_new`.
    """
    path = check_new(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".veldist-") as scratch:
        # Of the same name: formats are told by suffixes.
        temporary = Path(scratch, path.name)
        yield temporary
        temporary.replace(path)
