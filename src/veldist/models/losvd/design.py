"""The design matrix: what density a star's error makes of each cell."""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Floats

__all__ = ["gaussian_design_matrix"]


def gaussian_design_matrix(vel: Floats, err: Floats, edges: Floats) -> Floats:
    r"""Density of observing each star if its true velocity lies in each cell, for Gaussian errors.

    .. math:: M_{ij} = \frac{1}{d_j} \int_{\mathrm{cell}\,j} N(y_i \mid v, e_i^2)\, dv

    Differences of the normal CDF are taken on the tail side (signs are flipped where both edges lie above
    the star), so that no entry suffers from cancellation: all are positive until they underflow, beyond
    38 standard deviations.

    Parameters
    ----------
    vel, err : ndarray, (N,)
        Velocities and 1-sigma errors.
    edges : ndarray, (K + 1,)
        Cell edges, ascending, in the units of ``vel``.

    Returns
    -------
    ndarray, (N, K)
        Density, in units of 1 / ``vel``.
    """
    # Here, for it takes longer to load than all of the engine.
    from scipy.special import ndtr

    t = (edges[None, :] - vel[:, None]) / err[:, None]
    # Mass between the star and each edge's side of the tail: below it, or above.
    tail = ndtr(-np.abs(t))
    low, high = tail[:, :-1], tail[:, 1:]
    below, above = t[:, 1:] <= 0, t[:, :-1] > 0
    mass = np.where(below, high - low, np.where(above, low - high, (0.5 - low) + (0.5 - high)))
    return mass / np.diff(edges)[None, :]
