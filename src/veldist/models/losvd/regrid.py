r"""From masses of cells to masses of the bins of any velocity grid, smoothly.

The cumulative mass is known at the cells' edges. Between them it is interpolated by the monotone cubic of
Fritsch & Carlson (1980, SIAM J. Numer. Anal. 17, 238) with the slopes of Fritsch & Butland (1984, SIAM J.
Sci. Stat. Comput. 5, 300), not over z but over a coordinate u in which the frame's Gaussian is a straight
line: :math:`u = \Phi(z)` where cells are curved, and its tangent from there outwards. A LOSVD that is this
Gaussian thus has exactly its masses in bins of any width, others have no steps at the edges of cells, every
cell keeps its mass, and no bin is negative. Beyond the cells there is nothing: the density ends at zero.

The masses of bins are linear in the cells' masses and the slopes at their edges,

.. math:: \int_{a_j}^{z} f = w_j\, t^2 (3 - 2t)
                            + h_j \left[ s_j\, t (1 - t)^2 - s_{j+1}\, t^2 (1 - t) \right] ,

with t the share of the cell's width :math:`h_j` in u that lies below z. Sums over cells are therefore free of
cancellation, bins that are unions of bins have the sums of their masses, and all draws take two products.
"""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Floats
from veldist.models.losvd.cells import Cells

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
    width = _widths(cells)
    cell, t = cells.locate(edges)
    edge = np.arange(edges.size)
    of_masses = (np.arange(width.size)[:, None] < cell).astype(np.float64)
    of_masses[cell, edge] = t**2 * (3.0 - 2.0 * t)
    of_slopes = np.zeros((width.size + 1, edges.size))
    of_slopes[cell, edge] = width[cell] * t * (1.0 - t) ** 2
    of_slopes[cell + 1, edge] = -width[cell] * t**2 * (1.0 - t)
    # The outermost slopes are zero.
    bins = masses @ np.diff(of_masses, axis=1) + _slopes(masses, width) @ np.diff(of_slopes[1:-1], axis=1)
    return np.maximum(bins, 0.0, out=bins)


def fine_edges(cells: Cells) -> Floats:
    """Edges of equal parts of the cells, none wider than 0.05 but far out, where a cell has 20 parts."""
    parts = np.clip(np.ceil(cells.widths / _FINE - 1e-9), 1, _MAX_PARTS).astype(int)
    cell = np.repeat(np.arange(parts.size), parts)
    part = np.arange(cell.size) - (np.cumsum(parts) - parts)[cell]
    return np.append(cells.edges[cell] + cells.widths[cell] * part / parts[cell], cells.edges[-1])


def _widths(cells: Cells) -> Floats:
    """Widths of the cells in u, (K,)."""
    width, core = cells.widths, cells.curved
    if core.stop > core.start:
        width[core] = cells.gaussian
        for wing, edge in ((slice(0, core.start), core.start), (slice(core.stop, None), core.stop)):
            width[wing] *= np.exp(-0.5 * cells.edges[edge] ** 2) / np.sqrt(2.0 * np.pi)
    return width


def _slopes(masses: Floats, width: Floats) -> Floats:
    """Density in u at the inner edges, (n, K - 1): weighted harmonic means of those on either side."""
    left, right = width[:-1] + 2.0 * width[1:], 2.0 * width[:-1] + width[1:]
    # An empty cell has an infinite inverse, and makes the slopes at its edges zero.
    with np.errstate(divide="ignore", over="ignore"):
        inverse = width / masses
        return 1.0 / (inverse[:, :-1] * (left / (left + right)) + inverse[:, 1:] * (right / (left + right)))
