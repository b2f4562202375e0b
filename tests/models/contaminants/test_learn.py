"""Members and contaminants learnt from all stars of a catalogue."""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from veldist import Contaminant, simulate
from veldist.models.contaminants.em import climb
from veldist.models.unresolved import unresolved


def catalogue(seed, n, share, contaminant=(60.0, 40.0), sigma=10.0):
    rng = np.random.default_rng([seed, n])
    err = rng.uniform(1, 3, n)
    member = rng.random(n) < share
    if contaminant == "disc and halo":
        other = np.where(rng.random(n) < 0.6, rng.normal(60, 35, n), rng.normal(120, 90, n))
    else:
        other = rng.normal(*contaminant, n)
    return np.where(member, rng.normal(0, sigma, n), other) + rng.normal(0, err), err


def is_right(contaminant):
    member = contaminant.member
    return abs(member.v) < 5.0 and 7.0 < member.sigma < 14.0


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.95])
@pytest.mark.parametrize("others", [(60.0, 40.0), (15.0, 45.0), "disc and halo"])
def test_members_are_found_whatever_their_share(share, others):
    found = 0
    for seed in range(4):
        with contextlib.suppress(ValueError):
            found += is_right(Contaminant.learn(*catalogue(seed, 2500, share, others)))
    # Rates of 20 samples of 3,000: 0.90-1.00 at 10 %, 1.00 from 20 % upward.
    assert found >= (3 if share == 0.1 else 4)


def test_the_parameters_are_those_of_the_mixture():
    vel, err = catalogue(3, 4000, 0.4)
    contaminant = Contaminant.learn(vel, err)
    member = contaminant.member
    # 1,600 members: V to 10.2/40 = 0.26, sigma to 0.18, both times 1.2 for the overlap; 2,400 others: 0.82,
    # 0.58; share to 0.008 times 1.3. Four times that.
    assert member.v == pytest.approx(0.0, abs=1.3)
    assert member.v_err == pytest.approx(0.27, rel=0.15)
    assert member.sigma == pytest.approx(10.0, abs=0.9)
    assert member.share == pytest.approx(0.4, abs=0.042)
    assert contaminant.n_components == 1
    assert contaminant.v[0] == pytest.approx(60.0, abs=4.0)
    assert contaminant.sigma[0] == pytest.approx(40.0, abs=2.8)
    assert member.log_odds > 100
    assert str(contaminant).startswith(f"members at {member.v:.1f} km/s, dispersion {member.sigma:.1f}, ")
    assert "% of 4,000 stars; contaminant: Gaussian at" in str(contaminant)
    assert str(contaminant).endswith("(learnt from all 4,000 stars)")


def test_two_broad_gaussians_where_one_is_not_enough():
    for seed in range(3):
        contaminant = Contaminant.learn(*catalogue(seed, 6000, 0.3, "disc and halo"))
        assert contaminant.n_components == 2
        assert is_right(contaminant)
        # 4,200 stars in two Gaussians: each density to 3 % or so, times four.
        v = np.array([30.0, 60.0, 120.0])
        truth = 0.6 * norm.pdf(v, 60, 35) + 0.4 * norm.pdf(v, 120, 90)
        np.testing.assert_allclose(contaminant.pdf(v), truth, rtol=0.12)


@settings(max_examples=8)
@given(st.integers(0, 100), st.floats(-400, 400), st.floats(0.3, 5), st.sampled_from([-1, 1]))
def test_what_is_learnt_follows_shift_scale_and_reversal(seed, shift, scale, sign):
    vel, err = catalogue(seed, 400, 0.5)
    one = Contaminant.learn(vel, err)
    other = Contaminant.learn(shift + sign * scale * vel, scale * err)
    # The search is on a grid, whose places differ; the maxima that are reached do not.
    assert other.member.v == pytest.approx(shift + sign * scale * one.member.v, abs=0.2 * scale)
    assert other.member.sigma == pytest.approx(scale * one.member.sigma, rel=0.02)
    assert other.member.share == pytest.approx(one.member.share, abs=0.01)


def test_the_order_of_the_stars_does_not_matter_at_all():
    vel, err = catalogue(1, 1000, 0.3)
    order = np.random.default_rng(0).permutation(1000)
    assert Contaminant.learn(vel[order], err[order]) == Contaminant.learn(vel, err)


def test_of_two_narrow_groups_the_guess_says_which_are_members():
    rng = np.random.default_rng(1)
    group = rng.choice(3, 2000, p=[0.15, 0.2, 0.65])
    err = rng.uniform(1, 3, 2000)
    vel = np.choose(group, [rng.normal(0, 10, 2000), rng.normal(200, 8, 2000), rng.normal(90, 80, 2000)])
    vel = vel + rng.normal(0, err)
    assert Contaminant.learn(vel, err).member.v == pytest.approx(200, abs=3)
    found = Contaminant.learn(vel, err, v_guess=20.0)
    assert found.member.v == pytest.approx(0, abs=3)
    # The other group is a contaminant.
    assert found.pdf(200.0) > 3 * found.pdf(150.0)


