"""Options that tell which rows of a star table are one star, and what measured them."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Align", "Identity", "Instrument"]

Identity = Annotated[
    str | None,
    typer.Option(
        "--id",
        help="Column that tells the stars: rows of one star are repeat visits, which are averaged. Without "
        "it rows at equal positions are, unless their velocities look like those of different stars.",
    ),
]
Instrument = Annotated[
    str | None,
    typer.Option(
        help="Column with the instrument or epoch of every row: their zero points and error scales are "
        "measured and reported."
    ),
]
Align = Annotated[
    bool,
    typer.Option("--align", help="Subtract the zero points of --instrument from the velocities."),
]
