"""What figures show of the LOSVD of one spatial bin, as small arrays instead of draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.percentiles import percentiles
from veldist.models.losvd.frame import Frame, fit_frame
from veldist.summaries.curves import Curve, read_truth
from veldist.summaries.moments import histogram_cdf, histogram_percentiles

__all__ = ["REACH", "Strip", "density_percentiles", "strip_of"]

REACH = (0.002, 0.5, 0.998)
"""Cumulative probabilities at the ends and in the middle of the range of velocities that is shown."""


@dataclass(frozen=True, eq=False)
class Strip:
    """LOSVD of one spatial bin, as it is drawn."""

    number: int  # number of the bin, counted from 1
    n_stars: int | None  # its number of stars, if known
    n_members: int | None  # how many of them are expected to be members, where not all are
    edges: Floats  # (n_bins + 1,): edges of the velocity bins (km/s), ascending
    # (n_bins,): Percentiles 16, 50 and 84 of the draws' densities in each velocity bin (per km/s).
    lower: Floats
    median: Floats
    upper: Floats
    mean: Floats  # (n_bins,): mean of the draws' densities (per km/s)
    # Velocities (km/s) at which the mean LOSVD has the cumulative probabilities `REACH`.
    reach: tuple[float, float, float]
    gaussian: Frame | None = None  # location and scale (km/s) of the best Gaussian, if it is shown
    truth: Curve | None = None  # the true LOSVD, where it is known

    def line(self, central: str) -> Floats:
        """Median or mean density (per km/s), shape (n_bins,), by its name."""
        return self.mean if central == "mean" else self.median


def density_percentiles(masses: Floats, edges: Floats, q: Sequence[float]) -> Floats:
    """Percentiles over the draws of the density in each velocity bin (per km/s), shape (n_q, n_bins).

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Probability mass per bin.
    edges : ndarray, shape (n_bins + 1,)
        Edges of the bins (km/s), ascending.
    q : sequence of float
        Percentiles, 0 to 100.
    """
    # A bin's draws side by side in memory: they are sorted.
    return percentiles(np.ascontiguousarray(masses.T), q) / np.diff(edges)


def strip_of(
    masses: Floats,
    edges: Floats,
    number: int,
    n_stars: int | None = None,
    *,
    membership: Floats | None = None,
    stars: tuple[Floats, Floats] | None = None,
    true_intrinsic: Any = None,
) -> Strip:
    """Reduce the draws of one bin to what is drawn of them.

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Posterior draws, probability mass per bin; rows sum to 1.
    edges : ndarray, shape (n_bins + 1,)
        Edges of the velocity bins (km/s), uniform and ascending.
    number : int
        Number of the bin, counted from 1.
    n_stars : int, optional
        Its number of stars.
    membership : ndarray, shape (n_stars,), optional
        Probability of each of them to be a member.
    stars : (ndarray, ndarray), optional
        Velocities and errors (km/s), shape (n_stars,), to which the Gaussian is fitted that is shown for
        comparison (see `veldist.models.losvd.frame.fit_frame`); by default none is.
    true_intrinsic : callable or array_like or Quantity, optional
        The truth, as for `veldist.summaries.curves.read_truth`.

    Raises
    ------
    TypeError, ValueError
        If the truth is unusable; the message gives the bin's place in the list, from 0.
    """
    lower, median, upper = density_percentiles(masses, edges, (16.0, 50.0, 84.0))
    mean = masses.mean(axis=0)
    low, middle, high = histogram_percentiles(histogram_cdf(mean[None, :]), edges, REACH)[:, 0].tolist()
    truth = None
    if true_intrinsic is not None:
        truth = read_truth(true_intrinsic, edges, f"true_intrinsic[{number - 1}]")
    return Strip(
        number=number,
        n_stars=n_stars,
        n_members=None if membership is None else round(float(membership.sum())),
        edges=edges,
        lower=lower,
        median=median,
        upper=upper,
        mean=mean / np.diff(edges),
        reach=(low, middle, high),
        gaussian=None if stars is None else fit_frame(*stars, membership),
        truth=truth,
    )
