"""How long the stages of a run take."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager

__all__ = ["stage"]

logger = logging.getLogger("veldist.pipeline")


@contextmanager
def stage(name: str) -> Generator[None]:
    """Log, for those who listen to ``veldist.pipeline``, how long the block took.

    The record has the attributes ``stage`` (the name) and ``seconds``.
    """
    start = time.perf_counter()
    yield
    seconds = time.perf_counter() - start
    logger.debug("%s took %.2f s", name, seconds, extra={"stage": name, "seconds": seconds})
