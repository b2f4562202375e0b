r"""From masses of cells to masses of the bins of any velocity grid, smoothly.

The cumulative mass is known at the cells' edges. Between them it is interpolated by a monotone cubic (Fritsch
& Carlson 1980, SIAM J. Numer. Anal. 17, 238) in the share t of the cell's own profile that lies below z: in
curved cells over :math:`\Phi(z)`, not over z. The density at an edge is the weighted harmonic mean of those
of the two cells (Fritsch & Butland 1984, SIAM J. Sci. Stat. Comput. 5, 300), relative to the frame's Gaussian
where cells are curved. A LOSVD that is this Gaussian has exactly its masses in bins of any width, others have
no steps at the edges of cells, every cell keeps its mass, and no bin is negative. Beyond the cells there is
nothing: the density ends at zero.

The masses of bins are linear in the cells' masses and the densities at their edges,

.. math:: \int_{a_j}^{z} f = w_j\, t^2 (3 - 2t) + H_j f_j\, t (1 - t)^2 - H'_j f_{j+1}\, t^2 (1 - t) ,

with :math:`H_j, H'_j` the inverses of :math:`dt/dz` at the cell's edges. Sums over cells are therefore free
of cancellation, bins that are unions of bins have the sums of their masses, and all draws take two products.
"""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Floats
from veldist.models.losvd.cells import Cells
from veldist.models.normal import masses_between

__all__ = ["LEAST_INSIDE", "fine_edges", "smooth_bin_masses"]

LEAST_INSIDE = 1e-6
"""An LOSVD conditional on a range that holds less than this of it means nothing."""

# Bins for what takes the density for constant within them. The cumulative distribution is then off by at most
# h^2 / 8 times the largest slope of the density, which for a Gaussian is 0.242: by 8e-5.
_FINE = 0.05
# Far out, where cells are wide and hardly anything is in them.
_MAX_PARTS = 20


def smooth_bin_masses(cells: Cells, masses: Floats, edges: Floats) -> Floats:
    """Masses in the bins of a grid, (n, B). Mass outside the grid is left out: rows need not sum to 1.

    Parameters
    ----------
    cells : Cells
        The cells.
    masses : ndarray, (n, K)
        Their masses.
    edges : ndarray, (B + 1,)
        Bin edges in standardised velocity, ascending.
    """
    cell, t = cells.locate(edges)
    edge, n_cells = np.arange(edges.size), masses.shape[1]
    of_masses = (np.arange(n_cells)[:, None] < cell).astype(np.float64)
    of_masses[cell, edge] = t**2 * (3.0 - 2.0 * t)
    left, right = _inverse_slopes(cells)
    of_densities = np.zeros((n_cells + 1, edges.size))
    of_densities[cell, edge] = left[cell] * t * (1.0 - t) ** 2
    of_densities[cell + 1, edge] = -right[cell] * t**2 * (1.0 - t)
    # The outermost densities are zero.
    bins = masses @ np.diff(of_masses, axis=1)
    bins += _densities(cells, masses) @ np.diff(of_densities[1:-1], axis=1)
    return np.maximum(bins, 0.0, out=bins)


def fine_edges(cells: Cells) -> Floats:
    """Edges of equal parts of the cells, none wider than 0.05 but far out, where a cell has 20 parts."""
    parts = np.clip(np.ceil(cells.widths / _FINE - 1e-9), 1, _MAX_PARTS).astype(int)
    cell = np.repeat(np.arange(parts.size), parts)
    part = np.arange(cell.size) - (np.cumsum(parts) - parts)[cell]
    return np.append(cells.edges[cell] + cells.widths[cell] * part / parts[cell], cells.edges[-1])


def _inverse_slopes(cells: Cells) -> tuple[Floats, Floats]:
    """Inverse of ``dt/dz`` at the left and the right edge of every cell, (K,) each."""
    left, right = cells.widths, cells.widths
    density = _gaussian(cells.edges[cells.curved.start : cells.curved.stop + 1])
    left[cells.curved], right[cells.curved] = cells.gaussian / density[:-1], cells.gaussian / density[1:]
    return left, right


def _densities(cells: Cells, masses: Floats) -> Floats:
    """Densities at the inner edges, (n, K - 1)."""
    first, last, n_cells = cells.curved.start, cells.curved.stop, masses.shape[1]
    # Widths of the cells on either side of each edge, and what dz is in them: the Gaussian's mass where one
    # of the two is curved.
    low, high = cells.widths[:-1], cells.widths[1:]
    unit = np.ones(low.size)
    if last > first:
        near = slice(max(first - 1, 0), min(last, n_cells - 1))
        mass = masses_between(cells.edges[near.start : near.stop + 2])
        low[near], high[near] = mass[:-1], mass[1:]
        unit[near] = _gaussian(cells.edges[near.start + 1 : near.stop + 1])
    of_low, of_high = (a * (a + 2.0 * b) / (3.0 * (a + b) * unit) for a, b in ((low, high), (high, low)))
    # An empty cell has an infinite inverse, and makes the densities at its edges zero.
    with np.errstate(divide="ignore", over="ignore"):
        inverse = 1.0 / masses
        density = 1.0 / (inverse[:, :-1] * of_low + inverse[:, 1:] * of_high)
    # Monotone in the flat cells beside curved ones too.
    for edge, flat in ((first - 1, first - 1), (last - 1, last)):
        if last > first and 0 <= flat < n_cells:
            limit = 3.0 / cells.widths[flat] * masses[:, flat]
            np.minimum(density[:, edge], limit, out=density[:, edge])
    return density


def _gaussian(z: Floats) -> Floats:
    return np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
