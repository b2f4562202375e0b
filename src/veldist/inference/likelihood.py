r"""Log-likelihood of many latent vectors at once, its gradient and its Hessian.

With log-density offsets :math:`\delta_j` of the cells from a reference density,

.. math:: \log L = \log L_\mathrm{ref} + \sum_i n_i \log\Big(\sum_j R_{ij} e^{\delta_j}\Big)
                   - N \log \sum_j w^\mathrm{ref}_j e^{\delta_j},
          \qquad R_{ij} = M_{ij} w^\mathrm{ref}_j / p^\mathrm{ref}_i ,

where :math:`n_i` stars of the same velocity and error share row i, :math:`\sum n_i = N`.

R is formed once, in logarithms and double precision; what is left are ratios near one. That is what makes
single precision safe, and what keeps a star far out in a Gaussian tail from underflowing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from veldist._support.arrays import Floats

__all__ = ["Array", "Curvature", "Evaluator", "Likelihood"]

# Any array of the array API standard.
Array = Any

# Shares below this are zero in effect; as subnormal numbers they would slow every product twentyfold.
_TINY_SINGLE, _TINY_DOUBLE = 1e-30, 1e-290
# Log of the largest mass that a point may put into a cell that is left out.
_HIDDEN_LIMIT = -18.0
# Elements of the (chains x stars) intermediates that are formed at a time: they should stay in the cache.
_BLOCK = 2**17


@dataclass(frozen=True)
class Curvature:
    """Value, gradient and negative Hessian of the log-likelihood at a batch of points.

    Attributes
    ----------
    value : array, (C,)
    gradient : array, (C, p)
    exact : array, (C, p, p)
        Negative Hessian; not positive definite everywhere.
    fisher : array, (C, p, p)
        Sum of outer products of the stars' gradients (the empirical Fisher information), which is.
    """

    value: Array
    gradient: Array
    exact: Array
    fisher: Array


class Evaluator(Protocol):
    """Does a likelihood's arithmetic elsewhere, on another device say."""

    def evaluate(self, likelihood: Likelihood, delta: Array, with_gradient: bool) -> tuple[Array, Array]:
        """As `Likelihood.value_and_gradient`; without the gradient, anything in its place."""
        ...

    def curvature(self, likelihood: Likelihood, delta: Array, psi: Array) -> Curvature:
        """As `Likelihood.curvature`."""
        ...


