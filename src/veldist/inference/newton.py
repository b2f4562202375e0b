"""Newton's method for the posteriors of several prior components together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Array
from veldist.inference.factor import Factor
from veldist.inference.likelihood import Likelihood

__all__ = ["Modes", "factorise", "newton", "prior_units", "solve"]


@dataclass(frozen=True)
class Modes:
    r"""Gaussian approximation of the posterior of each prior component.

    In the whitened coefficients x, with :math:`\beta = \mu_g + s_g x` and x standard normal a priori, the
    posterior given g is close to :math:`N(\hat x_g, H_g^{-1})`.
    """

    x: Array  # (G, p): modes
    # (G, p, p): :math:`W_g = L_g^{-T}` with :math:`H_g = L_g L_g^T`, so that :math:`x = \hat x_g + W_g u` has
    # standard-normal u.
    whitener: Array
    log_det: Array  # (G,): log-determinant of W_g
    # (G,): Laplace approximation of the log evidence given g, relative to the likelihood's reference.
    log_evidence: Array
    converged: Array  # (G,): whether the Newton iteration met its tolerance


class _Points(NamedTuple):
    """A point x for each of several priors, and the log posterior there."""

    # (G, p): Whitened coefficients; the coefficients are ``offset + scales * x`` from the likelihood's
    # reference.
    x: Array
    # (G, p): Of the priors.
    offset: Array
    scales: Array
    damping: Array  # (G,): Levenberg damping of the next step
    # (G,), (G, p), and twice (G, p, p): Log posterior, its gradient, exact and Fisher negative Hessians.
    value: Array
    gradient: Array
    exact: Array
    fisher: Array

    def take(self, rows: NDArray[np.intp]) -> _Points:
        """Some of them."""
        if rows.size == self.x.shape[0]:
            return self
        xp = self.x.__array_namespace__()
        index = xp.asarray(rows)
        return _Points(*(xp.take(a, index, axis=0) for a in self))

    def replace(self, there: _Points, which: Array) -> _Points:
        """Others' points where ``which`` (G,), these elsewhere."""
        if np.asarray(which).all():
            return there
        xp = self.x.__array_namespace__()
        pairs = zip(self, there, strict=True)
        return _Points(*(xp.where(xp.reshape(which, (-1,) + (1,) * (a.ndim - 1)), b, a) for a, b in pairs))


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


def prior_units(scales: Array, hessian: Array) -> Array:
    """Negative Hessians of the log posterior in x from those of the log-likelihood in the coefficients."""
    xp = scales.__array_namespace__()
    eye = xp.eye(scales.shape[1], dtype=scales.dtype)
    return scales[:, :, None] * scales[:, None, :] * hessian + eye[None, :, :]


def _evaluate(
    likelihood: Likelihood, psi: Array, x: Array, offset: Array, scales: Array, factor: Factor | None
) -> _Points:
    """Log posterior at whitened coefficients x under priors of the given means and scales."""
    xp = x.__array_namespace__()
    c = likelihood.curvature((offset + scales * x) @ psi.T, psi)
    value = c.value - 0.5 * xp.sum(x * x, axis=1)
    gradient = scales * c.gradient - x
    exact, fisher = (prior_units(scales, hessian) for hessian in (c.exact, c.fisher))
    if factor is not None:
        ratio, slope = factor.log_ratio(x[:, factor.column])
        curvature, least = factor.information(x[:, factor.column])
        here = xp.asarray(np.arange(x.shape[1]) == factor.column, dtype=x.dtype)
        corner = here[:, None] * here[None, :]
        value, gradient = value + ratio, gradient + slope[:, None] * here[None, :]
        exact = exact + (curvature - 1.0)[:, None, None] * corner[None, :, :]
        fisher = fisher + (least - 1.0)[:, None, None] * corner[None, :, :]
    return _Points(
        x=x,
        offset=offset,
        scales=scales,
        damping=xp.zeros((x.shape[0],), dtype=x.dtype),
        value=value,
        gradient=gradient,
        exact=exact,
        fisher=fisher,
    )


