"""Put the report together: one file, no network, the same bytes for the same input."""

from __future__ import annotations

import html
import json
import os
import platform
from collections.abc import Mapping, Sequence, Sized
from functools import partial
from importlib import metadata, resources
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.files import check_ahead, write_whole
from veldist._version import __version__
from veldist.fits.contamination import describe_stars
from veldist.fits.draws import check_fits
from veldist.fits.each import over_bins
from veldist.fits.fit import Fit
from veldist.report.losvds import BinEntry, bin_entry
from veldist.report.metrics import FIT_NUMBERS, check_maps, metric_entries
from veldist.report.numbers import rounded_or_none
from veldist.report.shapes import map_shapes
from veldist.sky.positions import place_all, to_positions
from veldist.summaries.maps import DEFAULT_ORDER, summary_maps
from veldist.summaries.one_bin import BinSummary, summarise_bin

__all__ = ["write_entries", "write_report"]

# In the order in which they build on each other.
_SCRIPTS = ("draw.js", "losvd.js", "maps.js", "details.js", "table.js", "page.js")
_PANELS = ("v_mean", "sigma", "n_stars", "skewness", "kurtosis", "log_bayes_factor")
# Where not all stars are members.
_PANELS_OF_MEMBERS = ("v_mean", "sigma", "n_members", "skewness", "kurtosis", "member_fraction")
_COLUMNS = (
    "n_stars",
    "n_members",
    "member_fraction",
    "v_mean",
    "sigma",
    "skewness",
    "kurtosis",
    "h3",
    "h4",
    "p_multimodal",
    "log_bayes_factor",
    "ess_min",
    "rhat_max",
)
_SCALES = {"sequential": "viridis", "diverging": "RdBu_r"}
_COLORS = 33
# Longer lists of settings are not spelled out.
_LONG = 12
# Starting worker processes costs as much as so many bins.
_MIN_BINS_FOR_PROCESSES = 100


def write_report(
    path: str | os.PathLike[str],
    solvers: Sequence[Any],
    *,
    maps: Mapping[str, Mapping[str, Any]] | None = None,
    grid: Any = None,
    ids: Any = None,
    x: Any = None,
    y: Any = None,
    title: str = "Line-of-sight velocity distributions",
    settings: Mapping[str, Any] | None = None,
    overwrite: bool = True,
) -> Path:
    """Write one HTML file that shows a map of LOSVDs: maps, the LOSVD of every bin, and a table.

    The file needs no network and no other file, so that it can be mailed or kept with a paper. The same input
    gives the same bytes. Solvers in a store are read one at a time: they may be larger than the
    memory.

    Parameters
    ----------
    path : str or path-like
        The file, ``report.html`` say. Its folder is made if it does not exist.
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin, as `veldist.fit_all_bins` or `veldist.load`
        returns.
    maps : dict, optional
        What `veldist.analysis.compute_summary_maps` returned for these solvers; computed by default. Further
        maps, ``{"name": {"median": array, "uncertainty": array}}``, are shown like the others. Quantities are
        converted to the units of `veldist.summaries.columns.MAP_COLUMNS`; further maps keep their own.
    grid, ids : optional
        Pixels and the bin of each, as `veldist.plotting.plot_map` takes them; both or neither. The pixels may
        also be a dict, as ``voronoi_bin_metadata["aperture"]``.
    x, y : array_like or Quantity, shape (n_bins,), optional
        Positions of the bins (arcsec); NaN for skipped bins that have none. Without pixels, bins are drawn as
        the Voronoi cells of their positions; without either there are no maps, only LOSVDs and the table.
    title : str
        Heading of the page.
    settings : mapping, optional
        What the fit was made with, to be shown; nested mappings are flattened.
    overwrite : bool
        Whether to replace a file of this name.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileExistsError
        If the file exists and is not to be replaced.
    TypeError, ValueError
        If there is no fitted solver, one has not been run, or maps, pixels or positions do not fit the
        solvers.
    """
    fits = check_fits(solvers)
    path, layout = _check(path, len(fits), maps, grid, ids, x, y, title, settings, overwrite)
    place_all(layout.positions, fits)
    n_jobs = 1 if len(fits) < _MIN_BINS_FOR_PROCESSES else None
    found = dict(over_bins(partial(_of_bin, maps is None), fits, n_jobs))
    if maps is None:
        summaries = {k: summary for k, (_, summary) in found.items() if summary is not None}
        maps = summary_maps(summaries, len(fits), DEFAULT_ORDER)
    entries = {k: entry for k, (entry, _) in found.items()}
    remarks = describe_stars({k: entry.stars for k, entry in entries.items()})
    return _write(path, layout, entries, maps, title, settings, remarks)


def write_entries(
    path: str | os.PathLike[str],
    entries: Mapping[int, BinEntry],
    maps: Mapping[str, Mapping[str, Any]],
    *,
    n_bins: int,
    title: str,
    settings: Mapping[str, Any],
    remarks: Sequence[str] = (),
    **where: Any,
) -> Path:
    """As `write_report`, from what `bin_entry` has made of every fitted bin, and remarks on all."""
    checked, layout = _check(path, n_bins, maps, title=title, settings=settings, **where)
    return _write(checked, layout, entries, maps, title, settings, remarks)


