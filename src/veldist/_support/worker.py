"""What a worker process makes of itself when it starts: no Ctrl-C, no output, an end with its parent."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
import time
from contextlib import suppress

__all__ = ["prepare_worker"]

# How often a worker looks for its parent (s).
_LOOK = 0.2


def prepare_worker(parent: int) -> None:
    """Prepare this process, which works for another one.

    Parameters
    ----------
    parent : int
        Number of the process that has started it. When that is gone, however it ended, this one ends.
    """
    # Ctrl-C in a terminal reaches all processes; it is the main one's to decide, and its word is SIGKILL.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The main process waits for their end: a last search for garbage would take half a second.
    atexit.register(gc.freeze)
    # Who reads the main process's output sees its end when nobody holds the pipe any more.
    if sys.stdout is not None and sys.stderr is not None:
        os.dup2(2, 1)
    watch = threading.Thread(target=_end_with, args=(parent,), daemon=True, name="end with parent")
    # With too little memory for a thread there may still be enough for the work.
    with suppress(RuntimeError):
        watch.start()


def _end_with(parent: int) -> None:
    # Not by a signal at the parent's death, which Linux sends when the thread ends that started this process.
    while os.getppid() == parent:
        time.sleep(_LOOK)
    # Nobody waits for the rest; a successor may be at the same work.
    os._exit(1)
