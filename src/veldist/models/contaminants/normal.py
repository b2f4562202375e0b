"""Densities of many stars under many Gaussians, and under a box."""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Floats
from veldist.models.normal import mass_between

__all__ = ["box_density", "gaussian_density", "mixture_density"]

# Densities that are in memory at a time.
_MOST = 2**20
_SQRT_2PI = float(np.sqrt(2.0 * np.pi))


def gaussian_density(distance: Floats, variance: Floats) -> Floats:
    """Density of a Gaussian at these distances from its mean, per unit of distance."""
    return np.exp(-0.5 * distance * distance / variance) / (_SQRT_2PI * np.sqrt(variance))


def mixture_density(vel: Floats, e2: Floats, weights: Floats, v: Floats, sigma: Floats) -> Floats:
    """Density of a mixture of Gaussians, each convolved with the error of the star it is asked for.

    Parameters
    ----------
    vel, e2 : ndarray, (n_stars,)
        Velocities (km/s) and squared errors.
    weights, v, sigma : ndarray, (n_components,)
        Weights, means and standard deviations of the components.

    Returns
    -------
    ndarray, (n_stars,)
        Per km/s.
    """
    density = np.empty(vel.size)
    step = max(_MOST // weights.size, 1)
    for start in range(0, vel.size, step):
        part = slice(start, start + step)
        variance = sigma[:, None] ** 2 + e2[part]
        density[part] = weights @ gaussian_density(vel[part] - v[:, None], variance)
    return density


def box_density(vel: Floats, err: Floats, low: float, high: float) -> Floats:
    """Density of a uniform distribution between two limits, convolved with the stars' errors, per km/s."""
    return mass_between((low - vel) / err, (high - vel) / err) / (high - low)
