"""Is the sample good? Effective sample size, nested R-hat and Pareto k.

`arviz-stats` offers the same figures; these are vectorised over quantities, made for many short chains,
and cost less than a millisecond and no import.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats

__all__ = ["LEAST_ACCEPTANCE", "effective_sample_size", "nested_rhat", "pareto_k", "rhat_limit"]

LEAST_ACCEPTANCE = 0.3
"""Draws of moves that are accepted less often are not trusted."""


def effective_sample_size(draws: Floats, cluster: NDArray[np.intp]) -> Floats:
    r"""Effective sample size of means over many short chains, from the scatter of clusters of chains.

    The variance of the overall mean is estimated by :math:`\sum_k S_k^2 / n^2`, with :math:`S_k` the sum of
    deviations in cluster k (the cluster-robust estimator; Liang & Zeger 1986, Biometrika 73, 13). It counts
    correlation along chains and between chains that started from one point, whatever its form.

    Parameters
    ----------
    draws : ndarray, (chains, rounds, Q)
        Draws of Q quantities.
    cluster : ndarray of int, (chains,)
        Chains with equal values started from the same point.

    Returns
    -------
    ndarray, (Q,)
        Between 1 and the number of draws, which it never exceeds although the estimate may.
    """
    n_chains, n_rounds, _ = draws.shape
    n_draws = n_chains * n_rounds
    # Less the first draw, so that the scatter of a constant is exactly zero.
    deviation = draws - draws[0, 0]
    deviation -= deviation.mean(axis=(0, 1))
    chain_sums = deviation.sum(axis=1)
    order = np.argsort(cluster)
    starts = np.flatnonzero(np.diff(cluster[order], prepend=cluster.min() - 1))
    sums = np.add.reduceat(chain_sums[order], starts, axis=0)
    variance = np.mean(deviation**2, axis=(0, 1))
    spread = np.sum(sums**2, axis=0) / n_draws
    with np.errstate(divide="ignore", invalid="ignore"):
        size = n_draws * variance / spread
    return np.clip(np.where(np.isfinite(size), size, n_draws), 1.0, n_draws)


def nested_rhat(draws: Floats, n_groups: int) -> Floats:
    """Nested R-hat of groups of chains, each group started independently of the others.

    Margossian et al. (2024, Bayesian Analysis, "Nested R-hat"), eqs 5-8: the scatter of the groups' means
    against the scatter within groups. It detects a start that the moves have not forgotten.

    Parameters
    ----------
    draws : ndarray, (chains, rounds, Q)
        Draws of Q quantities; consecutive blocks of chains are the groups.
    n_groups : int
        Number of groups; must divide the number of chains.
    """
    n_chains, n_rounds, n_quantities = draws.shape
    # Less the first draw, so that the scatter of a constant is exactly zero.
    grouped = (draws - draws[0, 0]).reshape(n_groups, n_chains // n_groups, n_rounds, n_quantities)
    chain_means = grouped.mean(axis=2)
    group_means = chain_means.mean(axis=1)
    between = group_means.var(axis=0, ddof=1)
    within_chain = grouped.var(axis=2, ddof=1).mean(axis=1) if n_rounds > 1 else 0.0
    across_chains = chain_means.var(axis=1, ddof=1) if chain_means.shape[1] > 1 else 0.0
    within = np.mean(within_chain + across_chains, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rhat = np.sqrt(1.0 + between / within)
    return np.where(between == 0.0, 1.0, rhat)


def rhat_limit(rhat_max: float, n_groups: int, n_draws: int) -> float:
    """Largest nested R-hat to accept: ``rhat_max``, and what it is above 1 for independent draws.

    Their groups' means differ too: the mean of its square is up to 1 + n_groups / n_draws.
    """
    return float(np.sqrt(rhat_max**2 + n_groups / n_draws))


def pareto_k(log_weights: Floats) -> float:
    """Shape of the generalised Pareto distribution fitted to the largest importance weights.

    Below about 0.7 the weighted sample is reliable by itself (Vehtari et al. 2024, JMLR 25, 72). The fit is
    the empirical-Bayes estimate of Zhang & Stephens (2009, Technometrics 51, 316) with the weak prior of
    the former paper's appendix G.
    """
    log_weights = log_weights[np.isfinite(log_weights)]
    n_tail = int(np.ceil(min(0.2 * log_weights.size, 3.0 * np.sqrt(log_weights.size))))
    if n_tail < 5:
        return float("inf")
    ordered = np.sort(np.exp(log_weights - log_weights.max()))
    tail = ordered[-n_tail:] - ordered[-n_tail - 1]
    tail = tail[tail > 0]
    if tail.size < 5:
        return float("-inf")
    n = tail.size
    n_grid = 30 + int(np.sqrt(n))
    quartile = tail[int(np.floor(n / 4 + 0.5)) - 1]
    b = 1.0 - np.sqrt(n_grid / (np.arange(1, n_grid + 1) - 0.5))
    b = b / (3.0 * quartile) + 1.0 / tail[-1]
    k = np.mean(np.log1p(-b[:, None] * tail[None, :]), axis=1)
    profile = n * (np.log(-b / k) - k - 1.0)
    weight = np.exp(profile - profile.max())
    weight /= weight.sum()
    b_mean = float(np.sum(b * weight))
    shape = float(np.mean(np.log1p(-b_mean * tail)))
    return (n * shape + 5.0) / (n + 10.0)
