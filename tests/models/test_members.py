"""The LOSVD of members beside contaminants, and of stars whose errors are mixtures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import beta, norm

from veldist.inference import Settings
from veldist.models.error_model import ErrorModel
from veldist.models.losvd.frame import Frame
from veldist.models.losvd.model import fit_losvd
from veldist.models.members import Sample, fit_in_frame, fit_members

N = 240
FOREIGN = (40.0, 60.0)


def contaminated(seed=0, n=N, share=0.4, foreign=FOREIGN):
    """Velocities, errors, contaminants' density, and who is a member."""
    rng = np.random.default_rng(seed)
    member = rng.random(n) >= share
    err = rng.uniform(1.0, 3.0, n)
    vel = np.where(member, rng.normal(0.0, 10.0, n), rng.normal(*foreign, n)) + err * rng.standard_normal(n)
    return vel, err, norm.pdf(vel, foreign[0], np.hypot(foreign[1], err)), member


def moments(found):
    """Mean and dispersion of every draw, km/s."""
    z = found.posterior.cell_masses() @ found.cells.moments(2)
    return (
        found.frame.velocity(z[:, 1]),
        found.frame.scale * np.sqrt(z[:, 2] - z[:, 1] ** 2),
    )


def test_contaminants_far_away_leave_the_members_alone():
    """Who is a member is then known: the fraction's posterior is a Beta, the LOSVD that of the members."""
    vel, err, density, member = contaminated(share=0.3, foreign=(1000.0, 20.0))
    found = fit_members(Sample(vel, err, density), np.random.default_rng(0))
    alone = fit_losvd(vel[member], err[member], np.random.default_rng(1))
    assert found.members is not None
    np.testing.assert_array_equal(found.members.number, member.sum())
    np.testing.assert_allclose(found.members.probability, member, atol=1e-6)
    exact = beta(1 + member.sum(), 1 + np.sum(~member))
    fraction = found.members.fraction
    # A thousand draws, of which some hundreds are independent: four of their errors.
    assert fraction.mean() == pytest.approx(exact.mean(), abs=4.0 * exact.std() / np.sqrt(250))
    assert fraction.std() == pytest.approx(exact.std(), rel=4.0 / np.sqrt(2 * 250))
    for mine, theirs in zip(moments(found), moments(alone), strict=True):
        # The frames differ by little, the draws by Monte Carlo errors of 250 independent ones each.
        assert mine.mean() == pytest.approx(theirs.mean(), abs=6.0 * theirs.std() / np.sqrt(250))
        assert mine.std() == pytest.approx(theirs.std(), rel=6.0 / np.sqrt(2 * 250))


def test_the_fraction_has_a_flat_prior():
    """Ten members and no other star: the fraction's posterior is Beta(11, 1)."""
    vel, err, density, member = contaminated(2, n=40, share=0.3, foreign=(1000.0, 20.0))
    ten = np.flatnonzero(member)[:10]
    found = fit_members(Sample(vel[ten], err[ten], density[ten]), np.random.default_rng(0))
    assert found.members is not None
    exact = beta(11, 1)
    assert found.members.fraction.mean() == pytest.approx(exact.mean(), abs=4.0 * exact.std() / np.sqrt(250))
    assert np.median(found.members.fraction) == pytest.approx(exact.median(), abs=0.02)


def test_probabilities_are_relative_to_the_odds():
    """Odds that are five times too large for all stars alike change nothing but what is found of the odds."""
    vel, err, density, member = contaminated(3)
    rng = np.random.default_rng(4)
    # What is known of a star beside its velocity: a number that is higher for members.
    x = rng.normal(np.where(member, 1.0, -1.0))
    odds = np.exp(2.0 * x)
    results = []
    for factor in (1.0, 5.0):
        p = factor * odds / (1.0 + factor * odds)
        results.append(fit_members(Sample(vel, err, density, p), np.random.default_rng(0)))
    ours, theirs = (found.members for found in results)
    assert ours is not None
    assert theirs is not None
    for a, b in zip(moments(results[0]), moments(results[1]), strict=True):
        # The flat prior of the fraction is another one after the odds are scaled: half an error bar.
        assert abs(a.mean() - b.mean()) < 0.25 * a.std()
    assert abs(ours.number.mean() - theirs.number.mean()) < 0.5 * ours.number.std()
    assert abs(ours.number.mean() - member.sum()) < 3.0 * ours.number.std()
    unknown = fit_members(Sample(vel, err, density), np.random.default_rng(0))
    assert unknown.members is not None
    # Knowing more leaves fewer doubts: here by a third.
    assert ours.number.std() < 0.8 * unknown.members.number.std()


def test_a_certain_member_is_one_however_far():
    """The cells reach it, as nothing else may explain it."""
    vel, err, density, _ = contaminated(5, n=300)
    p = np.full(vel.size, 0.5)
    vel[0], p[0], p[1] = 300.0, 1.0, 0.0
    found = fit_members(
        Sample(vel, err, density, p), np.random.default_rng(0), Settings(max_doublings=0, n_chains=64)
    )
    assert found.members is not None
    assert found.members.probability[0] == pytest.approx(1.0)
    assert found.members.probability[1] == pytest.approx(0.0)
    assert found.frame.velocity(found.cells.edges[-1]) > 300.0


