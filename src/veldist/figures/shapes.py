"""What a map shows the spatial bins as: pixels, Voronoi cells around their centres, or marks there."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.validate import name_first, to_array, to_float
from veldist.figures.areas import CellAreas, pixel_areas
from veldist.figures.points import PointMarks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap, Normalize

__all__ = ["MapShapes", "map_shapes"]

_KINDS = ("areas", "points")


class MapShapes(Protocol):
    """The shapes of the spatial bins of a map.

    Attributes
    ----------
    anchors : ndarray, shape (n_bins, 2)
        Where a bin's number belongs (arcsec); NaN for bins that have no place.
    sizes : ndarray, shape (n_bins,)
        Square root of the area of a bin (arcsec).
    """

    @property
    def anchors(self) -> Floats:
        """Where a bin's number belongs (arcsec)."""
        ...

    @property
    def sizes(self) -> Floats:
        """Square root of the area of a bin (arcsec)."""
        ...

    @property
    def aspect(self) -> float:
        """Height over width of the map."""
        ...

    def draw(self, ax: Axes, values: Floats, cmap: Colormap, norm: Normalize) -> ScalarMappable:
        """Draw values (NaN for skipped bins) and set the limits of the axes."""
        ...

    def mark(self, ax: Axes, chosen: NDArray[np.bool_], hatch: str, color: str) -> None:
        """Hatch the chosen bins."""
        ...

    def draw_boundaries(self, ax: Axes, width: float) -> None:
        """Draw lines of the given width (points) between the bins."""
        ...


def map_shapes(
    known: NDArray[np.bool_], grid: Any, ids: Any, x: Any, y: Any, kind: str, margin: Any
) -> MapShapes:
    """What the bins are drawn as, from pixels or from centres.

    Parameters
    ----------
    known : ndarray of bool, shape (n_bins,)
        Which bins have a value.
    grid, ids, x, y, kind, margin
        As for `plot_map`.

    Warns
    -----
    UserWarning
        If bins with a value have no pixel.

    Raises
    ------
    TypeError, ValueError
        As `plot_map`.
    """
    if kind not in _KINDS:
        raise ValueError(f"kind must be one of {_KINDS}, got {kind!r}.")
    pixels, centers = (grid is not None, ids is not None), (x is not None, y is not None)
    if (
        any(pixels) == any(centers)
        or (any(pixels) and not all(pixels))
        or (any(centers) and not all(centers))
    ):
        given = [n for n, there in zip(("grid", "ids", "x", "y"), pixels + centers, strict=True) if there]
        raise ValueError(f"pass the pixels, grid and ids, or the bins' centres, x and y; got {given}.")
    if margin is not None and (kind == "points" or all(pixels)):
        raise ValueError("margin is for Voronoi cells: pass x and y, and kind='areas'.")
    if all(centers):
        where = _centers(known, x, y)
        if kind == "points":
            return PointMarks(where)
        _check_different(where)
        margin = None if margin is None else to_float(margin, "margin", "arcsec")
        if margin is not None and margin <= 0.0:
            raise ValueError(f"margin must be positive, got {margin} arcsec.")
        return CellAreas(where, margin)
    if kind == "points":
        raise ValueError("kind='points' needs the bins' centres: pass x and y instead of grid and ids.")
    areas = pixel_areas(grid, ids, known.size)
    hidden = np.flatnonzero(known & np.isnan(areas.anchors[:, 0])) + 1
    if hidden.size:
        warnings.warn(
            f"{hidden.size} of {known.size} bins have a value but no pixel in ids, so the map does not show "
            f"them (first: bin {hidden[0]}).",
            stacklevel=3,
        )
    return areas


def _centers(known: NDArray[np.bool_], x: Any, y: Any) -> Floats:
    """Centres of the bins, (n_bins, 2); NaN for skipped bins without one."""
    centers = np.full((known.size, 2), np.nan)
    for k, (name, position) in enumerate((("x", x), ("y", y))):
        column = to_array(position, name, "arcsec")
        if column.size != known.size:
            raise ValueError(
                f"{name} has {column.size} values, but there are {known.size} bins: pass one each."
            )
        centers[:, k] = column
    placed = np.isfinite(centers).all(axis=1)
    lost = np.flatnonzero(known & ~placed) + 1
    if lost.size:
        raise ValueError(
            f"x or y is NaN or infinite for {lost.size} of {known.size} bins that have a value "
            f"(bins {name_first(lost)}): give their positions."
        )
    if not placed.any():
        raise ValueError("x and y are NaN or infinite for all bins: give the position of at least one.")
    centers[~placed] = np.nan
    return centers


def _check_different(centers: Floats) -> None:
    """Bins at the same position have no Voronoi cells."""
    placed = np.flatnonzero(np.isfinite(centers).all(axis=1))
    _, inverse, counts = np.unique(centers[placed], axis=0, return_inverse=True, return_counts=True)
    same = placed[counts[inverse] > 1] + 1
    if same.size:
        raise ValueError(
            f"{same.size} of {len(centers)} bins share their position with another one (bins "
            f"{name_first(same)}), so that they have no Voronoi cells: pass kind='points', or the pixels "
            "(grid and ids)."
        )
