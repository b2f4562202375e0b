"""Which rows of a table are one star: equal names, or equal positions."""

from __future__ import annotations

from typing import Any

import numpy as np

from veldist._support import validate
from veldist._support.arrays import Floats, Ints, distinct_rows

__all__ = ["by_name", "by_position", "look_like_visits", "to_labels"]

# What one star can say for or against: binaries differ by more than their errors, too.
_VOICE = 2.0


def to_labels(value: Any, name: str, n_stars: int, rows: Ints | None = None) -> np.ndarray:
    """Names of stars or instruments, (n_stars,), of any type; raises `ValueError` where some are missing.

    Their rows are their places if ``rows`` does not tell others.
    """
    array = np.ma.asarray(value)
    if array.shape != (n_stars,):
        raise ValueError(f"{name} has shape {array.shape} for {n_stars} velocities: pass one for each.")
    plain = np.asarray(array.data)
    missing = np.ma.getmaskarray(array).copy()
    if plain.dtype.kind == "f":
        missing |= np.isnan(plain)
    elif plain.dtype.kind in "OSU":
        plain = plain.astype(str)
        missing |= np.char.strip(plain) == ""
    if missing.any():
        which = validate.describe_rows(missing, rows=rows)
        raise ValueError(f"{name} has {which} without a value: fill it in.")
    return plain


def by_name(name: np.ndarray) -> Ints:
    """Number of the star in every row, counted in the order of their first rows."""
    return _in_order(np.unique(name, return_inverse=True)[1])


def by_position(x: Floats, y: Floats, tolerance: float = 0.0) -> Ints:
    """Number of the star in every row; rows closer than the tolerance are one, and so are chains of them."""
    position = np.column_stack([x, y])
    if tolerance == 0.0:
        return _in_order(distinct_rows(position)[1])
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import KDTree

    pairs = KDTree(position).query_pairs(tolerance, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(len(position),) * 2)
    return _in_order(connected_components(links, directed=False)[1])


def look_like_visits(vel: Floats, err: Floats, star: Ints) -> bool:
    """Whether rows that share a position are visits of one star rather than several stars.

    Several differ by the dispersion of the sample, visits by their errors, unless a star is variable: each
    has a limited voice in the sum of the log likelihood ratios. Rows that repeat another have none.
    """
    spread = 1.4826 * float(np.median(np.abs(vel - np.median(vel))))
    population = max(spread**2 - float(np.median(err)) ** 2, 0.0)
    order = np.argsort(star, kind="stable")
    first, second = order[:-1], order[1:]
    same = (star[first] == star[second]) & ((vel[first] != vel[second]) | (err[first] != err[second]))
    first, second = first[same], second[same]
    visits = err[first] ** 2 + err[second] ** 2
    stars = visits + 2.0 * population
    ratio = 0.5 * (np.log(stars / visits) - (vel[first] - vel[second]) ** 2 * (1.0 / visits - 1.0 / stars))
    return float(np.clip(ratio, -_VOICE, _VOICE).sum()) >= 0.0


def _in_order(label: Ints) -> Ints:
    """Labels counted anew, in the order in which they first come."""
    first = np.unique(label, return_index=True)[1]
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[label.ravel()]
