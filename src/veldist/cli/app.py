"""The commands of ``veldist``: fit, report, forecast, demo, check."""

from __future__ import annotations

import logging
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from veldist.cli.messages import numbers, plain_errors, plain_warning

if TYPE_CHECKING:
    from veldist.pipeline.fit import MapResult, PipelineSettings
    from veldist.sky.catalog import StarCatalog

__all__ = ["app"]

app = typer.Typer(
    help="Line-of-sight velocity distributions of resolved stars, as posteriors.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Out = Annotated[Path, typer.Option(help="Folder for the results; files of the same names are replaced.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the random numbers.")]
Samples = Annotated[int, typer.Option(min=1, help="Posterior draws per spatial bin.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Worker processes; all cores by default.")]
PerBin = Annotated[int, typer.Option(min=1, help="Stars wanted in every spatial bin.")]


def _version(value: bool) -> None:
    if value:
        from veldist._version import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more about what is done.")] = False,
) -> None:
    """Line-of-sight velocity distributions of resolved stars, as posteriors."""
    logging.basicConfig(level=logging.DEBUG if verbose else logging.WARNING, format="%(message)s")
    logging.getLogger("veldist").setLevel(logging.DEBUG if verbose else logging.INFO)
    for chatty in ("matplotlib", "PIL", "concurrent"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # A person at a terminal wants the message, not the line of source code.
    warnings.formatwarning = plain_warning  # ty: ignore[invalid-assignment]


@app.command()
def fit(
    catalog: Annotated[Path, typer.Argument(help="Star table: CSV, ECSV, FITS or VOTable.")],
    x: Annotated[str, typer.Option(help="Column of the first position coordinate (offset on the sky).")],
    y: Annotated[str, typer.Option(help="Column of the second position coordinate.")],
    vel: Annotated[str, typer.Option(help="Column of the line-of-sight velocity.")],
    err: Annotated[str, typer.Option(help="Column of its 1-sigma error.")],
    membership: Annotated[str | None, typer.Option(help="Column of the membership probability.")] = None,
    min_membership: Annotated[float | None, typer.Option(help="Keep stars of at least this one.")] = None,
    position_unit: Annotated[
        str | None, typer.Option(help="Unit of positions without one: arcsec, arcmin or deg.")
    ] = None,
    velocity_unit: Annotated[
        str | None, typer.Option(help="Unit of velocities without one: km/s or m/s.")
    ] = None,
    format: Annotated[
        str | None, typer.Option(help="Format of the table, if its name does not tell.")
    ] = None,
    drop_masked: Annotated[
        bool, typer.Option("--drop-masked", help="Drop rows with missing values.")
    ] = False,
    stars_per_bin: PerBin = 150,
    min_stars: Annotated[int, typer.Option(min=1, help="Skip bins with fewer stars.")] = 10,
    grid_center: Annotated[float | None, typer.Option(help="Centre of the velocity grid, km/s.")] = None,
    grid_width: Annotated[float | None, typer.Option(help="Full width of the velocity grid, km/s.")] = None,
    grid_bins: Annotated[int | None, typer.Option(help="Number of velocity bins.")] = None,
    num_samples: Samples = 1000,
    psf_sigma: Annotated[float, typer.Option(min=0.0, help="Width of DYNAMITE's PSF, arcsec.")] = 0.1,
    v_systemic: Annotated[float, typer.Option(help="Subtracted in DYNAMITE's input only, km/s.")] = 0.0,
    seed: Seed = 0,
    jobs: Jobs = None,
    out: Out = Path("veldist_out"),
) -> None:
    """Fit the LOSVDs of a star table and write maps, a summary table and DYNAMITE input.

    Positions are offsets on the sky (tangent plane), converted to arcsec; velocities are in km/s. The
    velocity grid is chosen from the data unless its three options are given.
    """
    from veldist.pipeline.fit import PipelineSettings

    with plain_errors():
        grid = {"center": grid_center, "width": grid_width, "n_bins": grid_bins}
        given = [name for name, value in grid.items() if value is not None]
        if given and len(given) < len(grid):
            raise ValueError("--grid-center, --grid-width and --grid-bins belong together: give all or none.")
        from veldist.sky.catalog import read_catalog

        start = time.perf_counter()
        stars = read_catalog(
            catalog,
            x=x,
            y=y,
            vel=vel,
            err=err,
            membership=membership,
            min_membership=min_membership,
            drop_masked=drop_masked,
            position_unit=position_unit,
            velocity_unit=velocity_unit,
            format=format,
        )
        settings = PipelineSettings(
            stars_per_bin=stars_per_bin,
            grid=grid if given else None,
            num_samples=num_samples,
            min_stars=min_stars,
            seed=seed,
            n_jobs=jobs,
            psf_sigma=psf_sigma,
            v_systemic=v_systemic,
        )
        result = _run(stars, settings, out, start)
    if result.failures:
        raise typer.Exit(1)


@app.command()
def report(
    result: Annotated[Path, typer.Argument(help="Folder of veldist fit or demo, or a store (map.zarr).")],
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")] = Path("report.html"),
    title: Annotated[str | None, typer.Option(help="Heading; the folder's name by default.")] = None,
) -> None:
    """Write one HTML file that shows maps, the LOSVD of every bin, and a table. It needs no network."""
    with plain_errors():
        from veldist.pipeline.folder import report_on

        typer.echo(f"wrote {report_on(result, out, title=title)}")


@app.command()
def forecast(
    n_stars: Annotated[str, typer.Option(help="Number of stars, or several: 100,200,400.")],
    err: Annotated[str, typer.Option(help="Velocity error, km/s, or a range: 1,3.")],
    sigma: Annotated[float, typer.Option(help="Expected dispersion, km/s.")],
    mocks: Annotated[int, typer.Option(min=2, help="Mock observations per number of stars.")] = 16,
    num_samples: Samples = 1000,
    seed: Seed = 0,
    jobs: Jobs = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Figure to write: PNG, PDF, ...")] = None,
) -> None:
    """Tell how well a planned observation will measure V, dispersion and shape of a Gaussian LOSVD."""
    with plain_errors():
        from veldist.calibration import forecast as run_forecast

        counts = [int(n) for n in numbers(n_stars, "n_stars", whole=True)]
        errors = numbers(err, "err")
        if len(errors) > 2:
            raise ValueError(f"err is '{err}': pass one number, or two for a range.")
        if out is not None:
            # Before minutes are spent on a figure that could not be written.
            from matplotlib.backend_bases import FigureCanvasBase

            types = FigureCanvasBase.get_supported_filetypes()
            if out.suffix[1:].lower() not in types:
                raise ValueError(
                    f"--out is '{out}': a figure needs one of the suffixes ."
                    + ", .".join(sorted(types))
                    + "."
                )
            out.parent.mkdir(parents=True, exist_ok=True)
        result = run_forecast(
            counts,
            errors[0] if len(errors) == 1 else (errors[0], errors[1]),
            sigma,
            n_mocks=mocks,
            num_samples=num_samples,
            seed=seed,
            n_jobs=jobs,
        )
        typer.echo(str(result))
        if out is not None:
            import matplotlib as mpl

            mpl.use("Agg")
            result.plot().savefig(out, dpi=200)
            typer.echo(f"wrote {out}")


@app.command()
def demo(
    out: Out = Path("veldist_demo"),
    n_stars: Annotated[int, typer.Option(min=100, help="Expected number of stars.")] = 10_000,
    stars_per_bin: PerBin = 130,
    seed: Seed = 1,
    jobs: Jobs = None,
) -> None:
    """Make a mock rotating globular cluster, fit it, and compare the maps with the truth."""
    from veldist.pipeline.fit import PipelineSettings

    with plain_errors():
        from veldist.cli.demo import compare_with_truth, is_demo, make_catalog
        from veldist.pipeline.folder import remove_store

        start = time.perf_counter()
        again = is_demo(out)
        cluster, catalog = make_catalog(out, n_stars, seed)
        settings = PipelineSettings(stars_per_bin=stars_per_bin, seed=seed, n_jobs=jobs)
        try:
            result = _run(catalog, settings, out, start, done=False)
        except ValueError:
            # The store of a demonstration with other arguments is worth a few seconds.
            if not (again and remove_store(out)):
                raise
            result = _run(catalog, settings, out, start, done=False)
        path, lines = compare_with_truth(result, cluster, out)
        for line in lines:
            typer.echo(line)
        typer.echo(f"wrote {path}\ndone in {time.perf_counter() - start:.1f} s")


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Folder with kinematics, aperture and bin map.")],
    kin_filename: Annotated[
        str | None, typer.Option(help="Kinematics table; by default all that the folder holds.")
    ] = None,
    aperture_filename: Annotated[str, typer.Option(help="Geometry of the pixel grid.")] = "aperture.dat",
    bins_filename: Annotated[str, typer.Option(help="Bin of each pixel.")] = "bins.dat",
    strict: Annotated[bool, typer.Option("--strict", help="Fail on doubtful things, too.")] = False,
) -> None:
    """Check DYNAMITE input files of any origin, and print everything that is wrong with them.

    The exit code is 1 if DYNAMITE would stop, or be misled.
    """
    with plain_errors():
        from veldist.export.checks.folder import validate_dynamite_inputs

        problems = validate_dynamite_inputs(folder, kin_filename, aperture_filename, bins_filename)
    for problem in problems:
        typer.echo(str(problem))
    severities = [problem.severity for problem in problems]
    counts = [f"{severities.count(s)} {s}" for s in ("error", "wrong", "doubtful") if s in severities]
    typer.echo(f"{folder}: {', '.join(counts) or 'no problems'}")
    if set(severities) - (set() if strict else {"doubtful"}):
        raise typer.Exit(1)


