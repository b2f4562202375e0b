"""From a star catalogue to a fitted map."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from veldist._support.outputs import progress_bar
from veldist._support.processes import check_jobs
from veldist._support.validate import check_count, to_float
from veldist.batch.failures import BatchError
from veldist.batch.fit_all import FittedBins, Workers, as_solvers, fit_bins
from veldist.batch.population import Population
from veldist.errors import ContaminationWarning
from veldist.fits.draws import Fits, is_fitted
from veldist.fits.each import over_bins
from veldist.fits.fitting import check_run
from veldist.fits.grid import VelocityGrid, suggest_grid
from veldist.fits.outliers import find_impossible, refuse_impossible
from veldist.inference import Diagnostics
from veldist.pipeline.members import check_velocities, expected_members, prior_of, with_contaminant
from veldist.pipeline.products import BinProducts, make_products
from veldist.pipeline.remarks import remarks_on_bins, remarks_on_stars
from veldist.pipeline.stages import stage
from veldist.sky.binning import SpatialBins, bin_stars
from veldist.sky.catalog import StarCatalog
from veldist.sky.pixel_map import pixelize
from veldist.sky.pixels import PixelGrid

if TYPE_CHECKING:
    from veldist.models.contaminants import ContaminantDensity
    from veldist.models.error_model import ErrorModel

__all__ = ["MapResult", "PipelineSettings", "fit_catalog"]

logger = logging.getLogger(__name__)

# With fewer, the spatial bins are there within a second.
_MANY_STARS = 200_000


@dataclass(frozen=True)
class PipelineSettings:
    """What a map of LOSVDs is made with.

    Attributes
    ----------
    stars_per_bin : int
        Stars wanted in every spatial bin; beside contaminants, members.
    grid : dict, optional
        ``center``, ``width`` (km/s), ``n_bins`` of the velocity grid; chosen from the data by default.
    num_samples : int
        Posterior draws per bin.
    min_stars : int
        Bins with fewer stars, or with ``prior_membership`` fewer expected members, are skipped.
    seed : int
        Seed of the random numbers.
    n_jobs : int, optional
        Worker processes; all cores by default.
    psf_sigma : float
        Width of the point-spread function written for DYNAMITE, arcsec. Positions of resolved stars are
        sharp, so that it should be small against a spatial bin.
    v_systemic : float
        Systemic velocity (km/s), subtracted in DYNAMITE's input only: its orbits are symmetric about 0.
    prior : {"default", "cautious"}
        Prior of the LOSVDs, see `KinematicSolver.run`.
    contaminant : Contaminant, "learn" or ContaminantDensity, optional
        How the velocities of the stars that are no members are distributed; ``"learn"`` for
        `veldist.Contaminant.learn` of all stars of the catalogue.
    v_guess : float, optional
        About the velocity of the members (km/s), for ``"learn"``.
    prior_membership : bool
        Whether the memberships of the catalogue are probabilities that are known before the velocities.
    error_model : ErrorModel, optional
        Errors that are not one Gaussian.
    """

    stars_per_bin: int = 150
    grid: dict[str, Any] | None = None
    num_samples: int = 1000
    min_stars: int = 10
    seed: int = 0
    n_jobs: int | None = None
    psf_sigma: float = 0.1
    v_systemic: float = 0.0
    prior: str = "default"
    contaminant: ContaminantDensity | Literal["learn"] | None = None
    v_guess: float | None = None
    prior_membership: bool = False
    error_model: ErrorModel | None = None

    def __post_init__(self) -> None:
        """Refuse what would be refused after the fit, or in every bin of it."""
        for name in ("stars_per_bin", "min_stars"):
            check_count(getattr(self, name), name, 1)
        check_run(num_samples=self.num_samples, seed=self.seed, prior=self.prior)
        check_jobs(self.n_jobs)
        if to_float(self.psf_sigma, "psf_sigma", "arcsec") < 0.0:
            raise ValueError(f"psf_sigma must not be negative, got {self.psf_sigma} arcsec.")
        to_float(self.v_systemic, "v_systemic", "km/s")
        if self.grid is not None:
            VelocityGrid.read(self.grid, "grid")
        if self.v_guess is not None:
            to_float(self.v_guess, "v_guess", "km/s")
        if self.contaminant is None and (self.prior_membership or self.v_guess is not None):
            name = "v_guess" if self.v_guess is not None else "prior_membership"
            raise ValueError(f"{name} says something of members beside a contaminant: give one, too.")
        # What is to be learnt needs the stars.
        learnt = self.contaminant == "learn"
        Population(None if learnt else self.contaminant, self.error_model).shared([])


@dataclass(frozen=True)
class MapResult:
    """A fitted map.

    Attributes
    ----------
    catalog : StarCatalog
        The stars.
    bins : SpatialBins
        The spatial bins.
    pixels : PixelGrid
        Pixel grid for pictures and for DYNAMITE.
    pixel_ids : ndarray of int, (ny, nx)
        Bin of every pixel, counted from 1; 0 where there is none.
    fits : sequence of Fit or None
        One per spatial bin.
    products : dict of int to BinProducts
        What is written of every fitted bin.
    settings : PipelineSettings
        With the velocity grid and the contaminant filled in.
    failures : dict of int to Exception
        Bins that could not be fitted, and why; their fits are None.
    remarks : tuple of str
        What is to be said of stars that may be no members.
    """

    catalog: StarCatalog
    bins: SpatialBins
    pixels: PixelGrid
    pixel_ids: np.ndarray
    fits: Fits
    products: dict[int, BinProducts]
    settings: PipelineSettings
    failures: dict[int, BaseException]
    remarks: tuple[str, ...] = ()

    @property
    def diagnostics(self) -> list[Diagnostics]:
        """Diagnostics of the fitted bins."""
        found = (product.state.diagnostics for product in self.products.values())
        return [diagnostics for diagnostics in found if diagnostics is not None]


def fit_catalog(
    catalog: StarCatalog,
    settings: PipelineSettings | None = None,
    progress: bool = True,
    *,
    store: str | Path | None = None,
) -> MapResult:
    """Bin the stars on the sky and fit the LOSVD of every bin. Bins that fail do not stop the others.

    Parameters
    ----------
    catalog : StarCatalog
        Positions (arcsec), velocities and errors (km/s).
    settings : PipelineSettings, optional
        How.
    progress : bool
        Whether to show a progress bar.
    store : str or Path, optional
        Where to keep every bin as soon as it is fitted, see `veldist.fit_all_bins`.

    Raises
    ------
    ValueError
        If stars are impossible, in their bin or in the catalogue, with their rows in its table; if members
        cannot be told from contaminants that are to be learnt; or as `veldist.fit_all_bins`, if no bin could
        be fitted.

    Warns
    -----
    ContaminationWarning
        If the velocities of all stars speak for non-members or heavy wings, the velocity bins are too wide
        for the members then, or most LOSVDs have several modes.
    """
    settings = settings or PipelineSettings()
    # The sample as a whole first: of a small bin nothing can be said.
    check_velocities(catalog, settings)
    settings = with_contaminant(catalog, settings)
    prior = prior_of(catalog, settings)
    shown = progress and catalog.x.size >= _MANY_STARS
    with stage("binning"), progress_bar(total=2, desc="binning", unit="step", shown=shown) as bar:
        expected = expected_members(catalog, settings, prior)
        bins = bin_stars(catalog.x, catalog.y, settings.stars_per_bin, weights=expected)
        bar.update()
        pixels, pixel_ids = pixelize(bins, catalog.x, catalog.y)
        bar.update()
    columns = {"vel": catalog.vel, "err": catalog.err} | ({} if prior is None else {"membership": prior})
    rows = bins.stars()
    data = [{name: column[m] for name, column in columns.items()} for m in rows]
    if settings.contaminant is None:
        impossible = np.zeros(catalog.n_stars, dtype=bool)
        for m, stars in zip(rows, data, strict=True):
            impossible[m] = find_impossible(stars["vel"], stars["err"])
        refuse_impossible(impossible, catalog.vel, catalog.rows)
    grid = settings.grid or suggest_grid(data, settings.min_stars, contaminant=settings.contaminant)
    settings = replace(settings, grid=grid)
    assert settings.grid is not None
    logger.info(
        "%d stars in %d bins of %d-%d stars; velocity grid %g +- %g km/s in %d bins",
        catalog.vel.size,
        bins.n_bins,
        bins.counts.min(),
        bins.counts.max(),
        settings.grid["center"],
        settings.grid["width"] / 2,
        settings.grid["n_bins"],
    )
    population = Population(settings.contaminant, settings.error_model)
    remarks = remarks_on_stars(catalog, settings.grid) if population.plain else []
    _warn_of(remarks)
    with stage("fits and summaries"):
        fitted = fit_bins(
            data,
            grid_kwargs=settings.grid,
            run_kwargs={
                "num_samples": settings.num_samples,
                "seed": settings.seed,
                "prior": settings.prior,
            },
            min_stars=settings.min_stars,
            workers=Workers(settings.n_jobs, progress, store),
            population=population,
            product=make_products,
            stacklevel=3,
        )
        products = _complete(fitted, settings.n_jobs, progress)
    fitted.notes.warn(stacklevel=2)
    if not products:
        raise BatchError(as_solvers(fitted.fits), fitted.failures)
    several = remarks_on_bins(product.summary for product in products.values())
    _warn_of(several)
    return MapResult(
        catalog=catalog,
        bins=bins,
        pixels=pixels,
        pixel_ids=pixel_ids,
        fits=fitted.fits,
        products=products,
        settings=settings,
        failures=fitted.failures,
        remarks=(*remarks, *several),
    )


def _warn_of(remarks: Sequence[str]) -> None:
    for text in remarks:
        warnings.warn(text, ContaminationWarning, stacklevel=3)


def _complete(fitted: FittedBins, n_jobs: int | None, progress: bool) -> dict[int, BinProducts]:
    """The products of all fitted bins, those that were in the store before included."""
    products: dict[int, BinProducts] = dict(fitted.products)
    before = [k for k in np.flatnonzero(is_fitted(fitted.fits)).tolist() if k not in products]
    found = over_bins(make_products, fitted.fits, n_jobs, before)
    products |= dict(
        progress_bar(found, desc="summaries", unit="bin", total=len(before), shown=progress and bool(before))
    )
    return products
