"""``veldist check``: what is wrong with DYNAMITE input."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from veldist.cli.messages import running
from veldist.cli.options import Quiet, Verbose
from veldist.cli.streams import check_told

__all__ = ["check"]


def check(
    folder: Annotated[Path, typer.Argument(help="Folder with kinematics, aperture and bin map.")],
    kin_filename: Annotated[
        str | None,
        typer.Option(help="Kinematics table; by default all that the folder holds."),
    ] = None,
    aperture_filename: Annotated[str, typer.Option(help="Geometry of the pixel grid.")] = "aperture.dat",
    bins_filename: Annotated[str, typer.Option(help="Bin of each pixel.")] = "bins.dat",
    strict: Annotated[bool, typer.Option("--strict", help="Fail on doubtful things, too.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Check DYNAMITE input files of any origin, and print everything that is wrong with them.

    Problems are errors (DYNAMITE stops), wrong (it is misled) or doubtful (to be looked at). The exit code
    is 1 if there are errors or wrong things.
    """
    with running(quiet, verbose, lambda: "interrupted: the files were not checked to the end.") as say:
        from veldist.export.checks.folder import validate_dynamite_inputs

        problems = validate_dynamite_inputs(folder, kin_filename, aperture_filename, bins_filename)
        for problem in problems:
            typer.echo(str(problem))
        severities = [problem.severity for problem in problems]
        counts = [f"{severities.count(s)} {s}" for s in ("error", "wrong", "doubtful") if s in severities]
        say(f"{folder}: {', '.join(counts) or 'no problems'}")
        check_told()
        if set(severities) - (set() if strict else {"doubtful"}):
            raise typer.Exit(1)
