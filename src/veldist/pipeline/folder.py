"""What a folder of results holds, and the report on it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from veldist.batch.solver_map import FitMap
from veldist.batch.store import MANIFEST, MapStore
from veldist.report import write_report
from veldist.sky.layout import Layout, read_layout

__all__ = ["LAYOUT", "REPORT", "STORE", "describe", "remove_store", "report_on"]

STORE = "map"
LAYOUT = "pixels.ecsv"
REPORT = "report.html"


def report_on(
    result: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    title: str | None = None,
) -> Path:
    """Write the report (see `veldist.write_report`) on results that are on disk.

    Parameters
    ----------
    result : str or path-like
        A store that `veldist.fit_all_bins` made, or a folder with one called ``map``. Positions of the
        bins are read from ``pixels.ecsv`` beside it, if there is one.
    out : str or path-like
        The HTML file; an older one is replaced.
    title : str, optional
        Heading; by default the name of the folder.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FileNotFoundError
        If there is no store.
    ValueError
        If the store or the layout is something else, or they do not belong together.
    """
    store, layout = _find(Path(result))
    # Not load(), which warns of bins that are not done: the page shows them.
    fits = FitMap(MapStore(store))
    where: dict[str, Any] = {}
    if layout is not None:
        if layout.x.size != len(fits):
            raise ValueError(
                f"{store.parent / LAYOUT} has {layout.x.size} bins, but {store} has {len(fits)}: they are "
                "of different maps. Remove the layout, or report on the folder that it belongs to."
            )
        where = {"grid": layout.grid, "ids": layout.ids, "x": layout.x, "y": layout.y}
    heading, settings = describe(fits, layout)
    return write_report(out, fits, title=title or heading, settings=settings, **where)


def describe(fits: FitMap, layout: Layout | None) -> tuple[str, dict[str, Any]]:
    """Heading of a map's report, and the settings that it was made with."""
    folder = fits.path.parent if fits.path.name == STORE else fits.path
    settings = {} if layout is None else dict(layout.settings)
    return f"LOSVDs of {folder.resolve().name}", {**settings, **fits.settings}


def _find(result: Path) -> tuple[Path, Layout | None]:
    """The store, and the layout beside it."""
    inside = result / STORE
    store = inside if inside.is_dir() else result
    if not store.is_dir() or (store is result and not (store / MANIFEST).exists()):
        raise FileNotFoundError(
            f"{result} holds no fitted map: pass the folder that veldist fit or veldist demo has written, or "
            "the store of fit_all_bins(..., store=...)."
        )
    layout = store.parent / LAYOUT
    # A store with a name of its own may lie in the same folder as another map.
    return store, read_layout(layout) if store.name == STORE and layout.exists() else None


def remove_store(folder: str | os.PathLike[str]) -> bool:
    """Remove the store in a folder of results, if there is one; tell whether there was."""
    store = Path(folder) / STORE
    if not store.is_dir():
        return False
    shutil.rmtree(store)
    return True
