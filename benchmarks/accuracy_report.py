"""Tables and pictures of the contest (see `accuracy`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.table import Table
from matplotlib.figure import Figure

BINS = "bins (informative)"
# The range of a 68 % interval's coverage that passes as right.
GOOD = (0.63, 0.74)
QUANTITIES = ("v_mean", "sigma", "skewness", "kurtosis")


def unique(values: Any) -> list[Any]:
    """Distinct values in order of appearance."""
    return list(dict.fromkeys(np.asarray(values).tolist()))


def select(table: Table, **where: Any) -> Table:
    """Rows in which the columns have the given values (or one of a tuple of values)."""
    keep = np.ones(len(table), dtype=bool)
    for name, value in where.items():
        keep &= np.isin(table[name], value)
    return table[keep]


def matrix(table: Table, rows: str, columns: str, value: str) -> np.ndarray:
    """Mean of a column over all that shares a row and a column of the matrix."""
    return np.array(
        [
            [np.mean(select(table, **{rows: r, columns: c})[value]) for c in unique(table[columns])]
            for r in unique(table[rows])
        ]
    )


def show(title: str, table: Table, rows: str, columns: str, value: str, digits: int = 2) -> None:
    """Print a matrix of means."""
    values = matrix(table, rows, columns, value)
    print_matrix(title, unique(table[rows]), unique(table[columns]), values, digits)


def print_matrix(
    title: str, rows: list[Any], columns: list[Any], values: np.ndarray, digits: int = 2
) -> None:
    """Print numbers with names of rows and columns."""
    print(f"\n{title}")
    heads = [str(c) for c in columns]
    width = max(12, 2 + max(len(h) for h in heads))
    print(f"{'':20s}" + "".join(f"{h:>{width}s}" for h in heads))
    for name, line in zip(rows, values, strict=True):
        print(f"{name!s:20s}" + "".join(f"{x:{width}.{digits}f}" for x in line))


def print_all(tables: dict[str, Table]) -> None:
    """Print everything that the contest is about."""
    cover = tables["coverage"]
    many = tuple(n for n in unique(cover["n_stars"]) if n >= 75)
    bins = select(cover, quantity=BINS)
    show("Coverage of 68 % intervals of informative bins, mean over N >= 75 and errors",
         select(bins, n_stars=many), "truth", "grid", "coverage68")  # fmt: skip
    for grid in unique(cover["grid"]):
        show(f"The same on the {grid} grid, by N", select(bins, grid=grid), "truth", "n_stars", "coverage68")
    for quantity in QUANTITIES:
        part = select(cover, quantity=quantity, grid="fitted")
        show(f"Coverage of {quantity}, mean over errors", part, "truth", "n_stars", "coverage68")
        show(f"Bias of {quantity} in uncertainties", part, "truth", "n_stars", "bias_ratio")
    _print_priors(cover, tables["cautious"])
    _print_contest(tables["contest"])
    if "subset" in tables:
        _print_subset(tables["subset"])


def _print_priors(default: Table, cautious: Table) -> None:
    """Coverage under the two priors, and the CRPS of the cautious one relative to the default's."""
    for quantity in (BINS, *QUANTITIES):
        one, other = (select(table, quantity=quantity, grid="fitted") for table in (default, cautious))
        for name, table in (("default", one), ("cautious", other)):
            show(f"Coverage of {quantity}, {name} prior", table, "truth", "n_stars", "coverage68")
        values = [matrix(table, "truth", "n_stars", "crps") for table in (one, other)]
        title = f"CRPS of {quantity}, cautious prior over default"
        print_matrix(title, unique(one["truth"]), unique(one["n_stars"]), values[1] / values[0])


def _print_contest(contest: Table) -> None:
    total = select(contest, quantity="bins (all)")
    methods = unique(contest["method"])
    rivals = methods[1:]
    for grid in unique(total["grid"]):
        show(f"Summed CRPS, {grid} grid, mean over N and errors", select(total, grid=grid),
             "truth", "method", "crps", 4)  # fmt: skip
    show("Total variation of the posterior mean", total, "truth", "method", "total_variation", 4)
    for quantity in QUANTITIES:
        show(f"CRPS of {quantity}, fitted grid, mean over N and errors",
             select(contest, quantity=quantity, grid="fitted"), "truth", "method", "crps", 3)  # fmt: skip
    bins = select(contest, quantity=BINS)
    show("Coverage of informative bins, all grids", bins, "truth", "method", "coverage68")
    cells = {m: _by_cell(select(total, method=m)) for m in methods}
    keys = [k for k in cells[methods[0]] if k[0] != "gaussian"]
    print("\nSmallest CRPS of all methods, non-Gaussian truths:")
    for grid in [*unique(total["grid"]), None]:
        ratio = np.array(
            [cells[methods[0]][k] / min(cells[m][k] for m in rivals) for k in keys if grid in (None, k[3])]
        )
        print(
            f"  {grid or 'all'}: best in {np.mean(ratio <= 1):.0%} of {ratio.size} cells, within 5 % in "
            f"{np.mean(ratio <= 1.05):.0%}; relative to the best rival {np.median(ratio):.2f} in the median"
        )
    part = select(total, truth="gaussian", method=("veldist", "gaussian"))
    print("\nCRPS on the Gaussian truth relative to the Gaussian fit's, mean over errors:")
    for grid in unique(part["grid"]):
        values = matrix(select(part, grid=grid), "method", "n_stars", "crps")
        ratio = ", ".join(
            f"N = {n}: {x:.2f}" for n, x in zip(unique(part["n_stars"]), values[0] / values[1], strict=True)
        )
        print(f"  {grid}: {ratio}")


