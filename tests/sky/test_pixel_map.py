"""Pixel maps of spatial bins: every bin owns pixels, and every pixel that holds stars belongs to one."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from astropy import units as u

from tests.sky.test_binning import FIELDS, plummer
from veldist.sky.binning import bin_stars
from veldist.sky.pixel_map import pixelize


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
    with caplog.at_level(logging.INFO, logger="veldist.sky.pixel_map"):
        grid, ids = pixelize(bins, *positions.T, n_pixels=3)
    assert max(grid.nx, grid.ny) > 3
    assert len(np.unique(ids[ids > 0])) == bins.n_bins
    assert f"{grid.nx} x {grid.ny} pixels" in caplog.text
    with pytest.raises(ValueError, match=r"can own no pixel of .*first is at x = .*raise max_pixels"):
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
