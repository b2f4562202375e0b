"""Likelihoods of many samples of stars at once, padded to a common shape.

Only operations of the array API standard are used. The formulas are those of `veldist.inference.likelihood`,
with one more axis in front. Padding changes none of them: a padded row has the density of the reference and
weight zero, a padded cell has mass zero, a padded column of the basis adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from veldist._support.arrays import Array
from veldist.inference.likelihood import Likelihood, refuse_infinite

__all__ = ["Stack", "curvature", "log_likelihood", "stack", "value_and_gradient"]

# Elements of the largest intermediates that are formed at a time: 256 MB in single precision.
_BLOCK = 2**26


class Stack(NamedTuple):
    """Likelihoods, one after the other along the first axis."""

    ratio: Array  # (B, N, K)
    reference: Array  # (B, K)
    weight: Array  # (B, N)
    positive: Array | None  # (B, N): None if none of them has a negative weight
    total_weight: Array  # (B,)
    hidden: Array  # (B, K)
    hidden_excess: Array  # (B, K): as in `veldist.inference.likelihood.Likelihood`


def stack(likelihoods: Sequence[Likelihood], n_slots: int, n_rows: int, n_cells: int) -> Stack:
    """Put likelihoods of one precision into NumPy arrays of a common shape.

    Parameters
    ----------
    likelihoods : sequence of Likelihood
        Not more than ``n_slots``. The slots left over hold a flat density and no stars.
    n_slots, n_rows, n_cells : int
        B, N and K of the result.
    """
    dtype = likelihoods[0].ratio.dtype
    weight = np.zeros((n_slots, n_rows), dtype=dtype)
    reference = np.zeros((n_slots, n_cells), dtype=dtype)
    reference[len(likelihoods) :] = 1.0 / n_cells
    total = np.zeros(n_slots, dtype=dtype)
    hidden = np.zeros((n_slots, n_cells), dtype=bool)
    excess = np.full((n_slots, n_cells), -np.inf, dtype=dtype)
    for slot, one in enumerate(likelihoods):
        n, k = one.ratio.shape
        reference[slot, :k], weight[slot, :n], total[slot] = one.reference, one.weight, one.total_weight
        if one.hidden is not None:
            hidden[slot, :k], excess[slot, :k] = one.hidden, one.hidden_excess
    ratio = np.repeat(reference[:, None, :], n_rows, axis=1)
    for slot, one in enumerate(likelihoods):
        n, k = one.ratio.shape
        ratio[slot, :n, :k] = one.ratio
    signed = any(one.positive is not None for one in likelihoods)
    positive = np.maximum(weight, 0.0) if signed else None
    return Stack(ratio, reference, weight, positive, total, hidden, excess)


def log_likelihood(those: Stack, delta: Array) -> Array:
    """Log-likelihoods relative to the references', (B, C), at offsets ``delta`` (B, C, K)."""
    return _evaluate(those, delta, False)[0]


def value_and_gradient(those: Stack, delta: Array) -> tuple[Array, Array]:
    """Log-likelihoods, (B, C), and their gradients in ``delta``, (B, C, K)."""
    return _evaluate(those, delta, True)


def _evaluate(those: Stack, delta: Array, with_gradient: bool) -> tuple[Array, Array]:
    xp = delta.__array_namespace__()
    mass, penalty = _mass(those, delta)
    norm = _times(mass, those.reference)
    weights = those.total_weight[:, None]
    total: Array = penalty - weights * xp.log(norm)
    pull: Array = 0.0
    for ratio, weight, _ in _blocks(those, delta.shape[1]):
        density = mass @ xp.matrix_transpose(ratio)
        total = total + _times(xp.log(density), weight)
        if with_gradient:
            pull = pull + (weight[:, None, :] / density) @ ratio
    if those.positive is not None:
        total = refuse_infinite(total)
    if not with_gradient:
        return total, total
    return total, mass * (pull - (weights / norm)[:, :, None] * those.reference[:, None, :])


