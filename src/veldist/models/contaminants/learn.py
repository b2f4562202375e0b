"""Members and contaminants told apart by their velocities alone, from all stars of a catalogue."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.models.contaminants.em import TINY, Gaussians, climb, occam
from veldist.models.contaminants.member import Member
from veldist.models.contaminants.starts import dense_places

__all__ = ["Learnt", "learn", "take_evenly"]

# Stars that are used at most: at first, to find the populations, and in the end.
_FIRST_STARS, _MOST_STARS = 1500, 20_000
# Steps of all starts together, and of the few that are kept, until the likelihood rises by less.
_FIRST_STEPS, _LAST_STEPS, _SETTLED = 30, 500, 1e-3
_KEPT = 3
# Two starts have come to the same mixture where the likelihoods differ by less.
_SAME = 0.05
# All others are broader than the members by this factor, or farther from them than so many times the sum of
# both dispersions; members have at least this share and so many stars.
_BROADER, _APART, _LEAST_SHARE, _LEAST_STARS = 3.0, 4.0, 0.05, 10
# A mixture that is so much worse than the best of all, in its logarithm, must have the same members as one
# that is not: within a dispersion of each other, and dispersions within this factor.
_WORSE, _ALIKE = 5.0, 2.0
# Once members are told, a better mixture with the same members will do whose others are this much broader.
_ALSO_BROADER = 2.0
# What the user guesses of the members' velocity is as uncertain as this part of the range of velocities; who
# guesses may have this share of members.
_GUESS_WIDTH, _GUESSED_SHARE = 0.1, 0.01
# Fewer stars do not show two populations.
_FEWEST = 30
_CURE = (
    "If there are contaminants, give their density: Contaminant.sample of a control field or a model of the "
    "Galaxy, or Contaminant.gaussian"
)


class Learnt(NamedTuple):
    """The contaminant as a mixture of Gaussians, what the members are, and of which stars."""

    weights: Floats
    v: Floats
    sigma: Floats
    member: Member
    source: str


class _Model(NamedTuple):
    """One mixture, its components in no order, and its Bayesian information criterion over -2."""

    v: Floats
    sigma: Floats
    share: Floats
    evidence: float


def take_evenly(vel: Floats, err: Floats, most: int) -> tuple[NDArray[np.intp], int]:
    """At most so many stars in the order of their velocities, and of how many each is one."""
    every = -(-vel.size // most)
    return np.lexsort((err, vel))[every // 2 :: every], every


def learn(vel: Floats, err: Floats, guess: float | None) -> Learnt:
    r"""Mixture of one narrow Gaussian and one or two broad ones.

    Every mixture is reached by expectation maximisation, with the stars' errors, from several starts (see
    `veldist.models.contaminants.starts.dense_places`). Of those whose members can be told from the others,
    the one of highest evidence is taken, by the Bayesian information criterion with the volumes of mean and
    scale. Members are the *largest* component that is at least three times narrower than the broadest, for
    the narrowest may be a few stars that happen to be close together. They are told from the others if these
    are all three times broader, or far away.

    Parameters
    ----------
    vel, err : ndarray, (n_stars,)
        Velocities and 1-sigma errors, km/s.
    guess : float, optional
        About the members' velocity, km/s: starts there are tried too, and solutions near it are preferred by
        a Gaussian prior of a tenth of the range. It does not select them.

    Raises
    ------
    ValueError
        If members cannot be told from others.
    """
    n_all = vel.size
    some, every = take_evenly(vel, err, _MOST_STARS)
    vel, err = vel[some], err[some]
    if vel.size < _FEWEST:
        raise ValueError(
            f"vel has {n_all} stars, too few to show whether they are two populations ({_FEWEST} at least). "
            f"{_CURE}."
        )
    if vel[0] == vel[-1]:
        raise ValueError(f"vel has {n_all} equal velocities, {vel[0]:g} km/s: check the column.")
    shift = float(np.median(vel))
    search = _Search(vel - shift, err**2, None if guess is None else guess - shift)
    single = search.single()
    models = [model for n_broad in (1, 2) for model in search.mixtures(n_broad)]
    told = [(model, k) for model in models if (k := search.members(model)) is not None]
    told = [(model, k) for model, k in told if _agreed(model, k, models)]
    best, k = max(told, key=lambda pair: pair[0].evidence, default=(single, 0))
    if best.evidence <= single.evidence:
        raise ValueError(_why_not(search, single, models, bool(told), n_all, shift, guess))
    same = [(model, i) for model in models if (i := search.members(model, _ALSO_BROADER)) is not None]
    same = [(model, i) for model, i in same if _are_alike(model, i, best.v[k], best.sigma[k])]
    best, k = max(same, key=lambda pair: pair[0].evidence)
    others = np.arange(best.v.size) != k
    weights = best.share[others] / best.share[others].sum()
    member = Member(
        v=float(best.v[k]) + shift,
        sigma=float(best.sigma[k]),
        share=float(best.share[k]),
        n_stars=n_all,
        v_err=search.uncertainty(best, k) / np.sqrt(every),
        log_odds=best.evidence - single.evidence,
    )
    source = f"learnt from {'all' if every == 1 else f'one in {every} of'} {n_all:,} stars"
    return Learnt(weights, best.v[others] + shift, best.sigma[others], member, source)


class _Search:
    """Mixtures of one sample.

    Parameters
    ----------
    vel, e2 : ndarray, (n_stars,)
        Velocities, ascending, about zero, and squared errors.
    guess : float or None
        About the members' velocity.
    """

    def __init__(self, vel: Floats, e2: Floats, guess: float | None) -> None:
        self._vel, self._e2, self._guess = vel, e2, guess
        self._error = float(np.sqrt(np.median(e2)))
        self._spread = float(vel.std())
        low, high = np.percentile(vel, [0.5, 99.5])
        self._range = (float(low), float(high)) if high > low else (float(vel[0]), float(vel[-1]))
        # Every so manieth star in the order of velocities: their distribution without sampling noise.
        every = -(-vel.size // _FIRST_STARS)
        self._few = slice(every // 2, None, every)

    def single(self) -> _Model:
        """One Gaussian."""
        v, sigma = np.array([[self._vel.mean()]]), np.array([[self._spread]])
        fits = climb(self._vel, self._e2, v, sigma, np.ones((1, 1)), _LAST_STEPS, _SETTLED)
        return self._models(fits)[0]

    def mixtures(self, n_broad: int) -> list[_Model]:
        """The best few mixtures of one narrow and ``n_broad`` broad Gaussians; first those of members."""
        few, e2 = self._vel[self._few], self._e2[self._few]
        v, scale = dense_places(few, self._error, self._range, self._guess)
        mean, sigma = np.empty((v.size, 1 + n_broad)), np.empty((v.size, 1 + n_broad))
        mean[:, 0], sigma[:, 0] = v, scale
        percentiles = [50.0] if n_broad == 1 else [25.0, 75.0]
        for k in range(v.size):
            away = few[np.abs(few - v[k]) > 3.0 * scale[k]]
            away = away if away.size >= 3 else few
            mean[k, 1:] = np.percentile(away, percentiles)
            sigma[k, 1:] = max(float(away.std()), 3.0 * float(scale[k]))
        share = np.full(mean.shape, 0.5 / n_broad)
        share[:, 0] = 0.5
        first = climb(few, e2, mean, sigma, share, _FIRST_STEPS)
        kept = self._choose(self._models(first, few.size))
        starts = (part[kept] for part in first[:3])
        return self._models(climb(self._vel, self._e2, *starts, _LAST_STEPS, _SETTLED))

    def members(self, model: _Model, broader: float = _BROADER) -> int | None:
        """Which component is the members; None if the others are not broader by this factor, or apart."""
        if (k := self.candidate(model)) is None:
            return None
        others = np.arange(model.v.size) != k
        apart = np.abs(model.v - model.v[k]) > _APART * (model.sigma + model.sigma[k])
        return k if np.all((apart | (model.sigma >= broader * model.sigma[k]))[others]) else None

    def candidate(self, model: _Model) -> int | None:
        """The component that is the members if the others allow it; None if none has stars enough."""
        able = self.able(model)
        narrow = able & (model.sigma <= model.sigma.max() / _BROADER)
        allowed = narrow if narrow.any() else able
        if not allowed.any():
            return None
        return int(np.argmax(np.where(allowed, np.log(model.share + TINY) + self._near(model.v), -np.inf)))

    def able(self, model: _Model) -> NDArray[np.bool_]:
        """Which components have stars enough to be the members."""
        least = _LEAST_SHARE if self._guess is None else _GUESSED_SHARE
        return (model.share * self._vel.size >= _LEAST_STARS) & (model.share >= least)

    def uncertainty(self, model: _Model, k: int) -> float:
        """Standard error of the mean of a component."""
        variance = model.sigma[:, None] ** 2 + self._e2
        joint = model.share[:, None] * np.exp(-0.5 * (self._vel - model.v[:, None]) ** 2 / variance)
        joint /= np.sqrt(variance)
        return float((joint[k] / joint.sum(axis=0) / variance[k]).sum() ** -0.5)

    def _models(self, fits: Gaussians, n_stars: int | None = None) -> list[_Model]:
        """The mixtures with their evidence, for so many stars."""
        n_stars = self._vel.size if n_stars is None else n_stars
        extent = self._range[1] - self._range[0]
        lost = occam(fits.sigma, fits.share * n_stars, self._error, extent).sum(axis=1)
        lost += 0.5 * (fits.v.shape[1] - 1) * np.log(n_stars)
        models = []
        for v, sigma, share, evidence in zip(*fits[:3], fits.log_likelihood - lost, strict=True):
            model = _Model(v, sigma, share, float(evidence))
            models.append(model._replace(evidence=model.evidence + self._preference(model)))
        return models

    def _preference(self, model: _Model) -> float:
        """Logarithm of the prior of the members' velocity over that at the guess."""
        k = self.candidate(model)
        return 0.0 if model.v.size == 1 or k is None else float(self._near(model.v)[k])

    def _near(self, v: Floats) -> Floats:
        """Logarithm of the prior of members at these velocities over that at the guess."""
        if self._guess is None:
            return np.zeros(v.shape)
        return -0.5 * ((v - self._guess) / (_GUESS_WIDTH * (self._range[1] - self._range[0]))) ** 2

    def _choose(self, models: list[_Model]) -> NDArray[np.intp]:
        """Which mixtures to go on with: the best few, those whose members can be told if there are any."""
        told = [self.members(model) is not None for model in models]
        rank = sorted(range(len(models)), key=lambda k: (not told[k], -models[k].evidence))
        kept: list[int] = []
        for k in rank:
            new = all(abs(models[k].evidence - models[other].evidence) > _SAME for other in kept)
            if new and (told[k] or not any(told)):
                kept.append(k)
        return np.array(kept[:_KEPT], dtype=np.intp)


