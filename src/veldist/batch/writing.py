"""Writing to a store: its lock, what killed runs have left, and what to say when it takes no more."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

__all__ = ["StoreInUseError", "StoreWriteError", "cannot_write", "is_vacant", "locked", "remove_leftovers"]

logger = logging.getLogger(__name__)

_LOCK = "lock"
# What a system says whose files cannot be locked, as some that are shared over a network.
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
_CURES = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room within your quota",
    errno.EACCES: "let it be written to",
    errno.EPERM: "let it be written to",
    errno.EROFS: "let it be written to",
}


class StoreInUseError(RuntimeError):
    """Another run writes to the store."""


class StoreWriteError(OSError):
    """The store takes no more bins: the disk is full, say."""


def cannot_write(path: Path, error: OSError) -> StoreWriteError:
    """What is wrong with a store that cannot be written to, and its cure."""
    number = error.errno or 0
    return StoreWriteError(
        f"the store {path} cannot be written to ({os.strerror(number)}): {_CURES.get(number, 'mend that')}."
    )


def is_vacant(path: Path) -> bool:
    """Whether there is nothing, or an empty directory, or what a run has left that was killed at once."""
    return not path.exists() or (
        path.is_dir() and all(p.name == _LOCK or p.match(".*.partial") for p in path.iterdir())
    )


def remove_leftovers(path: Path) -> None:
    """Remove the files of a directory that were not finished, for whoever has locked it."""
    for partial in path.glob(".*.partial"):
        with suppress(OSError):
            partial.unlink()


@contextmanager
def locked(path: Path) -> Generator[OSError | None]:
    """Lock a directory, which is made if need be, against other runs, for as long as this process lives.

    Parameters
    ----------
    path : Path
        The directory. If it is empty in the end, it is removed.

    Yields
    ------
    OSError or None
        Why nothing can be written to it. Where files cannot be locked at all, a message is logged.

    Raises
    ------
    StoreInUseError
        If another run has locked it.
    StoreWriteError
        If it cannot be made.
    """
    try:
        path.resolve().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    file = path / _LOCK
    descriptor, problem = -1, None
    try:
        descriptor = _take(file)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()} on {socket.gethostname()}".encode())
    except OSError as error:
        problem = error
    try:
        yield problem
    finally:
        if descriptor >= 0:
            with suppress(OSError):
                file.unlink()
            os.close(descriptor)
        with suppress(OSError):
            path.rmdir()


def _take(file: Path) -> int:
    """Open a file that nobody else has locked, and lock it."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor, file)
            # Whoever had it may have removed it since it was opened.
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), file.stat()):
                    return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _lock(descriptor: int, file: Path) -> None:
    try:
        if fcntl is None:
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 300).decode(errors="replace") or "another one"
        raise StoreInUseError(
            f"the store {file.parent} is being written by process {holder}: wait for its end, or pass the "
            "path of another store."
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        logger.warning(
            "the store %s cannot be locked here (%s): let no other run write to it.",
            file.parent,
            os.strerror(error.errno),
        )
