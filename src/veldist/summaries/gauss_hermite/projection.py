"""Gauss-Hermite fits at given V and sigma: linear parameters, and the derivatives of the sum of squares.

gamma and gamma h_m are solved for at any (V, sigma); what remains is a function of these two, with an exact
gradient and 2 x 2 Hessian (variable projection, Golub & Pereyra 1973, SIAM J. Numer. Anal. 10, 413). All sums
over bins follow from the Gram matrix of the functions of `veldist.summaries.gauss_hermite.series` and their
products with the masses.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from veldist._support.arrays import Floats
from veldist.summaries.gauss_hermite.series import bin_integrals, series_coefficients

__all__ = ["FLAT", "Projection", "newton_step", "project_masses"]

FLAT = 1e-6
"""Lowest curvature of the sum of squares over the highest: below it the bins do not fix V and sigma."""

# Draws whose functions stay in a processor's cache together.
_BLOCK = 64


class Projection(NamedTuple):
    """The projected problem at some (V, log sigma) of each draw."""

    objective: Floats  # sum of squares plus penalty, (n_draws,)
    linear: Floats  # gamma, gamma h3, ...: (n_draws, terms)
    step: Floats  # Newton step of (V / sigma, log sigma), (n_draws, 2)
    curvature: Floats  # lowest eigenvalue of the Hessian over the largest, (n_draws,)
    response: Floats  # by how much a step lowers `linear`, (n_draws, terms, 2)
    gaussian: Floats  # gamma without further terms, (n_draws,)


def project_masses(masses: Floats, v: Floats, log_sigma: Floats, penalty: Floats, order: int) -> Projection:
    """Solve for the linear parameters, and take the derivatives of the sum of squares that remains.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Histograms.
    v, log_sigma : ndarray, shape (n_draws,)
        V in bins from the middle of the grid, and the logarithm of sigma in bins.
    penalty : ndarray, shape (n_draws,)
        Factor of the squares of gamma h_m that are added to the sum of squares.
    order : int
        Order of the series.
    """
    series = series_coefficients(order)
    derivatives = np.concatenate([series.first, series.second]).reshape(-1, order + 5)
    n_draws, n_bins = masses.shape
    gram, data = np.empty((n_draws, order + 5, order + 5)), np.empty((n_draws, order + 5, 1))
    edges = np.arange(n_bins + 1) - 0.5 * n_bins
    for start in range(0, n_draws, _BLOCK):
        rows = slice(start, start + _BLOCK)
        y = (edges - v[rows, None]) * np.exp(-log_sigma[rows, None])
        functions = bin_integrals(y, order + 3).transpose(1, 0, 2)
        np.matmul(functions, functions.transpose(0, 2, 1), out=gram[rows])
        np.matmul(functions, masses[rows, :, None], out=data[rows])
    half = series.masses @ gram
    normal = (half.reshape(-1, order + 5) @ series.masses.T).reshape(n_draws, order - 1, order - 1)
    right = series.masses @ data
    gaussian = right[:, 0, 0] / normal[:, 0, 0]
    diagonal = np.arange(1, order - 1)
    normal[:, diagonal, diagonal] += penalty[:, None]
    inverse = _inverse(normal)
    linear = (inverse @ right)[..., 0]
    residual = data[..., 0] - np.vecmat(linear, half)
    objective = np.vecdot(masses, masses) - np.vecdot(linear, right[..., 0])
    slope = (linear @ series.first.transpose(1, 0, 2).reshape(order - 1, -1)).reshape(n_draws, 2, -1)
    across = slope.transpose(0, 2, 1)
    against = (residual @ derivatives.T).reshape(n_draws, 5, order - 1)
    bend = np.vecdot(linear[:, None], against[:, 2:])
    mixed = half @ across - against[:, :2].transpose(0, 2, 1)
    response = inverse @ mixed
    hessian = slope @ gram @ across - bend[:, [[0, 1], [1, 2]]] - mixed.transpose(0, 2, 1) @ response
    step, curvature = newton_step(-np.vecdot(slope, residual[:, None]), hessian)
    return Projection(objective, linear, step, curvature, response, gaussian)


def _inverse(matrices: Floats) -> Floats:
    """Inverses of many small positive definite matrices, by Gauss-Jordan elimination.

    Along contiguous draws this takes a fifth of the time of LAPACK's calls, one for each.
    """
    a = np.ascontiguousarray(matrices.transpose(1, 2, 0))
    for k in range(len(a)):
        pivot = 1.0 / a[k, k]
        row, column = a[k] * pivot, a[:, k].copy()
        a -= column[:, None] * row
        a[k] = row
        a[:, k] = -column * pivot
        a[k, k] = pivot
    return a.transpose(2, 0, 1)


def newton_step(gradient: Floats, hessian: Floats) -> tuple[Floats, Floats]:
    """Newton steps with the absolute eigenvalues of 2 x 2 Hessians, and the lowest over the largest."""
    a, b, d = hessian[:, 0, 0], hessian[:, 0, 1], hessian[:, 1, 1]
    mean, spread = 0.5 * (a + d), np.hypot(0.5 * (a - d), b)
    low, high = mean - spread, mean + spread
    largest = np.maximum(np.maximum(np.abs(low), np.abs(high)), np.finfo(np.float64).tiny)
    per_low = 1.0 / np.maximum(np.abs(low), FLAT * largest)
    per_high = 1.0 / np.maximum(np.abs(high), FLAT * largest)
    # A function of a symmetric 2 x 2 matrix is linear in the matrix.
    linear = (per_high - per_low) / np.where(spread > 0, 2.0 * spread, 1.0)
    constant = 0.5 * (per_high + per_low) - linear * mean
    along = (hessian @ gradient[..., None])[..., 0]
    return -(constant[:, None] * gradient + linear[:, None] * along), low / largest
