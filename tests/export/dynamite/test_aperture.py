"""Aperture and bin map from stars: what every pixel and every bin is promised."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u
from hypothesis import given, settings
from hypothesis import strategies as st

from veldist.export.dynamite.aperture import aperture_and_bins
from veldist.sky.binning import bin_stars


def field(seed, n=400, axes=(60.0, 25.0)):
    return np.random.default_rng(seed).normal(size=(n, 2)) * axes


def pixel_of(aperture):
    """Row and column of the stars' pixels."""
    g = aperture.grid
    column = np.clip(np.floor((aperture.x - g.x_start) / g.dx).astype(int), 0, g.nx - 1)
    row = np.clip(np.floor((aperture.y - g.y_start) / g.dy).astype(int), 0, g.ny - 1)
    return row, column


def assert_sound(aperture, labels):
    """Stars are in the grid and in bins; every bin owns a pixel; crowded pixels go to the majority."""
    g, ids = aperture.grid, aperture.pixel_ids
    assert ids.shape == (g.ny, g.nx)
    slack = 1e-9 * (g.x_size + g.y_size)
    assert np.all((aperture.x >= g.x_start - slack) & (aperture.x <= g.x_start + g.x_size + slack))
    assert np.all((aperture.y >= g.y_start - slack) & (aperture.y <= g.y_start + g.y_size + slack))
    row, column = pixel_of(aperture)
    assert np.all(ids[row, column] > 0)
    assert set(np.unique(ids[ids > 0])) == set(range(1, aperture.n_bins + 1))
    np.testing.assert_array_equal(aperture.n_stars, np.bincount(labels, minlength=aperture.n_bins))
    assert g.dx == pytest.approx(g.dy)
    # By counting: the owner has the most stars, unless the pixel is the only one of its owner's.
    for r, c in {(int(r), int(c)) for r, c in zip(row, column, strict=True)}:
        counts = np.bincount(labels[(row == r) & (column == c)], minlength=aperture.n_bins)
        owner = ids[r, c] - 1
        assert counts[owner] == counts.max() or np.count_nonzero(ids == owner + 1) == 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(5, 300), st.integers(1, 25), st.floats(0.05, 1.0))
def test_any_assignment_is_represented(seed, n, n_bins, flattening):
    rng = np.random.default_rng(seed)
    x, y = field(seed, n, (50.0, 50.0 * flattening)).T
    # Compact bins and, as the hardest case, labels without any order on the sky.
    n_bins = min(n_bins, n)
    labels = np.argsort(np.argsort(x)) * n_bins // n if seed % 2 else rng.permutation(np.arange(n) % n_bins)
    assert_sound(aperture_and_bins(x, y, labels), labels)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 30))
def test_generators_make_voronoi_bins(seed, n_bins):
    x, y = field(seed).T
    rng = np.random.default_rng(seed)
    sites = np.column_stack([x, y])[rng.choice(x.size, n_bins, replace=False)]
    aperture = aperture_and_bins(x, y, xbin=sites[:, 0], ybin=sites[:, 1])
    nearest = np.argmin(((np.column_stack([x, y])[:, None] - sites) ** 2).sum(axis=2), axis=1)
    assert_sound(aperture, nearest)
    # Pixels without stars belong to the nearest generator, if to any.
    xx, yy = aperture.grid.centers()
    row, column = pixel_of(aperture)
    empty = aperture.pixel_ids > 0
    empty[row, column] = False
    distance = (xx[empty][:, None] - sites[:, 0]) ** 2 + (yy[empty][:, None] - sites[:, 1]) ** 2
    np.testing.assert_array_equal(aperture.pixel_ids[empty], np.argmin(distance, axis=1) + 1)


