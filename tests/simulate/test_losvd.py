"""Analytic LOSVDs against quadrature, SciPy's distributions, invariances and their own sampler."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import FrozenInstanceError
from itertools import pairwise

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import quad

from veldist import simulate
from veldist.simulate import (
    LOSVD,
    CounterRotating,
    FlatTopped,
    Gaussian,
    LaplaceConvolved,
    Mixture,
    SkewNormal,
    StudentT,
    TwoDispersions,
    observe,
    standard_losvds,
)

V, SIGMA = 7.0, 12.0

SHAPES = standard_losvds(V, SIGMA) | {
    "skew-normal, steep right": SkewNormal(V, SIGMA, -20.0),
    "skew-normal, from skewness": SkewNormal.from_skewness(V, SIGMA, -0.4),
    "skew-normal, alpha 0": SkewNormal(V, SIGMA, 0.0),
    "student-t, mild": StudentT(V, SIGMA, 30.0),
    "student-t, near Gaussian": StudentT(V, SIGMA, 1000.0),
    "flat-topped, box": FlatTopped(V, SIGMA, 40.0),
    "flat-topped, near Gaussian": FlatTopped(V, SIGMA, 0.05),
    "laplace, sharp": LaplaceConvolved(V, SIGMA, 0.9999),
    "laplace, near Gaussian": LaplaceConvolved(V, SIGMA, 0.01),
    "one star in ten": CounterRotating(V, SIGMA, 5.0, 0.1),
    "mixture of mixtures": Mixture(
        [
            (0.3, SkewNormal(-20.0, 5.0, 3.0)),
            (0.7, Mixture([(0.5, StudentT(0.0, 9.0, 7.0)), (0.5, Gaussian(4, 2))])),
        ]
    ),
}
shapes = pytest.mark.parametrize("losvd", SHAPES.values(), ids=SHAPES.keys())


NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)


def panels(function, edges: np.ndarray) -> float:
    """Composite Gauss-Legendre quadrature with 20 points between any two edges."""
    half = 0.5 * np.diff(edges)[:, None]
    points = 0.5 * (edges[1:] + edges[:-1])[:, None] + half * NODES
    return float((half * WEIGHTS * function(points)).sum())


def integrate(function, losvd: LOSVD, high: float = np.inf) -> float:
    """Integrate from minus infinity to high, in t = asinh(z), out to 1e6 dispersions."""
    end = np.arcsinh((high - losvd.mean) / losvd.std) if np.isfinite(high) else 14.5
    edges = np.linspace(-14.5, end, 600)

    def transformed(t):
        return function(losvd.mean + losvd.std * np.sinh(t)) * losvd.std * np.cosh(t)

    return panels(transformed, edges)


@shapes
def test_moments_agree_with_quadrature_of_the_density(losvd):
    def moment(k):
        return integrate(lambda v: ((v - losvd.mean) / losvd.std) ** k * losvd.pdf(v), losvd)

    assert moment(0) == pytest.approx(1, abs=1e-9)
    assert moment(1) == pytest.approx(0, abs=1e-9)
    assert moment(2) == pytest.approx(1, abs=1e-9)
    assert moment(3) == pytest.approx(losvd.skewness, abs=1e-8)
    assert moment(4) - 3 == pytest.approx(losvd.kurtosis, abs=1e-7)


@pytest.mark.parametrize("name", list(standard_losvds()))
def test_mean_and_dispersion_are_the_arguments(name):
    losvd = standard_losvds(V, SIGMA)[name]
    assert losvd.mean == pytest.approx(V, rel=1e-14)
    assert losvd.std == pytest.approx(SIGMA, rel=1e-14)


@shapes
def test_cdf_and_survival_function_agree_with_quadrature(losvd):
    for z in (-5.0, -2.0, -0.7, -1e-9, 0.0, 1e-3, 1.3, 4.0):
        v = losvd.mean + z * losvd.std
        assert losvd.cdf(v) == pytest.approx(integrate(losvd.pdf, losvd, high=v), abs=1e-10)
        assert losvd.sf(v) == pytest.approx(1 - losvd.cdf(v), abs=1e-14)


@shapes
def test_limits_at_infinity(losvd):
    infinities = [-np.inf, np.inf]
    np.testing.assert_array_equal(losvd.pdf(infinities), 0)
    np.testing.assert_array_equal(losvd.cdf(infinities), [0, 1])
    np.testing.assert_array_equal(losvd.sf(infinities), [1, 0])
    np.testing.assert_allclose(losvd.bin_masses([-np.inf, losvd.mean, np.inf]).sum(), 1, rtol=1e-14)


@shapes
def test_far_tail_masses_keep_their_relative_accuracy(losvd):
    """Bins from 4 dispersions out on both sides, against quadrature of the (positive) density."""
    for side in (-1, 1):
        edges = np.sort(losvd.mean + side * losvd.std * np.array([4.0, 4.5, 5.0, 7.0, 8.0, 9.5, 10.0]))
        masses = losvd.bin_masses(edges)
        for low, high, mass in zip(edges[:-1], edges[1:], masses, strict=True):
            peak = max(losvd.pdf(low), losvd.pdf(high))
            if peak < 1e-290:
                assert mass <= 1e-285
                continue
            expected = panels(losvd.pdf, np.linspace(low, high, 201))
            assert mass == pytest.approx(expected, rel=1e-9, abs=0)


@pytest.mark.parametrize(
    ("losvd", "reference"),
    [
        (Gaussian(V, SIGMA), stats.norm(V, SIGMA)),
        (StudentT(V, SIGMA, 6.0), stats.t(6, V, SIGMA * np.sqrt(4 / 6))),
        (StudentT(V, SIGMA, 2.5), stats.t(2.5, V, SIGMA * np.sqrt(0.5 / 2.5))),
        (StudentT(V, SIGMA, 1000.0), stats.t(1000, V, SIGMA * np.sqrt(998 / 1000))),
        (LaplaceConvolved(V, SIGMA, 1 - 1e-12), stats.laplace(V, SIGMA / np.sqrt(2))),
    ],
    ids=["gaussian", "student-t", "student-t without kurtosis", "student-t near Gaussian", "laplace limit"],
)
def test_tails_of_scipy(losvd, reference):
    z = np.array([-100.0, -35.0, -12.0, -6.0, -3.0, -0.5, 0.3, 2.0, 9.0, 20.0, 100.0])
    v = V + SIGMA * z
    np.testing.assert_allclose(losvd.sf(v), reference.sf(v), rtol=1e-9)
    np.testing.assert_allclose(losvd.cdf(v), reference.cdf(v), rtol=1e-9)
    np.testing.assert_allclose(losvd.pdf(v), reference.pdf(v), rtol=1e-9)


@pytest.mark.parametrize("alpha", [-3.0, 0.5, 4.0, 100.0])
def test_skew_normal_is_scipys_with_the_moments_as_parameters(alpha):
    losvd = SkewNormal(V, SIGMA, alpha)
    mean, variance, skewness, kurtosis = stats.skewnorm.stats(alpha, moments="mvsk")
    scale = SIGMA / np.sqrt(variance)
    reference = stats.skewnorm(alpha, V - scale * mean, scale)
    v = V + SIGMA * np.linspace(-4, 4, 33)
    np.testing.assert_allclose(losvd.pdf(v), reference.pdf(v), rtol=1e-11)
    assert losvd.skewness == pytest.approx(float(skewness), rel=1e-12)
    assert losvd.kurtosis == pytest.approx(float(kurtosis), rel=1e-12)
    assert SkewNormal.from_skewness(V, SIGMA, losvd.skewness).alpha == pytest.approx(alpha, rel=1e-8)


def test_skew_normal_cdf_is_continuous_where_the_formula_changes():
    losvd = SkewNormal(0.0, 1.0, 4.0)
    v = losvd.mean - np.linspace(1.0, 3.0, 20_001)
    log_cdf = np.log(losvd.cdf(v[losvd.cdf(v) > 1e-30]))
    # Smooth to rounding error: third differences of a smooth function are ~ step^3 = 1e-12 here.
    assert np.abs(np.diff(log_cdf, 3)).max() < 1e-9


@pytest.mark.parametrize("z", [-9.0, -2.5, -0.4, 0.0, 1.0, 6.0])
def test_convolved_shapes_are_the_convolutions(z):
    """Densities from quadrature over the un-smoothed shape, which share nothing with the closed forms."""

    def convolve(density, smoothing, kinks):
        def integrand(t):
            return density(t) * stats.norm.pdf(z, t, smoothing)

        return sum(quad(integrand, a, b, epsabs=0, epsrel=1e-11, limit=300)[0] for a, b in pairwise(kinks))

    smoothing = 1 / np.sqrt(1 + 3.0**2 / 3)
    half = 3 * smoothing
    expected = convolve(lambda t: 0.5 / half, smoothing, [-half, -half / 2, 0, half / 2, half])
    assert FlatTopped(0, 1, 3.0).pdf(z) == pytest.approx(expected, rel=1e-9)

    smoothing, length = np.sqrt(0.2), np.sqrt(0.4)
    cuts = sorted({-20.0, -4.0, 0.0, 4.0, 20.0, z - 0.5, z + 0.5})
    expected = convolve(lambda t: np.exp(-abs(t) / length) / (2 * length), smoothing, cuts)
    assert LaplaceConvolved(0, 1, 0.8).pdf(z) == pytest.approx(expected, rel=1e-9)


@shapes
def test_samples_follow_the_cdf(losvd):
    n = 50_000
    sample = losvd.sample(n, 20240)
    distance = stats.kstest(sample, losvd.cdf).statistic
    # One in 10,000 samples of the null distribution lies above; 18 shapes are tried at one fixed seed.
    assert distance < stats.kstwo.isf(1e-4, n)
    # Wings weigh little in that distance, so z^2 too; the standard error of its mean follows.
    z = (sample - losvd.mean) / losvd.std
    assert abs((z**2).mean() - 1) < 4.5 * np.sqrt((losvd.kurtosis + 2) / n)


@shapes
def test_samples_are_independent_of_their_order(losvd):
    """The first half of a mixture's sample must not be its first component."""
    sample = losvd.sample(4000, 5)
    assert stats.ks_2samp(sample[:2000], sample[2000:]).pvalue > 1e-4


