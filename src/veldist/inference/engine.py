"""The whole inference: modes, importance resampling, Markov moves until the diagnostics are good."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.inference.blocks import Blocks
from veldist.inference.diagnostics import (
    LEAST_ACCEPTANCE,
    effective_sample_size,
    nested_rhat,
    pareto_k,
    rhat_limit,
)
from veldist.inference.evidence import Evidence, combine_evidence
from veldist.inference.factor import Folded, fold
from veldist.inference.importance import ImportanceSample, importance_sample, resample
from veldist.inference.laplace import find_modes
from veldist.inference.likelihood import Likelihood
from veldist.inference.monitor import Monitor
from veldist.inference.posterior import Diagnostics, Posterior, masses
from veldist.inference.prior import MixturePrior
from veldist.inference.sampler import sweep
from veldist.inference.settings import Settings
from veldist.inference.target import Target

__all__ = ["infer"]


# The last of the monitored quantities: the scale of the prior's component.
_COMPONENT = "prior scale"
# Below this acceptance the steps are made shorter.
_LOW_ACCEPTANCE = 0.7
_MAX_STEPS = 25
# With less than this there is no point in going on.
_HOPELESS_ACCEPTANCE = 0.05
# Effective size of a group's importance sample, as a fraction of its proposals, that is good, and below which
# there will be as many times more of them.
_GOOD, _ENOUGH, _ENLARGED = 0.25, 0.1, 4
_MIN_DRAWS_PER_COMPONENT = 2
# Share of component proposals made without regard to the evidence, so that none is ever out of reach.
_DEFENSIVE_SHARE = 0.02


def infer(
    likelihood: Likelihood,
    blocks: Blocks,
    monitor: Monitor,
    rng: np.random.Generator,
    settings: Settings | None = None,
) -> Posterior:
    """Sample the posterior of the cell masses ``w = softmax(psi beta + log_base)``.

    Parameters
    ----------
    likelihood : Likelihood
        Of the cell masses, referred to those at the prior's centre: made by `Likelihood.from_design` with
        ``blocks.log_center``.
    blocks : Blocks
        The cells' basis and base masses, and the prior of the coefficients.
    monitor : Monitor
        What must have converged, beside the prior's component.
    rng : numpy.random.Generator
        Source of randomness.
    settings : Settings, optional
        How to sample.

    Returns
    -------
    Posterior
        With ``diagnostics.converged`` False, and the reason in ``diagnostics.messages``, if the criteria
        were not met after all doublings. No warning is raised here: the caller knows which bin it is.

    Raises
    ------
    ValueError
        If likelihood, blocks and monitor are not of the same cells, or the likelihood is referred to another
        density.
    """
    settings = settings or Settings()
    _check_cells(likelihood, blocks, monitor)
    psi, folded = blocks.psi, fold(blocks.prior)
    prior, owner = folded.prior, folded.owner()
    # A step that overflows has no density and is refused: no reason for NumPy to warn.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
        modes = find_modes(likelihood, psi, prior, factor=folded.factor)
        laplace = prior.log_weights + modes.log_evidence
        laplace = laplace - np.logaddexp.reduce(laplace)
        # The average of the modes is where most draws will be: offsets from it are small.
        center = np.exp(laplace) @ (prior.mean - prior.center + prior.scales * modes.x)
        dtype = np.dtype(settings.dtype).type
        target = Target.build(likelihood, psi, prior, modes, center, dtype, folded.factor)
        sample, more = _sample_enough(target, folded, laplace, settings, rng)
        # What a poor start leaves undone, the moves must do.
        settings = replace(settings, n_warmup=settings.n_warmup + more)
        # A component none of whose draws has a likelihood is left with Laplace's approximation.
        shift = likelihood.log_reference - target.likelihood.log_reference
        found = np.empty(owner.size)
        found[folded.members] = sample.term_evidence
        found = np.where(np.isfinite(found), found, (modes.log_evidence + shift)[owner])
        evidence = combine_evidence(blocks.prior, found)
        run = _run_chains(target, sample, evidence, folded, blocks, monitor, settings, rng)
    messages = run.messages + _lost(np.asarray(modes.converged)[owner], blocks.prior)
    return Posterior(
        coefficients=run.coefficients,
        component=run.component,
        psi=psi,
        log_base=blocks.log_base,
        prior=blocks.prior,
        n_groups=settings.n_groups,
        diagnostics=Diagnostics(
            quantities=(*monitor.names, _COMPONENT),
            ess=run.ess,
            rhat=run.rhat,
            pareto_k=pareto_k(sample.log_weight),
            acceptance=run.acceptance,
            component_acceptance=run.component_acceptance,
            log_evidence=evidence.total + target.likelihood.log_reference,
            component_log_evidence=evidence.component + target.likelihood.log_reference,
            component_probability=evidence.probability,
            component_labels=blocks.prior.labels,
            log_bayes_factor=evidence.log_bayes_factor,
            n_rounds=run.n_rounds,
            converged=not messages,
            messages=messages,
        ),
    )


def _check_cells(likelihood: Likelihood, blocks: Blocks, monitor: Monitor) -> None:
    n_cells = blocks.log_base.size
    sizes = {"the likelihood": likelihood.log_mass.size, "the monitor": monitor.functionals.shape[0]}
    for name, size in sizes.items():
        if size != n_cells:
            raise ValueError(f"{name} has {size} cells, the blocks have {n_cells}.")
    center = blocks.log_center
    if not np.allclose(likelihood.log_mass, center - np.logaddexp.reduce(center), rtol=0.0, atol=1e-8):
        raise ValueError(
            "the likelihood's reference is not the density at the prior's centre: pass blocks.log_center to "
            "Likelihood.from_design."
        )


@dataclass(frozen=True)
class _Run:
    """Kept draws of all chains and how good they are."""

    coefficients: NDArray[np.float32]
    component: NDArray[np.intp]
    ess: Floats
    rhat: Floats
    acceptance: float
    component_acceptance: float
    n_rounds: int
    messages: tuple[str, ...]


def _run_chains(
    target: Target,
    sample: ImportanceSample,
    evidence: Evidence,
    folded: Folded,
    blocks: Blocks,
    monitor: Monitor,
    settings: Settings,
    rng: np.random.Generator,
) -> _Run:
    """Move the chains, ever longer, until the diagnostics of the kept rounds are good."""
    chains, cluster = resample(target, sample, settings.n_chains // settings.n_groups, rng)
    probability = evidence.probability[folded.members].sum(axis=1)
    proposal = np.log((1.0 - _DEFENSIVE_SHARE) * probability + _DEFENSIVE_SHARE / probability.size)
    n_chains = cluster.size
    n_kept = max(2, -(-settings.n_draws // n_chains))
    n_steps, thin, warmup = settings.n_steps, settings.thin, settings.n_warmup
    n_rounds = 0
    psi, prior = blocks.psi, folded.prior
    mean, scales = prior.mean.astype(np.float32), prior.scales.astype(np.float32)
    size = np.linalg.norm(blocks.prior.scales, axis=1)
    while True:
        for k in range(warmup):
            result = sweep(target, chains, proposal, n_steps, rng)
            chains = result.chains
            # Adapting only before rounds that are thrown away keeps the kept ones exact.
            if k < warmup - 1 and _rate(result.accepted, result.stayed) < _LOW_ACCEPTANCE:
                n_steps = min(n_steps + 2, _MAX_STEPS)
        coefficients = np.empty((n_chains, n_kept, psi.shape[1]), dtype=np.float32)
        component = np.empty((n_chains, n_kept), dtype=np.intp)
        rates = []
        for k in range(n_kept):
            for _ in range(thin):
                result = sweep(target, chains, proposal, n_steps, rng)
                chains = result.chains
                rates.append([_rate(result.accepted, which) for which in (result.stayed, ~result.stayed)])
            ordered = chains.take(np.argsort(chains.component, kind="stable"))
            x = np.asarray(target.whitened(target.runs(ordered.component), ordered.u))
            coefficients[ordered.identity, k] = mean[ordered.component] + scales[ordered.component] * x
            component[ordered.identity, k] = ordered.component
        component = folded.unfold(component, coefficients, rng)
        n_rounds += warmup + n_kept * thin
        quantities = monitor(masses(coefficients.reshape(-1, psi.shape[1]), psi, blocks.log_base))
        monitored = np.concatenate(
            [quantities.reshape(n_chains, n_kept, -1), size[component][:, :, None]], axis=2
        )
        ess = effective_sample_size(monitored, cluster)
        rhat = nested_rhat(monitored, settings.n_groups)
        acceptance, component_acceptance = (float(rate) for rate in np.mean(rates, axis=0))
        messages = _judge((*monitor.names, _COMPONENT), ess, rhat, acceptance, n_chains * n_kept, settings)
        hopeless = acceptance < _HOPELESS_ACCEPTANCE and n_steps == _MAX_STEPS
        if not messages or hopeless or thin >= settings.thin * 2**settings.max_doublings:
            return _Run(
                coefficients, component, ess, rhat, acceptance, component_acceptance, n_rounds, messages
            )
        thin *= 2
        warmup = thin * n_kept


def _sample_enough(
    target: Target,
    folded: Folded,
    laplace: Floats,
    settings: Settings,
    rng: np.random.Generator,
) -> tuple[ImportanceSample, int]:
    """Importance sample of all groups of chains, and how many rounds more the chains should warm up after it.

    What is resampled from it has a bias that falls with its effective size.
    """

    def draw(n_proposals: int) -> tuple[ImportanceSample, float]:
        sample = importance_sample(
            target,
            folded.prior.log_weights,
            laplace,
            settings.n_groups,
            n_proposals,
            _MIN_DRAWS_PER_COMPONENT,
            rng,
            folded.column,
        )
        return sample, sample.least_effective_size() / settings.n_proposals

    sample, effective = draw(settings.n_proposals)
    if effective >= _ENOUGH:
        return sample, 0 if effective >= _GOOD else 3
    sample, effective = draw(_ENLARGED * settings.n_proposals)
    return sample, 9 if effective >= _ENOUGH else 13


def _rate(accepted: NDArray[np.bool_], which: NDArray[np.bool_]) -> float:
    """Share of some moves that were accepted; 1 if there are none."""
    return float(accepted[which].mean()) if which.any() else 1.0


def _lost(found: NDArray[np.bool_], prior: MixturePrior) -> tuple[str, ...]:
    """Say which components' modes were not found: the moves may never have reached their draws."""
    lost = np.flatnonzero(~found)
    if not lost.size:
        return ()
    return (
        f"the mode of {lost.size} of {found.size} prior components was not found ({prior.labels[lost[0]]})",
    )


def _judge(
    names: tuple[str, ...],
    ess: Floats,
    rhat: Floats,
    acceptance: float,
    n_draws: int,
    settings: Settings,
) -> tuple[str, ...]:
    """What is wrong with the draws; empty if nothing is."""
    messages = []
    worst = int(np.argmax(rhat))
    limit = rhat_limit(settings.rhat_max, settings.n_groups, n_draws)
    if not rhat[worst] <= limit:
        messages.append(f"nested R-hat of {names[worst]} is {rhat[worst]:.3f} (> {limit:.3f})")
    worst = int(np.argmin(ess))
    if not ess[worst] >= settings.ess_fraction * n_draws:
        messages.append(
            f"effective sample size of {names[worst]} is {ess[worst]:.0f} "
            f"(< {settings.ess_fraction:.0%} of {n_draws} draws)"
        )
    if acceptance < LEAST_ACCEPTANCE:
        messages.append(f"only {acceptance:.0%} of the moves were accepted")
    return tuple(messages)
