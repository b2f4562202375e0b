"""The moves leave the posterior invariant, and run on any array library of the standard."""

from dataclasses import fields, is_dataclass, replace

import array_api_strict as strict
import numpy as np
import pytest

from veldist.inference import Likelihood
from veldist.inference.importance import importance_sample, resample
from veldist.inference.laplace import find_modes
from veldist.inference.sampler import Chains, sweep
from veldist.inference.target import Target
from veldist.models.losvd.basis import losvd_basis, losvd_prior
from veldist.models.losvd.cells import make_cells
from veldist.models.losvd.design import design_matrix
from veldist.models.losvd.resolution import ResolutionRule


@pytest.fixture(scope="module")
def problem():
    rng = np.random.default_rng(11)
    vel, err = rng.normal(0, 1, 150), rng.uniform(0.1, 0.5, 150)
    resolution = ResolutionRule()(150, 0.3)
    cells = make_cells(-4, 4, resolution.cell_width)
    psi, prior = losvd_basis(cells, resolution.n_functions), losvd_prior(resolution)
    likelihood = Likelihood.from_design(design_matrix(vel, err, cells), psi @ prior.center + cells.log_base)
    modes = find_modes(likelihood, psi, prior)
    laplace = prior.log_weights + modes.log_evidence
    laplace -= np.logaddexp.reduce(laplace)
    target = Target.build(likelihood, psi, prior, modes, np.zeros(psi.shape[1]), np.float64)
    return target, prior, modes, laplace, likelihood, psi


def to_strict(record):
    """The same record with its arrays those of the strict implementation of the standard."""
    changes = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray) and field.name not in ("identity", "component"):
            changes[field.name] = strict.asarray(value)
        elif is_dataclass(value):
            changes[field.name] = to_strict(value)
    return replace(record, **changes)


def test_target_is_the_posterior_in_whitened_coordinates(problem):
    target, prior, modes, _, likelihood, psi = problem
    rng = np.random.default_rng(0)
    component = np.sort(rng.integers(0, prior.n_components, 30))
    u = rng.normal(size=(30, psi.shape[1]))
    x = modes.x[component] + np.einsum("cij,cj->ci", modes.whitener[component], u)
    beta = prior.mean[component] - prior.center + prior.scales[component] * x
    expected = likelihood.log_likelihood(beta @ psi.T) - 0.5 * np.sum(x**2, axis=1)
    runs = target.runs(component)
    assert np.allclose(target.value(runs, u), expected, atol=1e-9)
    assert np.allclose(target.whitened(runs, u), x, atol=1e-12)
    value, gradient = target.value_and_gradient(runs, u)
    assert np.allclose(value, expected, atol=1e-9)
    for k in (0, 17, 29):
        for d in (0, 1, 5):
            step = np.zeros_like(u)
            step[k, d] = 1e-5
            slope = (target.value(runs, u + step) - target.value(runs, u - step))[k] / 2e-5
            assert gradient[k, d] == pytest.approx(slope, abs=1e-5)


def test_importance_weights_estimate_the_evidence_of_every_component(problem):
    target, prior, modes, laplace, _, _ = problem
    sample = importance_sample(target, prior.log_weights, laplace, 4, 10_000, 1250, np.random.default_rng(1))
    # Where the prior is widest, the Laplace approximation errs by up to 0.4, with a Monte Carlo error of 0.1.
    assert np.allclose(sample.log_evidence, modes.log_evidence, atol=0.5)
    totals = [np.logaddexp.reduce(sample.log_weight[sample.group == g]) for g in range(4)]
    total = np.logaddexp.reduce(prior.log_weights + sample.log_evidence)
    # The components' estimates are means over the groups; those of one group scatter by 0.1.
    assert np.logaddexp.reduce(totals) - np.log(4) == pytest.approx(total, abs=1e-9)
    assert np.allclose(totals, total, atol=0.3)


def test_groups_of_proposals_are_alike_and_resampled_apart(problem):
    target, prior, _, laplace, _, _ = problem
    rng = np.random.default_rng(8)
    sample = importance_sample(target, prior.log_weights, laplace, 4, 100, 2, rng)
    makeup = [np.bincount(sample.component[sample.group == g], minlength=16) for g in range(4)]
    assert all(np.array_equal(m, makeup[0]) for m in makeup)
    assert np.all(makeup[0] >= 2)
    weight = np.exp(sample.log_weight)
    sizes = [weight[sample.group == g].sum() ** 2 / np.sum(weight[sample.group == g] ** 2) for g in range(4)]
    assert sample.least_effective_size() == pytest.approx(min(sizes))
    chains, cluster = resample(target, sample, 16, rng)
    assert np.array_equal(np.sort(chains.identity), np.arange(64))
    assert np.all(np.diff(chains.component) >= 0)
    # The chains of group g, 16 g to 16 g + 15, start from its points, each floor or ceil of 16 w times.
    assert np.array_equal(sample.group[cluster], np.repeat(np.arange(4), 16))
    assert np.array_equal(chains.u, sample.u[cluster[chains.identity]])
    for g in range(4):
        share = 16 * weight * (sample.group == g) / weight[sample.group == g].sum()
        times = np.bincount(cluster[16 * g : 16 * g + 16], minlength=weight.size)
        assert np.all(times >= np.floor(share - 1e-9))
        assert np.all(times <= np.ceil(share + 1e-9))


