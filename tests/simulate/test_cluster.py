"""The mock cluster against its own stated truth, by Monte Carlo and by symmetry."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from veldist.simulate import MockCluster, rotating_cluster

coordinates = st.floats(-500, 500)


@pytest.fixture(scope="module")
def large() -> MockCluster:
    return rotating_cluster(
        400_000, v_rot=7.0, sigma0=11.0, position_angle=30.0, v_systemic=-20.0, skewness_slope=0.7, seed=11
    )


def test_number_of_stars_is_poisson():
    expected = 50
    counts = np.array([rotating_cluster(expected, seed=seed).n_stars for seed in range(400)])
    # Four sigma: sqrt(50 / 400) of the mean, sqrt(2 / 400 + 1 / (50 * 400)) = 7.1 % of the variance.
    assert counts.mean() == pytest.approx(expected, abs=4 * np.sqrt(expected / 400))
    assert counts.var(ddof=1) == pytest.approx(expected, rel=4 * 0.071)


def test_radii_follow_the_truncated_plummer_profile(large):
    radius = np.hypot(large.x, large.y)
    a, r_max = large.scale_radius, large.r_max
    assert r_max == 5 * a
    assert radius.max() <= r_max

    def enclosed(r):
        return r**2 / (r**2 + a**2) * (r_max**2 + a**2) / r_max**2

    # One in 10,000 samples of the null distribution lies above, here and below.
    assert stats.kstest(radius, enclosed).statistic < stats.kstwo.isf(1e-4, radius.size)
    angle = np.arctan2(large.x, large.y)
    uniform = stats.uniform(-np.pi, 2 * np.pi).cdf
    assert stats.kstest(angle, uniform).statistic < stats.kstwo.isf(1e-4, angle.size)


def test_stars_follow_the_fields(large):
    """Standardised by the true fields, stars have mean 0 and variance 1 in every part of the cluster."""
    z = (large.v_true_stars - large.v_field(large.x, large.y)) / large.sigma_field(large.x, large.y)
    part = 8 * (np.hypot(large.x, large.y) // 20).clip(0, 5).astype(int)
    part += ((np.arctan2(large.y, large.x) + np.pi) / (2 * np.pi) * 8).astype(int).clip(0, 7)
    skewness = large.skewness_field(large.x, large.y)
    for i in np.unique(part):
        inside = part == i
        n = inside.sum()
        assert n > 2000
        # 48 parts, three statistics each: 4.5 standard errors. Var(z^2) = 2 + excess kurtosis (below 0.4);
        # Var(z^3) = 15 for a Gaussian, below 20 here.
        assert abs(z[inside].mean()) < 4.5 / np.sqrt(n)
        assert abs((z[inside] ** 2).mean() - 1) < 4.5 * np.sqrt(2.4 / n)
        assert abs((z[inside] ** 3 - skewness[inside]).mean()) < 4.5 * np.sqrt(20 / n)
    # All stars together: regression of z^3 on the true skewness.
    information = (skewness**2).sum()
    assert abs((skewness * z**3).sum() / information - 1) < 4.5 * np.sqrt(20 / information)


def test_stars_follow_the_losvd_at_their_position(large):
    """Probability integral transform of the first stars with each star's own LOSVD."""
    n = 4000
    levels = [
        large.losvd_at(x, y).cdf(v)
        for x, y, v in zip(large.x[:n], large.y[:n], large.v_true_stars[:n], strict=True)
    ]
    assert stats.kstest(levels, "uniform").statistic < stats.kstwo.isf(1e-4, n)


def test_errors(large):
    assert large.err.min() >= 0.5
    assert large.err.max() <= 4.0
    pull = (large.vel - large.v_true_stars) / large.err
    assert stats.kstest(pull, "norm").statistic < stats.kstwo.isf(1e-4, pull.size)
    assert abs(np.corrcoef(pull, large.v_true_stars)[0, 1]) < 4 / np.sqrt(pull.size)
    np.testing.assert_array_equal(rotating_cluster(20, err=2.0, seed=1).err, 2.0)


@given(x=coordinates, y=coordinates)
@settings(deadline=None)
def test_losvd_at_has_the_moments_of_the_fields(x, y):
    cluster = rotating_cluster(5, v_systemic=100.0, position_angle=200.0, seed=0)
    losvd = cluster.losvd_at(x, y)
    assert losvd.mean == pytest.approx(cluster.v_field(x, y), rel=1e-14)
    assert losvd.std == pytest.approx(cluster.sigma_field(x, y), rel=1e-14)
    assert losvd.skewness == pytest.approx(cluster.skewness_field(x, y), rel=1e-9, abs=1e-15)
    assert losvd.kurtosis == pytest.approx(cluster.kurtosis_field(x, y), rel=1e-9, abs=1e-15)


