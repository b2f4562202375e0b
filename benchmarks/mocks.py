"""Mock bins of the benchmarks of speed."""

from __future__ import annotations

import numpy as np

from benchmarks.methods.base import Array
from veldist.simulate import observe, standard_losvds

__all__ = ["GRID", "mock", "truth_name"]

_SIGMA = 20.0
_LOSVDS = standard_losvds(0.0, _SIGMA)
# All stars are on it, for one that is not costs NUTS on the user's grid more bins.
GRID = {"center": 0.0, "width": 15.0 * _SIGMA}


def truth_name(seed: int) -> str:
    """Which LOSVD the mock of this seed is drawn from: all seven take turns."""
    return list(_LOSVDS)[seed % len(_LOSVDS)]


def mock(n_stars: int, seed: int) -> tuple[Array, Array]:
    """Velocities and errors (km/s) of a bin: dispersion 20 km/s, errors of 5 to 15 km/s."""
    err = (0.25 * _SIGMA, 0.75 * _SIGMA)
    return observe(_LOSVDS[truth_name(seed)], n_stars, err, np.random.default_rng(seed))
