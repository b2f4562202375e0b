"""The sum of squares of Gauss-Hermite fits, tabulated over a region of V and log sigma.

With the linear parameters solved for, the sum of squares of a histogram m is |m|^2 - |z|^2, z = B m. The rows
of B are the terms of the series at (V, sigma), integrated over the bins and made orthonormal: B = L^{-1} T,
L L^T = T T^T plus the ridge. B does not depend on the histogram and is a smooth function of V and log sigma.
Its Chebyshev series in both turns z, for all histograms and any (V, sigma) in the region, into polynomials,
by a single matrix product with the masses. That of L^{-1} gives the linear parameters, L^{-T} z.

The coefficients fall geometrically with the degree. Those of the highest degree are the error.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from veldist._support.arrays import Floats, Ints
from veldist.summaries.gauss_hermite.series import bin_integrals, series_coefficients

__all__ = ["HermiteTable", "Region"]

# Degrees that leave errors below 1e-7: a constant, and a number for every unit of half width in V / sigma or
# log sigma.
_DEGREES_V, _DEGREES_LOG = (6.5, 13.0), (7.5, 27.0)
# Histograms whose coefficients stay in a processor's cache together.
_BLOCK = 64


class Region(NamedTuple):
    """A rectangle in V (bins from the middle of the grid) and log sigma (of bins)."""

    v: float
    half_v: float
    log_sigma: float
    half_log: float

    def degrees(self, order: int) -> tuple[int, int]:
        """Numbers of polynomials in V and log sigma: each higher term of the series has another wiggle."""
        n_v = _DEGREES_V[0] + _DEGREES_V[1] * self.half_v * np.exp(-self.log_sigma) + order - 4.0
        return int(n_v), int(_DEGREES_LOG[0] + _DEGREES_LOG[1] * self.half_log + order - 4.0)

    def n_coefficients(self, order: int) -> int:
        """Coefficients for each histogram."""
        n_v, n_log = self.degrees(order)
        return n_v * n_log * (order - 1)


class HermiteTable:
    """Chebyshev series of the projections of histograms.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Histograms.
    region : Region
        Where the table holds.
    order : int
        Order of the Gauss-Hermite series.
    ridge : float
        Penalty on the squares of gamma h_m, times sigma.
    """

    def __init__(self, masses: Floats, region: Region, order: int, ridge: float) -> None:
        self.region, self.n_terms = region, order - 1
        self.shape = n_v, n_log = region.degrees(order)
        v = region.v + region.half_v * _nodes(n_v)
        log_sigma = region.log_sigma + region.half_log * _nodes(n_log)
        basis, inverse = _orthonormal_terms(
            np.repeat(v, n_log), np.tile(log_sigma, n_v), masses.shape[1], order, ridge
        )
        coefficients = _series(basis.reshape(n_v, n_log, self.n_terms, -1))
        self.error = _truncation(coefficients)
        # Degrees in V, then terms, then degrees in log sigma.
        columns = coefficients.transpose(0, 2, 1, 3).reshape(-1, masses.shape[1])
        self.z = (masses @ columns.T).reshape(-1, n_v * self.n_terms, n_log)
        self.inverse = _series(inverse.reshape(n_v, n_log, self.n_terms, -1)).reshape(n_v, -1)

    def __call__(self, rows: Ints | slice, v: Floats, log_sigma: Floats) -> Floats:
        """Values of z and its derivatives for the histograms of some rows, at V and log sigma of each.

        Returns
        -------
        ndarray, shape (n_rows, 3, 3, terms)
            The second axis counts derivatives by V / sigma, the third those by log sigma. NaN outside of
            the region.
        """
        n_v, n_log = self.shape
        along_v, along_log, outside = self._polynomials(v, log_sigma)
        by_v = (along_v @ _derivatives(n_v, self.region.half_v)).reshape(-1, n_v, 3).transpose(0, 2, 1)
        by_v *= np.exp(log_sigma)[:, None, None] ** np.arange(3.0)[:, None]
        by_log = (along_log @ _derivatives(n_log, self.region.half_log)).reshape(-1, n_log, 3)
        found = np.empty((v.size, 3, 3 * self.n_terms))
        for start in range(0, v.size, _BLOCK):
            block = slice(start, start + _BLOCK)
            chosen = self.z[block] if isinstance(rows, slice) else self.z[rows[block]]
            np.matmul(
                by_v[block], (chosen @ by_log[block]).reshape(-1, n_v, 3 * self.n_terms), out=found[block]
            )
        found[outside] = np.nan
        return np.ascontiguousarray(found.reshape(-1, 3, self.n_terms, 3).transpose(0, 1, 3, 2))

    def linear(self, z: Floats, v: Floats, log_sigma: Floats) -> Floats:
        """The linear parameters gamma, gamma h3, ... that belong to z, both (n_rows, terms); NaN outside."""
        along_v, along_log, outside = self._polynomials(v, log_sigma)
        inverse = (along_v @ self.inverse).reshape(v.size, self.shape[1], -1)
        inverse = (along_log[:, None] @ inverse).reshape(-1, self.n_terms, self.n_terms)
        inverse[outside] = np.nan
        return (z[:, None] @ inverse)[:, 0]

    def _polynomials(self, v: Floats, log_sigma: Floats) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Chebyshev polynomials in either direction, and whether this is outside of the region."""
        x = (v - self.region.v) / self.region.half_v
        y = (log_sigma - self.region.log_sigma) / self.region.half_log
        outside = (np.abs(x) > 1.0) | (np.abs(y) > 1.0)
        x[outside] = y[outside] = 0.0
        n_v, n_log = self.shape
        return chebyshev.chebvander(x, n_v - 1), chebyshev.chebvander(y, n_log - 1), outside


