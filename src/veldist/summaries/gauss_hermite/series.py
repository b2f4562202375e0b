"""Terms of the Gauss-Hermite series, integrated over bins in closed form, and their derivatives.

**Integrals over bins.** The integral I_m of phi H_m follows from the polynomials' recurrence,

    I_0 = Phi,   I_1 = -sqrt(2) phi,   I_{n+1} = sqrt(n/(n+1)) I_{n-1} - sqrt(2/(n+1)) phi H_n,

and (phi y^k)' = k phi y^{k-1} - phi y^{k+1}. The series and its first and second derivatives by V and
log sigma are therefore fixed linear combinations of Phi and phi y^k, k <= M + 3, at the edges, and every
sum over bins follows from the Gram matrix of their differences.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from veldist._support.arrays import Floats

__all__ = ["Series", "bin_integrals", "series_coefficients"]


class Series(NamedTuple):
    """Coefficients of the terms m = 0, 3, ..., M and their derivatives on (Phi, phi, ..., phi y^{M+3})."""

    masses: Floats  # (terms, functions)
    first: Floats  # by a0 = V / sigma and a1 = log sigma: (2, terms, functions)
    second: Floats  # by a0 a0, a0 a1 and a1 a1: (3, terms, functions)


@cache
def series_coefficients(order: int) -> Series:
    """Coefficients of the series up to h_M, M being the ``order``."""
    n_functions = order + 5
    unit = np.eye(n_functions)
    power = np.arange(-1, n_functions - 1)
    # Rows times these matrices; the two highest powers do not occur where they would lead out of the set.
    times_y = np.diag(1.0 * (power[:-1] >= 0), 1)
    derivative = np.diag(1.0 * np.maximum(power[1:], 0), -1) - times_y
    hermite = [unit[1], np.sqrt(2.0) * unit[2]]
    integral = [unit[0], -np.sqrt(2.0) * unit[1]]
    for n in range(1, order):
        up, down = np.sqrt(2 / (n + 1)), np.sqrt(n / (n + 1))
        hermite.append(up * hermite[n] @ times_y - down * hermite[n - 1])
        integral.append(down * integral[n - 1] - up * hermite[n])
    terms = [0, *range(3, order + 1)]
    density = np.array(hermite)[terms]
    slope = density @ derivative
    # With V = V0 + sigma0 a0 and sigma = sigma0 exp(a1): y = (y0 - a0) exp(-a1).
    first = np.array([-density, -density @ times_y])
    second = np.array([slope, slope @ times_y + density, (slope @ times_y + density) @ times_y])
    return Series(np.array(integral)[terms], first, second)


def bin_integrals(y: Floats, highest: int) -> Floats:
    """Phi, phi, phi y, ..., phi y^highest at the edges y (n_draws, n_bins + 1), differenced over the bins."""
    values = np.empty((highest + 2, *y.shape))
    ndtr(y, out=values[0])
    np.multiply(y, y, out=values[1])
    values[1] *= -0.5
    np.exp(values[1], out=values[1])
    values[1] *= 1.0 / np.sqrt(2.0 * np.pi)
    for n in range(1, highest + 1):
        np.multiply(y, values[n], out=values[n + 1])
    return np.diff(values)
