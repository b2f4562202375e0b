"""Pixel grids in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import KDTree

from veldist.sky.pixels import PixelGrid, covering_grid, footprint, star_spacing


def test_centers_run_along_x_first():
    grid = PixelGrid(x_start=-3.0, y_start=10.0, x_size=6.0, y_size=4.0, angle_deg=20.0, nx=3, ny=2)
    xx, yy = grid.centers()
    assert (grid.dx, grid.dy) == (2.0, 2.0)
    np.testing.assert_array_equal(xx.ravel(), [-2, 0, 2, -2, 0, 2])
    np.testing.assert_array_equal(yy.ravel(), [11, 11, 11, 13, 13, 13])


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("nx", 0, ValueError),
        ("ny", 2.0, TypeError),
        ("x_size", 0.0, ValueError),
        ("y_size", np.nan, ValueError),
    ],
)
def test_grid_refuses_nonsense(field, value, error):
    fields = {
        "x_start": 0.0,
        "y_start": 0.0,
        "x_size": 1.0,
        "y_size": 1.0,
        "angle_deg": 0.0,
        "nx": 1,
        "ny": 1,
    }
    with pytest.raises(error, match=field):
        PixelGrid(**(fields | {field: value}))


@pytest.mark.parametrize("stretch", [(1.0, 1.0), (7.3, 1.0), (0.01, 1.0), (1.0, 0.0)])
def test_covering_grid_is_square_and_covers(stretch):
    positions = np.random.default_rng(1).uniform(size=(200, 2)) * stretch + 5
    grid = covering_grid(positions, 37, 0.0)
    assert grid.dx == pytest.approx(grid.dy)
    assert max(grid.nx, grid.ny) == 37
    low, high = positions.min(axis=0), positions.max(axis=0)
    np.testing.assert_array_less([grid.x_start, grid.y_start], low)
    np.testing.assert_array_less(high, [grid.x_start + grid.x_size, grid.y_start + grid.y_size])


def test_star_spacing_is_that_of_the_density():
    """k neighbours within r: the mean of pi r^2 / k is the area per star (Gamma distribution of order k)."""
    n = 20_000
    positions = np.random.default_rng(2).uniform(size=(n, 2))
    inner = np.all(np.abs(positions - 0.5) < 0.4, axis=1)
    area = star_spacing(KDTree(positions))[inner] ** 2
    # Each has a relative scatter of 1 / sqrt(10); those ten neighbours apart are independent.
    error = 1 / np.sqrt(10) / np.sqrt(inner.sum() / 10)
    assert np.mean(area) * n == pytest.approx(1.0, abs=5 * error)


def test_footprint_of_a_disk_has_its_area():
    rng = np.random.default_rng(3)
    radius, angle = np.sqrt(rng.uniform(size=4000)), rng.uniform(0, 2 * np.pi, 4000)
    positions = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    grid = covering_grid(positions, 100, 0.0)
    inside = footprint(KDTree(positions), grid, 2.0)
    area = inside.sum() * grid.dx * grid.dy
    # The rim is one pixel wide.
    assert np.pi * 0.98 < area < np.pi * (1 + grid.dx) ** 2


def test_footprint_leaves_out_gaps_and_keeps_the_pixels_of_stars():
    rng = np.random.default_rng(4)
    positions = np.concatenate([rng.uniform(size=(300, 2)), rng.uniform(size=(300, 2)) + [9.0, 0.0]])
    tree = KDTree(positions)
    for n in (4, 20, 150):
        grid = covering_grid(positions, n, 0.0)
        inside = footprint(tree, grid, 2.0)
        column = ((positions[:, 0] - grid.x_start) / grid.dx).astype(int)
        row = ((positions[:, 1] - grid.y_start) / grid.dy).astype(int)
        assert inside[row, column].all()
    xx, _ = grid.centers()
    assert not inside[(xx > 2) & (xx < 8)].any()
