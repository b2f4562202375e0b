"""The density of a control sample: a kernel density estimate as a mixture of few Gaussians."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from veldist._support.arrays import Floats

__all__ = ["FEWEST", "Smoothed", "smooth"]

FEWEST = 10
"""Fewer stars do not show how their velocities are distributed."""
# Components at most.
_MOST = 256
# Share of the broad Gaussian for few stars, number of stars that it is worth for many, and its width in
# standard deviations: no star of the same population is without any density.
_BROAD_SHARE, _BROAD_STARS, _BROAD_WIDTH = 0.03, 10.0, 2.0
_QUARTILES_PER_SIGMA = 1.349


class Smoothed(NamedTuple):
    """Weights, means and standard deviations (km/s) of a mixture, and the bandwidth it was smoothed with."""

    weights: Floats
    v: Floats
    sigma: Floats
    bandwidth: float


def smooth(vel: Floats) -> Smoothed:
    r"""Smooth a sample of velocities.

    With the bandwidth of Silverman (1986, Density Estimation, eq. 3.31),
    :math:`0.9 \min(s, IQR/1.349) n^{-1/5}`. Of many stars, consecutive ones share a Gaussian of their mean
    and variance, added to that of the bandwidth: mean and variance of the whole are those of the kernel
    estimate. A broad Gaussian of little weight lies below all.

    Parameters
    ----------
    vel : ndarray, (n_stars,)
        Velocities of at least `FEWEST` stars, not all equal, km/s.
    """
    vel = np.sort(vel)
    spread = float(vel.std())
    q25, q75 = np.percentile(vel, [25.0, 75.0])
    # More than half of the stars may have one velocity.
    scale = min(spread, (q75 - q25) / _QUARTILES_PER_SIGMA) or spread
    bandwidth = float(0.9 * scale * vel.size**-0.2)
    starts = np.unique(np.linspace(0, vel.size, min(vel.size, _MOST), endpoint=False).astype(int))
    counts = np.diff(starts, append=vel.size)
    mean = np.add.reduceat(vel, starts) / counts
    variance = np.add.reduceat((vel - np.repeat(mean, counts)) ** 2, starts) / counts
    broad = min(_BROAD_SHARE, _BROAD_STARS / vel.size)
    return Smoothed(
        weights=np.append((1.0 - broad) * counts / vel.size, broad),
        v=np.append(mean, vel.mean()),
        sigma=np.append(np.sqrt(variance + bandwidth**2), _BROAD_WIDTH * spread),
        bandwidth=bandwidth,
    )
