"""Rules for aperture and bin map, each against a folder spoilt in that one way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.folders import APERTURE as A
from tests.helpers.folders import BINS as B
from tests.helpers.folders import HISTOGRAM as T
from tests.helpers.folders import histogram_folder
from tests.helpers.spoil import (
    Expected,
    Spoil,
    cell,
    check,
    ids,
    line,
)

PIXEL_CASES: dict[str, tuple[Spoil, list[Expected]]] = {
    "aperture-short": (line(A, 5, None), [("aperture-lines", "error", A, 5, None, None)]),
    "aperture-one-number": (line(A, 3, "12.0"), [("aperture-lines", "error", A, 3, None, "12.0")]),
    "aperture-text": (line(A, 2, "-6.0 left"), [("aperture-number", "error", A, 2, None, "left")]),
    "aperture-nan": (line(A, 4, "nan"), [("aperture-number", "error", A, 4, None, "nan")]),
    "zero-size": (line(A, 3, "0.0 16.0"), [("aperture-size", "wrong", A, 3, None, 0.0)]),
    "negative-size": (line(A, 3, "12.0 -16.0"), [("aperture-size", "wrong", A, 3, None, -16.0)]),
    "nx-is-no-integer": (line(A, 5, "6.0 8"), [("aperture-pixels", "error", A, 5, None, "6.0")]),
    "no-pixels": (line(A, 5, "6 0"), [("aperture-pixels", "error", A, 5, None, 0)]),
    "nx-times-ny": (line(A, 5, "6 9"), [("pixel-count", "error", B, 2, None, 48)]),
    "aperture-comment": (line(A, 1, None), [("comment-line", "error", A, 1, None, "-6.0 -8.0")]),
    "bins-comment": (line(B, 1, None), [("comment-line", "error", B, 1, None, "48")]),
    "aperture-first-line-empty": (line(A, 1, ""), [("comment-line", "doubtful", A, 1, None, "")]),
    "bins-first-line-bare": (line(B, 1, "bin map"), [("comment-line", "doubtful", B, 1, None, "bin map")]),
    "angle": (line(A, 4, "-400.0"), [("aperture-angle", "doubtful", A, 4, None, -400.0)]),
    # The map has as many ids as before.
    "nx-and-ny": (line(A, 5, "8 6"), [("pixel-shape", "doubtful", A, 5, None, (1.5, 16.0 / 6.0))]),
    "announced-number": (line(B, 2, "47"), [("pixel-count", "error", B, 2, None, "47")]),
    "ids-missing": (ids(lambda i: i[:-1]), [("pixel-count", "error", B, 2, None, "48")]),
    "no-ids": (lambda f: f.bins.__delitem__(slice(2, None)), [("bins-lines", "error", B, 3, None, None)]),
    "id-text": (
        lambda f: f.bins.__setitem__(3, f.bins[3].replace("2", "x", 1)),
        [("bins-integer", "error", B, 4, None, "x")],
    ),
    "id-float": (ids(lambda i: i.astype(float)), [("bins-integer", "error", B, 3, None, "1.0")]),
    # Pixel 42 is the third of the fifth line of ids.
    "negative-id": (
        ids(lambda i: np.where(np.arange(48) == 42, -1, i)),
        [("negative-id", "wrong", B, 7, None, -1)],
    ),
    "unknown-id": (
        ids(lambda i: np.where(np.arange(48) == 42, 7, i)),
        [("pixel-without-row", "error", B, 7, None, 7)],
    ),
    "bin-without-pixel": (
        ids(lambda i: np.where(i == 3, 0, i)),
        [("bin-without-pixel", "wrong", B, None, None, 3)],
    ),
    "last-bin-without-pixel": (
        ids(lambda i: np.where(i == 6, 0, i)),
        [("bin-without-pixel", "error", B, None, None, 6)],
    ),
    "transposed": (
        ids(lambda i: i.reshape(8, 6).T.ravel()),
        [("bin-position", "doubtful", T, ..., "xbin, ybin", ...)],
    ),
    "two-bins-exchanged": (
        ids(lambda i: np.select([i == 1, i == 6], [6, 1], i)),
        [("bin-position", "doubtful", T, 0, "xbin, ybin", (-3.0, -6.0))],
    ),
    "outside": (cell("ybin", 1, 90.0), [("outside-aperture", "doubtful", T, 1, "xbin, ybin", (3.0, 90.0))]),
    "no-aperture": (
        lambda f: (f.write() / A).unlink(),
        [("file-missing", "error", A, None, None, None)],
    ),
    "no-bins": (lambda f: (f.write() / B).unlink(), [("file-missing", "error", B, None, None, None)]),
    "no-table": (lambda f: (f.write() / T).unlink(), [("file-missing", "error", T, None, None, None)]),
}


@pytest.mark.parametrize(("spoil", "expected"), PIXEL_CASES.values(), ids=PIXEL_CASES)
def test_pixels(tmp_path: Path, spoil: Spoil, expected: list[Expected]) -> None:
    check(histogram_folder(tmp_path), spoil, expected)
