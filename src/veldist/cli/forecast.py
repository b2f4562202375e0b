"""``veldist forecast``: what a planned observation will measure."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from veldist._support.files import check_ahead, new_file
from veldist.cli.messages import numbers, running
from veldist.cli.options import RUN, Jobs, Quiet, Samples, Seed, Verbose
from veldist.cli.streams import check_told

__all__ = ["forecast"]


def forecast(
    n_stars: Annotated[str, typer.Option(help="Number of stars in a bin, or several: 100,200,400.")],
    err: Annotated[str, typer.Option(help="Velocity error, km/s, or a range: 1,3.")],
    sigma: Annotated[float, typer.Option(help="Expected dispersion, km/s.")],
    mocks: Annotated[
        int,
        typer.Option(min=2, help="Mock observations per number of stars: more, more certain."),
    ] = 16,
    num_samples: Samples = 1000,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            rich_help_panel=RUN,
            help="Figure to write: .png, .pdf, .svg, ...; none by default.",
        ),
    ] = None,
    jobs: Jobs = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Tell how well a planned observation will measure V, dispersion and shape of a Gaussian LOSVD.

    Mock observations of one spatial bin are made and fitted. Printed are the uncertainties to expect, beside
    the smallest that are possible.

    Example: veldist forecast --n-stars 100,200,400 --err 2 --sigma 10 -o forecast.png
    """

    def kept() -> str:
        return "interrupted: a forecast keeps nothing on its way; the same command starts again."

    with running(quiet, verbose, kept) as say:
        counts = [int(n) for n in numbers(n_stars, "n_stars", whole=True)]
        errors = numbers(err, "err")
        if len(errors) > 2:
            raise ValueError(f"err is '{err}': pass one number, or two for a range.")
        if out is not None:
            # Before minutes are spent on a figure that could not be written.
            _check_figure(out)
        from veldist._support.processes import end_workers
        from veldist.calibration import forecast as run_forecast

        result = run_forecast(
            counts,
            errors[0] if len(errors) == 1 else (errors[0], errors[1]),
            sigma,
            n_mocks=mocks,
            num_samples=num_samples,
            seed=seed,
            n_jobs=jobs,
            progress=not quiet,
        )
        end_workers()
        typer.echo(str(result))
        if out is not None:
            import matplotlib as mpl

            mpl.use("Agg")
            with new_file(out) as temporary:
                result.plot().savefig(temporary, dpi=200)
            say(f"wrote {out}")
        check_told()


def _check_figure(out: Path) -> None:
    check_ahead(out)
    from matplotlib.backend_bases import FigureCanvasBase

    types = FigureCanvasBase.get_supported_filetypes()
    if out.suffix[1:].lower() not in types:
        raise ValueError(
            f"--out is '{out}': a figure needs one of the suffixes ." + ", .".join(sorted(types)) + "."
        )
