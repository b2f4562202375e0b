"""What a planned observation will measure: mocks of it, fitted with a prior for planning.

The expected uncertainties stand beside the Cramer-Rao bounds (`veldist.summaries.information`), which no
unbiased estimate can beat. A posterior can, where its prior knows more than the data: such quantities are
marked.

Unless told otherwise, the fits leave out the parts of the prior in which the LOSVD is exactly or nearly
Gaussian, or not Gaussian in its tails or its symmetry only: Gaussian mocks would soon convince the posterior
of them, and its uncertainty of the shape would be too small to plan with. Data get the whole prior.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.outputs import progress_bar
from veldist._support.percentiles import percentiles
from veldist._support.processes import check_jobs, run_tasks
from veldist._support.threads import one_thread
from veldist._support.validate import check_count, to_float
from veldist.calibration.forecast_result import Forecast, forecast_tables
from veldist.fits.draws import resolved_draws
from veldist.fits.fitting import check_run, fit_stars
from veldist.fits.grid import VelocityGrid
from veldist.fits.stars import Stars, check_coverage
from veldist.models.losvd.basis import PriorSettings, named_prior
from veldist.simulate import LOSVD, Gaussian, observe
from veldist.simulate.sample import draw_errors
from veldist.summaries.gauss_hermite.series_fit import gauss_hermite
from veldist.summaries.information import MOMENTS, information_bounds
from veldist.summaries.maps import compute_summary_maps
from veldist.summaries.prior_weight import is_dominated, prior_draws, prior_ratio

__all__ = ["forecast"]

_WIDTH_IN_SIGMA, _N_BINS = 12.0, 40


def forecast(
    n_stars: int | Sequence[int],
    err: Any,
    sigma: Any,
    *,
    losvd: LOSVD | None = None,
    grid: dict[str, Any] | None = None,
    n_mocks: int = 16,
    num_samples: int = 1000,
    seed: int = 0,
    n_jobs: int | None = None,
    progress: bool = True,
    prior: PriorSettings | str | None = None,
) -> Forecast:
    """Uncertainties to expect of a planned observation of one spatial bin.

    By default mocks are *not* fitted with the default prior of the data, but with one that has no components
    in which the LOSVD is exactly or nearly Gaussian, or deviates in tails or asymmetry alone. If the data are
    nearly Gaussian, the default prior will give smaller error bars of the shape than forecast: for 150 stars
    with errors of 0.2 dispersions, by a quarter for the skewness and by half for the kurtosis.
    ``prior="default"`` fits the mocks exactly as the data will be.

    Parameters
    ----------
    n_stars : int or sequence of int
        Number of stars; of a sequence, each is forecast, so that none may occur twice.
    err : float, tuple (low, high), array_like or Quantity
        Errors, km/s: one for all stars, the range of a uniform distribution, or one for each star.
    sigma : float or Quantity
        Expected dispersion, km/s.
    losvd : LOSVD, optional
        What is observed (see `veldist.simulate`), of this dispersion; by default a Gaussian at 0 km/s.
    grid : dict, optional
        ``center``, ``width`` (km/s) and ``n_bins`` of the velocity grid; by default 40 bins
        over 12 observed dispersions.
    n_mocks : int
        Mock observations per number of stars.
    num_samples : int
        Posterior draws of each.
    seed : int
        Seed of the random numbers.
    n_jobs : int, optional
        Number of worker processes; all cores by default. It does not change the result.
    progress : bool
        Whether to show a progress bar.
    prior : PriorSettings or str, optional
        Prior of the fits, a `veldist.PriorSettings`; by default that for planning, see above.

    Returns
    -------
    Forecast
        Tables, a figure, and a summary when printed.

    Raises
    ------
    TypeError
        If ``losvd`` or ``prior`` is none, or a number is not one.
    ValueError
        If a number is out of range, a number of stars occurs twice, the dispersion is not that of ``losvd``,
        or errors are not positive or not one for each star.
    RuntimeError
        If a mock cannot be fitted.

    Warns
    -----
    UserWarning
        If fits of mocks issue warnings: how many, of which kind, and the first of each.

    Examples
    --------
    >>> from veldist.calibration import forecast
    >>> print(forecast([100, 400], err=2.0, sigma=10.0, n_mocks=4, progress=False))  # doctest: +SKIP
    """
    counts = tuple(
        check_count(n, "n_stars", 2)
        for n in (n_stars if isinstance(n_stars, Sequence | np.ndarray) else [n_stars])
    )
    if not counts:
        raise ValueError("n_stars is empty: pass at least one number of stars.")
    repeated = sorted({n for n in counts if counts.count(n) > 1})
    if repeated:
        raise ValueError(f"n_stars has {repeated[0]} more than once: pass every number of stars once.")
    sigma = to_float(sigma, "sigma", "km/s")
    if sigma <= 0:
        raise ValueError(f"sigma must be positive, got {sigma} km/s.")
    losvd = Gaussian(0.0, sigma) if losvd is None else losvd
    if not isinstance(losvd, LOSVD):
        raise TypeError(f"losvd must be an LOSVD of veldist.simulate, got {type(losvd).__name__}.")
    if not np.isclose(losvd.std, sigma, rtol=1e-3):
        raise ValueError(
            f"sigma = {sigma} km/s, but losvd has a dispersion of {losvd.std:.6g}: they must agree."
        )
    prior = named_prior("cautious" if prior is None else prior)
    n_mocks = check_count(n_mocks, "n_mocks", 2)
    check_run(num_samples=num_samples)
    seed = check_count(seed, "seed", 0)
    n_jobs = check_jobs(n_jobs)
    for n in counts:
        # What cannot be fitted is refused before the first fit.
        vel, errors = observe(losvd, n, err, seed)
        Stars.read(vel, errors)
        information_bounds(n, errors, sigma)
    typical = {n: draw_errors(err, n, np.random.default_rng(seed)) for n in counts}
    if grid is None:
        observed = float(np.hypot(sigma, max(np.sqrt(np.mean(e**2)) for e in typical.values())))
        grid = {"center": losvd.mean, "width": _WIDTH_IN_SIGMA * observed, "n_bins": _N_BINS}
    edges = VelocityGrid.read(grid, "grid").edges

    tasks = [_Mock(n, k, seed) for n in counts for k in range(n_mocks)]
    function = partial(
        _fit_mock, losvd=losvd, err=err, sigma=sigma, grid=grid, num_samples=num_samples, prior=prior
    )
    fits: dict[int, _Fit] = {}
    with progress_bar(total=len(tasks), desc="mocks", unit="fit", shown=progress) as bar:
        for outcome in run_tasks(function, tasks, n_jobs):
            bar.update()
            if outcome.value is None:
                mock = tasks[outcome.index]
                raise RuntimeError(
                    f"mock {mock.index} of {mock.n_stars} stars could not be fitted: {outcome.error}"
                ) from outcome.error
            fits[outcome.index] = outcome.value
    ordered = [fits[k] for k in range(len(tasks))]
    _pass_on_warnings(ordered)
    by_count = [ordered[k * n_mocks : (k + 1) * n_mocks] for k in range(len(counts))]
    table, bins = forecast_tables(
        counts,
        quantities=[np.stack([fit.quantities for fit in group]) for group in by_count],
        bounds=[np.stack([fit.bounds for fit in group]) for group in by_count],
        bin_widths=[np.stack([fit.bins for fit in group]) for group in by_count],
        edges=edges,
        masses=losvd.bin_masses(edges, conditional=True),
    )
    return Forecast(
        table=table, bins=bins, n_mocks=n_mocks, sigma=sigma, err=_describe(err, typical[max(counts)])
    )


@dataclass(frozen=True)
class _Mock:
    n_stars: int
    index: int
    seed: int

    @property
    def entropy(self) -> list[int]:
        """Seed of this mock alone: sums of the numbers would share mocks between adjacent seeds."""
        return [self.seed, self.n_stars, self.index]


@dataclass(frozen=True)
class _Fit:
    """What is kept of a fitted mock.

    ``quantities`` (4, n_quantities): median, half-width, ratio to the prior, dominated by the prior;
    ``bounds`` (n_quantities,); ``bins`` (n_bins,): half-widths of the masses; ``warnings``: kind and text.
    """

    quantities: Floats
    bounds: Floats
    bins: Floats
    warnings: tuple[tuple[str, str], ...]


def _fit_mock(
    mock: _Mock,
    losvd: LOSVD,
    err: Any,
    sigma: float,
    grid: dict[str, Any],
    num_samples: int,
    prior: PriorSettings,
) -> _Fit:
    vel, errors = observe(losvd, mock.n_stars, err, np.random.default_rng(mock.entropy))
    run_seed = int(np.random.SeedSequence(mock.entropy).generate_state(1)[0])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        stars, bins = Stars.read(vel, errors), VelocityGrid.of(**grid)
        check_coverage(stars.vel, bins.edges, stacklevel=2)
        fit = fit_stars(stars, bins, num_samples=num_samples, seed=run_seed, prior=prior, alone=False)
        maps = compute_summary_maps([fit])
    keys = ("median", "uncertainty", "prior_ratio", "prior_dominated")
    moments = np.array([[float(maps[name][key][0]) for name in MOMENTS] for key in keys])
    bounds = information_bounds(mock.n_stars, errors, sigma)

    with one_thread():
        # As for the moments: on narrower bins where those of the grid are wide.
        resolved, edges = resolved_draws(fit, 0)
        _, shape = prior_draws(fit.posterior, edges)
        fits = [gauss_hermite(draws, edges, order=4).h.T for draws in (resolved, shape)]
    low, median, high = percentiles(fits[0], (16.0, 50.0, 84.0))
    prior_low, prior_high = percentiles(fits[1], (16.0, 84.0))
    width, prior_width = 0.5 * (high - low), 0.5 * (prior_high - prior_low)
    # The bounds are not what this fit would give without a prior: 1.9 and 2.6 times less.
    dominated = is_dominated(width, prior_width, np.full(2, np.nan))
    hermite = np.array([median, width, prior_ratio(width, prior_width), dominated])

    low, high = percentiles(fit.need_draws("forecast()")[0]["intrinsic_pdf"].T, (16.0, 84.0))
    return _Fit(
        quantities=np.concatenate([moments, hermite], axis=1),
        bounds=np.array(list(bounds.values())),
        bins=0.5 * (high - low),
        warnings=tuple((w.category.__name__, str(w.message)) for w in caught),
    )


def _pass_on_warnings(fits: list[_Fit]) -> None:
    """One warning for those of all mocks."""
    first: dict[str, str] = {}
    for fit in fits:
        for kind, text in fit.warnings:
            first.setdefault(kind, text)
    if first:
        found = "; ".join(
            f"{kind} in {sum(kind in dict(fit.warnings) for fit in fits)}, the first: {first[kind]}"
            for kind in sorted(first)
        )
        warnings.warn(f"fits of {len(fits)} mocks issued warnings: {found}", stacklevel=3)


def _describe(err: Any, errors: Floats) -> str:
    """The errors in words: as they were given if that is a range."""
    low, high = (
        (to_float(end, "err", "km/s") for end in err)
        if isinstance(err, tuple)
        else (errors.min(), errors.max())
    )
    return f"{low:.3g} km/s" if low == high else f"{low:.3g} to {high:.3g} km/s"
