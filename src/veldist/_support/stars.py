"""Velocities and errors of a sample of stars, converted and checked at the door."""

from __future__ import annotations

from typing import Any

import numpy as np

from veldist._support import validate
from veldist._support.arrays import Floats

__all__ = ["read_stars"]


def read_stars(vel: Any, err: Any, names: tuple[str, str] = ("vel", "err")) -> tuple[Floats, Floats]:
    """Clean arrays in km/s from what a user passes.

    Parameters
    ----------
    vel : array_like or Quantity, (n_stars,)
        Line-of-sight velocities, km/s.
    err : array_like or Quantity, (n_stars,)
        Their errors, km/s; a single number serves all stars.
    names : tuple of two str
        What the arguments are called, for the messages.

    Returns
    -------
    vel, err : ndarray, (n_stars,)

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If values are NaN, infinite, masked or above the speed of light, errors are not positive, lengths
        differ, there is no star, or a unit is wrong.
    """
    vel = validate.to_array(vel, names[0], "km/s")
    err = validate.to_numbers(err, names[1], "km/s")
    err = np.full(vel.size, err) if err.ndim == 0 else validate.to_array(err, names[1], "km/s")
    validate.check_same_length(vel, err, *names)
    validate.check_finite(vel, names[0])
    validate.check_finite(err, names[1])
    validate.check_positive(err, names[1], "every star needs the 1-sigma error of its own velocity.")
    return vel, err