def _agreed(model: _Model, k: int, models: list[_Model]) -> bool:
    """Whether one of the best mixtures has a component like the members of this one."""
    best = max(other.evidence for other in models)
    return any(
        _are_alike(other, i, model.v[k], model.sigma[k])
        for other in models
        if other.evidence > best - _WORSE
        for i in range(other.v.size)
    )


def _are_alike(model: _Model, k: int, v: float, sigma: float) -> bool:
    """Whether a component has this mean and standard deviation, or nearly so."""
    return bool(abs(model.v[k] - v) < sigma and sigma / _ALIKE < model.sigma[k] < sigma * _ALIKE)


def _why_not(
    search: _Search,
    single: _Model,
    models: list[_Model],
    told: bool,
    n_stars: int,
    shift: float,
    guess: float | None,
) -> str:
    """Why members cannot be told from contaminants, and the cure."""
    cure = f"{_CURE}, or say about where the members are: v_guess." if guess is None else f"{_CURE}."
    best = max(models, key=lambda model: model.evidence)
    if told or best.evidence <= single.evidence:
        where = "" if guess is None else f" near {guess + shift:g} km/s"
        return (
            f"no narrow component stands out from the velocities{where}: one Gaussian at "
            f"{single.v[0] + shift:.1f} km/s with dispersion {single.sigma[0]:.1f} does as well. {cure}"
        )
    narrow, other = np.argsort(best.sigma)[:2]
    place = f"at {best.v[narrow] + shift:.1f} km/s with dispersion {best.sigma[narrow]:.1f}"
    if not search.able(best)[narrow]:
        return (
            f"the narrow component, {place}, has {100.0 * best.share[narrow]:.2g} % of {n_stars:,} stars. "
            f"Fewer than {_LEAST_STARS}, or than {100.0 * _LEAST_SHARE:g} %, may be close together by "
            f"chance. {cure}"
        )
    return (
        f"members cannot be told from contaminants by their velocities: the narrow component, {place}, is "
        f"beside one of {best.sigma[other]:.1f}, which is not {_BROADER:g} times wider and may be the "
        f"members' own wings. {cure}"
    )