def curvature(those: Stack, delta: Array, psi: Array) -> tuple[Array, Array, Array, Array]:
    """Value, gradient, exact and Fisher negative Hessians with respect to the coefficients of ``psi``.

    Parameters
    ----------
    those : Stack
        The likelihoods.
    delta : array, (B, C, K)
        Offsets.
    psi : array, (B, K, p)
        Basis of each likelihood.

    Returns
    -------
    value, gradient, exact, fisher : array, (B, C), (B, C, p), (B, C, p, p) twice
        As in `veldist.inference.likelihood.Curvature`.
    """
    xp = delta.__array_namespace__()
    n_slots, n_points, n_cells = delta.shape
    n_basis = psi.shape[2]
    mass, penalty = _mass(those, delta)
    norm = _times(mass, those.reference)
    weights = those.total_weight[:, None]
    mean = ((mass * those.reference[:, None, :]) @ psi) / norm[:, :, None]
    # All points of a bin in one product with its ratios.
    lifted = xp.matrix_transpose(mass)[:, :, :, None] * psi[:, :, None, :]
    lifted = xp.reshape(lifted, (n_slots, n_cells, n_points * n_basis))
    total: Array = penalty - weights * xp.log(norm)
    pull: Array = 0.0
    scatter: Array = 0.0
    fisher: Array = 0.0
    for ratio, weight, positive in _blocks(those, n_points * n_basis):
        density = mass @ xp.matrix_transpose(ratio)
        total = total + _times(xp.log(density), weight)
        pull = pull + (weight[:, None, :] / density) @ ratio
        score = xp.reshape(ratio @ lifted, (n_slots, ratio.shape[1], n_points, n_basis))
        score = xp.permute_dims(score, (0, 2, 1, 3)) / density[:, :, :, None]
        score = score - mean[:, :, None, :]
        turned = xp.matrix_transpose(score)
        scatter = scatter + turned @ (weight[:, None, :, None] * score)
        if positive is not None:
            fisher = fisher + turned @ (positive[:, None, :, None] * score)
    responsibility = mass * pull
    pulled = responsibility @ psi
    diagonal = (weights / norm)[:, :, None] * mass * those.reference[:, None, :] - responsibility
    cross = pulled[:, :, :, None] * mean[:, :, None, :]
    exact = (
        xp.matrix_transpose(psi)[:, None, :, :] @ (diagonal[:, :, :, None] * psi[:, None, :, :])
        + cross
        + xp.matrix_transpose(cross)
        - 2.0 * weights[:, :, None, None] * mean[:, :, :, None] * mean[:, :, None, :]
        + scatter
    )
    signed = those.positive is not None
    value = refuse_infinite(total) if signed else total
    return value, pulled - weights[:, :, None] * mean, exact, fisher if signed else scatter


def _times(matrices: Array, vectors: Array) -> Array:
    """Products of (B, C, N) with (B, N): (B, C)."""
    return (matrices @ vectors[:, :, None])[:, :, 0]


def _mass(those: Stack, delta: Array) -> tuple[Array, Array]:
    """Masses relative to the references', (B, C, K), and 0 or -inf for each point, (B, C)."""
    xp = delta.__array_namespace__()
    mass = xp.exp(xp.where(those.hidden[:, None, :], xp.zeros_like(delta), delta))
    excess = xp.max(delta + those.hidden_excess[:, None, :], axis=2)
    zero = xp.zeros_like(excess)
    return mass, xp.where(excess > 0.0, zero - xp.inf, zero)


def _blocks(those: Stack, row_size: int) -> Iterator[tuple[Array, Array, Array | None]]:
    """Rows of the ratios, their weights and positive weights, block by block of bounded size."""
    n_slots, n_rows, _ = those.ratio.shape
    size = max(1, _BLOCK // (n_slots * row_size))
    for start in range(0, n_rows, size):
        rows = slice(start, min(start + size, n_rows))
        positive = None if those.positive is None else those.positive[:, rows]
        yield those.ratio[:, rows, :], those.weight[:, rows], positive
