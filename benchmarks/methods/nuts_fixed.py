r"""NUTS on the library's own model at one fixed prior component, to compare posteriors draw by draw.

The *mixture* over prior components is no fair target for NUTS: marginalised, it has scales from zero to
several in one density, and NUTS mixes badly between them.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import softmax

from benchmarks.methods.base import Array
from benchmarks.methods.jax_setup import compile_nuts, import_numpyro
from veldist.inference import Blocks, Likelihood, MixturePrior, Monitor, Settings, infer, masses
from veldist.models.losvd.frame import fit_frame
from veldist.models.losvd.model import LosvdModel
from veldist.simulate import LOSVD, observe

__all__ = ["COMPONENT", "N_STARS", "Comparison", "nuts_at_component", "same_model"]

COMPONENT, N_STARS = "length=0.75, amplitude=0.75", 150


@lru_cache(maxsize=8)
def _chain(n_warmup: int, n_draws: int, target_accept: float) -> Any:
    """Compiled chain: key and the model's arrays to draws of x."""
    jax, numpyro = import_numpyro()
    from numpyro import distributions as dist

    def model(design: Any, lift: Any, base: Any) -> None:
        x = numpyro.sample("x", dist.Normal().expand([lift.shape[1]]).to_event(1))
        mass = jax.nn.softmax(lift @ x + base)
        numpyro.factor("stars", jax.numpy.log(design @ mass + 1e-300).sum())

    return compile_nuts(model, "x", n_warmup, n_draws, target_accept)


def nuts_at_component(
    design: Array,
    psi: Array,
    log_base: Array,
    mean: Array,
    scales: Array,
    rng_seed: int,
    n_warmup: int = 500,
    n_draws: int = 1000,
    n_chains: int = 4,
    target_accept: float = 0.8,
) -> Array:
    r"""Draw cell masses given one Gaussian prior.

    :math:`w = \mathrm{softmax}(\Psi\beta + \log d)` with :math:`\beta \sim N(\mu, s^2)` and the likelihood
    :math:`\prod_i (M w)_i`. NUTS moves the standard-normal :math:`x = (\beta - \mu) / s`, with a diagonal
    mass matrix, in double precision.

    Parameters
    ----------
    design : ndarray, (N, K)
        Density of each star given each cell.
    psi : ndarray, (K, p)
        Basis of the log-density.
    log_base : ndarray, (K,)
        Log of the cells' base masses.
    mean, scales : ndarray, (p,)
        Prior means and standard deviations of the coefficients; a scale of zero pins one.
    rng_seed : int
        Seed.
    n_warmup, n_draws, n_chains : int
        Warm-up and kept draws of each chain, and number of chains.
    target_accept : float
        Acceptance that the step size aims at.

    Returns
    -------
    ndarray, (n_chains, n_draws, K)
        Cell masses; the last axis sums to 1.
    """
    jax, _ = import_numpyro()
    free = np.asarray(scales) > 0.0
    # Pinned coefficients are part of the base: their x would be a draw from the prior and nothing else.
    base = log_base + psi @ mean
    lift = psi[:, free] * scales[free]
    arrays = (design / design.max(axis=1, keepdims=True), lift, base)
    with jax.enable_x64(True):
        chain = _chain(n_warmup, n_draws, target_accept)
        data = [jax.numpy.asarray(a, dtype="float64") for a in arrays]
        keys = jax.random.split(jax.random.PRNGKey(rng_seed), n_chains)
        x = np.stack([np.asarray(chain(key, *data)) for key in keys])
    return softmax(x @ lift.T + base, axis=2)


@dataclass(frozen=True)
class Comparison:
    """Differences of means, in Monte Carlo errors, and seconds."""

    largest: float
    rms: float
    seconds: float
    nuts_seconds: float


def same_model(truth: LOSVD, err: tuple[float, float], seed: int = 0) -> Comparison:
    """The engine and NUTS on this package's model at one component of its prior, given the same stars.

    Compared are the means of 16 bin masses and four moments.
    """
    from numpyro.diagnostics import effective_sample_size

    vel, error = observe(truth, N_STARS, err, seed)
    frame = fit_frame(vel, error)
    z = np.sort(frame.standardise(vel))
    model = LosvdModel.build(frame, N_STARS, float(np.median(error)) / frame.scale, (z[0] - 1, z[-1] + 1))
    g = next(k for k, label in enumerate(model.prior.labels) if label.startswith(COMPONENT))
    mean, scales = model.prior.mean[g], model.prior.scales[g]
    prior = MixturePrior(mean[None], scales[None], np.zeros(1), (COMPONENT,), np.array([False]))
    bins = model.cells.overlap(np.linspace(-3.2, 3.2, 17))
    functionals = np.concatenate([model.cells.moments(4)[:, 1:], bins], axis=1)
    design, log_base = model.design(vel, error), model.cells.log_base
    names = tuple(str(k) for k in range(functionals.shape[1]))

    started = time.perf_counter()
    blocks = Blocks(model.psi, log_base, prior)
    likelihood = Likelihood.from_design(design, blocks.log_center)
    ours = infer(
        likelihood, blocks, Monitor(functionals, names), np.random.default_rng(seed), Settings(n_draws=4096)
    )
    seconds = time.perf_counter() - started
    a = masses(ours.coefficients.reshape(-1, mean.size), model.psi, log_base) @ functionals
    started = time.perf_counter()
    b = nuts_at_component(design, model.psi, log_base, mean, scales, seed) @ functionals
    nuts_seconds = time.perf_counter() - started
    error_a = a.var(axis=0) / ours.diagnostics.ess[: a.shape[1]]
    error_b = b.reshape(-1, a.shape[1]).var(axis=0) / effective_sample_size(b)
    difference = (a.mean(axis=0) - b.mean(axis=(0, 1))) / np.sqrt(error_a + error_b)
    largest, rms = float(np.abs(difference).max()), float(np.sqrt(np.mean(difference**2)))
    return Comparison(largest, rms, seconds, nuts_seconds)
