"""Contaminants of all velocities within limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from veldist._support.arrays import Floats
from veldist._support.stars import read_stars
from veldist._support.validate import to_float, to_numbers
from veldist.models.contaminants.normal import box_density

__all__ = ["UniformContaminant"]


@dataclass(frozen=True)
class UniformContaminant:
    """Contaminants that have any intrinsic velocity between two limits with equal probability.

    Made by `Contaminant.uniform`.

    Parameters
    ----------
    low, high : float or Quantity
        The limits, km/s. A star that is many of its errors outside has no density at all.

    Raises
    ------
    TypeError, ValueError
        If the limits are no finite numbers, or do not ascend.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        """Convert the limits to plain km/s."""
        low, high = to_float(self.low, "low", "km/s"), to_float(self.high, "high", "km/s")
        if not low < high:
            raise ValueError(
                f"low must be below high, got low = {low:g} and high = {high:g} km/s: pass the limits of "
                "the contaminants' velocities."
            )
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)

    def density(self, vel: Any, err: Any) -> Floats:
        """Density of the observed velocity of a contaminant; as `ContaminantDensity.density`."""
        return box_density(*read_stars(vel, err), self.low, self.high)

    def pdf(self, v: ArrayLike) -> Any:
        """Density at the intrinsic velocities ``v`` (any shape, km/s), per km/s."""
        v = to_numbers(v, "v", "km/s")
        return np.where((v >= self.low) & (v <= self.high), 1.0 / (self.high - self.low), 0.0)[()]

    def __str__(self) -> str:
        """Return the sentence that a user reads."""
        return f"contaminant: uniform from {self.low:g} to {self.high:g} km/s"
