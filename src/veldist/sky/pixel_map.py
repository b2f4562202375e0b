"""The pixel map of spatial bins: a grid of pixels over the stars, and the bin of each pixel.

A pixel belongs to the bin that its centre lies in or, if it holds stars and their bins are known, to that of
most of them. Pixels are made so small that every bin owns at least one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.spatial import KDTree

from veldist._support.arrays import Floats, Ints, distinct_rows
from veldist._support.validate import (
    check_count,
    check_positive,
    describe_rows,
    name_first,
    to_array,
    to_float,
)
from veldist.sky.binning import SpatialBins
from veldist.sky.pixels import PixelGrid, covering_grid, footprint, square_pixels
from veldist.sky.positions import to_points

__all__ = ["draw_bins", "pixelize"]

logger = logging.getLogger(__name__)

# The most compact bin is about five pixels across.
_PER_RMS = 2.0
_GROWTH = 1.4


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
    stars = to_points(x, y)
    max_pixels = check_count(max_pixels, "max_pixels", 2)
    angle = to_float(angle_deg, "angle_deg", "deg")
    if n_pixels is not None:
        n_pixels = check_count(n_pixels, "n_pixels", 2)
        if n_pixels > max_pixels:
            raise ValueError(
                f"n_pixels is {n_pixels}, above max_pixels, which is {max_pixels}: raise max_pixels."
            )
    return draw_bins(
        stars,
        None,
        np.column_stack([bins.x_bin, bins.y_bin]),
        lambda points: bins.assign(*points.T),
        n_pixels=n_pixels,
        least=100,
        max_pixels=max_pixels,
        angle=angle,
    )


def draw_bins(
    stars: Floats,
    labels: Ints | None,
    centers: Floats,
    bin_of: Callable[[Floats], Ints],
    *,
    least: int,
    max_pixels: int,
    n_pixels: int | None = None,
    pixel_size: Any = None,
    extent: Any = None,
    angle: float = 0.0,
) -> tuple[PixelGrid, Ints]:
    """Draw bins that are known by a rule for any position, and perhaps by their stars.

    With ``labels`` a pixel that holds stars belongs to the bin of most of them. Where stars of two bins share
    all their pixels, however small, a bin without one is given the pixel in which it has the largest share,
    if that one's owner has others.

    Parameters
    ----------
    stars : ndarray, shape (n_stars, 2)
        Positions (arcsec).
    labels : ndarray of int, shape (n_stars,), or None
        Bin of each star, from 0; None if only the pixels' centres decide.
    centers : ndarray, shape (n_bins, 2)
        Mean position of each bin's stars (arcsec).
    bin_of : callable
        The bins of any positions, shape (n, 2).
    least : int
        Fewest pixels along the longer side, if neither ``n_pixels`` nor ``pixel_size`` is given.
    max_pixels, n_pixels, angle
        As ``max_pixels``, ``n_pixels`` and ``angle_deg`` of `pixelize`, which says what is returned, too.
    pixel_size, extent
        As of `veldist.export.aperture_and_bins`.

    Raises
    ------
    ValueError
        If all stars are at the same position or some are outside ``extent``, if there would be more pixels
        than ``max_pixels``, or if some bin can own none.
    """
    different = stars[distinct_rows(stars)[0]]
    if len(different) < 2:
        raise ValueError(
            "x, y: all stars are at the same position, which no grid can cover: pass more stars."
        )
    tree = KDTree(different)
    size = None if pixel_size is None else to_float(pixel_size, "pixel_size", "arcsec")
    if size is not None:
        check_positive(np.array([size]), "pixel_size", "give the side of a pixel in arcsec.")
    box = None if extent is None else _box(extent, stars)
    n = n_pixels
    if n is None:
        known = (different, bin_of(different)) if labels is None else (stars, labels)
        n = _first_guess(*known, centers, box, least, max_pixels)
    while True:
        grid = _grid(different, box, size, n, angle, max_pixels)
        xx, yy = grid.centers()
        inside = footprint(tree, grid)
        ids = np.zeros(xx.shape, dtype=np.int64)
        ids[inside] = bin_of(np.column_stack([xx[inside], yy[inside]])) + 1
        if labels is not None:
            _give_to_most(ids.ravel(), grid, stars, labels, len(centers))
        missing = np.flatnonzero(np.bincount(ids.ravel(), minlength=len(centers) + 1)[1:] == 0)
        if not missing.size:
            break
        if size is not None or n == max_pixels:
            x, y = centers[missing[0]]
            raise ValueError(
                f"{missing.size} of {len(centers)} bins can own no pixel of {grid.dx:.3g} arcsec (bin "
                f"{name_first(missing)}, counted from 0; the first is at x = {x:.4g}, y = {y:.4g} arcsec): "
                "use smaller pixels (lower pixel_size or raise max_pixels), merge bins, or leave out the "
                "outermost stars."
            )
        n = min(int(np.ceil(_GROWTH * n)), max_pixels)
    logger.info("%d x %d pixels of %.4g arcsec for %d bins", grid.nx, grid.ny, grid.dx, len(centers))
    return grid, ids


def _box(extent: Any, stars: Floats) -> Floats:
    """Ends of the grid, [[x0, x1], [y0, y1]]."""
    ends = to_array(extent, "extent", "arcsec")
    if ends.size != 4 or not np.all(np.isfinite(ends)) or ends[0] >= ends[1] or ends[2] >= ends[3]:
        raise ValueError(f"extent must be (lowest x, highest x, lowest y, highest y) in arcsec, got {ends}.")
    box = ends.reshape(2, 2)
    outside = np.any((stars < box[:, 0]) | (stars > box[:, 1]), axis=1)
    if outside.any():
        raise ValueError(
            f"{describe_rows(outside)} of the binned stars lie outside extent {ends}: widen it, or give "
            "these stars the bin -1."
        )
    return box


def _first_guess(
    stars: Floats, labels: Ints, centers: Floats, box: Floats | None, least: int, max_pixels: int
) -> int:
    """Number of pixels along the longer side."""
    square = np.bincount(labels, ((stars - centers[labels]) ** 2).sum(axis=1))
    rms = np.sqrt(square / np.maximum(np.bincount(labels), 1))
    longer = np.ptp(stars, axis=0).max() if box is None else np.ptp(box, axis=1).max()
    # Bins of one star have no extent of their own.
    wanted = _PER_RMS * longer / rms[rms > 0].min() if (rms > 0).any() else 0.0
    return int(np.clip(wanted, min(least, max_pixels), max_pixels))


def _grid(
    stars: Floats, box: Floats | None, size: float | None, n: int, angle: float, max_pixels: int
) -> PixelGrid:
    if box is None and size is None:
        return covering_grid(stars, n, angle)
    if box is None:
        assert size is not None
        low, high = stars.min(axis=0), stars.max(axis=0)
        # Half a pixel at least beyond the outermost stars.
        shape = np.floor((high - low) / size).astype(int) + 2
        start = 0.5 * (low + high) - 0.5 * size * shape
    else:
        size = size if size is not None else float(np.ptp(box, axis=1).max()) / n
        # A whole number of pixels is not one more because of rounding.
        shape = np.maximum(np.ceil(np.ptp(box, axis=1) / size - 1e-9).astype(int), 1)
        start = box[:, 0]
    if shape.max() > max_pixels:
        raise ValueError(
            f"pixel_size {size:g} arcsec needs {shape.max()} pixels along the longer side, above max_pixels, "
            f"{max_pixels}: use larger pixels, or raise max_pixels."
        )
    return square_pixels(start, size, shape, angle)


def _give_to_most(ids: Ints, grid: PixelGrid, stars: Floats, labels: Ints, n_bins: int) -> None:
    """Give each pixel that holds stars, in the flat ``ids``, to the bin of most of them."""
    column = np.clip(np.floor((stars[:, 0] - grid.x_start) / grid.dx).astype(np.int64), 0, grid.nx - 1)
    row = np.clip(np.floor((stars[:, 1] - grid.y_start) / grid.dy).astype(np.int64), 0, grid.ny - 1)
    # Pairs of pixel and bin, with their numbers of stars.
    pairs, n_in_pair = np.unique((row * grid.nx + column) * n_bins + labels, return_counts=True)
    pixel, label = pairs // n_bins, pairs % n_bins
    # Of equals the bin with fewer stars: the other has more pixels to live in.
    order = np.lexsort((np.bincount(labels, minlength=n_bins)[label], -n_in_pair, pixel))
    first = order[np.unique(pixel[order], return_index=True)[1]]
    ids[pixel[first]] = label[first] + 1
    owned = np.bincount(ids, minlength=n_bins + 1)[1:]
    share = n_in_pair / np.bincount(pixel, n_in_pair)[pixel]
    for k in np.flatnonzero(owned == 0):
        candidates = np.flatnonzero(label == k)
        for candidate in candidates[np.argsort(-share[candidates], kind="stable")]:
            owner = ids[pixel[candidate]] - 1
            if owned[owner] > 1:
                ids[pixel[candidate]] = k + 1
                owned[owner], owned[k] = owned[owner] - 1, 1
                break