@pytest.mark.parametrize("n_steps", [1, 3])
def test_moves_leave_the_posterior_invariant(problem, n_steps):
    # Start many chains from a large importance sample; after many rounds the mean log density and the
    # component frequencies are still those of the weighted sample.
    target, prior, _, laplace, _, _ = problem
    rng = np.random.default_rng(2)
    sample = importance_sample(target, prior.log_weights, laplace, 1, 60000, 200, rng)
    weight = np.exp(sample.log_weight - np.logaddexp.reduce(sample.log_weight))
    ess = 1 / np.sum(weight**2)
    n_chains = 2000
    chains, _ = resample(target, sample, n_chains, rng)
    value = target.value(target.runs(sample.component), sample.u)
    expected = weight @ value
    scatter = np.sqrt(weight @ (value - expected) ** 2)
    frequency = np.bincount(sample.component, weights=weight, minlength=prior.n_components)
    # A trajectory may overflow, and is then refused, as it is in the engine.
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(25):
            chains = sweep(target, chains, laplace, n_steps, rng).chains
    error = np.sqrt(1 / n_chains + 1 / ess)
    assert abs(chains.value.mean() - expected) < 4 * scatter * error
    after = np.bincount(chains.component, minlength=prior.n_components) / n_chains
    assert np.all(np.abs(after - frequency) < 4 * np.sqrt(frequency * (1 - frequency)) * error + 2 / n_chains)
    assert ess > 2000


@pytest.mark.parametrize("n_steps", [1, 3, 5])
def test_sweep_keeps_track_of_chains_and_cached_values(problem, n_steps):
    target, prior, _, laplace, _, _ = problem
    rng = np.random.default_rng(3)
    sample = importance_sample(target, prior.log_weights, laplace, 4, 125, 2, rng)
    start, _ = resample(target, sample, 64, rng)
    outcome = sweep(target, start, laplace, n_steps, rng)
    chains, accepted = outcome.chains, outcome.accepted
    assert sorted(chains.identity) == list(range(256))
    back = np.argsort(chains.identity)
    still = back[~accepted[back]]
    before = np.argsort(start.identity)[chains.identity[still]]
    assert np.array_equal(chains.u[still], start.u[before])
    assert np.array_equal(chains.component[still], start.component[before])
    # A tenth of the moves keep the component, and those that would have changed to the same.
    assert 0.05 < outcome.stayed.mean() < 0.5
    kept = outcome.stayed[back]
    assert np.array_equal(chains.component[back][kept], start.component[np.argsort(start.identity)][kept])
    chains = chains.take(np.argsort(chains.component, kind="stable"))
    value, gradient = target.value_and_gradient(target.runs(chains.component), chains.u)
    assert np.allclose(value, chains.value)
    assert np.allclose(gradient, chains.gradient)
    # 256 trials: the error is 0.03. Measured with many: 0.68, 0.82, 0.86.
    assert accepted.mean() > {1: 0.55, 3: 0.7, 5: 0.75}[n_steps]


def test_a_gaussian_target_is_always_accepted_in_one_step(problem):
    # No stars in effect: the posterior of every component is its prior, and the rotation is exact.
    _, prior, _, _, _, psi = problem
    flat = Likelihood.from_design(np.ones((3, psi.shape[0])), np.zeros(psi.shape[0]))
    modes = find_modes(flat, psi, prior)
    target = Target.build(flat, psi, prior, modes, np.zeros(psi.shape[1]), np.float64)
    rng = np.random.default_rng(4)
    sample = importance_sample(target, prior.log_weights, prior.log_weights, 4, 100, 2, rng)
    chains, _ = resample(target, sample, 64, rng)
    assert np.all(sweep(target, chains, prior.log_weights, 1, rng).accepted)


def test_the_engine_uses_only_operations_of_the_array_api_standard(problem):
    target, prior, modes, laplace, likelihood, psi = problem
    again = find_modes(to_strict(likelihood), strict.asarray(psi), prior)
    assert np.allclose(np.asarray(again.x), modes.x, atol=1e-10)
    strict_target = to_strict(target)
    samples = [
        importance_sample(t, prior.log_weights, laplace, 4, 50, 2, np.random.default_rng(4))
        for t in (target, strict_target)
    ]
    starts = [
        resample(t, s, 8, np.random.default_rng(5))[0]
        for t, s in zip((target, strict_target), samples, strict=True)
    ]
    ends = [
        sweep(t, c, laplace, 3, np.random.default_rng(6)).chains
        for t, c in zip((target, strict_target), starts, strict=True)
    ]
    assert isinstance(ends[0], Chains)
    assert np.array_equal(ends[0].component, ends[1].component)
    assert np.allclose(ends[0].u, np.asarray(ends[1].u), atol=1e-10)
