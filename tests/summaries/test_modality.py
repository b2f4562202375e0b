"""Counting modes: against a brute-force persistence count, known shapes and noisy draws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from veldist.summaries.modality import count_modes, supported_modes

EDGES = np.linspace(-100.0, 100.0, 81)


def mixture(*components):
    """Masses (1, 80) of a mixture of Gaussians (weight, mean, sigma)."""
    cdf = sum(w * stats.norm.cdf(EDGES, m, s) for w, m, s in components)
    return (np.diff(cdf) / (cdf[-1] - cdf[0]))[None, :]


def persistent_maxima(values, depth):
    """Maxima whose lower-of-two-sides valley is deep enough, by merging superlevel sets from the top."""
    order = np.argsort(-values, kind="stable")
    peak_of = {}
    root = {}

    def find(i):
        while root[i] != i:
            i = root[i]
        return i

    survivors = 0
    for i in order:
        if values[i] == 0:
            break
        root[i], peak_of[i] = i, values[i]
        for j in (i - 1, i + 1):
            if j in root and find(j) != find(i):
                a, b = find(i), find(j)
                low, high = sorted((a, b), key=lambda r: peak_of[r])
                # The lower peak ends at this saddle; it counts if the saddle is deep enough.
                survivors += values[i] <= (1 - depth) * peak_of[low] and values[i] < peak_of[low]
                root[low] = high
    # Peaks that never merge are separated by bins of zero density.
    return survivors + sum(root[i] == i for i in root)


@settings(max_examples=400)
@given(arrays(float, st.integers(1, 25), elements=st.integers(0, 12).map(float)), st.floats(0.05, 0.9))
def test_count_is_the_number_of_persistent_maxima(values, depth):
    expected = max(1, persistent_maxima(values, depth))
    assert count_modes(values[None, :], depth=depth, min_mass=0.0)[0] == expected


@given(arrays(float, (3, 20), elements=st.floats(0.0, 1.0)), st.floats(0.0, 0.2))
def test_count_is_the_same_from_right_to_left(values, min_mass):
    masses = (values + 1e-3) / (values + 1e-3).sum(axis=1, keepdims=True)
    left, right = (count_modes(m, min_mass=min_mass) for m in (masses, masses[:, ::-1]))
    # Equally deep valleys can be taken for either, which moves the mass between them.
    distinct = np.array([np.unique(row).size == row.size for row in masses])
    np.testing.assert_array_equal(left[distinct], right[distinct])


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        ([(1.0, 5.0, 20.0)], 1),
        ([(0.6, -30.0, 12.0), (0.4, 50.0, 15.0)], 2),
        ([(0.4, -50.0, 10.0), (0.3, 0.0, 10.0), (0.3, 50.0, 10.0)], 3),
        # Two equal Gaussians: the valley is 30 % deep at a separation of 2.87 dispersions.
        ([(0.5, -28.0, 20.0), (0.5, 28.0, 20.0)], 1),
        ([(0.5, -30.0, 20.0), (0.5, 30.0, 20.0)], 2),
        # A separate clump counts from 5 % of the mass.
        ([(0.96, 0.0, 12.0), (0.04, 70.0, 6.0)], 1),
        ([(0.92, 0.0, 12.0), (0.08, 70.0, 6.0)], 2),
        # Core and wing of one population.
        ([(0.7, 0.0, 10.0), (0.3, 0.0, 40.0)], 1),
    ],
)
def test_known_shapes(components, expected):
    masses = mixture(*components)
    assert count_modes(masses)[0] == expected
    assert supported_modes(masses, count_modes(masses)) == expected


def test_the_valley_bin_is_shared_by_its_two_modes():
    masses = np.array([[0.9435, 0.008, 0.0485]])
    assert count_modes(masses, min_mass=0.0524)[0] == count_modes(masses[:, ::-1], min_mass=0.0524)[0] == 2
    assert count_modes(masses, min_mass=0.0526)[0] == count_modes(masses[:, ::-1], min_mass=0.0526)[0] == 1


def test_rows_are_counted_independently():
    one, two = mixture((1.0, 0.0, 15.0)), mixture((0.5, -40.0, 10.0), (0.5, 40.0, 10.0))
    np.testing.assert_array_equal(count_modes(np.concatenate([one, two, one])), [1, 2, 1])


def test_narrow_and_flat_histograms_have_one_mode():
    assert count_modes(np.eye(80)[:1])[0] == 1
    assert count_modes(np.full((1, 80), 1 / 80))[0] == 1


@pytest.mark.parametrize("n_bimodal", [50, 51])
def test_more_than_half_of_the_draws_must_be_bimodal(n_bimodal):
    one, two = mixture((1.0, 0.0, 15.0)), mixture((0.5, -40.0, 10.0), (0.5, 40.0, 10.0))
    draws = np.concatenate([np.repeat(one, 100 - n_bimodal, axis=0), np.repeat(two, n_bimodal, axis=0)])
    assert supported_modes(draws, count_modes(draws)) == (2 if n_bimodal > 50 else 1)


def test_bumps_that_wander_from_draw_to_draw_are_not_modes():
    # Every draw has a clump of 15 % on a flank, mostly a second mode, but never at the same velocity.
    rng = np.random.default_rng(3)
    where = np.where(rng.random(400) < 0.5, -1, 1) * rng.uniform(20.0, 70.0, 400)
    draws = np.concatenate([mixture((0.85, 0.0, 25.0), (0.15, v, 4.0)) for v in where])
    assert np.mean(count_modes(draws) == 2) > 0.6
    assert supported_modes(draws, count_modes(draws)) == 1


@pytest.mark.parametrize(
    ("components", "expected"), [([(1.0, 0.0, 25.0)], 1), ([(0.6, -30.0, 12.0), (0.4, 50.0, 15.0)], 2)]
)
def test_draws_that_are_noisy_from_bin_to_bin(components, expected):
    # 30 % of independent noise in every bin: single draws have more peaks than the distribution.
    rng = np.random.default_rng(4)
    draws = mixture(*components) * rng.gamma(11.0, size=(400, 80))
    draws /= draws.sum(axis=1, keepdims=True)
    counts = count_modes(draws)
    assert counts.mean() > expected + 0.5
    assert supported_modes(draws, counts) == expected
