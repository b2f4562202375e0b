import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

from veldist.models.losvd.frame import fit_frame, robust_frame


def negative_log_likelihood(p, vel, err):
    var = np.exp(p[1]) + err**2
    return 0.5 * np.sum((vel - p[0]) ** 2 / var + np.log(var))


@pytest.mark.parametrize(("n", "ratio"), [(30, 0.1), (200, 0.7), (1000, 1.0)])
def test_frame_is_the_maximum_of_the_likelihood(n, ratio):
    rng = np.random.default_rng(n)
    err = rng.uniform(0.5, 1.5, n) * ratio * 10.0
    vel = rng.normal(50.0, 10.0, n) + rng.normal(0.0, err)
    best = minimize(negative_log_likelihood, [50.0, np.log(100.0)], args=(vel, err), tol=1e-12)
    frame = fit_frame(vel, err)
    assert frame.location == pytest.approx(best.x[0], abs=1e-3)
    assert frame.scale == pytest.approx(np.exp(best.x[1] / 2), rel=1e-4)


def test_unresolved_dispersion_is_kept_at_the_cramer_rao_bound():
    err = np.full(200, 10.0)
    frame = fit_frame(np.zeros(200), err)
    # The three most precise stars do not count.
    assert frame.scale**2 == pytest.approx(np.sqrt(2 / 197) * 100.0)


def test_equal_velocities_with_tiny_errors_give_a_positive_scale():
    frame = fit_frame(np.full(5, 3.0), np.full(5, 1e-6))
    assert frame.location == pytest.approx(3.0)
    assert 0 < frame.scale < 1e-5


@given(st.integers(0, 1000), st.floats(-500, 500), st.floats(0.1, 20), st.sampled_from([-1, 1]))
def test_frame_follows_shift_scale_and_reversal(seed, shift, scale, sign):
    rng = np.random.default_rng(seed)
    err = rng.uniform(1, 5, 40)
    vel = rng.normal(0, 8, 40) + rng.normal(0, err)
    frame = fit_frame(vel, err)
    moved = fit_frame(shift + sign * scale * vel, scale * err)
    assert moved.location == pytest.approx(shift + sign * scale * frame.location, abs=1e-5 * scale, rel=1e-8)
    assert moved.scale == pytest.approx(scale * frame.scale, rel=1e-5)


@given(
    seed=st.integers(0, 10**6),
    n=st.integers(20, 300),
    ratio=st.floats(0.01, 1.5),
    factor=st.floats(1.0, 6.0),
    position=st.floats(-3.0, 3.0),
)
def test_one_precise_star_moves_the_frame_no_more_than_it_can_teach(seed, n, ratio, factor, position):
    """Where it is, and how precise: the frame stays that of the others.

    Bounds: the extremes of 20,000 samples, 0.56 and 1.92 for the scales (20-30 stars with errors above the
    dispersion, whose scale is uncertain by a factor of 1.5 itself), 1.5 standard errors for the location.
    """
    rng = np.random.default_rng(seed)
    err = np.full(n, 10.0 * ratio)
    vel = rng.normal(0.0, np.hypot(10.0, err))
    precise_vel, precise_err = vel.copy(), err.copy()
    precise_vel[0], precise_err[0] = 10.0 * position, err[0] / 10.0**factor
    for fit in (fit_frame, robust_frame):
        without, frame = fit(vel, err), fit(precise_vel, precise_err)
        assert 0.45 < frame.scale / without.scale < 2.2
        standard_error = 1.0 / np.sqrt(np.sum(1.0 / (without.scale**2 + err**2)))
        assert abs(frame.location - without.location) < 2.0 * standard_error


def test_the_broadest_of_several_maxima_is_taken():
    """One star of error 0.01 makes the likelihood singular at its velocity."""
    rng = np.random.default_rng(0)
    err = np.full(60, 3.0)
    vel = rng.normal(0.0, 10.0, 60) + rng.normal(0.0, err)
    err[7] = 0.01
    frame = fit_frame(vel, err)
    best = minimize(negative_log_likelihood, [0.0, np.log(100.0)], args=(vel, err), tol=1e-12)
    assert frame.scale == pytest.approx(np.exp(best.x[1] / 2), rel=1e-4)
    assert 8.0 < frame.scale < 13.0


@pytest.mark.parametrize("ratio", [0.1, 1.0, 2.0])
def test_the_robust_frame_ignores_foreground(ratio):
    rng = np.random.default_rng(4)
    err = rng.uniform(0.5, 1.5, 2000) * ratio * 10.0
    vel = rng.normal(50.0, 10.0, 2000) + rng.normal(0.0, err)
    clean = robust_frame(vel, err)
    # Errors of a median and of a median absolute deviation: 1.25 and 1.17 times sigma / sqrt(N), times four.
    spread = np.hypot(10.0, 10.0 * ratio)
    assert clean.location == pytest.approx(50.0, abs=5 * spread / np.sqrt(2000))
    assert clean.scale == pytest.approx(10.0, abs=4.7 * spread**2 / 10.0 / np.sqrt(2000))
    vel[:20] = 9999.0
    dirty = robust_frame(vel, err)
    assert abs(dirty.location - clean.location) < 0.03 * spread
    assert dirty.scale == pytest.approx(clean.scale, rel=0.03 * (1 + ratio**2))


def test_the_robust_frame_of_unresolved_or_equal_stars_is_at_the_bound():
    err = np.full(200, 10.0)
    assert robust_frame(np.zeros(200), err).scale ** 2 == pytest.approx(np.sqrt(2 / 197) * 100.0)
    assert robust_frame(np.array([1.0, 1.0, 1.0, 500.0]), np.ones(4)).scale < 2
