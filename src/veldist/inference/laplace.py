"""Posterior modes and Laplace evidences of all prior components at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from veldist.inference.likelihood import Array, Likelihood
from veldist.inference.prior import MixturePrior

__all__ = ["Modes", "find_modes"]


@dataclass(frozen=True)
class Modes:
    r"""Gaussian approximation of the posterior of each prior component.

    In the whitened coefficients x, with :math:`\beta = \mu_g + s_g x` and x standard normal a priori, the
    posterior given g is close to :math:`N(\hat x_g, H_g^{-1})`.

    Attributes
    ----------
    x : array, (G, p)
        Modes.
    whitener : array, (G, p, p)
        :math:`W_g = L_g^{-T}` with :math:`H_g = L_g L_g^T`, so that :math:`x = \hat x_g + W_g u` has
        standard-normal u.
    log_det : array, (G,)
        Log-determinant of W_g.
    log_evidence : array, (G,)
        Laplace approximation of the log evidence given g, relative to the likelihood's reference.
    converged : ndarray of bool, (G,)
        Whether the Newton iteration met its tolerance.
    """

    x: Array
    whitener: Array
    log_det: Array
    log_evidence: Array
    converged: Array


# Farthest start from a component's prior mean, in prior standard deviations.
_START_LIMIT = 3.0


def _cholesky(matrices: Array) -> tuple[Array, Array]:
    """Cholesky factors of a stack, and which of them exist; the identity stands in for the others."""
    xp = matrices.__array_namespace__()
    eye = xp.eye(matrices.shape[-1], dtype=matrices.dtype)
    try:
        factors = xp.linalg.cholesky(matrices)
    except np.linalg.LinAlgError:
        pairs = [_cholesky_one(matrices[k, :, :], eye) for k in range(matrices.shape[0])]
        return xp.stack([f for f, _ in pairs]), xp.asarray([ok for _, ok in pairs])
    # Libraries that cannot raise inside a stack return NaN instead.
    exists = xp.all(xp.isfinite(factors), axis=(1, 2))
    return xp.where(exists[:, None, None], factors, eye[None, :, :]), exists


def _cholesky_one(matrix: Array, eye: Array) -> tuple[Array, bool]:
    xp = matrix.__array_namespace__()
    try:
        return xp.linalg.cholesky(matrix), True
    except np.linalg.LinAlgError:
        return eye, False


def find_modes(
    likelihood: Likelihood, psi: Array, prior: MixturePrior, max_iter: int = 60, tolerance: float = 1e-5
) -> Modes:
    """Damped Newton with the exact Hessian, for every prior component together.

    The likelihood's reference must be the density at the prior's centre. Levenberg damping is raised for a
    component whose step failed and released when it succeeds; where the exact Hessian is not positive
    definite the empirical Fisher information, which always is, takes its place (Nocedal & Wright 2006,
    Numerical Optimization, section 10.3).

    Parameters
    ----------
    likelihood : Likelihood
        In double precision.
    psi : array, (K, p)
        Basis.
    prior : MixturePrior
        Prior of the coefficients.
    max_iter : int
        Iteration limit. Components that hit it are not refused: the sampler corrects them.
    tolerance : float
        Stop when the step promises less than this in log posterior.
    """
    xp = psi.__array_namespace__()
    scales = xp.asarray(prior.scales, dtype=psi.dtype)
    offset = xp.asarray(prior.mean - prior.center, dtype=psi.dtype)
    n_components, n_basis = scales.shape
    eye = xp.eye(n_basis, dtype=psi.dtype)[None, :, :]

    def curvature(x: Array) -> tuple[Array, Array, Array, Array]:
        """Log posterior, its gradient, exact and Fisher negative Hessians in x."""
        c = likelihood.curvature((offset + scales * x) @ psi.T, psi)
        outer = scales[:, :, None] * scales[:, None, :]
        return (
            c.value - 0.5 * xp.sum(x * x, axis=1),
            scales * c.gradient - x,
            outer * c.exact + eye,
            outer * c.fisher + eye,
        )

    def factorise(exact: Array, fisher: Array, damping: Array) -> Array:
        damp = damping[:, None, None] * eye
        factor, exists = _cholesky(exact + damp)
        if bool(xp.all(exists)):
            return factor
        return _cholesky(xp.where(exists[:, None, None], exact, fisher) + damp)[0]

    # All start at the mixture's centre, as far as their own prior lets them.
    free = scales > 0.0
    x = xp.where(free, -offset / xp.where(free, scales, xp.ones_like(scales)), xp.zeros_like(scales))
    x = xp.clip(x, -_START_LIMIT, _START_LIMIT)
    damping = xp.zeros((n_components,), dtype=psi.dtype)
    value, gradient, exact, fisher = curvature(x)
    converged = xp.zeros((n_components,), dtype=xp.bool)
    for _ in range(max_iter):
        factor = factorise(exact, fisher, damping)
        half = xp.linalg.solve(factor, gradient[:, :, None])
        step = xp.linalg.solve(xp.matrix_transpose(factor), half)[:, :, 0]
        converged = (0.5 * xp.sum(half[:, :, 0] ** 2, axis=1) < tolerance) & (damping == 0.0)
        if bool(xp.all(converged)):
            break
        trial = xp.where(converged[:, None], x, x + step)
        new = curvature(trial)
        # A loss at rounding level is no failure.
        better = converged | (new[0] >= value - 1e-10 * (1.0 + xp.abs(value)))
        x = xp.where(better[:, None], trial, x)
        value = xp.where(better, new[0], value)
        gradient = xp.where(better[:, None], new[1], gradient)
        exact = xp.where(better[:, None, None], new[2], exact)
        fisher = xp.where(better[:, None, None], new[3], fisher)
        released = xp.where(damping < 0.1, xp.zeros_like(damping), damping / 8.0)
        damping = xp.where(better, released, xp.where(damping == 0.0, xp.ones_like(damping), damping * 4.0))

    factor = factorise(exact, fisher, xp.zeros_like(damping))
    whitener = xp.matrix_transpose(xp.linalg.inv(factor))
    log_det = -xp.sum(xp.log(xp.linalg.diagonal(factor)), axis=1)
    return Modes(
        x=x,
        whitener=whitener,
        log_det=log_det,
        log_evidence=value + log_det,
        converged=converged,
    )
