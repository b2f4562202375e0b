"""Bands of the empirical distribution function: by simulation, and by enumeration of all outcomes."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import multinomial

from veldist.calibration.uniformity import (
    band_coverage,
    ecdf_band,
    ecdf_counts,
    ecdf_excursion,
    uniformity_p_value,
)


@pytest.mark.parametrize(("n", "n_points"), [(20, 7), (100, 63), (400, 127)])
@pytest.mark.parametrize("probability", [0.9, 0.99])
def test_bands_have_their_simultaneous_coverage(n, n_points, probability):
    band = ecdf_band(n, n_points, probability)
    assert probability <= band.coverage < probability + (0.02 if n == 20 else 0.005)
    rng = np.random.default_rng(7)
    n_repetitions = 2000
    inside = [ecdf_excursion(rng.random(n), band) <= 1.0 for _ in range(n_repetitions)]
    # Four standard errors.
    error = np.sqrt(band.coverage * (1.0 - band.coverage) / n_repetitions)
    assert abs(np.mean(inside) - band.coverage) < 4.0 * error


def all_outcomes(n, n_points):
    """Every possible set of counts, a sample that has it, and its probability."""
    cells = n_points + 1
    for counts in product(range(n + 1), repeat=cells):
        if sum(counts) == n:
            values = np.repeat((np.arange(cells) + 0.5) / cells, counts)
            yield values, multinomial.pmf(counts, n, np.full(cells, 1 / cells))


def test_coverage_of_a_band_by_enumeration():
    n, n_points = 6, 3
    lower, upper = np.array([0, 2, 2]), np.array([3, 4, 6])
    expected = sum(
        p
        for values, p in all_outcomes(n, n_points)
        if np.all((ecdf_counts(values, n_points) >= lower) & (ecdf_counts(values, n_points) <= upper))
    )
    assert band_coverage(lower, upper, n) == pytest.approx(expected, rel=1e-12)
    assert band_coverage(np.zeros(3, dtype=int), np.full(3, n), n) == pytest.approx(1.0, rel=1e-12)


def test_p_values_and_bands_are_exact_and_agree():
    n, n_points = 5, 3
    outcomes = list(all_outcomes(n, n_points))
    p_values = np.array([uniformity_p_value(values, n_points) for values, _ in outcomes])
    probability = np.array([p for _, p in outcomes])
    for p in np.unique(p_values):
        # A p value is the probability of one at most as large.
        assert probability[p_values <= p + 1e-9].sum() == pytest.approx(p, abs=1e-9)
    band = ecdf_band(n, n_points, 0.9)
    inside = np.array([ecdf_excursion(values, band) <= 1.0 for values, _ in outcomes])
    assert probability[inside].sum() == pytest.approx(band.coverage)
    assert p_values[inside].min() > p_values[~inside].max()


def test_fewer_values_than_points():
    # Where even a single value below is too many, the band's upper limit is 0.
    n_points = 511
    band = ecdf_band(1, n_points)
    assert band.upper[0] == 0.0
    assert band.lower[-1] == 1.0
    cells = (np.arange(n_points + 1) + 0.5) / (n_points + 1)
    inside = np.array([ecdf_excursion(cells[[k]], band) <= 1.0 for k in range(cells.size)])
    assert inside.mean() == pytest.approx(band.coverage)
    # Only the values next to 0 and 1 are outside.
    assert np.all(np.diff(np.flatnonzero(inside)) == 1)
    assert not inside[0]
    assert not inside[-1]
    many = ecdf_band(1, 4095)
    assert ecdf_excursion(np.array([1e-9]), many) > 1.0
    assert ecdf_excursion(np.array([1.0 - 1e-9]), many) > 1.0
    assert ecdf_excursion(np.array([0.3]), many) <= 1.0


def test_bands_are_symmetric_and_narrower_for_more_values():
    few, many = ecdf_band(100, 31), ecdf_band(1000, 31)
    for band in (few, many):
        np.testing.assert_allclose(band.lower, 1.0 - band.upper[::-1], atol=1e-12)
    assert np.all(many.upper - many.lower < few.upper - few.lower)
