"""Terms of the Gauss-Hermite series over bins, and the linear fit around given V and sigma.

**Integrals over bins.** The integral I_m of phi H_m follows from the polynomials' recurrence,

    I_0 = Phi,   I_1 = -sqrt(2) phi,   I_{n+1} = sqrt(n/(n+1)) I_{n-1} - sqrt(2/(n+1)) phi H_n,

and (phi y^k)' = k phi y^{k-1} - phi y^{k+1}. The series and all its derivatives by V and log sigma are
therefore fixed linear combinations of Phi and phi y^k at the edges, differenced over the bins.

**Linear fit.** With u the products of the terms with the masses, and N those of the terms with each other,
the linear parameters are c = N^{-1} u, and the fit lowers the sum of squares by u c (variable projection,
Golub & Pereyra 1973, SIAM J. Numer. Anal. 10, 413). Around a point, u and N are polynomials in the changes of
V / sigma and log sigma; c and u c follow degree by degree. Whatever does not depend on the masses is done
once for each point, however many histograms share it.
"""

from __future__ import annotations

import itertools
from functools import cache
from math import factorial
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from veldist._support.arrays import Floats, Ints
from veldist.summaries.gauss_hermite.polynomials import powers, product_places, solve

__all__ = ["Terms", "bin_integrals", "expand", "series_terms"]

# Points whose functions stay in a processor's cache together.
_BLOCK = 64


class Terms(NamedTuple):
    """Taylor coefficients by V / sigma and log sigma of the terms m = 0, 3, ..., M, and of their products."""

    values: Floats  # on Phi, phi, phi y, ...: (monomials, terms, functions)
    products: Floats  # on the products of these: (functions^2, terms * monomials * terms)


@cache
def series_terms(order: int, degree: int) -> Terms:
    """Coefficients of the series up to h_M, M being the ``order``, up to a degree."""
    n_functions = 1 + order + 2 * degree
    unit = np.eye(n_functions)
    power = np.arange(-1, n_functions - 1)
    # Rows times these matrices; the highest powers do not occur where they would lead out of the set.
    times_y = np.diag(1.0 * (power[:-1] >= 0), 1)
    derivative = np.diag(1.0 * np.maximum(power[1:], 0), -1) - times_y
    derivative[0] = unit[1]
    hermite = [unit[1], np.sqrt(2.0) * unit[2]]
    integral = [unit[0], -np.sqrt(2.0) * unit[1]]
    for n in range(1, order):
        up, down = np.sqrt(2 / (n + 1)), np.sqrt(n / (n + 1))
        hermite.append(up * hermite[n] @ times_y - down * hermite[n - 1])
        integral.append(down * integral[n - 1] - up * hermite[n])
    terms = np.array(integral)[[0, *range(3, order + 1)]]
    values = np.empty((len(powers(degree)), *terms.shape))
    for k, (i, j) in enumerate(powers(degree)):
        # With V = V0 + sigma0 a0 and sigma = sigma0 exp(a1), y = (y0 - a0) exp(-a1): the i-th derivative by
        # a0 has a factor exp(-i a1).
        change = terms
        for _ in range(i):
            change = -change @ derivative
        for _ in range(j):
            change = -i * change - change @ derivative @ times_y
        values[k] = change / (factorial(i) * factorial(j))
    products = np.zeros((n_functions, n_functions, len(terms), len(values), len(terms)))
    for one, places in zip(values, product_places(degree), strict=True):
        for other, place in zip(values, places, strict=False):
            products[:, :, :, place] += np.einsum("sf,tg->fgst", one, other)
    return Terms(values, products.reshape(n_functions**2, -1))


def bin_integrals(y: Floats, n_functions: int) -> Floats:
    """Phi, phi, phi y, ... at edges y, (n, n_bins + 1), differenced over bins: (n_functions, n, n_bins)."""
    values = np.empty((n_functions, *y.shape))
    ndtr(y, out=values[0])
    np.multiply(y, y, out=values[1])
    values[1] *= -0.5
    np.exp(values[1], out=values[1])
    values[1] *= 1.0 / np.sqrt(2.0 * np.pi)
    for n in range(2, n_functions):
        np.multiply(y, values[n - 1], out=values[n])
    return values[..., 1:] - values[..., :-1]


def expand(
    masses: Floats, first: Ints, v: Floats, log_sigma: Floats, penalty: Floats, order: int, degree: int
) -> tuple[Floats, Floats]:
    """Expand the linear fit around some points, each for the histograms that share it.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Histograms, those of the same point next to each other.
    first : ndarray of int, shape (n_points,)
        The first histogram of each point.
    v, log_sigma : ndarray, shape (n_points,)
        V in bins from the middle of the grid, and the logarithm of sigma in bins.
    penalty : ndarray, shape (n_points,)
        Factor of the squares of gamma h_m that are added to the sum of squares.
    order : int
        Order of the series.
    degree : int
        Of the polynomials in the changes of V over the point's sigma and of log sigma.

    Returns
    -------
    gain : ndarray, shape (n_monomials, n_draws)
        By how much the fit lowers the sum of squares plus penalty.
    linear : ndarray, shape (n_monomials, n_terms, n_draws)
        The linear parameters gamma, gamma h3, ...
    """
    terms = series_terms(order, degree)
    n_monomials, n_terms, n_functions = terms.values.shape
    (n_draws, n_bins), n_points = masses.shape, v.size
    alone = n_points == n_draws
    groups = [] if alone else [slice(*pair) for pair in itertools.pairwise([*first.tolist(), n_draws])]
    gram, data = np.empty((n_points, n_functions, n_functions)), np.empty((n_functions, n_draws))
    edges = np.arange(n_bins + 1) - 0.5 * n_bins
    for start in range(0, n_points, _BLOCK):
        block = slice(start, start + _BLOCK)
        y = (edges - v[block, None]) * np.exp(-log_sigma[block, None])
        functions = bin_integrals(y, n_functions).transpose(1, 0, 2)
        np.matmul(functions, functions.transpose(0, 2, 1), out=gram[block])
        if alone:
            data[:, block] = (functions @ masses[block, :, None])[..., 0].T
        else:
            for values, rows in zip(functions, groups[block], strict=True):
                np.matmul(values, masses[rows].T, out=data[:, rows])
    normal = (gram.reshape(n_points, -1) @ terms.products).reshape(n_points, n_terms, n_monomials, n_terms)
    diagonal = np.arange(1, n_terms)
    normal[:, diagonal, 0, diagonal] += penalty[:, None]
    right = (terms.values.reshape(-1, n_functions) @ data).reshape(n_monomials, n_terms, n_draws)
    if alone:
        linear = np.ascontiguousarray(solve(normal, right.T[..., None], degree)[..., 0].transpose(1, 2, 0))
    else:
        # What turns the products of functions and masses into the solution.
        solution = solve(normal, terms.values.transpose(1, 0, 2), degree).reshape(n_points, -1, n_functions)
        linear = np.empty((n_monomials * n_terms, n_draws))
        for values, rows in zip(solution, groups, strict=True):
            np.matmul(values, data[:, rows], out=linear[:, rows])
        linear = linear.reshape(right.shape)
    gain = np.zeros((n_monomials, n_draws))
    for one, places in zip(right, product_places(degree), strict=True):
        gain[places] += np.einsum("tn,mtn->mn", one, linear[: places.size])
    return gain, linear
