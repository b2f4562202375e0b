"""Power diagrams whose cells are compact and hold equal numbers of points.

For given sites, weights exist that give the cells any prescribed numbers of points (Aurenhammer, Hoffmann
& Aronov 1998, Algorithmica 20, 61). They are found by damped Newton steps (Kitagawa, Merigot & Thibert
2019, J. Eur. Math. Soc. 21, 2603) and, for the last few points, by shortest augmenting paths of the
transport problem that has the weights as its dual variables. Lloyd steps of the sites in between make the
cells compact (Balzer, Schloemer & Deussen 2009, ACM Trans. Graph. 28, 86).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu

from veldist._support.arrays import Floats, Ints
from veldist.sky.power_diagram import adjacent_cells, margins, nearest_site, power_distance

__all__ = ["equal_count_diagram", "equal_count_split"]


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
    sites = _starting_sites(points, n_cells)
    weights = np.zeros(len(sites))
    if len(sites) > 1:
        sites, weights = _lloyd(points, sites, weights, max_iter)
    return sites + origin, weights - weights.max()


def _starting_sites(points: Floats, n_cells: int) -> Floats:
    """Take from each group of the split the point nearest its median: no cell of these sites is empty."""
    labels = equal_count_split(points, n_cells)
    groups = np.split(np.argsort(labels, kind="stable"), np.cumsum(np.bincount(labels))[:-1])
    medians = np.array([np.median(points[rows], axis=0) for rows in groups])
    distance = ((points - medians[labels]) ** 2).sum(axis=1)
    return np.unique(points[[rows[np.argmin(distance[rows])] for rows in groups]], axis=0)


def _lloyd(points: Floats, sites: Floats, weights: Floats, max_iter: int) -> tuple[Floats, Floats]:
    """Alternate Lloyd steps and balancing, and end with counts that are equal to within one.

    Counts are roughly equal most of the time and exactly at the end. Equalising them distorts the cells a
    little, so that a few steps are left to mend that.
    """
    target = len(points) / len(sites)
    weights, cell = _balance(points, sites, weights, nearest_site(points, sites, weights), n_steps=6)
    exact = False
    for left in range(max_iter, 0, -1):
        step = _lloyd_step(points, sites, weights, cell)
        if step is None and exact:
            break
        if step is not None:
            sites, weights, cell = step
        exact = step is None or left <= 4
        if exact:
            sites, weights, cell = _equalise(points, sites, weights, n_rounds=2)
        elif np.ptp(np.bincount(cell)) > 0.2 * target:
            weights, cell = _balance(points, sites, weights, cell, n_steps=1)
    weights, _ = _balance(points, sites, weights, cell, n_steps=5)
    sites, weights, _ = _equalise(points, sites, weights, n_rounds=6)
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
        keep, equalise = _weight_steps(points, moved, weights, cell, borders)
        new_weights = weights + keep + fraction * equalise
        new_cell = nearest_site(points, moved, new_weights)
        new_counts = np.bincount(new_cell, minlength=n)
        if new_counts.min() >= least and new_counts.max() <= most:
            return moved, new_weights, new_cell
    return None


def _weight_steps(
    points: Floats, sites: Floats, weights: Floats, cell: Ints, borders: tuple[Ints, Ints]
) -> tuple[Floats, Floats]:
    """Compute two changes of the weights: to keep the given cells for new sites, and to equalise counts.

    Each border asks for a change t of w_j - w_i after which as many points of i as of j are on the wrong
    side, and passes points at a rate g per unit of that change, taken from the first few points beyond.
    The graph Laplacian of g turns wishes and wanted counts into weights (for the counts this is Newton's
    step); it carries them across regions that are empty or much denser than others.
    """
    n = len(sites)
    i, j = borders
    sorted_margins = [np.sort(margin) for margin in margins(points, sites, weights, cell, borders)[0]]
    few = max(2, len(points) // (20 * n))
    ahead = np.flatnonzero(i < j)
    back = np.searchsorted(i * n + j, j[ahead] * n + i[ahead])
    i, j = i[ahead], j[ahead]
    least = 1e-9 * ((sites[i] - sites[j]) ** 2).sum(axis=1)
    wish, rate = np.zeros(len(ahead)), np.zeros(len(ahead))
    for k, (a, b) in enumerate(zip(ahead, back, strict=True)):
        size = min(len(sorted_margins[a]), len(sorted_margins[b]))
        gap = sorted_margins[a][:size] + sorted_margins[b][:size]
        start = min(int(np.searchsorted(gap, 0.0)), size - 1)
        stop = min(start + few, size)
        wish[k] = 0.5 * (sorted_margins[a][start] - sorted_margins[b][start])
        rate[k] = (stop - start) / max(0.5 * gap[stop - 1], least[k])
    graph = sparse.coo_matrix((rate, (i, j)), shape=(n, n)).tocsr()
    graph = graph + graph.T
    total = np.asarray(graph.sum(axis=1)).ravel()
    # The tiny ridge fixes the constant, which is free.
    laplacian = splu((sparse.diags(np.where(total > 0, total, 1.0) * (1 + 1e-12)) - graph).tocsc())
    keep = laplacian.solve(np.bincount(j, rate * wish, n) - np.bincount(i, rate * wish, n))
    equalise = laplacian.solve(len(points) / n - np.bincount(cell, minlength=n))
    return keep - keep.mean(), equalise - equalise.mean()


def _balance(points: Floats, sites: Floats, weights: Floats, cell: Ints, n_steps: int) -> tuple[Floats, Ints]:
    """Take Newton steps, halved until they bring the counts closer together and empty no cell."""
    counts = np.bincount(cell, minlength=len(sites))
    for _ in range(n_steps):
        if np.ptp(counts) <= 1:
            break
        keep, equalise = _weight_steps(points, sites, weights, cell, adjacent_cells(sites, weights))
        step = keep + equalise
        least = max(1.0, 0.5 * min(counts.min(), len(points) / len(sites)))
        for fraction in 0.5 ** np.arange(5):
            new_cell = nearest_site(points, sites, weights + fraction * step)
            new_counts = np.bincount(new_cell, minlength=len(sites))
            if new_counts.min() >= least and np.var(new_counts) < np.var(counts):
                weights, cell, counts = weights + fraction * step, new_cell, new_counts
                break
        else:
            break
    return weights, cell


def _equalise(points: Floats, sites: Floats, weights: Floats, n_rounds: int) -> tuple[Floats, Floats, Ints]:
    """Make the counts equal to within one, as far as coincident points allow it."""
    _, first, position = np.unique(points, axis=0, return_index=True, return_inverse=True)
    together = first[position.ravel()]
    cell = nearest_site(points, sites, weights)
    best, spread = (sites, weights, cell), np.ptp(np.bincount(cell))
    for n_round in range(n_rounds):
        if spread <= 1:
            break
        if n_round > 1:
            # Points on a lattice tie along whole rows: tilt the borders by moving the sites a little.
            turn = 2.4 * np.arange(len(sites)) + n_round
            size = np.sqrt(np.bincount(cell, ((points - sites[cell]) ** 2).sum(axis=1)) / np.bincount(cell))
            sites = sites + 1e-3 * size[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
            cell = nearest_site(points, sites, weights)
        weights, cell = _pass_points(points, sites, weights, cell)
        # Coincident points cannot be told apart: they go together, and may leave a cell empty.
        filled, cell = np.unique(cell[together], return_inverse=True)
        sites, weights = sites[filled], weights[filled]
        weights = _widen_margins(points, sites, weights, cell)
        cell = nearest_site(points, sites, weights)
        counts = np.bincount(cell, minlength=len(sites))
        if counts.min() == 0:  # rounding has decided ties against a cell
            sites, weights, cell = best
        elif np.ptp(counts) < spread or len(sites) < len(best[0]):
            best, spread = (sites, weights, cell), np.ptp(counts)
    return best


def _pass_points(points: Floats, sites: Floats, weights: Floats, cell: Ints) -> tuple[Floats, Ints]:
    """Pass points from full to wanting cells along the cheapest chains of borders.

    Cheapest means by the smallest growth of the weights; the weights follow (they are the potentials of
    the successive shortest path method), so that every point handed over lies on the border it crosses.
    """
    n = len(sites)
    cell = cell.copy()
    low, high = len(points) // n, -(-len(points) // n)
    rounding = 1e-12 * ((points**2).sum(axis=1).max() + np.ptp(weights))
    extra = np.empty(0, dtype=np.int64)
    for _ in range(20 * len(points)):
        counts = np.bincount(cell, minlength=n)
        if counts.min() >= low and counts.max() <= high:
            break
        givers = np.flatnonzero(counts > (high if counts.max() > high else low))
        takers = np.flatnonzero(counts < (low if counts.min() < low else high))
        i, j = adjacent_cells(sites, weights)
        borders = np.union1d(i * n + j, extra)
        borders = borders[counts[borders // n] > 0]
        margin, rows = margins(points, sites, weights, cell, (borders // n, borders % n))
        lowest = np.array([max(values.min(), 0.0) for values in margin])
        graph = sparse.csr_matrix((lowest, (borders // n, borders % n)), shape=(n, n))
        cost, previous, root = dijkstra(graph, indices=givers, return_predecessors=True, min_only=True)
        takers = takers[np.argsort(cost[takers], kind="stable")]
        takers = takers[np.isfinite(cost[takers])]
        # Paths that start at different givers have no cell in common: use one of each at a time.
        takers = takers[np.sort(np.unique(root[takers], return_index=True)[1])]
        if takers.size == 0:
            break
        new_weights = weights + np.minimum(cost, cost[takers].max())
        # A large change makes cells adjacent that were not: their borders must limit it too.
        closest = nearest_site(points, sites, new_weights)
        gain = power_distance(points, sites, new_weights, cell)
        gain -= power_distance(points, sites, new_weights, closest)
        missing = np.setdiff1d((cell * n + closest)[gain > rounding], borders)
        if missing.size:
            extra = np.union1d(extra, missing)
            continue
        weights = new_weights
        for here in takers:
            while previous[here] >= 0:
                border = np.searchsorted(borders, previous[here] * n + here)
                cell[rows[border][np.argmin(margin[border])]] = here
                here = previous[here]
    return weights, cell


def _widen_margins(points: Floats, sites: Floats, weights: Floats, cell: Ints) -> Floats:
    """Move each weight towards the middle of the interval that leaves the given cells unchanged."""
    n = len(sites)
    if n == 1:
        return weights
    i, j = adjacent_cells(sites, weights)
    lowest = np.array([margin.min() for margin in margins(points, sites, weights, cell, (i, j))[0]])
    change = np.zeros(n)
    for sweep in range(1000):
        slack = lowest - change[j] + change[i]
        if sweep >= 60 and slack.min() > 0:
            break
        up, down = np.full(n, np.inf), np.full(n, np.inf)
        np.minimum.at(up, j, slack)
        np.minimum.at(down, i, slack)
        bounded = np.isfinite(up) & np.isfinite(down)
        # Half-way to the middle: neighbours that move at once towards each other still do not cross.
        change[bounded] += 0.25 * (up[bounded] - down[bounded])
    return weights + change
