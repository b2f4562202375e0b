"""Polynomials in two variables against their values."""

from __future__ import annotations

import numpy as np
import pytest

from veldist.summaries.gauss_hermite.polynomials import (
    derivatives,
    monomials,
    powers,
    product_places,
    solve,
)

N = 5


def _points(seed=1):
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (2, N))


def _coefficients(degree, seed=2):
    return np.random.default_rng(seed).normal(size=(len(powers(degree)), N))


def _value(coefficients, x, y, degree):
    return np.einsum("mn,mn->n", coefficients, monomials(x, y, degree))


def test_monomials_come_by_degree():
    x, y = _points()
    for degree in range(5):
        assert sorted(powers(degree), key=sum) == list(powers(degree))
        assert powers(4)[: len(powers(degree))] == powers(degree)
        np.testing.assert_allclose(monomials(x, y, degree), [x**i * y**j for i, j in powers(degree)])


def test_products_of_monomials_are_where_they_are_said_to_be():
    for i, places in enumerate(product_places(4)):
        for j, place in enumerate(places):
            assert powers(4)[place] == tuple(np.add(powers(4)[i], powers(4)[j]))
    # Nothing is left out: as many as have no higher degree.
    assert [len(places) for places in product_places(2)] == [6, 3, 3, 1, 1, 1]


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_derivatives_equal_finite_differences(degree):
    coefficients, (x, y), eps = _coefficients(degree), _points(), 1e-4

    def at(dx, dy):
        return _value(coefficients, x + dx, y + dy, degree)

    found = [
        np.einsum("mn,mn->n", d, monomials(x, y, degree)[: len(d)]) for d in derivatives(coefficients, degree)
    ]
    e0, e1 = (eps, 0.0), (0.0, eps)
    for k, (i, j) in enumerate((e0, e1)):
        np.testing.assert_allclose(found[k], (at(i, j) - at(-i, -j)) / (2 * eps), atol=1e-6)
        np.testing.assert_allclose(
            found[2 + 2 * k], (at(i, j) - 2 * at(0, 0) + at(-i, -j)) / eps**2, atol=1e-5
        )
    cross = (at(eps, eps) - at(eps, -eps) - at(-eps, eps) + at(-eps, -eps)) / (4 * eps**2)
    np.testing.assert_allclose(found[3], cross, atol=1e-5)


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("n", [4, 100])
@pytest.mark.parametrize("shared", [True, False])
def test_solution_times_matrix_is_the_right_hand_side_up_to_the_degree(size, n, shared):
    """What is left is of the next degree: it falls with the fifth power of the distance."""
    rng, degree = np.random.default_rng(3), 4
    matrix = rng.normal(size=(n, size, len(powers(degree)), size))
    matrix[:, :, 0] = matrix[:, :, 0] @ matrix[:, :, 0].transpose(0, 2, 1) + np.eye(size)
    right = rng.normal(size=(size, len(powers(degree)), 2) if shared else (n, size, len(powers(degree)), 2))
    found = solve(matrix, right, degree)
    left = []
    for distance in (0.02, 0.01):
        values = monomials(np.array([0.6 * distance]), np.array([0.8 * distance]), degree)[:, 0]
        product = np.einsum("m,nimj->nij", values, matrix) @ np.einsum("m,nmjk->njk", values, found)
        left.append(np.abs(product - np.einsum("m,...imk->...ik", values, right)).max())
    assert left[0] < 1e-3
    assert left[1] < left[0] / 2**4.5
