r"""Penalised-likelihood histogram on the reporting grid, smoothing by cross-validation (Merritt 1997).

Masses per bin are :math:`w = \mathrm{softmax}(\theta)`; the maximised function is

.. math:: \sum_i \log (M w)_i - \frac{\lambda_0}{2} \left(\frac{s}{h}\right)^5 |D \theta|^2

with M the Gaussian error convolution of a bin's density, D third differences, h the bin width and s the
error-corrected dispersion of the stars: the penalty is :math:`\lambda_0 / 2` times the integral over v/s of
the squared third derivative of the log-density, whose limit of infinite smoothing is a Gaussian (Silverman
1982, Ann. Stat. 10, 795; for velocity distributions Merritt 1997, AJ 114, 228).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from benchmarks.methods.base import Array, condition_on_grid, cover_stars
from veldist.models.losvd.design import gaussian_design_matrix
from veldist.models.losvd.frame import fit_frame

__all__ = ["PenalisedHistogram", "maximise"]

# Holds the sum of theta, of which softmax knows nothing, at zero.
_ANCHOR = 1e-3
_HALVINGS = 30


def third_differences(n_bins: int) -> Array:
    """Matrix D, (n_bins - 3, n_bins)."""
    return np.diff(np.eye(n_bins), n=3, axis=0)


def value_gradient_hessian(
    theta: Array, design: Array, counts: Array, root: Array
) -> tuple[Array, Array, Array]:
    """Penalised log-likelihood, gradient and negative Hessian for several weightings of the stars.

    Parameters
    ----------
    theta : ndarray, (n, B)
        Log masses up to a constant.
    design : ndarray, (N, B)
        Density of every star given every bin.
    counts : ndarray, (n, N)
        Weight of every star, zero for those left out.
    root : ndarray, (n_rows, B)
        The penalty is half the squared norm of ``root @ theta``. Its quadratic form would lose all digits of
        a smooth theta.

    Returns
    -------
    tuple of ndarray
        Shapes (n,), (n, B), (n, B, B).
    """
    w = softmax(theta, axis=1)
    density = w @ design.T
    n_stars = counts.sum(axis=1)
    roughness = theta @ root.T
    pull, penalty = roughness @ root, root.T @ root
    with np.errstate(divide="ignore"):
        value = np.sum(np.where(counts > 0, counts * np.log(density), 0.0), axis=1)
    value -= 0.5 * np.sum(roughness**2, axis=1)
    ratio = np.divide(np.sqrt(counts), density, out=np.zeros_like(density), where=density > 0)
    members = w * ((np.sqrt(counts) * ratio) @ design)
    gradient = members - n_stars[:, None] * w - pull
    hessian = np.empty((theta.shape[0], theta.shape[1], theta.shape[1]))
    for k in range(theta.shape[0]):
        share = (ratio[k][:, None] * design) * w[k]
        hessian[k] = share.T @ share - n_stars[k] * np.outer(w[k], w[k]) + penalty
    index = np.arange(theta.shape[1])
    hessian[:, index, index] += n_stars[:, None] * w - members
    return value, gradient, hessian


def _convex(hessian: Array) -> Array:
    """The matrices with negative eigenvalues turned over, if there are any."""
    try:
        np.linalg.cholesky(hessian)
    except np.linalg.LinAlgError:
        eigenvalues, vectors = np.linalg.eigh(hessian)
        turned = np.abs(eigenvalues).clip(_ANCHOR * 1e-3)
        return (vectors * turned[:, None, :]) @ vectors.swapaxes(1, 2)
    return hessian


def maximise(
    theta: Array, design: Array, counts: Array, root: Array, max_iter: int = 100, tolerance: float = 1e-4
) -> Array:
    """Maximum of the penalised likelihood by Newton steps, halved until they gain, for several weightings.

    The Hessian's negative eigenvalues, which it can have far from the maximum, are turned over.

    Parameters
    ----------
    theta : ndarray, (n, B)
        Start.
    design, counts, root
        As in `value_gradient_hessian`.
    max_iter : int
        Limit of iterations.
    tolerance : float
        Promised gain of the objective at which to stop.

    Returns
    -------
    ndarray, (n, B)
        The maxima.

    Raises
    ------
    RuntimeError
        If an iteration does not converge.
    """
    value, gradient, hessian = value_gradient_hessian(theta, design, counts, root)
    for _ in range(max_iter):
        step = np.linalg.solve(_convex(hessian), gradient[:, :, None])[:, :, 0]
        promised = 0.5 * np.sum(step * gradient, axis=1)
        if np.all(promised < tolerance):
            return theta + step
        for _ in range(_HALVINGS):
            trial = value_gradient_hessian(theta + step, design, counts, root)
            better = trial[0] >= value - 1e-10 * (1.0 + np.abs(value))
            if better.all():
                break
            step[~better] *= 0.5
        theta = np.where(better[:, None], theta + step, theta)
        value = np.where(better, trial[0], value)
        gradient = np.where(better[:, None], trial[1], gradient)
        hessian = np.where(better[:, None, None], trial[2], hessian)
    raise RuntimeError(f"Newton's method did not converge in {max_iter} iterations (gains {promised}).")


@dataclass(frozen=True)
class PenalisedHistogram:
    r"""Penalised-likelihood histogram with lambda from K-fold cross-validation and Laplace draws.

    The draws are of theta from the Gaussian of the inverse negative Hessian at the maximum, carried to the
    masses to first order, :math:`\delta w_j = w_j (\delta\theta_j - \sum_k w_k \delta\theta_k)`, and cut at
    zero. The softmax of the draws themselves would put, at small lambda, most of the mass into empty wings,
    where the data bound theta from above only.

    Attributes
    ----------
    smoothings : tuple of float
        Grid of the dimensionless :math:`\lambda_0`.
    n_folds : int
        Folds of the cross-validated log-likelihood.
    n_draws : int
        Number of draws.
    """

    smoothings: tuple[float, ...] = tuple(float(x) for x in np.geomspace(1e-3, 1e3, 12))
    n_folds: int = 5
    n_draws: int = 1000
    name: str = "penalised-histogram"

    def __call__(
        self, vel: Array, err: Array, grids: Sequence[Array], rng: np.random.Generator
    ) -> list[Array]:
        """See `base.Method`."""
        return [self.fit_grid(vel, err, edges, rng) for edges in grids]

    def fit_grid(self, vel: Array, err: Array, edges: Array, rng: np.random.Generator) -> Array:
        """Draws of the masses on one grid, (n_draws, n_bins)."""
        theta, hessian, inside = self.fit(vel, err, edges, rng)
        # delta = H^(-1/2) z.
        eigenvalues, vectors = np.linalg.eigh(hessian)
        root = vectors / np.sqrt(eigenvalues.clip(_ANCHOR * 1e-3))
        delta = rng.standard_normal((self.n_draws, theta.size)) @ root.T
        w = softmax(theta)
        draws = w * (1.0 + delta - (delta @ w)[:, None])
        return condition_on_grid(draws[:, inside].clip(0.0))

    def fit(
        self, vel: Array, err: Array, edges: Array, rng: np.random.Generator
    ) -> tuple[Array, Array, slice]:
        """Maximum at the chosen lambda, negative Hessian there, and which of its bins are the grid's."""
        frame = fit_frame(vel, err)
        extended, inside = cover_stars(edges, vel)
        width = (extended[-1] - extended[0]) / (extended.size - 1)
        design = gaussian_design_matrix(vel, err, extended)
        design /= design.max(axis=1, keepdims=True)
        n_bins = extended.size - 1
        anchor = np.full((1, n_bins), np.sqrt(_ANCHOR))
        roughness = third_differences(n_bins) * (frame.scale / width) ** 2.5
        roots = [
            np.concatenate([np.sqrt(s) * roughness, anchor]) for s in sorted(self.smoothings, reverse=True)
        ]

        fold = rng.permutation(vel.size) % self.n_folds
        held_out = (fold == np.arange(self.n_folds)[:, None]).astype(np.float64)
        z = frame.standardise(0.5 * (extended[1:] + extended[:-1]))
        gaussian = -0.5 * z**2
        theta = np.tile(gaussian - gaussian.mean(), (self.n_folds + 1, 1))
        # The last row is the fit to all stars.
        counts = np.concatenate([1.0 - held_out, np.ones((1, vel.size))])
        best, score = None, -np.inf
        for root in roots:
            theta = maximise(theta, design, counts, root)
            with np.errstate(divide="ignore"):
                log_density = np.log(softmax(theta[:-1], axis=1) @ design.T)
            predicted = np.sum(log_density[held_out > 0])
            if predicted > score:
                best, score = (theta[-1], root), predicted
        assert best is not None
        _, _, hessian = value_gradient_hessian(best[0][None, :], design, counts[-1:], best[1])
        return best[0], hessian[0], inside
