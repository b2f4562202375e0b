"""From a star catalogue to LOSVDs, maps, tables and DYNAMITE input in one folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from veldist.batch.fit_all import BatchError, fit_all_bins
from veldist.fits.grid import suggest_grid
from veldist.sky.binning import PixelGrid, SpatialBins, bin_stars, pixelize
from veldist.sky.catalog import StarCatalog
from veldist.sky.layout import Layout
from veldist.solver import KinematicSolver

__all__ = ["MapResult", "PipelineSettings", "fit_catalog", "write_results"]

logger = logging.getLogger(__name__)


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
    """

    stars_per_bin: int = 150
    grid: dict[str, Any] | None = None
    num_samples: int = 1000
    min_stars: int = 10
    seed: int = 0
    n_jobs: int | None = None
    psf_sigma: float = 0.1
    v_systemic: float = 0.0


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
    solvers : sequence of KinematicSolver or None
        One per spatial bin.
    settings : PipelineSettings
        With the velocity grid filled in.
    failures : dict of int to Exception
        Bins that could not be fitted, and why; their solvers are None.
    """

    bins: SpatialBins
    pixels: PixelGrid
    pixel_ids: np.ndarray
    solvers: Sequence[KinematicSolver | None]
    settings: PipelineSettings
    failures: dict[int, BaseException]


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
    """
    settings = settings or PipelineSettings()
    if settings.grid is not None:
        KinematicSolver().setup_grid(**settings.grid)
    bins = bin_stars(catalog.x, catalog.y, settings.stars_per_bin)
    pixels, pixel_ids = pixelize(bins, catalog.x, catalog.y)
    members = [bins.bin_ids == k for k in range(bins.n_bins)]
    data = [{"vel": catalog.vel[m], "err": catalog.err[m]} for m in members]
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
    failures: dict[int, BaseException] = {}
    try:
        solvers = fit_all_bins(
            data,
            grid_kwargs=settings.grid,
            run_kwargs={"num_samples": settings.num_samples, "seed": settings.seed},
            min_stars=settings.min_stars,
            n_jobs=settings.n_jobs,
            progress=progress,
            store=store,
        )
    except BatchError as error:
        if all(solver is None for solver in error.solvers):
            raise
        solvers, failures = error.solvers, error.failures
    return MapResult(
        bins=bins,
        pixels=pixels,
        pixel_ids=pixel_ids,
        solvers=solvers,
        settings=settings,
        failures=failures,
    )


def write_results(result: MapResult, out: str | Path) -> list[Path]:
    """Write pictures, the summary table, the DYNAMITE input and the layout of a map.

    If the fit was kept in ``map.zarr`` in the same folder, as `fit_catalog` does if told so, a report that
    shows every LOSVD is written as well.

    Parameters
    ----------
    result : MapResult
        A fitted map.
    out : str or Path
        Folder; made if it does not exist. Files of the same names are replaced.

    Returns
    -------
    list of Path
        ``kinematic_maps.png``, ``losvds.png``, ``summary.ecsv``, the files in ``dynamite_input``,
        ``pixels.ecsv``, and ``report.html`` if there is a ``map.zarr``.
    """
    from matplotlib import pyplot as plt

    from veldist.analysis import compute_summary_maps, summary_table
    from veldist.export.dynamite.write_losvds import write_dynamite_kinematics
    from veldist.pipeline.folder import LAYOUT, REPORT, STORE, report_on
    from veldist.plotting import plot_kinematic_maps, plot_losvd_grid
    from veldist.sky.layout import write_layout

    start = time.perf_counter()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    bins, solvers = result.bins, result.solvers
    paths = [out / "kinematic_maps.png", out / "losvds.png", out / "summary.ecsv"]
    maps = compute_summary_maps(solvers)
    table = summary_table(solvers, x=bins.x_bin, y=bins.y_bin, maps=maps)
    figure, _ = plot_kinematic_maps(maps, result.pixels, result.pixel_ids, table["n_stars"])
    figure.savefig(paths[0], dpi=200)
    plt.close(figure)
    figure = plot_losvd_grid(solvers, n_max=100)
    figure.savefig(paths[1], dpi=200)
    plt.close(figure)
    # Flat, with short keys: FITS headers hold no dictionaries.
    grid = result.settings.grid or {}
    names = {"center": "gridcen", "width": "gridwid", "n_bins": "gridbins"}
    table.meta |= {name: grid[key] for key, name in names.items() if key in grid}
    table.meta["seed"] = result.settings.seed
    table.write(paths[2], format="ascii.ecsv", overwrite=True)
    files = write_dynamite_kinematics(
        solvers,
        out / "dynamite_input",
        dynamite_metadata(result),
        v_systemic=result.settings.v_systemic,
    )
    paths += [files.kinematics, files.aperture, files.bins]
    paths.append(write_layout(out / LAYOUT, _layout(result)))
    if getattr(solvers, "path", None) == (out / STORE).absolute():
        paths.append(report_on(out, out / REPORT, maps=maps))
    logger.info("pictures and tables took %.1f s", time.perf_counter() - start)
    return paths


def _layout(result: MapResult) -> Layout:
    """The layout of a map, with the settings that its store does not know."""
    settings = {"stars_per_bin": result.settings.stars_per_bin, "psf_sigma": result.settings.psf_sigma}
    return Layout(result.pixels, result.pixel_ids, result.bins.x_bin, result.bins.y_bin, settings)


def dynamite_metadata(result: MapResult) -> dict[str, Any]:
    """The layout of a map in the form that `veldist.write_dynamite_kinematics` takes."""
    bins, pixels = result.bins, result.pixels
    return {
        "bins": [{"xbin": float(x), "ybin": float(y)} for x, y in zip(bins.x_bin, bins.y_bin, strict=True)],
        "aperture": {
            "x_start": pixels.x_start,
            "y_start": pixels.y_start,
            "x_size": pixels.x_size,
            "y_size": pixels.y_size,
            "angle_deg": pixels.angle_deg,
            "nx": pixels.nx,
            "ny": pixels.ny,
        },
        "pixel_bin_ids": result.pixel_ids,
        "psf": {"sigma": [result.settings.psf_sigma], "weight": [1.0]},
    }
