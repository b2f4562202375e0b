"""Voronoi cells within an outline, by brute force and by their areas."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.path import Path

from veldist.sky.voronoi import outline, typical_spacing, voronoi_cells


def area(polygon):
    x, y = polygon.T
    return 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))


def points(n, seed, stretch=1.0):
    return np.random.default_rng(seed).normal(size=(n, 2)) * [stretch, 1.0]


@given(st.integers(3, 40), st.integers(0, 10_000), st.sampled_from([1.0, 30.0, 1e-3]))
def test_cells_fill_the_outline(n, seed, stretch):
    centers = points(n, seed, stretch)
    border = outline(centers, 0.3)
    cells = voronoi_cells(centers, border)
    assert min(map(area, cells)) > 0.0
    assert sum(map(area, cells)) == pytest.approx(area(border.polygon), rel=1e-9)


@given(st.integers(1, 40), st.integers(0, 10_000))
def test_positions_lie_in_the_cell_of_the_nearest_centre(n, seed):
    centers = points(n, seed)
    cells = voronoi_cells(centers, outline(centers, 0.3))
    rng = np.random.default_rng(seed + 1)
    for k, cell in enumerate(cells):
        # Positions within the cell, as mixtures of its corners.
        inside = rng.dirichlet(np.ones(len(cell)), 5) @ cell
        distance = np.hypot(*(inside[:, None] - centers).transpose(2, 0, 1))
        assert np.all(distance[:, k] <= distance.min(axis=1) + 1e-9)


@given(st.integers(3, 30), st.integers(0, 10_000))
def test_cells_move_turn_and_scale_with_their_centres(n, seed):
    centers = points(n, seed)
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    moved = 7.0 * centers @ turn.T + [1000.0, -300.0]
    plain = voronoi_cells(centers, outline(centers, 0.3))
    other = voronoi_cells(moved, outline(moved, 2.1))
    # Rounded corners are polygons whose corners do not turn: 1 - cos(pi/64) of the margin is 4e-4.
    np.testing.assert_allclose([area(c) for c in other], [49.0 * area(c) for c in plain], rtol=3e-2)
    assert sum(map(area, other)) == pytest.approx(49.0 * sum(map(area, plain)), rel=2e-3)


def test_outline_is_the_grown_hull():
    square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0], [1.0, 1.0]])
    border = outline(square, 0.5)
    assert area(border.polygon) == pytest.approx(9.0)
    np.testing.assert_allclose(np.abs(border.polygon - 1.0).max(axis=0), 1.5)


def test_sharp_corners_are_rounded_at_sqrt_two_margins():
    wedge = np.array([[0.0, 0.0], [10.0, 0.5], [10.0, -0.5]])
    border = outline(wedge, 1.0)
    # A mitre would reach 1 / sin(2.86 degrees) = 20 beyond the tip.
    reach = -border.polygon[:, 0].min()
    assert np.sqrt(2.0) <= reach <= np.sqrt(2.0) / np.cos(np.pi / 64)
    assert Path(border.polygon).contains_points(wedge).all()


@pytest.mark.parametrize("angle", [0.0, 0.3, np.pi / 2])
def test_centres_on_a_line_give_squares(angle):
    along = np.array([np.cos(angle), np.sin(angle)])
    centers = np.arange(5)[:, None] * 2.0 * along + [3.0, -1.0]
    cells = voronoi_cells(centers, outline(centers, 1.0))
    np.testing.assert_allclose([area(cell) for cell in cells], 4.0, rtol=1e-3)


def test_one_centre_has_a_square():
    (cell,) = voronoi_cells(np.array([[3.0, 4.0]]), outline(np.array([[3.0, 4.0]]), 2.0))
    assert area(cell) == pytest.approx(16.0)


def test_typical_spacing_is_that_of_the_rim():
    x, y = np.meshgrid(np.arange(5.0), np.arange(4.0))
    lattice = 3.0 * np.stack([x.ravel(), y.ravel()], axis=1)
    assert typical_spacing(lattice) == pytest.approx(3.0)
    # A dense core does not count.
    core = np.array([6.0, 4.5]) + 0.01 * np.stack([np.cos(np.arange(20.0)), np.sin(np.arange(20.0))], axis=1)
    assert typical_spacing(np.concatenate([lattice, core])) == pytest.approx(3.0)