def _run(
    catalog: StarCatalog, settings: PipelineSettings, out: Path, start: float, done: bool = True
) -> MapResult:
    """Fit, write, and say what was written."""
    import matplotlib as mpl

    from veldist.pipeline.fit import fit_catalog
    from veldist.pipeline.folder import STORE
    from veldist.pipeline.write import write_results

    # Headless machines have no display; nothing is shown on one anyway.
    mpl.use("Agg")
    # Before minutes are spent on results that could not be written.
    out.mkdir(parents=True, exist_ok=True)
    result = fit_catalog(catalog, settings, store=out / STORE)
    paths = write_results(result, out)
    diagnostics = result.diagnostics
    typer.echo(
        f"{len(diagnostics)} of {len(result.fits)} bins fitted, "
        f"{sum(d.converged for d in diagnostics)} converged; smallest effective sample size "
        f"{min(d.ess_min for d in diagnostics):.0f}; "
        f"{sum(d.log_bayes_factor > 3 for d in diagnostics)} bins clearly not Gaussian (log Bayes factor > 3)"
    )
    for path in paths:
        typer.echo(f"wrote {path}")
    for index, error in sorted(result.failures.items()):
        typer.echo(f"error: bin {index} failed and is left out: {error}", err=True)
    if done:
        typer.echo(f"done in {time.perf_counter() - start:.1f} s")
    return result
