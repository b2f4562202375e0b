"""Settings and samples shared by the tests."""

from __future__ import annotations

import os

# The tests run in parallel, one BLAS thread each. Plugins of pytest import NumPy before this is read: the
# variables are for processes that tests start, and libraries that are loaded later.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

threadpool_limits(limits=1)
settings.register_profile("veldist", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("veldist")


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import sys

    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
