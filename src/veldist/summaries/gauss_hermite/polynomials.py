"""Polynomials in two variables of many draws, and equations whose coefficients are such polynomials.

The monomials 1, x, y, x^2, x y, y^2, ... come by degree, so that those of a lower degree are the first ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import perm

import numpy as np

from veldist._support.arrays import Floats, Ints

__all__ = ["derivatives", "monomials", "powers", "product_places", "solve"]

# So many small matrices are inverted together.
_TOGETHER = 80


@cache
def powers(degree: int) -> Sequence[tuple[int, int]]:
    """Powers of x and y in the monomials up to a degree."""
    return [(total - k, k) for total in range(degree + 1) for k in range(total + 1)]


@cache
def _places(degree: int) -> dict[tuple[int, int], int]:
    return {power: k for k, power in enumerate(powers(degree))}


def monomials(x: Floats, y: Floats, degree: int) -> Floats:
    """Values of the monomials, (n_monomials, n_draws)."""
    values = np.empty((len(powers(degree)), x.size))
    values[0] = 1.0
    start = 0
    for n in range(1, degree + 1):
        stop = start + n
        np.multiply(values[start:stop], x, out=values[stop : stop + n])
        np.multiply(values[stop - 1], y, out=values[stop + n])
        start = stop
    return values


@cache
def product_places(degree: int) -> Sequence[Ints]:
    """For each monomial: places of its products with the first ones, as many as the degree allows."""
    place = _places(degree)
    return [
        np.array([place[i + k, j + m] for k, m in powers(degree - i - j)], dtype=np.int64)
        for i, j in powers(degree)
    ]


@cache
def _quotient_places(degree: int, of: int) -> Ints:
    """What times a lower monomial gives one of a degree: places (monomials of it, lower ones), or -1."""
    place = _places(degree)
    return np.array(
        [[place.get((i - k, j - m), -1) for k, m in powers(of - 1)] for i, j in powers(of)[-of - 1 :]]
    )


@cache
def _derivative_rule(degree: int) -> tuple[Floats, Ints]:
    """From coefficients to those of the derivatives, one below the other, and where all but one start."""
    rows: list[Floats] = []
    starts: list[int] = []
    for dx, dy in ((1, 0), (0, 1), (2, 0), (1, 1), (0, 2)):
        starts.append(len(rows))
        for i, j in powers(degree - dx - dy):
            row = np.zeros(len(powers(degree)))
            row[_places(degree)[i + dx, j + dy]] = perm(i + dx, dx) * perm(j + dy, dy)
            rows.append(row)
    return np.array(rows), np.array(starts[1:])


def derivatives(coefficients: Floats, degree: int) -> list[Floats]:
    """Coefficients of the derivatives by x, y, xx, xy and yy from those of polynomials (n_monomials, n)."""
    rule, starts = _derivative_rule(degree)
    return np.split(rule @ coefficients, starts)


def solve(matrix: Floats, right: Floats, degree: int) -> Floats:
    """Polynomials X up to a degree with ``matrix`` X = ``right`` up to that degree.

    Parameters
    ----------
    matrix : ndarray, shape (n, size, n_monomials, size)
        Coefficients of matrices, symmetric and positive definite at x = y = 0.
    right : ndarray, shape (size, n_monomials, n_columns) or (n, size, n_monomials, n_columns)
        Coefficients of right-hand sides.
    degree : int
        Degree.

    Returns
    -------
    ndarray, shape (n, n_monomials, size, n_columns)
    """
    n, size, n_monomials, _ = matrix.shape
    inverse = _inverse(matrix[:, :, 0])
    # Nothing in the last place, which -1 is.
    scaled = np.zeros((n, size, n_monomials + 1, size))
    scaled[:, :, :-1] = (inverse @ matrix.reshape(n, size, -1)).reshape(matrix.shape)
    start = (inverse @ right.reshape(*right.shape[:-3], size, -1)).reshape(n, size, n_monomials, -1)
    found = np.ascontiguousarray(start.transpose(0, 2, 1, 3))
    # What lower degrees leave of a degree is solved for by the constant matrix.
    for of in range(1, degree + 1):
        places = _quotient_places(degree, of)
        n_new, n_known = places.shape
        block = scaled.take(places, axis=2).reshape(n, size * n_new, n_known * size)
        change = block @ found[:, :n_known].reshape(n, n_known * size, -1)
        found[:, n_known : n_known + n_new] -= change.reshape(n, size, n_new, -1).transpose(0, 2, 1, 3)
    return found


def _inverse(matrices: Floats) -> Floats:
    """Inverses of small positive definite matrices, by Gauss-Jordan elimination if they are many.

    Along contiguous matrices this takes a fifth of the time of LAPACK's calls, one for each.
    """
    if len(matrices) < _TOGETHER:
        return np.linalg.inv(matrices).astype(np.float64, copy=False)
    a = np.ascontiguousarray(matrices.transpose(1, 2, 0))
    for k in range(len(a)):
        pivot = 1.0 / a[k, k]
        row, column = a[k] * pivot, a[:, k].copy()
        a -= column[:, None] * row
        a[k] = row
        a[:, k] = -column * pivot
        a[k, k] = pivot
    return np.ascontiguousarray(a.transpose(2, 0, 1))
