"""The skew-normal LOSVD, and the relations between its skewness, shape and excess kurtosis.

Azzalini (1985), Scandinavian Journal of Statistics 12, 171: ``delta |a| + sqrt(1 - delta^2) b``, with a and b
standard normal, has density ``2 phi(x) Phi(alpha x)``, ``delta = alpha / sqrt(1 + alpha^2)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, owens_t, roots_laguerre

from veldist._support.validate import to_float
from veldist.simulate.base import StandardisedLOSVD
from veldist.simulate.losvd import normal_pdf

__all__ = ["MAX_SKEWNESS", "SkewNormal", "delta_from_skewness", "skew_normal_draw", "skew_normal_kurtosis"]

_HALF_NORMAL_MEAN = float(np.sqrt(2 / np.pi))
_SKEWNESS_SCALE = (4 - np.pi) / 2

MAX_SKEWNESS = 0.995
"""Limit on the skewness: that of a half-normal distribution is 0.9953, and alpha is infinite there."""

_NODES, _WEIGHTS = roots_laguerre(48)


def delta_from_skewness(skewness: ArrayLike) -> Any:
    """Shape ``delta`` of the skew-normal distributions with these skewnesses (any shape)."""
    skewness = np.asarray(skewness, dtype=np.float64)
    power = np.abs(skewness) ** (2 / 3)
    return np.sign(skewness) * np.sqrt(np.pi / 2 * power / (power + _SKEWNESS_SCALE ** (2 / 3)))


def skew_normal_kurtosis(delta: ArrayLike) -> Any:
    """Excess kurtosis of skew-normal distributions of shape ``delta``."""
    mean_squared = (np.asarray(delta, dtype=np.float64) * _HALF_NORMAL_MEAN) ** 2
    return 2 * (np.pi - 3) * (mean_squared / (1 - mean_squared)) ** 2


def skew_normal_draw(delta: ArrayLike, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Draw from skew-normal distributions of zero mean and unit variance.

    Parameters
    ----------
    delta : array_like, scalar or shape (n,)
        Shapes, between -1 and 1.
    n : int
        Number of draws.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray, shape (n,)
    """
    delta = np.asarray(delta, dtype=np.float64)
    folded, free = np.abs(rng.standard_normal(n)), rng.standard_normal(n)
    raw = delta * (folded - _HALF_NORMAL_MEAN) + np.sqrt(1 - delta**2) * free
    return raw / np.sqrt(1 - (delta * _HALF_NORMAL_MEAN) ** 2)


@dataclass(frozen=True)
class SkewNormal(StandardisedLOSVD):
    """Skew-normal LOSVD.

    Parameters
    ----------
    v, sigma : float or Quantity
        Mean and dispersion (km/s): true moments, not the location and scale of the usual form.
    alpha : float
        Shape; positive for a tail towards high velocities.
    """

    alpha: float

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        object.__setattr__(self, "alpha", to_float(self.alpha, "alpha", ""))

    @classmethod
    def from_skewness(cls, v: float, sigma: float, skewness: float) -> SkewNormal:
        """Skew-normal LOSVD of given mean (km/s), dispersion (km/s) and skewness.

        Raises
        ------
        ValueError
            If the absolute skewness is 0.995 or more.
        """
        skewness = to_float(skewness, "skewness", "")
        if abs(skewness) >= MAX_SKEWNESS:
            raise ValueError(
                f"skewness must lie between -{MAX_SKEWNESS} and {MAX_SKEWNESS} for a skew-normal "
                f"distribution, got {skewness}."
            )
        delta = float(delta_from_skewness(skewness))
        return cls(v, sigma, delta / float(np.sqrt(1 - delta**2)))

    @property
    def delta(self) -> float:
        """Shape alpha / sqrt(1 + alpha^2), between -1 and 1."""
        return float(self.alpha / np.hypot(1.0, self.alpha))

    @property
    def skewness(self) -> float:
        """Third standardised moment."""
        mean = self.delta * _HALF_NORMAL_MEAN
        return _SKEWNESS_SCALE * mean**3 / (1 - mean**2) ** 1.5

    @property
    def kurtosis(self) -> float:
        """Excess kurtosis."""
        return float(skew_normal_kurtosis(self.delta))

    @property
    def _omega(self) -> float:
        """Scale of the usual form, for unit variance."""
        return float(1 / np.sqrt(1 - (self.delta * _HALF_NORMAL_MEAN) ** 2))

    def _usual(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        # Finite, because alpha * x at alpha = 0 would be NaN; all mass is within 40.
        return np.clip(z / self._omega + self.delta * _HALF_NORMAL_MEAN, -1e9, 1e9)

    def _pdf(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        x = self._usual(z)
        return 2 * normal_pdf(x) * ndtr(self.alpha * x) / self._omega

    def _cdf(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        return _skew_normal_cdf(self._usual(z), self.alpha)

    def _sf(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        return _skew_normal_cdf(-self._usual(z), -self.alpha)

    def _draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        return skew_normal_draw(self.delta, n, rng)


def _skew_normal_cdf(x: NDArray[np.float64], alpha: float) -> NDArray[np.float64]:
    """CDF of the density 2 phi(x) Phi(alpha x): Phi(x) - 2 T(x, alpha) with Owen's T.

    On the steep side (x < 0 < alpha) the two terms cancel.  There, from the integral form of T,

        F(-h) = 1/pi * integral_alpha^inf exp(-h^2 (1 + t^2) / 2) / (1 + t^2) dt,

    and with u = h^2 (t^2 - alpha^2) / 2 the integrand is exp(-u) times a function of u that is analytic for
    u > -(alpha h)^2 / 2: with alpha h > 2, Gauss-Laguerre quadrature is exact to rounding error.
    """
    steep = (x < 0) & (alpha * x < -2)
    direct = ndtr(x) - 2 * owens_t(x, alpha)
    if not steep.any():
        return direct
    h2 = np.where(steep, x, 1.0)[..., None] ** 2  # 1 is a place-holder that is not selected below
    t2 = alpha * alpha + 2 * _NODES / h2
    tail = (_WEIGHTS / (h2 * np.sqrt(t2) * (1 + t2))).sum(axis=-1)
    return np.where(steep, np.exp(-0.5 * h2[..., 0] * (1 + alpha * alpha)) * tail / np.pi, direct)
