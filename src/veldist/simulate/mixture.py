"""Mixtures of LOSVDs with exact moments: counter-rotating, cold plus hot, or any other."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from veldist._support.validate import check_count, to_float
from veldist.simulate.base import LOSVD, to_positive
from veldist.simulate.losvd import Gaussian

__all__ = ["CounterRotating", "Mixture", "TwoDispersions", "mixture_moments"]


def mixture_moments(
    weights: ArrayLike, mean: ArrayLike, std: ArrayLike, skewness: ArrayLike, kurtosis: ArrayLike
) -> tuple[float, float, float, float]:
    """Exact mean, standard deviation, skewness and excess kurtosis of a mixture.

    Parameters
    ----------
    weights : array_like, shape (n,)
        Weights of the components, summing to 1.
    mean, std, skewness, kurtosis : array_like, shape (n,)
        Moments of the components (excess kurtosis).

    Returns
    -------
    mean, std, skewness, kurtosis : float
        Central moments are shifted from each component's mean to the common one, then averaged.
    """
    w, mean, std, skewness, kurtosis = (
        np.asarray(a, dtype=np.float64) for a in (weights, mean, std, skewness, kurtosis)
    )
    centre = w @ mean
    d, var, third = mean - centre, std**2, skewness * std**3
    m2 = w @ (var + d**2)
    m3 = w @ (third + 3 * d * var + d**3)
    if np.isposinf(kurtosis).any():  # whatever the third moment is, which may be NaN then
        m4 = np.inf
    else:
        m4 = w @ ((kurtosis + 3) * var**2 + 4 * d * third + 6 * d**2 * var + d**4)
    return float(centre), float(np.sqrt(m2)), float(m3 / m2**1.5), float(m4 / m2**2 - 3)


@dataclass(frozen=True, init=False)
class Mixture(LOSVD):
    """Weighted sum of LOSVDs.

    Parameters
    ----------
    components : iterable of (weight, LOSVD)
        Positive weights that sum to 1.  Components may be mixtures themselves.

    Raises
    ------
    TypeError
        If a component is not an `LOSVD`.
    ValueError
        If there is none, or the weights are not positive or do not sum to 1.
    """

    components: tuple[tuple[float, LOSVD], ...]

    def __init__(self, components: Iterable[tuple[float, LOSVD]]) -> None:
        pairs = []
        for row, (weight, losvd) in enumerate(components):
            if not isinstance(losvd, LOSVD):
                raise TypeError(f"component {row} must be an LOSVD, got {type(losvd).__name__}.")
            pairs.append((to_positive(weight, f"weight of component {row}"), losvd))
        if not pairs:
            raise ValueError("components is empty: a mixture needs at least one (weight, LOSVD).")
        total = sum(weight for weight, _ in pairs)
        if abs(total - 1) > 1e-8:
            raise ValueError(f"weights of the components sum to {total}, not 1: divide them by their sum.")
        object.__setattr__(self, "components", tuple((weight / total, losvd) for weight, losvd in pairs))

    @property
    def weights(self) -> NDArray[np.float64]:
        """Weights of the components, shape (n_components,)."""
        return np.array([weight for weight, _ in self.components])

    def pdf(self, v: ArrayLike) -> Any:
        """Density at the velocities ``v`` (any shape, km/s), per km/s."""
        return sum(weight * losvd.pdf(v) for weight, losvd in self.components)

    def cdf(self, v: ArrayLike) -> Any:
        """Probability of a velocity below ``v``; keeps its relative accuracy far below the mean."""
        return sum(weight * losvd.cdf(v) for weight, losvd in self.components)

    def sf(self, v: ArrayLike) -> Any:
        """Probability of a velocity above ``v``; keeps its relative accuracy far above the mean."""
        return sum(weight * losvd.sf(v) for weight, losvd in self.components)

    def _masses(self, edges: NDArray[np.float64]) -> NDArray[np.float64]:
        # Each component changes tails at its own mean: far from one may be the core of another.
        return np.sum([weight * losvd.bin_masses(edges) for weight, losvd in self.components], axis=0)

    def sample(self, n: int, rng: np.random.Generator | int | None = None) -> NDArray[np.float64]:
        """Draw ``n`` velocities (km/s); ``rng`` is a generator or a seed."""
        n, rng = check_count(n, "n", 0), np.random.default_rng(rng)
        counts = rng.multinomial(n, self.weights)
        parts = [losvd.sample(int(k), rng) for k, (_, losvd) in zip(counts, self.components, strict=True)]
        return rng.permutation(np.concatenate(parts))  # so that any subset is a sample too

    @property
    def _moments(self) -> tuple[float, float, float, float]:
        parts = [losvd for _, losvd in self.components]
        return mixture_moments(
            self.weights,
            [p.mean for p in parts],
            [p.std for p in parts],
            [p.skewness for p in parts],
            [p.kurtosis for p in parts],
        )

    @property
    def mean(self) -> float:
        """Mean velocity (km/s)."""
        return self._moments[0]

    @property
    def std(self) -> float:
        """Velocity dispersion (km/s), including the spread of the components' means."""
        return self._moments[1]

    @property
    def skewness(self) -> float:
        """Third standardised moment."""
        return self._moments[2]

    @property
    def kurtosis(self) -> float:
        """Excess kurtosis."""
        return self._moments[3]


def CounterRotating(v: float, sigma: float, separation: float = 3.0, fraction: float = 0.4) -> Mixture:
    """Two Gaussians of equal width and different means, with overall mean ``v`` and dispersion ``sigma``.

    Parameters
    ----------
    v, sigma : float or Quantity
        Mean and dispersion of the whole (km/s).
    separation : float
        Distance between the two means in units of each component's own dispersion, positive; two peaks
        show from about 2 on.
    fraction : float
        Share of the stars in the component at higher velocity, between 0 and 1 (both excluded).

    Returns
    -------
    Mixture

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    v, sigma = to_float(v, "v", "km/s"), to_positive(sigma, "sigma", "km/s")
    separation, fraction = to_positive(separation, "separation"), _to_fraction(fraction)
    width = sigma / float(np.sqrt(1 + fraction * (1 - fraction) * separation**2))
    low = Gaussian(v - fraction * separation * width, width)
    high = Gaussian(v + (1 - fraction) * separation * width, width)
    return Mixture([(1 - fraction, low), (fraction, high)])


def TwoDispersions(v: float, sigma: float, ratio: float = 3.0, fraction: float = 0.5) -> Mixture:
    """Cold and hot Gaussian of the same mean, with overall mean ``v`` and dispersion ``sigma``.

    Parameters
    ----------
    v, sigma : float or Quantity
        Mean and dispersion of the whole (km/s).
    ratio : float
        Dispersion of the hot component over that of the cold one, positive.
    fraction : float
        Share of the stars in the cold component, between 0 and 1 (both excluded).

    Returns
    -------
    Mixture

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    v, sigma = to_float(v, "v", "km/s"), to_positive(sigma, "sigma", "km/s")
    ratio, fraction = to_positive(ratio, "ratio"), _to_fraction(fraction)
    cold = sigma / float(np.sqrt(fraction + (1 - fraction) * ratio**2))
    return Mixture([(fraction, Gaussian(v, cold)), (1 - fraction, Gaussian(v, ratio * cold))])


def _to_fraction(fraction: float) -> float:
    number = to_float(fraction, "fraction", "")
    if not 0 < number < 1:
        raise ValueError(f"fraction must lie between 0 and 1 (both excluded), got {number}.")
    return number
