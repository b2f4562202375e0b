"""``veldist report``: one HTML file on a fitted map."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from veldist.cli.messages import running
from veldist.cli.options import RUN, Quiet, Verbose

__all__ = ["report"]


def report(
    result: Annotated[
        Path,
        typer.Argument(
            help="Folder that veldist fit or veldist demo has written, or a store that "
            "fit_all_bins(..., store=...) has."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", "-o", rich_help_panel=RUN, help="HTML file to write; an older one is replaced."
        ),
    ] = Path("report.html"),
    title: Annotated[
        str | None,
        typer.Option(rich_help_panel=RUN, help="Heading of the page; by default from the folder's name."),
    ] = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write one HTML file that shows maps, the LOSVD of every bin, and a table.

    It needs no network and no other file. veldist fit and veldist demo write one, too: this is for stores,
    unfinished maps, and another title or place.
    """

    def kept() -> str:
        return (
            f"interrupted: {out} was not written, and {result} is as it was; the same command starts again."
        )

    with running(quiet, verbose, kept) as say:
        from veldist.pipeline.folder import report_on

        say(f"wrote {report_on(result, out, title=title)}")
