"""The methods of the accuracy contest, one a file. All obey `base.Method`.

Optional packages (``pip install 'veldist[bench]'``) are imported when a method that needs them is called.
"""

from .base import Method
from .extreme_deconvolution import ExtremeDeconvolution
from .gaussian import GaussianFit
from .nuts_fixed import nuts_at_component
from .penalised_histogram import PenalisedHistogram
from .random_walk_nuts import RandomWalkNuts

__all__ = [
    "ExtremeDeconvolution",
    "GaussianFit",
    "Method",
    "PenalisedHistogram",
    "RandomWalkNuts",
    "nuts_at_component",
]
