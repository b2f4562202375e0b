"""The fit of one sample of stars: its arguments, its result, and what the user must be told of it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from veldist._support import validate
from veldist._support.threads import one_thread
from veldist.errors import ContaminationWarning, ConvergenceWarning, GridWarning, OutlierWarning
from veldist.fits.contamination import describe_contamination, describe_members
from veldist.fits.fit import Fit
from veldist.fits.grid import VelocityGrid
from veldist.fits.stars import Stars
from veldist.inference import Evaluator, Settings
from veldist.models.losvd.basis import PriorSettings, named_prior
from veldist.models.losvd.model import LosvdPosterior, fit_losvd
from veldist.models.members import ONE_GAUSSIAN, Sample, fit_members

__all__ = ["DEFAULT_SAMPLES", "accept", "check_run", "fit_stars", "prepare", "warn_outside"]

logger = logging.getLogger(__name__)

DEFAULT_SAMPLES = 1000
"""Draws of `KinematicSolver.run`."""

# More fill the memory.
_MOST_SAMPLES = 1_000_000
# Fraction of the posterior mass outside the grid that is worth a warning; +-3 sigma leave out 0.3 %.
_OUTSIDE_WARNING = 0.02


def fit_stars(
    stars: Stars,
    grid: VelocityGrid,
    *,
    num_samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    settings: Settings | None = None,
    prior: PriorSettings | str | None = None,
    gpu: bool | None = None,
    stacklevel: int = 2,
    alone: bool = True,
) -> Fit:
    """Fit the LOSVD of one sample; parameters and warnings are those of `KinematicSolver.run`.

    Arguments have been checked by `check_run`. Warnings are attributed to the caller at ``stacklevel``. The
    stars are looked at for contaminants if they are ``alone``, not those of one bin of many.
    """
    infer = prepare(stars, num_samples, seed, settings, prior)
    if gpu:
        from veldist.execution.gpu import fit_alone

        posterior = fit_alone(infer)
    else:
        with one_thread():
            posterior = infer(None)
    return accept(stars, grid, posterior, num_samples, stacklevel + 1, alone=alone)


def prepare(
    stars: Stars,
    num_samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    settings: Settings | None = None,
    prior: PriorSettings | str | None = None,
) -> Callable[[Evaluator | None], LosvdPosterior]:
    """The inference of `fit_stars` alone, to be made elsewhere; what it returns is for `accept`.

    The function takes the evaluator of the likelihood.
    """
    settings = replace(settings or Settings(), n_draws=num_samples)
    rest = (np.random.default_rng(seed), settings, named_prior(prior))
    if stars.plain:
        return partial(fit_losvd, stars.vel, stars.err, *rest)
    kernel = ONE_GAUSSIAN if stars.errors is None else tuple(map(tuple, stars.errors.tolist()))
    sample = Sample(stars.vel, stars.err, stars.contaminant, stars.membership, kernel)
    return partial(fit_members, sample, *rest)


def accept(
    stars: Stars,
    grid: VelocityGrid,
    posterior: LosvdPosterior,
    num_samples: int = DEFAULT_SAMPLES,
    stacklevel: int = 2,
    *,
    alone: bool = True,
) -> Fit:
    """Make the result of a fit out of its posterior, with the warnings of `KinematicSolver.run`."""
    fit = Fit(stars, grid, posterior, num_samples)
    diagnostics = posterior.posterior.diagnostics
    logger.debug("%d stars: %s", fit.n_stars, diagnostics)
    if not diagnostics.converged:
        warnings.warn(
            f"the draws have not converged ({'; '.join(diagnostics.messages)}): do not rely on them.",
            ConvergenceWarning,
            stacklevel=stacklevel,
        )
    for doubt in describe_members(stars, posterior.members):
        warnings.warn(doubt, ContaminationWarning, stacklevel=stacklevel)
    others = describe_contamination(stars.vel, stars.err) if alone and stars.plain else None
    far = fit.outliers
    if others is not None:
        warnings.warn(others, ContaminationWarning, stacklevel=stacklevel)
    elif far is not None:
        warnings.warn(far, OutlierWarning, stacklevel=stacklevel)
    warn_outside(fit, stacklevel + 1)
    return fit


def warn_outside(fit: Fit, stacklevel: int = 2) -> None:
    """Warn if the grid leaves out a noticeable part of the LOSVD."""
    samples, grid = fit.need_draws("this")
    missing = float(np.median(samples["outside_grid"]))
    if missing > _OUTSIDE_WARNING:
        warnings.warn(
            f"{missing:.1%} of the LOSVD lies outside the grid [{grid.edges[0]:g}, {grid.edges[-1]:g}] km/s; "
            "the reported masses are conditional on the grid: widen it to see all.",
            GridWarning,
            stacklevel=stacklevel,
        )


def check_run(
    num_warmup: int = 0,
    num_samples: int = 1,
    gpu: bool | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    prior: PriorSettings | str | None = None,
) -> None:
    """Check the arguments of `KinematicSolver.run`, which says what is raised."""
    validate.check_count(num_warmup, "num_warmup", 0)
    validate.check_count(num_samples, "num_samples", 1, _MOST_SAMPLES)
    validate.check_count(seed, "seed", 0)
    if not isinstance(gpu, bool | np.bool_ | None):
        raise TypeError(f"gpu must be True, False or None, got {validate.shown(gpu)}.")
    if gpu:
        from veldist.execution.gpu import require_device

        require_device()
    if settings is not None and not isinstance(settings, Settings):
        raise TypeError(f"settings must be veldist.Settings, got {type(settings).__name__}.")
    named_prior(prior)
