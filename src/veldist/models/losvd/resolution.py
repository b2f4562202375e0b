"""How finely a LOSVD is described, and how freely its dispersion, given what the data can tell."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

__all__ = ["Resolution", "ResolutionRule"]

# One Gaussian for the precision b. Its mean lies below 1 by its variance, so that at b = 1 it falls like
# 1 / b; without that the dispersions come out low.
_ONE_PRECISION = ((1.0 - 0.35**2, 0.35),)
# With few stars the dispersion may be off the frame's by a factor: four octaves. With some, a prior as narrow
# as one Gaussian around the frame's would still count these stars twice, and leave the dispersion's error bar
# too small: three octaves.
_FOUR_OCTAVES = ((0.2, 0.1), (0.45, 0.225), (1.0, 0.5), (2.2, 1.1))
_THREE_OCTAVES = ((0.5, 0.25), (1.0, 0.5), (2.0, 1.0))


@dataclass(frozen=True)
class Resolution:
    """Cells, deviation functions, and the prior of the precision.

    Attributes
    ----------
    cell_width : float
        Width of the core cells, in units of the frame's scale.
    n_functions : int
        Number of deviation functions.
    lengths : tuple of float
        Correlation lengths of the deviation, in units of the frame's scale.
    precisions : tuple of (mean, standard deviation, weight)
        Mixture of Gaussians that is the prior of the precision, the inverse square of the dispersion in units
        of the frame's scale; the weights sum to 1.
    """

    cell_width: float
    n_functions: int
    lengths: tuple[float, ...]
    precisions: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class ResolutionRule:
    r"""Resolution that grows, level by level, with the information in the data.

    That of n stars with errors r in units of the frame's scale is worth :math:`n / (1 + r^2)^2` stars without
    errors: large errors smear structure below about their own size and make small cells useless.

    Where the information is little, the prior of the dispersion must be broad: a mixture over precisions b
    with weights :math:`b^{-1/2} / (1 + r^2 b)` at logarithmic steps, which is flat in the dispersion as long
    as it exceeds the errors.

    Attributes
    ----------
    limits : tuple of float
        Informative stars with which each level but the first begins, ascending.
    cell_widths, n_functions, lengths : tuple
        Of each level, one more than ``limits``, as in `Resolution`.
    precisions : tuple of tuple of (mean, standard deviation)
        The Gaussians of the precision at each level.
    """

    limits: tuple[float, ...] = (100.0, 1000.0, 5000.0)
    cell_widths: tuple[float, ...] = (0.3, 0.3, 0.2, 0.1)
    n_functions: tuple[int, ...] = (28, 28, 36, 44)
    lengths: tuple[tuple[float, ...], ...] = (
        (0.45, 0.75, 1.25),
        (0.45, 0.75, 1.25),
        (0.35, 0.6, 1.1),
        (0.25, 0.5, 1.0),
    )
    precisions: tuple[tuple[tuple[float, float], ...], ...] = (
        _FOUR_OCTAVES,
        _THREE_OCTAVES,
        _ONE_PRECISION,
        _ONE_PRECISION,
    )

    def __post_init__(self) -> None:
        for field in fields(self):
            # Hashable, whatever sequences were given.
            object.__setattr__(self, field.name, _tuples(getattr(self, field.name)))
        if not all(a < b for a, b in zip((0.0, *self.limits), self.limits, strict=False)):
            raise ValueError(f"limits = {self.limits} must be positive and ascend.")
        n_levels = len(self.limits) + 1
        for name in ("cell_widths", "n_functions", "lengths", "precisions"):
            value = getattr(self, name)
            if len(value) != n_levels:
                raise ValueError(f"{name} = {value} must have one entry for each of the {n_levels} levels.")
            if not (all(value) and all(number > 0 for number in _flat(value))):
                raise ValueError(f"{name} = {value} must be positive, with something at every level.")

    def __call__(self, n_stars: int, error_ratio: float) -> Resolution:
        """Resolution for so many stars with errors of ``error_ratio`` times the frame's scale."""
        informative = n_stars / (1.0 + error_ratio**2) ** 2
        level = sum(limit <= informative for limit in self.limits)
        mean = np.array([b for b, _ in self.precisions[level]])
        weight = mean**-0.5 / (1.0 + error_ratio**2 * mean)
        weight /= weight.sum()
        return Resolution(
            cell_width=self.cell_widths[level],
            n_functions=self.n_functions[level],
            lengths=self.lengths[level],
            precisions=tuple(
                (b, s, float(w)) for (b, s), w in zip(self.precisions[level], weight, strict=True)
            ),
        )


def _tuples(value: Any) -> Any:
    """Tuples in the place of lists and arrays, at any depth."""
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple | np.ndarray) else value


def _flat(value: Any) -> list[Any]:
    return [number for item in value for number in _flat(item)] if isinstance(value, tuple) else [value]
