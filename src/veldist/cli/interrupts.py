"""Ctrl-C, SIGTERM or a lost terminal ends a command with what was kept and how to go on, at any moment.

Only the standard library is imported: it must work while everything else is half imported.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

__all__ = ["came", "told", "watched"]

# A second Ctrl-C within so long (s) is the same person's impatience, and must not disturb the end.
_PATIENCE = 1.0
# After so long (s) an interruption that was swallowed is tried again.
_AGAIN = 0.5
_HANDLED = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]


class _State:
    """What is known of an interruption: its signal (0 for none), when it came, and whether it was told."""

    number = 0
    when = 0.0
    ending = False


class _Interrupted(KeyboardInterrupt):
    """What is raised at a signal. It is raised again if somebody swallows it, as some imports do."""

    # A subclass also because Python ends with the signal instead of an exit code if a `KeyboardInterrupt` as
    # such has ever left a string that it ran.

    def __del__(self) -> None:
        if not _State.ending:
            timer = threading.Timer(_AGAIN, _interrupt_again)
            timer.daemon = True
            timer.start()


def came() -> bool:
    """Whether an interruption is under way: any exception may then be its doing."""
    return _State.number != 0


def _nothing_kept() -> str:
    return "interrupted before anything was done; the same command starts again."


@contextmanager
def watched() -> Generator[None]:
    """Interrupt the block, which is all that a process does, at Ctrl-C, SIGTERM and SIGHUP.

    What leaves the block then ends the process without a traceback. After the block the signals have their
    default action: at once, or, if it was interrupted, after a second for a tidy end. Signals that were
    ignored, as in programs that a shell has started in the background, or by nohup, stay so.
    """
    _State.number, _State.ending = 0, False
    handlers = (signal.SIG_DFL, signal.default_int_handler)
    numbers = [number for number in _HANDLED if signal.getsignal(number) in handlers]
    hook, sys.unraisablehook = sys.unraisablehook, _unraisable
    try:
        for number in numbers:
            signal.signal(number, _interrupt)
        with told():
            yield
    finally:
        _State.ending = True
        for number in numbers if not came() else ():
            signal.signal(number, signal.SIG_DFL)
        sys.unraisablehook = hook


@contextmanager
def told(kept: Callable[[], str] = _nothing_kept) -> Generator[None]:
    """End the process with a message if the block is interrupted.

    Parameters
    ----------
    kept : callable
        Says what was kept and how to go on, unless the exception says so itself.

    Raises
    ------
    SystemExit
        With 128 and the signal's number, as shells count: 130 for Ctrl-C.
    """
    try:
        yield
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt) or (came() and not _State.ending):
            said = str(error) if isinstance(error, KeyboardInterrupt) else ""
            _end(said.replace("the same call", "the same command") or kept())
        raise


def _end(message: str) -> NoReturn:
    _State.ending = came()
    # Terminals have written ^C where the cursor was.
    with suppress(OSError, AttributeError):
        sys.stderr.write(("\n" if sys.stderr.isatty() else "") + message + "\n")
    raise SystemExit(128 + (_State.number or signal.SIGINT)) from None


def _interrupt(number: int, frame: FrameType | None) -> Any:
    """Handle a signal."""
    if came() and time.monotonic() - _State.when < _PATIENCE:
        return
    if _State.ending:
        signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)
    _State.number, _State.when = number, time.monotonic()
    raise _Interrupted


def _interrupt_again() -> None:
    if not _State.ending:
        _State.when = 0.0
        if hasattr(signal, "pthread_kill"):
            # It wakes a thread that waits; the other does not.
            signal.pthread_kill(threading.main_thread().ident or 0, _State.number)
        else:
            _thread.interrupt_main(signal.Signals(_State.number))


def _unraisable(unraisable: Any) -> None:
    """Say nothing of interruptions that came in a destructor or callback."""
    if not issubclass(unraisable.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(unraisable)
