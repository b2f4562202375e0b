"""The members' frame beside contaminants of known density."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import norm

from veldist import Contaminant
from veldist.models.contaminants import member_frame
from veldist.models.losvd import fit_frame

CONTAMINANT = Contaminant.gaussian(40.0, 50.0)


def bin_of_stars(rng, n, share=0.7, sigma=10.0):
    err = rng.uniform(1, 3, n)
    member = rng.random(n) < share
    true = np.where(member, rng.normal(0, sigma, n), rng.normal(40, 50, n))
    return true + rng.normal(0, err), err, member


def informative(rng, member, odds=1.0):
    """Calibrated probabilities from another measurement, and what they become if the odds are wrong."""
    x = rng.normal(np.where(member, 1.0, -1.0), 1.0)
    return expit(np.log(0.7 / 0.3) + 2.0 * x + np.log(odds))


def negative_log_posterior(theta, vel, err, density, prior):
    m, log_s, t = theta
    p = 0.5 if prior is None else prior
    f = norm.pdf(vel, m, np.hypot(np.exp(log_s), err))
    conditional = np.log(p * f + (1 - p) * np.exp(t) * density) - np.log(p + (1 - p) * np.exp(t))
    return -conditional.sum() + (0.0 if prior is None else 0.5 * t**2 / 1.5**2)


@pytest.mark.parametrize("with_prior", [False, True])
@pytest.mark.parametrize("n", [60, 500])
def test_the_frame_is_the_maximum_of_the_conditional_posterior(n, with_prior):
    rng = np.random.default_rng(n)
    vel, err, member = bin_of_stars(rng, n)
    prior = informative(rng, member, odds=5.0) if with_prior else None
    density = CONTAMINANT.density(vel, err)
    best = minimize(
        negative_log_posterior,
        [0.0, 2.3, -1.0],
        args=(vel, err, density, prior),
        tol=1e-10,
        method="Nelder-Mead",
    )
    frame = member_frame(vel, err, density, prior=prior)
    assert frame.location == pytest.approx(best.x[0], abs=0.02)
    assert frame.scale == pytest.approx(np.exp(best.x[1]), rel=2e-3)
    f = norm.pdf(vel, best.x[0], np.hypot(np.exp(best.x[1]), err))
    p = 0.5 if prior is None else prior
    share = np.mean(p * f / (p * f + (1 - p) * np.exp(best.x[2]) * density))
    assert frame.share == pytest.approx(share, abs=1e-3)


def test_the_truth_is_recovered_without_bias():
    frames = []
    for seed in range(40):
        vel, err, _ = bin_of_stars(np.random.default_rng(seed), 400)
        frames.append(member_frame(vel, err, CONTAMINANT.density(vel, err)))
    mean = np.mean(frames, axis=0)
    # 280 members each: V to 10.2/sqrt(280 x 40) = 0.10, sigma to 0.07, both times 1.3 for the overlap; share
    # to 0.5/sqrt(400 x 40) = 0.004. Four times that, and the bias of sigma of 3/4/280 x 10 = 0.03.
    assert mean[0] == pytest.approx(0.0, abs=0.5)
    assert mean[1] == pytest.approx(10.0, abs=0.4)
    assert mean[2] == pytest.approx(0.7, abs=0.016)


@pytest.mark.parametrize("odds", [0.2, 5.0])
def test_wrong_odds_of_the_catalogue_are_corrected(odds):
    scales = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        vel, err, member = bin_of_stars(rng, 300)
        prior = informative(rng, member, odds)
        scales.append(member_frame(vel, err, CONTAMINANT.density(vel, err), prior=prior).scale)
    # Each to 10/sqrt(2 x 210) = 0.5 x 1.3: four times 0.65/sqrt(20), and 0.1 for the prior of k.
    assert np.mean(scales) == pytest.approx(10.0, abs=0.7)


def test_without_contaminants_it_is_the_frame_of_all_stars():
    vel, err, _ = bin_of_stars(np.random.default_rng(5), 300, share=1.0)
    alone = fit_frame(vel, err)
    frame = member_frame(vel, err, np.full(300, 1e-12))
    assert frame.location == pytest.approx(alone.location, abs=1e-3)
    assert frame.scale == pytest.approx(alone.scale, rel=1e-3)
    assert frame.share == pytest.approx(1.0, abs=1e-6)


@settings(max_examples=30)
@given(
    st.integers(0, 1000), st.floats(-400, 400), st.floats(0.2, 10), st.sampled_from([-1, 1]), st.booleans()
)
def test_the_frame_follows_shift_scale_reversal_and_any_order(seed, shift, scale, sign, with_prior):
    rng = np.random.default_rng(seed)
    vel, err, member = bin_of_stars(rng, 80)
    density = CONTAMINANT.density(vel, err)
    prior = informative(rng, member) if with_prior else None
    frame = member_frame(vel, err, density, (0.0, 10.0), prior)
    order = rng.permutation(80)
    moved = member_frame(
        (shift + sign * scale * vel)[order],
        (scale * err)[order],
        (density / scale)[order],
        (shift, 10.0 * scale),
        None if prior is None else prior[order],
    )
    assert moved.location == pytest.approx(shift + sign * scale * frame.location, abs=1e-4 * scale)
    assert moved.scale == pytest.approx(scale * frame.scale, rel=1e-4)
    assert moved.share == pytest.approx(frame.share, abs=1e-4)


@pytest.mark.parametrize("error", [1e-6, 0.001, 0.1])
@pytest.mark.parametrize("place", [0, 17, 43])
def test_a_precise_star_does_not_draw_the_frame_onto_itself(error, place):
    vel, err, _ = bin_of_stars(np.random.default_rng(9), 60, share=0.8)
    density = CONTAMINANT.density(vel, err)
    without = member_frame(vel, err, density)
    err[place] = error
    frame = member_frame(vel, err, CONTAMINANT.density(vel, err))
    assert 0.7 < frame.scale / without.scale < 1.4
    assert frame.location == pytest.approx(without.location, abs=3.0)


def test_unresolved_members_have_the_bound_of_their_number():
    rng = np.random.default_rng(0)
    vel = np.concatenate([np.zeros(150), rng.normal(0, 100, 50)])
    err = np.full(200, 5.0)
    frame = member_frame(vel, err, Contaminant.gaussian(0, 100).density(vel, err))
    # sqrt(2 / n) e^2 is the variance that n stars cannot tell from zero, less three.
    n = frame.share * 200 - 3
    assert frame.scale**2 == pytest.approx(np.sqrt(2 / n) * 25.0, rel=0.02)


@settings(max_examples=40)
@given(
    st.lists(st.sampled_from([-300.0, -1.0, 0.0, 0.1, 5.0, 250.0]), min_size=1, max_size=12),
    st.lists(st.sampled_from([1e-9, 0.01, 1.0, 40.0]), min_size=12, max_size=12),
    st.lists(st.sampled_from([0.0, 1e-200, 1e-3, 1.0]), min_size=12, max_size=12),
    st.lists(st.sampled_from([0.0, 1e-9, 0.5, 1.0]), min_size=12, max_size=12),
    st.booleans(),
)
def test_whatever_the_stars_the_frame_is_finite(vel, err, density, prior, with_prior):
    n = len(vel)
    frame = member_frame(
        np.array(vel),
        np.array(err[:n]),
        np.array(density[:n]),
        prior=np.array(prior[:n]) if with_prior else None,
    )
    assert np.isfinite(frame).all()
    assert frame.scale > 0
    assert 0 <= frame.share <= 1