def factorise(exact: Array, fisher: Array, damping: Array) -> tuple[Array, Array]:
    """The damped exact Hessians, or Fisher information where they are not definite, and their factors.

    Returns
    -------
    factor : array, (G, p, p)
        Lower Cholesky factors.
    matrix : array, (G, p, p)
        Of these; the identity where not even the damped Fisher information has a factor.
    """
    xp = damping.__array_namespace__()
    eye = xp.eye(exact.shape[-1], dtype=damping.dtype)[None, :, :]
    damp = damping[:, None, None] * eye
    matrix = exact + damp
    factor, exists = _cholesky(matrix)
    if bool(xp.all(exists)):
        return factor, matrix
    matrix = xp.where(exists[:, None, None], matrix, fisher + damp)
    rows = np.flatnonzero(~np.asarray(exists))
    spare, exists_now = _cholesky(xp.take(matrix, xp.asarray(rows), axis=0))
    where = np.arange(matrix.shape[0])
    where[rows] = where.size + np.arange(rows.size)
    factor = xp.take(xp.concat([factor, spare], axis=0), xp.asarray(where), axis=0)
    if not bool(xp.all(exists_now)):
        lost = np.zeros(where.size, dtype=bool)
        lost[rows] = ~np.asarray(exists_now)
        matrix = xp.where(xp.asarray(lost)[:, None, None], eye, matrix)
    return factor, matrix


def solve(matrix: Array, gradient: Array) -> Array:
    """Newton steps ``H^-1 g``, (G, p)."""
    return matrix.__array_namespace__().linalg.solve(matrix, gradient[:, :, None])[:, :, 0]


def newton(
    likelihood: Likelihood,
    psi: Array,
    offset: Array,
    scales: Array,
    start: Array,
    max_iter: int,
    tolerance: float,
    prior_factor: Factor | None = None,
) -> Modes:
    """Damped Newton with the exact Hessian from ``start`` (G, p), for all components together.

    Levenberg damping is raised for a component whose step failed and released when it succeeds; where the
    exact Hessian is not positive definite the empirical Fisher information, which always is, takes its place
    (Nocedal & Wright 2006, Numerical Optimization, section 10.3).
    """
    xp = start.__array_namespace__()
    rounding = 100.0 * float(xp.finfo(start.dtype).eps)
    moving = np.arange(start.shape[0])
    here = _evaluate(likelihood, psi, start, offset, scales, prior_factor)
    ends: list[Modes] = []
    order: list[NDArray[np.intp]] = []
    for iteration in range(max_iter + 1):
        factor, matrix = factorise(here.exact, here.fisher, here.damping)
        step = solve(matrix, here.gradient)
        promise = 0.5 * xp.sum(step * here.gradient, axis=1)
        near = np.asarray((promise < tolerance) & (here.damping == 0.0))
        stop = near | (iteration == max_iter)
        if stop.any():
            rows = np.flatnonzero(stop)
            order.append(moving[rows])
            index = xp.asarray(rows)
            last = (xp.take(a, index, axis=0) for a in (factor, step, promise))
            ends.append(_finish(here.take(rows), *last, near[rows]))
            rows = np.flatnonzero(~stop)
            if not rows.size:
                break
            moving, here = moving[rows], here.take(rows)
            step = xp.take(step, xp.asarray(rows), axis=0)
        there = _evaluate(likelihood, psi, here.x + step, here.offset, here.scales, prior_factor)
        # A loss at rounding level is no failure.
        better = there.value >= here.value - rounding * (1.0 + xp.abs(here.value))
        d = here.damping
        released = xp.where(d < 0.1, xp.zeros_like(d), d / 8.0)
        raised = xp.where(d == 0.0, xp.ones_like(d), d * 4.0)
        here = here.replace(there, better)._replace(damping=xp.where(better, released, raised))
    back = xp.asarray(np.argsort(np.concatenate(order)))
    return Modes(
        *(
            xp.take(xp.concat([getattr(end, name) for end in ends], axis=0), back, axis=0)
            for name in ("x", "whitener", "log_det", "log_evidence", "converged")
        )
    )


def _finish(here: _Points, factor: Array, step: Array, promise: Array, near: NDArray[np.bool_]) -> Modes:
    """Take the last step, which promises next to nothing, where it may be trusted."""
    xp = step.__array_namespace__()
    yes = xp.asarray(near)
    if not near.all():
        factor, _ = factorise(here.exact, here.fisher, xp.zeros_like(here.damping))
    log_det = -xp.sum(xp.log(xp.linalg.diagonal(factor)), axis=1)
    return Modes(
        x=xp.where(yes[:, None], here.x + step, here.x),
        whitener=xp.matrix_transpose(xp.linalg.inv(factor)),
        log_det=log_det,
        log_evidence=here.value + xp.where(yes, promise, xp.zeros_like(promise)) + log_det,
        converged=yes,
    )
