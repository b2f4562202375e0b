"""Spatial bins of nearly equal star counts.

A bin is a cell of a power diagram: it is convex, a star's bin follows from its position alone, and so does
that of any other position.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from veldist._support.arrays import Floats, Ints
from veldist._support.validate import check_count, describe_rows, to_array, to_numbers
from veldist.sky.equal_counts import equal_count_diagram
from veldist.sky.placeholders import refuse_placeholders
from veldist.sky.positions import to_points
from veldist.sky.power_diagram import along_curve, nearest_site

__all__ = ["SpatialBins", "bin_stars"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class SpatialBins:
    """Stars sorted into the cells of a power diagram.

    Attributes
    ----------
    x_site, y_site : ndarray, shape (n_bins,)
        Generators of the cells (arcsec).
    weights : ndarray, shape (n_bins,)
        Their weights (arcsec^2): position x lies in the bin with the smallest |x - site|^2 - weight.
    x_bin, y_bin : ndarray, shape (n_bins,)
        Mean position of each bin's stars, or of the members expected among them (arcsec).
    bin_ids : ndarray of int, shape (n_stars,)
        Bin of each star, from 0.
    counts : ndarray of int, shape (n_bins,)
        Number of stars in each bin.
    """

    x_site: Floats
    y_site: Floats
    weights: Floats
    x_bin: Floats
    y_bin: Floats
    bin_ids: Ints
    counts: Ints

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return len(self.weights)

    def stars(self) -> list[Ints]:
        """Rows of the stars in every bin, ascending."""
        return np.split(np.argsort(self.bin_ids, kind="stable"), np.cumsum(self.counts)[:-1])

    def assign(self, x: Any, y: Any) -> Ints:
        """Find the bins of arbitrary positions, inside the stars' footprint or not.

        Parameters
        ----------
        x, y : array_like or Quantity
            Positions (arcsec), of any shape.

        Returns
        -------
        ndarray of int
            Bin of each position, from 0, of the shape of ``x``.

        Raises
        ------
        ValueError
            If ``x`` and ``y`` differ in shape or hold NaN or infinite values.
        """
        x, y = to_numbers(x, "x", "arcsec"), to_numbers(y, "y", "arcsec")
        if x.shape != y.shape:
            raise ValueError(f"x has shape {x.shape} but y has {y.shape}: pass one y for every x.")
        sites = np.column_stack([self.x_site, self.y_site])
        return nearest_site(to_points(x.ravel(), y.ravel()), sites, self.weights).reshape(x.shape)


def bin_stars(x: Any, y: Any, stars_per_bin: int, *, weights: Any = None, max_iter: int = 30) -> SpatialBins:
    """Sort stars into compact bins of equal counts.

    There are round(n_stars / stars_per_bin) bins, at least one, and their counts differ by at most one. Only
    stars at the same position cannot be separated: where they make counts uneven or a bin impossible, the
    counts are left as they are and a warning tells how uneven. The same positions give the same bins.

    With ``weights`` the bins are those of as many stars as members are expected, evenly taken from all: sums
    of the weights in a bin are equal to within a few, and stars without weight are in the bins, but count
    nothing.

    Parameters
    ----------
    x, y : array_like or Quantity, shape (n_stars,)
        Positions (arcsec).
    stars_per_bin : int
        Number of stars wanted in each bin; with ``weights``, of expected members.
    weights : array_like, shape (n_stars,), optional
        Probability of every star to be a member, 0 to 1.
    max_iter : int
        Largest number of Lloyd steps, which make the bins compact. Counts are equal with any number.

    Returns
    -------
    SpatialBins
        The bins.

    Raises
    ------
    TypeError
        If ``stars_per_bin`` or ``max_iter`` is not an integer.
    ValueError
        If positions differ in number or hold NaN or infinite values, or placeholders for missing ones (-9999,
        say, far outside the range of all others), weights are no probabilities or all zero, or
        ``stars_per_bin`` is below 1.
    """
    points = to_points(x, y)
    for name, position in zip("xy", points.T, strict=True):
        refuse_placeholders(position, name)
    stars_per_bin = check_count(stars_per_bin, "stars_per_bin", 1)
    max_iter = check_count(max_iter, "max_iter", 0)
    chance = np.ones(len(points)) if weights is None else _to_chances(weights, len(points))
    counted = points if weights is None else points[_representatives(points, chance)]
    n_bins = max(1, round(len(counted) / stars_per_bin))
    sites, offsets = equal_count_diagram(counted, n_bins, max_iter)
    what = "stars" if weights is None else "expected members"
    _report_counts(np.bincount(nearest_site(counted, sites, offsets), minlength=len(sites)), n_bins, what)
    bin_ids = nearest_site(points, sites, offsets)
    counts, expected = (np.bincount(bin_ids, w, minlength=len(sites)) for w in (None, chance))
    x_bin, y_bin = (np.bincount(bin_ids, chance * axis) / expected for axis in points.T)
    return SpatialBins(sites[:, 0], sites[:, 1], offsets, x_bin, y_bin, bin_ids, counts)


def _to_chances(weights: Any, n_stars: int) -> Floats:
    """Probabilities, checked."""
    chance = to_array(weights, "weights", "")
    if chance.size != n_stars:
        raise ValueError(f"weights has {chance.size} values for {n_stars} stars: pass one for each.")
    bad = ~((chance >= 0.0) & (chance <= 1.0))
    if bad.any():
        raise ValueError(
            f"weights has {describe_rows(bad, chance)} outside 0 to 1: pass probabilities of membership."
        )
    if not chance.any():
        raise ValueError(f"weights of all {n_stars} stars are 0: there are no members to be binned.")
    return chance


def _representatives(points: Floats, chance: Floats) -> Ints:
    """Rows of as many stars as members are expected, evenly taken along a curve through all."""
    order = along_curve(points)
    taken = np.diff(np.floor(np.cumsum(chance[order]) + 0.5), prepend=0.0) > 0.0
    # Less than half a member is one star.
    return np.sort(order[taken]) if taken.any() else np.array([np.argmax(chance)])


def _report_counts(counts: Ints, n_wanted: int, what: str) -> None:
    """Log the range of the counts; warn if it is wider than equal counts would have."""
    low, high, mean = counts.min(), counts.max(), counts.sum() / n_wanted
    logger.info("%d bins of %d to %d %s (%.1f wanted)", len(counts), low, high, what, mean)
    if len(counts) < n_wanted or max(mean - low, high - mean) > max(2.0, 0.05 * mean):
        warnings.warn(
            f"{len(counts)} bins of {low} to {high} stars instead of {n_wanted} bins of {mean:.1f}: stars at "
            "the same position, or on a lattice, cannot be told apart. Merge repeated measurements of a "
            "star, or take more stars per bin.",
            stacklevel=3,
        )
