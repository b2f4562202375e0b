"""Spatial bins: equal counts for every kind of field, and their pixel map."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st

from veldist.sky.binning import SpatialBins, bin_stars, pixelize


def plummer(rng, n):
    """Project a Plummer sphere of unit scale radius: the mass within R is R^2 / (1 + R^2)."""
    fraction, angle = rng.uniform(size=n), rng.uniform(0, 2 * np.pi, n)
    radius = np.sqrt(fraction / (1 - fraction))
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def clumps(rng, n):
    """Scatter stars around twelve centres, over scales that differ by up to a factor of 300."""
    centre, scale = rng.uniform(0, 10, (12, 2)), 10 ** rng.uniform(-2.5, 0, 12)
    which = rng.integers(0, 12, n)
    return centre[which] + scale[which, None] * rng.normal(size=(n, 2))


FIELDS = {
    "uniform": lambda rng, n: rng.uniform(size=(n, 2)),
    "plummer": plummer,
    "clumps": clumps,
    "elongated": lambda rng, n: rng.normal(size=(n, 2)) * [100, 1],
    "heavy tails": lambda rng, n: rng.standard_cauchy(size=(n, 2)),
    "two fields": lambda rng, n: rng.normal(size=(n, 2)) + 300 * (np.arange(n) < n / 4)[:, None],
    "on a line": lambda rng, n: rng.uniform(size=(n, 1)) * [0.6, 0.8],
    "on a circle": lambda rng, n: circle(n),
    "far from zero": lambda rng, n: rng.normal(size=(n, 2)) + [1e6, -3e5],
}


def circle(n):
    angle = 2 * np.pi * np.arange(n) / n
    return np.column_stack([np.cos(angle), np.sin(angle)])


def check(bins: SpatialBins, positions) -> None:
    """Check what holds for every result: members lie in their cells and the fields agree."""
    n = len(positions)
    assert bins.bin_ids.shape == (n,)
    assert bins.counts.min() > 0
    assert bins.counts.sum() == n
    np.testing.assert_array_equal(np.bincount(bins.bin_ids, minlength=bins.n_bins), bins.counts)
    np.testing.assert_array_equal(bins.assign(*positions.T), bins.bin_ids)
    sites = np.column_stack([bins.x_site, bins.y_site])
    power = ((positions[:, None] - sites) ** 2).sum(axis=2) - bins.weights
    scale = np.ptp(positions, axis=0).max() ** 2
    np.testing.assert_allclose(power[np.arange(n), bins.bin_ids], power.min(axis=1), atol=1e-10 * scale)
    for k in range(bins.n_bins):
        mean = positions[bins.bin_ids == k].mean(axis=0)
        np.testing.assert_allclose([bins.x_bin[k], bins.y_bin[k]], mean, atol=1e-9 * np.sqrt(scale))


@pytest.mark.parametrize("field", ["uniform", "plummer"])
def test_twenty_thousand_stars(field):
    positions = FIELDS[field](np.random.default_rng(1), 20_000)
    bins = bin_stars(*positions.T, 200)
    assert bins.n_bins == 100
    check(bins, positions)
    np.testing.assert_array_equal(bins.counts, 200)


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(("n_stars", "stars_per_bin"), [(100, 30), (400, 7), (1000, 40)])
def test_counts_are_equal_in_any_field(field, n_stars, stars_per_bin):
    positions = FIELDS[field](np.random.default_rng(2), n_stars)
    bins = bin_stars(*positions.T, stars_per_bin)
    assert bins.n_bins == round(n_stars / stars_per_bin)
    check(bins, positions)
    assert np.ptp(bins.counts) <= 1


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32), n_stars=st.integers(1, 120), stars_per_bin=st.integers(1, 40))
def test_small_catalogues(seed, n_stars, stars_per_bin):
    positions = plummer(np.random.default_rng(seed), n_stars)
    bins = bin_stars(*positions.T, stars_per_bin)
    assert bins.n_bins == max(1, round(n_stars / stars_per_bin))
    check(bins, positions)
    assert np.ptp(bins.counts) <= 1


@pytest.mark.parametrize("max_iter", [0, 1, 4])
def test_counts_do_not_depend_on_the_number_of_steps(max_iter):
    positions = plummer(np.random.default_rng(3), 2000)
    assert np.ptp(bin_stars(*positions.T, 55, max_iter=max_iter).counts) <= 1


def test_few_stars_make_one_bin():
    positions = np.random.default_rng(4).normal(size=(20, 2))
    bins = bin_stars(*positions.T, 50)
    assert bins.n_bins == 1
    np.testing.assert_array_equal(bins.bin_ids, 0)
    np.testing.assert_array_equal(bins.assign([1e6, -1e6], [0.0, 0.0]), 0)
    np.testing.assert_allclose([bins.x_bin[0], bins.y_bin[0]], positions.mean(axis=0))


def test_one_star():
    bins = bin_stars([3.0], [4.0], 1)
    assert (bins.n_bins, bins.x_bin[0], bins.y_bin[0]) == (1, 3.0, 4.0)


@pytest.mark.parametrize(("side", "stars_per_bin", "max_iter"), [(20, 16, 30), (30, 25, 0), (30, 50, 30)])
def test_lattice_of_positions(side, stars_per_bin, max_iter):
    """Whole rows of a lattice have the same power distance to two sites until the borders are tilted."""
    line = np.arange(float(side))
    positions = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    bins = bin_stars(*positions.T, stars_per_bin, max_iter=max_iter)
    check(bins, positions)
    assert np.ptp(bins.counts) <= 1


def test_repeated_positions_stay_together():
    once = np.random.default_rng(5).normal(size=(500, 2))
    positions = np.concatenate([once, once[::-1]])
    bins = bin_stars(*positions.T, 50)
    check(bins, positions)
    np.testing.assert_array_equal(bins.bin_ids[:500], bins.bin_ids[500:][::-1])
    # Pairs fill bins of 50 exactly but for cuts through pairs, at most one between two bins.
    assert bins.n_bins == 20
    assert np.abs(bins.counts - 50).max() <= 4


def test_a_pile_of_stars_is_reported():
    rng = np.random.default_rng(6)
    positions = np.concatenate([np.zeros((100, 2)), rng.normal(size=(100, 2))])
    with pytest.warns(UserWarning, match=r"instead of 7 bins of 28\.6: stars at the same position"):
        bins = bin_stars(*positions.T, 29)
    check(bins, positions)
    assert len(np.unique(bins.bin_ids[:100])) == 1


def test_identical_stars_are_one_bin():
    with pytest.warns(UserWarning, match="1 bins of 90 to 90 stars instead of 3"):
        bins = bin_stars(np.ones(90), np.ones(90), 30)
    assert bins.n_bins == 1


def test_same_input_gives_the_same_bits():
    positions = clumps(np.random.default_rng(7), 800)
    first, second = bin_stars(*positions.T, 30), bin_stars(*positions.T, 30)
    for name in ("x_site", "y_site", "weights", "x_bin", "y_bin", "bin_ids", "counts"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_units_only_scale_the_bins():
    """Powers of two are exact: the same bins in any unit. Astropy's units agree with plain numbers."""
    positions = plummer(np.random.default_rng(8), 600)
    bins, scaled = bin_stars(*positions.T, 40), bin_stars(*(64 * positions.T), 40)
    np.testing.assert_array_equal(bins.bin_ids, scaled.bin_ids)
    np.testing.assert_allclose(scaled.weights, 64**2 * bins.weights, atol=1e-9 * 64**2)
    x, y = positions.T
    with_units = bin_stars((x / 60) * u.arcmin, y * u.arcsec, 40)
    plain = bin_stars(((x / 60) * u.arcmin).to_value(u.arcsec), y, 40)
    np.testing.assert_array_equal(with_units.bin_ids, plain.bin_ids)
    np.testing.assert_array_equal(plain.assign(x / 60 * u.arcmin, y * u.arcsec), plain.bin_ids)