def _of_bin(summarised: bool, index: int, fit: Fit) -> tuple[BinEntry, BinSummary | None]:
    """What the report needs of a bin, at one reading."""
    return bin_entry(index, fit), summarise_bin(index, fit, DEFAULT_ORDER) if summarised else None


class _Layout(NamedTuple):
    """Where the bins are, and how many."""

    n_bins: int
    shapes: Any
    positions: Floats | None


def _check(
    path: str | os.PathLike[str],
    n_bins: int,
    maps: Any,
    grid: Any = None,
    ids: Any = None,
    x: Any = None,
    y: Any = None,
    title: str = "",
    settings: Any = None,
    overwrite: bool = True,
) -> tuple[Path, _Layout]:
    """Find what is wrong before the bins are read, which may take a while."""
    path = check_ahead(path, overwrite)
    if not isinstance(title, str):
        raise TypeError(f"title must be a string, got {type(title).__name__}.")
    if settings is not None and not isinstance(settings, Mapping):
        raise TypeError(f"settings must be a dict of names and values, got {type(settings).__name__}.")
    positions = to_positions(x, y, n_bins)
    shapes = map_shapes(grid, ids, positions, n_bins)
    if maps is not None:
        check_maps(maps, n_bins)
    return path, _Layout(n_bins, shapes, positions)


def _write(
    path: Path,
    layout: _Layout,
    entries: Mapping[int, BinEntry],
    maps: Mapping[str, Mapping[str, Any]],
    title: str,
    settings: Mapping[str, Any] | None,
    remarks: Sequence[str],
) -> Path:
    content = _content(layout, entries, maps) | {"title": title, "settings": _flat(settings or {})}
    content["remarks"] = list(remarks)
    page = _page(title, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Names of folders may hold bytes that are no text.
    write_whole(path, page.encode("utf-8", errors="replace"))
    return path


def _content(layout: _Layout, entries: Mapping[int, BinEntry], maps: Any) -> dict[str, Any]:
    """All that the page's script needs."""
    n_bins = layout.n_bins
    if not entries:
        raise ValueError(f"solvers holds no fitted bin (of {n_bins}): there is nothing to report.")
    bins: list[dict[str, Any] | None] = [None] * n_bins
    grids: list[tuple[float, float, int]] = []
    numbers = np.full((n_bins, len(FIT_NUMBERS)), np.nan)
    for index, entry in sorted(entries.items()):
        numbers[index] = entry.numbers
        if entry.grid not in grids:
            grids.append(entry.grid)
        bins[index] = entry.content | {"grid": grids.index(entry.grid)}
    checked, units = check_maps(maps, n_bins)
    metrics = metric_entries(checked, dict(zip(FIT_NUMBERS, numbers.T, strict=True)), units)
    keys = [metric["key"] for metric in metrics]
    wanted = _PANELS_OF_MEMBERS if "n_members" in keys else _PANELS
    panels = [key for key in wanted if key in keys]
    panels += [key for key in keys if key not in panels][: len(_PANELS) - len(panels)]
    return {
        "shapes": layout.shapes,
        "metrics": metrics,
        "panels": panels,
        "columns": [key for key in _COLUMNS if key in keys],
        "bins": bins,
        "grids": [
            {"left": rounded_or_none(left, 10), "width": rounded_or_none(width, 10), "n": n}
            for left, width, n in grids
        ],
        "scales": {name: _colors(cmap) for name, cmap in _SCALES.items()},
        "versions": _versions(),
    }


def _colors(cmap: str) -> str:
    """Colours at equal steps, six hexadecimal digits each."""
    import matplotlib as mpl
    from matplotlib.colors import to_hex

    return "".join(to_hex(color)[1:] for color in mpl.colormaps[cmap](np.linspace(0.0, 1.0, _COLORS)))


def _versions() -> dict[str, str]:
    versions = {"veldist": __version__}
    versions |= {name: metadata.version(name) for name in ("numpy", "scipy", "astropy")}
    return versions | {"python": platform.python_version()}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Names and values of nested mappings, as text."""
    rows: list[tuple[str, str]] = []
    for key, value in settings.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        else:
            rows.append((f"{prefix}{key}", _in_words(value)))
    return rows


def _in_words(value: Any) -> str:
    """One setting as text."""
    if isinstance(value, Sized) and not isinstance(value, str) and len(value) > _LONG:
        return f"{len(value)} values"
    return "default" if value is None else str(value)


def _page(title: str, content: dict[str, Any]) -> str:
    folder = resources.files("veldist.report") / "page"
    script = "\n".join((folder / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    data = json.dumps(content, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    # Nothing in it can end the element that holds it.
    for character in "<>&\u2028\u2029":
        data = data.replace(character, f"\\u{ord(character):04x}")
    return Template((folder / "report.html").read_text(encoding="utf-8")).substitute(
        title=html.escape(title),
        style=(folder / "report.css").read_text(encoding="utf-8"),
        script=script,
        data=data,
    )