finite = st.floats(-300, 300)
factors = st.floats(0.05, 20)
names = st.sampled_from(sorted(standard_losvds()))


@given(name=names, shift=finite, factor=factors)
@settings(max_examples=60, deadline=None)
def test_shift_and_scale(name, shift, factor):
    here, there = standard_losvds(0.0, 1.0)[name], standard_losvds(shift, factor)[name]
    z = np.linspace(-6, 6, 25)
    v = shift + factor * z
    # Rounding of shift + factor * z moves z by at most this; tails turn it into a relative error z^2 larger.
    tolerance = 1e-12 + 100 * np.finfo(float).eps * abs(shift) / factor * 36
    np.testing.assert_allclose(factor * there.pdf(v), here.pdf(z), rtol=tolerance, atol=1e-30)
    np.testing.assert_allclose(there.bin_masses(v), here.bin_masses(z), rtol=10 * tolerance, atol=1e-15)
    assert there.skewness == pytest.approx(here.skewness, abs=10 * tolerance)
    assert there.kurtosis == pytest.approx(here.kurtosis, abs=10 * tolerance)


@given(alpha=st.floats(-50, 50), z=st.floats(-8, 8))
@settings(deadline=None)
def test_mirror(alpha, z):
    right, left = SkewNormal(3.0, 2.0, alpha), SkewNormal(-3.0, 2.0, -alpha)
    assert right.cdf(3 + 2 * z) == left.sf(-3 - 2 * z)
    assert right.pdf(3 + 2 * z) == left.pdf(-3 - 2 * z)
    assert right.skewness == -left.skewness


