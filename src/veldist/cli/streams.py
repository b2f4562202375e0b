"""Outputs of a command that never stop it: what cannot be written any more is dropped."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["accept_loss", "check_told"]


def accept_loss() -> None:
    """Make this process's standard outputs take everything, also where they are closed or the disk is full.

    Outputs of another kind than Python's own, as tests have, stay.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            # Else the next file that is opened has this number, and whoever writes a message writes into it.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    for name in ("stdout", "stderr"):
        setattr(sys, name, _lenient(getattr(sys, name)))


def check_told() -> None:
    """Raise if a part of what was written to the standard output is lost.

    For commands whose result it is. A reader who went away, as ``head`` does, has read enough.

    Raises
    ------
    OSError
        With the reason.
    """
    sys.stdout.flush()
    if _Lenient.lost not in (0, errno.EPIPE):
        raise OSError(f"the standard output could not be written ({os.strerror(_Lenient.lost)}).")


class _Lenient(io.FileIO):
    """A file that drops what it cannot write."""

    # Error number of the first loss on the standard output.
    lost = 0

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if self.fileno() == 1 and not _Lenient.lost:
                _Lenient.lost = error.errno or errno.EIO
            return memoryview(data).nbytes


def _lenient(stream: Any) -> Any:
    """The same stream, over a file that drops what it cannot write."""
    if stream is None:
        return Path(os.devnull).open("w")
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)
    if type(raw) is not io.FileIO:
        return stream
    with suppress(OSError):
        stream.flush()
    file = _Lenient(raw.fileno(), "w", closefd=False)
    return io.TextIOWrapper(
        # As with python -u.
        file if raw is buffer else io.BufferedWriter(file),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
