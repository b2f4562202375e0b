"""``veldist fit``: from a star table to maps, tables and DYNAMITE input."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from veldist.cli.messages import running
from veldist.cli.observed import Align, Identity, Instrument
from veldist.cli.options import Folder, Jobs, PerBin, Quiet, Samples, Seed, Verbose
from veldist.cli.populations import (
    CONTAMINANT_HELP,
    ERROR_MODEL_HELP,
    check_membership,
    read_contaminant,
    read_error_model,
)
from veldist.cli.results import fit_and_write, kept_in

__all__ = ["fit"]

_DYNAMITE = "DYNAMITE input"


def fit(
    catalog: Annotated[Path, typer.Argument(help="Star table, one row a star: CSV, ECSV, FITS or VOTable.")],
    x: Annotated[
        str, typer.Option(help="Column of offsets on the sky towards East (not of right ascensions).")
    ],
    y: Annotated[str, typer.Option(help="Column of offsets towards North (not of declinations).")],
    vel: Annotated[str, typer.Option(help="Column of the line-of-sight velocities.")],
    err: Annotated[str, typer.Option(help="Column of the velocities' 1-sigma errors.")],
    membership: Annotated[
        str | None,
        typer.Option(
            help="Column of membership probabilities, 0 to 1. With --min-membership it leaves stars out; "
            "without, and with --contaminant, it is what is known of each star before its velocity."
        ),
    ] = None,
    min_membership: Annotated[
        float | None, typer.Option(help="Keep stars of at least this membership probability.")
    ] = None,
    contaminant: Annotated[
        str | None, typer.Option(metavar="learn|uniform|gaussian:V,SIGMA|FILE", help=CONTAMINANT_HELP)
    ] = None,
    v_guess: Annotated[
        float | None,
        typer.Option(help="About the velocity of the members, km/s: where --contaminant learn looks first."),
    ] = None,
    error_model: Annotated[
        str | None,
        typer.Option(metavar="outliers:F,SCALE|student:NU|binaries:F", help=ERROR_MODEL_HELP),
    ] = None,
    id: Identity = None,
    instrument: Instrument = None,
    align: Align = False,
    position_unit: Annotated[
        str | None,
        typer.Option(
            help="arcsec, arcmin or deg, for positions whose unit the table does not tell. Without it, the "
            "ending of the column's name counts (_arcmin, say), then arcsec."
        ),
    ] = None,
    velocity_unit: Annotated[
        str | None,
        typer.Option(help="km/s or m/s, for velocities and errors, in the same way; then km/s."),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            help="Format of the table if its name does not tell, as astropy calls it: ascii.csv, fits, ..."
        ),
    ] = None,
    drop_masked: Annotated[
        bool, typer.Option("--drop-masked", help="Drop stars with missing values; else they are an error.")
    ] = False,
    stars_per_bin: PerBin = 150,
    min_stars: Annotated[
        int,
        typer.Option(
            min=1, help="Skip bins with fewer stars; fewer expected members, where memberships are known."
        ),
    ] = 10,
    grid_center: Annotated[float | None, typer.Option(help="Centre of the velocity grid, km/s.")] = None,
    grid_width: Annotated[float | None, typer.Option(help="Full width of the velocity grid, km/s.")] = None,
    grid_bins: Annotated[int | None, typer.Option(help="Number of velocity bins.")] = None,
    prior: Annotated[
        str,
        typer.Option(
            help="default, or cautious: no LOSVD counts as exactly or nearly Gaussian, so that error bars of "
            "the shape are wider and hold the truth more often."
        ),
    ] = "default",
    num_samples: Samples = 1000,
    seed: Seed = 0,
    psf_sigma: Annotated[
        float,
        typer.Option(min=0.0, rich_help_panel=_DYNAMITE, help="Width (sigma) of the PSF to write, arcsec."),
    ] = 0.1,
    v_systemic: Annotated[
        float,
        typer.Option(
            rich_help_panel=_DYNAMITE,
            help="Systemic velocity, km/s: subtracted in DYNAMITE's input, and nowhere else.",
        ),
    ] = 0.0,
    out: Folder = Path("veldist_out"),
    jobs: Jobs = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Fit the LOSVDs of a star table and write maps, a report, a summary table and DYNAMITE input.

    LOSVDs are line-of-sight velocity distributions, one for every spatial bin; the bins are made from the
    stars' positions. The velocity grid is chosen from the data unless --grid-center, --grid-width and
    --grid-bins are given, all three. With --contaminant the LOSVDs are those of the members, and every bin
    has nearly the same expected number of members.

    Example: veldist fit stars.csv --x xi_arcmin --y eta_arcmin --vel v_kms --err e_kms --out my_galaxy

    Every bin is kept in the folder's map as soon as it is fitted: after Ctrl-C, or whatever else has
    stopped it, the same command goes on from there.
    """
    with running(quiet, verbose, kept_in(out)) as say:
        grid = {"center": grid_center, "width": grid_width, "n_bins": grid_bins}
        given = [name for name, value in grid.items() if value is not None]
        if given and len(given) < len(grid):
            raise ValueError("--grid-center, --grid-width and --grid-bins belong together: give all or none.")
        known = check_membership(membership, min_membership, contaminant, v_guess)
        model = None if error_model is None else read_error_model(error_model)
        from veldist.pipeline.fit import PipelineSettings
        from veldist.sky.catalog import read_catalog

        start = time.perf_counter()
        stars = read_catalog(
            catalog,
            x=x,
            y=y,
            vel=vel,
            err=err,
            membership=membership,
            # All stars, where their membership is known beforehand.
            min_membership=0.0 if known else min_membership,
            id=id,
            instrument=instrument,
            align=align,
            drop_masked=drop_masked,
            position_unit=position_unit,
            velocity_unit=velocity_unit,
            format=format,
        )
        files = {"velocity_unit": velocity_unit, "drop_masked": drop_masked}
        others = None if contaminant is None else read_contaminant(contaminant, stars, vel, **files)
        settings = PipelineSettings(
            stars_per_bin=stars_per_bin,
            grid=grid if given else None,
            num_samples=num_samples,
            min_stars=min_stars,
            seed=seed,
            n_jobs=jobs,
            psf_sigma=psf_sigma,
            v_systemic=v_systemic,
            prior=prior,
            contaminant=others,
            v_guess=v_guess,
            prior_membership=known,
            error_model=model,
        )
        result = fit_and_write(stars, settings, out, say, progress=not quiet)
        say(f"done in {time.perf_counter() - start:.1f} s")
        if result.failures:
            raise typer.Exit(1)