@given(
    name=names,
    cuts=st.lists(st.integers(-400, 400), min_size=3, max_size=20, unique=True),
)
@settings(max_examples=60, deadline=None)
def test_masses_of_merged_bins_add(name, cuts):
    losvd = standard_losvds(2.0, 10.0)[name]
    edges = 0.1 * np.sort(cuts)
    masses = losvd.bin_masses(edges)
    assert (masses >= 0).all()
    assert masses.sum() == pytest.approx(losvd.bin_masses(edges[[0, -1]])[0], rel=1e-12)
    assert losvd.bin_masses(edges, conditional=True).sum() == pytest.approx(1, rel=1e-14)
    np.testing.assert_allclose(losvd.bin_masses(edges, conditional=True) * masses.sum(), masses, rtol=1e-13)


@given(fraction=st.floats(0.01, 0.99), separation=st.floats(0.01, 20), ratio=st.floats(0.05, 20))
@settings(deadline=None)
def test_two_component_factories_have_the_moments_asked_for(fraction, separation, ratio):
    for losvd in (CounterRotating(V, SIGMA, separation, fraction), TwoDispersions(V, SIGMA, ratio, fraction)):
        assert losvd.mean == pytest.approx(V, rel=1e-12)
        assert losvd.std == pytest.approx(SIGMA, rel=1e-12)
    (low_share, low), (high_share, high) = CounterRotating(V, SIGMA, separation, fraction).components
    assert (high.mean - low.mean) / low.std == pytest.approx(separation, rel=1e-10)
    assert (low_share, high_share) == pytest.approx((1 - fraction, fraction))
    assert low.std == high.std
    (cold_share, cold), (_, hot) = TwoDispersions(V, SIGMA, ratio, fraction).components
    assert hot.std / cold.std == pytest.approx(ratio)
    assert cold_share == pytest.approx(fraction)


