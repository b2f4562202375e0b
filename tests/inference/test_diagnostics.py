import numpy as np
import pytest
from arviz_stats.base import array_stats

from veldist.inference.diagnostics import effective_sample_size, nested_rhat, pareto_k, rhat_limit


def autoregressive(rng, n_chains, n_rounds, rho):
    x = rng.normal(size=(n_chains, n_rounds, 1))
    for k in range(1, n_rounds):
        x[:, k] = rho * x[:, k - 1] + np.sqrt(1 - rho**2) * x[:, k]
    return x


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_effective_sample_size_of_autoregressive_chains(rho):
    rounds = 8
    lag = np.arange(1, rounds)
    expected = 1 / (1 + 2 * np.sum((1 - lag / rounds) * rho**lag))
    draws = autoregressive(np.random.default_rng(0), 2000, rounds, rho)
    size = effective_sample_size(draws, np.arange(2000))[0] / (2000 * rounds)
    # The scatter of 2000 chain sums has a relative error of sqrt(2 / 2000) = 3 %; four of them.
    assert size == pytest.approx(min(expected, 1.0), rel=0.13)


def test_chains_from_one_start_count_once_until_they_forget_it():
    rng = np.random.default_rng(1)
    start = np.repeat(rng.normal(size=(100, 1, 1)), 5, axis=0)
    cluster = np.repeat(np.arange(100), 5)
    assert effective_sample_size(start, cluster)[0] == pytest.approx(100, rel=1e-6)
    fresh = rng.normal(size=(500, 1, 1))
    # Relative error of the scatter of 100 cluster sums: 14 %; three of them.
    assert effective_sample_size(fresh, cluster)[0] == pytest.approx(500, rel=0.42)
    assert effective_sample_size(np.ones((10, 2, 1)), np.arange(10))[0] == 20


def test_limit_of_nested_rhat_is_that_of_independent_draws():
    limit = rhat_limit(1.0, 8, 1024) ** 2 - 1.0
    rng = np.random.default_rng(3)
    # The variance within groups is defined as that of the chains' means and, unless there is one round only,
    # that within chains: 1 + 1/n for n rounds. The square less 1 scatters by sqrt(2 / 7) of its mean, 5000 of
    # them together by 0.8 %; four of that.
    for rounds, share in ((1, 1.0), (2, 2.0 / 3.0), (16, 16.0 / 17.0)):
        draws = rng.normal(size=(1024 // rounds, rounds, 5000))
        assert np.mean(nested_rhat(draws, 8) ** 2) - 1.0 == pytest.approx(share * limit, rel=0.03)
    assert rhat_limit(1.03, 8, 10**9) == pytest.approx(1.03)


def test_nested_rhat_agrees_with_arviz():
    rng = np.random.default_rng(2)
    draws = rng.normal(size=(64, 5, 3)) + np.repeat(rng.normal(size=(8, 1, 3)), 8, axis=0) * [0, 0.3, 1]
    groups = np.repeat(np.arange(8), 8)
    expected = [
        array_stats.rhat_nested(draws[:, :, q], groups, method="identity", chain_axis=0, draw_axis=1)
        for q in range(3)
    ]
    assert np.allclose(nested_rhat(draws, 8), expected, rtol=1e-6)
    assert nested_rhat(draws, 8)[2] > 1.2


@pytest.mark.parametrize("scale", [0.3, 1.0, 2.5])
def test_pareto_k_agrees_with_arviz(scale):
    log_weights = np.random.default_rng(3).normal(0, scale, 1600)
    # arviz takes log-likelihoods, of which the weights are the inverse; 3 sqrt(1600) is an integer, which
    # we would round up and arviz down.
    _, expected = array_stats.psislw(-log_weights)
    assert pareto_k(log_weights) == pytest.approx(float(expected), abs=0.01)


def test_pareto_k_of_few_or_equal_weights():
    assert pareto_k(np.zeros(3)) == np.inf
    assert pareto_k(np.zeros(100)) == -np.inf


def test_a_constant_is_known_exactly():
    # Of a value whose mean is not exact in floating point.
    draws = np.full((24, 7, 1), 0.1)
    assert nested_rhat(draws, 3) == 1.0
    assert effective_sample_size(draws, np.arange(24)) == 24 * 7
