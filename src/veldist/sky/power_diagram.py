"""Geometry of power diagrams: cells, borders, and how far points are from changing cell.

The power cell of site s with weight w is where |x - s|^2 - w is smaller than for every other site
(Aurenhammer 1987, SIAM J. Comput. 16, 78). Cells are convex; equal weights give a Voronoi diagram.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import cdist

from veldist._support.arrays import Floats, Ints

__all__ = ["MANY_SITES", "adjacent_cells", "along_curve", "margins", "nearest_site", "power_distance"]

# With more sites, a block of points is compared only with those that can be nearest to one of them.
MANY_SITES = 512
_BLOCK = 256


def along_curve(points: Floats) -> Ints:
    """Order points along a Z-order curve (Morton 1966), so that those of any stretch lie close together.

    Parameters
    ----------
    points : ndarray, shape (n_points, 2)
        Positions; the extent is divided into 2^31 steps.

    Returns
    -------
    ndarray of int, shape (n_points,)
        Rows of the points in this order.
    """
    steps = (points - points.min(axis=0)) * ((2**31 - 1) / max(np.ptp(points, axis=0).max(), 1e-300))
    code = np.zeros(len(points), dtype=np.uint64)
    for axis in (0, 1):
        bits = steps[:, axis].astype(np.uint64)
        # Put a zero after every bit of the 32.
        for shift, mask in (
            (16, 0x0000FFFF0000FFFF),
            (8, 0x00FF00FF00FF00FF),
            (4, 0x0F0F0F0F0F0F0F0F),
            (2, 0x3333333333333333),
            (1, 0x5555555555555555),
        ):
            bits = (bits | (bits << np.uint64(shift))) & np.uint64(mask)
        code |= bits << np.uint64(axis)
    return np.argsort(code, kind="stable")


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
    if len(sites) > MANY_SITES:
        for block, near in _blocks(rows[:, :2], sites, terms):
            cell[block] = near[np.argmin(rows[block] @ terms[:, near], axis=1)]
        return cell
    size = max(16, 2**17 // len(sites))
    for start in range(0, len(points), size):
        block = slice(start, start + size)
        np.argmin(rows[block] @ terms, axis=1, out=cell[block])
    return cell


def _blocks(points: Floats, sites: Floats, terms: Floats) -> Iterator[tuple[slice, Ints]]:
    """Successive blocks of points, and the sites that may be nearest to some of each.

    Between the centre of a block and a point at distance r from it, the power distances of two sites change
    by amounts that differ by at most 2 r |s_i - s_j|.
    """
    starts = np.arange(0, len(points), _BLOCK)
    sizes = np.diff(np.append(starts, len(points)))
    centers = np.add.reduceat(points, starts) / sizes[:, None]
    radii = np.maximum.reduceat(np.hypot(*(points - np.repeat(centers, sizes, axis=0)).T), starts)
    slack = 1e-12 * np.abs(terms[2]).max()
    n_rows = max(1, 2**18 // len(sites))
    for first in range(0, len(starts), n_rows):
        some = slice(first, first + n_rows)
        distance = np.column_stack([centers[some], np.ones(len(centers[some]))]) @ terms
        best = distance.argmin(axis=1)
        lead = distance - np.take_along_axis(distance, best[:, None], axis=1)
        near = lead <= 2 * radii[some, None] * cdist(sites[best], sites) + slack
        for start, row in zip(starts[some], near, strict=True):
            yield slice(start, start + _BLOCK), np.flatnonzero(row)


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
) -> Iterator[tuple[Ints, Floats]]:
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
        Pairs (i, j), sorted by i.

    Yields
    ------
    rows : ndarray of int, shape (n_members,)
        For each cell, the indices of its points.
    margin : ndarray, shape (n_borders_of_cell, n_members)
        Their margins at each of its borders.
    """
    i, j = borders
    n = len(sites)
    members = np.argsort(cell.astype(np.uint16) if n < 2**16 else cell, kind="stable")
    x, y = points[members].T
    slope = 2 * (sites[i] - sites[j])
    offset = (sites[j] ** 2).sum(axis=1) - (sites[i] ** 2).sum(axis=1) - weights[j] + weights[i]
    ends = np.cumsum(np.bincount(cell, minlength=n))
    edges = np.searchsorted(i, np.arange(n + 1))
    for k in range(n):
        own = slice(ends[k - 1] if k else 0, ends[k])
        border = slice(edges[k], edges[k + 1])
        margin = slope[border, :1] * x[own]
        margin += slope[border, 1:] * y[own]
        margin += offset[border, None]
        yield members[own], margin
