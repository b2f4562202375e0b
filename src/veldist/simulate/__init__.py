"""Mock LOSVDs and a mock cluster, with their truths.

Every LOSVD is parametrised by its true mean and dispersion and a shape; it knows its exact bin masses and
moments, and draws stars.
"""

from __future__ import annotations

from veldist.simulate.base import LOSVD
from veldist.simulate.cluster import MockCluster, rotating_cluster
from veldist.simulate.losvd import FlatTopped, Gaussian, LaplaceConvolved, StudentT
from veldist.simulate.mixture import CounterRotating, Mixture, TwoDispersions, mixture_moments
from veldist.simulate.sample import observe, standard_losvds
from veldist.simulate.skew import SkewNormal

__all__ = [
    "LOSVD",
    "CounterRotating",
    "FlatTopped",
    "Gaussian",
    "LaplaceConvolved",
    "Mixture",
    "MockCluster",
    "SkewNormal",
    "StudentT",
    "TwoDispersions",
    "mixture_moments",
    "observe",
    "rotating_cluster",
    "standard_losvds",
]
