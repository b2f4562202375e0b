"""The posterior by brute force: importance sampling with the textbook likelihood, sharing no sampler code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import log_softmax, logsumexp, softmax
from scipy.stats import norm

from veldist.inference import Likelihood, Posterior
from veldist.inference.laplace import find_modes


@dataclass
class WeightedSample:
    masses: np.ndarray  # (n, K)
    weights: np.ndarray  # (n,), sum to 1
    component: np.ndarray  # (n,)
    log_evidence: float

    @property
    def ess(self) -> float:
        return 1.0 / np.sum(self.weights**2)


def naive_design(vel, err, edges) -> np.ndarray:
    """Differences of the CDF: good enough within a few error bars, and independent code."""
    return np.diff(norm.cdf(edges[None, :], vel[:, None], err[:, None]), axis=1) / np.diff(edges)


def naive_cells_design(z, error, cells) -> np.ndarray:
    """The same for cells with a profile, by quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    points = cells.centers[:, None] + 0.5 * cells.widths[:, None] * nodes
    weights = np.tile(weights, (cells.widths.size, 1))
    inside = np.maximum(np.abs(cells.edges[:-1]), np.abs(cells.edges[1:])) <= cells.core
    weights[inside] *= norm.pdf(points[inside])
    weights /= weights.sum(axis=1, keepdims=True)
    return np.stack([np.sum(weights * norm.pdf(y, points, e), axis=1) for y, e in zip(z, error, strict=True)])


def importance_sample(
    posterior: Posterior, design: np.ndarray, n: int, seed: int, weight=None, inflate: float = 1.15
) -> WeightedSample:
    """Draw from the Laplace mixture with inflated widths and 20 % of the prior's component weights.

    The log-likelihood is ``weight @ log(design @ masses)``.
    """
    rng = np.random.default_rng(seed)
    weight = np.ones(design.shape[0]) if weight is None else weight
    prior, psi, log_base = posterior.prior, posterior.psi, posterior.log_base
    # A trial step may overflow, and is then refused, as it is in the engine.
    with np.errstate(over="ignore", invalid="ignore"):
        likelihood = Likelihood.from_design(design + 1e-300, psi @ prior.center + log_base, weight)
        modes = find_modes(likelihood, psi, prior)
    proposal = 0.8 * softmax(prior.log_weights + modes.log_evidence) + 0.2 * np.exp(prior.log_weights)
    n_dim = psi.shape[1]
    masses, log_weights, components = [], [], []
    for _ in range(n // 20000):
        g = rng.choice(proposal.size, size=20000, p=proposal)
        u = inflate * rng.standard_normal((20000, n_dim))
        x = modes.x[g] + np.einsum("nij,nj->ni", modes.whitener[g], u)
        w = np.exp(log_softmax((prior.mean[g] + prior.scales[g] * x) @ psi.T + log_base, axis=1))
        log_posterior = prior.log_weights[g] + np.log(w @ design.T) @ weight - 0.5 * np.sum(x**2, axis=1)
        log_proposal = (
            np.log(proposal[g])
            - 0.5 * np.sum(u**2, axis=1) / inflate**2
            - modes.log_det[g]
            - n_dim * np.log(inflate)
        )
        masses.append(w)
        log_weights.append(log_posterior - log_proposal)
        components.append(g)
    log_w = np.concatenate(log_weights)
    total = logsumexp(log_w)
    return WeightedSample(
        masses=np.concatenate(masses),
        weights=np.exp(log_w - total),
        component=np.concatenate(components),
        log_evidence=float(total - np.log(log_w.size)),
    )


def quantities(masses: np.ndarray, z: np.ndarray) -> dict[str, np.ndarray]:
    """Per-draw scalars from cell masses: moments, a tamed kurtosis, and masses in core and wing."""
    mean = masses @ z
    sigma = np.sqrt(masses @ z**2 - mean**2)
    t = (z[None, :] - mean[:, None]) / sigma[:, None]
    cumulative = np.cumsum(masses, axis=1)
    return {
        "mean": mean,
        "sigma": sigma,
        "skewness": np.sum(masses * t**3, axis=1),
        # The kurtosis itself has too heavy a tail for a standard error to mean much.
        "arctan kurtosis": np.arctan((np.sum(masses * t**4, axis=1) - 3.0) / 3.0),
        "below -1.5": cumulative[:, np.searchsorted(z, -1.5)],
        "below -0.5": cumulative[:, np.searchsorted(z, -0.5)],
        "below 0.5": cumulative[:, np.searchsorted(z, 0.5)],
        "below 1.5": cumulative[:, np.searchsorted(z, 1.5)],
    }
