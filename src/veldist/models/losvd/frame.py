"""The LOSVD's own frame, the standardised velocity ``z = (v - location) / scale`` of a bin's stars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.models.unresolved import unresolved

__all__ = ["FAR", "Frame", "fit_frame", "is_far", "robust_frame"]

FAR = 8.0
"""Stars so many robust dispersions out, their own errors included, are hardly members."""

# Cells narrower than this fraction of the velocities would be lost to their rounding.
_ROUNDING = 1e-9
# The variance's root is searched from above in steps of so much in its logarithm.
_STEP = float(np.log(2.0))
# Upper quartile of the unit Gaussian.
_NORMAL_QUARTILE = 0.6744897501960817


@dataclass(frozen=True)
class Frame:
    """Location and scale (km/s) that define the standardised velocity of one sample of stars."""

    location: float
    scale: float

    def standardise(self, velocity: Floats) -> Floats:
        """Standardised velocity ``z = (v - location) / scale``."""
        return (velocity - self.location) / self.scale

    def velocity(self, z: Floats) -> Floats:
        """Velocity (km/s) of a standardised velocity."""
        return self.location + self.scale * z


def fit_frame(vel: Floats, err: Floats, share: Floats | None = None) -> Frame:
    r"""Error-corrected Gaussian location and scale.

    Of the likelihood :math:`\prod_i N(y_i \mid m, s^2 + e_i^2)`: with weights
    :math:`w_i = 1 / (s^2 + e_i^2)`, m is the weighted mean, and s solves
    :math:`\sum_i w_i^2 (y_i - m)^2 = \sum_i w_i` (e.g. Pryor & Meylan 1993, ASP Conf. 50, 357). Of several
    solutions the broadest is taken: the likelihood is singular where m is the velocity of a star without an
    error and s is 0, so that the highest of its maxima is on any star that is far more precise than the
    others, and says nothing of them.

    Where the errors hide the dispersion, there is no such maximum; the scale is therefore kept above the
    dispersion whose square equals the uncertainty of the square,
    :math:`s^2 \ge \sqrt{2} / \sqrt{\sum_i e_i^{-4}}`, the Cramer-Rao bound at s = 0, the three most precise
    stars left out. With a single velocity value and tiny errors (all stars equal) this still gives a positive
    scale.

    Parameters
    ----------
    vel, err : ndarray, (N,)
        Velocities and 1-sigma errors, km/s.
    share : ndarray, (N,), optional
        How much each star counts, 0 to 1: its probability to be a member.
    """
    shift = float(np.median(vel))
    y, e2 = vel - shift, err**2
    share = np.ones(vel.size) if share is None else share

    def location(variance: float) -> float:
        weight = share / (variance + e2)
        return float(weight @ y / weight.sum())

    def score(variance: float) -> float:
        weight = 1.0 / (variance + e2)
        pull = weight * (y - location(variance))
        return float(share @ (pull * pull - weight)) * variance

    members = share > 0.5 * share.max()
    variance = _solve_variance(score, e2[members], float(np.ptp(y)) ** 2, vel)
    return Frame(location=shift + location(variance), scale=float(np.sqrt(variance)))


def robust_frame(vel: Floats, err: Floats) -> Frame:
    r"""Location and scale that a few foreground stars do not move.

    The location is the median; the scale s makes the median of :math:`|y_i - m| / \sqrt{s^2 + e_i^2}` that of
    a unit Gaussian, 0.6745: the median absolute deviation, corrected for the errors. It is kept above the
    same bound as in `fit_frame`. Where half of the velocities are the same, as coarse rounding makes them,
    the deviations of the others count, unless there is only one.
    """
    location = float(np.median(vel))
    deviation, e2 = np.abs(vel - location), err**2
    target = _NORMAL_QUARTILE
    counts = deviation > 0.0
    if not 1 < np.count_nonzero(counts) <= deviation.size / 2:
        counts[:] = True

    def excess(variance: float) -> float:
        return float(np.median(deviation[counts] / np.sqrt(variance + e2[counts]))) - target

    variance = _solve_variance(excess, e2, float(deviation.max() / target) ** 2, vel)
    return Frame(location=location, scale=float(np.sqrt(variance)))


def is_far(vel: Floats, err: Floats) -> NDArray[np.bool_]:
    """Stars beyond `FAR` dispersions from the median velocity, their own errors included.

    Dispersion and location are those of `robust_frame`, so that a star cannot hide behind its own effect.
    """
    frame = robust_frame(vel, err)
    return np.abs(vel - frame.location) > FAR * np.hypot(frame.scale, err)


def _solve_variance(excess: Callable[[float], float], e2: Floats, ceiling: float, vel: Floats) -> float:
    """The largest variance where a function changes its sign, from positive below to negative above.

    If there is none, the smallest variance that can be told from zero: the Cramer-Rao bound of unresolved
    stars, and what the velocities' rounding allows.
    """
    floor = max(float(unresolved(e2, np.ones_like(e2))), (_ROUNDING * float(np.abs(vel).max())) ** 2)
    above = float(np.log(ceiling) + 1e-3) if ceiling > 0.0 else -np.inf
    lowest = float(np.log(floor))
    below = above
    while below > lowest:
        below = max(above - _STEP, lowest)
        if excess(float(np.exp(below))) > 0.0:
            # Here, for it takes longer to load than all of the engine.
            from scipy.optimize import brentq

            # In the logarithm: the variance may span many decades.
            return float(np.exp(brentq(lambda t: excess(float(np.exp(t))), below, above, xtol=1e-9)))
        above = below
    return floor