def test_members_are_the_largest_narrow_group_not_the_narrowest():
    rng = np.random.default_rng(2)
    group = rng.choice(3, 2000, p=[0.25, 0.08, 0.67])
    vel = np.choose(group, [rng.normal(0, 10, 2000), rng.normal(200, 3, 2000), rng.normal(90, 80, 2000)])
    found = Contaminant.learn(vel + rng.normal(0, 1, 2000), 1.0)
    assert is_right(found)
    assert min(found.sigma) < 5


def test_a_poor_guess_does_not_select_a_handful_of_stars():
    for seed in range(4):
        assert is_right(Contaminant.learn(*catalogue(seed, 1500, 0.3), v_guess=40.0))


def test_precise_stars_are_no_population():
    vel, err = catalogue(2, 1000, 0.3)
    err[[3, 50, 500]] = 1e-4
    contaminant = Contaminant.learn(vel, err)
    assert is_right(contaminant)
    assert min(contaminant.sigma) > 20


def test_of_very_many_stars_one_in_every_few_is_used():
    contaminant = Contaminant.learn(*catalogue(0, 45_000, 0.3))
    assert "learnt from one in 3 of 45,000 stars" in str(contaminant)
    assert contaminant.member.n_stars == 45_000
    assert contaminant.member.v == pytest.approx(0, abs=0.6)
    assert contaminant.member.sigma == pytest.approx(10, abs=0.5)


def test_clean_samples_are_not_separated():
    rng = np.random.default_rng(0)
    for losvd in (simulate.Gaussian(0, 10), simulate.FlatTopped(0, 10), simulate.CounterRotating(0, 10)):
        with pytest.raises(ValueError, match=r"(no narrow|cannot be told).*Contaminant\.sample.*v_guess"):
            Contaminant.learn(*simulate.observe(losvd, 500, (1.0, 3.0), rng))


def test_components_of_similar_width_are_not_members_and_contaminants():
    vel, err = catalogue(0, 4000, 0.5, (60.0, 20.0))
    with pytest.raises(ValueError, match="which is not 3 times wider"):
        Contaminant.learn(vel, err)


def test_a_handful_of_stars_is_not_a_population():
    rng = np.random.default_rng(0)
    vel = np.concatenate([rng.normal(50, 0.05, 9), rng.normal(0, 100, 100)])
    with pytest.raises(ValueError, match=r"has 8.\d % of 109 stars\. Fewer than 10, "):
        Contaminant.learn(vel, np.full(vel.size, 0.05))


@pytest.mark.parametrize(
    ("vel", "err", "guess", "error", "message"),
    [
        (np.arange(20.0), 1.0, None, ValueError, "20 stars, too few"),
        (np.ones(50), 1.0, None, ValueError, "50 equal velocities"),
        (np.append(np.arange(50.0), [-9999.0]), 1.0, None, ValueError, r"row 50: -9999.0.*placeholders"),
        (np.arange(50.0), 0.0, None, ValueError, "not positive"),
        (np.arange(50.0), np.ones(49), None, ValueError, "one of each"),
        (np.arange(50.0), 1.0, "here", TypeError, "v_guess must be a single number"),
        (np.arange(50.0), 1.0, np.inf, ValueError, "v_guess must be finite"),
    ],
)
def test_unusable_stars_are_refused(vel, err, guess, error, message):
    with pytest.raises(error, match=message):
        Contaminant.learn(vel, err, guess)


@settings(max_examples=25)
@given(
    st.lists(st.sampled_from([-300.0, -1.0, 0.0, 0.1, 5.0, 250.0]), min_size=30, max_size=80),
    st.lists(st.sampled_from([1e-9, 0.01, 1.0, 40.0]), min_size=80, max_size=80),
    st.one_of(st.none(), st.floats(-500, 500)),
)
def test_whatever_the_stars_the_answer_is_a_density_or_a_refusal(vel, err, guess):
    with contextlib.suppress(ValueError):
        contaminant = Contaminant.learn(vel, err[: len(vel)], guess)
        assert np.isfinite(contaminant.density(vel, err[: len(vel)])).all()
        assert contaminant.member.sigma > 0


def test_every_step_raises_the_likelihood():
    vel, err = catalogue(0, 500, 0.5)
    start = (np.array([[5.0, 20.0]]), np.array([[30.0, 60.0]]), np.array([[0.5, 0.5]]))
    # The last step is only looked at in the next.
    values = [climb(vel, err**2, *start, steps).log_likelihood[0] for steps in (1, 2, 5, 20, 100)]
    assert np.all(np.diff(values) > 0)


def test_the_bound_of_unresolved_stars_leaves_out_the_three_that_say_most():
    e2 = np.full(103, 4.0)
    e2[:3] = 1e-8
    assert unresolved(e2, np.ones(103)) == pytest.approx(np.sqrt(2 / 100) * 4.0)
    # Stars that are not the component's do not count.
    assert unresolved(np.full(103, 4.0), np.append(np.zeros(3), np.full(100, 0.5))) == pytest.approx(
        np.sqrt(2 / (0.5 * 97)) * 4.0
    )
