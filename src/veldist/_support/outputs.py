"""Standard outputs that may be lost: nothing that is said on the way stops the work."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

__all__ = ["flushable_outputs", "progress_bar"]


def progress_bar(iterable: Iterable[Any] | None = None, *, shown: bool, **options: Any) -> Any:
    """A progress bar on the standard error that ends in silence where nobody reads that any more.

    Parameters
    ----------
    iterable : iterable, optional
        As for `tqdm.tqdm`.
    shown : bool
        Whether to show it.
    **options
        Further arguments of `tqdm.tqdm`.
    """
    hidden = not shown or sys.stderr is None
    with flushable_outputs():
        return tqdm(iterable, file=_StandardError(), disable=hidden, **options)


class _StandardError:
    """The standard error; what it does not take, as a closed pipe and a full disk do not, is dropped."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)

    def __eq__(self, other: object) -> bool:
        # tqdm asks the terminal for its width, and makes way for messages, on the standard error only.
        return other is sys.stderr or isinstance(other, _StandardError)

    def __hash__(self) -> int:
        return hash(_StandardError)


@contextmanager
def flushable_outputs() -> Generator[None]:
    """Let the standard outputs be flushed in the block, as loky and tqdm do, even if they are lost."""
    lost = {}
    for name in ("stdout", "stderr"):
        try:
            getattr(sys, name).flush()
        except (OSError, ValueError, AttributeError):
            lost[name] = getattr(sys, name)
    if not lost:
        yield
        return
    with Path(os.devnull).open("w") as nowhere:
        try:
            for name in lost:
                setattr(sys, name, nowhere)
            yield
        finally:
            for name, stream in lost.items():
                setattr(sys, name, stream)
