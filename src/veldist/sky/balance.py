"""Newton steps towards weights of a power diagram that give its cells equal numbers of points.

For given sites, weights exist that give the cells any prescribed numbers of points (Aurenhammer, Hoffmann
& Aronov 1998, Algorithmica 20, 61). They are approached by damped Newton steps (Kitagawa, Merigot & Thibert
2019, J. Eur. Math. Soc. 21, 2603).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from veldist._support.arrays import Floats, Ints
from veldist.sky.power_diagram import adjacent_cells, margins, nearest_site

__all__ = ["approach", "balance", "weight_steps"]

_STEPS = 50


def weight_steps(
    points: Floats, sites: Floats, weights: Floats, cell: Ints, borders: tuple[Ints, Ints], few: int = 0
) -> tuple[Floats, Floats]:
    """Compute two changes of the weights: to keep the given cells for new sites, and to equalise counts.

    Each border asks for a change t of w_j - w_i after which as many points of i as of j are on the wrong
    side, and passes points at a rate g per unit of that change, taken from the first few points beyond.
    The graph Laplacian of g turns wishes and wanted counts into weights (for the counts this is Newton's
    step); it carries them across regions that are empty or much denser than others.

    Parameters
    ----------
    points, sites, weights : ndarray
        As for `nearest_site`.
    cell : ndarray of int, shape (n_points,)
        Cell to which each point is counted; every cell has a point.
    borders : tuple of two ndarrays of int
        Adjacent cells (`adjacent_cells`).
    few : int
        Number of points that rates are taken from; by default a twentieth of a cell's, at least 2.

    Returns
    -------
    keep, equalise : ndarray, shape (n_cells,)
        Changes of the weights, of mean 0.
    """
    n = len(sites)
    i, j = borders
    parts = [np.sort(margin, axis=1) for _, margin in margins(points, sites, weights, cell, borders)]
    length = np.concatenate([np.full(len(part), part.shape[1]) for part in parts])
    first = np.cumsum(length) - length
    margin = np.concatenate([part.ravel() for part in parts])
    few = few or max(2, len(points) // (20 * n))
    ahead = np.flatnonzero(i < j)
    back = np.searchsorted(i * n + j, j[ahead] * n + i[ahead])
    i, j = i[ahead], j[ahead]
    size, a, b = np.minimum(length[ahead], length[back]), first[ahead], first[back]
    # The sums of both sides' margins grow: search by halves for the first that is not negative.
    low, high = np.zeros_like(size), size - 1
    while np.any(low < high):
        middle = (low + high) // 2
        negative = margin[a + middle] + margin[b + middle] < 0
        low, high = np.where(negative, middle + 1, low), np.where(negative, high, middle)
    stop = np.minimum(low + few, size)
    gap = margin[a + stop - 1] + margin[b + stop - 1]
    wish = 0.5 * (margin[a + low] - margin[b + low])
    rate = (stop - low) / np.maximum(0.5 * gap, 1e-9 * ((sites[i] - sites[j]) ** 2).sum(axis=1))
    graph = sparse.coo_matrix((rate, (i, j)), shape=(n, n)).tocsr()
    graph = graph + graph.T
    total = np.asarray(graph.sum(axis=1)).ravel()
    # The tiny ridge fixes the constant, which is free.
    laplacian = splu((sparse.diags(np.where(total > 0, total, 1.0) * (1 + 1e-12)) - graph).tocsc())
    keep = laplacian.solve(np.bincount(j, rate * wish, n) - np.bincount(i, rate * wish, n))
    equalise = laplacian.solve(len(points) / n - np.bincount(cell, minlength=n))
    return keep - keep.mean(), equalise - equalise.mean()


def balance(points: Floats, sites: Floats, weights: Floats, cell: Ints, n_steps: int) -> tuple[Floats, Ints]:
    """Take Newton steps, halved until they bring the counts closer together and empty no cell.

    Parameters
    ----------
    points, sites, weights, cell : ndarray
        As for `weight_steps`.
    n_steps : int
        Largest number of steps.

    Returns
    -------
    weights : ndarray, shape (n_cells,)
        The new weights.
    cell : ndarray of int, shape (n_points,)
        The points' cells.
    """
    for _ in range(n_steps):
        if np.ptp(np.bincount(cell, minlength=len(sites))) <= 1:
            break
        keep, equal = weight_steps(points, sites, weights, cell, adjacent_cells(sites, weights))
        closer = _damped(points, sites, weights, cell, keep + equal)
        if closer is None:
            break
        weights, cell = closer
    return weights, cell


def _damped(
    points: Floats, sites: Floats, weights: Floats, cell: Ints, step: Floats
) -> tuple[Floats, Ints] | None:
    """Weights and cells after the longest of some fractions of a step that helps; None if none does."""
    n = len(sites)
    counts = np.bincount(cell, minlength=n)
    least = max(1.0, 0.5 * min(counts.min(), len(points) / n))
    for fraction in 0.5 ** np.arange(5):
        new_cell = nearest_site(points, sites, weights + fraction * step)
        new_counts = np.bincount(new_cell, minlength=n)
        if new_counts.min() >= least and np.var(new_counts) < np.var(counts):
            return weights + fraction * step, new_cell
    return None


def approach(points: Floats, sites: Floats, weights: Floats, cell: Ints, close: int) -> tuple[Floats, Ints]:
    """Take Newton steps until the counts are close, across gaps without points, too.

    Other than in `balance` borders are not centred in gaps: of cells that do not touch gaps are wide, and
    the wish to centre hinders the rest. Across a gap rates are right only for the number of points that they
    are taken from: it is lowered where steps do not help.

    ``close`` is a difference of the counts that is small enough; others are as for `balance`.
    """
    n = len(sites)
    few = max(2, len(points) // (20 * n))
    for _ in range(_STEPS):
        if np.ptp(np.bincount(cell, minlength=n)) <= close:
            break
        _, step = weight_steps(points, sites, weights, cell, adjacent_cells(sites, weights), few)
        closer = _damped(points, sites, weights, cell, step)
        if closer is not None:
            weights, cell = closer
        elif few > 2:
            few = max(2, few // 4)
        else:
            break
    return weights, cell
