"""Who does a likelihood's arithmetic, where that is not the likelihood itself: on another device, say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from veldist._support.arrays import Array

if TYPE_CHECKING:
    from veldist.inference.likelihood import Likelihood

__all__ = ["Curvature", "Evaluator"]


@dataclass(frozen=True)
class Curvature:
    """Value, gradient and negative Hessian of the log-likelihood at a batch of points."""

    value: Array  # (C,)
    gradient: Array  # (C, p)
    # (C, p, p): Negative Hessian; not positive definite everywhere.
    exact: Array
    # (C, p, p): Sum of outer products of the gradients of the rows of positive weight (the empirical Fisher
    # information where all are), which is.
    fisher: Array


class Evaluator(Protocol):
    """Does a likelihood's arithmetic."""

    def evaluate(self, likelihood: Likelihood, delta: Array, with_gradient: bool) -> tuple[Array, Array]:
        """As `Likelihood.value_and_gradient`; without the gradient, anything in its place."""
        ...

    def curvature(self, likelihood: Likelihood, delta: Array, psi: Array) -> Curvature:
        """As `Likelihood.curvature`."""
        ...
