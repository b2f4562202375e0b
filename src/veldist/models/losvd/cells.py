r"""Cells in standardised velocity, and the density within each.

An LOSVD is given by the masses of cells. In the core a cell's density has the *profile* of the frame's own
Gaussian, :math:`\varphi(z) / P_j` with :math:`P_j = \Phi(b_j) - \Phi(a_j)`: a LOSVD that is this Gaussian has
no steps then, however wide the cells are, and its dispersion no error. In the wings, where a LOSVD may be far
above the Gaussian and cells are wide, the density is constant within a cell.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.models.normal import mass_between, masses_between

__all__ = ["Cells", "make_cells"]

# Cells reach this far at least: to where the prior turns the tails Gaussian again (see `basis`).
_REACH = 8.0
# Fine cells where the Gaussian process matters, growing ones where it fades (`basis.PriorSettings.taper`).
_FINE = 5.5
_GROWTH = 1.25
_FAR = 15.0
# Cells within this have the Gaussian's profile: farther out next to no star of a Gaussian is.
_CORE = 4.0
# Gauss-Legendre nodes on a cell, exact to rounding for all functions of the basis.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)
_WEIGHTS = 0.5 * _WEIGHTS
_LOG_ROOT_2PI = 0.5 * float(np.log(2.0 * np.pi))


@dataclass(frozen=True)
class Cells:
    """Intervals in z and the profile of the density in each."""

    edges: Floats  # (K + 1,): their edges, ascending
    # Cells with both edges in ``|z| <= core`` have the profile of the unit Gaussian, the others a constant
    # density; 0 for none.
    core: float

    @property
    def centers(self) -> Floats:
        """Cell centres, (K,)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    @property
    def widths(self) -> Floats:
        """Cell widths, (K,)."""
        return np.diff(self.edges)

    @cached_property
    def curved(self) -> slice:
        """Which cells have the profile of the unit Gaussian."""
        inside = np.flatnonzero(np.abs(self.edges) <= self.core)
        return slice(int(inside[0]), int(inside[-1])) if inside.size > 1 else slice(0, 0)

    @cached_property
    def gaussian(self) -> Floats:
        """Masses of the unit Gaussian in the curved cells."""
        return masses_between(self.edges[self.curved.start : self.curved.stop + 1])

    @cached_property
    def log_base(self) -> Floats:
        """Log of the unit Gaussian's masses, (K,): in flat cells by its density at the centre."""
        base = np.log(self.widths) - 0.5 * self.centers**2 - _LOG_ROOT_2PI
        base[self.curved] = np.log(self.gaussian)
        return base

    def average(self, functions: Callable[[Floats, Floats], Floats]) -> Floats:
        """Means of functions over the cells, (K, n): under the profile; values at the centre of flat cells.

        Parameters
        ----------
        functions : callable
            Of points z (m,) and their weights under the unit Gaussian (m,), to (m, n).
        """
        z = np.repeat(self.centers[:, None], _NODES.size, axis=1)
        share = np.tile(_WEIGHTS, (z.shape[0], 1))
        z[self.curved] += 0.5 * self.widths[self.curved, None] * _NODES
        share[self.curved] *= np.exp(-0.5 * z[self.curved] ** 2)
        share /= share.sum(axis=1, keepdims=True)
        values = functions(z.ravel(), (np.exp(self.log_base)[:, None] * share).ravel())
        return (share[:, None, :] @ values.reshape(*z.shape, -1))[:, 0]

    def moments(self, n: int, low: float = -np.inf, high: float = np.inf) -> Floats:
        """Integrals of ``1, z, ..., z^n`` times each cell's density over a range, (K, n + 1)."""
        a, b = np.clip(self.edges[:-1], low, high), np.clip(self.edges[1:], low, high)
        width = (b - a)[:, None]
        z = 0.5 * ((a + b)[:, None] + width * _NODES)
        density = np.repeat(1.0 / self.widths[:, None], _NODES.size, axis=1)
        density[self.curved] = np.exp(-0.5 * z[self.curved] ** 2 - _LOG_ROOT_2PI) / self.gaussian[:, None]
        powers = z[:, :, None] ** np.arange(n + 1)
        return ((width * _WEIGHTS * density)[:, None, :] @ powers)[:, 0]

    def locate(self, z: Floats) -> tuple[NDArray[np.intp], Floats]:
        """The cell of each velocity, and which share of its mass is below."""
        cell = np.clip(np.searchsorted(self.edges, z, side="right") - 1, 0, self.edges.size - 2)
        low, high = self.edges[cell], self.edges[cell + 1]
        z = np.clip(z, low, high)
        share = (z - low) / (high - low)
        curved = (cell >= self.curved.start) & (cell < self.curved.stop)
        low, high, z = low[curved], high[curved], z[curved]
        share[curved] = mass_between(low, z) / mass_between(low, high)
        return cell, share

    def velocity(self, cell: NDArray[np.intp], share: Floats) -> Floats:
        """The velocity below which there is so large a share of a cell's mass: the inverse of `locate`."""
        from scipy.special import ndtr, ndtri

        low, high = self.edges[cell], self.edges[cell + 1]
        z = low + share * (high - low)
        curved = (cell >= self.curved.start) & (cell < self.curved.stop)
        low, high = low[curved], high[curved]
        z[curved] = np.clip(ndtri(ndtr(low) + share[curved] * mass_between(low, high)), low, high)
        return z

    def overlap(self, edges: Floats) -> Floats:
        """Share of every cell's mass that lies in every bin of a grid, (K, B).

        ``masses @ overlap`` integrates the density over the bins exactly. Mass outside the grid is left out:
        rows need not sum to 1.
        """
        cell, share = self.locate(edges)
        below = (np.arange(self.edges.size - 1)[:, None] < cell).astype(np.float64)
        below[cell, np.arange(edges.size)] = share
        return np.diff(below, axis=1)


def make_cells(z_min: float, z_max: float, cell_width: float) -> Cells:
    """Cells over ``[z_min, z_max]`` and at least +-8: fine in the core, growing by a quarter each beyond.

    Parameters
    ----------
    z_min, z_max : float
        Range that must be covered: the outermost stars with a margin for their errors.
    cell_width : float
        Width of the core cells, in units of the frame's scale.
    """
    n_core = int(np.ceil(_FINE / cell_width))
    core = cell_width * np.arange(n_core + 1)

    def wing(reach: float) -> Floats:
        edges = [core[-1]]
        width = cell_width
        while edges[-1] < reach:
            width *= _GROWTH
            # A Gaussian falls too steeply for wider cells, until nothing is left of it.
            if edges[-1] < _FAR:
                width = min(width, 1.0)
            edges.append(edges[-1] + width)
        return np.array(edges[1:])

    left = np.concatenate([core, wing(max(_REACH, -z_min))])
    right = np.concatenate([core, wing(max(_REACH, z_max))])
    return Cells(edges=np.concatenate([-left[:0:-1], right]), core=_CORE)
