"""The rectangular pixel grid of a map, in the terms of DYNAMITE's aperture file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from veldist.arrays import Floats
from veldist.validate import check_count, check_positive

__all__ = ["PixelGrid"]


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
