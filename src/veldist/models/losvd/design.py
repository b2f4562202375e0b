"""The design matrix: what density a star's error makes of each cell."""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Floats
from veldist.models.losvd.cells import Cells
from veldist.models.normal import masses_between

__all__ = ["design_matrix", "gaussian_design_matrix"]


def design_matrix(z: Floats, error: Floats, cells: Cells) -> Floats:
    r"""Density of observing each star if its true velocity lies in each cell, for Gaussian errors.

    In flat cells that of `gaussian_design_matrix`. In curved ones, with :math:`T = 1 + e^2`,
    :math:`\mu = y / T` and :math:`\tau = e / \sqrt T`, the posterior of a velocity from the unit Gaussian,

    .. math:: M_{ij} = \frac{1}{P_j} \int_{a_j}^{b_j} N(y_i \mid v, e_i^2)\, \varphi(v)\, dv
                     = N(y_i \mid 0, T_i)\, \frac{1}{P_j}
                       \left[\Phi\!\left(\frac{b_j - \mu_i}{\tau_i}\right)
                             - \Phi\!\left(\frac{a_j - \mu_i}{\tau_i}\right)\right] .

    Parameters
    ----------
    z, error : ndarray, (N,)
        Standardised velocities and their 1-sigma errors.
    cells : Cells
        The cells.

    Returns
    -------
    ndarray, (N, K)
        Density in standardised velocity.
    """
    edges, (first, last) = cells.edges, (cells.curved.start, cells.curved.stop)
    root = np.hypot(1.0, error)
    observed = z / root
    mean, deviation = (observed / root)[:, None], (error / root)[:, None]
    core = masses_between((edges[None, first : last + 1] - mean) / deviation)
    core *= (np.exp(-0.5 * observed**2) / (np.sqrt(2.0 * np.pi) * root))[:, None]
    core /= cells.gaussian
    left, right = (gaussian_design_matrix(z, error, part) for part in (edges[: first + 1], edges[last:]))
    return np.concatenate([left, core, right], axis=1)


def gaussian_design_matrix(vel: Floats, err: Floats, edges: Floats) -> Floats:
    r"""As `design_matrix`, for cells of constant density.

    .. math:: M_{ij} = \frac{1}{d_j} \int_{\mathrm{cell}\,j} N(y_i \mid v, e_i^2)\, dv

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
    mass = masses_between((edges[None, :] - vel[:, None]) / err[:, None])
    mass /= np.diff(edges)
    return mass
