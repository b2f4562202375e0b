"""Location and scale of the members of a bin, beside contaminants of known density."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from veldist._support.arrays import Floats
from veldist.models.contaminants.em import TINY, maximise, occam
from veldist.models.contaminants.normal import gaussian_density
from veldist.models.unresolved import unresolved

__all__ = ["MemberFrame", "member_frame"]

# The logarithm of the factor by which the odds of a catalogue are wrong is N(0, so much^2).
_ODDS_SD = 1.5
# Halvings of the whole spread at which the members are looked for.
_SCALES = 6
# Steps of all starts together, of the best one alone, and how far the odds' logarithm moves in one.
_COMMON_STEPS, _MORE_STEPS, _STRIDE = 12, 200, 2.0
# In the common steps, the floor of the scales is looked at so often.
_EVERY = 4
# Limits of logarithms, of the scale and of the odds.
_SCALE_LIMITS, _MOST = (-100.0, 100.0), 30.0
# A start that is so much worse in its logarithm is left; of the others the narrowest is taken.
_AS_GOOD = 1.0
# Settled when location and scale move by less than this fraction of the scale.
_SETTLED = 1e-4


class MemberFrame(NamedTuple):
    """Location and scale of the members (km/s, scale without the errors), and their share of the stars."""

    location: float
    scale: float
    share: float

    def density(self, vel: Floats, err: Floats) -> Floats:
        """The members' part of the density of each star, error included, per km/s."""
        return self.share * gaussian_density(vel - self.location, self.scale**2 + err**2)

    def membership(self, vel: Floats, err: Floats, contaminant: Floats) -> Floats:
        """Probability of each star to be a member, beside contaminants of these densities at the stars.

        A star that neither explains is none.
        """
        members = self.density(vel, err)
        total = members + (1.0 - self.share) * contaminant
        return np.divide(members, total, out=np.zeros_like(total), where=total > 0.0)


class _Sample(NamedTuple):
    """Stars as the steps need them: velocities, squared errors, weights of members and contaminants."""

    vel: Floats
    e2: Floats
    p: Floats
    # Of contaminants, 1 - p, and times their density.
    q: Floats
    qb: Floats
    # Of the odds' logarithm; zero if the share is free.
    precision: float


class _State(NamedTuple):
    """Parameters of several starts, each (n_starts,): mean, standard deviation, log of the odds' factor."""

    v: Floats
    sigma: Floats
    log_odds: Floats


def member_frame(
    vel: Floats,
    err: Floats,
    density: Floats,
    start: tuple[float, float] | None = None,
    prior: Floats | None = None,
) -> MemberFrame:
    r"""Fit one Gaussian of members beside contaminants of a known density.

    By expectation maximisation of :math:`\prod_i [p_i f_i + (1 - p_i) k b_i] / [p_i + (1 - p_i) k]`, where
    :math:`f_i = N(y_i \mid m, s^2 + e_i^2)` and k is the factor by which the catalogue's odds are wrong,
    :math:`\ln k \sim N(0, 1.5^2)`. Without membership probabilities, the share is free.

    The scale is kept above what the members cannot tell from zero. Of starts that end equally well, the
    narrowest is taken: a LOSVD is found from a frame that is too narrow, but hardly from one too wide.

    Parameters
    ----------
    vel, err : ndarray, (n_stars,)
        Velocities and 1-sigma errors, km/s.
    density : ndarray, (n_stars,)
        Density of the contaminants at the stars, convolved with their errors, per km/s.
    start : tuple of two floats, optional
        Mean and dispersion to start from; by default where stars exceed the contaminants most, on several
        scales.
    prior : ndarray, (n_stars,), optional
        Membership probabilities of a catalogue, from 0 to 1, that do not know the velocities.
    """
    shift = float(np.median(vel))
    y, e2 = vel - shift, err**2
    p = np.full(vel.size, 0.5) if prior is None else prior
    precision = 0.0 if prior is None else _ODDS_SD**-2
    sample = _Sample(y, e2, p, 1.0 - p, (1.0 - p) * density, precision)
    if start is None:
        v, sigma = _dense_places(y, density, p, float(np.median(err)))
    else:
        v, sigma = np.array([start[0] - shift]), np.array([start[1]])
    state = _State(v, sigma, np.zeros(v.size))
    for step in range(_COMMON_STEPS):
        state = _step(sample, state, floor=step % _EVERY == 0)
    state = _settle(sample, _best(sample, state))
    share = float(_responsibility(sample, state)[0].mean())
    return MemberFrame(location=shift + float(state.v[0]), scale=float(state.sigma[0]), share=share)


