r"""The one-dimensional LOSVD prior: basis functions of z and the scales of their coefficients.

The log-density over that of the frame's Gaussian is
:math:`b_1 z - b_2 z^2/2 + c\,T(z) + d\,A(z) + \sum_k a_k \phi_k(z)`:

* ``b1, b2`` carry location and scale: (0, 0) is the Gaussian of the frame, and 1 + b2 the precision;
* ``T`` is the direction from a Gaussian to a Student t of 4 degrees of freedom, so that heavy tails are
  one coefficient away;
* ``A`` is that to a two-piece Gaussian of different widths on its two sides, so that a wing that is longer on
  one side is one coefficient away too;
* ``phi_k`` are the sine functions of the Hilbert-space approximation of a Gaussian process (Solin &
  Sarkka 2020, Stat. Comput. 30, 419, eqs 4, 56, 60), whose coefficients are independent with variance
  ``tau^2 S_l(omega_k)``, S being the spectral density of the squared-exponential kernel of length l.

``T``, ``A`` and ``phi`` have {1, z, z^2} projected out under a Gaussian weight, so that location and scale
stay with b1 and b2; ``phi`` is tapered to zero in the wings, where stars are too few to teach it anything.
The pairs (l, tau) form a small grid with weights, with an exponential prior on tau: the penalised-complexity
prior of Simpson et al. (2017, Stat. Sci. 32, 1). Beside them stand components without ``phi``: exactly
Gaussian (c = d = 0), nearly Gaussian (both small), only heavy-tailed, only asymmetric.

On cells each function has its mean under the cell's profile (`veldist.models.losvd.cells`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.validate import shown, to_array, to_float
from veldist.inference.prior import MixturePrior
from veldist.models.losvd.cells import Cells
from veldist.models.losvd.resolution import Resolution, ResolutionRule

__all__ = ["PRIORS", "PriorSettings", "losvd_prior", "named_prior"]

# Half-width of the interval on which the sine functions live: the taper hides its ends.
_HALF_WIDTH = 6.5
# The directions of tail and asymmetry end here, so that the tail is Gaussian again, only higher.
_DIRECTION_END = 8.0
_TAIL_NU = 4.0
# Scales beyond this, in units of the frame's scale or of the log density, are none of an LOSVD.
_MOST = 100.0
_RULE = ResolutionRule()


@dataclass(frozen=True)
class PriorSettings:
    """Prior of an LOSVD's location and shape. The defaults won the contest of ``docs/accuracy.md``.

    Attributes
    ----------
    location_scale : float
        Standard deviation of b1, the location in units of the frame's scale.
    tail_scale, asymmetry_scale : float
        Standard deviations of the coefficients of T and A, where these are free.
    amplitudes : tuple of float
        Grid of tau, the standard deviation of the Gaussian process, > 0.
    amplitude_rate : float
        Rate of the exponential prior on tau.
    null_weight : float
        Prior probability of the exactly Gaussian LOSVD.
    near_weight, tail_weight, asymmetry_weight : float
        Prior probabilities of LOSVDs without a Gaussian process in which both T and A are small, only T is
        not, and only A is not. The Gaussian process has the rest, with T and A free.
    small : float
        Factor on the scale of a small T or A. Not zero: nature has no exact symmetry, and error bars of the
        skewness would vanish with the skewness.
    taper : tuple of float
        The Gaussian process is whole up to the first ``|z|`` and gone beyond the second.
    resolution : callable
        From the number of stars and their errors in units of the frame's scale to a `Resolution`: a
        `ResolutionRule` with other numbers, or any function at the top of a module.
    """

    location_scale: float = 1.0
    tail_scale: float = 0.8
    asymmetry_scale: float = 0.5
    amplitudes: tuple[float, ...] = (0.35, 0.75, 1.5, 3.0)
    amplitude_rate: float = 1.5
    null_weight: float = 0.05
    tail_weight: float = 0.05
    asymmetry_weight: float = 0.05
    near_weight: float = 0.3
    small: float = 0.4
    taper: tuple[float, float] = (4.5, 6.5)
    resolution: Callable[[int, float], Resolution] = _RULE

    def __post_init__(self) -> None:
        # Hashable, whatever sequences were given.
        for name in ("amplitudes", "taper"):
            values = to_array(getattr(self, name), name, "")
            object.__setattr__(self, name, tuple(values.tolist()))
        for name in ("location_scale", "tail_scale", "asymmetry_scale", "small", "amplitude_rate"):
            if not 0.0 <= to_float(getattr(self, name), name, "") <= _MOST:
                raise ValueError(f"{name} = {getattr(self, name)} must be between 0 and {_MOST:g}.")
        names = ("null_weight", "near_weight", "tail_weight", "asymmetry_weight")
        weights = tuple(to_float(getattr(self, name), name, "") for name in names)
        if not (min(weights) >= 0.0 and sum(weights) < 1.0):
            raise ValueError(
                f"the weights {weights} of null, near, tail, asymmetry must not be negative and must leave "
                "some of 1 for the Gaussian process."
            )
        if not all(0.0 < a <= _MOST for a in self.amplitudes):
            raise ValueError(f"amplitudes = {self.amplitudes} must be positive and at most {_MOST:g}.")
        if self.amplitude_rate * min(self.amplitudes) > _MOST:
            raise ValueError(
                f"amplitude_rate = {self.amplitude_rate} leaves no weight for any of the amplitudes "
                f"{self.amplitudes}: lower it, or offer smaller ones."
            )
        if len(self.taper) != 2 or not 0.0 < self.taper[0] < self.taper[1] <= _HALF_WIDTH:
            raise ValueError(
                f"taper = {self.taper} must be two numbers, ascending, between 0 and {_HALF_WIDTH}."
            )
        if not callable(self.resolution):
            raise TypeError(
                f"resolution must be a ResolutionRule or a function, got {shown(self.resolution)}."
            )


PRIORS = {
    "default": PriorSettings(),
    "cautious": PriorSettings(null_weight=0.0, near_weight=0.0, tail_weight=0.0, asymmetry_weight=0.0),
}
"""Priors by name. In the cautious one all components have the Gaussian process, and none is exactly or nearly
Gaussian: error bars of the shape are wider, and hold a truth that is not Gaussian more often."""


def named_prior(prior: PriorSettings | str | None) -> PriorSettings:
    """The prior itself, or that of a name; the default one if it is None.

    Raises
    ------
    TypeError, ValueError
        If it is something else, or there is no prior of that name.
    """
    if prior is None or isinstance(prior, PriorSettings):
        return prior or PRIORS["default"]
    if not isinstance(prior, str):
        raise TypeError(
            f"prior must be veldist.PriorSettings or one of {list(PRIORS)}, got {type(prior).__name__}."
        )
    if prior not in PRIORS:
        raise ValueError(f"prior must be one of {list(PRIORS)}, or veldist.PriorSettings, got {prior!r}.")
    return PRIORS[prior]


def _project_out_quadratic(functions: Floats, z: Floats, weight: Floats) -> Floats:
    """Remove the weighted least-squares fit of {1, z, z^2} from each column of ``functions`` (K, n)."""
    quadratic = np.stack([np.ones_like(z), z, z**2], axis=1)
    root = np.sqrt(weight)[:, None]
    coefficients, *_ = np.linalg.lstsq(root * quadratic, root * functions, rcond=None)
    return functions - quadratic @ coefficients


def _taper(z: Floats, start: float, end: float) -> Floats:
    """One in the core, zero beyond ``end``, a raised cosine between."""
    t = np.clip((np.abs(z) - start) / (end - start), 0.0, 1.0)
    return 0.5 * (1.0 + np.cos(np.pi * t))


def _tail_direction(z: Floats, weight: Floats) -> Floats:
    """Log-ratio of the Student t to the Gaussian less its quadratic part, constant beyond the end."""

    def log_ratio(x: Floats) -> Floats:
        return 0.5 * x**2 - 0.5 * (_TAIL_NU + 1.0) * np.log1p(x**2 / _TAIL_NU)

    inside = np.clip(z, -_DIRECTION_END, _DIRECTION_END)
    quadratic = np.stack([np.ones_like(z), z**2], axis=1)
    root = np.sqrt(weight)
    a, b = np.linalg.lstsq(root[:, None] * quadratic, root * log_ratio(z), rcond=None)[0]
    return log_ratio(inside) - a - b * inside**2


def _asymmetry_direction(z: Floats, weight: Floats) -> Floats:
    """``z |z| / 2`` less its linear part, linear beyond `_DIRECTION_END`: different widths left and right."""
    inside = np.clip(z, -_DIRECTION_END, _DIRECTION_END)
    shape = 0.5 * inside * np.abs(inside)
    slope = np.sum(weight * z * shape) / np.sum(weight * z**2)
    return shape - slope * inside


def _shapes(
    omega: NDArray[np.floating], lengths: tuple[float, ...], settings: PriorSettings
) -> list[tuple[Floats, str, float]]:
    """Scales of the coefficients of T, A and the functions, label and weight of every component."""
    tail, asymmetry, small = settings.tail_scale, settings.asymmetry_scale, settings.small
    absent = np.zeros(omega.size)
    shapes = [
        (np.concatenate([directions, absent]), label, weight)
        for *directions, label, weight in (
            (0.0, 0.0, "gaussian", settings.null_weight),
            (small * tail, small * asymmetry, "nearly gaussian", settings.near_weight),
            (tail, small * asymmetry, "tail", settings.tail_weight),
            (small * tail, asymmetry, "asymmetry", settings.asymmetry_weight),
        )
        if weight > 0.0
    ]
    tau = np.array(settings.amplitudes)
    # Exponential prior on tau, each grid point standing for the interval around it on a log scale.
    weights = tau * np.exp(-settings.amplitude_rate * tau)
    weights *= (1.0 - sum(weight for _, _, weight in shapes)) / weights.sum() / len(lengths)
    for length in lengths:
        spectral = np.sqrt(np.sqrt(2.0 * np.pi) * length) * np.exp(-0.25 * (length * omega) ** 2)
        for amplitude, weight in zip(tau, weights, strict=True):
            scales = np.concatenate([[tail, asymmetry], amplitude * spectral])
            shapes.append((scales, f"length={length:g}, amplitude={amplitude:g}", float(weight)))
    return shapes


def losvd_prior(
    cells: Cells, resolution: Resolution, settings: PriorSettings | None = None
) -> tuple[Floats, MixturePrior]:
    """Basis and prior of a one-dimensional LOSVD on the given cells.

    Parameters
    ----------
    cells : Cells
        The cells, in standardised velocity.
    resolution : Resolution
        Number of functions, correlation lengths, and the prior of the precision.
    settings : PriorSettings, optional
        The prior of location and shape.

    Returns
    -------
    psi : ndarray, (K, p)
        Basis: means over the cells of z, -z^2/2, the heavy-tailed and the asymmetric direction, the deviation
        functions.
    prior : MixturePrior
        Prior of the coefficients.
    """
    settings = settings or PriorSettings()
    order = np.arange(1, resolution.n_functions + 1)
    omega = np.pi * order / (2.0 * _HALF_WIDTH)

    def functions(z: Floats, weight: Floats) -> Floats:
        inside = np.clip(z, -_HALF_WIDTH, _HALF_WIDTH)
        sines = np.sin(omega[None, :] * (inside[:, None] + _HALF_WIDTH)) / np.sqrt(_HALF_WIDTH)
        deviation = _taper(z, *settings.taper)[:, None] * _project_out_quadratic(sines, z, weight)
        directions = _tail_direction(z, weight), _asymmetry_direction(z, weight)
        return np.concatenate([np.stack([z, -0.5 * z**2, *directions], axis=1), deviation], axis=1)

    psi = cells.average(functions)
    shapes = _shapes(omega, resolution.lengths, settings)
    several = len(resolution.precisions) > 1
    mean, scale, labels, weights = [], [], [], []
    for precision, its_scale, its_weight in resolution.precisions:
        for scales, label, weight in shapes:
            mean.append(np.concatenate([[0.0, precision - 1.0], np.zeros(scales.size)]))
            scale.append(np.concatenate([[settings.location_scale, its_scale], scales]))
            labels.append(f"{label}, precision={precision:g}" if several else label)
            weights.append(weight * its_weight)
    prior = MixturePrior(
        mean=np.array(mean),
        scales=np.array(scale),
        log_weights=np.log(weights),
        labels=tuple(labels),
        is_null=np.array([not np.any(s[2:]) for s in scale]),
    )
    return psi, prior
