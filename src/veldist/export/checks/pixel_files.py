"""The two text files that describe the pixels, read leniently: what is wrong is noted, and reading goes on.

Both begin with a comment line. The aperture's other lines are ``x_start y_start``, ``x_size y_size``,
``angle`` and ``nx ny``; the bin map's are the number of pixels and then one id per pixel, x varying fastest.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from veldist._support.arrays import Ints
from veldist.export.checks.problem import Problem, Rule, Severity
from veldist.sky.pixels import PixelGrid

__all__ = ["BinMap", "parse_aperture", "parse_bins"]

_INTEGER = re.compile(r"[+-]?[0-9]+")
# No map has more bins or pixels than nine digits count, and 32 bits hold them.
_MOST_DIGITS = 9
_APERTURE_LINES = (("x_start", "y_start"), ("x_size", "y_size"), ("angle",), ("nx", "ny"))
_LAYOUT = "The lines are: comment, x_start y_start, x_size y_size, angle, nx ny."
_FULL_TURN = 360.0


@dataclass(frozen=True, eq=False)
class BinMap:
    """Bin map as it stands in its file."""

    file: str  # name of the file
    # (n_pixels,): Bin of each pixel, counted from 1; 0 for none.
    ids: Ints
    lines: Ints  # (n_pixels,): line of the file that each id stands on, counted from 1


def parse_aperture(file: str, text: str) -> tuple[PixelGrid | None, list[Problem]]:
    """Read the geometry of the pixel grid. Words after those that are needed are not looked at.

    Parameters
    ----------
    file : str
        Name of the file, for the problems.
    text : str
        What it holds.

    Returns
    -------
    grid : PixelGrid or None
        None if it cannot be used: then a problem is more than doubtful.
    problems : list of Problem
    """
    lines, first, problems = _after_comment(file, text)
    numbers: dict[str, float] = {}
    for k, names in enumerate(_APERTURE_LINES):
        words = lines[k] if k < len(lines) else []
        if len(words) < len(names):
            message = f"nothing is given for {' and '.join(names[len(words) :])}."
            value = " ".join(words) or None
            problems.append(
                Problem(file, first + k, None, value, "error", "aperture-lines", message, _LAYOUT)
            )
        for name, word in zip(names, words, strict=False):
            flaw = _flaw(name, word)
            if flaw is not None:
                problems.append(Problem(file, first + k, None, *flaw))
            if flaw is None or flaw[1] == "doubtful":
                numbers[name] = float(word)
    if len(numbers) < sum(map(len, _APERTURE_LINES)):
        return None, problems
    *lengths, nx, ny = numbers.values()
    return PixelGrid(*lengths, int(nx), int(ny)), problems


def parse_bins(file: str, text: str) -> tuple[BinMap | None, list[Problem]]:
    """Read the bin map; parameters and results as those of `parse_aperture`."""
    lines, first, problems = _after_comment(file, text)

    def add(line: int, value: object, severity: Severity, rule: Rule, message: str, cure: str) -> None:
        problems.append(Problem(file, line, None, value, severity, rule, message, cure))

    counts, body = (lines[0], lines[1:]) if lines else ([], [])
    words = [word for line in body for word in line]
    if not counts or not words:
        message = "the number of pixels or the ids are missing."
        cure = "The lines are: comment, number of pixels, the ids with x varying fastest."
        add(first + len(lines) if counts else first, None, "error", "bins-lines", message, cure)
        return None, problems
    numbers = np.repeat(np.arange(len(body)) + first + 1, [len(line) for line in body])
    flaws = {word: flaw for word in set(words) if (flaw := _no_count(word))}
    if flaws:
        bad = [k for k, word in enumerate(words) if word in flaws]
        word = words[bad[0]]
        more = f"; {len(bad)} such values" if len(bad) > 1 else ""
        cure = "Write ids 1, 2, ..., and 0 for a pixel in no bin."
        add(int(numbers[bad[0]]), word, "error", "bins-integer", f"'{word}' is {flaws[word]}{more}.", cure)
    if _no_count(counts[0]) or int(counts[0]) != len(words):
        message = f"the file announces '{counts[0]}' pixels and holds {len(words)}."
        cure = "Write the number of pixels, nx * ny, and one id for each."
        add(first, counts[0], "error", "pixel-count", message, cure)
    if flaws:
        return None, problems
    ids = np.array([int(word) for word in words])
    if (ids < 0).any():
        k = int(np.argmax(ids < 0))
        message = (
            f"{np.count_nonzero(ids < 0)} of {ids.size} pixels have negative ids; the first is {ids[k]}, "
            f"pixel {k}."
        )
        add(int(numbers[k]), int(ids[k]), "wrong", "negative-id", message, "Write 0 for a pixel in no bin.")
    return BinMap(file, ids, numbers), problems


def _after_comment(file: str, text: str) -> tuple[list[list[str]], int, list[Problem]]:
    """Words of each line after the comment, the first one's number, and what is wrong with the comment."""
    lines = [line.split() for line in text.splitlines()]
    begin = lines[0] if lines else []
    if begin and begin[0].startswith("#"):
        return lines[1:], 2, []
    found, cure = " ".join(begin[:10]), "Put a line that begins with # in front"
    if begin and _number(begin[0]) is not None:
        message = f"the file begins with '{found}', but its first line is skipped as a comment."
        return lines, 1, [Problem(file, 1, None, found, "error", "comment-line", message, f"{cure}.")]
    shown = f"'{found}'" if found else "empty"
    message = f"the first line is {shown}; it is skipped as a comment, which should begin with #."
    cure += ", or # before this one."
    return lines[1:], 2, [Problem(file, 1, None, found, "doubtful", "comment-line", message, cure)]


def _number(word: str) -> float | None:
    with suppress(ValueError):
        return float(word)
    return None


def _no_count(word: str) -> str | None:
    """What keeps a word from being an integer that 32 bits hold, if anything does."""
    if not _INTEGER.fullmatch(word):
        return "not an integer"
    return "too large" if len(word.lstrip("+-0")) > _MOST_DIGITS else None


def _flaw(name: str, word: str) -> tuple[object, Severity, Rule, str, str] | None:
    """What is wrong with a number of the aperture: value, severity, rule, message and cure."""
    value = _number(word)
    if value is None or not np.isfinite(value):
        return word, "error", "aperture-number", f"{name} is '{word}', not a number.", _LAYOUT
    if name == "angle" and abs(value) > _FULL_TURN:
        message = f"the angle is {value:g} degrees, more than a full turn."
        return value, "doubtful", "aperture-angle", message, "Give degrees, -360 to 360."
    if name in ("x_size", "y_size") and value <= 0:
        message = f"{name} is {value:g}: the pixel grid has no extent."
        return value, "wrong", "aperture-size", message, "Give the full extent, arcsec."
    if name in ("nx", "ny") and (found := _no_count(word)):
        cure = "Write the number of pixels without a point."
        return word, "error", "aperture-pixels", f"{name} is '{word}', {found}.", cure
    if name in ("nx", "ny") and value < 1:
        message = f"{name} is {word}: there are no pixels."
        return int(value), "error", "aperture-pixels", message, "Give the number of pixels."
    return None