def test_bins_of_equal_counts_are_represented():
    x, y = field(3, 2000).T
    bins = bin_stars(x, y, 100)
    aperture = aperture_and_bins(x, y, bins=bins)
    assert_sound(aperture, bins.bin_ids)
    np.testing.assert_allclose(aperture.x_bin, bins.x_bin)
    # Most pixels are where the power diagram has them.
    xx, yy = aperture.grid.centers()
    inside = aperture.pixel_ids > 0
    assert np.mean(bins.assign(xx[inside], yy[inside]) + 1 == aperture.pixel_ids[inside]) > 0.97
    # Every bin has several pixels.
    assert np.bincount(aperture.pixel_ids.ravel())[1:].min() >= 4


@pytest.mark.parametrize("angle", [30.0, -75.0, 130.0 * u.deg])
def test_aligned_maps_do_not_depend_on_how_the_field_was_turned(angle):
    """Stars of a galaxy whose major axis is x, turned so that the angle from the axis to x is as given."""
    x, y = field(4).T
    labels = (x > 0).astype(int) + 2 * (y > 0)
    straight = aperture_and_bins(x, y, labels)
    turn = -np.radians(u.Quantity(angle, "deg").value)
    turned = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
    aligned = aperture_and_bins(*turned, labels, angle_deg=angle, align=True)
    assert aligned.grid.angle_deg == 0.0
    for name in ("x_start", "y_start", "x_size", "y_size"):
        assert getattr(aligned.grid, name) == pytest.approx(getattr(straight.grid, name))
    np.testing.assert_allclose(aligned.x, x, atol=1e-9)
    # Pixel centres on a border may fall to either side.
    assert np.mean(aligned.pixel_ids != straight.pixel_ids) < 0.002
    # Not aligned, the positions stay and the angle is handed on.
    kept = aperture_and_bins(*turned, labels, angle_deg=angle)
    assert kept.grid.angle_deg == u.Quantity(angle, "deg").value
    np.testing.assert_array_equal(kept.x, turned[0])


def test_turned_generators_go_with_the_stars():
    x, y = field(5).T
    sites = np.array([[-40.0, 0.0], [40.0, 0.0], [0.0, 20.0]])
    straight = aperture_and_bins(x, y, xbin=sites[:, 0], ybin=sites[:, 1])
    # A quarter turn is exact: the major axis along y, so that the angle from it to x is -90 degrees.
    aligned = aperture_and_bins(-y, x, xbin=-sites[:, 1], ybin=sites[:, 0], angle_deg=-90.0, align=True)
    assert np.mean(aligned.pixel_ids != straight.pixel_ids) < 0.002
    np.testing.assert_array_equal(aligned.n_stars, straight.n_stars)


def test_size_and_extent_can_be_given():
    x, y = field(6).T
    labels = (x > 0).astype(int)
    extent = (-300.0, 300.0, -150.0, 150.0)
    aperture = aperture_and_bins(x, y, labels, pixel_size=0.25 * u.arcmin, extent=extent)
    grid = aperture.grid
    assert (grid.nx, grid.ny) == (40, 20)
    assert (grid.x_start, grid.x_size, grid.y_start, grid.y_size) == (-300.0, 600.0, -150.0, 300.0)
    assert_sound(aperture, labels)
    loose = aperture_and_bins(x, y, labels, pixel_size=7.0)
    assert loose.grid.dx == pytest.approx(7.0)
    assert_sound(loose, labels)
    outside = int(np.sum(np.abs(x) > 20))
    with pytest.raises(ValueError, match=f"{outside} of 400 values .* outside extent"):
        aperture_and_bins(x, y, labels, extent=(-20.0, 20.0, -200.0, 200.0))
    with pytest.raises(ValueError, match="extent must be"):
        aperture_and_bins(x, y, labels, extent=(20.0, -20.0, -200.0, 200.0))
    with pytest.raises(ValueError, match="above max_pixels"):
        aperture_and_bins(x, y, labels, pixel_size=0.01)


