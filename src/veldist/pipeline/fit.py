"""From a star catalogue to a fitted map."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from veldist._support.outputs import progress_bar
from veldist._support.processes import check_jobs
from veldist._support.validate import check_count, to_float
from veldist.batch.fit_all import BatchError, FittedBins, Workers, as_solvers, fit_bins
from veldist.errors import ContaminationWarning
from veldist.fits.draws import Fits, is_fitted
from veldist.fits.each import over_bins
from veldist.fits.fitting import check_run
from veldist.fits.grid import VelocityGrid, suggest_grid
from veldist.fits.outliers import find_impossible, refuse_impossible
from veldist.fits.stars import check_possible
from veldist.inference import Diagnostics
from veldist.pipeline.products import BinProducts, make_products
from veldist.pipeline.remarks import remarks_on_bins, remarks_on_stars
from veldist.pipeline.stages import stage
from veldist.sky.binning import SpatialBins, bin_stars
from veldist.sky.catalog import StarCatalog
from veldist.sky.pixel_map import pixelize
from veldist.sky.pixels import PixelGrid

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
        Stars wanted in every spatial bin.
    grid : dict, optional
        ``center``, ``width`` (km/s), ``n_bins`` of the velocity grid; chosen from the data by default.
    num_samples : int
        Posterior draws per bin.
    min_stars : int
        Bins with fewer stars are skipped.
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


@dataclass(frozen=True)
class MapResult:
    """A fitted map.

    Attributes
    ----------
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
        With the velocity grid filled in.
    failures : dict of int to Exception
        Bins that could not be fitted, and why; their fits are None.
    remarks : tuple of str
        What is to be said of stars that may be no members.
    """

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
        If stars are impossible, in their bin or in the catalogue, with their rows in its table; or as
        `veldist.fit_all_bins`, if no bin could be fitted.

    Warns
    -----
    ContaminationWarning
        If the velocities of all stars speak for non-members or heavy wings, the velocity bins are too wide
        for the members then, or most LOSVDs have several modes.
    """
    settings = settings or PipelineSettings()
    # The sample as a whole first: of a small bin nothing can be said.
    check_possible(catalog.vel, catalog.err, catalog.rows)
    shown = progress and catalog.x.size >= _MANY_STARS
    with stage("binning"), progress_bar(total=2, desc="binning", unit="step", shown=shown) as bar:
        bins = bin_stars(catalog.x, catalog.y, settings.stars_per_bin)
        bar.update()
        pixels, pixel_ids = pixelize(bins, catalog.x, catalog.y)
        bar.update()
    members = np.split(np.argsort(bins.bin_ids, kind="stable"), np.cumsum(bins.counts)[:-1])
    data = [{"vel": catalog.vel[m], "err": catalog.err[m]} for m in members]
    impossible = np.zeros(catalog.n_stars, dtype=bool)
    for m, stars in zip(members, data, strict=True):
        impossible[m] = find_impossible(stars["vel"], stars["err"])
    refuse_impossible(impossible, catalog.vel, catalog.rows)
    settings = replace(settings, grid=settings.grid or suggest_grid(data, settings.min_stars))
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
    remarks = remarks_on_stars(catalog, settings.grid)
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
