"""A sample of stars: velocities and errors, converted and checked at the door."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support import validate
from veldist._support.arrays import Floats
from veldist.errors import GridWarning
from veldist.models.losvd.frame import robust_frame

__all__ = ["Stars", "check_coverage", "find_outliers"]

# Stars this many robust dispersions out, their own errors included, are foreground rather than tail.
OUTLIER = 8.0


@dataclass(frozen=True, eq=False)
class Stars:
    """A sample of stars.

    Attributes
    ----------
    vel : ndarray, (n_stars,)
        Line-of-sight velocities, km/s.
    err : ndarray, (n_stars,)
        Their 1-sigma errors, km/s.
    """

    vel: Floats
    err: Floats

    @property
    def n_stars(self) -> int:
        """Number of stars."""
        return self.vel.size

    @classmethod
    def read(cls, vel: Any, err: Any) -> Stars:
        """Clean arrays in km/s from what a user passes.

        Parameters
        ----------
        vel : array_like or Quantity, (n_stars,)
            Line-of-sight velocities, km/s.
        err : array_like or Quantity, (n_stars,)
            Their errors, km/s; a single number serves all stars.

        Raises
        ------
        TypeError
            If the values are not real numbers.
        ValueError
            If values are NaN, infinite or masked, errors are not positive, lengths differ, there is no
            star, or a unit is wrong.
        """
        vel = validate.to_array(vel, "vel", "km/s")
        err = validate.strip_units(err, "err", "km/s")
        if err is not None and np.ndim(err) == 0:
            err = np.full(vel.size, err)
        err = validate.to_array(err, "err", "km/s")
        validate.check_same_length(vel, err, "vel", "err")
        validate.check_finite(vel, "vel")
        validate.check_finite(err, "err")
        validate.check_positive(err, "err", "every star needs the 1-sigma error of its own velocity.")
        return cls(vel, err)


def check_coverage(vel: NDArray[np.float64], edges: NDArray[np.float64], stacklevel: int) -> None:
    """Refuse a grid that misses all stars, warn of one that misses some.

    Parameters
    ----------
    vel : ndarray, (n_stars,)
        Velocities, km/s.
    edges : ndarray, (n_bins + 1,)
        Edges of the velocity bins, km/s.
    stacklevel : int
        As in `warnings.warn`, counted from the caller.

    Raises
    ------
    ValueError
        If all stars lie outside.

    Warns
    -----
    GridWarning
        If some do, with their number and the first rows.
    """
    outside = (vel < edges[0]) | (vel > edges[-1])
    grid = f"the grid [{edges[0]:g}, {edges[-1]:g}] km/s"
    if outside.all():
        raise ValueError(
            f"all {vel.size} stars lie outside {grid}; their velocities span [{vel.min():g}, {vel.max():g}] "
            "km/s: check center, width and units."
        )
    if outside.any():
        warnings.warn(
            f"{validate.describe_rows(outside, vel)} of vel lie outside {grid}. They are part of the fit; "
            "the reported masses are conditional on the grid.",
            GridWarning,
            stacklevel=stacklevel + 1,
        )


def find_outliers(vel: NDArray[np.float64], err: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Stars that are hardly members: beyond `OUTLIER` dispersions from the median velocity.

    Dispersion and location are robust, so that an outlier cannot hide behind its own effect, and a star's
    own error counts as part of its distance.
    """
    frame = robust_frame(vel, err)
    return np.abs(vel - frame.location) > OUTLIER * np.hypot(frame.scale, err)