@given(x=coordinates, y=coordinates)
@settings(deadline=None)
def test_symmetries(x, y):
    cluster = rotating_cluster(5, v_systemic=40.0, position_angle=70.0, seed=0)
    rotation = cluster.v_field(x, y) - 40.0
    assert cluster.v_field(-x, -y) - 40.0 == pytest.approx(-rotation, abs=1e-12)
    assert cluster.skewness_field(-x, -y) == pytest.approx(-cluster.skewness_field(x, y), abs=1e-12)
    assert cluster.sigma_field(-x, -y) == cluster.sigma_field(x, y)
    assert cluster.skewness_field(x, y) * rotation <= 0
    assert abs(rotation) <= cluster.v_rot * (1 + 1e-12)


def test_fields_have_the_stated_profile():
    cluster = rotating_cluster(
        5, scale_radius=50.0, sigma0=12.0, v_rot=6.0, r_rot=30.0, position_angle=40.0, v_systemic=3.0, seed=0
    )
    receding = np.array([np.sin(np.deg2rad(40)), np.cos(np.deg2rad(40))])
    assert cluster.v_field(*(30 * receding)) == pytest.approx(9.0, rel=1e-14)
    assert cluster.v_field(*(60 * receding)) == pytest.approx(3 + 6 * 0.8, rel=1e-14)
    axis = np.array([-receding[1], receding[0]])
    assert cluster.v_field(*(30 * axis)) == pytest.approx(3.0, abs=1e-13)
    assert cluster.sigma_field(0, 0) == 12
    assert cluster.sigma_field(50, 0) == pytest.approx(12 / 2**0.25)
    assert cluster.skewness_field(*(30 * receding)) == pytest.approx(
        -0.5 * 6 / cluster.sigma_field(*(30 * receding))
    )
    angles = np.linspace(0, 2 * np.pi, 361)
    x, y = 30 * np.sin(angles), 30 * np.cos(angles)
    assert np.rad2deg(angles[np.argmax(cluster.v_field(x, y))]) == pytest.approx(40)
    assert cluster.v_field(x.reshape(19, 19), y.reshape(19, 19)).shape == (19, 19)


def test_bin_truth_against_many_stars_on_the_same_positions():
    """Re-drawing velocities at fixed positions: bin moments agree within their Monte Carlo error."""
    rng = np.random.default_rng(8)
    cluster = rotating_cluster(600, v_rot=7.0, skewness_slope=0.7, seed=3)
    ids = np.digitize(cluster.x, [-60.0, 0.0, 60.0])
    truth = cluster.bin_truth(ids)
    for i in range(4):
        members = np.flatnonzero(ids == i)
        draws = np.concatenate(
            [cluster.losvd_at(cluster.x[k], cluster.y[k]).sample(500, rng) for k in members]
        )
        z = (draws - truth["v_mean"][i]) / truth["sigma"][i]
        n = z.size
        assert truth["n_stars"][i] == members.size
        # Standard errors from the sample itself; 16 comparisons, 4 of them.
        for power, expected in ((1, 0.0), (2, 1.0), (3, truth["skewness"][i]), (4, truth["kurtosis"][i] + 3)):
            assert abs((z**power).mean() - expected) < 4 * (z**power).std() / np.sqrt(n)


def test_bin_truth_is_the_mixture_of_the_bin():
    cluster = rotating_cluster(300, seed=5)
    ids = np.digitize(cluster.y, [0.0, 50.0]) - 1
    truth = cluster.bin_truth(ids, n_bins=4)
    for i in (0, 1):
        mixture = cluster.bin_losvd(ids, i)
        assert len(mixture.components) == truth["n_stars"][i]
        got = [truth[name][i] for name in ("v_mean", "sigma", "skewness", "kurtosis")]
        assert got == pytest.approx([mixture.mean, mixture.std, mixture.skewness, mixture.kurtosis], rel=1e-9)
    np.testing.assert_array_equal(truth["n_stars"][2:], 0)
    assert all(np.isnan(truth[name][2:]).all() for name in ("v_mean", "sigma", "skewness", "kurtosis"))
    assert truth["n_stars"].sum() == (ids >= 0).sum()
    assert cluster.bin_truth(ids)["sigma"].shape == (2,)


def test_bin_dispersion_includes_the_spread_of_means(large):
    ids = np.zeros(large.n_stars, dtype=int)
    truth = large.bin_truth(ids)
    means, sigmas = large.v_field(large.x, large.y), large.sigma_field(large.x, large.y)
    assert truth["sigma"][0] ** 2 == pytest.approx((sigmas**2).mean() + means.var(), rel=1e-12)
    assert truth["v_mean"][0] == pytest.approx(means.mean(), rel=1e-12)


