"""Errors of velocities that are not one Gaussian: mixtures of Gaussians of several widths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from veldist._support.validate import shown, to_array, to_float

__all__ = ["ErrorModel"]

# Velocity of a binary's primary about the centre of mass: standard deviations (km/s) and weights of a mixture
# of Gaussians. `ErrorModel.binaries` says of which binaries.
_BINARY_SIGMAS = (0.087, 0.342, 1.134, 3.447, 9.846)
_BINARY_WEIGHTS = (0.160, 0.282, 0.291, 0.200, 0.067)
# Student t: relative error of its density, how far out (in errors) the tail is right, how much may lack
# there, and weights that are left out.
_RIGHT, _FAR, _LACKING, _NOTHING = 2e-3, 20.0, 0.01, 1e-9


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

    def __repr__(self) -> str:
        return f"<ErrorModel: {str(self).removeprefix('errors: ')}>"

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
        fraction, scale = _to_fraction(fraction), to_float(scale, "scale", "")
        if scale < 1.0:
            raise ValueError(
                f"scale = {scale:g} would make errors smaller: pass by how much they are too small."
            )
        return cls((1.0 - fraction, fraction), (1.0, scale), (0.0, 0.0))

    @classmethod
    def student(cls, nu: Any) -> ErrorModel:
        """Student t of ``nu`` degrees of freedom, > 1, whose scale is the star's error.

        At most 12 Gaussians: the density is right to 0.4 % of its peak and to 2 % of itself, out to 20
        errors or where it has fallen to 1e-9 of the peak.
        """
        from scipy.optimize import brentq
        from scipy.special import gammainccinv, gammaincinv, loggamma

        nu = to_float(nu, "nu", "")
        if nu <= 1.0:
            raise ValueError(f"nu must be above 1, got {nu:g}: 4 is a common choice.")
        # A t is a Gaussian of variance nu / chi2: its integral over the logarithm of the width, by the
        # trapezoidal rule. At x the integrand is a gamma distribution of 1 / width^2, with the shape below
        # and the rate (nu + x^2) / 2: its quantiles bound it, its Fourier transform is the rule's error.
        shape = 0.5 * (nu + 1.0)

        def too_wrong(frequency: float) -> float:
            return float(loggamma(shape + 1j * frequency).real - loggamma(shape)) - np.log(0.5 * _RIGHT)

        step = np.pi / brentq(too_wrong, 1e-3, 1e3 * (1.0 + np.sqrt(shape)))
        first = 0.5 * np.log(0.5 * nu / gammainccinv(shape, _RIGHT))
        last = 0.5 * np.log(0.5 * (nu + _FAR**2) / gammaincinv(shape, _LACKING))
        log_width = np.arange(first, last + step, step)
        log_weight = -nu * (log_width + 0.5 * np.exp(-2.0 * log_width))
        weights = np.exp(log_weight - log_weight.max())
        kept = weights > _NOTHING * weights.sum()
        return cls.mixture(weights[kept] / weights[kept].sum(), np.exp(log_width[kept]))

    @classmethod
    def binaries(cls, fraction: Any, sigmas: Any = None, weights: Any = None) -> ErrorModel:
        """A ``fraction`` of the stars are binaries, seen once.

        The fraction must be known from elsewhere: velocities of one epoch hardly tell it.

        Parameters
        ----------
        fraction : float
            Binary fraction, 0 to 1.
        sigmas, weights : sequence of float or Quantity, optional
            Distribution of the velocity of a binary's primary about the centre of mass, as a mixture of
            Gaussians (km/s). By default that of red giants, see below.

        Notes
        -----
        The default is for giants of 0.8 solar masses with the periods of solar-type stars, log10 P ~ N(5.03,
        2.28) with P in days (Raghavan et al. 2010, ApJS 190, 1), up to 1e9 days, which counts wider pairs as
        single stars; mass ratios are uniform between 0.1 and 1, eccentricities between 0 and 0.9, pairs that
        come closer than 0.2 au are left out, orientation and phase are random. Against 3 million such orbits
        the five Gaussians are right within 5 % in the speeds that 10, 25, 50, 75, 90 and 99 % of the binaries
        stay below (0.04, 0.13, 0.44, 1.45, 3.8 and 13.8 km/s), and within 9 % in the fractions above speeds
        up to 20 km/s. Beyond, they fall off too fast: 0.07 % instead of 0.11 % above 25 km/s.
        Limits of 0.1 and 0.5 au instead of 0.2 would put the speed at 90 % to about 4.4 and 3.0 km/s.
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
