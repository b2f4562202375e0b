"""Rules for tables of Gauss-Hermite coefficients, each against a folder spoilt in that one way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.folders import BINS as B
from tests.helpers.folders import GAUSS_HERMITE as G
from tests.helpers.folders import gauss_hermite_folder
from tests.helpers.spoil import (
    Expected,
    Spoil,
    cell,
    check,
    ids,
    no_meta,
    remove,
)

GAUSS_HERMITE_CASES: dict[str, tuple[Spoil, list[Expected]]] = {
    "no-psf": (no_meta("PSF"), [("psf-missing", "error", G, None, "meta['PSF']", None)]),
    "nan": (cell("h3", 2, np.nan), [("nan", "error", G, 2, "h3", np.nan)]),
    "dv-zero": (cell("dv", 1, 0.0), [("gh-uncertainty", "wrong", G, 1, "dv", 0.0)]),
    "dv-tiny": (cell("dv", 1, 1e-6), [("gh-uncertainty", "doubtful", G, 1, "dv", 1e-6)]),
    "dsigma-negative": (cell("dsigma", 4, -1.0), [("gh-uncertainty", "wrong", G, 4, "dsigma", -1.0)]),
    "dh4-zero": (cell("dh4", 5, 0.0), [("gh-uncertainty", "wrong", G, 5, "dh4", 0.0)]),
    "sigma-zero": (cell("sigma", 3, 0.0), [("gh-sigma", "wrong", G, 3, "sigma", 0.0)]),
    "h3-large": (cell("h3", 2, -0.6), [("gh-size", "doubtful", G, 2, "h3", -0.6)]),
    "metres-per-second": (
        lambda f: [f.table.__setitem__(n, 1000 * f.table[n]) for n in ("v", "dv", "sigma", "dsigma")],
        [("velocity-size", "doubtful", G, ..., "sigma", ...)],
    ),
    "systemic-velocity": (
        lambda f: f.table.__setitem__("v", f.table["v"] + 200.0),
        [("systemic-velocity", "doubtful", G, None, "v", ...)],
    ),
    "no-dh3": (remove("dh3"), [("gh-missing", "error", G, None, "dh3", None)]),
    "no-id": (
        remove("vbin_id"),
        [("id-column", "error", G, None, "v", None), ("gh-missing", "error", G, None, "vbin_id", None)],
    ),
    "gap-in-the-orders": (
        lambda f: f.table.add_columns([f.table["h3"], f.table["dh3"]], names=["h6", "dh6"]),
        [("gh-missing", "error", G, None, "h5", None)],
    ),
    "last-id": (
        lambda f: f.table.__setitem__("vbin_id", [1, 2, 3, 4, 5, 8]),
        [("id-last", "error", G, 5, "vbin_id", 8.0)],
    ),
    "id-not-first": (
        lambda f: setattr(f, "table", f.table[[*f.table.colnames[1:], "vbin_id"]]),
        [("id-column", "error", G, None, "v", None)],
    ),
    "unknown-pixel": (
        ids(lambda i: np.where(np.arange(48) == 42, 7, i)),
        [("pixel-without-row", "error", B, 7, None, 7)],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "expected"), GAUSS_HERMITE_CASES.values(), ids=GAUSS_HERMITE_CASES)
def test_gauss_hermite_table(tmp_path: Path, spoil: Spoil, expected: list[Expected]) -> None:
    check(gauss_hermite_folder(tmp_path), spoil, expected)
