"""Densities that an LOSVD is compared with: a known truth, and a Gaussian."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.validate import check_finite, to_array
from veldist.models.losvd.frame import Frame

__all__ = ["Curve", "gaussian_curve", "read_truth"]


class Curve(NamedTuple):
    """A density over velocity, at points or in bins."""

    # (n,): Velocities (km/s), or the edges of the bins of a histogram; ascending.
    velocity: Floats
    density: Floats  # (n,): density, per km/s

    @property
    def is_histogram(self) -> bool:
        """Whether it is constant within bins."""
        return self.velocity.size > self.density.size


def read_truth(true_intrinsic: Any, edges: Floats, name: str = "true_intrinsic") -> Curve:
    """The true LOSVD over a velocity grid.

    Parameters
    ----------
    true_intrinsic : callable or array_like or Quantity
        A function of velocity (km/s) that returns the density (per km/s); or true velocities (km/s), whose
        histogram is normalised over those on the grid.
    edges : ndarray, shape (n_bins + 1,)
        Edges of the grid (km/s), ascending: the bins of the histogram.
    name : str
        Name of ``true_intrinsic`` in messages.

    Raises
    ------
    TypeError, ValueError
        If it is neither a function that returns finite densities, nor velocities, some of them on the grid.
    """
    if callable(true_intrinsic):
        velocity = np.linspace(edges[0], edges[-1], max(1000, 20 * edges.size))
        density = np.asarray(true_intrinsic(velocity), dtype=np.float64)
        if density.shape != velocity.shape:
            raise ValueError(
                f"{name} returned shape {density.shape} for velocities of shape {velocity.shape}: "
                "it must accept an array of velocities (km/s) and return one density for each."
            )
        check_finite(density, f"{name}(velocity)")
        return Curve(velocity, density)
    velocity = to_array(true_intrinsic, name, "km/s")
    check_finite(velocity, name)
    counts, _ = np.histogram(velocity, edges)
    if counts.sum() == 0:
        raise ValueError(
            f"none of the {velocity.size} velocities of {name} lies on the grid, "
            f"{edges[0]} to {edges[-1]} km/s (they span {velocity.min()} to {velocity.max()}): "
            "pass velocities, or a density function."
        )
    return Curve(edges, counts / (counts.sum() * np.diff(edges)))


def gaussian_curve(gaussian: Frame, low: float, high: float) -> Curve:
    """A Gaussian of the given location and scale from ``low`` to ``high`` (km/s), at some 500 points."""
    # Narrow ones need points of their own.
    velocity = np.concatenate([np.linspace(low, high, 500), gaussian.velocity(np.linspace(-5.0, 5.0, 301))])
    velocity = np.sort(velocity[(velocity >= low) & (velocity <= high)])
    density = np.exp(-0.5 * gaussian.standardise(velocity) ** 2) / (gaussian.scale * np.sqrt(2.0 * np.pi))
    return Curve(velocity, density)
