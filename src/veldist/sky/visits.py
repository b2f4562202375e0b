"""Repeat visits: a star that was measured more than once is one star."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support import validate
from veldist._support.arrays import Floats, Ints
from veldist._support.stars import read_stars
from veldist.sky.same_star import by_name, by_position, to_labels

__all__ = ["Visits", "average_visits", "combine_visits"]

# A star whose visits differ as much as this only once in so many times is variable.
_VARIABLE = 1e-3
# Rows of variable stars that are named.
_NAMED = 10


@dataclass(frozen=True, eq=False)
class Visits:
    """Stars, each with the mean of its visits, in the order of their first rows.

    Attributes
    ----------
    vel, err : ndarray, (n_stars,)
        Means with inverse variances and their 1-sigma errors, km/s; the errors of variable stars are
        multiplied by sqrt(chi2 / (n_visits - 1)).
    n_visits : ndarray of int, (n_stars,)
        Number of measurements. Rows with the velocity and error of another row of the star are copies of it.
    chi2, p_value : ndarray, (n_stars,)
        Scatter of the visits against their errors, and how often that is larger by chance; 0 and 1 for one
        visit.
    variable : ndarray of bool, (n_stars,)
        Whether ``p_value`` is below 0.001: a binary, or errors that are too small.
    first : ndarray of int, (n_stars,)
        First row of every star.
    star : ndarray of int, (n_rows,)
        Star that every row belongs to.
    n_copies : int
        Number of rows that are copies.
    """

    vel: Floats
    err: Floats
    n_visits: Ints
    chi2: Floats
    p_value: Floats
    variable: NDArray[np.bool_]
    first: Ints
    star: Ints
    n_copies: int

    @property
    def n_stars(self) -> int:
        """Number of stars."""
        return self.vel.size

    def mean(self, value: Floats) -> Floats:
        """Plain mean over the rows of every star, of a position, say; (n_rows,) to (n_stars,)."""
        return np.bincount(self.star, value) / np.bincount(self.star)

    def __str__(self) -> str:
        return self.describe()

    def describe(self, rows: Ints | None = None) -> str:
        """What was found, in words; ``rows`` are the rows in the user's table, where these are others."""
        several = int(np.sum(self.n_visits > 1))
        text = f"{self.star.size} rows are {self.n_stars} stars, {several} of them visited more than once"
        if self.n_copies:
            text += f"; {self.n_copies} rows are copies of others, counted once"
        n_variable = int(self.variable.sum())
        if n_variable:
            first = self.first if rows is None else rows[self.first]
            text += (
                f"; the visits of {n_variable} differ by more than their errors allow (p < {_VARIABLE:g}; "
                f"binaries, or errors that are too small; first rows "
                f"{validate.name_first(first[self.variable], _NAMED)}): their errors are widened"
            )
        return text


def combine_visits(
    vel: Any, err: Any, id: Any = None, x: Any = None, y: Any = None, tolerance: Any = 0.0
) -> Visits:
    """Average the visits of every star with inverse variances, and test whether they agree.

    Stars whose visits disagree are kept, flagged, with errors widened by their scatter.

    Parameters
    ----------
    vel, err : array_like or Quantity, (n_rows,)
        Velocities and their 1-sigma errors, km/s.
    id : array_like, (n_rows,), optional
        Names or numbers of the stars. Either these or positions.
    x, y : array_like or Quantity, (n_rows,), optional
        Positions, arcsec.
    tolerance : float or Quantity
        Rows at most this far apart are one star, arcsec; 0 for equal positions only. Chains of rows are one
        star too, so that it should be far below the distances between stars.

    Raises
    ------
    TypeError, ValueError
        If these are no numbers, differ in length or have missing values, or neither or both of names and
        positions are given.

    Examples
    --------
    >>> from veldist.sky import combine_visits
    >>> visits = combine_visits([50.0, 53.0, 61.0], [1.0, 2.0, 2.0], id=["a", "a", "b"])
    >>> visits.vel, visits.n_visits
    (array([50.6, 61. ]), array([2, 1]))
    """
    vel, err = read_stars(vel, err)
    if (id is None) == (x is None) or (x is None) != (y is None):
        raise ValueError("pass either id, or x and y: what tells that rows are the same star.")
    if id is not None:
        return average_visits(vel, err, by_name(to_labels(id, "id", vel.size)))
    x, y = (validate.to_array(value, name, "arcsec") for value, name in ((x, "x"), (y, "y")))
    for value, name in ((x, "x"), (y, "y")):
        validate.check_same_length(value, vel, name, "vel")
        validate.check_finite(value, name)
    tolerance = validate.to_float(tolerance, "tolerance", "arcsec")
    if tolerance < 0.0:
        raise ValueError(f"tolerance must not be negative, got {tolerance:g} arcsec.")
    return average_visits(vel, err, by_position(x, y, tolerance))


def average_visits(vel: Floats, err: Floats, star: Ints) -> Visits:
    """`combine_visits` for clean arrays and the number of the star in every row, in order of first rows."""
    from scipy.special import gammaincc

    original = np.zeros(vel.size, dtype=bool)
    original[np.unique(np.column_stack([star, vel, err]), axis=0, return_index=True)[1]] = True
    # Relative to each star's most precise visit, whose square may be too small to be represented.
    least = np.full(int(star.max()) + 1, np.inf)
    np.minimum.at(least, star, err)
    weight = original * (least[star] / err) ** 2
    total = np.bincount(star, weight)
    # About the first visit: the mean of equal velocities is that velocity.
    first = np.unique(star, return_index=True)[1]
    mean = vel[first] + np.bincount(star, weight * (vel - vel[first][star])) / total
    with np.errstate(over="ignore"):
        chi2 = np.bincount(star, original * ((vel - mean[star]) / err) ** 2).astype(np.float64)
    n_visits = np.bincount(star, original).astype(np.int64)
    free = np.maximum(n_visits - 1, 1)
    p_value = np.where(n_visits > 1, gammaincc(0.5 * free, 0.5 * chi2), 1.0)
    variable = p_value < _VARIABLE
    widened = np.where(variable, np.sqrt(chi2 / free), 1.0) * least / np.sqrt(total)
    return Visits(
        vel=mean,
        err=np.where(n_visits > 1, widened, err[first]),
        n_visits=n_visits,
        chi2=chi2,
        p_value=p_value,
        variable=variable,
        first=first,
        star=star,
        n_copies=int(vel.size - original.sum()),
    )
