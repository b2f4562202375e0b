"""Evidence of the prior's components, and of "not Gaussian"."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.inference.prior import MixturePrior

__all__ = ["Evidence", "combine_evidence"]


@dataclass(frozen=True)
class Evidence:
    """Marginal likelihoods of the data under the prior and its components."""

    component: Floats  # (G,): log evidence given each component
    probability: Floats  # (G,): posterior probability of each component
    total: float  # log evidence
    # Natural log of the evidence ratio of the other components together to the null components; NaN if the
    # prior has no null component, or no other.
    log_bayes_factor: float


def combine_evidence(prior: MixturePrior, component: Floats) -> Evidence:
    """Weigh the components' log evidences (G,) with the prior."""
    joint = prior.log_weights + component
    total = float(np.logaddexp.reduce(joint))

    def log_mean(which: NDArray[np.bool_]) -> float:
        return float(np.logaddexp.reduce(joint[which]) - np.logaddexp.reduce(prior.log_weights[which]))

    null = prior.is_null
    contrast = log_mean(~null) - log_mean(null) if null.any() and not null.all() else float("nan")
    return Evidence(
        component=component, probability=np.exp(joint - total), total=total, log_bayes_factor=contrast
    )
