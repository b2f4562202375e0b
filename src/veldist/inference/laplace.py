"""Posterior modes and Laplace evidences of all prior components at once."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Array
from veldist.inference.factor import Factor
from veldist.inference.likelihood import Likelihood
from veldist.inference.newton import Modes, factorise, newton, prior_units, solve
from veldist.inference.prior import MixturePrior

__all__ = ["Modes", "find_modes"]

# Farthest start from a component's prior mean, in prior standard deviations.
_START_LIMIT = 3.0
# The pilot's mode only has to be near enough for the others' quadratic start.
_PILOT_TOLERANCE = 0.05
# A pilot that takes longer than this has lost its way.
_PILOT_ITERATIONS = 30
# How often components that got lost are started again.
_MENDINGS = 4
# With more stars than this the rounding of a Hessian in single precision would no longer be small beside the
# prior's unit precision.
_SINGLE_PRECISION_STARS = 5000


def find_modes(
    likelihood: Likelihood,
    psi: Array,
    prior: MixturePrior,
    max_iter: int = 60,
    tolerance: float = 2e-2,
    factor: Factor | None = None,
) -> Modes:
    """Modes of all prior components, found together from the mode of one of them.

    The broadest component goes first, alone; if it does not arrive, the narrowest, which cannot stray far.
    About the mode of either the log-likelihood is nearly quadratic, which gives all others a start close to
    their modes; Newton's method does the rest, in single precision where that is safe. Components that have
    got lost all the same are started again, in double precision, from the best density that any has found.

    Parameters
    ----------
    likelihood : Likelihood
        In double precision. Its reference must be the density at the prior's centre.
    psi : array, (K, p)
        Basis.
    prior : MixturePrior
        Prior of the coefficients.
    max_iter : int
        Iteration limit. Components that hit it in spite of all are not refused, but have ``converged`` False:
        coordinates that are centred far from any mode are out of the sampler's reach.
    tolerance : float
        Stop when the step promises less than this in log posterior; the step is taken.
    factor : Factor, optional
        What the prior of one coefficient has beyond its Gaussian.
    """
    xp = psi.__array_namespace__()
    double = psi.dtype
    offset = xp.asarray(prior.mean - prior.center, dtype=double)
    scales = xp.asarray(prior.scales, dtype=double)
    breadth = np.sum(prior.scales, axis=1)
    # From the mixture's centre, as far as each prior lets it.
    start = _limit(-_ratio(offset, scales), _START_LIMIT)
    pilots = ((int(np.argmax(breadth)), _PILOT_ITERATIONS), (int(np.argmin(breadth)), max_iter))
    for first, limit in pilots:
        pilot = slice(first, first + 1)
        own = (offset[pilot, :], scales[pilot, :], start[pilot, :])
        found = newton(likelihood, psi, *own, limit, _PILOT_TOLERANCE, factor)
        if bool(xp.all(found.converged)):
            break
    modes = _modes_near(likelihood, psi, offset, scales, pilot, found, max_iter, tolerance, factor)
    for _ in range(_MENDINGS):
        lost = np.flatnonzero(~np.asarray(modes.converged))
        if not lost.size:
            break
        modes = _mend(likelihood, psi, offset, scales, modes, lost, max_iter, tolerance, factor)
    return modes


def _mend(
    likelihood: Likelihood,
    psi: Array,
    offset: Array,
    scales: Array,
    modes: Modes,
    lost: NDArray[np.intp],
    max_iter: int,
    tolerance: float,
    factor: Factor | None,
) -> Modes:
    """Start lost components again, at the density that has the highest evidence of all."""
    xp = psi.__array_namespace__()
    evidence = np.asarray(modes.log_evidence)
    best = int(np.argmax(np.where(np.isfinite(evidence), evidence, -np.inf)))
    density = (offset[best, :] + scales[best, :] * modes.x[best, :])[None, :]
    rows = xp.asarray(lost)
    its_offset, its_scales = xp.take(offset, rows, axis=0), xp.take(scales, rows, axis=0)
    start = _limit(_ratio(density - its_offset, its_scales), 2.0 * _START_LIMIT)
    again = newton(likelihood, psi, its_offset, its_scales, start, max_iter, tolerance, factor)
    # What converged, or is higher than before.
    higher = ~(np.asarray(again.log_evidence) <= evidence[lost])
    taken = np.flatnonzero(np.asarray(again.converged) | higher)
    where = np.arange(evidence.size)
    where[lost[taken]] = evidence.size + taken
    index = xp.asarray(where)
    pairs = ((getattr(modes, field.name), getattr(again, field.name)) for field in fields(Modes))
    return Modes(*(xp.take(xp.concat(pair, axis=0), index, axis=0) for pair in pairs))


def _modes_near(
    likelihood: Likelihood,
    psi: Array,
    offset: Array,
    scales: Array,
    pilot: slice,
    found: Modes,
    max_iter: int,
    tolerance: float,
    factor: Factor | None,
) -> Modes:
    """Modes of all components, given that of one."""
    xp = psi.__array_namespace__()
    double = psi.dtype
    center = (offset[pilot, :] + scales[pilot, :] * found.x)[0, :]
    n_stars = float(xp.sum(xp.abs(likelihood.weight)))
    dtype = xp.float32 if n_stars < _SINGLE_PRECISION_STARS else double
    local = likelihood.rebase(psi @ center, dtype)
    gain = local.log_reference - likelihood.log_reference
    psi, scales = xp.astype(psi, dtype), xp.astype(scales, dtype)
    offset = xp.astype(offset - center[None, :], dtype)
    # Where each posterior has its mode if the log-likelihood is quadratic.
    here = local.curvature(xp.zeros((1, psi.shape[0]), dtype=dtype), psi)
    pull = scales * (here.gradient - offset @ here.exact[0, :, :])
    _, matrix = factorise(
        prior_units(scales, here.exact),
        prior_units(scales, here.fisher),
        xp.zeros((scales.shape[0],), dtype=dtype),
    )
    start = _limit(solve(matrix, pull), 2.0 * _START_LIMIT)
    # Or, where it is not, the same density as the first's as far as the prior lets it.
    other = _limit(-_ratio(offset, scales), _START_LIMIT)
    value, other_value = (
        local.log_likelihood((offset + scales * x) @ psi.T) - 0.5 * xp.sum(x * x, axis=1)
        for x in (start, other)
    )
    start = xp.where((value >= other_value)[:, None], start, other)
    modes = newton(local, psi, offset, scales, start, max_iter, tolerance, factor)
    return Modes(
        x=xp.astype(modes.x, double),
        whitener=xp.astype(modes.whitener, double),
        log_det=xp.astype(modes.log_det, double),
        log_evidence=xp.astype(modes.log_evidence, double) + gain,
        converged=modes.converged,
    )


def _ratio(a: Array, b: Array) -> Array:
    """``a / b``, zero where b is."""
    xp = a.__array_namespace__()
    some = b > 0.0
    return xp.where(some, a / xp.where(some, b, xp.ones_like(b)), xp.zeros_like(b))


def _limit(x: Array, limit: float) -> Array:
    return x.__array_namespace__().clip(x, -limit, limit)
