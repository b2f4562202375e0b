"""The rectangular pixel grid of a map, in the terms of DYNAMITE's aperture file, and stars under it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, KDTree, QhullError

from veldist._support.arrays import Floats, Ints
from veldist._support.validate import check_count, check_keys, check_positive, to_float

__all__ = ["PixelGrid", "covering_grid", "footprint", "read_grid", "square_pixels", "star_spacing"]

_LENGTHS, _COUNTS = ("x_start", "y_start", "x_size", "y_size"), ("nx", "ny")


@dataclass(frozen=True)
class PixelGrid:
    """Rectangular grid of pixels, in the terms of DYNAMITE's aperture file.

    Attributes
    ----------
    x_start, y_start : float
        Lower left corner (arcsec).
    x_size, y_size : float
        Full extent (arcsec).
    angle_deg : float
        Angle from the galaxy's major axis to the x axis of the positions, counter-clockwise (degrees). The
        grid is aligned with the positions: `centers` does not apply this angle.
    nx, ny : int
        Number of pixels in x and y.
    """

    x_start: float
    y_start: float
    x_size: float
    y_size: float
    angle_deg: float
    nx: int
    ny: int

    def __post_init__(self) -> None:
        """Refuse grids without pixels or extent."""
        check_count(self.nx, "nx", 1)
        check_count(self.ny, "ny", 1)
        for name in ("x_size", "y_size"):
            check_positive(
                np.array([getattr(self, name)]), name, "give the full extent of the grid in arcsec."
            )

    @property
    def dx(self) -> float:
        """Width of a pixel (arcsec)."""
        return self.x_size / self.nx

    @property
    def dy(self) -> float:
        """Height of a pixel (arcsec)."""
        return self.y_size / self.ny

    def centers(self) -> tuple[Floats, Floats]:
        """Compute the pixels' centres.

        Returns
        -------
        xx, yy : ndarray, shape (ny, nx)
            Positions (arcsec); x runs fastest in memory.
        """
        x = self.x_start + self.dx * (np.arange(self.nx) + 0.5)
        y = self.y_start + self.dy * (np.arange(self.ny) + 0.5)
        xx, yy = np.meshgrid(x, y)
        return xx, yy


def read_grid(grid: Any, *, with_angle: bool = False) -> Any:
    """Read pixels from an object with the attributes of a `PixelGrid`, or from a mapping with such keys.

    Parameters
    ----------
    grid : PixelGrid or mapping
        Pixels, or ``voronoi_bin_metadata["aperture"]``: lengths in arcsec, or Quantities.
    with_angle : bool
        Whether a mapping must have ``angle_deg``; 0 where it has not.

    Returns
    -------
    PixelGrid
        Or what was given, if it has these attributes.

    Raises
    ------
    TypeError, ValueError
        If something is missing, or is no number, or the grid has no pixels or no extent.
    """
    if isinstance(grid, Mapping):
        check_keys(dict(grid), (*_LENGTHS, *(("angle_deg",) if with_angle else ()), *_COUNTS), "grid")
        lengths = [to_float(grid[name], f"grid['{name}']", "arcsec") for name in _LENGTHS]
        angle = to_float(grid.get("angle_deg", 0.0), "grid['angle_deg']", "deg")
        nx, ny = (check_count(grid[name], f"grid['{name}']", 1) for name in _COUNTS)
        return PixelGrid(*lengths, angle, nx, ny)
    missing = [name for name in (*_LENGTHS, *_COUNTS) if not hasattr(grid, name)]
    if missing:
        kind = type(grid).__name__
        raise TypeError(
            f"grid is a {kind} without {', '.join(missing)}: it must be a veldist.sky.PixelGrid, or a dict, "
            f"as voronoi_bin_metadata['aperture'], got {kind}."
        )
    return grid


def star_spacing(tree: KDTree, rows: Ints | None = None) -> Floats:
    """Estimate the distance between stars, sqrt(area per star), around stars from their ten neighbours.

    Parameters
    ----------
    tree : KDTree
        At least two different positions of stars (arcsec).
    rows : ndarray of int, shape (n,), optional
        Around which of them; by default around all.

    Returns
    -------
    ndarray, shape (n,)
        Local distance between stars (arcsec).
    """
    k = min(10, tree.n - 1)
    distance, _ = tree.query(tree.data if rows is None else tree.data[rows], k=[k + 1])
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
    return square_pixels(start, size, shape, angle)


def square_pixels(start: Floats, size: float, shape: Ints, angle: float) -> PixelGrid:
    """Lay (nx, ny) pixels of a size from the lower left corner on."""
    (x, y), (nx, ny), size = start.tolist(), shape.tolist(), float(size)
    return PixelGrid(x, y, size * nx, size * ny, angle, nx, ny)


def footprint(tree: KDTree, grid: PixelGrid, reach: float = 3.0) -> NDArray[np.bool_]:
    """Flag the pixels whose centres are near stars and inside their convex hull.

    Parameters
    ----------
    tree : KDTree
        At least two different positions of stars (arcsec).
    grid : PixelGrid
        Square pixels; a centre may lie outside the convex hull by the size of one.
    reach : float
        How far from the nearest star a centre may be, in distances between stars there; half a pixel's
        diagonal is always near enough.

    Returns
    -------
    ndarray of bool, shape (ny, nx)
        True inside the footprint.
    """
    xx, yy = grid.centers()
    inside = np.ones(xx.shape, dtype=bool)
    try:
        for a, b, c in ConvexHull(tree.data).equations:
            inside &= a * xx + b * yy + c <= grid.dx
    except QhullError:  # fewer than three stars, or all on one line
        pass
    distance, star = tree.query(np.column_stack([xx[inside], yy[inside]]))
    # A pixel that holds a star is inside, however large it is.
    near = distance <= np.hypot(grid.dx, grid.dy) / 2
    if not near.all():
        rows, which = np.unique(star[~near], return_inverse=True)
        near[~near] = distance[~near] <= reach * star_spacing(tree, rows)[which]
    inside[inside] = near
    return inside
