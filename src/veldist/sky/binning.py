"""Spatial bins of nearly equal star counts, and the pixel map that shows them.

A bin is a cell of a power diagram: it is convex, a star's bin follows from its position alone, and so does
that of any other position. `bin_stars` finds the cells, `pixelize` draws them on a grid of pixels.
"""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from veldist._support.arrays import Floats, Ints
from veldist._support.validate import (
    check_count,
    check_finite,
    check_same_length,
    to_array,
    to_float,
    to_numbers,
)
from veldist.sky.equal_counts import equal_count_diagram
from veldist.sky.footprint import covering_grid, footprint, star_spacing
from veldist.sky.pixels import PixelGrid
from veldist.sky.placeholders import refuse_placeholders
from veldist.sky.power_diagram import nearest_site

__all__ = ["PixelGrid", "SpatialBins", "bin_stars", "pixelize"]

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
        Mean position of each bin's stars (arcsec).
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
        return nearest_site(_positions(x.ravel(), y.ravel()), sites, self.weights).reshape(x.shape)


def bin_stars(x: Any, y: Any, stars_per_bin: int, *, max_iter: int = 30) -> SpatialBins:
    """Sort stars into compact bins of equal counts.

    There are round(n_stars / stars_per_bin) bins, at least one, and their counts differ by at most one. Only
    stars at the same position cannot be separated: where they make counts uneven or a bin impossible, the
    counts are left as they are and a warning tells how uneven. The same positions give the same bins.

    Parameters
    ----------
    x, y : array_like or Quantity, shape (n_stars,)
        Positions (arcsec).
    stars_per_bin : int
        Number of stars wanted in each bin.
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
        say, far outside the range of all others), or ``stars_per_bin`` is below 1.
    """
    positions = _positions(x, y)
    for name, position in zip("xy", positions.T, strict=True):
        refuse_placeholders(position, name)
    stars_per_bin = check_count(stars_per_bin, "stars_per_bin", 1)
    max_iter = check_count(max_iter, "max_iter", 0)
    n_bins = max(1, round(len(positions) / stars_per_bin))
    sites, weights = equal_count_diagram(positions, n_bins, max_iter)
    bin_ids = nearest_site(positions, sites, weights)
    counts = np.bincount(bin_ids, minlength=len(sites))
    _report_counts(counts, n_bins)
    x_bin, y_bin = (np.bincount(bin_ids, axis) / counts for axis in positions.T)
    return SpatialBins(sites[:, 0], sites[:, 1], weights, x_bin, y_bin, bin_ids, counts)


def pixelize(
    bins: SpatialBins,
    x: Any,
    y: Any,
    *,
    n_pixels: int | None = None,
    max_pixels: int = 1000,
    angle_deg: Any = 0.0,
) -> tuple[PixelGrid, Ints]:
    """Draw the bins on a grid of square pixels that covers the stars.

    A pixel belongs to the bin that its centre lies in. It belongs to no bin if its centre lies outside the
    stars' convex hull by more than a pixel, or farther from every star than three times the local distance
    between stars. Pixels are made smaller until every bin owns at least one.

    Parameters
    ----------
    bins : SpatialBins
        The bins.
    x, y : array_like or Quantity, shape (n_stars,)
        Positions (arcsec) of the stars that define the footprint: usually those that were binned.
    n_pixels : int, optional
        Number of pixels along the longer side, at least 2; more are taken if some bin needs them. By default
        100, or so many that the most compact bin owns about 25.
    max_pixels : int
        Largest number of pixels along the longer side.
    angle_deg : float or Quantity
        Angle from the galaxy's major axis to the x axis, counter-clockwise (degrees): passed to the grid.

    Returns
    -------
    grid : PixelGrid
        The pixels.
    ids : ndarray of int, shape (ny, nx)
        Bin of each pixel, from 1; 0 where there is none.

    Raises
    ------
    ValueError
        If all stars are at the same position, or if some bin owns no pixel even of the finest grid.
    """
    positions = np.unique(_positions(x, y), axis=0)
    max_pixels = check_count(max_pixels, "max_pixels", 2)
    angle = to_float(angle_deg, "angle_deg", "deg")
    if len(positions) == 1:
        raise ValueError(
            "x, y: all stars are at the same position, which no grid can cover: pass more stars."
        )
    if n_pixels is None:
        n_pixels = min(_guess_n_pixels(bins, positions), max_pixels)
    n = check_count(n_pixels, "n_pixels", 2)
    if n > max_pixels:
        raise ValueError(f"n_pixels is {n}, above max_pixels, which is {max_pixels}: raise max_pixels.")
    reach = 3 * star_spacing(positions)
    while True:
        grid = covering_grid(positions, n, angle)
        xx, yy = grid.centers()
        inside = footprint(positions, reach, grid)
        ids = np.zeros(xx.shape, dtype=np.int64)
        ids[inside] = bins.assign(xx[inside], yy[inside]) + 1
        empty = np.bincount(ids.ravel(), minlength=bins.n_bins + 1)[1:] == 0
        if not empty.any():
            break
        if n == max_pixels:
            first = int(np.flatnonzero(empty)[0])
            raise ValueError(
                f"{empty.sum()} of {bins.n_bins} bins (bin {first} at x = {bins.x_bin[first]:.4g}, "
                f"y = {bins.y_bin[first]:.4g} arcsec is the first) own no pixel even of the finest grid, "
                f"{grid.nx} x {grid.ny} pixels of {grid.dx:.3g} arcsec: leave out the outermost stars, take "
                "more stars per bin, or raise max_pixels."
            )
        n = min(int(np.ceil(1.4 * n)), max_pixels)
    logger.info("%d x %d pixels of %.4g arcsec for %d bins", grid.nx, grid.ny, grid.dx, bins.n_bins)
    return grid, ids


def _positions(x: Any, y: Any) -> Floats:
    """Check positions and put them side by side, shape (n, 2)."""
    x, y = to_array(x, "x", "arcsec"), to_array(y, "y", "arcsec")
    check_same_length(x, y, "x", "y")
    check_finite(x, "x")
    check_finite(y, "y")
    return np.column_stack([x, y])


def _report_counts(counts: Ints, n_wanted: int) -> None:
    """Log the range of the counts; warn if it is wider than equal counts would have."""
    low, high, mean = counts.min(), counts.max(), counts.sum() / n_wanted
    logger.info("%d bins of %d to %d stars (%.1f wanted)", len(counts), low, high, mean)
    if len(counts) < n_wanted or max(mean - low, high - mean) > max(2.0, 0.05 * mean):
        warnings.warn(
            f"{len(counts)} bins of {low} to {high} stars instead of {n_wanted} bins of {mean:.1f}: stars at "
            "the same position, or on a lattice, cannot be told apart. Merge repeated measurements of a "
            "star, or take more stars per bin.",
            stacklevel=3,
        )


def _guess_n_pixels(bins: SpatialBins, positions: Floats) -> int:
    """Choose the pixels' number along the longer side: the most compact bin owns about 25; at least 100."""
    ids = bins.assign(*positions.T)
    square = (positions[:, 0] - bins.x_bin[ids]) ** 2 + (positions[:, 1] - bins.y_bin[ids]) ** 2
    rms = np.sqrt(np.bincount(ids, square) / np.maximum(np.bincount(ids), 1))
    # Bins of one star have no extent of their own.
    size = 0.5 * rms[rms > 0].min() if (rms > 0).any() else 0.2 * star_spacing(positions).min()
    return int(np.clip(np.ptp(positions, axis=0).max() / size, 100, 1e6))