def _orthonormal_terms(
    v: Floats, log_sigma: Floats, n_bins: int, order: int, ridge: float
) -> tuple[Floats, Floats]:
    """B (n_points, terms, n_bins) and L^{-1} (n_points, terms, terms)."""
    edges = np.arange(n_bins + 1) - 0.5 * n_bins
    functions = bin_integrals((edges - v[:, None]) * np.exp(-log_sigma[:, None]), order + 3)
    terms = series_coefficients(order).masses
    values = (terms @ functions.reshape(len(functions), -1)).reshape(len(terms), v.size, n_bins)
    values = values.transpose(1, 0, 2)
    normal = values @ values.transpose(0, 2, 1)
    diagonal = np.arange(1, len(terms))
    normal[:, diagonal, diagonal] += ridge * np.exp(-log_sigma[:, None])
    inverse = np.linalg.inv(np.linalg.cholesky(normal)).astype(np.float64, copy=False)
    return inverse @ values, inverse


def _nodes(n: int) -> Floats:
    return np.cos(np.pi * (np.arange(n) + 0.5) / n)


@cache
def _transform(n: int) -> Floats:
    """From values at the nodes to coefficients."""
    # The polynomials are orthogonal on the nodes.
    polynomials = chebyshev.chebvander(_nodes(n), n - 1).T
    return polynomials * np.where(np.arange(n) > 0, 2.0, 1.0)[:, None] / n


@cache
def _derivative_matrices(n: int) -> Floats:
    """From the polynomials to themselves and their first and second derivatives: (n, n, 3)."""
    found = np.zeros((n, n, 3))
    for k in range(3):
        found[: n - k, :, k] = chebyshev.chebder(np.eye(n), k)
    return found


def _derivatives(n: int, half_width: float) -> Floats:
    """As `_derivative_matrices`, (n, 3 n), for a variable of another half width than 1."""
    return (_derivative_matrices(n) * half_width ** -np.arange(3.0)).reshape(n, 3 * n)


def _series(values: Floats) -> Floats:
    """Coefficients in both variables from values at the nodes, (n_v, n_log, ...)."""
    n_v, n_log = values.shape[:2]
    along_log = _transform(n_log) @ values.reshape(n_v, n_log, -1)
    return (_transform(n_v) @ along_log.reshape(n_v, -1)).reshape(values.shape)


def _truncation(coefficients: Floats) -> float:
    """Coefficients of the highest degrees over the largest."""
    last = max(np.abs(coefficients[-1]).max(), np.abs(coefficients[:, -1]).max())
    return float(last / np.abs(coefficients).max())
