"""The aperture and the bin map of a binned set of stars: pixels on the sky, and the bin of each.

A pixel that holds stars belongs to the bin of most of them; one without, to the bin that the tessellation,
or the nearest star, gives its centre, inside the stars' footprint. Pixels are made so small that every bin
owns at least one; where stars of two bins still share all their pixels, a bin without one is given the pixel
in which it has the largest share, if that one's owner has others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import KDTree

from veldist._support.arrays import Floats, Ints
from veldist._support.validate import (
    check_count,
    check_finite,
    check_positive,
    check_same_length,
    describe_rows,
    name_first,
    to_array,
    to_float,
)
from veldist.sky.binning import SpatialBins
from veldist.sky.footprint import covering_grid, footprint, star_spacing
from veldist.sky.pixels import PixelGrid

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ApertureBins", "aperture_and_bins"]

# Pixels along the longer side: the most compact bin is about five across, and no fewer than this.
_PER_RMS, _LEAST_PIXELS = 2.0, 50
_GROWTH = 1.4


@dataclass(frozen=True, eq=False)
class ApertureBins:
    """A pixel grid and the bin of every pixel.

    Attributes
    ----------
    grid : PixelGrid
        The aperture.
    pixel_ids : ndarray of int, shape (ny, nx)
        Bin of each pixel, counted from 1; 0 where there is none.
    x_bin, y_bin : ndarray, shape (n_bins,)
        Mean position of each bin's stars in the frame of the grid (arcsec); the generator of a bin without.
    n_stars : ndarray of int, shape (n_bins,)
        Number of stars in each bin.
    x, y : ndarray, shape (n_stars,)
        Positions of the stars in the frame of the grid (arcsec).
    """

    grid: PixelGrid
    pixel_ids: Ints
    x_bin: Floats
    y_bin: Floats
    n_stars: Ints
    x: Floats
    y: Floats

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return self.n_stars.size

    def metadata(
        self, psf_sigma: Any = (0.1,), psf_weight: Any = (1.0,), bin_flux: Any = None
    ) -> dict[str, Any]:
        """The ``voronoi_bin_metadata`` of `veldist.write_dynamite_kinematics`.

        Parameters
        ----------
        psf_sigma, psf_weight : sequence of float
            The point-spread function as a sum of Gaussians: dispersions (arcsec) and weights, which sum to 1.
            Positions of resolved stars are sharp: it should be small against a bin.
        bin_flux : array_like, shape (n_bins,), optional
            For ``bin_flux_mode="custom"``.
        """
        bins = [{"xbin": float(x), "ybin": float(y)} for x, y in zip(self.x_bin, self.y_bin, strict=True)]
        if bin_flux is not None:
            flux = np.asarray(bin_flux, dtype=np.float64)
            if flux.shape != (self.n_bins,):
                raise ValueError(f"bin_flux has shape {flux.shape}, but there are {self.n_bins} bins.")
            bins = [entry | {"bin_flux": float(f)} for entry, f in zip(bins, flux, strict=True)]
        names = ("x_start", "y_start", "x_size", "y_size", "angle_deg", "nx", "ny")
        return {
            "bins": bins,
            "aperture": {name: getattr(self.grid, name) for name in names},
            "pixel_bin_ids": self.pixel_ids,
            "psf": {
                "sigma": [float(s) for s in np.atleast_1d(psf_sigma)],
                "weight": [float(w) for w in np.atleast_1d(psf_weight)],
            },
        }

    def plot(self, ax: Axes | None = None, *, numbers: bool = False) -> Axes:
        """Draw it, with its stars: see `veldist.export.plot_aperture`."""
        from veldist.figures.aperture import plot_aperture

        return plot_aperture(self.grid, self.pixel_ids, ax, x=self.x, y=self.y, numbers=numbers)


def aperture_and_bins(
    x: Any,
    y: Any,
    bin_ids: Any = None,
    *,
    bins: SpatialBins | None = None,
    xbin: Any = None,
    ybin: Any = None,
    pixel_size: Any = None,
    extent: Any = None,
    angle_deg: Any = 0.0,
    align: bool = False,
    max_pixels: int = 1000,
) -> ApertureBins:
    """Build the aperture and the bin map from stars and one of three descriptions of their bins.

    Parameters
    ----------
    x, y : array_like or Quantity, shape (n_stars,)
        Positions of the stars (arcsec).
    bin_ids : array_like of int, shape (n_stars,), optional
        Bin of each star, counted from 0; -1 for stars in no bin, which are left out.
    bins : SpatialBins, optional
        What `veldist.sky.binning.bin_stars` returned.
    xbin, ybin : array_like or Quantity, shape (n_bins,), optional
        Generators of a Voronoi tessellation (arcsec): a star belongs to the nearest.
    pixel_size : float or Quantity, optional
        Side of the square pixels (arcsec). By default it is chosen, and made smaller until every bin is
        represented.
    extent : (float, float, float, float), optional
        Lowest and highest x, lowest and highest y of the aperture (arcsec), in the frame of the grid. The
        upper ends are moved outwards to a whole number of pixels. By default it encloses the stars.
    angle_deg : float or Quantity
        Angle from the galaxy's major axis to the x axis of the positions, counter-clockwise (degrees): the
        fourth line of DYNAMITE's aperture file. It is the negative of the angle from the x axis to the major
        axis.
    align : bool
        Whether to rotate the positions by ``angle_deg``, so that the x axis of the grid is the major axis;
        the angle of the grid is then 0.
    max_pixels : int
        Largest number of pixels along the longer side.

    Returns
    -------
    ApertureBins
        Every pixel that holds a binned star belongs to a bin, and every bin owns a pixel.

    Raises
    ------
    TypeError
        If values have the wrong type.
    ValueError
        If not exactly one description of the bins is given, positions are NaN, infinite, all the same, or
        outside ``extent``, ``bin_ids`` skip a number, or some bin can own no pixel.
    """
    check_count(max_pixels, "max_pixels", 2)
    positions = _side_by_side(x, y, "x", "y")
    angle = to_float(angle_deg, "angle_deg", "deg")
    turn = _rotation(angle if align else 0.0)
    labels, generators, assign = _describe(positions, bin_ids, bins, xbin, ybin)
    n_bins = len(generators)
    binned = labels >= 0
    stars, labels = (positions @ turn.T)[binned], labels[binned]
    different = np.unique(stars, axis=0)
    if len(different) < 2:
        raise ValueError("x, y: all binned stars are at the same position, which no grid can cover.")
    counts = np.bincount(labels, minlength=n_bins)
    centers = generators @ turn.T
    has = counts > 0
    for axis in (0, 1):
        centers[has, axis] = (np.bincount(labels, stars[:, axis], n_bins)[has]) / counts[has]
    tree = KDTree(stars)

    def bin_of(points: Floats) -> Ints:
        if assign is not None:
            return assign(points @ turn)
        return labels[tree.query(points)[1]]

    size = None if pixel_size is None else to_float(pixel_size, "pixel_size", "arcsec")
    if size is not None:
        check_positive(np.array([size]), "pixel_size", "give the side of a pixel in arcsec.")
    reach = 3.0 * star_spacing(different)
    box = _box(extent, stars)
    n = _first_guess(stars, labels, counts, centers, box, max_pixels)
    while True:
        grid = _grid(different, box, size, n, 0.0 if align else angle, max_pixels)
        ids, missing = _assign(grid, stars, labels, n_bins, bin_of, footprint(different, reach, grid))
        if not missing.size:
            return ApertureBins(grid, ids, centers[:, 0], centers[:, 1], counts, stars[:, 0], stars[:, 1])
        if size is not None or n == max_pixels:
            raise ValueError(
                f"{missing.size} of {n_bins} bins can own no pixel of {grid.dx:.3g} arcsec (bin "
                f"{name_first(missing)}, counted from 0): all their stars are in pixels that other bins "
                "need, or they have none. Use smaller pixels (pixel_size, max_pixels), or merge these bins."
            )
        n = min(int(np.ceil(_GROWTH * n)), max_pixels)


def _side_by_side(x: Any, y: Any, name_x: str, name_y: str) -> Floats:
    x, y = to_array(x, name_x, "arcsec"), to_array(y, name_y, "arcsec")
    check_same_length(x, y, name_x, name_y)
    check_finite(x, name_x)
    check_finite(y, name_y)
    return np.column_stack([x, y])


def _rotation(angle: float) -> Floats:
    """Matrix that turns positions counter-clockwise by an angle (degrees)."""
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([[cos, -sin], [sin, cos]])


def _describe(
    positions: Floats, bin_ids: Any, bins: SpatialBins | None, xbin: Any, ybin: Any
) -> tuple[Ints, Floats, Callable[[Floats], Ints] | None]:
    """Bins of the stars, generators (n_bins, 2), and how any position finds its bin, if it is known."""
    given = [bin_ids is not None, bins is not None, xbin is not None or ybin is not None]
    if sum(given) != 1:
        raise ValueError(
            "pass exactly one of bin_ids, bins, and xbin with ybin: they all say where the bins are."
        )
    if bins is not None:
        if not isinstance(bins, SpatialBins):
            raise TypeError(f"bins must be a SpatialBins, got {type(bins).__name__}.")
        return bins.assign(*positions.T), np.column_stack([bins.x_site, bins.y_site]), _of(bins)
    if bin_ids is None:
        if xbin is None or ybin is None:
            raise ValueError("xbin and ybin must be given together.")
        sites = _side_by_side(xbin, ybin, "xbin", "ybin")
        tree = KDTree(sites)
        return tree.query(positions)[1], sites, lambda points: tree.query(points)[1]
    labels = np.asarray(bin_ids)
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"bin_ids must be integers (bins counted from 0, -1 for none), got dtype {labels.dtype}."
        )
    if labels.shape != (len(positions),):
        raise ValueError(f"bin_ids has shape {labels.shape}, but there are {len(positions)} stars: one each.")
    if np.any(labels < -1):
        raise ValueError(
            f"{describe_rows(labels < -1, labels)} of bin_ids are below -1, which stands for no bin."
        )
    if not np.any(labels >= 0):
        raise ValueError("bin_ids puts no star into a bin: all are -1.")
    empty = np.flatnonzero(np.bincount(labels[labels >= 0]) == 0)
    if empty.size:
        raise ValueError(
            f"bin_ids has no star in {empty.size} bins below its highest ({name_first(empty)}): number the "
            "bins without gaps (numpy.unique(..., return_inverse=True)), or give xbin and ybin."
        )
    return labels.astype(np.int64), np.zeros((int(labels.max()) + 1, 2)), None


def _of(bins: SpatialBins) -> Callable[[Floats], Ints]:
    return lambda points: bins.assign(*points.T)


def _box(extent: Any, stars: Floats) -> Floats | None:
    """Ends of the aperture, [[x0, x1], [y0, y1]], if they are given."""
    if extent is None:
        return None
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
    stars: Floats, labels: Ints, counts: Ints, centers: Floats, box: Floats | None, max_pixels: int
) -> int:
    """Number of pixels along the longer side."""
    square = np.bincount(labels, ((stars - centers[labels]) ** 2).sum(axis=1), counts.size)
    rms = np.sqrt(square / np.maximum(counts, 1))
    longer = np.ptp(stars, axis=0).max() if box is None else np.ptp(box, axis=1).max()
    wanted = _PER_RMS * longer / rms[rms > 0].min() if (rms > 0).any() else 0.0
    return int(np.clip(wanted, min(_LEAST_PIXELS, max_pixels), max_pixels))


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
    return PixelGrid(
        float(start[0]),
        float(start[1]),
        float(size * shape[0]),
        float(size * shape[1]),
        angle,
        int(shape[0]),
        int(shape[1]),
    )


def _assign(
    grid: PixelGrid,
    stars: Floats,
    labels: Ints,
    n_bins: int,
    bin_of: Callable[[Floats], Ints],
    inside: Any,
) -> tuple[Ints, Ints]:
    """Bin of each pixel from 1, (ny, nx), and the bins (from 0) that own none."""
    ids = np.zeros((grid.ny, grid.nx), dtype=np.int64)
    xx, yy = grid.centers()
    ids[inside] = bin_of(np.column_stack([xx[inside], yy[inside]])) + 1
    column = np.clip(np.floor((stars[:, 0] - grid.x_start) / grid.dx).astype(np.int64), 0, grid.nx - 1)
    row = np.clip(np.floor((stars[:, 1] - grid.y_start) / grid.dy).astype(np.int64), 0, grid.ny - 1)
    # Pairs of pixel and bin, with their numbers of stars.
    pairs, n_in_pair = np.unique((row * grid.nx + column) * n_bins + labels, return_counts=True)
    pixel, label = pairs // n_bins, pairs % n_bins
    # Of equals the bin with fewer stars: the other has more pixels to live in.
    order = np.lexsort((np.bincount(labels, minlength=n_bins)[label], -n_in_pair, pixel))
    first = order[np.unique(pixel[order], return_index=True)[1]]
    flat = ids.ravel()
    flat[pixel[first]] = label[first] + 1
    owned = np.bincount(flat, minlength=n_bins + 1)[1:]
    n_in_pixel = np.bincount(pixel, n_in_pair)
    share = n_in_pair / n_in_pixel[pixel]
    for k in np.flatnonzero(owned == 0):
        candidates = np.flatnonzero(label == k)
        for candidate in candidates[np.argsort(-share[candidates], kind="stable")]:
            owner = flat[pixel[candidate]] - 1
            if owned[owner] > 1:
                flat[pixel[candidate]] = k + 1
                owned[owner], owned[k] = owned[owner] - 1, 1
                break
    return ids, np.flatnonzero(owned == 0)
