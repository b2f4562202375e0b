"""Put the report together: one file, no network, the same bytes for the same input."""

from __future__ import annotations

import html
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata, resources
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from veldist._support.files import write_whole
from veldist._version import __version__
from veldist.fits.draws import check_fits
from veldist.report.losvds import bin_entry
from veldist.report.metrics import FIT_NUMBERS, check_maps, fit_numbers, metric_entries
from veldist.report.numbers import rounded_or_none
from veldist.report.shapes import map_shapes
from veldist.sky.places import to_positions
from veldist.summaries.maps import compute_summary_maps

__all__ = ["write_report"]

# In the order in which they build on each other.
_SCRIPTS = ("draw.js", "losvd.js", "maps.js", "details.js", "table.js", "page.js")
_PANELS = ("v_mean", "sigma", "n_stars", "skewness", "kurtosis", "log_bayes_factor")
_COLUMNS = (
    "n_stars",
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
    gives the same bytes. Solvers are read one at a time: a `veldist.batch.solver_map.SolverMap` may be larger
    than the memory.

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
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists: pass another path or overwrite=True.")
    if not isinstance(title, str):
        raise TypeError(f"title must be a string, got {type(title).__name__}.")
    if settings is not None and not isinstance(settings, Mapping):
        raise TypeError(f"settings must be a dict of names and values, got {type(settings).__name__}.")
    content = _content(solvers, maps, grid, ids, x, y) | {"title": title, "settings": _flat(settings or {})}
    page = _page(title, content)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page.encode("utf-8"))
    return path


def _content(solvers: Sequence[Any], maps: Any, grid: Any, ids: Any, x: Any, y: Any) -> dict[str, Any]:
    """All that the page's script needs."""
    fits = check_fits(solvers)
    n_bins = len(fits)
    positions = to_positions(x, y, fits)
    # Before the fits are read, which may take a while.
    shapes = map_shapes(grid, ids, positions, n_bins)
    checked, units = (None, {}) if maps is None else check_maps(maps, n_bins)
    bins: list[dict[str, Any] | None] = []
    grids: list[tuple[float, float, int]] = []
    numbers = np.full((n_bins, len(FIT_NUMBERS)), np.nan)
    # One pass, which keeps no fit: they may be read from a store one by one.
    for index, fit in enumerate(fits):
        if fit is None:
            bins.append(None)
            continue
        entry, velocities = bin_entry(fit, index)
        numbers[index] = fit_numbers(fit)
        if velocities not in grids:
            grids.append(velocities)
        bins.append(entry | {"grid": grids.index(velocities)})
    if not grids:
        raise ValueError(f"solvers holds no fitted bin (of {n_bins}): there is nothing to report.")
    if checked is None:
        checked, units = check_maps(compute_summary_maps(fits), n_bins)
    metrics = metric_entries(checked, dict(zip(FIT_NUMBERS, numbers.T, strict=True)), units)
    keys = [metric["key"] for metric in metrics]
    panels = [key for key in _PANELS if key in keys]
    panels += [key for key in keys if key not in panels][: len(_PANELS) - len(panels)]
    return {
        "shapes": shapes,
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
            rows.append((f"{prefix}{key}", "default" if value is None else str(value)))
    return rows


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