def test_mixture_of_equal_parts_is_the_part():
    part = SkewNormal(V, SIGMA, 3.0)
    mixture = Mixture([(0.25, part), (0.75, part)])
    edges = np.linspace(-60, 90, 31)
    np.testing.assert_allclose(mixture.bin_masses(edges), part.bin_masses(edges), rtol=1e-13)
    assert mixture.skewness == pytest.approx(part.skewness, rel=1e-13)
    assert mixture.kurtosis == pytest.approx(part.kurtosis, rel=1e-13)


def test_mixture_masses_between_distant_components():
    """Far above one component, far below the other: neither tail of the whole mixture is small there."""
    mixture = Mixture([(0.5, Gaussian(-50, 1)), (0.5, Gaussian(50, 1))])
    expected = 0.5 * (stats.norm.sf(15) - stats.norm.sf(16))
    np.testing.assert_allclose(mixture.bin_masses([-35, -34]), expected, rtol=1e-12)
    np.testing.assert_allclose(mixture.bin_masses([34, 35]), expected, rtol=1e-12)


def test_moments_that_do_not_exist():
    assert StudentT(0, 1, 4.0).kurtosis == np.inf
    assert StudentT(0, 1, 4.0).skewness == 0
    assert np.isnan(StudentT(0, 1, 3.0).skewness)
    mixture = Mixture([(0.5, Gaussian(-3, 1)), (0.5, StudentT(2, 1, 2.5))])
    assert mixture.kurtosis == np.inf
    assert np.isnan(mixture.skewness)
    assert mixture.std == pytest.approx(np.sqrt(1 + 2.5**2))


def test_standard_set_spans_the_shapes():
    shapes = standard_losvds(0, 20)
    assert len(shapes) == 7
    assert [n for n, s in shapes.items() if abs(s.skewness) > 0.1] == ["skew-normal", "counter-rotating"]
    two_peaks = shapes["counter-rotating"].pdf(np.linspace(-60, 60, 601))
    assert (np.diff(np.sign(np.diff(two_peaks))) < 0).sum() == 2


def test_objects_are_values():
    losvd = Gaussian(1.0, 2.0)
    assert losvd == Gaussian(1.0, 2.0)
    assert losvd != Gaussian(1.0, 2.1)
    assert Mixture([(1.0, losvd)]) == Mixture([(1.0, Gaussian(1, 2))])
    with pytest.raises(FrozenInstanceError):
        losvd.v = 3.0


def test_units():
    speed = u.km / u.s
    plain = StudentT(7.0, 12.0, 6.0)
    assert StudentT(7000 * u.m / u.s, 12 * speed, 6 * u.dimensionless_unscaled) == plain
    assert plain.pdf(9000 * u.m / u.s) == plain(9.0)
    np.testing.assert_array_equal(plain.bin_masses([0, 5, 10] * speed), plain.bin_masses([0, 5, 10]))
    assert TwoDispersions(7 * speed, 12 * speed) == TwoDispersions(7, 12)
    with pytest.raises(ValueError, match="sigma has unit 'kpc'"):
        Gaussian(0, 1 * u.kpc)


def test_shape_of_the_argument_is_kept():
    for losvd in SHAPES.values():
        for function in (losvd.pdf, losvd.cdf, losvd.sf):
            assert np.ndim(function(1.0)) == 0
            assert function(np.zeros((2, 3))).shape == (2, 3)


def test_observe():
    losvd = Gaussian(V, SIGMA)
    n = 40_000
    vel, err = observe(losvd, n, (1.0, 5.0), 3)
    assert err.min() >= 1
    assert err.max() <= 5
    # Uniform(1, 5): mean 3, standard deviation 1.15; 4.5 standard errors.
    assert err.mean() == pytest.approx(3, abs=4.5 * 1.155 / np.sqrt(n))
    pull = (vel - V) / np.hypot(SIGMA, err)
    assert stats.kstest(pull, "norm").statistic < stats.kstwo.isf(1e-4, n)
    vel, err = observe(Gaussian(V, 1e-6), n, (1.0, 5.0), 3)
    assert stats.kstest((vel - V) / err, "norm").statistic < stats.kstwo.isf(1e-4, n)

    given_errors = np.array([0.5, 2.0, 1.0])
    vel, err = observe(losvd, 3, given_errors, 3)
    np.testing.assert_array_equal(err, given_errors)
    assert err is not given_errors
    np.testing.assert_array_equal(observe(losvd, 3, 2 * u.km / u.s, 3)[1], [2, 2, 2])
    np.testing.assert_array_equal(observe(losvd, 2, [1.0, 2.0] * u.km / u.s, 3)[1], [1, 2])
    assert observe(losvd, 9, (500 * u.m / u.s, 1.0), 3)[1].min() >= 0.5


