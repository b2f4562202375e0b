"""One spatial bin: stars in, posterior of the LOSVD out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from veldist._support import validate
from veldist._support.arrays import Floats
from veldist._support.threads import one_thread
from veldist.errors import OrderError
from veldist.fits.clipping import ABS_FLOOR, FLOOR_FRACTION
from veldist.fits.cost import check_cost
from veldist.fits.fit import Fit
from veldist.fits.fitting import DEFAULT_SAMPLES, check_run, fit_stars, warn_outside
from veldist.fits.grid import VelocityGrid
from veldist.fits.stars import Stars, check_coverage
from veldist.fits.view import FitView
from veldist.inference import Settings
from veldist.models.losvd.basis import PriorSettings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from xarray import Dataset, DataTree

    from veldist.models.contaminants import ContaminantDensity
    from veldist.models.error_model import ErrorModel

__all__ = ["KinematicSolver"]


class KinematicSolver(FitView):
    """Posterior of the line-of-sight velocity distribution (LOSVD) of one sample of stars.

    The inference takes place in the LOSVD's own frame and does not depend on the velocity grid, on which
    it is only reported: a grid far too wide changes nothing, and `setup_grid` may be called again after
    `run` to report the same posterior on another grid.

    Attributes
    ----------
    fit : Fit
        All that is known, as one record that does not change; what the properties show is in it.

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
        self.fit = Fit()

    @classmethod
    def from_fit(cls, fit: Fit) -> KinematicSolver:
        """A solver that holds this fit."""
        solver = cls()
        solver.fit = fit
        return solver

    def __repr__(self) -> str:
        state = "not run" if self.diagnostics is None else str(self.diagnostics)
        return f"<KinematicSolver: {self.n_stars} stars; {state}>"

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
        TypeError, ValueError
            If an argument is no number or out of range, or no star lies on the new grid.
        """
        grid = VelocityGrid.of(center, width, n_bins)
        if self.fit.stars is not None:
            stars = self.fit.stars
            check_coverage(stars.vel, grid.edges, stacklevel=2, others=stars.contaminant is not None)
        fit = replace(self.fit, grid=grid, clipped=None)
        # A grid that cannot be reported on is refused before it replaces the present one.
        if fit.posterior is not None:
            warn_outside(fit, stacklevel=3)
        self.fit = fit

    def add_data(
        self,
        vel: Any,
        err: Any,
        membership: Any = None,
        contaminant: ContaminantDensity | Literal["learn"] | None = None,
        error_model: ErrorModel | None = None,
    ) -> None:
        """Set the stars, replacing any earlier ones.

        Parameters
        ----------
        vel : array_like or Quantity, (n_stars,)
            Line-of-sight velocities, km/s.
        err : array_like or Quantity, (n_stars,)
            Their 1-sigma errors, km/s, > 0; a single number serves all stars.
        membership : array_like, (n_stars,), optional
            Probabilities of membership, 0 to 1, that owe nothing to the velocities; with a ``contaminant``.
        contaminant : Contaminant, "learn" or ContaminantDensity, optional
            How the velocities of the stars that are no members are distributed; ``"learn"`` for
            `veldist.Contaminant.learn` of these stars. The LOSVD is the members' then. By default all stars
            are members.
        error_model : ErrorModel, optional
            Errors that are not one Gaussian.

        Raises
        ------
        OrderError
            Before `setup_grid`.
        TypeError, ValueError
            If values are no real numbers, NaN, infinite or masked, errors are not positive, lengths differ,
            there is no star, a unit is wrong, or all stars lie outside the grid.

        Warns
        -----
        GridWarning
            If some stars lie outside the grid. They are part of the fit all the same.
        """
        grid = self.fit.grid
        if grid is None:
            raise OrderError("add_data() needs a velocity grid: call setup_grid() first.")
        stars = Stars.read(vel, err, membership, contaminant, error_model)
        check_coverage(stars.vel, grid.edges, stacklevel=2, others=stars.contaminant is not None)
        self.fit = Fit(stars, grid)

    def run(
        self,
        num_warmup: int = 500,
        num_samples: int = DEFAULT_SAMPLES,
        gpu: bool | None = None,
        seed: int = 0,
        *,
        settings: Settings | None = None,
        prior: PriorSettings | str | None = None,
    ) -> dict[str, Floats]:
        """Sample the posterior.

        Parameters
        ----------
        num_warmup : int
            Accepted and unused: the sampler starts at the posterior's modes and decides by its
            diagnostics how long to run.
        num_samples : int
            Number of draws returned.
        gpu : bool, optional
            Whether to evaluate the likelihood on a GPU, with JAX; `veldist.fit_all_bins` gains more by that.
        seed : int
            Seed of the random numbers: the same stars, settings and seed give the same bits.
        settings : Settings, optional
            Details of the sampler (see `veldist.Settings`); its ``n_draws`` is replaced by
            ``num_samples``.
        prior : PriorSettings or {"default", "cautious"}, optional
            Another prior: the cautious one, of nothing nearly Gaussian, has wider error bars of the shape.

        Returns
        -------
        dict
            `samples`.

        Raises
        ------
        OrderError
            Before `setup_grid` and `add_data`.
        ValueError
            If the draws on the grid have no room in memory.
        ImportError, RuntimeError
            If ``gpu`` is true and JAX is not installed, or sees no GPU.

        Warns
        -----
        ConvergenceWarning
            If the draws do not meet the criteria after all attempts; ``diagnostics`` says which.
        GridWarning
            If a noticeable part of the LOSVD lies outside the grid.
        UserWarning
            If the draws take more than half of the memory.
        ContaminationWarning
            If no contaminant or error model was given, and the velocities speak for non-members or heavy
            wings.
        OutlierWarning
            If not, but stars lie so far out that they are probably no members.
        """
        stars, grid = self.fit.stars, self.fit.grid
        if stars is None or grid is None:
            raise OrderError("run() needs a grid and stars: call setup_grid() and add_data() first.")
        check_run(num_warmup, num_samples, gpu, seed, settings, prior)
        check_cost(num_samples, grid.n_bins, stacklevel=3)
        options: dict[str, Any] = {"settings": settings, "prior": prior, "gpu": gpu}
        self.fit = fit_stars(stars, grid, num_samples=num_samples, seed=seed, stacklevel=3, **options)
        return self.fit.need_draws("run()")[0]

    def save(self, path: str | PathLike[str]) -> None:
        """Write everything to a file of any name, which `load` reads.

        The file replaces an older one of that name as a whole, or not at all. It is a NumPy ``.npz`` archive
        without pickled objects: reading it runs no code, and `numpy.load` shows what is in it.
        """
        from veldist.fits.record import write_file

        write_file(self.fit, path)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> KinematicSolver:
        """Read a solver that `save` wrote.

        The draws have the bits of those saved; `samples` are integrated over the grid again, with the same
        bits where NumPy and its linear algebra are the same.

        Raises
        ------
        OSError, ValueError
            If there is no such file, or it is no saved solver, damaged, or of a newer format.
        """
        from veldist.fits.record import read_file

        return cls.from_fit(read_file(path))

    def sample_prior(self, num_samples: int = 1000, seed: int = 0) -> Floats:
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
        OrderError, TypeError, ValueError
            Before `run`; if an argument is no integer, ``num_samples`` < 1 or ``seed`` < 0.
        """
        posterior, grid = self.fit.need_posterior("sample_prior()")
        num_samples = validate.check_count(num_samples, "num_samples", 1)
        rng = np.random.default_rng(validate.check_count(seed, "seed", 0))
        with one_thread():
            return posterior.prior_bin_masses(num_samples, rng, grid.edges)

    def clip_uncertainties(
        self, floor_fraction: float = FLOOR_FRACTION, abs_floor: float = ABS_FLOOR
    ) -> dict[str, Floats]:
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
        OrderError, ValueError
            Before `run`; if a floor is out of range.
        """
        self.fit = self.fit.clip(floor_fraction, abs_floor)
        return self.fit.summary

    def truncate_losvd(self, n_sigma: float = 3.0, abs_floor: float = ABS_FLOOR) -> dict[str, Floats]:
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
        OrderError, ValueError
            Before `run`; if an argument is out of range or no bin would be left.
        """
        self.fit = self.fit.truncate(n_sigma, abs_floor)
        return self.fit.summary

    def plot_result(
        self,
        ax: Axes | None = None,
        true_intrinsic: Floats | Callable[[Floats], Floats] | None = None,
        **options: Any,
    ) -> Axes:
        """Plot the posterior of the LOSVD as a density, with its 68 and 95 % bands, and the stars.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to plot; a new figure by default.
        true_intrinsic : ndarray or callable, optional
            True velocities of the stars (drawn as a histogram), or a density function of velocity.
        **options
            ``central``, ``stars``, ``gaussian``, ``color``, ``label``, ``legend``: see
            `veldist.plotting.plot_losvd`.

        Raises
        ------
        OrderError, TypeError, ValueError
            Before `run`; if an option is unknown, or the truth is unusable.
        """
        samples, grid = self.fit.need_draws("plot_result()")
        from veldist.figures.losvd import plot_losvd

        given: dict[str, Any] = {"stars": "rug", "gaussian": True} | options
        given |= {"vel": self.vel, "err": self.err, "membership": self.membership}
        return plot_losvd(grid.edges, samples["intrinsic_pdf"], ax, true_intrinsic, **given)

    def to_xarray(self) -> Dataset:
        """All draws, stars and diagnostics with their names, units and settings, as an `xarray.Dataset`.

        Everything in it can be written by ``to_netcdf``; `veldist.fits.labelled.to_dataset` lists the
        variables. `veldist.to_xarray` does the like for a map.
        """
        self.fit.need_posterior("to_xarray()")
        from veldist.fits.labelled import to_dataset

        return to_dataset(self.fit)

    def to_arviz(self) -> DataTree:
        """The content of `to_xarray` as an `xarray.DataTree` in the groups that ArviZ expects."""
        self.fit.need_posterior("to_arviz()")
        from veldist.fits.labelled import to_datatree

        return to_datatree(self.fit)
