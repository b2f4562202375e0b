"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["RUN", "Folder", "Jobs", "PerBin", "Quiet", "Samples", "Seed", "Verbose"]

RUN = "Run"
"""Heading in the help of the options that change no result."""


def _choose(ctx: typer.Context, param: typer.CallbackParam, value: bool) -> bool:
    """Take --quiet or --verbose from before the command or after it; refuse both."""
    chosen = ctx.ensure_object(set)
    if value:
        chosen.add(param.name)
    if len(chosen) > 1:
        raise typer.BadParameter("--quiet and --verbose exclude each other.")
    return param.name in chosen


Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        "-q",
        callback=_choose,
        rich_help_panel=RUN,
        help="Show warnings, errors and what was asked for only: no progress, no list of files.",
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose",
        "-v",
        callback=_choose,
        rich_help_panel=RUN,
        help="Say more about what is done, and where errors come from.",
    ),
]


def _folder(name: str | Path) -> Path:
    """A folder; an empty name, of a variable that is not set, say, would be the current one."""
    if name == "":
        typer.echo("error: --out is empty: name a folder, or . for the current one.", err=True)
        raise typer.Exit(1)
    return Path(name)


Folder = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        parser=_folder,
        metavar="PATH",
        rich_help_panel=RUN,
        help="Folder for the results, made if need be; files of the same names are replaced.",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(
        min=1, rich_help_panel=RUN, help="Worker processes; all cores by default. Results are the same."
    ),
]
Seed = Annotated[
    int,
    typer.Option(min=0, help="Seed of the random numbers: the same seed, the same results."),
]
Samples = Annotated[int, typer.Option(min=1, help="Posterior draws of each LOSVD.")]
PerBin = Annotated[
    int, typer.Option(min=1, help="Stars wanted in every spatial bin; beside contaminants, members.")
]
