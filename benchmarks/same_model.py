"""The engine and NUTS on the very same model: this package's, at one component of its prior."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpyro.diagnostics import effective_sample_size

from methods.nuts_fixed import nuts_at_component
from veldist.inference import Blocks, Likelihood, MixturePrior, Monitor, Settings, infer, masses
from veldist.models.losvd.frame import fit_frame
from veldist.models.losvd.model import LosvdModel
from veldist.simulate import LOSVD, observe

COMPONENT = "length=0.75, amplitude=0.75"
N_STARS = 150


@dataclass(frozen=True)
class Comparison:
    """Differences of means, in Monte Carlo errors, and seconds."""

    largest: float
    rms: float
    seconds: float
    nuts_seconds: float


def compare(truth: LOSVD, err: tuple[float, float], seed: int = 0) -> Comparison:
    """Means of 16 bin masses and four moments by both samplers, given the same stars."""
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
    blocks, monitor = Blocks(model.psi, log_base, prior), Monitor(functionals, names)

    started = time.perf_counter()
    likelihood = Likelihood.from_design(design, blocks.log_center)
    ours = infer(likelihood, blocks, monitor, np.random.default_rng(seed), Settings(n_draws=4096))
    seconds = time.perf_counter() - started
    a = masses(ours.coefficients.reshape(-1, mean.size), model.psi, log_base) @ functionals
    started = time.perf_counter()
    b = nuts_at_component(design, model.psi, log_base, mean, scales, seed) @ functionals
    nuts_seconds = time.perf_counter() - started
    error_a = a.var(axis=0) / ours.diagnostics.ess
    error_b = b.reshape(-1, a.shape[1]).var(axis=0) / effective_sample_size(b)
    difference = (a.mean(axis=0) - b.mean(axis=(0, 1))) / np.sqrt(error_a + error_b)
    return Comparison(
        float(np.abs(difference).max()), float(np.sqrt(np.mean(difference**2))), seconds, nuts_seconds
    )
