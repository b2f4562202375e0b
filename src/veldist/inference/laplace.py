"""Posterior modes and Laplace evidences of all prior components at once."""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Array
from veldist.inference.likelihood import Likelihood
from veldist.inference.newton import Modes, factorise, newton, prior_units, solve
from veldist.inference.prior import MixturePrior

__all__ = ["Modes", "find_modes"]

# Farthest start from a component's prior mean, in prior standard deviations.
_START_LIMIT = 3.0
# The pilot's mode only has to be near enough for the others' quadratic start.
_PILOT_TOLERANCE = 0.05
# With more stars than this the rounding of a Hessian in single precision would no longer be small beside the
# prior's unit precision.
_SINGLE_PRECISION_STARS = 5000


def find_modes(
    likelihood: Likelihood, psi: Array, prior: MixturePrior, max_iter: int = 60, tolerance: float = 2e-2
) -> Modes:
    """Modes of all prior components, found together from the mode of one of them.

    The broadest component goes first, alone. About its mode the log-likelihood is nearly quadratic, which
    gives all others a start close to their modes; Newton's method does the rest, in single precision where
    that is safe. Where this fails, all start from the prior's centre in double precision.

    Parameters
    ----------
    likelihood : Likelihood
        In double precision. Its reference must be the density at the prior's centre.
    psi : array, (K, p)
        Basis.
    prior : MixturePrior
        Prior of the coefficients.
    max_iter : int
        Iteration limit. Components that hit it are not refused: the sampler corrects them.
    tolerance : float
        Stop when the step promises less than this in log posterior; the step is taken.
    """
    xp = psi.__array_namespace__()
    double = psi.dtype
    offset = xp.asarray(prior.mean - prior.center, dtype=double)
    scales = xp.asarray(prior.scales, dtype=double)
    first = int(np.argmax(np.sum(prior.scales, axis=1)))
    pilot = slice(first, first + 1)
    # From the mixture's centre, as far as each prior lets it.
    start = _limit(-_ratio(offset, scales), _START_LIMIT)
    found = newton(
        likelihood, psi, offset[pilot, :], scales[pilot, :], start[pilot, :], max_iter, _PILOT_TOLERANCE
    )
    if bool(xp.all(found.converged)):
        modes = _modes_near(likelihood, psi, offset, scales, pilot, found, max_iter, tolerance)
        if bool(xp.all(modes.converged)):
            return modes
    return newton(likelihood, psi, offset, scales, start, max_iter, tolerance)


def _modes_near(
    likelihood: Likelihood,
    psi: Array,
    offset: Array,
    scales: Array,
    pilot: slice,
    found: Modes,
    max_iter: int,
    tolerance: float,
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
    modes = newton(local, psi, offset, scales, start, max_iter, tolerance)
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