@dataclass(frozen=True)
class Likelihood:
    """Likelihood of cell masses ``w`` for stars with densities ``p_i = sum_j M_ij w_j + b_i``.

    Built by `from_design`. All methods take offsets ``delta`` (C, K) of the unnormalised log masses from
    those of the reference; C is the number of latent vectors evaluated together.

    Attributes
    ----------
    ratio : array, (N, K)
        Share of each cell in each star's density under the reference (R above).
    reference : array, (K,)
        Cell masses of the reference; sum to 1.
    weight : array, (N,)
        Number of stars that each row stands for.
    background : array, (N,) or None
        Share of the background in each star's density under the reference.
    n_stars : float
        Number of stars, the sum of ``weight``.
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
    background: Array | None
    n_stars: float
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
        background: Floats | None = None,
        weight: Floats | None = None,
        log_offset: float = 0.0,
        evaluator: Evaluator | None = None,
    ) -> Likelihood:
        """Likelihood from a design matrix, relative to a reference density.

        Parameters
        ----------
        design : ndarray, (N, K)
            Density of each star given each cell.
        log_reference_mass : ndarray, (K,)
            Log of the reference's cell masses, up to a constant.
        background : ndarray, (N,), optional
            Density of a contaminant at each star, to be added to the LOSVD's. A star's membership
            probability multiplies its row of ``design``, the complement belongs in here.
        weight : ndarray, (N,), optional
            Number of stars that each row stands for; 1 by default.
        log_offset : float
            To be added to the log-likelihood (see `veldist.models.losvd.merge`).
        evaluator : Evaluator, optional
            Who does the arithmetic, of this likelihood and of those that `rebase` makes of it.

        Raises
        ------
        ValueError
            If a star has zero density in every cell, so that nothing can explain it.
        """
        log_mass = log_reference_mass - np.logaddexp.reduce(log_reference_mass)
        weight = np.ones(design.shape[0]) if weight is None else np.asarray(weight, dtype=np.float64)
        # Every row relative to its largest entry, so that a star far out in the tail does not underflow.
        with np.errstate(divide="ignore"):
            log_joint = np.log(design) + log_mass[None, :]
        highest = log_joint.max(axis=1)
        highest = np.where(np.isfinite(highest), highest, 0.0)
        ratio = np.exp(log_joint - highest[:, None])
        foreign = None
        with np.errstate(divide="ignore"):
            log_star = np.log(ratio.sum(axis=1)) + highest
            if background is not None:
                log_background = np.log(background)
                log_star = np.logaddexp(log_star, log_background)
                foreign = np.exp(log_background - log_star)
        lost = ~np.isfinite(log_star)
        if lost.any():
            rows = ", ".join(str(r) for r in np.flatnonzero(lost)[:5])
            raise ValueError(
                f"{lost.sum()} of {lost.size} stars have zero density in every cell (rows {rows}): "
                "the cells must reach every star."
            )
        ratio *= np.exp(highest - log_star)[:, None]
        return cls._build(
            ratio,
            log_mass,
            weight,
            foreign,
            float(weight.sum()),
            float(weight @ log_star) + log_offset,
            np.dtype(np.float64),
            evaluator,
        )

    @classmethod
    def _build(
        cls,
        ratio: Array,
        log_mass: Array,
        weight: Array,
        background: Array | None,
        n_stars: float,
        log_reference: float,
        dtype: Any,
        evaluator: Evaluator | None,
    ) -> Likelihood:
        xp = ratio.__array_namespace__()
        ratio, reference = _flush(ratio, dtype), _flush(xp.exp(log_mass), dtype)
        hidden = (reference == 0) & ~xp.any(ratio != 0, axis=0)
        return cls(
            ratio=ratio,
            reference=reference,
            weight=xp.astype(weight, dtype),
            background=None if background is None else xp.astype(background, dtype),
            n_stars=n_stars,
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
        background = None
        if self.background is not None:
            density = density + self.background
            background = self.background / density
        log_mass = self.log_mass + delta
        highest = xp.max(log_mass)
        return Likelihood._build(
            ratio / density[:, None],
            log_mass - highest - xp.log(xp.sum(xp.exp(log_mass - highest))),
            self.weight,
            background,
            self.n_stars,
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
        total: Array = penalty - self.n_stars * xp.log(norm)
        pull: Array = 0.0
        members: Array = self.n_stars
        for ratio, weight, background in self._blocks(delta.shape[0]):
            density = mass @ ratio.T
            if background is not None:
                foreign = norm[:, None] * background[None, :]
                density = density + foreign
                members = members - (foreign / density) @ weight
            total = total + xp.log(density) @ weight
            if with_gradient:
                pull = pull + (weight[None, :] / density) @ ratio
        if not with_gradient:
            return total, total
        return total, mass * (pull - (members / norm)[:, None] * self.reference[None, :])

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
        total: Array = penalty - self.n_stars * xp.log(norm)
        pull: Array = 0.0
        members: Array = xp.zeros_like(norm) + self.n_stars
        fisher: Array = 0.0
        for ratio, weight, background in self._blocks(n_points * n_basis):
            density = mass @ ratio.T
            share: Array = 1.0
            if background is not None:
                foreign = norm[:, None] * background[None, :]
                density = density + foreign
                share = (1.0 - foreign / density)[:, :, None]
                members = members - (foreign / density) @ weight
            total = total + xp.log(density) @ weight
            pull = pull + (weight[None, :] / density) @ ratio
            # Every star's expectation of the basis, less the density's: (C, n, p).
            score = (ratio[None, :, :] @ lifted) / density[:, :, None]
            score = score - share * mean[:, None, :]
            fisher = fisher + xp.matrix_transpose(score) @ (weight[None, :, None] * score)
        responsibility = mass * pull
        pulled = responsibility @ psi
        diagonal = (members / norm)[:, None] * mass * self.reference[None, :] - responsibility
        cross = pulled[:, :, None] * mean[:, None, :]
        exact = (
            xp.matrix_transpose(psi)[None, :, :] @ (diagonal[:, :, None] * psi[None, :, :])
            + cross
            + xp.matrix_transpose(cross)
            - 2.0 * members[:, None, None] * mean[:, :, None] * mean[:, None, :]
            + fisher
        )
        return Curvature(
            value=total,
            gradient=pulled - members[:, None] * mean,
            exact=exact,
            fisher=fisher,
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
        """Rows of the ratio matrix, their weights and background, block by block of bounded size."""
        n_rows, size = self.ratio.shape[0], max(1, _BLOCK // row_size)
        for start in range(0, n_rows, size):
            rows = slice(start, min(start + size, n_rows))
            background = None if self.background is None else self.background[rows]
            yield self.ratio[rows, :], self.weight[rows], background


def _flush(shares: Array, dtype: Any) -> Array:
    """Cast to ``dtype``, with negligible shares set to zero."""
    xp = shares.__array_namespace__()
    tiny = _TINY_SINGLE if dtype == xp.float32 else _TINY_DOUBLE
    return xp.astype(xp.where(shares < tiny, xp.zeros_like(shares), shares), dtype)
