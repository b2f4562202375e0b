r"""Log-likelihood of many latent vectors at once, its gradient and its Hessian.

With log-density offsets :math:`\delta_j` of the cells from a reference density,

.. math:: \log L = \log L_\mathrm{ref} + \sum_i \log\Big(\sum_j R_{ij} e^{\delta_j}\Big)
                   - N \log \sum_j w^\mathrm{ref}_j e^{\delta_j},
          \qquad R_{ij} = M_{ij} w^\mathrm{ref}_j / p^\mathrm{ref}_i .

R is formed once, in logarithms and double precision; what is left are ratios near one. That is what makes
single precision safe, and what keeps a star far out in a Gaussian tail from underflowing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

__all__ = ["Array", "Curvature", "Likelihood"]

# Any array of the array API standard.
Array = Any

# Shares below this are zero in effect; as subnormal numbers they would slow every product twentyfold.
_TINY = {np.dtype(np.float32): 1e-30, np.dtype(np.float64): 1e-290}
# Log of the largest mass that a point may put into a cell that is left out.
_HIDDEN_LIMIT = -18.0
# Stars per block: bounds the memory of the (chains x stars) intermediates.
_BLOCK = 4096


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
    background : array, (N,) or None
        Share of the background in each star's density under the reference.
    log_reference : float
        Log-likelihood of the reference.
    log_mass : ndarray, (K,)
        Log of the reference's masses, also where they are too small to be represented.
    hidden : array of bool, (K,), or None
        Cells whose mass and shares are all negligible under the reference: they are left out, and points that
        would put more than `_HIDDEN_LIMIT` into one have no likelihood. None if there are none.
    hidden_excess : array, (K,)
        ``log_mass`` above that limit in the hidden cells, -inf elsewhere.
    """

    ratio: Array
    reference: Array
    background: Array | None
    log_reference: float
    log_mass: NDArray[np.float64]
    hidden: Array | None
    hidden_excess: Array

    @classmethod
    def from_design(
        cls,
        design: NDArray[np.float64],
        log_reference_mass: NDArray[np.float64],
        background: NDArray[np.float64] | None = None,
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

        Raises
        ------
        ValueError
            If a star has zero density in every cell, so that nothing can explain it.
        """
        log_mass = log_reference_mass - logsumexp(log_reference_mass)
        with np.errstate(divide="ignore"):
            log_joint = np.log(design) + log_mass[None, :]
            log_star = logsumexp(log_joint, axis=1)
            if background is not None:
                log_star = np.logaddexp(log_star, np.log(background))
        lost = ~np.isfinite(log_star)
        if lost.any():
            rows = ", ".join(str(r) for r in np.flatnonzero(lost)[:5])
            raise ValueError(
                f"{lost.sum()} of {lost.size} stars have zero density in every cell (rows {rows}): "
                "the cells must reach every star."
            )
        return cls._build(
            np.exp(log_joint - log_star[:, None]),
            log_mass,
            None if background is None else background / np.exp(log_star),
            float(log_star.sum()),
            np.float64,
        )

    @classmethod
    def _build(
        cls,
        ratio: NDArray[np.float64],
        log_mass: NDArray[np.float64],
        background: NDArray[np.float64] | None,
        log_reference: float,
        dtype: Any,
    ) -> Likelihood:
        ratio, reference = _flush(ratio, dtype), _flush(np.exp(log_mass), dtype)
        hidden = (reference == 0) & ~ratio.any(axis=0)
        return cls(
            ratio=ratio,
            reference=reference,
            background=None if background is None else background.astype(dtype),
            log_reference=log_reference,
            log_mass=log_mass,
            hidden=hidden if hidden.any() else None,
            hidden_excess=np.where(hidden, log_mass - _HIDDEN_LIMIT, -np.inf).astype(dtype),
        )

    def rebase(self, delta: NDArray[np.float64], dtype: Any) -> Likelihood:
        """Move the reference to the density at ``delta`` (K,) and cast to ``dtype``."""
        excess = delta - delta.max()
        mass = self.reference * np.exp(excess)
        ratio = self.ratio * np.exp(excess)[None, :]
        share = ratio.sum(axis=1)
        if self.background is None:
            background, density = None, share / mass.sum()
        else:
            density = share / mass.sum() + self.background
            background = self.background / density
        ratio /= (density * mass.sum())[:, None]
        log_mass = self.log_mass + delta
        return Likelihood._build(
            ratio,
            log_mass - logsumexp(log_mass),
            background,
            self.log_reference + float(np.log(density).sum()),
            dtype,
        )

    @property
    def n_stars(self) -> int:
        """Number of stars N."""
        return self.ratio.shape[0]

    def log_likelihood(self, delta: Array) -> Array:
        """Log-likelihood relative to the reference's, (C,)."""
        xp = delta.__array_namespace__()
        mass, penalty = self._mass(delta)
        norm = mass @ self.reference
        total = xp.zeros_like(norm)
        for ratio, background in self._blocks():
            density = mass @ ratio.T
            if background is not None:
                density = density + norm[:, None] * background[None, :]
            total = total + xp.sum(xp.log(density), axis=1)
        return total - self.n_stars * xp.log(norm) + penalty

    def value_and_gradient(self, delta: Array) -> tuple[Array, Array]:
        """Log-likelihood relative to the reference's, (C,), and its gradient in ``delta``, (C, K)."""
        xp = delta.__array_namespace__()
        mass, penalty = self._mass(delta)
        norm = mass @ self.reference
        total = xp.zeros_like(norm)
        pull = xp.zeros_like(mass)
        members: Array = xp.zeros_like(norm) + self.n_stars
        for ratio, background in self._blocks():
            density = mass @ ratio.T
            if background is not None:
                foreign = norm[:, None] * background[None, :]
                density = density + foreign
                members = members - xp.sum(foreign / density, axis=1)
            total = total + xp.sum(xp.log(density), axis=1)
            pull = pull + (1.0 / density) @ ratio
        gradient = mass * (pull - (members / norm)[:, None] * self.reference[None, :])
        return total - self.n_stars * xp.log(norm) + penalty, gradient

    def curvature(self, delta: Array, psi: Array) -> Curvature:
        """Value, gradient and exact negative Hessian with respect to the coefficients of ``psi`` (K, p)."""
        xp = delta.__array_namespace__()
        n_points, n_basis = delta.shape[0], psi.shape[1]
        mass, penalty = self._mass(delta)
        norm = mass @ self.reference
        weight = mass * self.reference[None, :] / norm[:, None]
        mean = weight @ psi
        lifted = mass[:, :, None] * psi[None, :, :]
        total = xp.zeros_like(norm)
        pull = xp.zeros_like(mass)
        members: Array = xp.zeros_like(norm) + self.n_stars
        fisher = xp.zeros((n_points, n_basis, n_basis), dtype=delta.dtype)
        for ratio, background in self._blocks(max(1, _BLOCK // n_points)):
            density = mass @ ratio.T
            share = xp.ones_like(density)
            if background is not None:
                foreign = norm[:, None] * background[None, :]
                density = density + foreign
                share = 1.0 - foreign / density
                members = members - xp.sum(foreign / density, axis=1)
            total = total + xp.sum(xp.log(density), axis=1)
            pull = pull + (1.0 / density) @ ratio
            # Every star's expectation of the basis, less the density's: (C, n, p).
            score = (ratio[None, :, :] @ lifted) / density[:, :, None]
            score = score - share[:, :, None] * mean[:, None, :]
            fisher = fisher + xp.matrix_transpose(score) @ score
        responsibility = mass * pull
        pulled = responsibility @ psi
        diagonal = members[:, None] * weight - responsibility
        cross = pulled[:, :, None] * mean[:, None, :]
        exact = (
            xp.matrix_transpose(psi)[None, :, :] @ (diagonal[:, :, None] * psi[None, :, :])
            + cross
            + xp.matrix_transpose(cross)
            - 2.0 * members[:, None, None] * mean[:, :, None] * mean[:, None, :]
            + fisher
        )
        return Curvature(
            value=total - self.n_stars * xp.log(norm) + penalty,
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

    def _blocks(self, size: int = _BLOCK) -> Any:
        """Rows of the ratio matrix and of the background, block by block."""
        for start in range(0, self.n_stars, size):
            rows = slice(start, min(start + size, self.n_stars))
            yield self.ratio[rows, :], None if self.background is None else self.background[rows]


def _flush(shares: NDArray[np.float64], dtype: Any) -> NDArray[Any]:
    """Cast to ``dtype``, with negligible shares set to zero."""
    return np.where(shares < _TINY[np.dtype(dtype)], 0.0, shares).astype(dtype)
