"""Mixtures of Gaussians against the distributions that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from scipy.stats import norm, t

from veldist import ErrorModel, KinematicSolver


def density(model, x, err=1.0):
    weights, factors, extra = np.array(model.terms).T
    return norm.pdf(np.asarray(x)[..., None], scale=np.hypot(factors * err, extra)) @ weights


@pytest.mark.parametrize("nu", [1.1, 1.5, 2.0, 3.0, 4.0, 5.0, 8.0, 15.0, 30.0, 100.0, 1e5])
def test_student_is_a_student_t(nu):
    x = np.linspace(0.0, 20.0, 2001)
    model, exact = ErrorModel.student(nu), t.pdf(x, nu)
    found = density(model, x)
    assert len(model.terms) <= 12
    assert np.abs(found - exact).max() < 0.004 * exact[0]
    felt = exact > 1e-9 * exact[0]
    np.testing.assert_allclose(found[felt], exact[felt], rtol=0.02)


def test_student_scales_with_the_error():
    x = np.linspace(-30.0, 30.0, 61)
    model = ErrorModel.student(4)
    np.testing.assert_allclose(density(model, x, 3.0), density(model, x / 3.0) / 3.0, rtol=1e-12)


def test_outliers_are_a_few_wide_errors():
    model = ErrorModel.outliers(0.05, 5)
    assert model.terms == ((0.95, 1.0, 0.0), (0.05, 5.0, 0.0))


def orbital_velocities(n, rng):
    """Velocities of the primaries of binaries, as `ErrorModel.binaries` describes them."""
    log_period, ratio, e = rng.normal(5.03, 2.28, n), rng.uniform(0.1, 1.0, n), rng.uniform(0.0, 0.9, n)
    years, mass = 10.0**log_period / 365.25, 0.8 * (1.0 + ratio)
    axis = np.cbrt(mass * years**2)
    kept = (axis * (1.0 - e) > 0.2) & (log_period < 9.0)
    axis, ratio, e, years = axis[kept], ratio[kept], e[kept], years[kept]
    node, mean = rng.uniform(0.0, 2.0 * np.pi, (2, e.size))
    anomaly = mean + e * np.sin(mean)
    for _ in range(30):
        anomaly -= np.clip((anomaly - e * np.sin(anomaly) - mean) / (1.0 - e * np.cos(anomaly)), -1.0, 1.0)
    np.testing.assert_allclose(anomaly - e * np.sin(anomaly), mean, atol=1e-8)
    true = 2.0 * np.arctan2(np.sqrt(1.0 + e) * np.sin(anomaly / 2), np.sqrt(1.0 - e) * np.cos(anomaly / 2))
    sine = np.sqrt(1.0 - rng.uniform(-1.0, 1.0, e.size) ** 2)
    # 1 au a year is 4.74 km/s.
    speed = 4.7405 * 2.0 * np.pi * axis / years * ratio / (1.0 + ratio) / np.sqrt(1.0 - e**2)
    return speed * sine * (np.cos(true + node) + e * np.cos(node))


def test_binaries_move_like_binaries():
    speed = np.abs(orbital_velocities(200_000, np.random.default_rng(3)))
    weights, _, sigmas = np.array(ErrorModel.binaries(1.0).terms[1:]).T
    for limit in (0.1, 0.3, 1.0, 3.0, 7.0, 10.0, 15.0, 20.0):
        found, expected = float(np.mean(speed > limit)), float(2.0 * norm.sf(limit / sigmas) @ weights)
        # Four errors of the sample beside what the docstring says.
        assert abs(found - expected) < 0.085 * found + 4.0 * np.sqrt(found / speed.size)


def test_singles_keep_their_error_and_binaries_add_theirs():
    model = ErrorModel.binaries(0.25, [2.0, 5.0] * u.km / u.s, [0.4, 0.6])
    np.testing.assert_allclose(model.terms, [(0.75, 1, 0), (0.1, 1, 2), (0.15, 1, 5)])


def test_it_says_what_it_is():
    model = ErrorModel.mixture([0.5, 0.3, 0.2], [1, 2, 0], [0, 3, 4])
    assert repr(model) == "<ErrorModel: 50 % with err, 30 % with hypot(2 err, 3 km/s), 20 % with 4 km/s>"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ErrorModel.outliers(1.5, 5), "fraction must be between 0 and 1, got 1.5"),
        (lambda: ErrorModel.student(1), "nu must be above 1, got 1"),
        (lambda: ErrorModel.binaries(0.5, [1.0]), "sigmas and weights belong together"),
        (lambda: ErrorModel.mixture([0.5, 0.4], [1, 2]), "weights sum to 0.9, not 1"),
        (lambda: ErrorModel.mixture([1.0], [0.0]), "no width"),
        (lambda: ErrorModel.mixture([0.5, 0.5], [1.0]), "one of each: got weights 2, factors 1, extra 2"),
        (lambda: ErrorModel.mixture([1.0], [-1.0]), "factors must be finite and not negative"),
    ],
)
def test_refusals_say_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_right_kernel_takes_outliers_for_what_they_are():
    # With 5 % of the errors five times too small sigma is 10 * sqrt(1 + 0.05 * 24 * 1) = 14.8 to a Gaussian.
    rng = np.random.default_rng(5)
    n, err = 400, 10.0
    scale = np.where(rng.random(n) < 0.05, 5.0, 1.0)
    vel = rng.normal(0.0, 10.0, n) + rng.normal(0.0, err * scale)
    sigma = []
    for model in (None, ErrorModel.outliers(0.05, 5)):
        solver = KinematicSolver()
        solver.setup_grid(0.0, 300.0, 60)
        solver.add_data(vel, err, error_model=model)
        pdf, centers = solver.run(num_samples=400)["intrinsic_pdf"], solver.grid["centers"]
        mean = pdf @ centers
        sigma.append(float(np.median(np.sqrt(pdf @ centers**2 - mean**2))))
    # Half-sample error of sigma: 10 * sqrt(1 + 1)^2 / sqrt(2 * 400) = 0.7; the kernel costs a third more.
    assert abs(sigma[1] - 10.0) < 3.0
    assert sigma[0] > sigma[1] + 1.0
