"""Non-members are found where there are some, and hardly where there are none."""

import numpy as np
import pytest
from scipy.stats import binom

from veldist import simulate
from veldist.models.detection import FEWEST_MEMBERS, detect

SIGMA = 10.0
TRUTHS = simulate.standard_losvds(0.0, SIGMA)


def sample(seed, n, share=0.0, v=60.0, sigma=50.0, truth="gaussian"):
    """Stars with errors of 0.1 to 0.7 dispersions, and which are contaminants."""
    rng = np.random.default_rng([seed, n])
    foreign = rng.random(n) < share
    err = SIGMA * rng.uniform(0.1, 0.7, n)
    vel = np.where(foreign, rng.normal(v, sigma, n), TRUTHS[truth].sample(n, rng))
    return vel + rng.normal(0.0, err), err, foreign


def count(n_mocks, *args, **kwargs):
    return sum(detect(*sample(seed, *args, **kwargs)[:2]) is not None for seed in range(n_mocks))


@pytest.mark.parametrize(("n", "share"), [(150, 0.2), (400, 0.05), (400, 0.5)])
def test_far_contaminants_are_found(n, share):
    # In 0.95 of mocks or more: fewer than this in 1 of 10,000 runs.
    assert count(12, n, share) >= binom.ppf(1e-4, 12, 0.95)


@pytest.mark.parametrize("truth", ["gaussian", "skew-normal", "counter-rotating", "flat-topped"])
@pytest.mark.parametrize("n", [60, 400])
def test_clean_samples_are_let_go(truth, n):
    # In 0.97 or more: more than this in 1 of 10,000 runs.
    assert count(12, n, truth=truth) <= binom.ppf(1.0 - 1e-4, 12, 0.03)


def test_heavy_wings_seldom_look_like_contaminants():
    # Measured: 0.04 for Student's t, 0.04 for Laplace, 0.1 for two dispersions.
    shapes = ("student-t", "laplace-convolved", "two-dispersions")
    found = sum(count(8, 150, truth=truth) for truth in shapes)
    assert found <= binom.ppf(1.0 - 1e-4, 24, 0.1)


def test_members_among_a_broad_foreground_are_told():
    rng = np.random.default_rng(0)
    n = 1500
    member = rng.random(n) < 0.31
    err = rng.uniform(0.5, 5.0, n)
    vel = np.where(member, rng.normal(-291.0, 9.0, n), rng.normal(-100.0, 120.0, n)) + rng.normal(0.0, err)
    found = detect(vel, err)
    assert found is not None
    assert found.separable
    assert found.learnt > 100.0
    assert found.share == pytest.approx(1.0 - member.mean(), abs=4.0 * np.sqrt(0.31 * 0.69 / n))
    assert found.v == pytest.approx(-291.0, abs=4.0 * 9.0 / np.sqrt(0.31 * n))
    likely = found.foreign > 0.5
    assert np.mean(likely == ~member) > 0.9
    # It does not depend on the order, the origin or the unit of the velocities.
    again = np.arange(n)[::-1]
    moved = detect(3.0 * (vel[again] + 1000.0), 3.0 * err[again])
    assert moved is not None
    assert np.allclose(moved.foreign, found.foreign[again], atol=1e-3)


def test_few_members_are_not_separable():
    rng = np.random.default_rng(1)
    vel = np.append(rng.normal(0.0, 5.0, FEWEST_MEMBERS - 4), rng.normal(0.0, 150.0, 40))
    found = detect(vel, np.ones(vel.size))
    assert found is not None
    assert not found.separable


def test_one_or_two_blunders_are_no_population():
    vel, err, _ = sample(3, 200)
    assert detect(np.append(vel, [300.0, -400.0]), np.append(err, [1.0, 1.0])) is None


@pytest.mark.parametrize("vel", [np.zeros(50), np.arange(5.0), np.repeat([0.0, 1.0], [49, 1])])
def test_degenerate_samples_say_nothing(vel):
    assert detect(vel, np.full(vel.size, 0.1)) is None


def test_many_stars_are_thinned():
    vel, err, _ = sample(4, 30_000, 0.3)
    found = detect(vel, err)
    assert found is not None
    assert found.foreign.shape == (30_000,)
    assert found.share == pytest.approx(0.3, abs=0.03)