def test_merged_stars_say_the_same():
    vel, err, density, _ = contaminated(6, n=1500)
    # Contaminants beyond all cells are one row.
    far = np.argsort(vel)[-100:]
    vel[far] += 4000.0
    density[far] = 1e-9
    frame = Frame(0.0, 10.0)
    whole, merged = (
        fit_in_frame(
            Sample(vel, err, density), frame, 0.6, np.random.default_rng(0), Settings(merge_above=above)
        )
        for above in (2000, 500)
    )
    assert whole.members is not None
    assert merged.members is not None
    for a, b in zip(moments(whole), moments(merged), strict=True):
        assert abs(a.mean() - b.mean()) < (0.02 + 6.0 / np.sqrt(250)) * a.std()
    np.testing.assert_allclose(merged.members.probability, whole.members.probability, atol=0.03)
    assert abs(merged.members.number.mean() - whole.members.number.mean()) < 0.4 * whole.members.number.std()


def test_many_stars_have_a_number_that_is_nearly_normal(monkeypatch):
    vel, err, density, _ = contaminated(7)
    exact = fit_members(Sample(vel, err, density), np.random.default_rng(0)).members
    monkeypatch.setattr("veldist.models.members._MANY", 10)
    normal = fit_members(Sample(vel, err, density), np.random.default_rng(0)).members
    assert exact is not None
    assert normal is not None
    np.testing.assert_array_equal(normal.fraction, exact.fraction)
    np.testing.assert_allclose(normal.probability, exact.probability)
    assert normal.number.mean() == pytest.approx(
        exact.number.mean(), abs=5 * exact.number.std() / np.sqrt(1000)
    )
    assert normal.number.std() == pytest.approx(exact.number.std(), rel=5 / np.sqrt(2000))


def test_errors_that_are_mixtures_are_taken_out():
    """A twentieth of the errors is five times too small: the dispersion is right with the model of it."""
    rng = np.random.default_rng(8)
    n = 600
    err = np.full(n, 8.0)
    true_err = np.where(rng.random(n) < 0.1, 5.0, 1.0) * err
    vel = rng.normal(0.0, 10.0, n) + true_err * rng.standard_normal(n)
    plain = moments(fit_losvd(vel, err, np.random.default_rng(0)))[1]
    kernel = ErrorModel.outliers(0.1, 5.0).terms
    found = fit_members(Sample(vel, err, kernel=kernel), np.random.default_rng(0))
    sigma = moments(found)[1]
    assert found.members is None
    assert abs(sigma.mean() - 10.0) < 3.0 * sigma.std()
    assert plain.mean() - 10.0 > 3.0 * plain.std()


def test_one_kernel_is_the_plain_fit():
    vel, err, _, member = contaminated(9)
    vel, err = vel[member], err[member]
    found = fit_members(Sample(vel, err, kernel=((1.0, 2.0, 0.0),)), np.random.default_rng(0))
    plain = fit_losvd(vel, 2.0 * err, np.random.default_rng(0))
    for a, b in zip(moments(found), moments(plain), strict=True):
        assert abs(a.mean() - b.mean()) < 6.0 / np.sqrt(250) * b.std()


@pytest.mark.parametrize("n", [150, 600])
def test_probabilities_that_hold_the_velocity_already_are_told(n):
    """Student's t: below 5 where they do not, wherever the odds are wrong, and far above where they do."""
    vel, err, density, member = contaminated(11, n=n)
    rng = np.random.default_rng(12)
    log_odds = 2.0 * rng.normal(np.where(member, 1.0, -1.0))
    velocity = norm.logpdf(vel, 0.0, np.hypot(10.0, err)) - np.log(density)

    def dependence(log_odds):
        p = 1.0 / (1.0 + np.exp(-log_odds))
        members = fit_members(Sample(vel, err, density, p), np.random.default_rng(0)).members
        assert members is not None
        return members.dependence

    for wrong in (log_odds, log_odds + 1.6, log_odds - 1.6, 2.0 * log_odds):
        assert abs(dependence(wrong)) < 4.0
    assert dependence(log_odds + velocity) > 5.0
    assert dependence(0.0 * log_odds) == pytest.approx(0.0, abs=4.0)


def test_evidence_of_members_is_there_where_they_are():
    """Against members looked for everywhere: none where there are none, beyond doubt for a hundred."""
    for seed in range(4):
        vel, err, density, _ = contaminated(20 + seed, n=100, share=1.0)
        none = fit_members(Sample(vel, err, density), np.random.default_rng(0)).members
        vel, err, density, _ = contaminated(20 + seed, n=200, share=0.5)
        some = fit_members(Sample(vel, err, density), np.random.default_rng(0)).members
        assert none is not None
        assert some is not None
        assert none.evidence < 1.0
        assert some.evidence > 10.0
