"""Simulation-based calibration: are truths drawn from the prior exchangeable with the draws of the posterior?

A truth is drawn from the prior, stars from the truth, a posterior from the stars. If the posterior is right,
the truth is in no way different from its draws: the rank of any of its properties among theirs is uniform
(Talts, Betancourt, Simpson, Vehtari & Gelman 2018, arXiv:1804.06788). The test is of the inference: it is
blind to whether nature resembles the prior.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from veldist._support import validate
from veldist._support.arrays import Floats, Ints
from veldist._support.outputs import progress_bar
from veldist._support.processes import check_jobs, run_tasks
from veldist._support.threads import one_thread
from veldist.calibration.quantities import SHAPE_QUANTITIES, log_joint_density, shape_quantities
from veldist.calibration.sbc_result import SbcResult
from veldist.errors import ConvergenceWarning
from veldist.inference import MixturePrior, Settings, masses
from veldist.models.losvd.basis import PriorSettings
from veldist.models.losvd.frame import Frame
from veldist.models.losvd.model import LosvdModel
from veldist.simulate.base import to_positive
from veldist.simulate.sample import draw_errors

__all__ = ["simulation_based_calibration"]

# Values are rounded to so many decimals before they are ranked, so that what is equal but for the rounding
# of sums is a tie. Standardised velocities and masses of interest are far larger.
_DECIMALS = 8


def simulation_based_calibration(
    n_stars: int = 150,
    err: Any = 0.3,
    sigma: Any = 1.0,
    *,
    n_simulations: int = 1000,
    n_ranks: int = 127,
    prior: PriorSettings | None = None,
    settings: Settings | None = None,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: bool = True,
) -> SbcResult:
    """Ranks of true LOSVDs, drawn from the prior, among the draws of their posteriors.

    The frame is held fixed at location 0 and scale ``sigma``, as the prior demands that the truth came from;
    `veldist.models.losvd.model.fit_losvd` takes both from the stars.

    Parameters
    ----------
    n_stars : int
        Stars of each simulation.
    err : float, array_like of shape (n_stars,), or tuple (low, high); Quantity allowed
        Measurement errors (km/s): one for all, one for each star, or the range of a uniform distribution from
        which every simulation draws its own.
    sigma : float or Quantity
        Scale of the frame (km/s), near which the dispersions of the truths are.
    n_simulations : int
        Number of truths.
    n_ranks : int
        Posterior draws among which a truth is ranked, taken at random from all; ranks are 0 to ``n_ranks``.
    prior : PriorSettings, optional
        The prior of truths and posteriors.
    settings : Settings, optional
        How to sample.
    seed : int
        Simulation k uses the generator of ``[seed, k]``.
    n_jobs : int, optional
        Number of worker processes; all cores by default. The results are the same for any number.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    SbcResult
        Ranks, which are uniform if all is well, and what tells whether they are: for the quantities of
        `veldist.calibration.quantities.shape_quantities`; ``log_joint``, the joint log density of parameters
        and data; ``component_scale``, the root of the summed squared scales of the prior component that the
        truth comes from; and, if the prior has an exactly Gaussian component, ``gaussian``, whether it is
        that one.

    Warns
    -----
    ConvergenceWarning
        If fits did not converge. They stay among the ranks.
    UserWarning
        If simulations failed. They have no ranks: the result is about the others only.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong.
    RuntimeError
        If all simulations failed.
    """
    n_stars = validate.check_count(n_stars, "n_stars", 1)
    scale = to_positive(sigma, "sigma", "km/s")
    n_simulations = validate.check_count(n_simulations, "n_simulations", 1)
    n_ranks = validate.check_count(n_ranks, "n_ranks", 1)
    seed = validate.check_count(seed, "seed", 0)
    n_jobs = check_jobs(n_jobs)
    prior = _check_type(prior, "prior", PriorSettings)
    settings = _check_type(settings, "settings", Settings)
    if n_ranks > settings.n_draws:
        raise ValueError(
            f"n_ranks = {n_ranks} exceeds the {settings.n_draws} posterior draws: lower it, or raise "
            "settings.n_draws."
        )
    err = _plain_errors(err, n_stars)
    # No star can be beyond the reach of the cells but by its error.
    model = LosvdModel.build(Frame(0.0, scale), n_stars, float(np.median(err)) / scale, settings=prior)
    experiment = _Experiment(model, model.prior, n_stars, err, 1.0, n_ranks, settings, seed)
    return _run(experiment, n_simulations, n_jobs, progress, prior)


@dataclass(frozen=True)
class _Experiment:
    """What all simulations have in common. Truths have a prior of their own, and errors in the
    likelihood a factor, for tests that get them wrong on purpose.
    """

    model: LosvdModel
    truth_prior: MixturePrior
    n_stars: int
    err: Any
    err_factor: float
    n_ranks: int
    settings: Settings
    seed: int

    @property
    def quantities(self) -> tuple[str, ...]:
        """Names of what is ranked."""
        null = ("gaussian",) if self.model.prior.is_null.any() else ()
        return (*SHAPE_QUANTITIES, "log_joint", "component_scale", *null)


def _simulate_one(experiment: _Experiment, k: int) -> tuple[Ints, Floats, tuple[str, ...]]:
    """Ranks and PIT of the quantities of simulation k, (Q,) each, and why its fit did not converge."""
    rng = np.random.default_rng([experiment.seed, k])
    model, prior = experiment.model, experiment.model.prior
    log_base = model.cells.log_base
    component, beta = experiment.truth_prior.sample(1, rng)
    vel, err = _draw_stars(masses(beta, model.psi, log_base)[0], experiment, rng)
    fitted_err = experiment.err_factor * err
    with one_thread():
        posterior = model.fit(vel, fitted_err, rng, experiment.settings).posterior
        chosen = rng.choice(posterior.n_draws, experiment.n_ranks, replace=False)
        n_basis = beta.shape[1]
        beta = np.concatenate([beta, posterior.coefficients.reshape(-1, n_basis)[chosen]])
        component = np.concatenate([component, posterior.component.ravel()[chosen]])
        cell_masses = masses(beta, model.psi, log_base)
        joint = log_joint_density(component, beta, cell_masses, prior, model.design(vel, fitted_err))
        shape = shape_quantities(cell_masses, model.cells)
    scale = np.linalg.norm(prior.scales, axis=1)[component]
    null = [prior.is_null[component]] if prior.is_null.any() else []
    values = np.column_stack([shape, joint, scale, *null])
    ranks = _ranks(values[0], values[1:], rng)
    return ranks, (ranks + rng.random(ranks.size)) / (experiment.n_ranks + 1), posterior.diagnostics.messages


def _draw_stars(truth: Floats, experiment: _Experiment, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Observed velocities and errors, km/s, of stars whose LOSVD has the given mass in every cell."""
    n, cells = experiment.n_stars, experiment.model.cells
    err = draw_errors(experiment.err, n, rng)
    cell = rng.choice(truth.size, size=n, p=truth)
    z = cells.velocity(cell, rng.random(n))
    return experiment.model.frame.velocity(z) + err * rng.standard_normal(n), err


