"""Expectation maximisation of Gaussians that are observed with errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from veldist._support.arrays import Floats
from veldist.models.contaminants.normal import gaussian_density
from veldist.models.unresolved import unresolved

__all__ = ["TINY", "Gaussians", "climb", "maximise", "occam"]

# The floor of the scales moves little from a step to the next.
_EVERY = 4
TINY = 1e-300
"""What keeps stars that no component explains from dividing by zero."""


class Gaussians(NamedTuple):
    """Mixtures of Gaussians, from several starts at once.

    Attributes
    ----------
    v, sigma, share : ndarray, (n_starts, n_components)
        Means, standard deviations without the errors (km/s), and shares that sum to 1.
    log_likelihood : ndarray, (n_starts,)
        Of all stars.
    """

    v: Floats
    sigma: Floats
    share: Floats
    log_likelihood: Floats


def climb(
    vel: Floats, e2: Floats, v: Floats, sigma: Floats, share: Floats, steps: int, tolerance: float = 0.0
) -> Gaussians:
    """Raise the likelihood of mixtures, all components free.

    Parameters
    ----------
    vel, e2 : ndarray, (n_stars,)
        Velocities, near zero for the sake of their digits (km/s), and squared errors.
    v, sigma, share : ndarray, (n_starts, n_components)
        Where to start.
    steps : int
        Steps at most.
    tolerance : float
        Stop when no likelihood's logarithm rises by more in a step.
    """
    widest = np.ptp(vel)
    floor = np.zeros(v.shape)
    last = np.full(v.shape[0], -np.inf)
    for step in range(steps):
        variance = sigma[..., None] ** 2 + e2
        joint = share[..., None] * gaussian_density(vel - v[..., None], variance)
        total = joint.sum(axis=1) + TINY
        log_likelihood = np.log(total).sum(axis=-1)
        if step and np.all(log_likelihood - last < tolerance):
            break
        last = log_likelihood
        responsibility = joint / total[:, None]
        if step % _EVERY == 0:
            floor = np.minimum(np.sqrt(unresolved(e2, responsibility)), widest)
        v, sigma = maximise(vel, e2, v, sigma, variance, responsibility)
        sigma = np.maximum(sigma, floor)
        share = responsibility.sum(axis=-1) / vel.size
    return Gaussians(v, sigma, share, last)


def maximise(
    vel: Floats, e2: Floats, v: Floats, sigma: Floats, variance: Floats, responsibility: Floats
) -> tuple[Floats, Floats]:
    """Means and standard deviations of Gaussians, given whose stars are whose.

    Parameters
    ----------
    vel, e2 : ndarray, (n_stars,)
        Velocities and squared errors.
    v, sigma : ndarray, (...)
        Means and standard deviations of the step before.
    variance, responsibility : ndarray, (..., n_stars)
        ``sigma**2 + e2``, and the share of every star that is the Gaussian's.
    """
    weight = responsibility / variance
    mean = (weight @ vel) / np.maximum(weight.sum(axis=-1), TINY)
    # Of the star's true velocity: where it is on average, and how uncertain.
    shrunk = sigma[..., None] ** 2 / variance
    squared = (shrunk * (vel - mean[..., None])) ** 2 + shrunk * e2
    total = np.maximum(responsibility.sum(axis=-1), TINY)
    return mean, np.sqrt((responsibility * squared).sum(axis=-1) / total)


def occam(sigma: Floats, n_stars: Floats, error: float, extent: float) -> Floats:
    """What a Gaussian's likelihood loses to the freedom of its mean and scale, in its logarithm.

    Laplace's approximation for a mean that could be anywhere in ``extent`` and a scale anywhere in a factor
    of 150. A narrow Gaussian pays more: it could have been in more places.

    Parameters
    ----------
    sigma, n_stars : ndarray
        Standard deviations without the errors (km/s), and how many stars each has.
    error, extent : float
        Typical error, and the range of the velocities, km/s.
    """
    n_stars = np.maximum(n_stars, 1.0)
    width = np.hypot(sigma, error)
    return np.log(extent * np.sqrt(n_stars) / width) + np.log(5.0 * np.sqrt(2.0 * n_stars))
