"""A lack of memory ends a command in a sentence, wherever it shows."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress

from veldist._support.memory import memory_ran_out

__all__ = ["NEEDED", "enough"]

NEEDED = 400_000_000
"""What a command that fits and draws takes at the least (bytes of addresses)."""


@contextmanager
def enough() -> Generator[None]:
    """End the process with a message, and exit code 1, if memory runs out in the block."""
    try:
        yield
    except Exception as error:
        if not memory_ran_out(error):
            raise
        # Else the memory that the interrupted work has taken stays taken.
        said = str(error)
        error.__traceback__ = None
        if "memory" not in said:
            what = ": ".join(filter(None, (type(error).__name__, said)))
            said = (
                f"memory ran out ({what}): free some, raise the limit (ulimit -v), or use fewer "
                "processes (--jobs 1). The same command goes on from what is kept."
            )
        said = said.replace("n_jobs=1", "--jobs 1").replace("n_jobs", "--jobs")
        with suppress(OSError, AttributeError):
            sys.stderr.write(f"error: {said}\n")
        raise SystemExit(1) from None