def _dense_places(y: Floats, density: Floats, p: Floats, error: float) -> tuple[Floats, Floats]:
    """For every scale, the star around which there are most stars in excess of the contaminants."""
    order = np.argsort(y)
    y, expected, below = y[order], y.size * density[order], np.append(0.0, np.cumsum(p[order]))
    below *= y.size / max(below[-1], TINY)
    widths = max(float(y.std()), error) * 0.5 ** np.arange(_SCALES)
    # Errors smear what is narrower.
    widths = widths[(widths > 0.7 * error) | (np.arange(_SCALES) == 0)]
    places = []
    for width in widths:
        inside = below[np.searchsorted(y, y + width, "right")] - below[np.searchsorted(y, y - width)]
        around = 2.0 * width * expected
        places.append(y[np.argmax((inside - around) / np.sqrt(around + 1.0))])
    return np.array(places), widths


def _responsibility(sample: _Sample, state: _State) -> tuple[Floats, Floats, Floats]:
    """Each star's share of the members, the total of its likelihood, and the variances of the members."""
    variance = state.sigma[:, None] ** 2 + sample.e2
    members = sample.p * gaussian_density(sample.vel - state.v[:, None], variance)
    total = members + np.exp(state.log_odds)[:, None] * sample.qb + TINY
    return members / total, total, variance


def _step(sample: _Sample, state: _State, floor: bool = True) -> _State:
    """One step of expectation maximisation, with the floor of the scales or without."""
    responsibility, _, variance = _responsibility(sample, state)
    v, sigma = maximise(sample.vel, sample.e2, state.v, state.sigma, variance, responsibility)
    if floor:
        least = np.minimum(np.sqrt(unresolved(sample.e2, responsibility)), np.ptp(sample.vel))
        sigma = np.maximum(sigma, np.maximum(least, TINY))
    contaminants = sample.vel.size - responsibility.sum(axis=-1)
    return _State(v, sigma, _odds(sample, state.log_odds, contaminants))


def _odds(sample: _Sample, log_odds: Floats, contaminants: Floats) -> Floats:
    """A Newton step of the odds' logarithm towards so many contaminants."""
    odds = sample.q * np.exp(log_odds)[:, None]
    fraction = odds / (sample.p + odds)
    slope = contaminants - fraction.sum(axis=-1) - sample.precision * log_odds
    curvature = (fraction * (1.0 - fraction)).sum(axis=-1) + sample.precision
    stride = slope / np.maximum(curvature, TINY)
    return np.clip(log_odds + np.clip(stride, -_STRIDE, _STRIDE), -_MOST, _MOST)


def _log_posterior(sample: _Sample, state: _State) -> Floats:
    """Logarithm of the conditional likelihood and of the odds' prior, (n_starts,)."""
    _, total, _ = _responsibility(sample, state)
    catalogue = sample.p + np.exp(state.log_odds)[:, None] * sample.q
    return np.log(total / catalogue).sum(axis=-1) - 0.5 * sample.precision * state.log_odds**2


def _best(sample: _Sample, state: _State) -> _State:
    """The narrowest of the starts that are about as good as the best."""
    responsibility, _, _ = _responsibility(sample, state)
    n_members = responsibility.sum(axis=-1)
    error = float(np.sqrt(np.median(sample.e2)))
    extent = float(np.ptp(sample.vel)) + error
    score = _log_posterior(sample, state) - occam(state.sigma, n_members, error, extent)
    good = score > score.max() - _AS_GOOD
    k = int(np.argmin(np.where(good, state.sigma, np.inf)))
    return _State(*(value[k : k + 1] for value in state))


def _settle(sample: _Sample, state: _State) -> _State:
    """Steps of one start until nothing moves.

    Three at a time, extrapolated (SQUAREM, Varadhan & Roland 2008, Scand. J. Stat. 35, 335), for the steps
    alone are small where members and contaminants overlap. An extrapolation that lowers the posterior is not
    taken.
    """
    for _ in range(_MORE_STEPS // 3):
        one = _step(sample, state)
        two = _step(sample, one)
        if (
            abs(two.v - one.v)[0] < _SETTLED * two.sigma[0]
            and abs(np.log(two.sigma / one.sigma))[0] < _SETTLED
        ):
            return two
        first, second, third = (
            np.concatenate([s.v / state.sigma, np.log(s.sigma), s.log_odds]) for s in (state, one, two)
        )
        change = second - first
        bend = third - second - change
        length = float(np.sqrt((change @ change) / max(bend @ bend, TINY)))
        if length <= 1.0:
            state = two
            continue
        v, log_sigma, log_odds = first + 2.0 * length * change + length**2 * bend
        far = (
            v * state.sigma[0],
            np.exp(np.clip(log_sigma, *_SCALE_LIMITS)),
            np.clip(log_odds, -_MOST, _MOST),
        )
        ahead = _step(sample, _State(*(np.array([value]) for value in far)))
        state = ahead if _log_posterior(sample, ahead)[0] >= _log_posterior(sample, two)[0] else two
    return state