def test_assign_keeps_shapes():
    positions = plummer(np.random.default_rng(9), 300)
    bins = bin_stars(*positions.T, 50)
    assert bins.assign(0.1, 0.2).shape == ()
    np.testing.assert_array_equal(bins.assign(*positions.T.reshape(2, 15, 20)), bins.bin_ids.reshape(15, 20))


def test_counts_are_logged(caplog):
    with caplog.at_level(logging.INFO, logger="veldist.sky.binning"):
        bin_stars(*plummer(np.random.default_rng(10), 100).T, 30)
    assert "3 bins of 33 to 34 stars (33.3 wanted)" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1.0, 2.0], [1.0], 5), ValueError, "x has 2 values but y has 1"),
        (([1.0, np.nan, 3.0], [1.0, 2.0, 3.0], 5), ValueError, r"x has 1 of 3 values \(row 1: nan\)"),
        (([1.0, 2.0], [1.0, np.inf], 5), ValueError, r"y has 1 of 2 values \(row 1: inf\)"),
        (([1.0], [1.0], 0), ValueError, "stars_per_bin must be at least 1, got 0"),
        (([1.0], [1.0], 2.5), TypeError, "stars_per_bin must be an integer"),
        (([], [], 5), ValueError, "x is empty"),
        (([[1.0]], [[1.0]], 5), ValueError, "x must be one-dimensional"),
        (([1.0] * u.km, [1.0], 5), ValueError, "x has unit 'km'"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        bin_stars(*arguments)


def test_bad_options():
    with pytest.raises(ValueError, match="max_iter must be at least 0"):
        bin_stars([1.0], [1.0], 1, max_iter=-1)
    bins = bin_stars([1.0, 2.0], [1.0, 1.0], 1)
    with pytest.raises(ValueError, match=r"x has shape \(2,\) but y has \(1,\)"):
        bins.assign([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="NaN"):
        bins.assign([1.0, np.nan], [1.0, 1.0])


@pytest.mark.parametrize("field", ["uniform", "plummer", "elongated", "on a line", "far from zero"])
def test_pixel_map(field):
    positions = FIELDS[field](np.random.default_rng(11), 1500)
    bins = bin_stars(*positions.T, 60)
    grid, ids = pixelize(bins, *positions.T, angle_deg=15 * u.deg)
    assert ids.shape == (grid.ny, grid.nx)
    assert grid.angle_deg == 15.0
    np.testing.assert_array_equal(np.unique(ids[ids > 0]), np.arange(bins.n_bins) + 1)
    xx, yy = grid.centers()
    np.testing.assert_array_equal(ids[ids > 0], bins.assign(xx, yy)[ids > 0] + 1)
    column = ((positions[:, 0] - grid.x_start) / grid.dx).astype(int)
    row = ((positions[:, 1] - grid.y_start) / grid.dy).astype(int)
    assert np.all(ids[row, column] > 0)


def test_pixels_are_refined_until_every_bin_has_one(caplog):
    positions = plummer(np.random.default_rng(12), 1000)
    bins = bin_stars(*positions.T, 50)
    with caplog.at_level(logging.INFO, logger="veldist.sky.binning"):
        grid, ids = pixelize(bins, *positions.T, n_pixels=3)
    assert max(grid.nx, grid.ny) > 3
    assert len(np.unique(ids[ids > 0])) == bins.n_bins
    assert f"{grid.nx} x {grid.ny} pixels" in caplog.text
    with pytest.raises(ValueError, match=r"own no pixel even of the finest grid.*raise max_pixels"):
        pixelize(bins, *positions.T, max_pixels=8)


def test_enough_pixels_are_left_alone():
    positions = np.random.default_rng(13).uniform(size=(500, 2))
    grid, _ = pixelize(bin_stars(*positions.T, 50), *positions.T, n_pixels=61)
    assert max(grid.nx, grid.ny) == 61


def test_bins_of_one_star_can_be_mapped():
    positions = np.random.default_rng(14).uniform(size=(15, 2))
    _, ids = pixelize(bin_stars(*positions.T, 1), *positions.T)
    assert set(range(1, 16)) <= set(ids.ravel().tolist())


def test_pixel_map_refuses_nonsense():
    bins = bin_stars([1.0, 2.0], [1.0, 1.0], 1)
    with pytest.raises(ValueError, match="all stars are at the same position"):
        pixelize(bins, [1.0, 1.0], [2.0, 2.0])
    with pytest.raises(ValueError, match="n_pixels is 20, above max_pixels"):
        pixelize(bins, [1.0, 2.0], [1.0, 1.0], n_pixels=20, max_pixels=10)
    with pytest.raises(ValueError, match="n_pixels must be at least 2"):
        pixelize(bins, [1.0, 2.0], [1.0, 1.0], n_pixels=1)
    with pytest.raises(ValueError, match="x has 2 values but y has 1"):
        pixelize(bins, [1.0, 2.0], [1.0])


@pytest.mark.parametrize("shape", ["cluster", "square"])
def test_many_stars_have_equal_counts_in_compact_bins(shape):
    """Of many stars the bins are placed on a sample; their counts are those of all."""
    rng = np.random.default_rng(7)
    n, n_bins = 150_000, 50
    if shape == "square":
        x, y = rng.uniform(-100.0, 100.0, (2, n))
    else:
        # Plummer's surface density (Plummer 1911), cut where one star in a hundred is.
        radius = 50.0 / np.sqrt(rng.uniform(0.01, 1.0, n) ** -1 - 1.0) ** -1
        angle = rng.uniform(0.0, 2.0 * np.pi, n)
        x, y = radius * np.cos(angle), radius * np.sin(angle)
    bins = bin_stars(x, y, n // n_bins)
    assert bins.counts.min() >= n // n_bins - 1
    assert bins.counts.max() <= n // n_bins + 1
    square = (x - bins.x_bin[bins.bin_ids]) ** 2 + (y - bins.y_bin[bins.bin_ids]) ** 2
    rms = np.sqrt(np.bincount(bins.bin_ids, square) / bins.counts)
    if shape == "square":
        # A disc of the same area has radius / sqrt(2), a hexagon 1.4 % more, a square 2.3 %.
        assert np.median(rms) < 1.03 * np.sqrt(200.0**2 / n_bins / np.pi / 2.0)
        assert rms.max() < 1.15 * rms.min()
    assert np.array_equal(bins.assign(x, y), bins.bin_ids)
