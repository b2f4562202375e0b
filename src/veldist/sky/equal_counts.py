"""Power diagrams whose cells are compact and hold equal numbers of points.

For given sites, weights exist that give the cells any prescribed numbers of points (Aurenhammer, Hoffmann
& Aronov 1998, Algorithmica 20, 61). They are found by damped Newton steps (Kitagawa, Merigot & Thibert
2019, J. Eur. Math. Soc. 21, 2603) and, for the last few points, by shortest augmenting paths of the
transport problem that has the weights as its dual variables. Lloyd steps of the sites in between make the
cells compact (Balzer, Schloemer & Deussen 2009, ACM Trans. Graph. 28, 86).
"""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Floats, Ints
from veldist.sky.balance import balance, equalise, weight_steps
from veldist.sky.power_diagram import MANY_SITES, adjacent_cells, along_curve, nearest_site

__all__ = ["equal_count_diagram", "equal_count_split"]

# The Lloyd steps see so many points, and so many of each cell, but all if that is not half as many.
_SAMPLE, _SAMPLE_PER_CELL = 2**15, 200


def equal_count_split(points: Floats, n_cells: int) -> Ints:
    """Cut the points recursively, across their longer axis, into groups of equal size.

    Parameters
    ----------
    points : ndarray, shape (n_points, 2)
        Positions.
    n_cells : int
        Number of groups, at most n_points.

    Returns
    -------
    ndarray of int, shape (n_points,)
        Group of each point.
    """
    labels = np.empty(len(points), dtype=np.int64)
    pending = [(np.arange(len(points)), n_cells)]
    label = 0
    while pending:
        rows, n = pending.pop()
        if n == 1:
            labels[rows] = label
            label += 1
            continue
        axis = int(np.argmax(points[rows].std(axis=0)))
        rows = rows[np.argsort(points[rows, axis], kind="stable")]
        cut = round(len(rows) * (n // 2) / n)
        pending += [(rows[cut:], n - n // 2), (rows[:cut], n // 2)]
    return labels


def equal_count_diagram(points: Floats, n_cells: int, max_iter: int) -> tuple[Floats, Floats]:
    """Find sites and weights of a power diagram with equal counts and compact cells.

    Of many points the Lloyd steps see an even sample; the counts are those of all points.

    Parameters
    ----------
    points : ndarray, shape (n_points, 2)
        Positions.
    n_cells : int
        Number of cells asked for, 1 to n_points.
    max_iter : int
        Largest number of Lloyd steps.

    Returns
    -------
    sites : ndarray, shape (n_cells, 2)
        Generators. There are fewer than asked for only if coincident points leave cells empty.
    weights : ndarray, shape (n_cells,)
        Weights; the largest is 0.
    """
    origin = points.mean(axis=0)
    points = points - origin
    sample = points
    n_sample = max(_SAMPLE, _SAMPLE_PER_CELL * n_cells)
    if len(points) > 2 * n_sample or n_cells > MANY_SITES:
        points = points[along_curve(points)]
        sample = points
    if len(points) > 2 * n_sample:
        sample = points[(np.arange(n_sample) * len(points)) // n_sample]
    sites = _starting_sites(sample, n_cells)
    weights = np.zeros(len(sites))
    if len(sites) > 1:
        sites, weights = _lloyd(sample, sites, weights, max_iter, exact=sample is points)
        if sample is points:
            cell = nearest_site(points, sites, weights)
            weights, _ = balance(points, sites, weights, cell, n_steps=5)
        sites, weights, _ = equalise(points, sites, weights, n_rounds=6)
    return sites + origin, weights - weights.max()


def _starting_sites(points: Floats, n_cells: int) -> Floats:
    """Take from each group of the split the point nearest its median: no cell of these sites is empty."""
    labels = equal_count_split(points, n_cells)
    groups = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])
    medians = np.array([np.median(points[rows], axis=0) for rows in groups])
    distance = ((points - medians[labels]) ** 2).sum(axis=1)
    return np.unique(points[[rows[np.argmin(distance[rows])] for rows in groups]], axis=0)


def _lloyd(
    points: Floats, sites: Floats, weights: Floats, max_iter: int, exact: bool
) -> tuple[Floats, Floats]:
    """Alternate Lloyd steps and balancing, so that counts are roughly equal.

    ``exact``: equal to within one in the last steps, so that these mend how equalising has distorted cells.
    """
    target = len(points) / len(sites)
    weights, cell = balance(points, sites, weights, nearest_site(points, sites, weights), n_steps=6)
    equal = False
    for left in range(max_iter, 0, -1):
        step = _lloyd_step(points, sites, weights, cell)
        if step is None and (equal or not exact):
            break
        if step is not None:
            sites, weights, cell = step
        equal = exact and (step is None or left <= 4)
        if equal:
            sites, weights, cell = equalise(points, sites, weights, n_rounds=2)
        elif np.ptp(np.bincount(cell)) > 0.2 * target:
            weights, cell = balance(points, sites, weights, cell, n_steps=1)
    return sites, weights


def _lloyd_step(
    points: Floats, sites: Floats, weights: Floats, cell: Ints
) -> tuple[Floats, Floats, Ints] | None:
    """Move the sites to the means of their points, less far if that starves or floods a cell.

    Returns the new sites, weights and cells of the points; None if the sites are there already or if no
    step is small enough.
    """
    n = len(sites)
    counts = np.bincount(cell, minlength=n)
    means = np.column_stack([np.bincount(cell, axis, n) for axis in points.T]) / counts[:, None]
    rms = np.sqrt(np.bincount(cell, ((points - means[cell]) ** 2).sum(axis=1)) / counts)
    shift = means - sites
    if np.all(np.hypot(*shift.T) <= 1e-3 * rms):
        return None
    least = max(1.0, 0.5 * min(len(points) / n, counts.min()))
    most = 2 * max(len(points) / n, counts.max())
    borders = adjacent_cells(sites, weights)
    for fraction in 0.5 ** np.arange(6):
        moved = sites + fraction * shift
        keep, equalise = weight_steps(points, moved, weights, cell, borders)
        new_weights = weights + keep + fraction * equalise
        new_cell = nearest_site(points, moved, new_weights)
        new_counts = np.bincount(new_cell, minlength=n)
        if new_counts.min() >= least and new_counts.max() <= most:
            return moved, new_weights, new_cell
    return None
