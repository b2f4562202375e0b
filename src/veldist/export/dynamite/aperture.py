"""The aperture and the bin map of a binned set of stars, from any description of the bins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import KDTree

from veldist._support.arrays import Floats, Ints
from veldist._support.validate import check_count, describe_rows, name_first, to_float
from veldist.sky.binning import SpatialBins
from veldist.sky.layout import Layout
from veldist.sky.pixel_map import draw_bins
from veldist.sky.pixels import PixelGrid
from veldist.sky.positions import to_points

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["ApertureBins", "aperture_and_bins"]

# Along the longer side, if their number is not given.
_LEAST_PIXELS = 50


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
        """The ``voronoi_bin_metadata`` of the writers: see `veldist.sky.Layout.metadata`."""
        layout = Layout(self.grid, self.pixel_ids, self.x_bin, self.y_bin)
        return layout.metadata(psf_sigma, psf_weight, bin_flux)

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
        What `veldist.sky.bin_stars` returned.
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
    positions = to_points(x, y)
    angle = to_float(angle_deg, "angle_deg", "deg")
    turn = _rotation(angle if align else 0.0)
    labels, generators, assign = _describe(positions, bin_ids, bins, xbin, ybin)
    n_bins = len(generators)
    binned = labels >= 0
    stars, labels = (positions @ turn.T)[binned], labels[binned]
    counts = np.bincount(labels, minlength=n_bins)
    centers = generators @ turn.T
    has = counts > 0
    for axis in (0, 1):
        centers[has, axis] = (np.bincount(labels, stars[:, axis], n_bins)[has]) / counts[has]
    tree = KDTree(stars)

    def bin_of(points: Floats) -> Ints:
        return labels[tree.query(points)[1]] if assign is None else assign(points @ turn)

    grid, ids = draw_bins(
        stars,
        labels,
        centers,
        bin_of,
        least=_LEAST_PIXELS,
        max_pixels=max_pixels,
        pixel_size=pixel_size,
        extent=extent,
        angle=0.0 if align else angle,
    )
    return ApertureBins(grid, ids, centers[:, 0], centers[:, 1], counts, stars[:, 0], stars[:, 1])


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
        sites = np.column_stack([bins.x_site, bins.y_site])
        return bins.assign(*positions.T), sites, lambda points: bins.assign(*points.T)
    if bin_ids is None:
        if xbin is None or ybin is None:
            raise ValueError("xbin and ybin must be given together.")
        sites = to_points(xbin, ybin, "xbin", "ybin")
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
