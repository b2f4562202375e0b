"""One BLAS thread at a time: the products are small, and their bits must not depend on the machine's load."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread"]


@cache
def _controller() -> ThreadpoolController:
    # Looking the loaded libraries up takes milliseconds: once is enough.
    return ThreadpoolController()


@contextmanager
def one_thread() -> Generator[None]:
    """Run linear algebra on a single thread within the block."""
    with _controller().limit(limits=1):
        yield
