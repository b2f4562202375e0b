"""Rules for the two text files that describe the pixels: aperture and bin map."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from veldist._support.arrays import Ints
from veldist._support.validate import name_first
from veldist.export.checks.problem import Problem, Rule, Severity
from veldist.sky.pixels import PixelGrid

__all__ = [
    "BinMap",
    "check_bin_numbers",
    "check_pixel_count",
    "check_pixel_shape",
    "read_aperture_leniently",
    "read_bins_leniently",
]

# 18 digits fit into 64 bits.
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_LAYOUT = "The lines are: comment, x_start y_start, x_size y_size, angle, nx ny."
_FULL_TURN = 360.0
# Logarithm of the ratio of a pixel's sides.
_SQUARE_TOLERANCE = 0.01
_LINES = (("x_start", "y_start"), ("x_size", "y_size"), ("angle",), ("nx", "ny"))


@dataclass(frozen=True)
class BinMap:
    """Bin map as it stands in its file.

    Attributes
    ----------
    file : str
        Name of the file.
    ids : ndarray of int, shape (n_pixels,)
        Bin of each pixel, counted from 1; 0 for none.
    lines : ndarray of int, shape (n_pixels,)
        Line of the file that each id stands on, counted from 1.
    """

    file: str
    ids: Ints
    lines: Ints


def _read_lines(path: Path) -> tuple[list[list[str]], list[Problem]]:
    """Words of each line; a missing comment line is reported and put in."""
    try:
        lines = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError as error:
        problem = Problem(
            path.name,
            None,
            None,
            str(error),
            "error",
            "unreadable",
            f"the file cannot be read ({error}).",
            "Make it readable.",
        )
        return [], [problem]
    if lines and lines[0] and _number(lines[0][0]) is not None:
        problem = Problem(
            path.name,
            1,
            None,
            " ".join(lines[0][:10]),
            "error",
            "comment-line",
            "the file begins with a number, but its first line is skipped as a comment.",
            "Put a line that begins with # in front.",
        )
        return [["#"], *lines], [problem]
    if lines and lines[0] and lines[0][0].startswith("#"):
        return lines, []
    text = " ".join(lines[0][:10]) if lines else ""
    found = f"'{text}'" if text else "empty"
    problem = Problem(
        path.name,
        1,
        None,
        text,
        "doubtful",
        "comment-line",
        f"the first line is {found}; it is skipped as a comment, which should begin with #.",
        "Put a line that begins with # in front, or # before this one.",
    )
    return lines, [problem]


def _number(word: str) -> float | None:
    with suppress(ValueError):
        return float(word)
    return None


def read_aperture_leniently(path: Path) -> tuple[PixelGrid | None, list[Problem]]:
    """Read the geometry of the pixel grid and report all that is wrong with it.

    Returns
    -------
    grid : PixelGrid or None
        None if it cannot be used.
    problems : list of Problem
    """
    lines, problems = _read_lines(path)
    if problems and problems[0].rule == "unreadable":
        return None, problems
    shift = sum(problem.severity == "error" for problem in problems)  # the comment line put in
    numbers: dict[str, float] = {}

    def add(line: int, value: object, severity: Severity, rule: Rule, message: str, cure: str) -> None:
        problems.append(Problem(path.name, line - shift, None, value, severity, rule, message, cure))

    for k, names in enumerate(_LINES, start=1):
        words = lines[k] if k < len(lines) else []
        if len(words) < len(names):
            message = f"nothing is given for {' and '.join(names[len(words) :])}."
            add(k + 1, " ".join(words) or None, "error", "aperture-lines", message, _LAYOUT)
        for name, word in zip(names, words, strict=False):
            value = _number(word)
            if value is None or not np.isfinite(value):
                add(k + 1, word, "error", "aperture-number", f"{name} is '{word}', not a number.", _LAYOUT)
            elif name == "angle" and abs(value) > _FULL_TURN:
                message = f"the angle is {value:g} degrees, more than a full turn."
                add(k + 1, value, "doubtful", "aperture-angle", message, "Give degrees, -360 to 360.")
                numbers[name] = value
            elif name in ("x_size", "y_size") and value <= 0:
                message = f"{name} is {value:g}: the pixel grid has no extent."
                add(k + 1, value, "wrong", "aperture-size", message, "Give the full extent, arcsec.")
            elif name in ("nx", "ny") and not _INTEGER.fullmatch(word):
                message = f"{name} is '{word}', not an integer."
                add(
                    k + 1,
                    word,
                    "error",
                    "aperture-pixels",
                    message,
                    "Write the number of pixels without a point.",
                )
            elif name in ("nx", "ny") and value < 1:
                message = f"{name} is {word}: there are no pixels."
                add(k + 1, int(value), "error", "aperture-pixels", message, "Give the number of pixels.")
            else:
                numbers[name] = value
    if len(numbers) < sum(map(len, _LINES)):
        return None, problems
    *lengths, nx, ny = numbers.values()
    return PixelGrid(*lengths, int(nx), int(ny)), problems


def read_bins_leniently(path: Path) -> tuple[BinMap | None, list[Problem]]:
    """Read the bin map and report all that is wrong with it by itself.

    Returns
    -------
    bin_map : BinMap or None
        None if it cannot be used.
    problems : list of Problem
    """
    lines, problems = _read_lines(path)
    if problems and problems[0].rule == "unreadable":
        return None, problems
    shift = sum(problem.severity == "error" for problem in problems)  # the comment line put in
    words = [(k + 1 - shift, word) for k, line in enumerate(lines[2:], start=2) for word in line]
    if len(lines) < 2 or not lines[1] or not words:
        problems.append(
            Problem(
                path.name,
                len(lines) + 1 - shift,
                None,
                None,
                "error",
                "bins-lines",
                "the number of pixels or the ids are missing.",
                "The lines are: comment, number of pixels, the ids with x varying fastest.",
            )
        )
        return None, problems
    bad = [(line, word) for line, word in words if not _INTEGER.fullmatch(word)]
    if bad:
        more = f"; {len(bad)} such values" if len(bad) > 1 else ""
        problems.append(
            Problem(
                path.name,
                bad[0][0],
                None,
                bad[0][1],
                "error",
                "bins-integer",
                f"'{bad[0][1]}' is not an integer{more}.",
                "Write ids 1, 2, ..., and 0 for a pixel in no bin.",
            )
        )
    count = lines[1][0]
    if not _INTEGER.fullmatch(count) or int(count) != len(words):
        problems.append(
            Problem(
                path.name,
                2 - shift,
                None,
                count,
                "error",
                "pixel-count",
                f"the file announces '{count}' pixels and holds {len(words)}.",
                "Write the number of pixels, nx * ny, and one id for each.",
            )
        )
    if bad:
        return None, problems
    ids = np.array([int(word) for _, word in words])
    bin_map = BinMap(path.name, ids, np.array([line for line, _ in words]))
    if (ids < 0).any():
        first = int(np.argmax(ids < 0))
        problems.append(
            Problem(
                path.name,
                int(bin_map.lines[first]),
                None,
                int(ids[first]),
                "wrong",
                "negative-id",
                f"{np.count_nonzero(ids < 0)} of {ids.size} pixels have negative ids; the first is "
                f"{ids[first]}, pixel {first}.",
                "Write 0 for a pixel in no bin.",
            )
        )
    return bin_map, problems


def check_pixel_shape(grid: PixelGrid, aperture_file: str) -> Iterator[Problem]:
    """Suspect pixels that are not square."""
    if abs(np.log(grid.dx / grid.dy)) > _SQUARE_TOLERANCE:
        exchanged = np.log((grid.x_size / grid.ny) / (grid.y_size / grid.nx))
        hint = "; they would be square with nx and ny exchanged" if abs(exchanged) < _SQUARE_TOLERANCE else ""
        yield Problem(
            aperture_file,
            5,
            None,
            (grid.dx, grid.dy),
            "doubtful",
            "pixel-shape",
            f"pixels are {grid.dx:g} arcsec wide and {grid.dy:g} high, not square{hint}.",
            "Check the extent, and that nx comes before ny.",
        )


def check_pixel_count(grid: PixelGrid, aperture_file: str, bin_map: BinMap) -> Iterator[Problem]:
    """Compare the number of ids with nx * ny."""
    if bin_map.ids.size != grid.nx * grid.ny:
        yield Problem(
            bin_map.file,
            2,
            None,
            bin_map.ids.size,
            "error",
            "pixel-count",
            f"the file holds {bin_map.ids.size} ids, but nx * ny is {grid.nx} * {grid.ny} = "
            f"{grid.nx * grid.ny} in {aperture_file}.",
            "Write one id per pixel, or mend nx and ny.",
        )


def check_bin_numbers(bin_map: BinMap, n_rows: int, table_file: str) -> Iterator[Problem]:
    """Compare the ids in the map with the rows of a table."""
    ids = bin_map.ids
    unknown = ids > n_rows
    if unknown.any():
        first = int(np.argmax(unknown))
        yield Problem(
            bin_map.file,
            int(bin_map.lines[first]),
            None,
            int(ids[first]),
            "error",
            "pixel-without-row",
            f"{np.count_nonzero(unknown)} pixels have ids beyond the {n_rows} rows of {table_file} "
            f"(the largest is {ids.max()}; the first, {ids[first]}, is pixel {first}).",
            "Set the pixels of bins that were left out to 0, and renumber the rest 1, 2, ... in the order of "
            "the rows.",
        )
    missing = np.setdiff1d(np.arange(1, n_rows + 1), ids)
    if missing.size:
        # DYNAMITE compares the largest id with the number of rows, and looks at no other.
        severity: Severity = "error" if ids.max(initial=0) < n_rows else "wrong"
        yield Problem(
            bin_map.file,
            None,
            None,
            int(missing[0]),
            severity,
            "bin-without-pixel",
            f"no pixel has the id of {missing.size} of {n_rows} rows of {table_file} (ids "
            f"{name_first(missing, 5)}): their LOSVDs would be compared with nothing.",
            "Assign them pixels (id = row + 1), or remove the rows and renumber the rest.",
        )