def test_no_rotation_no_skewness_is_gaussian():
    cluster = rotating_cluster(20_000, v_rot=0.0, seed=2)
    assert np.all(cluster.v_field(cluster.x, cluster.y) == 0)
    assert np.all(cluster.skewness_field(cluster.x, cluster.y) == 0)
    z = cluster.v_true_stars / cluster.sigma_field(cluster.x, cluster.y)
    assert stats.kstest(z, "norm").statistic < stats.kstwo.isf(1e-4, z.size)
    assert cluster.losvd_at(30, 40).skewness == 0


def test_seed_and_read_only():
    one, two, other = (rotating_cluster(100, seed=seed) for seed in (4, np.random.default_rng(4), 5))
    for name in ("x", "y", "vel", "err", "v_true_stars"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
        assert getattr(one, name).shape == (one.n_stars,)
    assert one.n_stars != other.n_stars or not np.array_equal(one.vel, other.vel)
    with pytest.raises(ValueError, match="read-only"):
        one.vel[0] = 0
    with pytest.raises(FrozenInstanceError):
        one.sigma0 = 3.0


def test_units():
    plain = rotating_cluster(
        50, scale_radius=60, sigma0=10, v_rot=5, position_angle=45, r_max=120, err=(0.5, 2), seed=1
    )
    speed = u.km / u.s
    quantities = rotating_cluster(
        50,
        scale_radius=1 * u.arcmin,
        sigma0=10_000 * u.m / u.s,
        v_rot=5 * speed,
        position_angle=np.pi / 4 * u.rad,
        r_max=2 * u.arcmin,
        err=(0.5 * speed, 2 * speed),
        seed=1,
    )
    np.testing.assert_allclose(quantities.vel, plain.vel, rtol=1e-12)
    assert plain.v_field(1 * u.arcmin, 0) == plain.v_field(60, 0)


def test_skewness_limit_is_where_the_field_reaches_it():
    """The closed-form maximum of V/sigma against a search, via the slope that is just refused."""
    cluster = rotating_cluster(5, r_rot=90.0, position_angle=90.0, skewness_slope=0.1, seed=0)
    radii = np.linspace(0, 2000, 200_001)
    strongest = np.abs(cluster.skewness_field(radii, 0)).max() / 0.1
    rotating_cluster(5, r_rot=90.0, skewness_slope=0.9949 / strongest, seed=0)
    rotating_cluster(5, r_rot=90.0, skewness_slope=-0.9949 / strongest, seed=0)
    with pytest.raises(ValueError, match="makes the skewness reach"):
        rotating_cluster(5, r_rot=90.0, skewness_slope=0.9951 / strongest, seed=0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_stars": 0}, ValueError, "n_stars must be at least 1"),
        ({"n_stars": 10.5}, TypeError, "n_stars must be an integer"),
        ({"scale_radius": 0.0}, ValueError, "scale_radius must be positive"),
        ({"scale_radius": 3 * u.km / u.s}, ValueError, "scale_radius has unit"),
        ({"sigma0": -1.0}, ValueError, "sigma0 must be positive"),
        ({"v_rot": -5.0}, ValueError, "turn position_angle by 180"),
        ({"r_rot": 0.0}, ValueError, "r_rot must be positive"),
        ({"r_max": np.inf}, ValueError, "r_max must be finite"),
        ({"position_angle": np.nan}, ValueError, "position_angle must be finite"),
        ({"v_systemic": "fast"}, TypeError, "v_systemic must be a single number"),
        ({"err": (4.0, 0.5)}, ValueError, "reversed"),
        ({"err": -1.0}, ValueError, "err must be positive"),
        ({"skewness_slope": 3.0}, ValueError, "smaller skewness_slope"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        rotating_cluster(**{"seed": 1} | arguments)


def test_bad_positions_and_bins():
    cluster = rotating_cluster(20, seed=1)
    ids = np.zeros(cluster.n_stars, dtype=int)
    with pytest.raises(ValueError, match="x has 1 of 2 values"):
        cluster.v_field([0.0, np.nan], [0.0, 1.0])
    with pytest.raises(ValueError, match="bin_ids has shape"):
        cluster.bin_truth(ids[1:])
    with pytest.raises(TypeError, match="bin_ids must hold integers"):
        cluster.bin_truth(ids + 0.5)
    with pytest.raises(ValueError, match="bin_ids goes up to 7"):
        cluster.bin_truth(ids + 7, n_bins=7)
    with pytest.raises(ValueError, match="bin_id 3 holds no star"):
        cluster.bin_losvd(ids, 3)