def _ranks(truth: Floats, draws: Floats, rng: np.random.Generator) -> Ints:
    """Number of draws (n, Q) below the truth (Q,), a random share of those equal to it included."""
    truth, draws = np.round(truth, _DECIMALS), np.round(draws, _DECIMALS)
    below, equal = np.sum(draws < truth, axis=0), np.sum(draws == truth, axis=0)
    return below + rng.integers(0, equal, endpoint=True)


def _run(
    experiment: _Experiment, n_simulations: int, n_jobs: int | None, progress: bool, prior: PriorSettings
) -> SbcResult:
    """All simulations, and an account of those that went wrong."""
    names = experiment.quantities
    ranks = np.full((n_simulations, len(names)), -1, dtype=np.int64)
    pit = np.full(ranks.shape, np.nan)
    failures: dict[int, BaseException] = {}
    doubts: dict[int, str] = {}
    with progress_bar(total=n_simulations, desc="Calibration", unit="fit", shown=progress) as bar:
        for outcome in run_tasks(partial(_simulate_one, experiment), range(n_simulations), n_jobs):
            bar.update()
            if outcome.value is None:
                failures[outcome.index] = outcome.error or RuntimeError("no result came back")
                continue
            ranks[outcome.index], pit[outcome.index], messages = outcome.value
            if messages:
                doubts[outcome.index] = "; ".join(messages)
    failed, not_converged = sorted(failures), sorted(doubts)
    if len(failed) == n_simulations:
        raise RuntimeError(f"all {n_simulations} simulations failed, the first with: {failures[0]!r}")
    messages = {k: f"{type(failures[k]).__name__}: {failures[k]}" for k in failed} | doubts
    _warn(failed, n_simulations, "failed and have no ranks", messages, UserWarning)
    _warn(not_converged, n_simulations, "did not converge", messages, ConvergenceWarning)
    return SbcResult(
        quantities=names,
        ranks=ranks,
        pit=pit,
        failed=np.array(failed, dtype=np.int64),
        not_converged=np.array(not_converged, dtype=np.int64),
        messages={k: messages[k] for k in sorted(messages)},
        n_stars=experiment.n_stars,
        err=experiment.err,
        sigma=experiment.model.frame.scale,
        n_ranks=experiment.n_ranks,
        seed=experiment.seed,
        prior=prior,
        settings=experiment.settings,
    )


def _warn(
    indices: Sequence[int], n: int, what: str, messages: dict[int, str], category: type[Warning]
) -> None:
    if indices:
        first = indices[0]
        warnings.warn(
            f"{len(indices)} of {n} simulations {what}: {validate.name_first(indices)}; number {first} with: "
            f"{messages[first]}",
            category,
            stacklevel=4,
        )


def _check_type(value: Any, name: str, kind: type[Any]) -> Any:
    """The value, or the defaults if it is None."""
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__} or None, got {type(value).__name__}.")
    return value


def _plain_errors(err: Any, n_stars: int) -> float | tuple[float, ...] | Floats:
    """The errors in km/s: a number, a range (a tuple), or an array."""
    checked = draw_errors(err, n_stars, np.random.default_rng(0))
    if isinstance(err, tuple):
        return tuple(validate.to_float(end, "err", "km/s") for end in err)
    if np.ndim(validate.strip_units(err, "err", "km/s")) == 0:
        return float(checked[0])
    return checked
