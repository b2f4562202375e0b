"""Spatial bins of equal expected numbers of members."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.mixed import mixed_stars
from veldist.sky import bin_stars


def test_bins_hold_equal_expected_numbers_of_members():
    stars = mixed_stars(3000, 0.4)
    bins = bin_stars(stars.x, stars.y, 100, weights=stars.probability)
    expected = np.bincount(bins.bin_ids, stars.probability)
    assert bins.n_bins == round(stars.probability.sum() / 100)
    assert np.abs(expected - expected.mean()).max() < 5.0
    np.testing.assert_array_equal(bins.counts, np.bincount(bins.bin_ids))
    assert np.ptp(bins.counts) > 50
    # Where a bin is, its members say.
    mean = np.bincount(bins.bin_ids, stars.probability * stars.x) / expected
    np.testing.assert_allclose(bins.x_bin, mean)


def test_equal_weights_of_one_change_nothing():
    stars = mixed_stars(400, 0.5)
    plain = bin_stars(stars.x, stars.y, 50)
    weighted = bin_stars(stars.x, stars.y, 50, weights=np.ones(400))
    np.testing.assert_array_equal(weighted.bin_ids, plain.bin_ids)
    np.testing.assert_array_equal(weighted.counts, plain.counts)


def test_stars_of_a_bin_are_listed():
    stars = mixed_stars(200, 0.5)
    bins = bin_stars(stars.x, stars.y, 50)
    for k, rows in enumerate(bins.stars()):
        np.testing.assert_array_equal(rows, np.flatnonzero(bins.bin_ids == k))


def test_less_than_a_member_is_one_bin():
    bins = bin_stars([0.0, 1.0, 2.0], [0.0, 0.0, 1.0], 10, weights=[0.1, 0.2, 0.0])
    assert bins.counts.tolist() == [3]
    assert bins.x_bin[0] == pytest.approx(2.0 / 3.0)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([0.5, 0.5], "weights has 2 values for 3 stars"),
        ([0.5, 1.5, -1.0], "2 of 3 values .*outside 0 to 1"),
        ([0.5, np.nan, 1.0], "outside 0 to 1"),
        ([0.0, 0.0, 0.0], "no members"),
    ],
)
def test_weights_that_are_no_probabilities_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        bin_stars([0.0, 1.0, 2.0], [0.0, 0.0, 1.0], 2, weights=weights)
