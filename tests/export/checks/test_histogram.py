"""Rules for tables of histograms, each against a folder spoilt in that one way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.helpers.folders import HISTOGRAM as T
from tests.helpers.folders import Folder, histogram_folder
from tests.helpers.spoil import (
    Expected,
    Spoil,
    cell,
    check,
    mask,
    meta,
    no_meta,
    remove,
    scale,
    text_column,
)


def shift_grid(f: Folder) -> None:
    """A systemic velocity of 250 km/s."""
    f.table.meta["vcent"] = [v + 250.0 for v in f.table.meta["vcent"]]
    f.table["v"] += 250.0


def to_metres(f: Folder) -> None:
    f.table.meta["vcent"] = [v * 1000.0 for v in f.table.meta["vcent"]]
    f.table.meta["dv"] *= 1000.0
    f.table["v"] *= 1000.0
    f.table["sigma"] *= 1000.0


def narrow(f: Folder) -> None:
    """All columns that hold mass, but fewer of them: a grid of +-60 km/s for dispersions of 30."""
    keep = range(6, 18)
    mass = np.array([f.table[f"losvd_{j}"] for j in keep]).T
    error = np.array([f.table[f"dlosvd_{j}"] for j in keep]).T
    mass[:, [0, -1]] = 0.0
    centers = np.array(f.table.meta["vcent"])[list(keep)]
    for name in [name for name in f.table.colnames if "losvd_" in name]:
        f.table.remove_column(name)
    for j in range(len(keep)):
        f.table[f"losvd_{j}"], f.table[f"dlosvd_{j}"] = mass[:, j], error[:, j]
    p = mass / mass.sum(axis=1, keepdims=True)
    f.table["v"] = p @ centers
    f.table["sigma"] = np.sqrt(p @ centers**2 - f.table["v"] ** 2)
    f.table.meta |= {"vcent": centers.tolist(), "nvbins": len(keep)}


def edge(f: Folder) -> None:
    """1 % of the mass of row 4 in the last velocity bin, v and sigma following."""
    names = [name for name in f.table.colnames if name.startswith("losvd_")]
    mass = np.array([f.table[name][4] for name in names])
    mass[-1] = 0.01 * mass[:-1].sum() / 0.99
    f.table[names[-1]][4] = mass[-1]
    v, p = np.array(f.table.meta["vcent"]), mass / mass.sum()
    f.table["v"][4] = p @ v
    f.table["sigma"][4] = np.sqrt(p @ v**2 - (p @ v) ** 2)


def swap_columns(f: Folder) -> None:
    names = f.table.colnames
    j = names.index("losvd_3")
    names[j], names[j + 1] = names[j + 1], names[j]
    f.table = f.table[names]


def reverse(names: str) -> Spoil:
    def spoil(f: Folder) -> None:
        f.table[names] = np.array(f.table[names])[::-1]

    return spoil


CENTRES = [-115.0 + 10.0 * j for j in range(24)]
VMETA = "meta['vcent']"

HISTOGRAM_CASES: dict[str, tuple[Spoil, list[Expected]]] = {
    # PSF
    "no-psf": (no_meta("PSF"), [("psf-missing", "error", T, None, "meta['PSF']", None)]),
    "psf-without-weight": (
        meta("PSF", {"sigma": [0.3]}),
        [("psf-missing", "error", T, None, "meta['PSF']", {"sigma": [0.3]})],
    ),
    "psf-lengths": (
        meta("PSF", {"sigma": [0.3], "weight": [0.7, 0.3]}),
        [("psf-lengths", "wrong", T, None, "meta['PSF']", (1, 2))],
    ),
    "psf-weights": (
        meta("PSF", {"sigma": [0.3, 1.0], "weight": [0.7, 0.3 + 2e-8]}),
        [("psf-weights", "error", T, None, "meta['PSF']['weight']", 1.0 + 2e-8)],
    ),
    "psf-negative-weight": (
        meta("PSF", {"sigma": [0.3, 1.0], "weight": [1.2, -0.2]}),
        [("psf-negative-weight", "wrong", T, None, "meta['PSF']['weight']", -0.2)],
    ),
    "psf-negative-sigma": (
        meta("PSF", {"sigma": [0.3, -1.0], "weight": [0.7, 0.3]}),
        [("psf-sigma", "wrong", T, None, "meta['PSF']['sigma']", -1.0)],
    ),
    "psf-zero-sigma": (
        meta("PSF", {"sigma": [0.0], "weight": [1.0]}),
        [("psf-sigma", "doubtful", T, None, "meta['PSF']['sigma']", 0.0)],
    ),
    "psf-beyond-the-aperture": (
        meta("PSF", {"sigma": [0.3, 300.0], "weight": [0.7, 0.3]}),
        [("psf-sigma", "doubtful", T, None, "meta['PSF']['sigma']", 300.0)],
    ),
    "psf-scalar": (
        meta("PSF", {"sigma": 0.3, "weight": [1.0]}),
        [("psf-numbers", "error", T, None, "meta['PSF']['sigma']", 0.3)],
    ),
    # cells
    "nan": (cell("xbin", 2, np.nan), [("nan", "error", T, 2, "xbin", np.nan)]),
    "infinite": (cell("dlosvd_7", 3, np.inf), [("infinite", "wrong", T, 3, "dlosvd_7", np.inf)]),
    "masked": (mask("sigma", 4), [("masked", "wrong", T, 4, "sigma", None)]),
    "text-column": (text_column("bin_flux"), [("text", "error", T, 0, "bin_flux", "50.0")]),
    "text-cell": (
        lambda f: f.replace_cell(3, "losvd_8", "abc"),
        [("text", "error", T, 3, "losvd_8", "abc")],
    ),
    "no-rows": (
        lambda f: (
            f.table.remove_rows(slice(None)),
            f.table.meta.update(nbins=0),
            f.set_ids(np.zeros(48, int)),
        ),
        [("no-rows", "error", T, None, None, 0)],
    ),
    # header and form
    "no-ecsv-header": (
        lambda f: f.edit_header("# %ECSV 1.0\n", ""),
        [("ecsv-header", "error", T, None, None, "# ---")],
    ),
    "broken-header": (
        lambda f: f.edit_header("datatype:\n", "datatype: [\n"),
        [("unreadable", "error", T, None, None, ...)],
    ),
    "ragged-row": (
        lambda f: f.replace_cell(5, "xbin", "1.0 2.0"),
        [("unreadable", "error", T, None, None, ...)],
    ),
    # ids
    "last-id": (
        lambda f: f.table.__setitem__("binID_BayesLOSVD", [1, 2, 3, 4, 5, 7]),
        [("id-last", "error", T, 5, "binID_BayesLOSVD", 7.0)],
    ),
    "last-id-from-0": (
        lambda f: f.table.__setitem__("binID_BayesLOSVD", [0, 1, 2, 3, 4, 6]),
        [("id-last", "error", T, 5, "binID_BayesLOSVD", 6.0)],
    ),
    "repeated-id": (
        lambda f: f.table.__setitem__("binID_BayesLOSVD", [1, 2, 2, 4, 5, 6]),
        [("id-order", "wrong", T, 2, "binID_BayesLOSVD", 2.0)],
    ),
    "unsorted-ids": (
        lambda f: f.table.__setitem__("binID_BayesLOSVD", [1, 3, 2, 4, 5, 6]),
        [("id-order", "wrong", T, 2, "binID_BayesLOSVD", 2.0)],
    ),
    "broken-id": (cell("binID_BayesLOSVD", 1, 1.5), [("id-integer", "wrong", T, 1, "binID_BayesLOSVD", 1.5)]),
    "dynamite-id-from-0": (
        lambda f: f.table.__setitem__("binID_dynamite", np.arange(6)),
        [("id-count", "wrong", T, 0, "binID_dynamite", 0.0)],
    ),
    # velocity grid
    **{
        f"no-{key}": (no_meta(key), [("meta-missing", "error", T, None, f"meta['{key}']", None)])
        for key in ("dv", "vcent", "nbins", "nvbins")
    },
    "dv-text": (meta("dv", "10"), [("meta-number", "error", T, None, "meta['dv']", "10")]),
    "vcent-text": (meta("vcent", "all"), [("meta-number", "error", T, None, VMETA, "all")]),
    "nbins": (meta("nbins", 5), [("count-nbins", "error", T, None, "meta['nbins']", 5)]),
    "nvbins": (meta("nvbins", 25), [("count-nvbins", "error", T, None, "meta['nvbins']", 25)]),
    "nbins-float": (meta("nbins", 6.0), [("meta-number", "error", T, None, "meta['nbins']", 6.0)]),
    "nvbins-float": (meta("nvbins", 24.0), [("meta-number", "error", T, None, "meta['nvbins']", 24.0)]),
    "vcent-short": (
        meta("vcent", CENTRES[:-1]),
        [("count-nvbins", "error", T, None, "meta['nvbins']", 24)],
    ),
    "vcent-descending": (
        meta("vcent", CENTRES[::-1]),
        [("vcent-descending", "wrong", T, None, VMETA, 115.0)],
    ),
    "vcent-uneven": (
        meta("vcent", [*CENTRES[:5], -64.0, *CENTRES[6:]]),
        [("vcent-uniform", "wrong", T, None, VMETA + "[5]", -64.0)],
    ),
    "vcent-nan": (
        meta("vcent", [*CENTRES[:5], float("nan"), *CENTRES[6:]]),
        [("vcent-finite", "error", T, None, VMETA + "[5]", np.nan)],
    ),
    "dv-is-not-the-step": (meta("dv", 9.0), [("vcent-dv", "wrong", T, None, "meta['dv']", 9.0)]),
    "dv-negative": (meta("dv", -10.0), [("dv-positive", "wrong", T, None, "meta['dv']", -10.0)]),
    "too-many-columns": (
        lambda f: f.table.meta.update(nvbins=23, vcent=CENTRES[:-1]),
        [("count-columns", "error", T, None, "losvd_23", None)],
    ),
    "systemic-velocity": (
        shift_grid,
        [("systemic-velocity", "doubtful", T, None, VMETA, (130.0, 370.0))],
    ),
    # The outermost bins are empty in all rows, those beside them are not.
    "narrow-grid": (
        narrow,
        [
            ("edge-mass", "doubtful", T, 0, "losvd_1", ...),
            ("systemic-velocity", "doubtful", T, None, VMETA, (-60.0, 60.0)),
        ],
    ),
    "metres-per-second": (to_metres, [("velocity-size", "doubtful", T, ..., "sigma", ...)]),
    "velocity-unit": (
        meta("velocity_unit", "m/s"),
        [("velocity-unit", "doubtful", T, None, "meta['velocity_unit']", "m/s")],
    ),
    "column-unit": (
        lambda f: setattr(f.table["v"], "unit", "m/s"),
        [("column-unit", "doubtful", T, None, "v", "m / s")],
    ),
    # masses
    "dlosvd-zero": (cell("dlosvd_3", 2, 0.0), [("dlosvd-positive", "error", T, 2, "dlosvd_3", 0.0)]),
    "dlosvd-negative": (cell("dlosvd_3", 5, -0.1), [("dlosvd-positive", "error", T, 5, "dlosvd_3", -0.1)]),
    "dlosvd-tiny": (cell("dlosvd_3", 2, 1e-9), [("dlosvd-size", "doubtful", T, 2, "dlosvd_3", 1e-9)]),
    "dlosvd-large": (cell("dlosvd_3", 4, 1.5), [("dlosvd-size", "doubtful", T, 4, "dlosvd_3", 1.5)]),
    "losvd-negative": (cell("losvd_1", 3, -0.2), [("losvd-negative", "wrong", T, 3, "losvd_1", -0.2)]),
    "density": (scale(0.1), [("losvd-density", "wrong", T, 0, "losvd_0..23", ...)]),
    "percent": (scale(100.0), [("losvd-sum", "wrong", T, 0, "losvd_0..23", ...)]),
    "one-row-counts": (scale(50.0, rows=4), [("losvd-sum", "wrong", T, 4, "losvd_0..23", ...)]),
    "low-sum": (scale(0.4, rows=1), [("losvd-sum", "doubtful", T, 1, "losvd_0..23", ...)]),
    "high-sum": (scale(1.8, rows=1), [("losvd-sum", "doubtful", T, 1, "losvd_0..23", ...)]),
    "edge-mass": (edge, [("edge-mass", "doubtful", T, 4, "losvd_23", 0.01)]),
    "v-is-another": (cell("v", 3, 33.0), [("moments", "wrong", T, 3, "v", 33.0)]),
    "v-is-a-little-off": (
        lambda f: f.table["v"].__setitem__(1, f.table["v"][1] + 1.0),
        [("moments", "doubtful", T, 1, "v", ...)],
    ),
    "sigma-is-another": (cell("sigma", 2, 5.0), [("moments", "wrong", T, 2, "sigma", 5.0)]),
    # columns
    "no-losvd": (remove("losvd_11"), [("losvd-missing", "error", T, None, "losvd_11", None)]),
    "no-dlosvd": (remove("dlosvd_23"), [("losvd-missing", "error", T, None, "dlosvd_23", None)]),
    "column-order": (swap_columns, [("losvd-order", "doubtful", T, None, "dlosvd_3", None)]),
    "no-xbin": (remove("xbin"), [("column-missing", "wrong", T, None, "xbin", None)]),
    "no-bin-id": (remove("bin_id"), [("successor", "doubtful", T, None, "bin_id", None)]),
    "no-velocity-unit": (
        no_meta("velocity_unit"),
        [("successor", "doubtful", T, None, "meta['velocity_unit']", None)],
    ),
    "no-flux": (
        lambda f: f.table.__setitem__("bin_flux", np.zeros(6)),
        [("bin-flux", "wrong", T, None, "bin_flux", 0.0)],
    ),
    "all-flux-negative": (
        lambda f: f.table.__setitem__("bin_flux", np.full(6, -1.0)),
        [("bin-flux", "wrong", T, None, "bin_flux", -6.0)],
    ),
    "negative-flux": (cell("bin_flux", 2, -1.0), [("bin-flux", "doubtful", T, 2, "bin_flux", -1.0)]),
}


@pytest.mark.parametrize(("spoil", "expected"), HISTOGRAM_CASES.values(), ids=HISTOGRAM_CASES)
def test_histogram_table(tmp_path: Path, spoil: Spoil, expected: list[Expected]) -> None:
    check(histogram_folder(tmp_path), spoil, expected)