def _by_cell(table: Table) -> dict[tuple[Any, ...], float]:
    return {(r["truth"], r["n_stars"], r["err"], r["grid"]): r["crps"] for r in table}


def _print_subset(subset: Table) -> None:
    total = select(subset, quantity="bins (all)")
    for grid in unique(total["grid"]):
        part = select(total, grid=grid)
        show(f"Summed CRPS against NUTS on a random walk, {grid} grid", part, "truth", "method", "crps", 4)
        values = matrix(part, "truth", "method", "crps").mean(axis=0)
        print(f"  mean over truths: {1 - values[0] / values[1]:.0%} better than the random walk")
    show("Coverage of informative bins", select(subset, quantity=BINS), "truth", "method", "coverage68")


def plot_contest(contest: Table) -> Figure:
    """CRPS of every method relative to this package's, by truth and number of stars."""
    import matplotlib.pyplot as plt

    total = select(contest, quantity="bins (all)")
    truths, grids, methods = (unique(total[name]) for name in ("truth", "grid", "method"))
    fig, axes = plt.subplots(
        len(grids), len(truths), figsize=(2.0 * len(truths), 1.9 * len(grids)), sharex=True, sharey=True,
        layout="constrained",
    )  # fmt: skip
    for ax, (grid, truth) in zip(axes.flat, [(g, t) for g in grids for t in truths], strict=True):
        part = select(total, grid=grid, truth=truth)
        sizes = unique(part["n_stars"])
        values = matrix(part, "method", "n_stars", "crps")
        for k, (method, line) in enumerate(zip(methods, values, strict=True)):
            style = {"color": "k", "lw": 1.5} if k == 0 else {"color": f"C{k - 1}", "lw": 1.2}
            ax.plot(sizes, line / values[0], marker="osD^v"[k], ms=3.5, label=method, **style)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_yticks([1, 2, 3, 6], ["1", "2", "3", "6"])
        ax.minorticks_off()
        if grid == grids[0]:
            ax.set_title(truth, fontsize="medium")
        if truth == truths[0]:
            ax.set_ylabel(f"{grid} grid", fontsize="medium")
    axes.flat[0].legend(fontsize="x-small")
    fig.supxlabel("number of stars", fontsize="medium")
    fig.supylabel("summed CRPS relative to veldist (above 1: worse)", fontsize="medium")
    return fig


def plot_coverage(cover: Table) -> Figure:
    """Coverage of bins, V and sigma by truth, number of stars and grid."""
    import matplotlib.pyplot as plt

    truths, grids = (unique(cover[name]) for name in ("truth", "grid"))
    quantities = (BINS, "v_mean", "sigma", "skewness", "kurtosis")
    fig, axes = plt.subplots(
        len(grids), len(quantities), figsize=(12.0, 2.0 * len(grids)), sharex=True, sharey=True,
        layout="constrained",
    )  # fmt: skip
    for ax, (grid, quantity) in zip(axes.flat, [(g, q) for g in grids for q in quantities], strict=True):
        part = select(cover, grid=grid, quantity=quantity)
        sizes = unique(part["n_stars"])
        ax.axhspan(*GOOD, color="0.9")
        ax.axhline(0.68, color="0.5", lw=0.8)
        for k, line in enumerate(matrix(part, "truth", "n_stars", "coverage68")):
            ax.plot(sizes, line, marker="osD^vP*"[k], ms=3.5, lw=1, label=truths[k])
        ax.set_xscale("log")
        ax.set_ylim(0.0, 1.0)
        if grid == grids[0]:
            ax.set_title(quantity, fontsize="medium")
        if quantity == quantities[0]:
            ax.set_ylabel(f"{grid} grid", fontsize="medium")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(truths), frameon=False)
    for ax in axes[-1]:
        ax.set_xlabel("number of stars")
    fig.supylabel("coverage of 68 % intervals, mean over errors", fontsize="medium")
    return fig
