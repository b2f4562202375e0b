"""The commands of ``veldist`` put together. What they need is imported when they run."""

from __future__ import annotations

import atexit
import gc
from typing import Annotated, Any

import typer

from veldist.cli import interrupts
from veldist.cli.check import check
from veldist.cli.demo import demo
from veldist.cli.fit import fit
from veldist.cli.forecast import forecast
from veldist.cli.memory import enough
from veldist.cli.options import Quiet, Verbose
from veldist.cli.report import report
from veldist.cli.streams import accept_loss

__all__ = ["app"]


class _App(typer.Typer):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command that the process was started for."""
        # The process ends here. A last search for garbage among the objects of all libraries would take half
        # a second.
        atexit.register(gc.freeze)
        accept_loss()
        with interrupts.watched(), enough():
            return super().__call__(*args, **kwargs)


app = _App(no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown")
for command in (fit, report, forecast, demo, check):
    app.command()(command)


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
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Line-of-sight velocity distributions (LOSVDs) of resolved stars, as posteriors.

    veldist COMMAND --help tells the options of a command. --quiet and --verbose may stand before the command
    or after it. With --install-completion, the Tab key completes commands and options.
    """
