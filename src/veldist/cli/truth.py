"""The demonstration: a mock cluster whose truth is known, and how well the maps recover it."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from veldist.pipeline.fit import MapResult
from veldist.simulate import MockCluster, rotating_cluster
from veldist.sky.catalog import StarCatalog, read_catalog

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["compare_with_truth", "is_demo", "make_catalog"]

_COMMENT = "Mock rotating globular cluster of veldist demo."

_PANELS = (
    ("v_mean", r"$V$ [km s$^{-1}$]"),
    ("sigma", r"$\sigma$ [km s$^{-1}$]"),
    ("skewness", "skewness"),
    ("kurtosis", "excess kurtosis"),
)


def make_catalog(out: str | Path, n_stars: int, seed: int) -> tuple[MockCluster, StarCatalog]:
    """Simulate a cluster, write its stars to ``catalog.ecsv`` as an observer would have them, and read them.

    Parameters
    ----------
    out : str or Path
        Folder; made if it does not exist.
    n_stars : int
        Expected number of stars.
    seed : int
        Seed of the simulation.
    """
    from astropy import units as u
    from astropy.table import QTable

    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    cluster = rotating_cluster(n_stars=n_stars, seed=seed)
    table = QTable(
        {
            "x": cluster.x * u.arcsec,
            "y": cluster.y * u.arcsec,
            "vel": cluster.vel * u.km / u.s,
            "err": cluster.err * u.km / u.s,
        },
        meta={"comments": [_COMMENT], "seed": seed},
    )
    path = out / "catalog.ecsv"
    table.write(path, format="ascii.ecsv", overwrite=True)
    return cluster, read_catalog(path, x="x", y="y", vel="vel", err="err")


def is_demo(out: str | Path) -> bool:
    """Whether a folder holds the results of an earlier demonstration, and nobody's data."""
    path = Path(out) / "catalog.ecsv"
    if not path.is_file():
        return False
    with path.open(encoding="utf-8", errors="replace") as file:
        return any(_COMMENT in line for line in islice(file, 50))


def compare_with_truth(result: MapResult, cluster: MockCluster, out: str | Path) -> tuple[Path, list[str]]:
    """Plot recovered against true moments of every bin, and count how often the intervals hold the truth.

    Parameters
    ----------
    result : MapResult
        The fitted map.
    cluster : MockCluster
        The truth.
    out : str or Path
        Folder of the picture.

    Returns
    -------
    path : Path
        ``truth.png``.
    lines : list of str
        Fraction of bins whose 68 % interval holds the truth, per moment.
    """
    from matplotlib import pyplot as plt

    truth = cluster.bin_truth(result.bins.bin_ids, n_bins=result.bins.n_bins)
    figure, axes = plt.subplots(1, len(_PANELS), figsize=(11, 3.1), layout="constrained")
    fitted = sorted(result.products)
    lines = ["bins whose 68 % interval holds the truth:"]
    for ax, (name, label) in zip(axes, _PANELS, strict=True):
        summaries = [result.products[k].summary for k in fitted]
        low, high = np.transpose([summary.intervals[name] for summary in summaries])
        median = np.array([summary.values[name][0] for summary in summaries])
        true = truth[name][fitted]
        inside = np.mean((low <= true) & (true <= high))
        lines.append(f"  {name:9s} {inside:.0%} of {len(fitted)}")
        _scatter(ax, true, low, median, high)
        ax.set(
            xlabel=f"true {label}", ylabel=f"recovered {label}", title=f"{inside:.0%} within 68 % interval"
        )
        ax.title.set_fontsize(9)
    path = Path(out) / "truth.png"
    figure.savefig(path, dpi=200)
    plt.close(figure)
    return path, lines


def _scatter(ax: Axes, true: np.ndarray, low: np.ndarray, median: np.ndarray, high: np.ndarray) -> None:
    """Recovered values with their 68 % intervals over the true ones, and the line of equality."""
    margin = 0.05 * float(np.ptp(true)) or 1.0
    ends = np.array([true.min() - margin, true.max() + margin])
    ax.errorbar(
        true,
        median,
        yerr=[median - low, high - median],
        fmt="o",
        ms=3,
        lw=0.7,
        color="#0072B2",
        alpha=0.7,
    )
    ax.plot(ends, ends, color="0.3", lw=1, ls="--")
