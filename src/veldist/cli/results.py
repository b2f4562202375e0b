"""Fit a map, write its folder, and say so: what ``veldist fit`` and ``veldist demo`` have in common."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from veldist.cli.messages import as_options

if TYPE_CHECKING:
    from veldist.pipeline.fit import MapResult, PipelineSettings
    from veldist.sky.catalog import StarCatalog

__all__ = ["fit_and_write", "kept_in"]

# Also in `veldist.pipeline.folder`, which is slow to import.
_STORE = "map"


def kept_in(out: Path) -> Callable[[], str]:
    """What an interrupted fit has left in its folder, and how to go on."""

    def tell() -> str:
        store = out / _STORE
        if store.is_dir():
            return (
                f"interrupted: bins fitted so far are kept in {store}; the same command goes on from there."
            )
        return "interrupted: no bin has been fitted yet; the same command starts again."

    return tell


def fit_and_write(
    catalog: StarCatalog, settings: PipelineSettings, out: Path, say: Callable[[str], None], *, progress: bool
) -> MapResult:
    """Fit, write, and say what was written.

    Parameters
    ----------
    catalog, settings
        As for `veldist.pipeline.fit.fit_catalog`.
    out : Path
        Folder of the results.
    say : callable
        Prints a line.
    progress : bool
        Whether to show progress bars.
    """
    import matplotlib as mpl

    from veldist._support.memory import LESS_MEMORY, memory_ran_out
    from veldist._support.processes import end_workers
    from veldist.pipeline.fit import fit_catalog
    from veldist.pipeline.folder import STORE
    from veldist.pipeline.write import check_targets, write_results

    # Headless machines have no display; nothing is shown on one anyway.
    mpl.use("Agg")
    # Before minutes are spent on results that could not be written.
    check_targets(out)
    result = fit_catalog(catalog, settings, progress, store=out / STORE)
    end_workers()
    paths = write_results(result, out, progress=progress)
    diagnostics = result.diagnostics
    say(
        f"{len(diagnostics)} of {len(result.fits)} bins fitted, "
        f"{sum(d.converged for d in diagnostics)} converged; smallest effective sample size "
        f"{min(d.ess_min for d in diagnostics):.0f}; "
        f"{sum(d.log_bayes_factor > 3 for d in diagnostics)} bins clearly not Gaussian (log Bayes factor > 3)"
    )
    for path in paths:
        say(f"wrote {path}")
    for index, error in sorted(result.failures.items()):
        typer.echo(f"error: bin {index} failed and is left out: {error}", err=True)
    if any(map(memory_ran_out, result.failures.values())):
        typer.echo(f"error: {as_options(LESS_MEMORY)}", err=True)
    return result
