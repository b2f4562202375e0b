"""The density of contaminants against closed forms and quadrature."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from veldist import Contaminant, ContaminantDensity

velocities = st.floats(-300.0, 300.0)
widths = st.floats(0.5, 150.0)
errors = st.floats(0.01, 30.0)


def integral(contaminant, err, low, high):
    grid = np.linspace(low, high, 200_001)
    return np.trapezoid(contaminant.density(grid, err), grid)


@given(velocities, widths, velocities, widths, st.floats(0.01, 0.99), errors)
def test_a_mixture_is_convolved_with_the_error_and_integrates_to_one(v1, s1, v2, s2, share, err):
    contaminant = Contaminant.mixture([share, 1 - share], [v1, v2], [s1, s2])
    assert integral(contaminant, err, -2000, 2000) == pytest.approx(1.0, abs=1e-9)
    v = np.array([v1, v2, 0.0])
    expected = share * norm.pdf(v, v1, np.hypot(s1, err)) + (1 - share) * norm.pdf(v, v2, np.hypot(s2, err))
    np.testing.assert_allclose(contaminant.density(v, err), expected, rtol=1e-12)


@pytest.mark.parametrize("contaminant", [Contaminant.gaussian(20, 30), Contaminant.uniform(-40, 90)])
@pytest.mark.parametrize("vel", [-60.0, -39.0, 25.0, 110.0])
def test_the_density_is_the_pdf_convolved_with_the_error(contaminant, vel):
    value, _ = quad(
        lambda v: contaminant.pdf(v) * norm.pdf(vel, v, 4.0),
        vel - 40, vel + 40, points=[-40, 90], limit=200, epsabs=1e-13,
    )  # fmt: skip
    assert contaminant.density([vel], [4.0])[0] == pytest.approx(value, rel=1e-7)


@given(velocities, st.floats(1.0, 500.0), errors)
def test_a_box_integrates_to_one_and_keeps_its_digits_on_both_sides(low, width, err):
    box = Contaminant.uniform(low, low + width)
    grid = np.concatenate([
        np.linspace(low + offset - 10 * err, low + offset + 10 * err, 20_001) for offset in (0.0, width)
    ])  # fmt: skip
    grid = np.unique(grid)
    assert np.trapezoid(box.density(grid, err), grid) == pytest.approx(1.0, abs=1e-4)
    # Mirror images, 20 errors out, where 1 - cdf has no digits at all.
    out = np.array([low - 20 * err, low + width + 20 * err])
    below, above = box.density(out, err)
    assert below > 0
    assert above == pytest.approx(below, rel=1e-9)


def test_single_stars_have_their_own_errors():
    contaminant = Contaminant.gaussian(0.0, 3.0)
    np.testing.assert_allclose(
        contaminant.density([0.0, 0.0], [4.0, 1e-6]), [norm.pdf(0, 0, 5), norm.pdf(0, 0, 3)]
    )


def test_many_stars_and_components_are_as_few():
    rng = np.random.default_rng(0)
    contaminant = Contaminant.sample(rng.normal(0, 30, 2000))
    vel = rng.normal(0, 30, 10_000)
    every = contaminant.density(vel, 2.0)
    np.testing.assert_array_equal(every[-5:], contaminant.density(vel[-5:], 2.0))


def test_a_small_control_sample_is_a_kernel_estimate_over_a_broad_gaussian():
    rng = np.random.default_rng(1)
    vel = rng.normal(10.0, 40.0, 100)
    q25, q75 = np.percentile(vel, [25, 75])
    h = 0.9 * min(vel.std(), (q75 - q25) / 1.349) * 100**-0.2
    v = np.linspace(-200, 200, 41)
    kernels = norm.pdf(v[:, None], vel, h).mean(axis=1)
    expected = 0.97 * kernels + 0.03 * norm.pdf(v, vel.mean(), 2 * vel.std())
    np.testing.assert_allclose(Contaminant.sample(vel).pdf(v), expected, rtol=1e-6)


def test_a_large_control_sample_keeps_mean_and_variance_and_approaches_the_truth():
    rng = np.random.default_rng(2)
    n = 50_000
    vel = np.where(rng.random(n) < 0.6, rng.normal(60, 35, n), rng.normal(120, 90, n))
    contaminant = Contaminant.sample(vel)
    assert contaminant.n_components < 300
    weights, v, sigma = (np.array(a)[:-1] for a in (contaminant.weights, contaminant.v, contaminant.sigma))
    weights = weights / weights.sum()
    assert weights @ v == pytest.approx(vel.mean())
    q25, q75 = np.percentile(vel, [25, 75])
    h = 0.9 * min(vel.std(), (q75 - q25) / 1.349) * n**-0.2
    assert weights @ (sigma**2 + (v - vel.mean()) ** 2) == pytest.approx(vel.var() + h**2)
    grid = np.linspace(-100, 400, 501)
    truth = 0.6 * norm.pdf(grid, 60, 35) + 0.4 * norm.pdf(grid, 120, 90)
    # Noise sqrt(f / (2 sqrt(pi) n h)) = 1.3e-4 at the peak and a bias of h^2 f''/2 = 1e-4: four times that.
    np.testing.assert_allclose(contaminant.pdf(grid), truth, atol=5e-4)


def test_a_control_sample_has_density_far_out():
    contaminant = Contaminant.sample(np.random.default_rng(3).normal(0, 30, 500))
    assert contaminant.pdf(300.0) > 1e-10


def test_the_errors_of_a_control_sample_are_said():
    vel = np.arange(20.0)
    assert "errors, 2.5 km/s, are not taken out" in str(Contaminant.sample(vel, 2.5))
    assert "errors" not in str(Contaminant.sample(vel))


def test_units_are_converted():
    contaminant = Contaminant.gaussian(20_000 * u.m / u.s, 30 * u.km / u.s)
    assert contaminant == Contaminant.gaussian(20, 30)
    np.testing.assert_allclose(
        contaminant.density([1000.0] * u.m / u.s, 2 * u.km / u.s), contaminant.density([1.0], [2.0])
    )
    assert Contaminant.uniform(-1000 * u.m / u.s, 2.0) == Contaminant.uniform(-1, 2)


def test_any_class_with_a_density_is_one():
    class Own:
        def density(self, vel, err):
            return np.full(vel.size, 1e-3)

    for contaminant in (Own(), Contaminant.gaussian(0, 1), Contaminant.uniform(0, 1)):
        assert isinstance(contaminant, ContaminantDensity)


def test_the_record_is_frozen_and_comparable():
    contaminant = Contaminant.mixture([0.5, 0.5], [0, 1], [2, 3])
    assert contaminant.weights == (0.5, 0.5)
    assert contaminant == Contaminant.mixture((0.5, 0.5), np.array([0, 1]), [2.0, 3.0])
    assert hash(contaminant) == hash(Contaminant.mixture([0.5, 0.5], [0, 1], [2, 3]))
    with pytest.raises(AttributeError):
        contaminant.v = (1.0,)


def test_it_says_what_it_is():
    assert repr(Contaminant.gaussian(-20, 30)) == (
        "Contaminant(contaminant: Gaussian at -20.0 km/s, dispersion 30.0 (given))"
    )
    assert "40 % at 0.0 km/s with dispersion 2.0" in str(Contaminant.mixture([0.4, 0.6], [0, 1], [2, 3]))
    assert len(str(Contaminant.sample(np.arange(500.0)))) < 200
    assert str(Contaminant.uniform(-1, 2)) == "contaminant: uniform from -1 to 2 km/s"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Contaminant.gaussian(0, 0), ValueError, "sigma has 1 of 1 values"),
        (lambda: Contaminant.gaussian("a", 1), TypeError, "v must be a single number in km/s"),
        (lambda: Contaminant.gaussian(0, 1 * u.arcsec), ValueError, "sigma has unit 'arcsec'"),
        (lambda: Contaminant.mixture([0.5, 0.6], [0, 1], [1, 1]), ValueError, "divide them by their sum"),
        (
            lambda: Contaminant.mixture([0.5, 0.5], [0], [1, 1]),
            ValueError,
            "weights has 2 values but v has 1",
        ),
        (lambda: Contaminant.mixture([1.5, -0.5], [0, 1], [1, 1]), ValueError, "row 1: -0.5"),
        (lambda: Contaminant.mixture([1.0], [np.nan], [1]), ValueError, "v must be finite"),
        (lambda: Contaminant.uniform(3, 3), ValueError, "low must be below high"),
        (lambda: Contaminant.uniform(0, np.inf), ValueError, "high must be finite"),
        (lambda: Contaminant.sample(np.arange(5.0)), ValueError, "at least 10"),
        (lambda: Contaminant.sample(np.ones(50)), ValueError, "50 equal velocities"),
        (lambda: Contaminant.sample([np.nan] * 20), ValueError, "NaN or infinite"),
        (lambda: Contaminant.sample(np.arange(20.0), np.zeros(20)), ValueError, "err has 20 of 20"),
        (lambda: Contaminant.gaussian(0, 1).density([1.0, 2.0], [1.0]), ValueError, "vel has 2 values"),
        (lambda: Contaminant.uniform(0, 1).density([1.0], [-1.0]), ValueError, "not positive"),
    ],
)
def test_what_is_no_contaminant_is_refused_with_the_cure(make, error, message):
    with pytest.raises(error, match=message):
        make()
