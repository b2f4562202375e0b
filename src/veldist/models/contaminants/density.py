"""How the velocities of the stars that are no members are distributed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from veldist._support.arrays import Floats, Ints
from veldist._support.stars import read_stars
from veldist._support.validate import (
    check_finite,
    check_positive,
    check_same_length,
    describe_rows,
    name_first,
    to_array,
    to_float,
    to_numbers,
)
from veldist.models.contaminants.control import FEWEST, smooth
from veldist.models.contaminants.learn import learn
from veldist.models.contaminants.member import Member
from veldist.models.contaminants.normal import mixture_density
from veldist.models.contaminants.uniform import UniformContaminant

__all__ = ["Contaminant", "ContaminantDensity", "refuse_blunders"]

# Weights may be rounded to so much.
_ROUNDING = 1e-6
# No star of a field is so far from the others (km/s, and in half-ranges from the 10 to the 90 percentile).
_FAR, _FAR_RANGES = 2000.0, 100.0


@runtime_checkable
class ContaminantDensity(Protocol):
    """What a fit needs to know of the contaminants: any class with this method will do."""

    def density(self, vel: Floats, err: Floats) -> Floats:
        """Density of the *observed* velocity of a contaminant.

        Parameters
        ----------
        vel, err : ndarray, (n_stars,)
            Observed velocities and their 1-sigma errors, km/s. The error of each star is part of its density.

        Returns
        -------
        ndarray, (n_stars,)
            Per km/s: its integral over ``vel`` is 1 for every ``err``.
        """
        ...


@dataclass(frozen=True, repr=False)
class Contaminant:
    """Stars that are no members, as a mixture of Gaussians in intrinsic velocity.

    Made by `learn` from all stars of a catalogue, by `sample` from a control field or a model of the Galaxy,
    or by `gaussian` and `mixture` from numbers. `uniform` makes one that has all velocities within limits.

    Parameters
    ----------
    weights : sequence of float, (n_components,)
        Positive weights that sum to 1.
    v, sigma : sequence of float or Quantity, (n_components,)
        Means and standard deviations, km/s.
    member : Member, optional
        What `learn` found of the members; None if the contaminant was given.
    source : str
        Where it is from, as it is said to the user.

    Raises
    ------
    TypeError
        If the values are not real numbers.
    ValueError
        If they are not finite, differ in number, weights or standard deviations are not positive, or the
        weights do not sum to 1.
    """

    weights: tuple[float, ...]
    v: tuple[float, ...]
    sigma: tuple[float, ...]
    member: Member | None = None
    source: str = field(default="given", kw_only=True)

    def __post_init__(self) -> None:
        """Convert to plain numbers in km/s and check them."""
        values = {
            name: to_array(getattr(self, name), name, unit)
            for name, unit in (("weights", ""), ("v", "km/s"), ("sigma", "km/s"))
        }
        for name, value in values.items():
            check_same_length(values["weights"], value, "weights", name)
            if not np.isfinite(value).all():
                raise ValueError(f"{name} must be finite, got {name_first(value)}.")
        check_positive(values["weights"], "weights", "leave out components without stars.")
        check_positive(values["sigma"], "sigma", "it is the standard deviation of a Gaussian in km/s.")
        total = float(values["weights"].sum())
        if abs(total - 1.0) > _ROUNDING:
            raise ValueError(f"weights sum to {total:g}, not 1: divide them by their sum.")
        values["weights"] = values["weights"] / total
        for name, value in values.items():
            object.__setattr__(self, name, tuple(value.tolist()))

    @classmethod
    def gaussian(cls, v: Any, sigma: Any) -> Contaminant:
        """One Gaussian of mean ``v`` and standard deviation ``sigma`` (km/s, without measurement errors)."""
        return cls((1.0,), (to_float(v, "v", "km/s"),), (to_float(sigma, "sigma", "km/s"),))

    @classmethod
    def mixture(cls, weights: Any, v: Any, sigma: Any) -> Contaminant:
        """Several Gaussians: weights that sum to 1, means and standard deviations (km/s)."""
        return cls(weights, v, sigma)

    @classmethod
    def sample(cls, vel: Any, err: Any = None) -> Contaminant:
        """Distribution of a sample of contaminants: stars of a control field, or of a model of the Galaxy.

        Its velocities are smoothed (see `veldist.models.contaminants.control.smooth`); a broad Gaussian of at
        most 3 % keeps the density of a star that is in the tail of the sample from vanishing.

        Parameters
        ----------
        vel : array_like or Quantity, (n_stars,)
            Velocities, km/s, of at least 10 stars.
        err : array_like or Quantity, (n_stars,), optional
            Their errors. They are not taken out of the distribution, which is broader by them: `source` says
            how large they are.

        Raises
        ------
        TypeError, ValueError
            If velocities or errors are unusable, or the stars too few or all of one velocity.
        """
        if err is None:
            vel = to_array(vel, "vel", "km/s")
            check_finite(vel, "vel")
            errors = ""
        else:
            vel, err = read_stars(vel, err)
            errors = f"; their errors, {np.median(err):.2g} km/s, are not taken out"
        if vel.size < FEWEST:
            raise ValueError(
                f"vel has {vel.size} stars: a control sample needs at least {FEWEST}; use "
                "Contaminant.gaussian for fewer."
            )
        if np.ptp(vel) == 0.0:
            raise ValueError(f"vel has {vel.size} equal velocities, {vel[0]:g} km/s: check the column.")
        weights, v, sigma, bandwidth = smooth(vel)
        source = f"control sample of {vel.size:,} stars, smoothed with {bandwidth:.2g} km/s{errors}"
        return cls(tuple(weights), tuple(v), tuple(sigma), source=source)

    @classmethod
    def learn(cls, vel: Any, err: Any, v_guess: Any = None) -> Contaminant:
        """Learn contaminants and members from all stars of a catalogue, by their velocities alone.

        One narrow Gaussian, the members, and one or two broad ones, the contaminants (see
        `veldist.models.contaminants.learn`). Take *all* stars, not those of a bin, and look at what was
        found: print the result, or draw it with `veldist.plotting.plot_contaminant`. A second narrow group of
        stars far from the members, a stream for example, is a contaminant; `v_guess` says which is which. A
        cold population of members in a hot one is taken for members among contaminants if one is three times
        wider than the other.

        Parameters
        ----------
        vel, err : array_like or Quantity, (n_stars,)
            Velocities and their 1-sigma errors, km/s. Of more than 20,000 stars, one in every few in the
            order of velocity is used.
        v_guess : float or Quantity, optional
            About the velocity of the members, km/s. It is a start, and a preference between solutions: its
            uncertainty is taken to be a tenth of the range of all velocities. Fewer than 5 % members are only
            looked for with it, down to 1 %.

        Returns
        -------
        Contaminant
            With what was found of the members in `member`.

        Raises
        ------
        TypeError, ValueError
            If velocities or errors are unusable, or if members cannot be told from contaminants: no narrow
            component, too few stars in it, or others that are not three times wider.
        """
        vel, err = read_stars(vel, err)
        refuse_blunders(vel)
        guess = None if v_guess is None else to_float(v_guess, "v_guess", "km/s")
        found = learn(vel, err, guess)
        mixture = (tuple(found.weights), tuple(found.v), tuple(found.sigma))
        return cls(*mixture, member=found.member, source=found.source)

    @staticmethod
    def uniform(low: Any, high: Any) -> UniformContaminant:
        """All velocities between two limits (km/s).

        For few contaminants only: of more than a tenth or so, what they really look like matters.
        """
        return UniformContaminant(low, high)

    @property
    def n_components(self) -> int:
        """Number of Gaussians."""
        return len(self.weights)

    def density(self, vel: Any, err: Any) -> Floats:
        """Density of the observed velocity of a contaminant, per km/s.

        Parameters
        ----------
        vel, err : array_like or Quantity, (n_stars,)
            Observed velocities and their 1-sigma errors, km/s; a single error serves all stars.

        Returns
        -------
        ndarray, (n_stars,)
        """
        vel, err = read_stars(vel, err)
        return mixture_density(vel, err**2, *self._arrays())

    def pdf(self, v: ArrayLike) -> Any:
        """Density at the intrinsic velocities ``v`` (any shape, km/s), without errors, per km/s."""
        v = to_numbers(v, "v", "km/s")
        flat = v.ravel()
        return mixture_density(flat, np.zeros(flat.size), *self._arrays()).reshape(v.shape)[()]

    def _arrays(self) -> tuple[Floats, Floats, Floats]:
        return np.array(self.weights), np.array(self.v), np.array(self.sigma)

    def __str__(self) -> str:
        """Return the sentence that a user reads: what was found of the members, and what the others are."""
        members = "" if self.member is None else f"{self.member}; "
        if self.n_components == 1:
            what = f"Gaussian at {self.v[0]:.1f} km/s, dispersion {self.sigma[0]:.1f}"
        elif self.n_components <= 4:
            parts = zip(self.weights, self.v, self.sigma, strict=True)
            what = f"{self.n_components} Gaussians, " + ", ".join(
                f"{100.0 * weight:.0f} % at {v:.1f} km/s with dispersion {sigma:.1f}"
                for weight, v, sigma in parts
            )
        else:
            weights, v, sigma = self._arrays()
            mean = float(weights @ v)
            spread = float(np.sqrt(weights @ (sigma**2 + (v - mean) ** 2)))
            what = f"{self.n_components} Gaussians, mean {mean:.1f} km/s, standard deviation {spread:.1f}"
        return f"{members}contaminant: {what} ({self.source})"

    def __repr__(self) -> str:
        """Return the same in brackets."""
        return f"Contaminant({self})"


def refuse_blunders(vel: Floats, rows: Ints | None = None) -> None:
    """Refuse what would be taken for a broad population: values that stand for missing ones.

    Parameters
    ----------
    vel : ndarray, (n_stars,)
        Velocities, km/s.
    rows : ndarray of int, (n_stars,), optional
        Rows of the stars in the user's table; their places in ``vel`` by default.

    Raises
    ------
    ValueError
        With the rows.
    """
    low, median, high = np.percentile(vel, [10.0, 50.0, 90.0])
    bad = np.abs(vel - median) > max(_FAR, _FAR_RANGES * 0.5 * (high - low))
    if bad.any():
        raise ValueError(
            f"vel has {describe_rows(bad, vel, rows=rows)} more than {_FAR:g} km/s from the median of all, "
            f"{median:.5g} km/s: placeholders for missing values, or blunders. Remove these stars."
        )
