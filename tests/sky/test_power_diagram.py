"""Cells and borders of power diagrams, and weights that equalise counts, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from veldist.sky.balance import equalise, weight_steps
from veldist.sky.equal_counts import equal_count_diagram, equal_count_split
from veldist.sky.power_diagram import adjacent_cells, margins, nearest_site, power_distance


def diagram(seed: int, n_sites: int, n_points: int):
    """Draw points, and sites with weights large enough to matter but too small to hide many cells."""
    rng = np.random.default_rng(seed)
    points, sites = rng.uniform(size=(n_points, 2)), rng.uniform(size=(n_sites, 2))
    return points, sites, rng.uniform(0, 0.3 / n_sites, n_sites)


def brute_force(points, sites, weights):
    """Compute the power distances of all points to all sites."""
    return ((points[:, None] - sites) ** 2).sum(axis=2) - weights


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32), n_sites=st.integers(1, 40), offset=st.sampled_from([0.0, 1e5]))
def test_nearest_site_is_the_smallest_power_distance(seed, n_sites, offset):
    points, sites, weights = diagram(seed, n_sites, 300)
    cell = nearest_site(points + offset, sites + offset, weights + offset)
    distance = brute_force(points, sites, weights)
    np.testing.assert_allclose(distance[np.arange(300), cell], distance.min(axis=1), atol=1e-9)
    np.testing.assert_allclose(power_distance(points, sites, weights, cell), distance.min(axis=1), atol=1e-12)


def test_blocks_of_points_are_all_filled():
    points, sites, weights = diagram(1, 50, 10_000)
    np.testing.assert_array_equal(
        nearest_site(points, sites, weights), brute_force(points, sites, weights).argmin(axis=1)
    )


@pytest.mark.parametrize("n_sites", [2, 6, 7, 30])
def test_neighbouring_positions_lie_in_adjacent_cells(n_sites):
    _, sites, weights = diagram(2, n_sites, 1)
    line = np.linspace(0, 1, 400)
    grid = np.stack(np.meshgrid(line, line), axis=-1)
    cell = nearest_site(grid.reshape(-1, 2), sites, weights).reshape(400, 400)
    i, j = adjacent_cells(sites, weights)
    listed = set(zip(i.tolist(), j.tolist(), strict=True))
    across = zip(cell[:, :-1].ravel(), cell[:, 1:].ravel(), strict=True)
    seen = {(int(a), int(b)) for a, b in across if a != b}
    assert seen <= listed
    assert {(b, a) for a, b in listed} == listed


@pytest.mark.parametrize("direction", [(1.0, 0.0), (0.6, 0.8)])
def test_sites_on_a_line_have_their_neighbours(direction):
    place = np.sort(np.random.default_rng(3).uniform(size=12))
    i, j = adjacent_cells(place[:, None] * direction, np.zeros(12))
    assert {(k, k + 1) for k in range(11)} <= set(zip(i.tolist(), j.tolist(), strict=True))


def test_margins_are_differences_of_power_distance():
    points, sites, weights = diagram(4, 20, 500)
    cell = nearest_site(points, sites, weights)
    i, j = adjacent_cells(sites, weights)
    distance = brute_force(points, sites, weights)
    for k, (rows, values) in enumerate(margins(points, sites, weights, cell, (i, j))):
        np.testing.assert_array_equal(np.sort(rows), np.flatnonzero(cell == k))
        for b, value in zip(j[i == k], values, strict=True):
            np.testing.assert_allclose(value, distance[rows, b] - distance[rows, k], atol=1e-12)


@settings(deadline=None, max_examples=30)
@given(n_points=st.integers(1, 300), data=st.data())
def test_split_has_equal_groups(n_points, data):
    n_cells = data.draw(st.integers(1, n_points))
    points = np.random.default_rng(n_points).normal(size=(n_points, 2))
    counts = np.bincount(equal_count_split(points, n_cells), minlength=n_cells)
    # Each cut rounds once: no group is off by more than the sum of 1/2, 1/4, ... each way.
    assert counts.min() >= max(1, n_points // n_cells - 1)
    assert counts.max() <= -(-n_points // n_cells) + 1


@pytest.mark.parametrize("n_sites", [8, 40])
@pytest.mark.parametrize("seed", range(5))
def test_passing_points_solves_the_transport_problem(seed, n_sites):
    """Cells of prescribed counts are the cheapest assignment to sites of that capacity.

    The points are in clumps of very different size, so that weights must change far beyond the borders that
    the cells have at first.
    """
    rng = np.random.default_rng(seed)
    clump = rng.integers(0, 8, 120)
    points = rng.uniform(0, 10, (8, 2))[clump] + 10 ** rng.uniform(-2.5, 0, (8, 1))[clump] * rng.normal(
        size=(120, 2)
    )
    sites = points[rng.choice(120, n_sites, replace=False)]
    start = np.zeros(n_sites)
    same, weights, cell = equalise(points, sites, start, n_rounds=2)
    np.testing.assert_array_equal(same, sites)
    capacity = 120 // n_sites
    cost = brute_force(points, sites, start)
    slots = np.repeat(cost, capacity, axis=1)
    row, column = linear_sum_assignment(slots)
    np.testing.assert_array_equal(np.bincount(cell), capacity)
    np.testing.assert_allclose(cost[np.arange(120), cell].sum(), slots[row, column].sum(), rtol=1e-9)
    # The weights are dual variables: no point would rather be elsewhere.
    distance = cost - weights
    np.testing.assert_allclose(distance[np.arange(120), cell], distance.min(axis=1), atol=1e-9)


def test_weights_follow_sites_that_move_together():
    """A common shift of all sites has weights that leave the diagram as it was."""
    points, sites, _ = diagram(5, 25, 5000)
    weights = np.zeros(25)
    cell = nearest_site(points, sites, weights)
    borders = adjacent_cells(sites, weights)
    shift = np.array([0.05, -0.02])
    keep, _ = weight_steps(points, sites + shift, weights, cell, borders)
    expected = 2 * sites @ shift
    # Points know a border only to the distance between their margins, 2 |s_i - s_j| / (density * length).
    gap = 2 * 0.2 / (5000 * 0.1)
    np.testing.assert_allclose(keep - keep.mean(), expected - expected.mean(), atol=4 * gap)
    assert np.mean(nearest_site(points, sites + shift, weights) != cell) > 0.1
    assert np.mean(nearest_site(points, sites + shift, weights + keep) != cell) < 0.01


def test_cells_are_nearly_as_compact_as_hexagons():
    """Cells of area A have a mean squared radius of 5 A / (18 sqrt 3) or more, that of a hexagon.

    Squares have A / 6, and the recursive split that the cells start from about A / 5.5. Cells at the rim
    have a straight side and are left out.
    """
    n_cells = 80
    points = np.random.default_rng(6).uniform(size=(16_000, 2))
    sites, weights = equal_count_diagram(points, n_cells, 30)
    cell = nearest_site(points, sites, weights)
    means = np.array([points[cell == k].mean(axis=0) for k in range(n_cells)])
    inner = np.all(np.abs(means - 0.5) < 0.35, axis=1)[cell]
    squared = ((points - means[cell]) ** 2).sum(axis=1)[inner].mean() * n_cells
    # The squared radius scatters by about 0.6 of its mean from point to point.
    error = 0.6 / np.sqrt(inner.sum())
    assert 5 / (18 * np.sqrt(3)) * (1 - 3 * error) < squared < 1 / 6
