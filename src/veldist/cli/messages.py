"""Messages for people at a terminal, and numbers that they type."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import typer

__all__ = ["numbers", "plain_errors", "plain_warning"]


@contextmanager
def plain_errors() -> Generator[None]:
    """Turn errors that a user can mend into one message and exit code 1."""
    try:
        yield
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        typer.echo(f"error: {_as_options(str(error))}", err=True)
        raise typer.Exit(1) from None


def _as_options(message: str) -> str:
    """The library's message in the terms of the command line."""
    message = message.replace("drop_masked=True", "--drop-masked")
    message = message.replace(
        "Pass the same stars and settings to go on with it, or the path of a new store.",
        "Pass the same stars and options to go on with it, or another --out, or remove the store.",
    )
    for name in ("min_membership", "position_unit", "velocity_unit", "min_stars", "stars_per_bin", "n_stars"):
        message = message.replace(name, "--" + name.replace("_", "-"))
    return message


def numbers(text: str, name: str, whole: bool = False) -> list[float]:
    """Numbers between commas."""
    try:
        return [int(part) if whole else float(part) for part in text.split(",")]
    except ValueError:
        kind = "whole numbers" if whole else "numbers"
        raise ValueError(f"{name} is '{text}': pass {kind}, with commas between them.") from None


def plain_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Format a warning without the line of source code, for `warnings.formatwarning`."""
    return f"warning: {message}\n"
