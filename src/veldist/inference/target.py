r"""The posterior in the coordinates the sampler moves in.

A point is (g, u): a prior component and coefficients whitened by *that component's* Laplace
approximation, :math:`x = \hat x_g + W_g u`. Its log density is

.. math:: T(g, u) = \log \pi_g + \log L - |x|^2/2 + \log |W_g|,

the joint posterior times the Jacobian. Were every conditional posterior Gaussian, T would be
:math:`\log Z_g - |u|^2/2`: g and u independent. Changing g at fixed u is therefore a move between
distributions of any two scales, a scale of zero included, that is nearly always acceptable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Array
from veldist.inference.factor import Factor
from veldist.inference.laplace import Modes
from veldist.inference.likelihood import Likelihood
from veldist.inference.prior import MixturePrior

__all__ = ["Runs", "Target"]

Runs = list[tuple[int, slice]]
"""Prior components, and the consecutive chains that are in each."""


@dataclass(frozen=True)
class Target:
    """Log density of (g, u), vectorised over chains that are sorted by g."""

    likelihood: Likelihood  # referred to a typical density, so that offsets are small
    offset: Array  # (G, K + p): cell offsets and coefficients x at u = 0
    lift: Array  # (G, p, K + p): what u adds to the two
    log_constant: Array  # (G,): log pi_g + log|W_g|
    factor: Factor | None = None  # what the prior of one coefficient has beyond its Gaussian

    @classmethod
    def build(
        cls,
        likelihood: Likelihood,
        psi: Array,
        prior: MixturePrior,
        modes: Modes,
        center: Array,
        dtype: object,
        factor: Factor | None = None,
    ) -> Target:
        """Target in ``dtype``, with the likelihood referred to the density at ``center``.

        Parameters
        ----------
        likelihood : Likelihood
            In double precision, referred to the prior's centre.
        psi, prior, modes
            Basis, prior, and the modes found with them.
        center : array, (p,)
            Offset of the coefficients from the prior's centre at which to refer the likelihood.
        dtype
            Floating-point type of the sampler.
        factor : Factor, optional
            What the prior of one coefficient has beyond its Gaussian.
        """
        xp = psi.__array_namespace__()
        scales = xp.asarray(prior.scales, dtype=psi.dtype)
        reference = psi @ center
        coefficients = xp.asarray(prior.mean - prior.center, dtype=psi.dtype) + scales * modes.x
        lift_cells = xp.matrix_transpose(scales[:, :, None] * modes.whitener) @ psi.T
        return cls(
            likelihood=likelihood.rebase(reference, dtype),
            offset=xp.astype(xp.concat([coefficients @ psi.T - reference[None, :], modes.x], axis=1), dtype),
            lift=xp.astype(xp.concat([lift_cells, xp.matrix_transpose(modes.whitener)], axis=2), dtype),
            log_constant=xp.asarray(prior.log_weights, dtype=psi.dtype) + modes.log_det,
            factor=factor,
        )

    @property
    def n_cells(self) -> int:
        """Number of cells K."""
        return self.lift.shape[2] - self.lift.shape[1]

    def runs(self, component: NDArray[np.intp]) -> Runs:
        """Consecutive chains of equal component; ``component`` (C,) must be sorted."""
        starts = np.flatnonzero(np.diff(component, prepend=-1))
        stops = np.append(starts[1:], component.size)
        which = component[starts].tolist()
        return [(g, slice(a, b)) for g, a, b in zip(which, starts.tolist(), stops.tolist(), strict=True)]

    def place(self, runs: Runs, u: Array) -> Array:
        """Cell offsets and coefficients x of each chain, (C, K + p)."""
        xp = u.__array_namespace__()
        parts = [u[rows, :] @ self.lift[g, :, :] + self.offset[g, :][None, :] for g, rows in runs]
        return xp.concat(parts, axis=0)

    def whitened(self, runs: Runs, u: Array) -> Array:
        """Coefficients x of each chain, (C, p)."""
        xp = u.__array_namespace__()
        k = self.n_cells
        return xp.concat(
            [u[r, :] @ self.lift[g, :, k:] + self.offset[g, k:][None, :] for g, r in runs], axis=0
        )

    def value(self, runs: Runs, u: Array) -> Array:
        """T up to the constant of g (`log_constant`), (C,)."""
        xp = u.__array_namespace__()
        placed = self.place(runs, u)
        x = placed[:, self.n_cells :]
        value = self.likelihood.log_likelihood(placed[:, : self.n_cells]) - 0.5 * xp.sum(x * x, axis=1)
        return value if self.factor is None else value + self.factor.log_ratio(x[:, self.factor.column])[0]

    def value_and_gradient(self, runs: Runs, u: Array) -> tuple[Array, Array]:
        """T up to the constant of g, (C,), and its gradient in u, (C, p)."""
        xp = u.__array_namespace__()
        placed = self.place(runs, u)
        x = placed[:, self.n_cells :]
        value, gradient = self.likelihood.value_and_gradient(placed[:, : self.n_cells])
        value, slope = value - 0.5 * xp.sum(x * x, axis=1), -x
        if self.factor is not None:
            ratio, bend = self.factor.log_ratio(x[:, self.factor.column])
            here = xp.asarray(np.arange(x.shape[1]) == self.factor.column, dtype=x.dtype)
            value, slope = value + ratio, slope + bend[:, None] * here[None, :]
        gradient = xp.concat([gradient, slope], axis=1)
        parts = [gradient[rows, :] @ xp.matrix_transpose(self.lift[g, :, :]) for g, rows in runs]
        return value, xp.concat(parts, axis=0)
