import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from veldist.calibration.scores import FEATURES, crps, score


def crps_of_gaussian(truth):
    """Closed form for N(0, 1): Gneiting & Raftery (2007), eq. 21's example."""
    return truth * (2 * norm.cdf(truth) - 1) + 2 * norm.pdf(truth) - 1 / np.sqrt(np.pi)


@pytest.mark.parametrize("truth", [-2.0, 0.0, 0.7])
def test_crps_of_many_gaussian_draws_is_the_closed_form(truth):
    n = 200_000
    value = crps(np.random.default_rng(1).standard_normal(n), np.array(truth))
    # Standard deviation of |x - t| is below 1: four standard errors.
    assert abs(value - crps_of_gaussian(truth)) < 4 / np.sqrt(n)


def test_crps_is_fair_to_few_draws():
    n_draws, n_repeats, truth = 3, 100_000, 0.5
    draws = np.random.default_rng(2).standard_normal((n_draws, n_repeats))
    values = crps(draws, np.full(n_repeats, truth))
    error = values.std() / np.sqrt(n_repeats)
    assert abs(values.mean() - crps_of_gaussian(truth)) < 4 * error


def test_crps_of_one_draw_is_the_absolute_error():
    np.testing.assert_allclose(crps(np.array([[1.0, 5.0]]), np.array([3.0, 4.0])), [2.0, 1.0])


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=8), st.floats(-10, 10))
def test_crps_is_the_double_sum(values, truth):
    x = np.array(values)
    pairs = np.abs(x[:, None] - x[None, :]).sum() / (2 * x.size * (x.size - 1))
    assert crps(x, np.array(truth)) == pytest.approx(np.abs(x - truth).mean() - pairs, abs=1e-12)


def test_score_of_evenly_spread_draws():
    draws = np.linspace(0.0, 1.0, 1001)[:, None] * np.array([1.0, 2.0, 1.0])
    values = dict(zip(FEATURES, score(draws, np.array([0.5, 1.9, 2.0])), strict=True))
    np.testing.assert_array_equal(values["coverage68"], [1, 0, 0])
    np.testing.assert_array_equal(values["coverage95"], [1, 1, 0])
    np.testing.assert_allclose(values["error"], [0.0, -0.9, -1.5])
    np.testing.assert_allclose(values["width"], [0.34, 0.68, 0.34])