def test_observe_adds_the_error_to_the_intrinsic_sample():
    """One generator serves both: same seed, same stars, whatever the error's size."""
    losvd = StudentT(V, SIGMA, 6.0)
    (small, _), (large, _) = (observe(losvd, 50, e, np.random.default_rng(9)) for e in (1e-9, 2.0))
    np.testing.assert_allclose(small, losvd.sample(50, 9), atol=1e-7)
    assert 0.5 < np.std(large - small) / 2.0 < 1.5


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Gaussian(0, 0), ValueError, "sigma must be positive, got 0"),
        (lambda: Gaussian(np.nan, 1), ValueError, "v must be finite"),
        (lambda: Gaussian("fast", 1), TypeError, "v must be a single number"),
        (lambda: SkewNormal(0, 1, np.inf), ValueError, "alpha must be finite"),
        (lambda: SkewNormal.from_skewness(0, 1, 1.0), ValueError, "skewness must lie between"),
        (lambda: StudentT(0, 1, 2.0), ValueError, "nu must be above 2"),
        (
            lambda: FlatTopped(0, 1, 0.0),
            ValueError,
            "width_ratio must be at least 0.01, got 0.0: use Gaussian",
        ),
        (lambda: LaplaceConvolved(0, 1, 1.0), ValueError, "laplace_fraction must be below 1"),
        (lambda: LaplaceConvolved(0, 1, 0.0), ValueError, "laplace_fraction must be positive"),
        (lambda: CounterRotating(0, 1, separation=-1), ValueError, "separation must be positive"),
        (lambda: CounterRotating(0, 1, fraction=1.0), ValueError, "fraction must lie between 0 and 1"),
        (lambda: TwoDispersions(0, 1, ratio=0), ValueError, "ratio must be positive"),
        (lambda: Mixture([]), ValueError, "components is empty"),
        (lambda: Mixture([(0.5, Gaussian(0, 1)), (0.4, Gaussian(1, 1))]), ValueError, r"sum to 0\.9"),
        (
            lambda: Mixture([(1.5, Gaussian(0, 1)), (-0.5, Gaussian(1, 1))]),
            ValueError,
            "component 1 must be pos",
        ),
        (lambda: Mixture([(1.0, stats.norm)]), TypeError, "component 0 must be an LOSVD"),
        (lambda: Gaussian(0, 1).bin_masses([1.0]), ValueError, "a bin needs two"),
        (lambda: Gaussian(0, 1).bin_masses([0, 1, 1]), ValueError, r"rows 1 and 2"),
        (lambda: Gaussian(0, 1).bin_masses([0, np.nan, 1]), ValueError, "increase strictly"),
        (lambda: Gaussian(0, 1).bin_masses([90, 91], conditional=True), ValueError, "hold no mass"),
        (lambda: Gaussian(0, 1).sample(-1), ValueError, "n must be at least 0"),
        (lambda: Mixture([(1, Gaussian(0, 1))]).sample(2.5), TypeError, "n must be an integer"),
        (lambda: observe(stats.norm, 3, 1.0), TypeError, "losvd must be an LOSVD"),
        (lambda: observe(Gaussian(0, 1), 0, 1.0), ValueError, "n must be at least 1"),
        (lambda: observe(Gaussian(0, 1), 3, 0.0), ValueError, "err must be positive"),
        (lambda: observe(Gaussian(0, 1), 3, [1.0, 2.0]), ValueError, "err has 2 values for 3 stars"),
        (lambda: observe(Gaussian(0, 1), 3, [1.0, 0.0, -1]), ValueError, r"2 of 3 values \(rows 1, 2"),
        (lambda: observe(Gaussian(0, 1), 3, [1.0, np.nan, 1]), ValueError, "NaN"),
        (lambda: observe(Gaussian(0, 1), 3, (2.0, 1.0)), ValueError, "reversed"),
        (lambda: observe(Gaussian(0, 1), 3, (1.0, 2.0, 3.0)), ValueError, "tuple of 3"),
        (lambda: observe(Gaussian(0, 1), 3, (0.0, 1.0)), ValueError, r"err\[0\] must be positive"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_import_is_light():
    code = (
        "import sys, veldist.simulate; "
        "print([m for m in ('astropy', 'matplotlib', 'scipy.stats') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_public_names_exist():
    assert all(hasattr(simulate, name) for name in simulate.__all__)
