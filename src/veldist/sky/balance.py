"""Weights of a power diagram that give its cells equal numbers of points.

For given sites, weights exist that give the cells any prescribed numbers of points (Aurenhammer, Hoffmann
& Aronov 1998, Algorithmica 20, 61). They are found by damped Newton steps (Kitagawa, Merigot & Thibert
2019, J. Eur. Math. Soc. 21, 2603) and, for the last few points, by shortest augmenting paths of the
transport problem that has the weights as its dual variables.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu

from veldist._support.arrays import Floats, Ints
from veldist.sky.power_diagram import adjacent_cells, margins, nearest_site, power_distance

__all__ = ["balance", "equalise", "weight_steps"]

# Newton steps end after so many, or where counts differ by no more than this; of few points, if passing
# them costs no more than this (in points that are looked at).
_STEPS, _CLOSE, _FEW_PASSES = 50, 8, 2**20
# Points that are looked at on either side of a border, and how many points may all be looked at.
_NEAR, _MANY = 8, 2**17


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
    points : ndarray, shape (n_points, 2)
        Positions.
    sites : ndarray, shape (n_cells, 2)
        Generators of the cells.
    weights : ndarray, shape (n_cells,)
        Their weights.
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


def _approach(points: Floats, sites: Floats, weights: Floats, cell: Ints, close: int) -> tuple[Floats, Ints]:
    """Take Newton steps until only a few points are left to be passed one by one.

    Borders stay where they are in gaps without points: of cells that do not touch these are wide, and to
    centre the borders in them hinders the rest. Across a gap, rates are right only for the number of points
    that they are taken from: it falls as the counts come closer.
    """
    n = len(sites)
    few = max(2, len(points) // (20 * n))
    close = max(close, _CLOSE, _FEW_PASSES // len(points))
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


def equalise(points: Floats, sites: Floats, weights: Floats, n_rounds: int) -> tuple[Floats, Floats, Ints]:
    """Make the counts equal to within one, as far as coincident points allow it.

    Parameters
    ----------
    points, sites, weights : ndarray
        As for `weight_steps`; the sites' cells all hold points.
    n_rounds : int
        Largest number of attempts. After the second the sites are moved a little, by a thousandth of their
        cells, so that points of a lattice do not lie on one border.

    Returns
    -------
    sites, weights : ndarray
        Those of cells that hold points.
    cell : ndarray of int, shape (n_points,)
        The points' cells.
    """
    _, first, position = np.unique(points @ [1, 1j], return_index=True, return_inverse=True)
    together, pile = first[position], np.bincount(position)
    cell = nearest_site(points, sites, weights)
    best, spread = (sites, weights, cell), np.ptp(np.bincount(cell))
    for n_round in range(n_rounds):
        if spread <= 1 or (n_round and pile.max() > -(-len(points) // len(sites))):
            break
        if n_round > 1:
            # Points on a lattice tie along whole rows: tilt the borders by moving the sites a little.
            turn = 2.4 * np.arange(len(sites)) + n_round
            size = np.sqrt(np.bincount(cell, ((points - sites[cell]) ** 2).sum(axis=1)) / np.bincount(cell))
            sites = sites + 1e-3 * size[:, None] * np.column_stack([np.cos(turn), np.sin(turn)])
            cell = nearest_site(points, sites, weights)
        weights, cell = _approach(points, sites, weights, cell, 2 * pile.max())
        weights, cell = _pass_points(points, sites, weights, cell, position)
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


def _pass_points(
    points: Floats, sites: Floats, weights: Floats, cell: Ints, position: Ints
) -> tuple[Floats, Ints]:
    """Pass points from full to wanting cells along the cheapest chains of borders.

    Of many points only those nearest to each border are looked at, unless it turns out that others would
    have to move as well.
    """
    n = len(sites)
    rounding = 1e-12 * ((points**2).sum(axis=1).max() + np.ptp(weights))
    low, high = len(points) // n, -(-len(points) // n)
    near = _NEAR
    while True:
        rows = np.arange(len(points))
        if len(points) > max(_MANY, 6 * n * near):
            rows = _near_borders(points, sites, weights, cell, near)
        others = np.bincount(cell, minlength=n) - np.bincount(cell[rows], minlength=n)
        own = points[rows], sites, weights, cell[rows], others, position[rows]
        new_weights, moved = _pass_some(*own, rounding)
        new_cell = cell.copy()
        new_cell[rows] = moved
        if len(rows) == len(points):
            return new_weights, new_cell
        counts = np.bincount(new_cell, minlength=n)
        closest = nearest_site(points, sites, new_weights)
        gain = power_distance(points, sites, new_weights, new_cell)
        gain -= power_distance(points, sites, new_weights, closest)
        if counts.min() >= low and counts.max() <= high and gain.max() <= rounding:
            return new_weights, new_cell
        if np.ptp(np.bincount(closest, minlength=n)) < np.ptp(np.bincount(cell, minlength=n)):
            weights, cell = new_weights, closest
        near *= 4


def _near_borders(points: Floats, sites: Floats, weights: Floats, cell: Ints, near: int) -> Ints:
    """List the points that are among the ``near`` nearest ones of a border of their cell."""
    chosen = np.zeros(len(points), dtype=bool)
    for rows, margin in margins(points, sites, weights, cell, adjacent_cells(sites, weights)):
        if near < len(rows):
            rows = rows[np.argpartition(margin, near, axis=1)[:, :near]]
        chosen[rows] = True
    return np.flatnonzero(chosen)


def _pass_some(
    points: Floats, sites: Floats, weights: Floats, cell: Ints, others: Ints, position: Ints, rounding: float
) -> tuple[Floats, Ints]:
    """Pass points until all cells, with as many ``others`` that stay, hold equal numbers.

    Cheapest means by the smallest growth of the weights; the weights follow (they are the potentials of
    the successive shortest path method), so that every point handed over lies on the border it crosses.
    """
    n = len(sites)
    cell = cell.copy()
    pile = np.bincount(position)[position]
    total = len(points) + others.sum()
    low, high = total // n, -(-total // n)
    # Where more points than a cell should hold are at one position, it cannot give any of them.
    keeps = np.zeros(n, dtype=np.int64)
    np.maximum.at(keeps, cell, np.where(pile > high, pile, 0))
    extra = np.empty(0, dtype=np.int64)
    for _ in range(20 * len(points)):
        members = np.bincount(cell, minlength=n)
        counts = members + others
        if counts.min() >= low and counts.max() <= high:
            break
        most, least = high if counts.max() > high else low, low if counts.min() < low else high
        givers, takers = np.flatnonzero(counts > np.maximum(most, keeps)), np.flatnonzero(counts < least)
        if givers.size == 0:
            break
        i, j = adjacent_cells(sites, weights)
        borders = np.union1d(i * n + j, extra)
        borders = borders[members[borders // n] > 0]
        lowest, rows = _outermost(points, sites, weights, cell, (borders // n, borders % n))
        graph = sparse.csr_matrix((np.maximum(lowest, 0.0), (borders // n, borders % n)), shape=(n, n))
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
        for taker in takers:
            path = [taker]
            while previous[path[-1]] >= 0:
                path.append(previous[path[-1]])
            here, there = np.array(path[:-1]), np.array(path[1:])
            leaving = rows[np.searchsorted(borders, there * n + here)][:, None]
            if pile[leaving].min() > 1:
                groups = [
                    np.flatnonzero((position == position[row]) & (cell == cell[row])) for row in leaving
                ]
                amount = min(least - counts[taker], counts[path[-1]] - most, *map(len, groups))
                leaving = np.array([group[:amount] for group in groups])
            cell[leaving] = here[:, None]
    return weights, cell


def _outermost(
    points: Floats, sites: Floats, weights: Floats, cell: Ints, borders: tuple[Ints, Ints]
) -> tuple[Floats, Ints]:
    """Find the smallest margin at each border, and the point that has it; every cell i holds points."""
    lowest: list[NDArray[np.float64]] = []
    found: list[NDArray[np.int64]] = []
    for rows, margin in margins(points, sites, weights, cell, borders):
        if len(margin):
            which = margin.argmin(axis=1)
            lowest.append(margin[np.arange(len(margin)), which])
            found.append(rows[which])
    return np.concatenate(lowest), np.concatenate(found)


def _widen_margins(points: Floats, sites: Floats, weights: Floats, cell: Ints) -> Floats:
    """Move each weight towards the middle of the interval that leaves the given cells unchanged."""
    n = len(sites)
    if n == 1:
        return weights
    borders = adjacent_cells(sites, weights)
    lowest, _ = _outermost(points, sites, weights, cell, borders)
    change = _relax(lowest, borders, np.zeros(n))
    if np.any(nearest_site(points, sites, weights + change) != cell):
        # Long chains of borders that touch points are slow to relax. The distances from any cell, and those
        # to any cell, are changes that leave the cells as they are: begin with the mean of many of them.
        graph = sparse.csr_matrix((np.maximum(lowest, 0.0), borders), shape=(n, n))
        some = np.linspace(0, n - 1, min(n, 32), dtype=np.int64)
        away, back = dijkstra(graph, indices=some), dijkstra(graph.T, indices=some)
        change = _relax(lowest, borders, 0.5 * (away - back).mean(axis=0))
    return weights + change


def _relax(lowest: Floats, borders: tuple[Ints, Ints], change: Floats) -> Floats:
    """Move changes of the weights towards the middle of what the lowest margins allow, from any start."""
    i, j = borders
    change = change.copy()
    for sweep in range(1000):
        slack = lowest - change[j] + change[i]
        if sweep >= 60 and slack.min() > 0:
            break
        up, down = np.full(len(change), np.inf), np.full(len(change), np.inf)
        np.minimum.at(up, j, slack)
        np.minimum.at(down, i, slack)
        bounded = np.isfinite(up) & np.isfinite(down)
        # Half-way to the middle: neighbours that move at once towards each other still do not cross.
        change[bounded] += 0.25 * (up[bounded] - down[bounded])
    return change
