"""Averages of visits against their closed forms, and what does not change them."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from scipy.stats import chi2

from veldist import KinematicSolver
from veldist.sky import combine_visits


def test_two_visits_have_the_weighted_mean():
    visits = combine_visits([50.0, 53.0, 61.0], [1.0, 2.0, 2.0], id=["a", "a", "b"])
    np.testing.assert_allclose(visits.vel, [50.6, 61.0])
    np.testing.assert_allclose(visits.err, [np.sqrt(0.8), 2.0])
    np.testing.assert_allclose(visits.chi2, [9.0 / 5.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(visits.p_value, [chi2.sf(1.8, 1), 1.0])
    np.testing.assert_array_equal(visits.n_visits, [2, 1])
    assert not visits.variable.any()


def test_variable_stars_are_flagged_with_errors_of_their_scatter():
    # Of two equal errors the scaled error of the mean is half the difference.
    visits = combine_visits([40.0, 60.0, 3.0], 1.0, id=[7, 7, 8])
    assert visits.variable.tolist() == [True, False]
    np.testing.assert_allclose(visits.err, [10.0, 1.0])
    assert "the visits of 1 differ by more than their errors allow" in str(visits)


def test_the_order_of_rows_changes_the_order_of_stars_only():
    rng = np.random.default_rng(2)
    star, vel, err = rng.integers(0, 20, 60), rng.normal(0.0, 5.0, 60), rng.uniform(1.0, 3.0, 60)
    order = rng.permutation(60)
    one, other = combine_visits(vel, err, id=star), combine_visits(vel[order], err[order], id=star[order])
    key, other_key = star[one.first], star[order][other.first]
    for name in ("vel", "err", "chi2", "n_visits"):
        np.testing.assert_allclose(
            getattr(one, name)[np.argsort(key)], getattr(other, name)[np.argsort(other_key)], rtol=1e-10
        )


def test_stars_of_one_visit_stay_as_they_are():
    vel, err = np.array([3.1, -0.7, 12.9]), np.array([0.3, 0.7, 1.1])
    visits = combine_visits(vel, err, id=["c", "a", "b"])
    np.testing.assert_array_equal(visits.vel, vel)
    np.testing.assert_array_equal(visits.err, err)
    np.testing.assert_array_equal(visits.first, [0, 1, 2])


def test_copies_are_no_visits():
    visits = combine_visits([5.0, 5.0, 6.0], [1.0, 1.0, 1.0], id=[1, 1, 1])
    np.testing.assert_allclose((visits.vel[0], visits.err[0]), (5.5, np.sqrt(0.5)))
    assert (visits.n_copies, visits.n_visits.tolist()) == (1, [2])
    assert "1 rows are copies" in str(visits)


def test_positions_tell_stars_within_a_tolerance():
    x, y = [0.0, 0.0, 0.3, 5.0] * u.arcsec, [0.0, 0.0, 0.0, 0.0] * u.arcsec
    vel = [1.0, 2.0, 3.0, 4.0]
    assert combine_visits(vel, 2.0, x=x, y=y).star.tolist() == [0, 0, 1, 2]
    assert combine_visits(vel, 2.0, x=x, y=y, tolerance=0.5 * u.arcsec).star.tolist() == [0, 0, 0, 1]


def test_consistent_visits_are_called_variable_once_in_a_thousand():
    rng = np.random.default_rng(4)
    star = np.repeat(np.arange(20_000), 3)
    visits = combine_visits(rng.normal(0.0, 2.0, star.size), 2.0, id=star)
    # 20 expected; four standard deviations.
    assert abs(visits.variable.sum() - 20) < 18
    # p-values are uniform: mean 1/2 within four errors of 1 / sqrt(12 n).
    assert abs(visits.p_value.mean() - 0.5) < 4.0 / np.sqrt(12 * 20_000)


def test_stars_visited_four_times_have_the_error_bars_of_stars():
    rng = np.random.default_rng(6)
    star = np.repeat(np.arange(60), 4)
    vel = rng.normal(0.0, 10.0, 60)[star] + rng.normal(0.0, 1.0, 240)

    def width(vel, err):
        solver = KinematicSolver()
        solver.setup_grid(0.0, 120.0, 40)
        solver.add_data(vel, err)
        mean = solver.run(num_samples=1000)["intrinsic_pdf"] @ solver.grid["centers"]
        return float(np.std(mean))

    visits = combine_visits(vel, 1.0, id=star)
    # The mean of 60 stars: 10 / sqrt(60) = 1.29; of 240 rows half of it. Sample dispersions vary by 9 %.
    assert 1.0 < width(visits.vel, visits.err) < 1.7
    assert width(vel, 1.0) < 0.85


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "pass either id, or x and y"),
        ({"x": [0.0, 1.0]}, "pass either id, or x and y"),
        ({"id": [1, 2], "x": [0.0, 1.0], "y": [0.0, 1.0]}, "pass either id, or x and y"),
        ({"id": [1]}, "id has shape"),
        ({"id": ["a", ""]}, r"id has 1 of 2 values \(row 1\) without a value"),
        ({"id": np.ma.array([1, 2], mask=[True, False])}, r"id has 1 of 2 values \(row 0\)"),
        ({"x": [0.0, 1.0], "y": [0.0, 1.0], "tolerance": -1.0}, "tolerance must not be negative"),
        ({"x": [0.0, np.nan], "y": [0.0, 1.0]}, "x has 1 of 2 values"),
        ({"x": [0.0], "y": [0.0, 1.0]}, "x has 1 values but vel has 2"),
    ],
)
def test_refusals_say_what_is_wrong(arguments, message):
    with pytest.raises(ValueError, match=message):
        combine_visits([1.0, 2.0], 1.0, **arguments)
