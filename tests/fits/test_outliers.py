"""Stars that are no members: told between 8 and 100 dispersions, refused beyond, in any number."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veldist import GridWarning, KinematicSolver, OutlierWarning, fit_all_bins
from veldist.batch.failures import BatchError
from veldist.fits.outliers import describe_outliers, find_impossible
from veldist.fits.stars import Stars
from veldist.models.losvd.frame import is_far

SIGMA, ERROR = 6.0, 2.0


def stars(n, seed=0):
    return np.random.default_rng(seed).normal(0.0, SIGMA, n)


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(12, 300),
    share=st.floats(0.0, 0.7),
    value=st.sampled_from([-9999.0, 999.99, -999.0, 99999.0, 8888.0]),
    shift=st.floats(-200.0, 200.0),
    seed=st.integers(0, 99),
)
def test_placeholders_are_refused_with_their_rows_in_any_number(n, share, value, shift, seed):
    rng = np.random.default_rng(seed)
    bad = rng.permutation(n) < max(1, min(int(share * n), n - 10))
    vel = np.where(bad, value, shift + stars(n, seed) / 2)
    assert np.array_equal(find_impossible(vel, np.full(n, 1.0)), bad)


@settings(max_examples=60, deadline=None)
@given(n=st.integers(10, 400), scale=st.floats(1e-3, 1e3), digits=st.integers(0, 6), seed=st.integers(0, 99))
def test_ordinary_samples_are_not_refused(n, scale, digits, seed):
    rng = np.random.default_rng(seed)
    for draw in (rng.normal(size=n), rng.standard_t(4, n), rng.laplace(size=n), rng.uniform(-1, 1, n)):
        vel = np.round(scale * draw, digits)
        err = max(0.1 * scale, 10.0**-digits)
        assert not find_impossible(vel, np.full(n, err)).any()


@settings(max_examples=60, deadline=None)
@given(
    step=st.sampled_from([0.5, 1.0, 5.0, 10.0]),
    sigma=st.floats(0.4, 2.0),
    n=st.integers(60, 600),
    seed=st.integers(0, 99),
    error=st.sampled_from([1e-6, 1e-3, 0.1]),
)
def test_coarse_rounding_makes_no_outliers(step, sigma, n, seed, error):
    vel = 40.0 + step * np.round(np.random.default_rng(seed).normal(0.3, sigma, n))
    err = np.full(n, error)
    assert not is_far(vel, err).any()
    assert not find_impossible(vel, err).any()
    far = np.append(vel, 40.0 + 100.0 * step)
    assert is_far(far, np.append(err, error)).tolist() == [False] * n + [True]


def test_two_populations_are_one_sample():
    rng = np.random.default_rng(3)
    for cold in (rng.normal(0, 1, 60), np.zeros(60)):
        vel = np.concatenate([cold, rng.normal(0, 150, 40)])
        assert not find_impossible(vel, np.full(100, 0.3)).any()
    assert not find_impossible(np.repeat([-30.0, 30.0], 50), np.full(100, 1e-3)).any()


def test_a_stars_own_error_counts_and_few_stars_say_nothing():
    vel = np.append(stars(50), 2000.0)
    err = np.append(np.full(50, ERROR), 500.0)
    assert not find_impossible(vel, err).any()
    assert not find_impossible(np.append(stars(8), -9999.0), np.full(9, ERROR)).any()
    assert is_far(np.append(stars(8), -9999.0), np.full(9, ERROR))[8]


@pytest.mark.parametrize(
    ("row", "vel", "err", "match"),
    [
        (4, -9999.0, ERROR, r"vel has 1 of 120 values \(row 4: -9999.0\) more than 100 dispersions"),
        (4, 999.0, ERROR, r"\(row 4: 999.0\) more than 100 dispersions"),
        (7, 1e30, ERROR, r"vel has 1 of 120 values \(row 7: 1e\+30\) beyond the speed of light, 299792 km/s"),
        (7, -1e200, ERROR, r"\(row 7: -1e\+200\) beyond the speed of light"),
        (9, 0.0, 1e30, r"err has 1 of 120 values \(row 9: 1e\+30\) beyond the speed of light"),
        (9, 0.0, 5e-324, r"err has 1 of 120 values \(row 9: 5e-324\) below 1e-09 km/s"),
    ],
)
def test_impossible_values_are_refused_at_the_door(row, vel, err, match):
    velocities, errors = stars(120), np.full(120, ERROR)
    velocities[row], errors[row] = vel, err
    with pytest.raises(ValueError, match=match):
        Stars.read(velocities, errors)


def test_a_spread_lost_in_rounding_is_refused():
    vel = 2e5 + np.random.default_rng(0).normal(0, 1e-4, 50)
    with pytest.raises(ValueError, match="Subtract a common velocity"):
        Stars.read(vel, 1e-5)
    Stars.read(vel - 2e5, 1e-5)


def test_what_is_told_between_8_and_100_dispersions():
    vel = np.append(stars(149), 50 * SIGMA)
    text = describe_outliers(vel, np.full(150, ERROR))
    assert text.startswith("1 of 150 values (row 149: 300.0) of vel lie more than 8 dispersions")
    assert describe_outliers(vel[:-1], np.full(149, ERROR)) is None
    solver = KinematicSolver()
    solver.setup_grid(0, 60, 21)
    with pytest.warns(GridWarning, match="lie outside the grid"):
        solver.add_data(vel, ERROR)
    # One star of 150: too little for a warning that the grid leaves much out.
    with pytest.warns(OutlierWarning, match="which decide on its mean, dispersion, wings") as caught:
        solver.run(num_samples=200)
    assert len(caught) == 1
    assert 0.002 < np.median(solver.samples["outside_grid"]) < 0.013


def test_a_bin_with_an_impossible_star_fails_and_the_others_are_fitted():
    bins = [{"vel": stars(40, k), "err": ERROR} for k in range(3)]
    bins[1]["vel"][5] = -9999.0
    grid = {"center": 0, "width": 60, "n_bins": 15}
    with pytest.raises(
        BatchError, match=r"bin 1: ValueError: vel has 1 of 40 values \(row 5: -9999.0\)"
    ) as e:
        fit_all_bins(bins, grid, {"num_samples": 100}, progress=False, n_jobs=1)
    assert [solver is not None for solver in e.value.solvers] == [True, False, True]
