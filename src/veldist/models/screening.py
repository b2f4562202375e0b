"""A glance at a sample: does a narrow group beside a broad one say more of it than heavy wings do?

Two Gaussians are held against a Student t, whatever its degrees of freedom, by their largest likelihoods:
some iterations of expectation maximisation from a few starts, errors included. What a t explains as well is
a distribution with wings.
"""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Floats
from veldist.models.contaminants.em import climb

__all__ = ["gain_of_two_groups"]

_NU = np.array([2.0, 3.0, 5.0, 10.0, 100.0])[:, None]
_STUDENT_STEPS, _STEPS = 12, 25
_SIGMA_PER_MAD = 1.4826
# The densest part of the sample: so many stars, as a share of all and at least.
_DENSE, _FEWEST = 0.2, 12


def gain_of_two_groups(vel: Floats, err: Floats) -> float:
    """Log of the ratio of the likelihoods of two Gaussians and of a Student t.

    Parameters
    ----------
    vel, err : ndarray, (n_stars,)
        Velocities, ascending, and 1-sigma errors, km/s; more than `_FEWEST` stars.
    """
    e2 = err**2
    y = vel - np.median(vel)
    robust = _SIGMA_PER_MAD * float(np.median(np.abs(y)))
    return _two_gaussians(y, e2, robust) - _student(y, e2, robust)


def _student(y: Floats, e2: Floats, robust: float) -> float:
    """Largest log likelihood of a Student t around a free centre, its scale and the errors in quadrature."""
    from scipy.special import gammaln

    typical = float(np.median(e2))
    center, square = np.zeros_like(_NU), np.full_like(_NU, max(robust**2 - typical, 0.01 * typical))
    for _ in range(_STUDENT_STEPS):
        variance = square + e2
        weight = (_NU + 1.0) / (_NU + (y - center) ** 2 / variance) / variance
        center = (weight * y).sum(axis=1, keepdims=True) / weight.sum(axis=1, keepdims=True)
        part = square / variance
        found = (weight * (y - center) ** 2 * part).sum(axis=1, keepdims=True)
        square = square * np.clip(found / part.sum(axis=1, keepdims=True), 0.3, 3.0)
    variance = square + e2
    shape = np.log1p((y - center) ** 2 / variance / _NU)
    constant = gammaln(0.5 * (_NU + 1.0)) - gammaln(0.5 * _NU)
    log = constant - 0.5 * np.log(_NU * np.pi * variance) - 0.5 * (_NU + 1.0) * shape
    return float(log.sum(axis=1).max())


def _two_gaussians(y: Floats, e2: Floats, robust: float) -> float:
    """Largest log likelihood of two Gaussians, from starts in the middle and where stars are densest."""
    n_dense = min(max(_FEWEST, int(_DENSE * y.size)), y.size - 1)
    first = int(np.argmin(y[n_dense:] - y[:-n_dense]))
    dense, width = y[first + n_dense // 2], y[first + n_dense] - y[first]
    spread, mean = float(y.std()), float(y.mean())
    v = np.array([[0.0, mean], [dense, mean], [0.0, 0.0]])
    sigma = np.array(
        [[0.8 * robust, 2.0 * spread], [max(width, 0.3 * robust), 1.5 * spread], [0.6 * robust, 1.3 * spread]]
    )
    share = np.array([[0.7, 0.3], [0.3, 0.7], [0.5, 0.5]])
    return float(climb(y, e2, v, sigma, share, _STEPS).log_likelihood.max())
