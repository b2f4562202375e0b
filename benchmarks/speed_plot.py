"""Figure of the speed benchmark (see `speed`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from speed_stages import TOTAL

__all__ = ["plot"]

Rows = list[dict[str, Any]]
# Stages that take less of every total than this share a colour.
_SMALL = 0.04


def plot(rows: dict[str, Rows]) -> Figure:
    """Stages against the number of stars, their memory, the map, and effective samples per second."""
    fig = Figure(figsize=(11.0, 7.5), layout="constrained")
    axes = fig.subplots(2, 2)
    for ax, part, draw in zip(
        axes.flat,
        ("stages", "stages", "map", "ess"),
        (_plot_times, _plot_shares, _plot_map, _plot_ess),
        strict=True,
    ):
        if part in rows:
            draw(ax, rows[part])
        else:
            ax.set_axis_off()
    return fig


def _plot_times(ax: Axes, rows: Rows) -> None:
    """Total time and memory against the number of stars."""
    other = ax.twinx()
    for k, style in zip(
        dict.fromkeys(row["velocity_bins"] for row in rows), (":", "-", "--", "-."), strict=False
    ):
        part = [row for row in rows if row["velocity_bins"] == k and row["stage"] == TOTAL]
        sizes = [row["n_stars"] for row in part]
        ax.loglog(sizes, [row["median_ms"] for row in part], f"ko{style}", ms=4, label=f"{k} velocity bins")
        other.loglog(sizes, [row["peak_memory_MiB"] for row in part], f"C0s{style}", ms=3, lw=1)
    ax.set_xlabel("stars in the bin")
    ax.set_ylabel("ms per bin, median, one core")
    other.set_ylabel("peak memory above the imports (MiB)", color="C0")
    other.tick_params(axis="y", which="both", colors="C0")
    ax.legend(loc="upper left")
    ax.set_title("one bin: time (black) and memory (blue)")


def _plot_shares(ax: Axes, rows: Rows) -> None:
    """Stacked stages, as shares of the time, on the grid in the middle."""
    grids = list(dict.fromkeys(row["velocity_bins"] for row in rows))
    k = grids[len(grids) // 2]
    part = [row for row in rows if row["velocity_bins"] == k]
    sizes = list(dict.fromkeys(row["n_stars"] for row in part))
    names = [name for name in dict.fromkeys(row["stage"] for row in part) if name != TOTAL]
    times = np.array(
        [
            [next(r["median_ms"] for r in part if (r["n_stars"], r["stage"]) == (n, s)) for n in sizes]
            for s in names
        ]
    )
    shares = times / times.sum(axis=0)
    large = np.nanmax(shares, axis=1) >= _SMALL
    bottom = np.zeros(len(sizes))
    bars = [(name, share) for name, share, keep in zip(names, shares, large, strict=True) if keep]
    bars.append(("all others", shares[~large].sum(axis=0)))
    for j, (name, share) in enumerate(bars):
        ax.bar(range(len(sizes)), share, bottom=bottom, color=f"C{j}", label=name, width=0.7)
        bottom += share
    ax.set_xticks(range(len(sizes)), [f"{n:,}" for n in sizes])
    ax.set_xlabel("stars in the bin")
    ax.set_ylabel("share of the stages' median times")
    ax.set_ylim(0.0, 1.0)
    ax.set_title(f"where the time goes ({k} velocity bins)")
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(handles[::-1], labels[::-1], fontsize="small", loc="center left", bbox_to_anchor=(1.0, 0.5))


def _plot_map(ax: Axes, rows: Rows) -> None:
    """Time per bin of a map, by cores and pool."""
    labels = []
    for k, row in enumerate(rows):
        ax.bar(k, row["ms_per_bin"], color="0.5" if row["processes"] == 1 else "C0", width=0.7)
        ax.annotate(
            f"{row['median_seconds']:.1f} s\nefficiency {row['parallel_efficiency']:.2f}"
            if row["processes"] > 1
            else f"{row['median_seconds']:.1f} s",
            (k, row["ms_per_bin"]), ha="center", va="bottom", fontsize="small",
        )  # fmt: skip
        kind = "1 core" if row["processes"] == 1 else f"{row['processes']} cores\n{row['pool']} pool"
        labels.append(f"{row['spatial_bins']:,} bins\n{kind}")
    ax.set_xticks(range(len(rows)), labels, fontsize="small")
    ax.set_ylabel("ms per bin")
    ax.set_ylim(0.0, 1.25 * max(row["ms_per_bin"] for row in rows))
    ax.set_title(f"maps, {rows[0]['stars_per_bin']} stars a bin")


def _plot_ess(ax: Axes, rows: Rows) -> None:
    """Smallest effective sample size per second, median over the mocks and their range."""
    bars = {}
    for row in rows:
        if row["clock"] != "processor":
            kind = "\nwith compilation" if row["with_compilation"] else ""
            key = (row["method"], row["n_stars"], row["clock"], kind)
            bars.setdefault(key, []).append(row["smallest_ess_per_second"])
    keys = sorted(bars, key=lambda key: (key[0] == "veldist", key[1]))
    for k, key in enumerate(keys):
        middle = float(np.median(bars[key]))
        span = [[middle - min(bars[key])], [max(bars[key]) - middle]]
        color = "C0" if key[0] == "veldist" else "C1"
        ax.barh(k, middle, color=color, height=0.7, xerr=span, ecolor="0.3")
        ax.annotate(f" {middle:,.0f}", (max(bars[key]), k), va="center", fontsize="small")
    ax.set_yticks(
        range(len(keys)),
        [f"{method}, {n} stars,\n{clock}{kind.replace(chr(10), ', ')}" for method, n, clock, kind in keys],
        fontsize="x-small",
    )
    ax.set_xscale("log")
    ax.set_xlim(right=3.0 * max(max(values) for values in bars.values()))
    ax.set_xlabel("smallest effective sample size per second")
    ax.set_title("informative bins: median and range over mocks")
