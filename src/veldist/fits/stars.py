"""A sample of stars: velocities and errors, converted and checked at the door."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support import validate
from veldist._support.arrays import Floats, Ints
from veldist.errors import GridWarning
from veldist.fits.outliers import find_impossible, refuse_impossible

__all__ = ["Stars", "check_coverage", "check_possible", "count_stars"]

# No spectrograph is so precise (km/s).
_LEAST_ERROR = 1e-9
# A spread below this fraction of the velocities themselves is lost in their rounding.
_ROUNDING = 1e-8


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
            star, or a unit is wrong; if velocities or errors are impossible (above the speed of light,
            errors below 1e-9 km/s, stars more than 100 dispersions from the others), or all velocities and
            errors differ by no more than their rounding.
        """
        vel = validate.to_array(vel, "vel", "km/s")
        err = validate.to_numbers(err, "err", "km/s")
        err = np.full(vel.size, err) if err.ndim == 0 else validate.to_array(err, "err", "km/s")
        validate.check_same_length(vel, err, "vel", "err")
        validate.check_finite(vel, "vel")
        validate.check_finite(err, "err")
        validate.check_positive(err, "err", "every star needs the 1-sigma error of its own velocity.")
        check_possible(vel, err)
        return cls(vel, err)


def check_possible(vel: Floats, err: Floats, rows: Ints | None = None) -> None:
    """Refuse what is no velocity or no error of one, and what is too small for double precision.

    Parameters
    ----------
    vel, err : ndarray, (n_stars,)
        Velocities and their 1-sigma errors, finite, errors positive, km/s.
    rows : ndarray of int, (n_stars,), optional
        Rows of the stars in the user's table; their places in ``vel`` by default.

    Raises
    ------
    ValueError
        As `Stars.read` says of impossible values.
    """
    validate.check_limit(vel, "vel", "km/s", rows)
    validate.check_limit(err, "err", "km/s", rows)
    bad = err < _LEAST_ERROR
    if bad.any():
        raise ValueError(
            f"err has {validate.describe_rows(bad, err, rows=rows)} below {_LEAST_ERROR:g} km/s, which no "
            "measurement is: pass the 1-sigma errors in km/s, or remove these stars."
        )
    largest = float(np.abs(vel).max())
    if max(float(vel.std()), float(np.median(err))) < _ROUNDING * largest:
        raise ValueError(
            f"vel and err differ by less than {_ROUNDING:g} of the velocities themselves, which reach "
            f"{largest:g} km/s: that is their rounding. Subtract a common velocity, or check the units."
        )
    refuse_impossible(find_impossible(vel, err), vel, rows)


def count_stars(vel: Any, name: str) -> int:
    """Number of stars of a bin whose velocities have not been checked yet.

    Raises
    ------
    TypeError
        If ``vel``, called ``name``, is no array at all.
    """
    try:
        shape = np.shape(vel)
    except (TypeError, ValueError):
        # A ragged list, or one with units: `Stars.read` will say what is wrong with it.
        return len(vel)
    if not shape:
        raise TypeError(f"{name} must be an array of velocities, got {validate.shown(vel)}.")
    return int(np.prod(shape))


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
