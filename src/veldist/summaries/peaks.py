"""Modality as a posterior: how probable two modes are, and where the two peaks lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.percentiles import percentiles
from veldist.fits.draws import checked_draws
from veldist.summaries.modality import DEPTH, MIN_MASS, largest_modes

__all__ = ["Modality", "modality", "modality_of"]

# So many draws, and such a share of them, must have two modes before anything is said of the peaks.
_LEAST_DRAWS, _LEAST_SHARE = 20, 0.05

_Pair = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class Modality:
    """Number of modes of an LOSVD and its two largest peaks, as a posterior.

    Attributes
    ----------
    n_modes : ndarray of int, shape (n_draws,)
        Number of modes of every draw.
    probability : ndarray, shape (largest number of modes,)
        Posterior probability of 1, 2, ... modes.
    p_multimodal : float
        Posterior probability of at least two modes.
    peak_v, peak_mass : ((float, float), (float, float))
        Velocity (km/s; centroid of what rises above ``1 - depth`` times the peak) and mass of the two most
        massive peaks, the one at lower velocity first: median and
        uncertainty (half of the 16-84 percentile range) over the draws that have at least two modes. NaN
        where these are fewer than 20, or than 5 % of all.
    peak_v_draws, peak_mass_draws : ndarray, shape (n_draws, 2)
        The same for every draw, NaN for draws of one mode.
    """

    n_modes: NDArray[np.int64]
    probability: Floats
    p_multimodal: float
    peak_v: _Pair
    peak_mass: _Pair
    peak_v_draws: Floats
    peak_mass_draws: Floats


def modality(
    pdf_samples: Any, grid_centers: Any, *, depth: float = DEPTH, min_mass: float = MIN_MASS
) -> Modality:
    """Count the modes of every draw and find the two largest peaks.

    What counts as a mode, and why, is explained in `veldist.summaries.modality`.

    Parameters
    ----------
    pdf_samples : array_like, shape (n_draws, n_bins)
        Posterior draws of the LOSVD, probability mass per bin; rows sum to 1.
    grid_centers : array_like or Quantity, shape (n_bins,)
        Bin centres (km/s), uniform and ascending.
    depth : float
        Smallest fractional depth of a valley below the lower of its two peaks, in (0, 1).
    min_mass : float
        Smallest probability of a mode, counted from valley to valley, in (0, 0.5).

    Returns
    -------
    Modality

    Raises
    ------
    TypeError, ValueError
        As `veldist.analysis.summary_draws`, or if a threshold is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from veldist.simulate import Gaussian, Mixture
    >>> law = Mixture([(0.6, Gaussian(-30.0, 12.0)), (0.4, Gaussian(50.0, 15.0))])
    >>> edges = np.linspace(-100.0, 120.0, 56)
    >>> found = modality(np.repeat([law.bin_masses(edges, conditional=True)], 100, axis=0), edges[:-1] + 2.0)
    >>> [round(float(v)) for v, _ in found.peak_v], [round(float(m), 2) for m, _ in found.peak_mass]
    ([-30, 50], [0.6, 0.4])
    """
    if not 0.0 < depth < 1.0:
        raise ValueError(f"depth must be between 0 and 1, got {depth}.")
    if not 0.0 < min_mass < 0.5:
        raise ValueError(f"min_mass must be between 0 and 0.5, got {min_mass}: two modes share a mass of 1.")
    masses, edges = checked_draws(pdf_samples, grid_centers, "pdf_samples", "grid_centers")
    return modality_of(masses, edges, None, depth, min_mass)


def modality_of(
    masses: Floats,
    edges: Floats,
    cdf: Floats | None = None,
    depth: float = DEPTH,
    min_mass: float = MIN_MASS,
) -> Modality:
    """As `modality`, for masses and bin edges, and their CDF if it is at hand, that have been checked."""
    n_draws, n_bins = masses.shape
    n_modes, largest = largest_modes(masses, depth, min_mass, cdf)
    peak_v, peak_mass = np.full((2, n_draws, 2), np.nan)
    two = np.flatnonzero(n_modes >= 2)
    if two.size:
        peak, mass = largest.bin[:, two], largest.mass[:, two]
        order = np.argsort(peak, axis=0)
        peak, mass = np.take_along_axis(peak, order, 0), np.take_along_axis(mass, order, 0)
        dv = (edges[-1] - edges[0]) / n_bins
        centre = _centre_of_top(masses, np.tile(two, 2), peak.ravel(), 1.0 - depth).reshape(peak.shape)
        peak_v[two] = (edges[0] + dv * (0.5 + centre)).T
        peak_mass[two] = mass.T
    said = two.size >= max(_LEAST_DRAWS, _LEAST_SHARE * n_draws)
    return Modality(
        n_modes=n_modes,
        probability=np.bincount(n_modes)[1:] / n_draws,
        p_multimodal=two.size / n_draws,
        peak_v=_summary(peak_v[two] if said else peak_v[:0]),
        peak_mass=_summary(peak_mass[two] if said else peak_mass[:0]),
        peak_v_draws=peak_v,
        peak_mass_draws=peak_mass,
    )


def _centre_of_top(masses: Floats, rows: NDArray[np.intp], peak: NDArray[np.intp], keep: float) -> Floats:
    """Centroid of what rises above ``keep`` times the peak, next to it, in bins from the first centre.

    The density is constant within the cells of the inference, which can be wider than the bins: a parabola
    through the highest bin and its neighbours would find the middle or the edge of a cell, the same one in
    most draws. Neighbouring modes are separated by a valley of ``keep`` times the lower peak or less, so
    that none reaches into another.
    """
    n_bins, flat = masses.shape[1], masses.ravel()
    # Straight lines between the centres of bins, from the peak outwards: left, then right.
    side = np.repeat([-1, 1], rows.size)
    bin_ = np.tile(peak, 2)
    at = np.tile(rows * n_bins, 2) + bin_
    level = keep * flat[at]
    height = flat[at] - level
    area, moment = np.zeros((2, side.size))
    on, distance = np.arange(side.size), 0
    while on.size:
        # Nothing falls off the grid: there the last bin counts as far as its edge.
        last = bin_ == np.where(side < 0, 0, n_bins - 1)
        bin_, at = bin_ + side, at + side
        after = np.where(last, -height, flat.take(at, mode="clip") - level)
        higher = after > 0.0
        # A trapezoid to the next centre, or a triangle to where the line crosses zero.
        end = np.maximum(after, 0.0)
        width = np.where(higher, 1.0, height / (height - np.minimum(after, 0.0)))
        area[on] += 0.5 * width * (height + end)
        moment[on] += width * (0.5 * distance * (height + end) + width * (height + 2.0 * end) / 6.0)
        on, height = on[higher], after[higher]
        side, bin_, at, level = side[higher], bin_[higher], at[higher], level[higher]
        distance += 1
    (left, right), (moment_left, moment_right) = np.split(area, 2), np.split(moment, 2)
    return peak + (moment_right - moment_left) / (left + right)


def _summary(draws: Floats) -> _Pair:
    """Median and uncertainty of both columns; NaN if there are no rows."""
    if not len(draws):
        return (np.nan, np.nan), (np.nan, np.nan)
    low, median, high = percentiles(draws.T, (16.0, 50.0, 84.0))
    spread = 0.5 * (high - low)
    return (float(median[0]), float(spread[0])), (float(median[1]), float(spread[1]))
