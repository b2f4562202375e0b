"""``veldist demo``: a map whose truth is known."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from veldist.cli.messages import running
from veldist.cli.options import Folder, Jobs, PerBin, Quiet, Seed, Verbose
from veldist.cli.results import fit_and_write, kept_in

__all__ = ["demo"]


def demo(
    n_stars: Annotated[int, typer.Option(min=100, help="Expected number of stars.")] = 10_000,
    stars_per_bin: PerBin = 130,
    seed: Seed = 1,
    out: Folder = Path("veldist_demo"),
    jobs: Jobs = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make a mock rotating globular cluster, fit it, and compare the maps with the truth.

    The folder gets what veldist fit writes, and the comparison as truth.png. After Ctrl-C the same command
    goes on where it stopped.
    """
    with running(quiet, verbose, kept_in(out)) as say:
        from veldist.cli.truth import compare_with_truth, is_demo, make_catalog
        from veldist.pipeline.fit import PipelineSettings
        from veldist.pipeline.folder import remove_store
        from veldist.pipeline.write import check_targets

        check_targets(out, "catalog.ecsv", "truth.png")
        start = time.perf_counter()
        again = is_demo(out)
        cluster, catalog = make_catalog(out, n_stars, seed)
        settings = PipelineSettings(stars_per_bin=stars_per_bin, seed=seed, n_jobs=jobs)
        try:
            result = fit_and_write(catalog, settings, out, say, progress=not quiet)
        except ValueError:
            # The store of a demonstration with other arguments is worth a few seconds.
            if not (again and remove_store(out)):
                raise
            result = fit_and_write(catalog, settings, out, say, progress=not quiet)
        path, lines = compare_with_truth(result, cluster, out)
        for line in lines:
            say(line)
        say(f"wrote {path}\ndone in {time.perf_counter() - start:.1f} s")
