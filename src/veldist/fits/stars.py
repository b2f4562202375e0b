"""A sample of stars: velocities and errors, converted and checked at the door."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from veldist._support import validate
from veldist._support.arrays import Floats, Ints
from veldist._support.stars import read_stars
from veldist.errors import GridWarning
from veldist.fits.outliers import find_impossible, refuse_impossible
from veldist.models.contaminants import Contaminant, ContaminantDensity
from veldist.models.error_model import ErrorModel

__all__ = [
    "Stars",
    "check_coverage",
    "check_possible",
    "count_members",
    "count_stars",
    "learn_from_bins",
    "read_bin",
    "read_bins",
    "read_membership",
]

# No spectrograph is so precise (km/s).
_LEAST_ERROR = 1e-9
# A spread below this fraction of the velocities themselves is lost in their rounding.
_ROUNDING = 1e-8


@dataclass(frozen=True, eq=False)
class Stars:
    """A sample of stars.

    Attributes
    ----------
    vel : ndarray, (n_stars,)
        Line-of-sight velocities, km/s.
    err : ndarray, (n_stars,)
        Their 1-sigma errors, km/s.
    membership : ndarray, (n_stars,), or None
        Probabilities of membership, known beforehand.
    contaminant : ndarray, (n_stars,), or None
        Density of the contaminants at each star, error included, per km/s; None if all are members.
    errors : ndarray, (n_terms, 3), or None
        Probability, factor and extra width (km/s) of the Gaussians that make an error; None for one.
    """

    vel: Floats
    err: Floats
    membership: Floats | None = None
    contaminant: Floats | None = None
    errors: Floats | None = None

    @property
    def n_stars(self) -> int:
        """Number of stars."""
        return self.vel.size

    @property
    def error_terms(self) -> list[tuple[float, Floats]]:
        """Probabilities of the errors that a star may have, and these, (n_stars,) each, km/s."""
        if self.errors is None:
            return [(1.0, self.err)]
        return [(float(p), np.hypot(factor * self.err, extra)) for p, factor, extra in self.errors]

    @property
    def plain(self) -> bool:
        """Whether all are members and every error is one Gaussian."""
        return self.contaminant is None and self.errors is None

    @classmethod
    def read(
        cls,
        vel: Any,
        err: Any,
        membership: Any = None,
        contaminant: ContaminantDensity | Literal["learn"] | None = None,
        error_model: ErrorModel | None = None,
    ) -> Stars:
        """Clean arrays in km/s from what a user passes: the arguments of `KinematicSolver.add_data`.

        Raises
        ------
        TypeError
            If the values are not real numbers, or an argument is of another type.
        ValueError
            If values are NaN, infinite or masked, errors are not positive, lengths differ, there is no
            star, or a unit is wrong; if velocities or errors are impossible (above the speed of light,
            errors below 1e-9 km/s, stars more than 100 dispersions from the others), or all velocities and
            errors differ by no more than their rounding.
        """
        vel, err = read_stars(vel, err)
        check_possible(vel, err, others=contaminant is not None)
        if contaminant == "learn":
            contaminant = Contaminant.learn(vel, err)
        if error_model is not None and not isinstance(error_model, ErrorModel):
            raise TypeError(f"error_model must be a veldist.ErrorModel, got {validate.shown(error_model)}.")
        terms = None if error_model is None else np.array(error_model.terms)
        if membership is not None:
            if contaminant is None:
                raise ValueError(
                    "membership says who may be no member, but not how these are distributed: pass a "
                    "contaminant too (veldist.Contaminant), or leave these stars out."
                )
            membership = read_membership(membership, vel.size)
        stars = cls(vel, err, membership, errors=terms)
        return stars if contaminant is None else replace(stars, contaminant=_density(contaminant, stars))


def check_possible(vel: Floats, err: Floats, rows: Ints | None = None, *, others: bool = False) -> None:
    """Refuse what is no velocity or no error of one, and what is too small for double precision.

    Parameters
    ----------
    vel, err : ndarray, (n_stars,)
        Velocities and their 1-sigma errors, finite, errors positive, km/s.
    rows : ndarray of int, (n_stars,), optional
        Rows of the stars in the user's table; their places in ``vel`` by default.
    others : bool
        Whether there may be stars of another population, at any distance.

    Raises
    ------
    ValueError
        As `Stars.read` says of impossible values.
    """
    validate.check_limit(vel, "vel", "km/s", rows)
    validate.check_limit(err, "err", "km/s", rows)
    bad = err < _LEAST_ERROR
    if bad.any():
        raise ValueError(
            f"err has {validate.describe_rows(bad, err, rows=rows)} below {_LEAST_ERROR:g} km/s, which no "
            "measurement is: pass the 1-sigma errors in km/s, or remove these stars."
        )
    largest = float(np.abs(vel).max())
    if max(float(vel.std()), float(np.median(err))) < _ROUNDING * largest:
        raise ValueError(
            f"vel and err differ by less than {_ROUNDING:g} of the velocities themselves, which reach "
            f"{largest:g} km/s: that is their rounding. Subtract a common velocity, or check the units."
        )
    if not others:
        refuse_impossible(find_impossible(vel, err), vel, rows)


def read_membership(value: Any, n_stars: int) -> Floats:
    """Probabilities of membership from what a user passes; raises as `Stars.read`."""
    value = validate.to_array(value, "membership", "")
    if value.size != n_stars:
        raise ValueError(f"membership has {value.size} values for {n_stars} stars.")
    validate.check_finite(value, "membership")
    if not value.any():
        raise ValueError(f"membership is 0 for all {n_stars} stars: none can be a member. Leave them out.")
    bad = (value < 0.0) | (value > 1.0)
    if bad.any():
        raise ValueError(
            f"membership has {validate.describe_rows(bad, value)} outside 0 to 1: pass probabilities."
        )
    return value


def _density(contaminant: ContaminantDensity, stars: Stars) -> Floats:
    """Density of the contaminants at each star, checked: it may be anybody's."""
    method = getattr(contaminant, "density", None)
    if not callable(method) or isinstance(contaminant, type):
        raise TypeError(
            'contaminant must be a veldist.Contaminant, "learn", or any object with a method '
            f"density(vel, err), got {validate.shown(contaminant)}."
        )
    total = np.zeros(stars.n_stars)
    for share, err in stars.error_terms:
        returned = method(stars.vel, err)
        try:
            density = np.asarray(returned, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TypeError(
                "contaminant.density(vel, err) must return one density per km/s for each star, got "
                f"{validate.shown(returned)}."
            ) from error
        if density.shape != total.shape:
            raise ValueError(
                "contaminant.density(vel, err) must return one density per km/s for each star, got shape "
                f"{density.shape} for {total.size} stars."
            )
        total += share * density
    bad = ~(np.isfinite(total) & (total >= 0.0))
    if bad.any():
        raise ValueError(
            f"contaminant.density has {validate.describe_rows(bad, total)} that are no densities: they must "
            "be finite and not negative."
        )
    return total


def count_stars(vel: Any, name: str) -> int:
    """Number of stars of a bin whose velocities have not been checked yet.

    Raises
    ------
    TypeError
        If ``vel``, called ``name``, is no array at all.
    """
    try:
        shape = np.shape(vel)
    except (TypeError, ValueError):
        # A ragged list, or one with units: `Stars.read` will say what is wrong with it.
        return len(vel)
    if not shape:
        raise TypeError(f"{name} must be an array of velocities, got {validate.shown(vel)}.")
    return int(np.prod(shape))


def count_members(data: Mapping[str, Any], name: str) -> float:
    """Expected number of members of a bin, the sum of its probabilities; of all stars where it has none.

    What is no probability is left to `Stars.read`, and all stars count.

    Raises
    ------
    TypeError
        As `count_stars`, of ``vel`` in the bin called ``name``.
    """
    n_stars = count_stars(data["vel"], f"{name}['vel']")
    try:
        expected = float(np.sum(read_membership(data["membership"], n_stars)))
    except (KeyError, TypeError, ValueError):
        return float(n_stars)
    # Sums of probabilities are rounded.
    return round(expected, 6)


def read_bin(data: Mapping[str, Any], population: Mapping[str, Any]) -> Stars:
    """Stars of one bin of a map: ``vel``, ``err`` and perhaps ``membership``; raises as `Stars.read`.

    ``population`` holds the arguments of `Stars.read` that all bins share.
    """
    return Stars.read(data["vel"], data["err"], data.get("membership"), **population)


def learn_from_bins(bins: Sequence[Mapping[str, Any]]) -> Contaminant:
    """`Contaminant.learn` of the stars of all bins together. Bins that cannot be read are left out."""
    parts = list(read_bins(bins).values())
    vel, err = (np.concatenate([part[k] for part in parts] or [np.empty(0)]) for k in (0, 1))
    return Contaminant.learn(vel, err)


def read_bins(bins: Sequence[Mapping[str, Any]]) -> dict[int, tuple[Floats, Floats]]:
    """Velocities and errors of all bins that can be read."""
    parts = {}
    for index, data in enumerate(bins):
        try:
            parts[index] = read_stars(data["vel"], data["err"])
        except (TypeError, ValueError):
            # Fitting this bin will say what is wrong.
            continue
    return parts


def check_coverage(
    vel: NDArray[np.float64], edges: NDArray[np.float64], stacklevel: int, *, others: bool = False
) -> None:
    """Refuse a grid that misses all stars, warn of one that misses some.

    Parameters
    ----------
    vel : ndarray, (n_stars,)
        Velocities, km/s.
    edges : ndarray, (n_bins + 1,)
        Edges of the velocity bins, km/s.
    stacklevel : int
        As in `warnings.warn`, counted from the caller.
    others : bool
        Whether there may be stars of another population, which need not be on the grid.

    Raises
    ------
    ValueError
        If all stars lie outside.

    Warns
    -----
    GridWarning
        If some do, with their number and the first rows.
    """
    outside = (vel < edges[0]) | (vel > edges[-1])
    grid = f"the grid [{edges[0]:g}, {edges[-1]:g}] km/s"
    if outside.all():
        raise ValueError(
            f"all {vel.size} stars lie outside {grid}; their velocities span [{vel.min():g}, {vel.max():g}] "
            "km/s: check center, width and units."
        )
    if outside.any() and not others:
        warnings.warn(
            f"{validate.describe_rows(outside, vel)} of vel lie outside {grid}. They are part of the fit; "
            "the reported masses are conditional on the grid.",
            GridWarning,
            stacklevel=stacklevel + 1,
        )
