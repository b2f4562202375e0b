"""Whether there may be stars that are no members in a sample that is fitted as if all were.

The members' LOSVD alone is held against the same beside contaminants, of all velocities alike or as
`veldist.models.contaminants.learn` finds them, by Laplace's approximation of the evidences. A LOSVD may have
wings, so that it is not enough that a star is far out. Most clean samples are let go at a glance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from veldist._support.arrays import Floats
from veldist.models.contaminants.em import TINY
from veldist.models.contaminants.frame import MemberFrame, member_frame
from veldist.models.contaminants.learn import Learnt, learn, take_evenly
from veldist.models.contaminants.normal import box_density, mixture_density
from veldist.models.losvd.frame import Frame, fit_frame, is_far
from veldist.models.members import Sample, laplace_evidence
from veldist.models.screening import gain_of_two_groups

__all__ = ["FEWEST_MEMBERS", "Detection", "detect"]

FEWEST_MEMBERS = 15
"""Fewer members cannot be told from contaminants by their velocities."""

# Natural logarithm of the evidence ratio that speaks.
_SPEAKS = 3.0
# Learnt contaminants are at least three times broader than the members: where a population of two dispersions
# is on that border, chance decides, but not so far beyond it.
_BROADER = 3.5
# Fewer stars show nothing; more of them, evenly taken, show no more.
_FEWEST, _MOST = 20, 5000
# What must be looked at: excess kurtosis, in units of its standard error among Gaussian samples; a star
# farther from the median than in nine of ten Gaussian samples; these shares of all stars, so many at least,
# within a shorter interval than this part of what holds 80 %. A Gaussian has 0.098 and 0.198.
_HEAVY, _RARE, _PEAKS = 1.0, 10.0, ((0.1, 0.05), (0.2, 0.11))
_MANY_CLOSE = 12
# A uniform contaminant reaches beyond the stars by this part of their range: limits right at the outermost
# ones would count for more than they tell.
_MARGIN = 0.125
_MAD_PER_SIGMA = 0.6744897501960817
# Two groups must explain the sample better than heavy wings do, by as much in the logarithm.
_TWO_GROUPS = 2.0
# A uniform contaminant must raise the likelihood of one Gaussian by as much in its logarithm, or no member's
# shape would leave it anything.
_PROMISING = 3.0
# So few stars that are all far out are blunders rather than a population: as a number, as a share of all.
_BLUNDERS, _BLUNDERS_SHARE = 2, 0.01


@dataclass(frozen=True)
class Detection:
    """What speaks for contaminants, and what they would be."""

    # Natural logarithm of the evidence ratios; minus infinity where nothing was learnt, or not looked at.
    uniform: float
    learnt: float
    share: float  # of contaminants among all stars
    # Location and dispersion (km/s) of the members as one Gaussian.
    v: float
    sigma: float
    separable: bool  # whether the members can be told from the others by their velocities
    foreign: Floats  # (n_stars,): Probability of every star to be no member


def detect(vel: Floats, err: Floats) -> Detection | None:
    """Look for stars that are no members; None if nothing speaks for them.

    Parameters
    ----------
    vel, err : ndarray, (n_stars,)
        Velocities and 1-sigma errors, km/s, of stars that are fitted without a contaminant.
    """
    if vel.size < _FEWEST or np.ptp(vel) == 0.0 or not _is_suspicious(vel):
        return None
    some, _ = take_evenly(vel, err, _MOST)
    found = _compare(vel, err, vel[some], err[some])
    if found is None:
        return None
    likely = found.foreign > 0.5
    few = np.count_nonzero(likely) <= max(_BLUNDERS, _BLUNDERS_SHARE * vel.size)
    return None if few and is_far(vel, err)[likely].all() else found


def _is_suspicious(vel: Floats) -> bool:
    """Whether velocities have heavier wings or a sharper peak than a Gaussian, or some lie far out."""
    y = np.sort(vel - np.median(vel))
    n = y.size
    out = np.sqrt(2.0 * np.log(_RARE * n)) / _MAD_PER_SIGMA
    if max(-y[0], y[-1]) > out * np.median(np.abs(y)):
        return True
    most = y[-(n // 10) - 1] - y[n // 10]
    for share, limit in _PEAKS:
        k = int(share * n)
        if k >= _MANY_CLOSE and np.min(y[k:] - y[: n - k]) < limit * most:
            return True
    square = (y - y.mean()) ** 2
    kurtosis = (square @ square) * n / square.sum() ** 2 - 3.0
    return bool(kurtosis > _HEAVY * np.sqrt(24.0 / n))


def _compare(all_vel: Floats, all_err: Floats, vel: Floats, err: Floats) -> Detection | None:
    """Hold the evidences of a part of the stars against each other."""
    if gain_of_two_groups(vel, err) < _TWO_GROUPS:
        return None
    margin = _MARGIN * (vel[-1] - vel[0]) + float(np.median(err))
    low, high = vel[0] - margin, vel[-1] + margin
    alone = fit_frame(vel, err)
    box = box_density(vel, err, low, high)
    beside = member_frame(vel, err, box)
    gain = _log_likelihood(vel, err, beside, box) - _log_likelihood(
        vel, err, MemberFrame(alone.location, alone.scale, 1.0), box
    )
    learnt = _learn(vel, err)
    if learnt is None and gain < _PROMISING:
        return None
    none = laplace_evidence(Sample(vel, err), alone, 1.0)
    uniform = told = -np.inf
    frame, density = beside, box_density(all_vel, all_err, low, high)
    if gain >= _PROMISING:
        uniform = _evidence(vel, err, box, beside) - none
    if learnt is not None:
        mixture = learnt.weights, learnt.v, learnt.sigma
        own = mixture_density(vel, err**2, *mixture)
        own_frame = member_frame(vel, err, own, start=(learnt.member.v, learnt.member.sigma))
        if learnt.sigma.min() > _BROADER * own_frame.scale:
            told = _evidence(vel, err, own, own_frame) - none
        if told > _SPEAKS:
            frame, density = own_frame, mixture_density(all_vel, all_err**2, *mixture)
    if max(uniform, told) <= _SPEAKS:
        return None
    foreign = 1.0 - frame.membership(all_vel, all_err, density)
    share = float(foreign.mean())
    separable = told > _SPEAKS and (1.0 - share) * all_vel.size >= FEWEST_MEMBERS
    return Detection(uniform, told, share, frame.location, frame.scale, separable, foreign)


def _learn(vel: Floats, err: Floats) -> Learnt | None:
    try:
        return learn(vel, err, None)
    except ValueError:
        return None


def _evidence(vel: Floats, err: Floats, density: Floats, frame: MemberFrame) -> float:
    return laplace_evidence(Sample(vel, err, density), Frame(frame.location, frame.scale), frame.share)


def _log_likelihood(vel: Floats, err: Floats, frame: MemberFrame, density: Floats) -> float:
    """Of one Gaussian of members beside contaminants."""
    total = frame.density(vel, err) + (1.0 - frame.share) * density
    return float(np.log(np.maximum(total, TINY)).sum())
