r"""Log-likelihood of many latent vectors at once, its gradient and its Hessian.

With log-density offsets :math:`\delta_j` of the cells from a reference density,

.. math:: \log L = \log L_\mathrm{ref} + \sum_i n_i \log\Big(\sum_j R_{ij} e^{\delta_j}\Big)
                   - \sum_i n_i \, \log \sum_j w^\mathrm{ref}_j e^{\delta_j},
          \qquad R_{ij} = M_{ij} w^\mathrm{ref}_j / p^\mathrm{ref}_i ,

where row i counts :math:`n_i` times: as many stars of the same velocity and error, or -1 times for a density
that the others are to be divided by (the probability of what was known of a star beforehand, say).

R is formed once, in logarithms and double precision; what is left are ratios near one. That is what makes
single precision safe, and what keeps a star far out in a Gaussian tail from underflowing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from veldist._support.arrays import Array, Floats
from veldist.inference.evaluator import Curvature, Evaluator

__all__ = ["Likelihood", "refuse_infinite"]

# Shares below this are zero in effect; as subnormal numbers they would slow every product twentyfold.
_TINY_SINGLE, _TINY_DOUBLE = 1e-30, 1e-290
# Log of the largest mass that a point may put into a cell that is left out.
_HIDDEN_LIMIT = -18.0
# Elements of the (chains x stars) intermediates that are formed at a time: they should stay in the cache.
_BLOCK = 2**17


@dataclass(frozen=True)
class Likelihood:
    """Likelihood of cell masses ``w`` for rows (stars) of density ``p_i = sum_j M_ij w_j``.

    Built by `from_design`. All methods take offsets ``delta`` (C, K) of the unnormalised log masses from
    those of the reference; C is the number of latent vectors evaluated together.

    Attributes
    ----------
    ratio : array, (N, K)
        Share of each cell in each row's density under the reference (R above).
    reference : array, (K,)
        Cell masses of the reference; sum to 1.
    weight : array, (N,)
        How often each row counts, of either sign.
    positive : array, (N,), or None
        ``weight`` with zeros in the place of negative ones; None if there are none.
    total_weight : float
        Sum of ``weight``.
    log_reference : float
        Log-likelihood of the reference.
    log_mass : ndarray, (K,)
        Log of the reference's masses, also where they are too small to be represented.
    hidden : array of bool, (K,), or None
        Cells whose mass and shares are all negligible under the reference: they are left out, and points that
        would put more than `_HIDDEN_LIMIT` into one have no likelihood. None if there are none.
    hidden_excess : array, (K,)
        ``log_mass`` above that limit in the hidden cells, -inf elsewhere.
    evaluator : Evaluator or None
        Who does the arithmetic; None for these methods themselves.
    """

    ratio: Array
    reference: Array
    weight: Array
    positive: Array | None
    total_weight: float
    log_reference: float
    log_mass: Floats
    hidden: Array | None
    hidden_excess: Array
    evaluator: Evaluator | None = None

    @classmethod
    def from_design(
        cls,
        design: Floats,
        log_reference_mass: Floats,
        weight: Floats | None = None,
        log_offset: float = 0.0,
        evaluator: Evaluator | None = None,
    ) -> Likelihood:
        """Likelihood from a design matrix, relative to a reference density.

        Parameters
        ----------
        design : ndarray, (N, K)
            Density of each row given each cell, >= 0. A part of the density that does not depend on the
            masses is added to all columns, as the masses sum to 1.
        log_reference_mass : ndarray, (K,)
            Log of the reference's cell masses, up to a constant. For `infer`, those at the prior's centre
            (`Blocks.log_center`).
        weight : ndarray, (N,), optional
            How often each row counts: the number of stars that it stands for, or a negative number for a
            density to divide by; 1 by default.
        log_offset : float
            To be added to the log-likelihood.
        evaluator : Evaluator, optional
            Who does the arithmetic, of this likelihood and of those that `rebase` makes of it.

        Raises
        ------
        ValueError
            If a row has zero density in every cell, so that nothing can explain it.
        """
        log_mass = log_reference_mass - np.logaddexp.reduce(log_reference_mass)
        weight = np.ones(design.shape[0]) if weight is None else np.asarray(weight, dtype=np.float64)
        # Every row relative to its largest entry, so that a star far out in the tail does not underflow.
        with np.errstate(divide="ignore", under="ignore"):
            log_joint = np.log(design) + log_mass[None, :]
            highest = log_joint.max(axis=1)
            highest = np.where(np.isfinite(highest), highest, 0.0)
            ratio = np.exp(log_joint - highest[:, None])
            log_row = np.log(ratio.sum(axis=1)) + highest
            lost = ~np.isfinite(log_row)
            if lost.any():
                rows = ", ".join(str(r) for r in np.flatnonzero(lost)[:5])
                raise ValueError(
                    f"{lost.sum()} of {lost.size} stars have zero density in every cell (rows {rows}): "
                    "the cells must reach every star."
                )
            ratio *= np.exp(highest - log_row)[:, None]
            return cls._build(
                ratio,
                log_mass,
                weight,
                float(weight.sum()),
                float(weight @ log_row) + log_offset,
                np.dtype(np.float64),
                evaluator,
            )

    @classmethod
    def _build(
        cls,
        ratio: Array,
        log_mass: Array,
        weight: Array,
        total_weight: float,
        log_reference: float,
        dtype: Any,
        evaluator: Evaluator | None,
    ) -> Likelihood:
        xp = ratio.__array_namespace__()
        ratio, reference = _flush(ratio, dtype), _flush(xp.exp(log_mass), dtype)
        hidden = (reference == 0) & ~xp.any(ratio != 0, axis=0)
        weight = xp.astype(weight, dtype)
        negative = weight < 0
        return cls(
            ratio=ratio,
            reference=reference,
            weight=weight,
            positive=xp.where(negative, xp.zeros_like(weight), weight) if bool(xp.any(negative)) else None,
            total_weight=total_weight,
            log_reference=log_reference,
            log_mass=log_mass,
            hidden=hidden if bool(xp.any(hidden)) else None,
            hidden_excess=xp.astype(
                xp.where(hidden, log_mass - _HIDDEN_LIMIT, xp.full_like(log_mass, -xp.inf)), dtype
            ),
            evaluator=evaluator,
        )

    def rebase(self, delta: Array, dtype: Any) -> Likelihood:
        """Move the reference to the density at ``delta`` (K,) and cast to ``dtype``."""
        xp = delta.__array_namespace__()
        excess = delta - xp.max(delta)
        mass = self.reference * xp.exp(excess)
        norm = xp.sum(mass)
        ratio = self.ratio * (xp.exp(excess) / norm)[None, :]
        density = xp.sum(ratio, axis=1)
        log_mass = self.log_mass + delta
        highest = xp.max(log_mass)
        return Likelihood._build(
            ratio / density[:, None],
            log_mass - highest - xp.log(xp.sum(xp.exp(log_mass - highest))),
            self.weight,
            self.total_weight,
            self.log_reference + float(xp.sum(self.weight * xp.log(density))),
            dtype,
            self.evaluator,
        )

    def log_likelihood(self, delta: Array) -> Array:
        """Log-likelihood relative to the reference's, (C,)."""
        return self._evaluate(delta, False)[0]

    def value_and_gradient(self, delta: Array) -> tuple[Array, Array]:
        """Log-likelihood relative to the reference's, (C,), and its gradient in ``delta``, (C, K)."""
        return self._evaluate(delta, True)

    def _evaluate(self, delta: Array, with_gradient: bool) -> tuple[Array, Array]:
        if self.evaluator is not None:
            return self.evaluator.evaluate(self, delta, with_gradient)
        xp = delta.__array_namespace__()
        mass, penalty = self._mass(delta)
        norm = mass @ self.reference
        total: Array = penalty - self.total_weight * xp.log(norm)
        pull: Array = 0.0
        for ratio, weight, _ in self._blocks(delta.shape[0]):
            density = mass @ ratio.T
            total = total + xp.log(density) @ weight
            if with_gradient:
                pull = pull + (weight[None, :] / density) @ ratio
        if self.positive is not None:
            total = refuse_infinite(total)
        if not with_gradient:
            return total, total
        return total, mass * (pull - (self.total_weight / norm)[:, None] * self.reference[None, :])

    def curvature(self, delta: Array, psi: Array) -> Curvature:
        """Value, gradient and exact negative Hessian with respect to the coefficients of ``psi`` (K, p)."""
        if self.evaluator is not None:
            return self.evaluator.curvature(self, delta, psi)
        xp = delta.__array_namespace__()
        n_points, n_basis = delta.shape[0], psi.shape[1]
        mass, penalty = self._mass(delta)
        norm = mass @ self.reference
        mean = ((mass * self.reference[None, :]) @ psi) / norm[:, None]
        lifted = mass[:, :, None] * psi[None, :, :]
        total: Array = penalty - self.total_weight * xp.log(norm)
        pull: Array = 0.0
        scatter: Array = 0.0
        fisher: Array = 0.0
        for ratio, weight, positive in self._blocks(n_points * n_basis):
            density = mass @ ratio.T
            total = total + xp.log(density) @ weight
            pull = pull + (weight[None, :] / density) @ ratio
            # Every row's expectation of the basis, less the density's: (C, n, p).
            score = (ratio[None, :, :] @ lifted) / density[:, :, None]
            score = score - mean[:, None, :]
            turned = xp.matrix_transpose(score)
            scatter = scatter + turned @ (weight[None, :, None] * score)
            if positive is not None:
                fisher = fisher + turned @ (positive[None, :, None] * score)
        responsibility = mass * pull
        pulled = responsibility @ psi
        diagonal = (self.total_weight / norm)[:, None] * mass * self.reference[None, :] - responsibility
        cross = pulled[:, :, None] * mean[:, None, :]
        exact = (
            xp.matrix_transpose(psi)[None, :, :] @ (diagonal[:, :, None] * psi[None, :, :])
            + cross
            + xp.matrix_transpose(cross)
            - 2.0 * self.total_weight * mean[:, :, None] * mean[:, None, :]
            + scatter
        )
        signed = self.positive is not None
        return Curvature(
            value=refuse_infinite(total) if signed else total,
            gradient=pulled - self.total_weight * mean,
            exact=exact,
            fisher=fisher if signed else scatter,
        )

    def _mass(self, delta: Array) -> tuple[Array, Array]:
        """Masses relative to the reference's, (C, K), and 0 or -inf for each point, (C,)."""
        xp = delta.__array_namespace__()
        if self.hidden is None:
            return xp.exp(delta), xp.zeros(delta.shape[0], dtype=delta.dtype)
        # Far cells may overflow there, and infinity times nothing is not a number.
        mass = xp.exp(xp.where(self.hidden[None, :], xp.zeros_like(delta), delta))
        excess = xp.max(delta + self.hidden_excess[None, :], axis=1)
        zero = xp.zeros_like(excess)
        return mass, xp.where(excess > 0.0, zero - xp.inf, zero)

    def _blocks(self, row_size: int) -> Any:
        """Rows of the ratio matrix, their weights and positive weights, block by block of bounded size."""
        n_rows, size = self.ratio.shape[0], max(1, _BLOCK // row_size)
        for start in range(0, n_rows, size):
            rows = slice(start, min(start + size, n_rows))
            positive = None if self.positive is None else self.positive[rows]
            yield self.ratio[rows, :], self.weight[rows], positive


def refuse_infinite(value: Array) -> Array:
    """Log-likelihoods with -inf in the place of +inf.

    That is no maximum, but the density of a row of negative weight too small to be represented.
    """
    xp = value.__array_namespace__()
    return xp.where(value == xp.inf, xp.zeros_like(value) - xp.inf, value)


def _flush(shares: Array, dtype: Any) -> Array:
    """Cast to ``dtype``, with negligible shares set to zero."""
    xp = shares.__array_namespace__()
    tiny = _TINY_SINGLE if dtype == xp.float32 else _TINY_DOUBLE
    return xp.astype(xp.where(shares < tiny, xp.zeros_like(shares), shares), dtype)
