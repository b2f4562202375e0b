"""Draws: importance resampling from the Laplace mixture, then HMC and moves between prior components.

The resampled points are a good start in every prior component at once; the Markov moves leave the exact
posterior invariant and remove what the finite resampling got wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from veldist.inference.likelihood import Array
from veldist.inference.target import Target

__all__ = ["Chains", "ImportanceSample", "Sweep", "importance_sample", "resample", "sweep"]

# Half a period of the whitened Gaussian carries a point to an independent one (Neal 2011, section 5.4).
_TRAJECTORY = 0.5 * np.pi


@dataclass(frozen=True)
class ImportanceSample:
    """Weighted draws from the mixture of Laplace approximations, stratified by component.

    Attributes
    ----------
    component : ndarray of int, (S,)
        Prior component of each draw, sorted.
    u : array, (S, p)
        Whitened coefficients.
    log_weight : ndarray, (S,)
        Log importance weights: their exponentials sum to an estimate of the evidence.
    log_evidence : ndarray, (G,)
        Importance-sampling estimate of each component's log evidence, prior weight left out.
    """

    component: NDArray[np.intp]
    u: Array
    log_weight: NDArray[np.float64]
    log_evidence: NDArray[np.float64]


@dataclass(frozen=True)
class Chains:
    """Current points of all chains, sorted by component.

    Attributes
    ----------
    identity : ndarray of int, (C,)
        Which chain stands in each row.
    component : ndarray of int, (C,)
    u : array, (C, p)
    value : array, (C,)
        Target up to the component's constant.
    gradient : array, (C, p)
    """

    identity: NDArray[np.intp]
    component: NDArray[np.intp]
    u: Array
    value: Array
    gradient: Array

    def sorted(self) -> Chains:
        """The same chains in the order of their components."""
        xp = self.u.__array_namespace__()
        order = np.argsort(self.component, kind="stable")
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
    """Outcome of one round of moves: the chains and the acceptance rates of both kinds of move."""

    chains: Chains
    acceptance: float
    component_acceptance: float


def importance_sample(
    target: Target,
    log_prior_weights: NDArray[np.float64],
    log_laplace: NDArray[np.float64],
    n_draws: int,
    n_minimum: int,
    rng: np.random.Generator,
) -> ImportanceSample:
    """Draw from the Laplace mixture, with at least ``n_minimum`` draws in every component.

    Parameters
    ----------
    target : Target
        The posterior.
    log_prior_weights : ndarray, (G,)
        log pi_g.
    log_laplace : ndarray, (G,)
        Log posterior weights of the components by their Laplace evidences, normalised.
    n_draws : int
        Draws to spread over the components by those weights, beyond the minimum.
    n_minimum : int
        Draws in every component, however improbable: its evidence is reported too.
    rng : numpy.random.Generator
        Source of randomness.
    """
    counts = n_minimum + np.ceil(n_draws * np.exp(log_laplace)).astype(int)
    component = np.repeat(np.arange(counts.size), counts)
    xp = target.offset.__array_namespace__()
    noise = rng.standard_normal((component.size, target.lift.shape[1]))
    u = xp.asarray(noise, dtype=target.offset.dtype)
    value = np.asarray(target.value(component, u), dtype=np.float64)
    constant = np.asarray(target.log_constant, dtype=np.float64) - log_prior_weights
    ratio = value + constant[component] + 0.5 * np.sum(noise**2, axis=1)
    ratio = np.where(np.isfinite(ratio), ratio, -np.inf)
    bounds = np.append(0, np.cumsum(counts))
    evidence = np.array([np.logaddexp.reduce(ratio[a:b]) - np.log(b - a) for a, b in pairwise(bounds)])
    return ImportanceSample(
        component=component,
        u=u,
        log_weight=ratio + log_prior_weights[component] - np.log(counts)[component],
        log_evidence=evidence,
    )


def resample(target: Target, sample: ImportanceSample, n_chains: int, rng: np.random.Generator) -> Chains:
    """Start chains at points of an importance sample, chosen in proportion to their weights.

    Systematic resampling (Kitagawa 1996, JCGS 5, 1): a point of weight w is taken floor or ceil of
    ``n_chains w`` times.
    """
    weight = np.exp(sample.log_weight - sample.log_weight.max())
    cumulative = np.cumsum(weight) / weight.sum()
    picks = np.searchsorted(cumulative, (np.arange(n_chains) + rng.random()) / n_chains)
    picks = np.minimum(picks, weight.size - 1)
    xp = sample.u.__array_namespace__()
    component = sample.component[picks]
    u = xp.take(sample.u, xp.asarray(picks), axis=0)
    value, gradient = target.value_and_gradient(component, u)
    return Chains(identity=np.arange(n_chains), component=component, u=u, value=value, gradient=gradient)


def sweep(
    target: Target,
    chains: Chains,
    log_laplace: NDArray[np.float64],
    n_leapfrog: int,
    rng: np.random.Generator,
) -> Sweep:
    """One Hamiltonian move of u, then one move of the component, in every chain.

    Parameters
    ----------
    target : Target
        The posterior.
    chains : Chains
        Where the chains stand.
    log_laplace : ndarray, (G,)
        Log of the proposal weights of the components.
    n_leapfrog : int
        Leapfrog steps; more of them make each one shorter.
    rng : numpy.random.Generator
        Source of randomness.
    """
    moved, acceptance = _hamiltonian_move(target, chains, n_leapfrog, rng)
    moved, component_acceptance = _component_move(target, moved, log_laplace, rng)
    return Sweep(chains=moved, acceptance=acceptance, component_acceptance=component_acceptance)


def _hamiltonian_move(
    target: Target, chains: Chains, n_leapfrog: int, rng: np.random.Generator
) -> tuple[Chains, float]:
    """Hamiltonian Monte Carlo with unit mass (Neal 2011, Handbook of MCMC, chapter 5)."""
    xp = chains.u.__array_namespace__()
    dtype = chains.u.dtype
    n_chains = chains.component.size
    momentum = xp.asarray(rng.standard_normal(chains.u.shape), dtype=dtype)
    # Each chain its own step, so that no direction resonates in all of them.
    jitter = 1.0 + 0.2 * (2.0 * rng.random(n_chains) - 1.0)
    step = xp.asarray(_TRAJECTORY / n_leapfrog * jitter, dtype=dtype)[:, None]
    before = chains.value - 0.5 * xp.sum(momentum * momentum, axis=1)
    u, value, gradient = chains.u, chains.value, chains.gradient
    momentum = momentum + 0.5 * step * gradient
    for k in range(n_leapfrog):
        u = u + step * momentum
        value, gradient = target.value_and_gradient(chains.component, u)
        momentum = momentum + (step if k < n_leapfrog - 1 else 0.5 * step) * gradient
    after = value - 0.5 * xp.sum(momentum * momentum, axis=1)
    log_ratio = np.asarray(after - before, dtype=np.float64)
    # A point that overflowed has no density.
    accept = np.log(rng.random(n_chains)) < np.where(np.isfinite(log_ratio), log_ratio, -np.inf)
    return _choose(chains, accept, chains.component, u, value, gradient), float(accept.mean())


def _component_move(
    target: Target, chains: Chains, log_laplace: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Chains, float]:
    """Metropolis-Hastings in g at fixed u, proposed from the Laplace weights; re-sorts the chains."""
    xp = chains.u.__array_namespace__()
    n_chains = chains.component.size
    proposal = np.searchsorted(np.cumsum(np.exp(log_laplace)), rng.random(n_chains))
    proposal = np.minimum(proposal, log_laplace.size - 1)
    log_uniform = np.log(rng.random(n_chains))
    order = np.argsort(proposal, kind="stable")
    back = np.argsort(order, kind="stable")
    rows = xp.asarray(order)
    value, gradient = target.value_and_gradient(proposal[order], xp.take(chains.u, rows, axis=0))
    value, gradient = (xp.take(a, xp.asarray(back), axis=0) for a in (value, gradient))
    constant = np.asarray(target.log_constant, dtype=np.float64) - log_laplace
    log_ratio = np.asarray(value - chains.value, dtype=np.float64)
    log_ratio = log_ratio + constant[proposal] - constant[chains.component]
    accept = log_uniform < np.where(np.isfinite(log_ratio), log_ratio, -np.inf)
    chosen = _choose(chains, accept, proposal, chains.u, value, gradient)
    changes = proposal != chains.component
    rate = float(accept[changes].mean()) if changes.any() else 1.0
    return chosen.sorted(), rate


def _choose(
    chains: Chains,
    accept: NDArray[np.bool_],
    component: NDArray[np.intp],
    u: Array,
    value: Array,
    gradient: Array,
) -> Chains:
    """New points where accepted, the old ones elsewhere."""
    xp = u.__array_namespace__()
    yes = xp.asarray(accept)
    return Chains(
        identity=chains.identity,
        component=np.where(accept, component, chains.component),
        u=xp.where(yes[:, None], u, chains.u),
        value=xp.where(yes, value, chains.value),
        gradient=xp.where(yes[:, None], gradient, chains.gradient),
    )
