"""What the options say of members, contaminants and errors. What is needed for it is imported when it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from veldist.cli.messages import numbers

if TYPE_CHECKING:
    from veldist.models.contaminants import ContaminantDensity
    from veldist.models.error_model import ErrorModel
    from veldist.sky.catalog import StarCatalog

__all__ = ["CONTAMINANT_HELP", "ERROR_MODEL_HELP", "check_membership", "read_contaminant", "read_error_model"]

CONTAMINANT_HELP = (
    "How the velocities of stars that are no members are distributed. learn: found from all stars of the "
    "table. uniform, or uniform:LOW,HIGH (km/s). gaussian:V,SIGMA (km/s). FILE, FILE:COLUMN or "
    "FILE:COLUMN,ERRCOLUMN: velocities of a control field or of a model of the Galaxy. By default all stars "
    "are members."
)
ERROR_MODEL_HELP = (
    "Errors that are not one Gaussian. outliers:F,SCALE: a fraction F is too small by the factor SCALE. "
    "student:NU: Student t. binaries:F: a fraction F of the stars are binaries, seen once."
)
_GIVEN = "pass learn, uniform, uniform:LOW,HIGH, gaussian:V,SIGMA, FILE, FILE:COLUMN or FILE:COLUMN,ERRCOLUMN"
_ERRORS = {"outliers": ("F", "SCALE"), "student": ("NU",), "binaries": ("F",)}


def check_membership(
    membership: str | None, min_membership: float | None, contaminant: str | None, v_guess: float | None
) -> bool:
    """Whether the column of memberships is known beforehand, and cuts nothing.

    Raises
    ------
    ValueError
        If it has no use, or an option lacks the other that it is for.
    """
    if v_guess is not None and contaminant != "learn":
        raise ValueError(
            "--v-guess is where --contaminant learn looks for the members: give both or neither."
        )
    if membership is None or min_membership is not None:
        return False
    if contaminant is None:
        raise ValueError(
            "--membership is given without --min-membership and without --contaminant: --min-membership "
            "leaves stars out, --contaminant takes the column for what is known of every star beforehand."
        )
    return True


def read_contaminant(
    text: str, stars: StarCatalog, vel: str, **options: Any
) -> ContaminantDensity | Literal["learn"]:
    """The contaminant that an option describes.

    Parameters
    ----------
    text : str
        As `CONTAMINANT_HELP` says.
    stars : StarCatalog
        The stars: a uniform contaminant without limits has the range of their velocities.
    vel : str
        Column of velocities in a file where none is named.
    **options
        As for `veldist.sky.velocities.read_velocities`.

    Raises
    ------
    OSError, TypeError, ValueError
        If it is none of them, or the file is unusable.
    """
    from veldist.models.contaminants import Contaminant

    kind, colon, rest = text.partition(":")
    if text == "learn":
        return "learn"
    if kind == "uniform":
        limits = _numbers_of(rest, "--contaminant uniform", ("LOW", "HIGH")) if colon else _range(stars)
        return Contaminant.uniform(*limits)
    if kind == "gaussian":
        return Contaminant.gaussian(*_numbers_of(rest, "--contaminant gaussian", ("V", "SIGMA")))
    from veldist.sky.velocities import read_velocities

    # Names of files may have colons, too.
    path, _, columns = (text, "", "") if Path(text).is_file() else text.rpartition(":")
    if not path or not Path(path).is_file():
        raise ValueError(f"--contaminant is '{text}', and there is no such file: {_GIVEN}.")
    column, _, err = columns.partition(",")
    return Contaminant.sample(*read_velocities(path, column or vel, err or None, **options))


def read_error_model(text: str) -> ErrorModel:
    """The error model that an option describes, as `ERROR_MODEL_HELP` says.

    Raises
    ------
    ValueError
        If it is none.
    """
    from veldist.models.error_model import ErrorModel

    kind, _, rest = text.partition(":")
    if kind not in _ERRORS:
        forms = " or ".join(f"{name}:{','.join(parts)}" for name, parts in _ERRORS.items())
        raise ValueError(f"--error-model is '{text}': pass {forms}.")
    return getattr(ErrorModel, kind)(*_numbers_of(rest, f"--error-model {kind}", _ERRORS[kind]))


def _range(stars: StarCatalog) -> list[float]:
    return [float(stars.vel.min()), float(stars.vel.max())]


def _numbers_of(text: str, name: str, parts: tuple[str, ...]) -> list[float]:
    """Numbers between commas, one for each part."""
    if not text or text.count(",") != len(parts) - 1:
        raise ValueError(f"{name}:{text} is not understood: pass {name}:{','.join(parts)}.")
    return numbers(text, name)
