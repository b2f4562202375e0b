"""Markov moves that leave the exact posterior invariant: HMC, and changes of the prior component."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Array, Floats
from veldist.inference.target import Target

__all__ = ["Chains", "Sweep", "sweep"]

# A quarter of the whitened Gaussian's period carries a point to an independent one (Neal 2011, section 5.4).
_TRAJECTORY = 0.5 * np.pi
# Share of the moves that keep the component. Where components differ in more than their Gaussian
# approximations say, the others are rarely accepted.
_STAY = 0.1


@dataclass(frozen=True)
class Chains:
    """Current points of all chains, in any order."""

    identity: NDArray[np.intp]  # (C,): which chain stands in each row
    component: NDArray[np.intp]  # (C,)
    u: Array  # (C, p)
    value: Array  # (C,): target up to the component's constant
    gradient: Array  # (C, p)

    def take(self, order: NDArray[np.intp]) -> Chains:
        """The same chains in another order."""
        xp = self.u.__array_namespace__()
        rows = xp.asarray(order)
        return Chains(
            identity=self.identity[order],
            component=self.component[order],
            u=xp.take(self.u, rows, axis=0),
            value=xp.take(self.value, rows, axis=0),
            gradient=xp.take(self.gradient, rows, axis=0),
        )


@dataclass(frozen=True)
class Sweep:
    """Outcome of one round of moves."""

    chains: Chains  # where they are now
    accepted: NDArray[np.bool_]  # (C,): which of them have moved
    stayed: NDArray[np.bool_]  # (C,): which of them were not to change their component


def sweep(
    target: Target,
    chains: Chains,
    log_proposal: Floats,
    n_steps: int,
    rng: np.random.Generator,
) -> Sweep:
    r"""Move all chains once: to another point u and, mostly, another prior component g together.

    Hamiltonian Monte Carlo (Neal 2011, Handbook of MCMC, chapter 5) that follows the Gaussian part of the
    target exactly: the energy splits into that of the standard normal in u, whose motion is a rotation of
    (u, momentum), and :math:`-T - |u|^2/2`, whose motion is a kick. Half a kick, a rotation, half a kick are
    reversible and preserve volume (Shahbaba et al. 2014, Stat. Comput. 24, 339, section 3). They remain so if
    in the middle of a rotation, where u is nearly independent of g, the component changes to a proposal: the
    way back is the same with the components exchanged. One step thus renews both with one gradient.

    Parameters
    ----------
    target : Target
        The posterior.
    chains : Chains
        Where the chains stand.
    log_proposal : ndarray, (G,)
        Log of the probabilities with which components are proposed.
    n_steps : int
        Rotations, odd; more of them make each one shorter.
    rng : numpy.random.Generator
        Source of randomness.
    """
    xp = chains.u.__array_namespace__()
    dtype = chains.u.dtype
    n_chains = chains.component.size
    proposal = np.searchsorted(np.cumsum(np.exp(log_proposal)), rng.random(n_chains))
    proposal = np.minimum(proposal, log_proposal.size - 1)
    proposal = np.where(rng.random(n_chains) < _STAY, chains.component, proposal)
    momentum = xp.asarray(rng.standard_normal(chains.u.shape, dtype=np.float32), dtype=dtype)
    # Each chain its own step, so that no direction resonates in all of them.
    angle = _TRAJECTORY / n_steps * (1.0 + 0.2 * (2.0 * rng.random(n_chains) - 1.0))
    log_uniform = np.log(rng.random(n_chains))
    constant = np.asarray(target.log_constant, dtype=np.float64) - log_proposal

    # Points are evaluated in the order of their components: first those of the chains, then the proposals.
    if n_steps > 1:
        order = np.argsort(chains.component, kind="stable")
        chains, proposal = chains.take(order), proposal[order]
    before = np.asarray(chains.value - 0.5 * xp.sum(momentum * momentum, axis=1), dtype=np.float64)
    before += constant[chains.component]
    step, cosine, sine = (xp.asarray(a, dtype=dtype)[:, None] for a in (angle, np.cos(angle), np.sin(angle)))
    u, momentum = chains.u, momentum + 0.5 * step * (chains.gradient + chains.u)
    runs = target.runs(chains.component) if n_steps > 1 else []
    for k in range(n_steps):
        u, momentum = cosine * u + sine * momentum, cosine * momentum - sine * u
        if k == n_steps // 2:
            order = np.argsort(proposal, kind="stable")
            rows = xp.asarray(order)
            u, momentum, step, cosine, sine = (
                xp.take(a, rows, axis=0) for a in (u, momentum, step, cosine, sine)
            )
            chains, proposal = chains.take(order), proposal[order]
            runs = target.runs(proposal)
        value, gradient = target.value_and_gradient(runs, u)
        momentum = momentum + (step if k < n_steps - 1 else 0.5 * step) * (gradient + u)
    after = np.asarray(value - 0.5 * xp.sum(momentum * momentum, axis=1), dtype=np.float64)
    log_ratio = after + constant[proposal] - before[order]
    # A point that overflowed has no density.
    accepted = log_uniform[order] < np.where(np.isfinite(after), log_ratio, -np.inf)
    stayed = proposal == chains.component
    yes = xp.asarray(accepted)
    moved = Chains(
        identity=chains.identity,
        component=np.where(accepted, proposal, chains.component),
        u=xp.where(yes[:, None], u, chains.u),
        value=xp.where(yes, value, chains.value),
        gradient=xp.where(yes[:, None], gradient, chains.gradient),
    )
    return Sweep(chains=moved, accepted=accepted, stayed=stayed)
