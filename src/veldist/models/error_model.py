"""Errors of velocities that are not one Gaussian: mixtures of Gaussians of several widths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from veldist._support.validate import shown, to_array, to_float

__all__ = ["ErrorModel"]

# Velocity offsets of binaries: standard deviations (km/s) and weights of a mixture of Gaussians. Giants of
# 0.8 solar masses, periods log P ~ N(5.03, 2.28), P in days (Raghavan et al. 2010, ApJS 190, 1, figure 13),
# mass ratios even between 0.1 and 1, eccentricities even between 0 and 0.9, orbits that stay 0.2 au apart.
_BINARY_SIGMAS = (0.087, 0.342, 1.134, 3.447, 9.846)
_BINARY_WEIGHTS = (0.160, 0.282, 0.291, 0.200, 0.067)
# Gaussians that make a Student t.
_STUDENT_TERMS = 12


@dataclass(frozen=True)
class ErrorModel:
    """Error of a star as a mixture of Gaussians, each ``hypot(factor * err, extra)`` wide.

    Made by `outliers`, `student`, `binaries` or `mixture`.

    Parameters
    ----------
    weights : sequence of float, (n_terms,)
        Probabilities, which sum to 1.
    factors : sequence of float, (n_terms,)
        What the star's own 1-sigma error is multiplied by, >= 0.
    extra : sequence of float or Quantity, (n_terms,)
        What is added in quadrature, km/s, >= 0; where it is zero the factor must not be.

    Raises
    ------
    TypeError, ValueError
        If these are no numbers, differ in number or are out of range, or the weights do not sum to 1.
    """

    weights: tuple[float, ...]
    factors: tuple[float, ...]
    extra: tuple[float, ...]

    def __post_init__(self) -> None:
        """Convert to plain numbers and check them."""
        values = {
            name: to_array(getattr(self, name), name, unit)
            for name, unit in (("weights", ""), ("factors", ""), ("extra", "km/s"))
        }
        if len({value.size for value in values.values()}) != 1:
            sizes = ", ".join(f"{name} {value.size}" for name, value in values.items())
            raise ValueError(f"the terms of an error model need one of each: got {sizes}.")
        for name, value in values.items():
            if not (np.isfinite(value).all() and (value >= 0.0).all()):
                raise ValueError(f"{name} must be finite and not negative, got {shown(value.tolist())}.")
        if ((values["factors"] == 0.0) & (values["extra"] == 0.0)).any():
            raise ValueError("a term of an error model has no width: factors and extra are both zero.")
        total = float(values["weights"].sum())
        if abs(total - 1.0) > 1e-6:
            raise ValueError(f"weights sum to {total:g}, not 1: divide them by their sum.")
        for name, value in values.items():
            object.__setattr__(self, name, tuple((value / total if name == "weights" else value).tolist()))

    @property
    def terms(self) -> tuple[tuple[float, float, float], ...]:
        """Probability, factor, and extra width (km/s) of every Gaussian."""
        return tuple(zip(self.weights, self.factors, self.extra, strict=True))

    def __str__(self) -> str:
        """Return the sentence that a user reads."""
        said = []
        for weight, factor, extra in self.terms:
            parts = ["err" if factor == 1.0 else f"{factor:.3g} err"] if factor > 0.0 else []
            parts += [f"{extra:.3g} km/s"] if extra > 0.0 else []
            width = parts[0] if len(parts) == 1 else f"hypot({', '.join(parts)})"
            said.append(f"{100.0 * weight:.3g} % with {width}")
        return "errors: " + ", ".join(said)

    @classmethod
    def mixture(cls, weights: Any, factors: Any, extra: Any = None) -> ErrorModel:
        """Any mixture; nothing is added in quadrature by default."""
        return cls(weights, factors, (0.0,) * np.size(weights) if extra is None else extra)

    @classmethod
    def outliers(cls, fraction: Any, scale: Any) -> ErrorModel:
        """A ``fraction`` of the errors is too small by the factor ``scale``; it is not known which."""
        fraction = _to_fraction(fraction)
        return cls((1.0 - fraction, fraction), (1.0, to_float(scale, "scale", "")), (0.0, 0.0))

    @classmethod
    def student(cls, nu: Any) -> ErrorModel:
        """Student t of ``nu`` degrees of freedom, > 1, whose scale is the star's error.

        By Gauss-Laguerre quadrature of its scale mixture: the density is right to 0.3 % of its peak, with
        the tail of a t out to about ten errors.
        """
        from scipy.special import roots_genlaguerre

        nu = to_float(nu, "nu", "")
        if nu <= 1.0:
            raise ValueError(f"nu must be above 1, got {nu:g}.")
        nodes, weights = roots_genlaguerre(_STUDENT_TERMS, 0.5 * nu - 1.0)
        factors = np.sqrt(0.5 * nu / nodes)
        return cls(tuple(weights / weights.sum()), tuple(factors), (0.0,) * nodes.size)

    @classmethod
    def binaries(cls, fraction: Any, sigmas: Any = None, weights: Any = None) -> ErrorModel:
        """A ``fraction`` of the stars are binaries, seen once.

        The fraction must be known from elsewhere: velocities of one epoch hardly tell it.

        Parameters
        ----------
        fraction : float
            Binary fraction, 0 to 1.
        sigmas, weights : sequence of float or Quantity, optional
            Distribution of the orbital velocity of a binary as a mixture of Gaussians (km/s). By default that
            of red giants with the periods of solar-type stars (Raghavan et al. 2010, ApJS 190, 1).
        """
        fraction = _to_fraction(fraction)
        if (sigmas is None) != (weights is None):
            raise ValueError("sigmas and weights belong together: pass both or neither.")
        sigmas = to_array(_BINARY_SIGMAS if sigmas is None else sigmas, "sigmas", "km/s")
        weights = to_array(_BINARY_WEIGHTS if weights is None else weights, "weights", "")
        return cls((1.0 - fraction, *(fraction * weights)), (1.0,) * (weights.size + 1), (0.0, *sigmas))


def _to_fraction(value: Any) -> float:
    fraction = to_float(value, "fraction", "")
    if not 0.0 <= fraction <= 1.0:
        raise ValueError(f"fraction must be between 0 and 1, got {fraction:g}.")
    return fraction
