"""What commands say to people at a terminal, and numbers that these type."""

from __future__ import annotations

import logging
import platform
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager

import typer

from veldist._support.memory import check_limit, memory_ran_out
from veldist._version import __version__
from veldist.cli.interrupts import came, told
from veldist.cli.memory import NEEDED

__all__ = ["as_options", "numbers", "running"]

logger = logging.getLogger(__name__)


@contextmanager
def running(quiet: bool, verbose: bool, kept: Callable[[], str]) -> Generator[Callable[[str], None]]:
    """Run a command: its messages, its errors, and its answer to Ctrl-C.

    Errors that a user can mend become one message and exit code 1.

    Parameters
    ----------
    quiet, verbose : bool
        Whether to leave out all but warnings and errors, or to add debug messages of this package.
    kept : callable
        Says, on Ctrl-C, what was kept and how to go on. See `veldist.cli.interrupts.told`.

    Yields
    ------
    callable
        Prints a line of text on the standard output, unless ``quiet``.
    """
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    with told(kept), _logged(level), warnings.catch_warnings():
        # A person at a terminal wants the message, not the line of source code.
        before, warnings.formatwarning = warnings.formatwarning, _plain_warning  # ty: ignore[invalid-assignment]
        try:
            check_limit(NEEDED)
            logger.debug("veldist %s, Python %s, %s", __version__, platform.python_version(), sys.platform)
            yield (lambda text: None) if quiet else typer.echo
        except typer.Exit:
            raise
        except (ValueError, TypeError, OSError, RuntimeError) as error:
            if came() or memory_ran_out(error):
                raise
            logger.debug("where it happened:", exc_info=True)
            typer.echo(f"error: {as_options(str(error))}", err=True)
            raise typer.Exit(1) from None
        finally:
            warnings.formatwarning = before


@contextmanager
def _logged(level: int) -> Generator[None]:
    """Messages of this package, from a level on, on the standard error; those of others as ever."""
    ours, handler = logging.getLogger("veldist"), _Handler()
    before = ours.level
    ours.addHandler(handler)
    ours.setLevel(level)
    try:
        yield
    finally:
        ours.removeHandler(handler)
        ours.setLevel(before)


class _Handler(logging.Handler):
    """Write to the standard error, above a progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        from tqdm import tqdm

        tqdm.write(self.format(record), file=sys.stderr)


def _plain_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning without the line of source code, for `warnings.formatwarning`."""
    return f"warning: {as_options(str(message))}\n"


def as_options(message: str) -> str:
    """The library's message in the terms of the command line."""
    message = message.replace("drop_masked=True", "--drop-masked").replace("align=True", "--align")
    for name in ("id", "instrument"):
        message = message.replace(f"{name}='COLUMN'", f"--{name} COLUMN")
    message = message.replace(
        "Pass the same stars and settings to go on with it, or the path of a new store.",
        "Pass the same stars and options to go on with it, or another --out, or remove the store.",
    )
    message = message.replace("the same call", "the same command")
    message = message.replace('contaminant="learn"', "--contaminant learn")
    message = message.replace("n_jobs=1", "--jobs 1").replace("n_jobs", "--jobs")
    message = message.replace("pass the path of another store", "pass another --out")
    message = message.replace("Contaminant.sample of a control", "--contaminant FILE of a control")
    message = message.replace("Contaminant.gaussian", "--contaminant gaussian:V,SIGMA")
    for name in (
        "min_membership",
        "position_unit",
        "velocity_unit",
        "min_stars",
        "stars_per_bin",
        "n_stars",
        "num_samples",
        "psf_sigma",
        "v_systemic",
        "v_guess",
    ):
        message = message.replace(name, "--" + name.replace("_", "-"))
    return message


def numbers(text: str, name: str, whole: bool = False) -> list[float]:
    """Numbers between commas."""
    try:
        return [int(part) if whole else float(part) for part in text.split(",")]
    except ValueError:
        kind = "whole numbers" if whole else "numbers"
        raise ValueError(f"{name} is '{text}': pass {kind}, with commas between them.") from None
