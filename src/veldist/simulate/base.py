"""What every mock LOSVD can do: density, exact bin masses, exact moments, sampling."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from veldist._support.validate import check_count, strip_units, to_array, to_float, to_numbers

__all__ = ["LOSVD", "StandardisedLOSVD", "to_positive"]


def to_positive(value: Any, name: str, unit: str = "") -> float:
    """Convert a scalar to a finite float above zero in ``unit`` (default: dimensionless)."""
    number = to_float(value, name, unit)
    if number <= 0:
        raise ValueError(f"{name} must be positive, got {number}.")
    return number


class LOSVD(ABC):
    """A line-of-sight velocity distribution known in closed form.

    Velocities go in as plain numbers in km/s or as `~astropy.units.Quantity`; everything comes out
    as plain floats (densities per km/s).  An object is immutable and callable: ``losvd(v)`` is its
    density.
    """

    @abstractmethod
    def pdf(self, v: ArrayLike) -> Any:
        """Density at the velocities ``v`` (any shape, km/s), per km/s."""

    @abstractmethod
    def cdf(self, v: ArrayLike) -> Any:
        """Probability of a velocity below ``v``; keeps its relative accuracy far below the mean."""

    @abstractmethod
    def sf(self, v: ArrayLike) -> Any:
        """Probability of a velocity above ``v``; keeps its relative accuracy far above the mean."""

    @abstractmethod
    def sample(self, n: int, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """Draw ``n`` velocities (km/s), independent of one another.

        Parameters
        ----------
        n : int
            Number of stars, zero or more.
        rng : numpy.random.Generator, int or None
            Generator, or a seed for a new one.
        """

    @property
    @abstractmethod
    def mean(self) -> float:
        """Mean velocity (km/s)."""

    @property
    @abstractmethod
    def std(self) -> float:
        """Standard deviation, i.e. the velocity dispersion (km/s)."""

    @property
    @abstractmethod
    def skewness(self) -> float:
        """Third standardised moment; NaN where it does not exist."""

    @property
    @abstractmethod
    def kurtosis(self) -> float:
        """Excess kurtosis (0 for a Gaussian); infinite where the fourth moment diverges."""

    def __call__(self, v: ArrayLike) -> Any:
        """Density at ``v``: the same as `pdf`."""
        return self.pdf(v)

    def bin_masses(self, edges: ArrayLike, conditional: bool = False) -> NDArray[np.float64]:
        """Exact probability in each velocity bin.

        Parameters
        ----------
        edges : array_like, shape (n_bins + 1,)
            Bin edges (km/s), strictly increasing; the outermost may be infinite.
        conditional : bool
            Divide by the mass on the whole grid, so that the result sums to 1.

        Returns
        -------
        numpy.ndarray, shape (n_bins,)

        Raises
        ------
        ValueError
            If the edges are not increasing, or if ``conditional`` is asked on a grid that holds no mass.
        """
        edges = _check_edges(edges)
        masses = self._masses(edges)
        if conditional:
            total = masses.sum()
            if not total > 0:
                raise ValueError(
                    f"edges from {edges[0]} to {edges[-1]} km/s hold no mass of an LOSVD with mean "
                    f"{self.mean} and dispersion {self.std} km/s: move or widen the grid."
                )
            masses = masses / total
        return masses

    def _masses(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        # 1 - cdf has lost all its digits 8 sigma above the mean, so those bins use the other tail.
        above = self.sf(edges)
        return np.where(edges[:-1] >= self.mean, above[:-1] - above[1:], np.diff(self.cdf(edges)))


def _check_edges(edges: ArrayLike) -> NDArray[np.float64]:
    array = to_array(edges, "edges", "km/s")
    if array.size < 2:
        raise ValueError(f"edges has {array.size} value: a bin needs two.")
    if not np.all(np.diff(array) > 0):
        first = int(np.flatnonzero(~(np.diff(array) > 0))[0])
        raise ValueError(
            f"edges must increase strictly, but {array[first]} is followed by {array[first + 1]} "
            f"(rows {first} and {first + 1}): sort them and remove duplicates and NaN."
        )
    return array


@dataclass(frozen=True)
class StandardisedLOSVD(LOSVD):
    """A shape of zero mean and unit variance, moved to mean ``v`` and dispersion ``sigma``.

    Subclasses write the shape as functions of ``z = (velocity - v) / sigma``.
    """

    v: float
    sigma: float

    def __post_init__(self) -> None:
        """Convert the mean and the dispersion to plain km/s."""
        object.__setattr__(self, "v", to_float(self.v, "v", "km/s"))
        object.__setattr__(self, "sigma", to_positive(self.sigma, "sigma", "km/s"))

    @abstractmethod
    def _pdf(self, z: NDArray[np.float64]) -> NDArray[np.float64]: ...

    @abstractmethod
    def _cdf(self, z: NDArray[np.float64]) -> NDArray[np.float64]: ...

    def _sf(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._cdf(-z)  # symmetric shapes; the others override it

    @abstractmethod
    def _draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]: ...

    def _standardise(self, velocity: ArrayLike) -> NDArray[np.float64]:
        # Integrals run to velocities beyond all limits.
        return (to_numbers(strip_units(velocity, "v", "km/s"), "v", "") - self.v) / self.sigma

    def pdf(self, v: ArrayLike) -> Any:
        """Density at the velocities ``v`` (any shape, km/s), per km/s."""
        return (self._pdf(self._standardise(v)) / self.sigma)[()]

    def cdf(self, v: ArrayLike) -> Any:
        """Probability of a velocity below ``v``; keeps its relative accuracy far below the mean."""
        return self._cdf(self._standardise(v))[()]

    def sf(self, v: ArrayLike) -> Any:
        """Probability of a velocity above ``v``; keeps its relative accuracy far above the mean."""
        return self._sf(self._standardise(v))[()]

    def sample(self, n: int, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """Draw ``n`` velocities (km/s); ``rng`` is a generator or a seed."""
        n = check_count(n, "n", 0)
        return self.v + self.sigma * self._draw(n, np.random.default_rng(rng))

    @property
    def mean(self) -> float:
        """Mean velocity (km/s)."""
        return self.v

    @property
    def std(self) -> float:
        """Velocity dispersion (km/s)."""
        return self.sigma

    @property
    def skewness(self) -> float:
        """Third standardised moment: zero unless the shape is skewed."""
        return 0.0
