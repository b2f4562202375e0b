"""Mock LOSVDs of one piece: Gaussian, Student t, flat-topped, Laplace-convolved.

All of them are symmetric; the skewed one is in `veldist.simulate.skew`, two-component ones in
`veldist.simulate.mixture`.  Formulas are written for zero mean and unit variance, in a form that loses no
digits in the tail below the mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import beta, betainc, betaincc, erfc, erfcx, ndtr

from veldist._support.validate import to_float
from veldist.simulate.base import StandardisedLOSVD, to_positive

__all__ = ["FlatTopped", "Gaussian", "LaplaceConvolved", "StudentT", "normal_pdf"]


def normal_pdf(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Density of the standard normal distribution."""
    return np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)


def _from_lower_half(z: NDArray[np.float64], lower: NDArray[np.float64]) -> NDArray[np.float64]:
    """CDF of a symmetric shape at z, given its CDF at -abs(z)."""
    return np.where(z < 0, lower, 1 - lower)


@dataclass(frozen=True)
class Gaussian(StandardisedLOSVD):
    """Gaussian LOSVD.

    Parameters
    ----------
    v, sigma : float or Quantity
        Mean and dispersion (km/s).
    """

    @property
    def kurtosis(self) -> float:
        """Excess kurtosis: 0."""
        return 0.0

    def _pdf(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        return normal_pdf(z)

    def _cdf(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        return ndtr(z)

    def _draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.standard_normal(n)


@dataclass(frozen=True)
class StudentT(StandardisedLOSVD):
    """Student t: power-law wings, as of a system with many stars on radial orbits.

    Parameters
    ----------
    v, sigma : float or Quantity
        Mean and dispersion (km/s); the scale of the t is ``sigma * sqrt((nu - 2) / nu)``.
    nu : float
        Degrees of freedom, above 2 (otherwise there is no dispersion).

    Raises
    ------
    ValueError
        If ``nu <= 2``.
    """

    nu: float

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        object.__setattr__(self, "nu", to_float(self.nu, "nu", ""))
        if self.nu <= 2:
            raise ValueError(f"nu must be above 2 for the dispersion to exist, got {self.nu}.")

    @property
    def skewness(self) -> float:
        """Third standardised moment: 0, NaN for nu <= 3."""
        return 0.0 if self.nu > 3 else float("nan")

    @property
    def kurtosis(self) -> float:
        """Excess kurtosis 6 / (nu - 4), infinite for nu <= 4."""
        return 6 / (self.nu - 4) if self.nu > 4 else float("inf")

    @property
    def _scale(self) -> float:
        return float(np.sqrt((self.nu - 2) / self.nu))

    def _pdf(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        t = z / self._scale
        norm = np.sqrt(self.nu) * beta(0.5 * self.nu, 0.5) * self._scale
        return np.exp(-0.5 * (self.nu + 1) * np.log1p(t * t / self.nu)) / norm

    def _cdf(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        # Incomplete beta function of the smaller of nu / (nu + t^2) and t^2 / (nu + t^2):
        # the other one rounds to 1.
        q = (z / self._scale) ** 2 / self.nu
        far = 0.5 * betainc(0.5 * self.nu, 0.5, 1 / (1 + q))
        with np.errstate(invalid="ignore"):  # inf / inf, not selected below
            near = 0.5 * betaincc(0.5, 0.5 * self.nu, q / (1 + q))
        return _from_lower_half(z, np.where(q > 1, far, near))

    def _draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        return self._scale * rng.standard_t(self.nu, n)


@dataclass(frozen=True)
class FlatTopped(StandardisedLOSVD):
    """Uniform distribution convolved with a Gaussian: a flat top, as of tangential orbits or a ring.

    Parameters
    ----------
    v, sigma : float or Quantity
        Mean and dispersion (km/s).
    width_ratio : float
        Half-width of the uniform distribution in units of the Gaussian's dispersion, at least 0.01
        (a narrower one is a Gaussian: its excess kurtosis is below 2e-9).

    Raises
    ------
    ValueError
        If ``width_ratio`` is below 0.01.
    """

    width_ratio: float = 3.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        object.__setattr__(self, "width_ratio", to_float(self.width_ratio, "width_ratio", ""))
        # Differences over the uniform's width lose log10(1 / width_ratio) digits.
        if self.width_ratio < 0.01:
            raise ValueError(
                f"width_ratio must be at least 0.01, got {self.width_ratio}: use Gaussian instead."
            )

    @property
    def kurtosis(self) -> float:
        """Excess kurtosis -(6/5) F^2, F being the uniform's share of the variance."""
        uniform_variance = self.width_ratio**2 / 3
        return -1.2 * (uniform_variance / (1 + uniform_variance)) ** 2

    @property
    def _smoothing(self) -> float:
        return float(1 / np.sqrt(1 + self.width_ratio**2 / 3))

    def _lower(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return -abs(z) in units of the Gaussian's dispersion, finite, and small enough for mass 0."""
        return np.maximum(-np.abs(z) / self._smoothing, -self.width_ratio - 50)

    def _pdf(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        x, r = self._lower(z), self.width_ratio
        return (ndtr(x + r) - ndtr(x - r)) / (2 * r * self._smoothing)

    def _cdf(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        x, r = self._lower(z), self.width_ratio
        return _from_lower_half(z, (_normal_cdf_integral(x + r) - _normal_cdf_integral(x - r)) / (2 * r))

    def _draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        uniform = rng.uniform(-self.width_ratio, self.width_ratio, n)
        return self._smoothing * (uniform + rng.standard_normal(n))


def _normal_cdf_integral(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integral of the normal CDF from minus infinity to x: x Phi(x) + phi(x)."""
    return x * ndtr(x) + normal_pdf(x)  # for x < 0 the terms cancel to 1 / x^2 of each: harmless


@dataclass(frozen=True)
class LaplaceConvolved(StandardisedLOSVD):
    """Laplace distribution convolved with a Gaussian: peaked, with exponential wings.

    Parameters
    ----------
    v, sigma : float or Quantity
        Mean and dispersion (km/s).
    laplace_fraction : float
        The Laplace distribution's share of the variance, between 0 and 1 (both excluded).

    Raises
    ------
    ValueError
        If ``laplace_fraction`` is not between 0 and 1.
    """

    laplace_fraction: float = 0.8

    def __post_init__(self) -> None:
        """Check the arguments."""
        super().__post_init__()
        object.__setattr__(self, "laplace_fraction", to_positive(self.laplace_fraction, "laplace_fraction"))
        if self.laplace_fraction >= 1:
            raise ValueError(f"laplace_fraction must be below 1, got {self.laplace_fraction}.")

    @property
    def kurtosis(self) -> float:
        """Excess kurtosis 3 F^2, F being the Laplace distribution's share of the variance."""
        return 3 * self.laplace_fraction**2

    @property
    def _smoothing(self) -> float:
        return float(np.sqrt(1 - self.laplace_fraction))

    @property
    def _length(self) -> float:
        return float(np.sqrt(self.laplace_fraction / 2))

    def _wings(self, z: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Gaussian-smoothed exponentials that fall away from the mean and towards it, at -abs(z).

        ``exp(s^2/2b^2 -+ x/b) erfc((s/b -+ x/s) / sqrt 2) / 2`` for x = -abs(z), b the Laplace length and s
        the Gaussian's dispersion.
        """
        s, b = self._smoothing, self._length
        x = -np.minimum(np.abs(z), 1e6)  # finite; the density is zero there already
        gauss = np.exp(-0.5 * (x / s) ** 2)
        inward = gauss * erfcx((s / b - x / s) / np.sqrt(2))
        arg = (s / b + x / s) / np.sqrt(2)
        # The scaled erfc overflows for negative arguments, where the plain product cannot.
        outward = np.where(
            arg > 0,
            gauss * erfcx(np.maximum(arg, 0)),
            np.exp(np.minimum(0.5 * (s / b) ** 2 + x / b, 0)) * erfc(np.minimum(arg, 0)),
        )
        return 0.5 * outward, 0.5 * inward

    def _pdf(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        outward, inward = self._wings(z)
        return (outward + inward) / (2 * self._length)

    def _cdf(self, z: NDArray[np.float64]) -> NDArray[np.float64]:
        outward, inward = self._wings(z)
        return _from_lower_half(z, ndtr(-np.abs(z) / self._smoothing) + 0.5 * (outward - inward))

    def _draw(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        return rng.laplace(0.0, self._length, n) + self._smoothing * rng.standard_normal(n)
