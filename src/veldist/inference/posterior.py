"""The result of an inference: labelled draws, evidences and diagnostics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.inference.prior import MixturePrior

__all__ = ["Diagnostics", "Posterior", "masses"]


@dataclass(frozen=True)
class Diagnostics:
    """How far the draws can be trusted, and what the data say about the prior's components.

    Attributes
    ----------
    quantities : tuple of str
        Names of the monitored quantities.
    ess : ndarray, (Q,)
        Effective sample size of each.
    rhat : ndarray, (Q,)
        Nested R-hat of each over independently started groups of chains.
    pareto_k : float
        Shape of the importance weights' tail. Above 0.7 the start was poor; the Markov moves repair it,
        so that this alone does not mean failure.
    acceptance, component_acceptance : float
        Mean acceptance of the moves that keep the prior component, and of those that change it.
    log_evidence : float
        Log marginal likelihood of the data.
    component_log_evidence : ndarray, (G,)
        The same given each prior component.
    component_probability : ndarray, (G,)
        Posterior probability of each component.
    component_labels : tuple of str
        What the components are.
    log_bayes_factor : float
        Natural log of the evidence ratio "not Gaussian" over "Gaussian".
    n_rounds : int
        Rounds of moves made, kept or not.
    converged : bool
        Whether all criteria were met.
    messages : tuple of str
        What was not met.
    """

    quantities: tuple[str, ...]
    ess: Floats
    rhat: Floats
    pareto_k: float
    acceptance: float
    component_acceptance: float
    log_evidence: float
    component_log_evidence: Floats
    component_probability: Floats
    component_labels: tuple[str, ...]
    log_bayes_factor: float
    n_rounds: int
    converged: bool
    messages: tuple[str, ...]

    @property
    def ess_min(self) -> float:
        """Smallest effective sample size of the monitored quantities."""
        return float(self.ess.min())

    @property
    def rhat_max(self) -> float:
        """Largest nested R-hat of the monitored quantities."""
        return float(self.rhat.max())

    def __str__(self) -> str:
        state = "converged" if self.converged else "NOT CONVERGED: " + "; ".join(self.messages)
        return (
            f"{state}; effective sample size >= {self.ess_min:.0f}, nested R-hat <= {self.rhat_max:.3f}, "
            f"Pareto k {self.pareto_k:.2f}, acceptance {self.acceptance:.2f}; "
            f"log Bayes factor of 'not Gaussian' {self.log_bayes_factor:+.2f}"
        )


@dataclass(frozen=True)
class Posterior:
    """Draws of the latent coefficients and all that is needed to turn them into cell masses.

    Attributes
    ----------
    coefficients : ndarray, (chains, rounds, p)
        Draws of beta.
    component : ndarray of int, (chains, rounds)
        Prior component of each draw.
    psi : ndarray, (K, p)
        Basis.
    log_base : ndarray, (K,)
        Log of the cells' base masses (their widths).
    prior : MixturePrior
        The prior.
    diagnostics : Diagnostics
        Their quality.
    n_groups : int
        Independently started groups; consecutive blocks of chains.
    """

    coefficients: NDArray[np.float32]
    component: NDArray[np.intp]
    psi: Floats
    log_base: Floats
    prior: MixturePrior
    diagnostics: Diagnostics
    n_groups: int

    @property
    def n_draws(self) -> int:
        """Number of draws, chains times rounds."""
        return self.component.size

    def cell_masses(self) -> Floats:
        """Masses of the cells in every draw, (draws, K), one round after the other; rows sum to 1."""
        beta = np.swapaxes(self.coefficients, 0, 1).reshape(self.n_draws, -1)
        return masses(beta, self.psi, self.log_base)


def masses(beta: NDArray[np.floating], psi: Floats, log_base: Floats) -> Floats:
    """Cell masses ``softmax(psi beta + log_base)`` of each row of ``beta`` (n, p): (n, K)."""
    # The draws are in single precision, and so are the relative errors of the masses.
    logits = beta.astype(np.float32) @ psi.T.astype(np.float32) + log_base[None, :].astype(np.float32)
    logits -= logits.max(axis=1, keepdims=True)
    weight = np.exp(logits).astype(np.float64)
    return weight / weight.sum(axis=1, keepdims=True)
