"""Zero points against closed forms, invariances, and what they say of their own errors."""

from __future__ import annotations

import numpy as np
import pytest

from veldist.sky import zero_points

NAMES = np.array(["old", "new"])


def sample(rng, n=(100, 100), common=0, errors=(1.0, 3.0), scale=(1.0, 1.0), visits=1, offset=7.0):
    """Velocities, errors, instruments, stars; the last ``common`` stars of "old" are the first of "new"."""
    star = np.repeat(np.append(np.arange(n[0]), np.arange(n[0] - common, sum(n) - common)), visits)
    which = np.repeat([0, 1], np.array(n) * visits)
    err = rng.uniform(*errors, star.size)
    noise = rng.normal(0.0, err * np.array(scale)[which])
    return rng.normal(0.0, 10.0, sum(n))[star] + offset * which + noise, err, NAMES[which], star


def test_equal_errors_give_the_difference_of_the_means():
    # Within two standard deviations every star counts alike.
    vel = np.append(np.linspace(-10.0, 10.0, 21), np.linspace(-7.0, 13.0, 21))
    found = zero_points(vel, 2.0, np.repeat(NAMES, 21), reference="old")
    np.testing.assert_allclose(found.offset, [3.0, 0.0], atol=1e-9)
    assert (found.names, found.reference) == (("new", "old"), "old")
    assert found.offset_err[1] == 0.0


def test_equal_errors_of_the_same_stars_give_their_mean_difference():
    rng = np.random.default_rng(0)
    vel = rng.normal(0.0, 30.0, 20)
    change = np.tile([1.0, 2.0, 3.0, 4.0], 5)
    found = zero_points(
        np.append(vel, vel + change), 2.0, np.repeat(NAMES, 20), id=np.tile(np.arange(20), 2), reference="old"
    )
    # Each difference has the variance 2 * 2^2.
    np.testing.assert_allclose((found.offset[0], found.offset_err[0]), (2.5, np.sqrt(8.0 / 20.0)), rtol=1e-6)
    assert found.from_common.tolist() == [True, False]
    assert found.n_common.tolist() == [20, 20]


def test_offsets_follow_the_velocities():
    vel, err, instrument, star = sample(np.random.default_rng(1), common=30)
    moved = vel + np.where(instrument == "new", 12.5, -100.0)
    one, other = (zero_points(v, err, instrument, id=star, reference="old") for v in (vel, moved))
    np.testing.assert_allclose(other.offset - one.offset, [112.5, 0.0], atol=1e-6)
    np.testing.assert_allclose(other.offset_err, one.offset_err, rtol=1e-5)
    np.testing.assert_allclose(other.ln_scale, one.ln_scale, rtol=1e-4, atol=1e-6)


def test_the_reference_changes_signs_only():
    vel, err, instrument, star = sample(np.random.default_rng(2), common=30)
    one, other = (zero_points(vel, err, instrument, id=star, reference=name) for name in NAMES)
    np.testing.assert_allclose(one.offset[0], -other.offset[1], rtol=1e-6)
    np.testing.assert_allclose(one.offset_err[0], other.offset_err[1], rtol=1e-5)


def test_the_reference_has_most_stars_and_gets_the_others_on_its_scale():
    vel, err, instrument, star = sample(np.random.default_rng(3), n=(60, 140), common=40)
    found = zero_points(vel, err, instrument, id=star)
    assert found.reference == "new"
    aligned, same = found.apply(vel, err, instrument)
    np.testing.assert_array_equal(aligned[instrument == "new"], vel[instrument == "new"])
    np.testing.assert_allclose((aligned - vel)[instrument == "old"], -found.offset[1])
    np.testing.assert_array_equal(same, err)
    np.testing.assert_allclose(zero_points(aligned, err, instrument, id=star).offset, 0.0, atol=1e-6)


def test_positions_tell_the_stars_too():
    vel, err, instrument, star = sample(np.random.default_rng(4), common=50)
    by_name = zero_points(vel, err, instrument, id=star)
    by_place = zero_points(vel, err, instrument, x=star * 3.0, y=star % 7.0)
    np.testing.assert_array_equal(by_name.offset, by_place.offset)


