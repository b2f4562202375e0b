"""NUTS on a random-walk histogram on the reporting grid: the model that most write down first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import softmax

from benchmarks.methods.base import Array, condition_on_grid, cover_stars
from benchmarks.methods.jax_setup import compile_nuts, import_numpyro
from veldist.models.losvd.design import gaussian_design_matrix

__all__ = ["RandomWalkNuts"]


@lru_cache(maxsize=8)
def _chain(n_warmup: int, n_draws: int, walk_scale: float) -> Any:
    """Compiled chain: key and design matrix to draws of theta."""
    jax, numpyro = import_numpyro()
    from numpyro import distributions as dist

    def model(design: Any) -> None:
        scale = numpyro.sample("scale", dist.HalfNormal(walk_scale))
        steps = numpyro.sample("steps", dist.Normal().expand([design.shape[1] - 1]).to_event(1))
        walk = jax.numpy.concatenate([jax.numpy.zeros(1), jax.numpy.cumsum(scale * steps)])
        theta = numpyro.deterministic("theta", walk - walk.mean())
        # The smallest number keeps a far star of a wild start from the logarithm of zero.
        numpyro.factor("stars", jax.numpy.log(design @ jax.nn.softmax(theta) + 1e-300).sum())

    return compile_nuts(model, "theta", n_warmup, n_draws)


@dataclass(frozen=True)
class RandomWalkNuts:
    r"""First-order random walk of the log masses, sampled by NumPyro's NUTS (Hoffman & Gelman 2014).

    :math:`w = \mathrm{softmax}(\theta)`, :math:`\theta_{j+1} - \theta_j = \tau x_j`, :math:`x_j \sim N(0, 1)`
    (non-centred), :math:`\tau \sim N^+(0, \mathtt{walk\_scale}^2)`, the mean of theta zero; errors by the
    Gaussian convolution of each bin. Double precision, diagonal mass matrix. All draws of all chains are
    returned. The sampler is compiled once for every shape (N, n_bins) in a process, and kept.

    Attributes
    ----------
    n_warmup, n_draws : int
        Warm-up and kept draws of each chain.
    n_chains : int
        Chains, one after the other.
    walk_scale : float
        Scale of tau's half-normal prior.
    """

    n_warmup: int = 300
    n_draws: int = 500
    n_chains: int = 2
    walk_scale: float = 1.0
    name: str = "random-walk-nuts"

    def __call__(
        self, vel: Array, err: Array, grids: Sequence[Array], rng: np.random.Generator
    ) -> list[Array]:
        """See `base.Method`."""
        return [self.fit_grid(vel, err, edges, rng) for edges in grids]

    def fit_grid(self, vel: Array, err: Array, edges: Array, rng: np.random.Generator) -> Array:
        """Draws of the masses on one grid, (n_chains * n_draws, n_bins)."""
        jax, _ = import_numpyro()
        extended, inside = cover_stars(edges, vel)
        design = gaussian_design_matrix(vel, err, extended)
        design /= design.max(axis=1, keepdims=True)
        with jax.enable_x64(True):
            chain = _chain(self.n_warmup, self.n_draws, self.walk_scale)
            keys = jax.random.split(jax.random.PRNGKey(int(rng.integers(2**31))), self.n_chains)
            theta = np.concatenate([np.asarray(chain(key, jax.numpy.asarray(design))) for key in keys])
        return condition_on_grid(softmax(theta, axis=1)[:, inside])
