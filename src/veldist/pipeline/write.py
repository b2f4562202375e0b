"""Pictures, tables, exports and the report of a fitted map in one folder."""

from __future__ import annotations

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from veldist._support.files import check_ahead, check_new, new_file
from veldist._support.outputs import progress_bar
from veldist.batch.solver_map import FitMap
from veldist.export.dynamite.files import check_paths
from veldist.export.dynamite.write_losvds import Choices, write_rows
from veldist.pipeline.fit import MapResult
from veldist.pipeline.folder import LAYOUT, REPORT, STORE, describe
from veldist.pipeline.members import population_notes
from veldist.pipeline.stages import stage
from veldist.pipeline.stars import write_stars
from veldist.report.write import write_entries
from veldist.sky.layout import Layout, write_layout
from veldist.summaries.maps import DEFAULT_ORDER, summary_maps
from veldist.summaries.tables import add_remarks, make_table

__all__ = ["check_targets", "write_results"]

logger = logging.getLogger(__name__)

# LOSVDs on the page of them.
_ON_PAGE = 100
_DPI = 200


# Everything that is written.
_MAPS, _PAGE, _TABLE, _DYNAMITE = "kinematic_maps.png", "losvds.png", "summary.ecsv", "dynamite_input"
_STARS = "stars.ecsv"


def check_targets(out: str | Path, *others: str) -> None:
    """Check that `write_results` will be able to write to a folder, and others to files in it.

    Raises
    ------
    OSError
        If it is a file, cannot be written to, or a name in it is taken by a directory, a device or a pipe.
    """
    out = Path(out)
    check_ahead(out / REPORT)
    for name in (_MAPS, _PAGE, _TABLE, _STARS, LAYOUT, *others):
        check_new(out / name, True)
    check_paths(out / _DYNAMITE, *Choices().names, overwrite=True)


def write_results(result: MapResult, out: str | Path, *, progress: bool = False) -> list[Path]:
    """Write pictures, the tables of bins and stars, the DYNAMITE input and the layout of a map.

    If the fit was kept in ``map`` in the same folder, as `fit_catalog` does if told so, a report that shows
    every LOSVD is written as well.

    Parameters
    ----------
    result : MapResult
        A fitted map.
    out : str or Path
        Folder; made if it does not exist. Files of the same names are replaced.
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    list of Path
        ``kinematic_maps.png``, ``losvds.png``, ``summary.ecsv``, ``stars.ecsv``, the files in
        ``dynamite_input``, ``pixels.ecsv``, and ``report.html`` if there is a ``map``.
    """
    start = time.perf_counter()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    bins, products, layout, n_bins = result.bins, result.products, _layout(result), len(result.fits)
    kept = result.fits if isinstance(result.fits, FitMap) else None
    stored = kept is not None and kept.path == (out / STORE).absolute()
    bar = progress_bar(total=6 + stored, desc="writing", unit="file", shown=progress)

    @contextmanager
    def writing(name: str) -> Generator[None]:
        bar.set_postfix_str(name)
        with stage(name):
            yield
        bar.update()

    with bar:
        summaries = {k: product.summary for k, product in products.items()}
        maps = summary_maps(summaries, n_bins, DEFAULT_ORDER)
        states = {k: product.state for k, product in products.items()}
        table = make_table(states, maps, {"x": bins.x_bin, "y": bins.y_bin}, n_bins)
        add_remarks(table, result.remarks)
        paths = []
        with writing(_MAPS):
            paths.append(_draw_maps(result, maps, np.asarray(table["n_stars"]), out / _MAPS))
        with writing(_PAGE):
            paths.append(_draw_page(result, out / _PAGE))
        with writing(_TABLE):
            paths.append(_write_table(result, table, out / _TABLE))
        with writing(_STARS):
            paths.append(write_stars(result, out / _STARS))
        with writing(_DYNAMITE):
            files = write_rows(
                lambda: {k: product.row for k, product in products.items() if product.row is not None},
                np.isin(np.arange(n_bins), list(products)),
                out / _DYNAMITE,
                layout.metadata(result.settings.psf_sigma),
                Choices(
                    bin_flux_mode="nstars" if result.settings.contaminant is None else "nmembers",
                    v_systemic=result.settings.v_systemic,
                    notes=population_notes(result.settings),
                ),
                stacklevel=3,
                remarks=result.remarks,
            )
            paths += [files.kinematics, files.aperture, files.bins]
        with writing(LAYOUT):
            paths.append(write_layout(out / LAYOUT, layout))
        if kept is not None and stored:
            with writing(REPORT):
                title, settings = describe(kept, layout)
                entries = {k: product.entry for k, product in products.items()}
                where = {"grid": layout.grid, "ids": layout.ids, "x": layout.x, "y": layout.y}
                paths.append(
                    write_entries(
                        out / REPORT,
                        entries,
                        maps,
                        n_bins=n_bins,
                        title=title,
                        settings=settings,
                        remarks=result.remarks,
                        **where,
                    )
                )
    logger.info("pictures and tables took %.1f s", time.perf_counter() - start)
    return paths


def _draw_maps(result: MapResult, maps: Any, n_stars: Any, path: Path) -> Path:
    from matplotlib import pyplot as plt

    from veldist.figures.kinematic_maps import plot_kinematic_maps

    # Beside contaminants members count.
    numbers = {"extra": ("n_members", "member_fraction")} if "n_members" in maps else {"n_stars": n_stars}
    figure, _ = plot_kinematic_maps(maps, result.pixels, result.pixel_ids, **numbers)
    with new_file(path) as temporary:
        figure.savefig(temporary, dpi=_DPI)
    plt.close(figure)
    return path


def _draw_page(result: MapResult, path: Path) -> Path:
    from matplotlib import pyplot as plt

    from veldist.figures.page import draw_page, evenly_spread

    fitted = sorted(result.products)
    figure = draw_page(
        [result.products[fitted[k]].strip for k in evenly_spread(len(fitted), _ON_PAGE)],
        n_fitted=len(fitted),
        n_skipped=len(result.fits) - len(fitted),
    )
    with new_file(path) as temporary:
        figure.savefig(temporary, dpi=_DPI)
    plt.close(figure)
    return path


def _write_table(result: MapResult, table: Any, path: Path) -> Path:
    # Flat, with short keys: FITS headers hold no dictionaries.
    grid = result.settings.grid or {}
    names = {"center": "gridcen", "width": "gridwid", "n_bins": "gridbins"}
    table.meta |= {name: grid[key] for key, name in names.items() if key in grid}
    table.meta["seed"] = result.settings.seed
    table.meta |= population_notes(result.settings)
    with new_file(path) as temporary:
        table.write(temporary, format="ascii.ecsv")
    return path


def _layout(result: MapResult) -> Layout:
    """The layout of a map, with the settings that its store does not know."""
    settings: dict[str, Any] = {
        "psf_sigma": result.settings.psf_sigma,
        "stars_per_bin": result.settings.stars_per_bin,
    }
    settings |= population_notes(result.settings)
    return Layout(result.pixels, result.pixel_ids, result.bins.x_bin, result.bins.y_bin, settings)