@pytest.mark.parametrize(("common", "error"), [(0, 1.47), (60, 0.42)])
def test_stated_errors_are_right(common, error):
    # Means: sqrt(2 / 100) * hypot(10, 2.1) = 1.45. In common: 60 differences, each of both errors.
    found = []
    for seed in range(200):
        vel, err, instrument, star = sample(np.random.default_rng([seed, 5]), common=common)
        result = zero_points(vel, err, instrument, id=star, reference="old")
        found.append((result.offset[0] - 7.0, result.offset_err[0]))
    miss, stated = np.array(found).T
    # 200 mocks tell the rms to 5 %, the coverage of 0.68 to 0.033; both within three and a half.
    assert abs(np.sqrt(np.mean(miss**2)) / error - 1.0) < 0.2
    assert abs(np.mean(np.abs(miss) < stated) - 0.683) < 0.115
    assert abs(miss.mean()) < 3.5 * error / np.sqrt(200)


def test_a_third_instrument_links_two():
    rng = np.random.default_rng(6)
    star = np.concatenate([np.arange(30), np.arange(20, 60), np.arange(50, 80)])
    which = np.repeat([0, 1, 2], [30, 40, 30])
    vel = rng.normal(0.0, 30.0, 80)[star] + np.array([0.0, 5.0, -4.0])[which] + rng.normal(0.0, 0.1, 100)
    found = zero_points(vel, 0.1, np.array(["a", "b", "c"])[which], id=star, reference="a")
    # Ten stars each: 0.1 * sqrt(2 / 10) = 0.045 once and twice.
    np.testing.assert_allclose(found.offset, [0.0, 5.0, -4.0], atol=0.25)
    assert found.offset_err[2] > found.offset_err[1]
    assert found.offset_err[2] < 0.12


def test_foreign_stars_and_binaries_do_not_move_it():
    rng = np.random.default_rng(7)
    vel, err, instrument, star = sample(rng, n=(200, 200), common=100)
    spoiled = vel + np.where(rng.random(vel.size) < 0.05, 300.0, 0.0)
    found = zero_points(spoiled, err, instrument, id=star, reference="old")
    # Plain means would be wrong by up to 300 * 0.05 of one side's sampling: +- 4.6. Stated is about 0.35.
    assert abs(found.offset[0] - 7.0) < 1.5


@pytest.mark.parametrize("visits", [1, 4])
def test_error_scales_come_from_repeats_and_from_large_samples(visits):
    rng = np.random.default_rng(8)
    n, errors = ((60, 60), (1.0, 3.0)) if visits == 4 else ((1000, 1000), (3.0, 15.0))
    vel, err, instrument, star = sample(rng, n=n, errors=errors, scale=(1.4, 1.0), visits=visits)
    found = zero_points(vel, err, instrument, id=star)
    assert found.scale_told.all()
    miss = found.ln_scale - np.log([1.0, 1.4])
    assert (np.abs(miss) < 3.5 * found.ln_scale_err).all()
    scaled = found.apply(vel, err, instrument, scale_errors=True)[1]
    old = instrument == "old"
    np.testing.assert_allclose(scaled[old] / err[old], np.exp(found.ln_scale[1]))


def test_few_stars_do_not_tell_the_scale_of_their_errors():
    vel, err, instrument, star = sample(np.random.default_rng(9))
    found = zero_points(vel, err, instrument, id=star)
    assert not found.scale_told.any()
    np.testing.assert_array_equal(found.apply(vel, err, instrument, scale_errors=True)[1], err)
    assert "its error scale is not known" in str(found)


def test_what_nothing_tells_apart_has_no_finite_error():
    # Every star once in each instrument, equal errors: only the sum of the two variances is seen.
    vel, _, instrument, star = sample(np.random.default_rng(10), n=(50, 50), common=50)
    assert np.isinf(zero_points(vel, 1.0, instrument, id=star).ln_scale_err).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"instrument": ["a"] * 40}, "instrument is a in all rows"),
        ({"instrument": ["a"] * 35 + ["b"] * 5}, r"fewer than 10 stars, b \(5\)"),
        ({"instrument": ["a"] * 20 + [""] * 20}, "instrument has 20 of 40 values"),
        ({"reference": "c"}, "reference must be one of a, b, got c"),
        ({"x": np.arange(39.0), "y": np.arange(39.0)}, "x has 39 values for 40"),
        ({"vel": [np.nan] * 40}, "NaN"),
    ],
)
def test_refusals_say_what_is_wrong(change, message):
    arguments = {"vel": np.arange(40.0), "err": 1.0, "instrument": ["a", "b"] * 20} | change
    with pytest.raises(ValueError, match=message):
        zero_points(**arguments)


def test_other_instruments_are_not_aligned():
    found = zero_points(np.arange(40.0), 1.0, ["a", "b"] * 20)
    with pytest.raises(ValueError, match="instrument has c, whose zero point was not measured"):
        found.apply([1.0], 1.0, ["c"])
