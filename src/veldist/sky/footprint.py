"""Pixel grids laid over stars, and the part of them that the stars cover."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, KDTree, QhullError

from veldist._support.arrays import Floats
from veldist.sky.pixels import PixelGrid

__all__ = ["covering_grid", "footprint", "star_spacing"]


def star_spacing(positions: Floats) -> Floats:
    """Estimate the distance between stars, sqrt(area per star), around each star from ten neighbours.

    Parameters
    ----------
    positions : ndarray, shape (n_stars, 2)
        At least two different positions (arcsec).

    Returns
    -------
    ndarray, shape (n_stars,)
        Local distance between stars (arcsec).
    """
    k = min(10, len(positions) - 1)
    distance, _ = KDTree(positions).query(positions, k=[k + 1])
    return np.sqrt(np.pi / k) * distance[:, 0]


def covering_grid(positions: Floats, n: int, angle: float) -> PixelGrid:
    """Lay square pixels over the stars, the outermost ones centred on the outermost stars.

    Parameters
    ----------
    positions : ndarray, shape (n_stars, 2)
        At least two different positions (arcsec).
    n : int
        Number of pixels along the longer side, at least 2.
    angle : float
        Angle to store in the grid (degrees).

    Returns
    -------
    PixelGrid
        The grid.
    """
    low, extent = positions.min(axis=0), np.ptp(positions, axis=0)
    size = extent.max() / (n - 1)
    shape = np.where(extent == extent.max(), n, np.ceil(extent / size) + 1).astype(int)
    start = low + 0.5 * extent - 0.5 * size * shape
    return PixelGrid(
        x_start=float(start[0]),
        y_start=float(start[1]),
        x_size=float(size * shape[0]),
        y_size=float(size * shape[1]),
        angle_deg=angle,
        nx=int(shape[0]),
        ny=int(shape[1]),
    )


def footprint(positions: Floats, reach: Floats, grid: PixelGrid) -> NDArray[np.bool_]:
    """Flag the pixels whose centres are near stars and inside their convex hull.

    Parameters
    ----------
    positions : ndarray, shape (n_stars, 2)
        Different positions (arcsec).
    reach : ndarray, shape (n_stars,)
        How far from each star a centre may be (arcsec); half a pixel's diagonal is always near enough.
    grid : PixelGrid
        Square pixels; a centre may lie outside the convex hull by the size of one.

    Returns
    -------
    ndarray of bool, shape (ny, nx)
        True inside the footprint.
    """
    xx, yy = grid.centers()
    inside = np.ones(xx.shape, dtype=bool)
    try:
        for a, b, c in ConvexHull(positions).equations:
            inside &= a * xx + b * yy + c <= grid.dx
    except QhullError:  # fewer than three stars, or all on one line
        pass
    centers = np.column_stack([xx[inside], yy[inside]])
    distance, star = KDTree(positions).query(centers)
    # A pixel that holds a star is inside, however large it is.
    inside[inside] = distance <= np.maximum(reach[star], np.hypot(grid.dx, grid.dy) / 2)
    return inside
