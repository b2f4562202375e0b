"""The inference engine: from a likelihood of cell masses, their basis and a prior to posterior draws.

Nothing in here knows of a dimension, a file, a plot or a bin on the sky.
"""

from importlib import import_module
from typing import Any

from veldist.inference.blocks import Blocks
from veldist.inference.engine import infer
from veldist.inference.evaluator import Evaluator
from veldist.inference.likelihood import Likelihood
from veldist.inference.monitor import Monitor
from veldist.inference.posterior import Diagnostics, Posterior, masses
from veldist.inference.prior import MixturePrior
from veldist.inference.settings import Settings

__all__ = [
    "Blocks",
    "Diagnostics",
    "Evaluator",
    "Likelihood",
    "MixturePrior",
    "Monitor",
    "Posterior",
    "Settings",
    "infer",
    "masses",
]


def __getattr__(name: str) -> Any:
    # Users' scripts import it from here, but it belongs to a model, of which the engine must not depend.
    if name == "PriorSettings":
        return import_module("veldist.models.losvd").PriorSettings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