def test_a_bin_that_is_outnumbered_everywhere_gets_a_pixel():
    """One star of bin 1 among many of bin 0, which has other pixels."""
    x = np.array([0.0, 0.1, 0.2, 0.15, 10.0, 10.1, 20.0])
    labels = np.array([0, 0, 0, 1, 0, 0, 0])
    aperture = aperture_and_bins(x, np.zeros(7), labels, pixel_size=5.0)
    assert_sound(aperture, labels)
    assert np.count_nonzero(aperture.pixel_ids == 2) == 1


def test_bins_that_cannot_be_told_apart_are_refused():
    with pytest.raises(ValueError, match="2 of 3 bins can own no pixel of 50 arcsec"):
        aperture_and_bins(
            [0.0, 1.0, 2.0], [0.0, 0.0, 0.0], [0, 1, 2], extent=(-25, 25, -25, 25), pixel_size=50
        )
    # Finer pixels tell them apart.
    assert aperture_and_bins([0.0, 1.0, 2.0], [0.0, 0.0, 0.0], [0, 1, 2]).n_bins == 3


def test_stars_in_no_bin_are_left_out():
    x, y = field(7).T
    labels = np.where(np.abs(x) > 100, -1, (x > 0).astype(int))
    far = np.array([1e4]), np.array([0.0])
    with_far = aperture_and_bins(np.append(x, far[0]), np.append(y, far[1]), np.append(labels, -1))
    without = aperture_and_bins(x[labels >= 0], y[labels >= 0], labels[labels >= 0])
    np.testing.assert_array_equal(with_far.pixel_ids, without.pixel_ids)
    assert with_far.x.size == np.sum(labels >= 0)


def test_wrong_descriptions_are_refused():
    x, y = field(8, 10).T
    labels = np.zeros(10, dtype=int)
    for arguments in ({}, {"bin_ids": labels, "xbin": x, "ybin": y}):
        with pytest.raises(ValueError, match="exactly one of"):
            aperture_and_bins(x, y, **arguments)
    with pytest.raises(ValueError, match="together"):
        aperture_and_bins(x, y, xbin=x)
    with pytest.raises(TypeError, match="integers"):
        aperture_and_bins(x, y, labels.astype(float))
    with pytest.raises(ValueError, match="one each"):
        aperture_and_bins(x, y, labels[:5])
    with pytest.raises(ValueError, match="below -1"):
        aperture_and_bins(x, y, labels - 2)
    with pytest.raises(ValueError, match="all are -1"):
        aperture_and_bins(x, y, labels - 1)
    with pytest.raises(ValueError, match=r"no star in 1 bins .*\(1\)"):
        aperture_and_bins(x, y, np.where(np.arange(10) < 5, 0, 2))
    with pytest.raises(ValueError, match="same position"):
        aperture_and_bins(np.zeros(4), np.zeros(4), [0, 0, 1, 1])
    with pytest.raises(TypeError, match="SpatialBins"):
        aperture_and_bins(x, y, bins=3)
    with pytest.raises(ValueError, match="pixel_size"):
        aperture_and_bins(x, y, labels, pixel_size=-1.0)


def test_metadata_is_what_the_export_takes():
    x, y = field(9).T
    aperture = aperture_and_bins(x, y, (x > 0).astype(int))
    metadata = aperture.metadata(psf_sigma=[0.1, 0.5], psf_weight=[0.7, 0.3], bin_flux=[1.0, 2.0])
    assert [entry["bin_flux"] for entry in metadata["bins"]] == [1.0, 2.0]
    assert metadata["bins"][0]["xbin"] == pytest.approx(x[x <= 0].mean())
    assert metadata["psf"] == {"sigma": [0.1, 0.5], "weight": [0.7, 0.3]}
    assert metadata["aperture"]["nx"] == aperture.grid.nx
    with pytest.raises(ValueError, match="bin_flux has shape"):
        aperture.metadata(bin_flux=[1.0])
