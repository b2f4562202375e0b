"""Settings and samples shared by the tests."""

from __future__ import annotations

import os

# Before anything imports NumPy: the tests run in parallel, one BLAS thread each.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from hypothesis import settings

settings.register_profile("veldist", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("veldist")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import sys

    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
