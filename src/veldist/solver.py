"""One spatial bin: stars in, posterior of the LOSVD out."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veldist._support import validate
from veldist._support.threads import one_thread
from veldist.errors import ConvergenceWarning, GridWarning, OrderError, OutlierWarning
from veldist.fits import clipping
from veldist.fits.stars import OUTLIER, check_coverage, find_outliers, read_stars
from veldist.inference import Diagnostics, Evaluator, Settings
from veldist.models.losvd.basis import PriorSettings
from veldist.models.losvd.model import LosvdPosterior, fit_losvd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import Dataset, DataTree

__all__ = ["DEFAULT_SAMPLES", "KinematicSolver", "check_run", "grid_edges"]

logger = logging.getLogger(__name__)

DEFAULT_SAMPLES = 1000
"""Draws of `KinematicSolver.run`."""

# Fraction of the posterior mass outside the grid that is worth a warning; +-3 sigma leave out 0.3 %.
_OUTSIDE_WARNING = 0.02


class KinematicSolver:
    """Posterior of the line-of-sight velocity distribution (LOSVD) of one sample of stars.

    The inference takes place in the LOSVD's own frame and does not depend on the velocity grid, on which
    it is only reported: a grid far too wide changes nothing, and `setup_grid` may be called again after
    `run` to report the same posterior on another grid.

    Attributes
    ----------
    grid : dict or None
        ``centers`` (n_bins,), ``edges`` (n_bins + 1,), ``width``, ``n_bins``; km/s.
    vel, err : ndarray (n_stars,) or None
        The stars, km/s.
    n_stars : int
        Number of stars.
    samples : dict or None
        ``intrinsic_pdf``: probability mass per velocity bin in every posterior draw, (num_samples,
        n_bins), rows sum to 1. ``outside_grid``: mass outside the grid, which each draw is conditioned
        not to have, (num_samples,).
    clipped_samples : dict or None
        Median and uncertainty per bin, see `clip_uncertainties`.
    posterior : LosvdPosterior or None
        The draws in the LOSVD's own frame, from which any grid can be filled.

    Examples
    --------
    >>> import numpy as np
    >>> from veldist import KinematicSolver
    >>> rng = np.random.default_rng(1)
    >>> solver = KinematicSolver()
    >>> solver.setup_grid(center=50.0, width=120.0, n_bins=40)
    >>> solver.add_data(vel=rng.normal(55.0, 11.0, 150), err=np.full(150, 2.0))
    >>> pdf = solver.run(num_samples=500)["intrinsic_pdf"]
    >>> pdf.shape
    (500, 40)
    """

    def __init__(self) -> None:
        self.grid: dict[str, Any] | None = None
        self.vel: NDArray[np.float64] | None = None
        self.err: NDArray[np.float64] | None = None
        self._samples: dict[str, NDArray[np.float64]] | None = None
        self.clipped_samples: dict[str, NDArray[np.float64]] | None = None
        self.posterior: LosvdPosterior | None = None
        self._num_samples = 0

    def __repr__(self) -> str:
        state = "not run" if self.diagnostics is None else str(self.diagnostics)
        return f"<KinematicSolver: {self.n_stars} stars; {state}>"

    @property
    def n_stars(self) -> int:
        """Number of stars added."""
        return 0 if self.vel is None else self.vel.size

    @property
    def samples(self) -> dict[str, NDArray[np.float64]] | None:
        """The draws on the velocity grid; None before `run`."""
        if self._samples is None and self.posterior is not None and self.grid is not None:
            self._samples = self._integrate(self.posterior, self.grid["edges"])
        return self._samples

    @samples.setter
    def samples(self, value: dict[str, NDArray[np.float64]] | None) -> None:
        self._samples = value

    @property
    def diagnostics(self) -> Diagnostics | None:
        """Effective sample sizes, nested R-hat, Pareto k, acceptance, evidences; None before `run`."""
        return None if self.posterior is None else self.posterior.posterior.diagnostics

    def setup_grid(self, center: Any, width: Any, n_bins: int) -> None:
        """Set the velocity grid on which the LOSVD is reported.

        Parameters
        ----------
        center : float or Quantity
            Centre of the grid, km/s.
        width : float or Quantity
            Full width of the grid, km/s, > 0.
        n_bins : int
            Number of equal bins, at least 3.

        Raises
        ------
        TypeError
            If ``n_bins`` is not an integer or the others are not numbers.
        ValueError
            If a value is out of range, or no star lies on the new grid.
        """
        center = validate.to_float(center, "center", "km/s")
        width = validate.to_float(width, "width", "km/s")
        if width <= 0:
            raise ValueError(f"width must be positive, got {width} km/s: pass the full width of the grid.")
        n_bins = validate.check_count(n_bins, "n_bins", 3)
        edges = center + width * (np.arange(n_bins + 1) / n_bins - 0.5)
        if self.vel is not None:
            check_coverage(self.vel, edges, stacklevel=2)
        # A grid that cannot be reported on is refused before it replaces the present one.
        if self.posterior is not None:
            self._report(self.posterior, edges)
        self.grid = {
            "centers": 0.5 * (edges[1:] + edges[:-1]),
            "edges": edges,
            "width": width,
            "n_bins": n_bins,
        }

    def add_data(self, vel: Any, err: Any) -> None:
        """Set the stars, replacing any earlier ones.

        Parameters
        ----------
        vel : array_like or Quantity, (n_stars,)
            Line-of-sight velocities, km/s.
        err : array_like or Quantity, (n_stars,)
            Their 1-sigma errors, km/s, > 0; a single number serves all stars.

        Raises
        ------
        OrderError
            Before `setup_grid`.
        TypeError
            If the values are not real numbers.
        ValueError
            If values are NaN, infinite or masked, errors are not positive, lengths differ, there is no
            star, a unit is wrong, or all stars lie outside the grid.

        Warns
        -----
        GridWarning
            If some stars lie outside the grid. They are part of the fit all the same.
        """
        if self.grid is None:
            raise OrderError("add_data() needs a velocity grid: call setup_grid() first.")
        vel, err = read_stars(vel, err)
        check_coverage(vel, self.grid["edges"], stacklevel=2)
        self.vel, self.err = vel, err
        self.samples = self.clipped_samples = self.posterior = None

    def run(
        self,
        num_warmup: int = 500,
        num_samples: int = DEFAULT_SAMPLES,
        gpu: bool | None = None,
        seed: int = 0,
        *,
        settings: Settings | None = None,
        prior: PriorSettings | None = None,
    ) -> dict[str, NDArray[np.float64]]:
        """Sample the posterior.

        Parameters
        ----------
        num_warmup : int
            Accepted and unused: the sampler starts at the posterior's modes and decides by its
            diagnostics how long to run.
        num_samples : int
            Number of draws returned.
        gpu : bool, optional
            Whether to evaluate the likelihood on a GPU, with JAX. One bin alone hardly gains by that;
            `veldist.fit_all_bins` evaluates many together.
        seed : int
            Seed of the random numbers: the same stars, settings and seed give the same bits.
        settings : Settings, optional
            Details of the sampler (see `veldist.inference.Settings`); its ``n_draws`` is replaced by
            ``num_samples``.
        prior : PriorSettings, optional
            Another prior (see `veldist.inference.PriorSettings`), to see how much depends on it.

        Returns
        -------
        dict
            `samples`.

        Raises
        ------
        OrderError
            Before `setup_grid` and `add_data`.
        ImportError
            If ``gpu`` is true and JAX is not installed.
        RuntimeError
            If ``gpu`` is true and JAX sees no GPU.

        Warns
        -----
        ConvergenceWarning
            If the draws do not meet the criteria after all attempts; ``diagnostics`` says which.
        GridWarning
            If a noticeable part of the LOSVD lies outside the grid.
        OutlierWarning
            If stars lie so far out that they are probably no members.
        """
        if self.vel is None or self.err is None or self.grid is None:
            raise OrderError("run() needs a grid and stars: call setup_grid() and add_data() first.")
        check_run(num_warmup, num_samples, gpu, seed, settings, prior)
        fit = self._fitting(num_samples, seed, settings, prior)
        if gpu:
            from veldist.execution.gpu import fit_alone

            posterior = fit_alone(fit)
        else:
            with one_thread():
                posterior = fit(None)
        return self._accept(posterior, num_samples, stacklevel=3)

    def _fitting(
        self,
        num_samples: int,
        seed: int,
        settings: Settings | None = None,
        prior: PriorSettings | None = None,
    ) -> Callable[[Evaluator | None], LosvdPosterior]:
        """The fit that `run` makes, to be made elsewhere; what it returns is for `_accept`.

        The function takes the evaluator of the likelihood. Arguments are as those of `run`, checked already.
        """
        assert self.vel is not None
        assert self.err is not None
        settings = replace(settings or Settings(), n_draws=num_samples)
        return partial(fit_losvd, self.vel, self.err, np.random.default_rng(seed), settings, prior)

    def _accept(
        self, posterior: LosvdPosterior, num_samples: int, stacklevel: int = 2
    ) -> dict[str, NDArray[np.float64]]:
        """Take what `_fitting` found as the result of `run`: returns and warns as that does."""
        assert self.vel is not None
        assert self.err is not None
        assert self.grid is not None
        self.posterior, self._num_samples = posterior, num_samples
        diagnostics = posterior.posterior.diagnostics
        logger.debug("%d stars: %s", self.n_stars, diagnostics)
        if not diagnostics.converged:
            warnings.warn(
                f"the draws have not converged ({'; '.join(diagnostics.messages)}): do not rely on them.",
                ConvergenceWarning,
                stacklevel=stacklevel,
            )
        far = find_outliers(self.vel, self.err)
        if far.any():
            warnings.warn(
                f"{validate.describe_rows(far, self.vel)} of vel lie more than {OUTLIER:g} dispersions from "
                "the median velocity. The LOSVD is stretched to reach them: remove these stars unless they "
                "are members.",
                OutlierWarning,
                stacklevel=stacklevel,
            )
        return self._report(posterior, self.grid["edges"], stacklevel + 1)

    def _report(
        self, posterior: LosvdPosterior, edges: NDArray[np.float64], stacklevel: int = 3
    ) -> dict[str, NDArray[np.float64]]:
        """Fill `samples`, and warn if the grid leaves out much."""
        samples = self._integrate(posterior, edges)
        missing = float(np.median(samples["outside_grid"]))
        if missing > _OUTSIDE_WARNING:
            warnings.warn(
                f"{missing:.1%} of the LOSVD lies outside the grid [{edges[0]:g}, {edges[-1]:g}] km/s; the "
                "reported masses are conditional on the grid: widen it to see all.",
                GridWarning,
                stacklevel=stacklevel,
            )
        self._samples, self.clipped_samples = samples, None
        return samples

    def _integrate(
        self, posterior: LosvdPosterior, edges: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """Integrate the draws over a grid."""
        with one_thread():
            masses, outside = posterior.bin_masses(edges)
        n = self._num_samples
        return {"intrinsic_pdf": masses[:n], "outside_grid": outside[:n]}

    def save(self, path: str | PathLike[str]) -> None:
        """Write everything to one file, which `load` reads.

        The file replaces an older one of that name as a whole, or not at all. It is a NumPy ``.npz`` archive
        without pickled objects: reading it runs no code, and `numpy.load` shows what is in it.

        Parameters
        ----------
        path : str or path-like
            The file, any name.

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        from veldist.fits.record import write_file

        write_file(self, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> KinematicSolver:
        """Read a solver that `save` wrote.

        The draws have the bits of those saved; `samples` are integrated over the grid again, with the same
        bits where NumPy and its linear algebra are the same.

        Parameters
        ----------
        path : str or path-like
            The file.

        Raises
        ------
        OSError
            If there is no such file.
        ValueError
            If the file is not a saved solver, is damaged, or its format is of a newer version.
        """
        from veldist.fits.record import read_file

        return read_file(path)

    def sample_prior(self, num_samples: int = 1000, seed: int = 0) -> NDArray[np.float64]:
        """Draws of the LOSVD from its prior, for prior predictive checks.

        The prior's location and scale are in units of the frame, the Gaussian location and scale of the
        stars; its shape depends on the stars by their number and errors only. Draws are conditional on
        the grid, as those in `samples` are; those with next to no mass on it are drawn anew.

        Parameters
        ----------
        num_samples : int
            Number of draws.
        seed : int
            Seed of the random numbers.

        Returns
        -------
        ndarray, (num_samples, n_bins)
            Probability mass per velocity bin; rows sum to 1.

        Raises
        ------
        OrderError
            Before `run`.
        TypeError, ValueError
            If an argument is no integer, ``num_samples`` < 1 or ``seed`` < 0.
        """
        _, grid = self._need_draws("sample_prior()")
        num_samples = validate.check_count(num_samples, "num_samples", 1)
        rng = np.random.default_rng(validate.check_count(seed, "seed", 0))
        assert self.posterior is not None
        with one_thread():
            return self.posterior.prior_bin_masses(num_samples, rng, grid["edges"])

    def clip_uncertainties(
        self, floor_fraction: float = 0.01, abs_floor: float = 1e-10
    ) -> dict[str, NDArray[np.float64]]:
        """Summarise the draws by median and uncertainty per bin, with a floor on the uncertainty.

        Orbit-modelling codes divide by the uncertainty, so none may vanish. The floor is
        ``max(floor_fraction * largest median, abs_floor)``.

        Parameters
        ----------
        floor_fraction : float
            Floor as a fraction of the LOSVD's peak, >= 0.
        abs_floor : float
            Smallest uncertainty in any case, > 0.

        Returns
        -------
        dict
            `clipped_samples`: ``losvd_median`` and ``losvd_uncertainty`` (half of the 16-84 percentile
            range, not below the floor), (n_bins,), in probability mass per bin; ``floored`` (n_bins,)
            says where the floor acts, ``floor`` (n_bins,) what it is, ``floor_fraction`` and ``abs_floor``
            from which settings.

        Raises
        ------
        OrderError
            Before `run`.
        ValueError
            If a floor is out of range.
        """
        samples, _ = self._need_draws("clip_uncertainties()")
        self.clipped_samples = clipping.clip(samples["intrinsic_pdf"], floor_fraction, abs_floor)
        return self.clipped_samples

    def truncate_losvd(
        self, n_sigma: float = 3.0, abs_floor: float = 1e-10
    ) -> dict[str, NDArray[np.float64]]:
        """Empty the bins of the summary beyond ``n_sigma`` dispersions from the mean.

        For LOSVDs with mass in wings that the data do not support. Only `clipped_samples` changes,
        `samples` do not: the masses of the bins kept are scaled to the former total, the others set to
        ``abs_floor``; uncertainties of the kept bins scale alike, the others stay as they are.

        Parameters
        ----------
        n_sigma : float
            Bins whose centre is farther than this from the mean of the median LOSVD are emptied, > 0.
        abs_floor : float
            Mass given to the emptied bins, > 0.

        Returns
        -------
        dict
            `clipped_samples`.

        Raises
        ------
        OrderError
            Before `run`.
        ValueError
            If an argument is out of range or no bin would be left.
        """
        _, grid = self._need_draws("truncate_losvd()")
        clipped = self.clipped_samples or self.clip_uncertainties()
        self.clipped_samples = clipping.truncate(clipped, grid["centers"], n_sigma, abs_floor)
        return self.clipped_samples

    def plot_result(
        self,
        ax: Axes | None = None,
        true_intrinsic: NDArray[np.float64]
        | Callable[[NDArray[np.float64]], NDArray[np.float64]]
        | None = None,
        *,
        central: str = "median",
        stars: str | None = "rug",
        gaussian: bool = True,
        color: str | None = None,
        label: str | None = None,
        legend: bool = True,
    ) -> Axes:
        """Plot the posterior of the LOSVD as a density, with its 68 and 95 % bands.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to plot; a new figure by default.
        true_intrinsic : ndarray or callable, optional
            True velocities of the stars (drawn as a histogram), or a density function of velocity.
        central : {"median", "mean"}
            What of the draws the line is, in each bin.
        stars : {"rug", "histogram"} or None
            The stars as ticks along the bottom; as a histogram of their observed velocities, beside the
            posterior's prediction for it; or not at all.
        gaussian : bool
            Whether to draw the best Gaussian, by error-corrected maximum likelihood, for comparison.
        color : str, optional
            Colour of the posterior.
        label : str, optional
            Legend entry of the line.
        legend : bool
            Whether to draw the legend.

        Raises
        ------
        OrderError
            Before `run`.
        ValueError
            If an option is unknown, or the truth is unusable.
        """
        samples, grid = self._need_draws("plot_result()")
        from veldist.figures.layers import BLUE
        from veldist.plotting import plot_losvd

        return plot_losvd(
            grid["edges"],
            samples["intrinsic_pdf"],
            ax=ax,
            true_intrinsic=true_intrinsic,
            vel=self.vel,
            err=self.err,
            central=central,
            stars=stars,
            gaussian=gaussian,
            label=label,
            legend=legend,
            color=color or BLUE,
        )

    def to_xarray(self) -> Dataset:
        """All draws, stars and diagnostics with their names, units and settings, as an `xarray.Dataset`.

        Everything in it can be written by ``to_netcdf``. `veldist.to_xarray` does the like for a map.

        Returns
        -------
        xarray.Dataset
            ``intrinsic_pdf`` (chain, draw, velocity), ``outside_grid`` (chain, draw), ``coefficients``
            (chain, draw, coefficient) and ``component`` (chain, draw), an index into the names
            ``prior_component``. The "chains" are the independently started groups of the sampler, within
            which one Markov chain follows another; all their draws are there, a few more than
            ``num_samples``. ``sample_row`` (chain, draw) is the row of `samples` that holds the same draw:
            `samples` have one round of all Markov chains after another. Rows from ``num_samples`` on are
            not in `samples`.

            ``vel`` and ``err`` (star) are the stars; ``ess`` and ``rhat`` (quantity) the diagnostics of the
            monitored quantities; ``component_probability`` and ``component_log_evidence``
            (prior_component) what the data say of the prior's components.

            Coordinates ``velocity`` (bin centres), ``velocity_left`` and ``velocity_right``, km/s. The
            attributes of the dataset are the version, the frame, and the scalars of `diagnostics`, where
            ``converged`` is 1 or 0 and ``messages`` says what is wrong.

        Raises
        ------
        OrderError
            Before `run`.
        """
        self._need_draws("to_xarray()")
        from veldist.fits.labelled import to_dataset

        return to_dataset(self)

    def to_arviz(self) -> DataTree:
        """The content of `to_xarray` as an `xarray.DataTree` in the groups that ArviZ expects.

        Group ``posterior`` holds ``intrinsic_pdf``, ``outside_grid`` and ``coefficients``, ``sample_stats``
        the prior component and the sample's row of every draw, ``observed_data`` the velocities,
        ``constant_data`` their errors, and ``diagnostics`` what `diagnostics` holds.

        Raises
        ------
        OrderError
            Before `run`.
        """
        self._need_draws("to_arviz()")
        from veldist.fits.labelled import to_datatree

        return to_datatree(self)

    def _need_draws(self, caller: str) -> tuple[dict[str, NDArray[np.float64]], dict[str, Any]]:
        if self.samples is None or self.grid is None:
            raise OrderError(f"{caller} needs draws: call run() first.")
        return self.samples, self.grid


def check_run(
    num_warmup: int = 0,
    num_samples: int = 1,
    gpu: bool | None = None,
    seed: int = 0,
    settings: Settings | None = None,
    prior: PriorSettings | None = None,
) -> None:
    """Check the arguments of `KinematicSolver.run`, which says what is raised."""
    validate.check_count(num_warmup, "num_warmup", 0)
    validate.check_count(num_samples, "num_samples", 1)
    validate.check_count(seed, "seed", 0)
    if gpu:
        from veldist.execution.gpu import require_device

        require_device()
    for value, name, kind in ((settings, "settings", Settings), (prior, "prior", PriorSettings)):
        if value is not None and not isinstance(value, kind):
            raise TypeError(f"{name} must be veldist.inference.{kind.__name__}, got {type(value).__name__}.")


def grid_edges(grid_kwargs: dict[str, Any], name: str) -> NDArray[np.float64]:
    """Bin edges (km/s) of the grid that arguments of `KinematicSolver.setup_grid` describe.

    Raises
    ------
    TypeError, ValueError
        If ``grid_kwargs``, called ``name`` in the message, is no dict or lacks an argument, or as
        `KinematicSolver.setup_grid`.
    """
    validate.check_keys(grid_kwargs, ("center", "width", "n_bins"), name)
    solver = KinematicSolver()
    solver.setup_grid(**grid_kwargs)
    assert solver.grid is not None
    return solver.grid["edges"]
