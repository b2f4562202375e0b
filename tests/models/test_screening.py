"""Two groups against heavy wings."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm, t

from veldist.models.screening import gain_of_two_groups


def sample(seed, n=150, wings=False):
    rng = np.random.default_rng(seed)
    err = rng.uniform(1.0, 3.0, n)
    others = rng.random(n) < 0.2
    vel = (
        10.0 * rng.standard_t(4, n)
        if wings
        else np.where(others, rng.normal(60, 50, n), rng.normal(0, 10, n))
    )
    order = np.argsort(vel)
    return (vel + err * rng.standard_normal(n))[order], err[order]


def test_likelihoods_are_the_largest_ones():
    """Against a general minimiser, for errors that are small beside all widths."""
    vel, _ = sample(0)
    vel = np.sort(vel)
    err = np.full(vel.size, 0.01)

    def two(p):
        share = 1.0 / (1.0 + np.exp(-p[0]))
        parts = norm.pdf(vel, p[1], np.exp(p[2])), norm.pdf(vel, p[3], np.exp(p[4]))
        return -np.log(share * parts[0] + (1.0 - share) * parts[1]).sum()

    best = minimize(two, [1.0, 0.0, 2.3, 60.0, 4.0], method="Nelder-Mead", options={"maxiter": 8000}).fun

    def student(p, nu):
        return -t.logpdf(vel, nu, p[0], np.exp(p[1])).sum()

    wings = min(
        minimize(student, [0.0, 2.3], args=(nu,), method="Nelder-Mead").fun
        for nu in (2.0, 3.0, 5.0, 10.0, 100.0)
    )
    # 25 and 12 iterations end within a tenth of the maximum's logarithm.
    assert gain_of_two_groups(vel, err) == pytest.approx(wings - best, abs=0.15)


def test_groups_are_told_from_wings():
    groups = [gain_of_two_groups(*sample(seed)) for seed in range(20)]
    wings = [gain_of_two_groups(*sample(seed, wings=True)) for seed in range(20)]
    assert min(groups) > 2.0
    # A t fits its own samples about as well as two more parameters do: at most a quarter are let through.
    assert np.mean(np.array(wings) < 2.0) > 0.75 - 3.0 * np.sqrt(0.75 * 0.25 / 20)


def test_shift_scale_and_reflection_change_nothing():
    vel, err = sample(3)
    gain = gain_of_two_groups(vel, err)
    assert gain_of_two_groups(7.0 * vel + 300.0, 7.0 * err) == pytest.approx(gain, abs=1e-6)
    assert gain_of_two_groups(-vel[::-1], err[::-1]) == pytest.approx(gain, abs=0.3)
