"""Geometry of power diagrams: cells, borders, and how far points are from changing cell.

The power cell of site s with weight w is where |x - s|^2 - w is smaller than for every other site
(Aurenhammer 1987, SIAM J. Comput. 16, 78). Cells are convex; equal weights give a Voronoi diagram.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from veldist._support.arrays import Floats, Ints

__all__ = ["adjacent_cells", "margins", "nearest_site", "power_distance"]


def nearest_site(points: Floats, sites: Floats, weights: Floats) -> Ints:
    """Find the power cell of each point.

    All sites are compared with all points, in blocks that stay in the processor's cache. A KD-tree of the
    sites lifted to (s, sqrt(max(w) - w)) finds the same cells in fewer operations, but where weights
    differ much (a concentrated cluster with a sparse halo) it prunes badly and is up to ten times slower.

    Parameters
    ----------
    points : ndarray, shape (n_points, 2)
        Positions.
    sites : ndarray, shape (n_cells, 2)
        Generators of the cells.
    weights : ndarray, shape (n_cells,)
        Weights of the sites, a length squared.

    Returns
    -------
    ndarray of int, shape (n_points,)
        Index of the cell of each point.
    """
    origin = sites.mean(axis=0)
    sites = sites - origin
    # |x|^2 is left out: it is the same for all sites.
    terms = np.vstack([-2 * sites.T, (sites**2).sum(axis=1) - weights])
    rows = np.column_stack([points - origin, np.ones(len(points))])
    cell = np.empty(len(points), dtype=np.int64)
    size = max(16, 2**17 // len(sites))
    for start in range(0, len(points), size):
        block = slice(start, start + size)
        np.argmin(rows[block] @ terms, axis=1, out=cell[block])
    return cell


def power_distance(points: Floats, sites: Floats, weights: Floats, cell: Ints) -> Floats:
    """Compute |x - s|^2 - w of each point for the site that ``cell`` gives it, shape (n_points,)."""
    return ((points - sites[cell]) ** 2).sum(axis=1) - weights[cell]


def adjacent_cells(sites: Floats, weights: Floats) -> tuple[Ints, Ints]:
    """List the pairs of cells with a common border.

    They are edges of the convex hull of the sites lifted to height |s|^2 - w; the upper side of the hull
    adds a few pairs of distant cells.

    Parameters
    ----------
    sites : ndarray, shape (n_cells, 2)
        Generators of the cells.
    weights : ndarray, shape (n_cells,)
        Weights of the sites.

    Returns
    -------
    i, j : ndarray of int, shape (n_borders,)
        Both orders of each pair, sorted by i, then j.
    """
    n = len(sites)
    if n <= 6:
        i, j = np.divmod(np.arange(n * n), n)
        return i[i != j], j[i != j]
    scale = sites.std()
    lifted = np.column_stack([sites / scale, ((sites**2).sum(axis=1) - weights) / scale**2])
    try:
        faces = ConvexHull(lifted).simplices
    except QhullError:  # sites on one line or one circle: joggle them
        faces = ConvexHull(lifted, qhull_options="QJ").simplices
    faces = faces.astype(np.int64)
    keys = [faces[:, a] * n + faces[:, b] for a in range(3) for b in range(3) if a != b]
    i, j = np.divmod(np.unique(np.concatenate(keys)), n)
    return i, j


def margins(
    points: Floats, sites: Floats, weights: Floats, cell: Ints, borders: tuple[Ints, Ints]
) -> tuple[list[Floats], list[Ints]]:
    """For each border (i, j), find by how much w_j - w_i must grow to win each point of cell i.

    Parameters
    ----------
    points : ndarray, shape (n_points, 2)
        Positions.
    sites : ndarray, shape (n_cells, 2)
        Generators of the cells.
    weights : ndarray, shape (n_cells,)
        Weights of the sites.
    cell : ndarray of int, shape (n_points,)
        Cell to which each point is counted; margins are negative where it is not the closest one.
    borders : tuple of two ndarrays of int
        Pairs (i, j).

    Returns
    -------
    margins : list of ndarray
        For each border, the margins of the points of cell i.
    rows : list of ndarray of int
        For each border, the indices of these points.
    """
    i, j = borders
    members = np.split(
        np.argsort(cell, kind="stable"), np.cumsum(np.bincount(cell, minlength=len(sites)))[:-1]
    )
    rows = [members[k] for k in i]
    size = np.array([len(members) for members in rows])
    slope = 2 * (sites[i] - sites[j])
    offset = (sites[j] ** 2).sum(axis=1) - (sites[i] ** 2).sum(axis=1) - weights[j] + weights[i]
    margin = (points[np.concatenate(rows)] * np.repeat(slope, size, axis=0)).sum(axis=1)
    margin += np.repeat(offset, size)
    return np.split(margin, np.cumsum(size)[:-1]), rows
