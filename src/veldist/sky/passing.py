"""Power cells that hold numbers of points equal to within one.

The last few points are passed between cells along shortest augmenting paths of the transport problem that
has the weights as its dual variables (Aurenhammer, Hoffmann & Aronov 1998, Algorithmica 20, 61).
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from veldist._support.arrays import Floats, Ints, distinct_rows
from veldist.sky.balance import approach
from veldist.sky.power_diagram import adjacent_cells, margins, nearest_site, power_distance

__all__ = ["equalise"]

# Points are passed one by one where counts differ by no more than this, or if it takes no longer than this.
_CLOSE, _FEW_PASSES = 8, 2**20
# Points that are looked at on either side of a border, and how many may all be looked at.
_NEAR, _MANY = 8, 2**17


def equalise(points: Floats, sites: Floats, weights: Floats, n_rounds: int) -> tuple[Floats, Floats, Ints]:
    """Make the counts equal to within one, as far as coincident points allow it.

    Parameters
    ----------
    points, sites, weights : ndarray
        As for `nearest_site`; the sites' cells all hold points.
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
    first, position, pile = distinct_rows(points)
    together = first[position]
    # To pass points one by one takes a time in proportion to their number and to that of all.
    close = max(_CLOSE, _FEW_PASSES // len(points), 4 * int(np.median(pile[position])))
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
        weights, cell = approach(points, sites, weights, cell, close)
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
        new_cell = cell.copy()
        new_weights, new_cell[rows] = _pass_some(
            points[rows], sites, weights, cell[rows], others, position[rows], rounding
        )
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
    """Pass points until all cells, with the numbers of ``others`` that stay, hold equal numbers.

    A chain is the cheaper the less weights must grow; the weights follow (they are the potentials of the
    successive shortest path method), so that every point handed over lies on the border it crosses.
    """
    n = len(sites)
    cell = cell.copy()
    pile = np.bincount(position)[position]
    total = len(points) + others.sum()
    low, high = total // n, -(-total // n)
    extra = np.empty(0, dtype=np.int64)
    for _ in range(20 * len(points)):
        members = np.bincount(cell, minlength=n)
        counts = members + others
        if counts.min() >= low and counts.max() <= high:
            break
        most, least = high if counts.max() > high else low, low if counts.min() < low else high
        givers, takers = np.flatnonzero(counts > most), np.flatnonzero(counts < least)
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
                # All who leave have company at their positions: pass as many as may go the same way.
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
    lowest: list[Floats] = []
    found: list[Ints] = []
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
