"""Where the chains start: points of the Laplace mixture, resampled by their importance weights.

They are a good start in every prior component at once; the Markov moves remove what the finite sample got
wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Array, Floats
from veldist.inference.sampler import Chains
from veldist.inference.target import Target

__all__ = ["ImportanceSample", "importance_sample", "resample"]

# By how much farther some draws go in the direction that scales the density.
_STRETCH = 2.0


@dataclass(frozen=True)
class ImportanceSample:
    """Weighted draws from the mixture of Laplace approximations, in independent groups of equal make-up.

    Attributes
    ----------
    component : ndarray of int, (S,)
        Prior component of each draw, sorted.
    group : ndarray of int, (S,)
        Group of each draw.
    u : array, (S, p)
        Whitened coefficients.
    log_weight : ndarray, (S,)
        Log importance weights: the exponentials of a group sum to an estimate of the evidence.
    log_evidence : ndarray, (G,)
        Importance-sampling estimate of each component's log evidence, prior weight left out, by all groups.
    term_evidence : ndarray, (G, k)
        The same for the components that each stands for (`veldist.inference.factor`).
    """

    component: NDArray[np.intp]
    group: NDArray[np.intp]
    u: Array
    log_weight: Floats
    log_evidence: Floats
    term_evidence: Floats

    def least_effective_size(self) -> float:
        """Effective number of draws, (sum w)^2 / sum w^2, in the group where it is smallest."""
        weight = np.exp(self.log_weight - self.log_weight.max())
        with np.errstate(invalid="ignore"):
            size = np.bincount(self.group, weight) ** 2 / np.bincount(self.group, weight**2)
        return float(np.nan_to_num(size).min())


def importance_sample(
    target: Target,
    log_prior_weights: Floats,
    log_laplace: Floats,
    n_groups: int,
    n_draws: int,
    n_minimum: int,
    rng: np.random.Generator,
) -> ImportanceSample:
    """Draw from the Laplace mixture, with at least ``n_minimum`` draws of every component in every group.

    Parameters
    ----------
    target : Target
        The posterior.
    log_prior_weights : ndarray, (G,)
        log pi_g.
    log_laplace : ndarray, (G,)
        Log posterior weights of the components by their Laplace evidences, normalised.
    n_groups : int
        Number of groups.
    n_draws : int
        Draws of each group to spread over the components by those weights, beyond the minimum.
    n_minimum : int
        Draws in every component, however improbable: its evidence is reported too.
    rng : numpy.random.Generator
        Source of randomness.
    """
    counts = n_minimum + np.ceil(n_draws * np.exp(log_laplace)).astype(int)
    component = np.repeat(np.arange(counts.size), n_groups * counts)
    group = np.concatenate([np.arange(n * n_groups) % n_groups for n in counts])
    xp = target.offset.__array_namespace__()
    noise = rng.standard_normal((component.size, target.lift.shape[1]))
    excess = _stretch(target, component, noise, rng) if target.factor is not None else 0.0
    u = xp.asarray(noise, dtype=target.offset.dtype)
    value = np.asarray(target.value(target.runs(component), u), dtype=np.float64)
    constant = np.asarray(target.log_constant, dtype=np.float64) - log_prior_weights
    ratio = value + constant[component] + 0.5 * np.sum(noise**2, axis=1) - excess
    ratio = np.where(np.isfinite(ratio), ratio, -np.inf)
    starts = np.append(0, np.cumsum(n_groups * counts)[:-1])
    log_evidence = np.logaddexp.reduceat(ratio, starts) - np.log(n_groups * counts)
    term_evidence, factor = log_evidence[:, None], target.factor
    if factor is not None:
        x = target.whitened(target.runs(component), u)[:, factor.column]
        # What each draw would weigh under one term of the factor alone.
        share = np.asarray(factor.shares(x), dtype=np.float64) * np.exp(-factor.log_share)[:, None]
        scale = np.maximum.reduceat(ratio, starts)
        weight = np.exp(ratio - np.repeat(scale, n_groups * counts))
        total = np.add.reduceat(weight * share, starts, axis=1).T
        term_evidence = np.log(total / (n_groups * counts)[:, None]) + scale[:, None]
    return ImportanceSample(
        component=component,
        group=group,
        u=u,
        log_weight=ratio + (log_prior_weights - np.log(counts))[component],
        log_evidence=log_evidence,
        term_evidence=term_evidence,
    )


def _stretch(target: Target, component: NDArray[np.intp], noise: Floats, rng: np.random.Generator) -> Floats:
    """Move half of the draws (S, p), in place, away from the mode in the direction of the prior's factor.

    A coefficient with such a prior scales the density (a precision, say). Its posterior is skewed: proposals
    that are Gaussian in it seldom reach the longer tail, and resampled chains lack it.

    Returns
    -------
    ndarray, (S,)
        Log density of the proposals over the standard normal.
    """
    assert target.factor is not None
    # Where the coefficient grows fastest, which is how all others follow it.
    along = np.asarray(target.lift[:, :, target.n_cells + target.factor.column], dtype=np.float64)
    along = (along / np.linalg.norm(along, axis=1, keepdims=True))[component]
    before = np.vecdot(noise, along)
    after = np.where(rng.random(before.size) < 0.5, _STRETCH * before, before)
    noise += (after - before)[:, None] * along
    return np.log(0.5 + 0.5 / _STRETCH * np.exp(0.5 * after**2 * (1.0 - _STRETCH**-2)))


def resample(
    target: Target, sample: ImportanceSample, group_size: int, rng: np.random.Generator
) -> tuple[Chains, NDArray[np.intp]]:
    """Start chains at points of each group, chosen in proportion to their weights.

    Systematic resampling (Kitagawa 1996, JCGS 5, 1): a point of weight w is taken floor or ceil of
    ``group_size w`` times.

    Parameters
    ----------
    target : Target
        The posterior.
    sample : ImportanceSample
        The points.
    group_size : int
        Chains per group; the chains of a group have consecutive identities.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    chains : Chains
    cluster : ndarray of int, (n_groups * group_size,)
        Which chains, by identity, share a starting point.
    """
    picks = []
    for g in range(int(sample.group.max()) + 1):
        members = np.flatnonzero(sample.group == g)
        log_weight = sample.log_weight[members]
        cumulative = np.cumsum(np.exp(log_weight - np.logaddexp.reduce(log_weight)))
        chosen = np.searchsorted(cumulative, (np.arange(group_size) + rng.random()) / group_size)
        picks.append(members[np.minimum(chosen, members.size - 1)])
    cluster = np.concatenate(picks)
    identity = np.argsort(cluster, kind="stable")
    pick = cluster[identity]
    component = sample.component[pick]
    xp = sample.u.__array_namespace__()
    u = xp.take(sample.u, xp.asarray(pick), axis=0)
    value, gradient = target.value_and_gradient(target.runs(component), u)
    return Chains(identity=identity, component=component, u=u, value=value, gradient=gradient), cluster
