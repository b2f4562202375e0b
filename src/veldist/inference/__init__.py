"""The inference engine: from a design matrix, a basis and a prior to posterior draws.

Nothing in here knows of a dimension, a file, a plot or a bin on the sky.
"""

from veldist.inference.engine import infer
from veldist.inference.likelihood import Evaluator, Likelihood
from veldist.inference.posterior import Diagnostics, Posterior, masses
from veldist.inference.prior import MixturePrior
from veldist.inference.settings import Settings

__all__ = [
    "Diagnostics",
    "Evaluator",
    "Likelihood",
    "MixturePrior",
    "Posterior",
    "Settings",
    "infer",
    "masses",
]
