"""Figures of calibrations: coverage of intervals, and distribution functions of ranks with their band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from veldist._support.arrays import Floats
from veldist.calibration.uniformity import EcdfBand, ecdf_counts, ecdf_excursion

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_coverage", "plot_ecdf_differences"]

_NOMINAL = 0.68
_MARKERS = "osD^vP*X"
# Okabe & Ito (2008) without the yellow, which is lost on white; line styles tell the rounds apart.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000")
_STYLES = ("-", "--", ":", "-.")


def plot_coverage(
    table: Table, quantities: Sequence[str], grid: str | None = None, fig: Figure | None = None
) -> Figure:
    """Coverage by truth (rows), quantity (panels), number of stars (colour) and errors (marker).

    The table and what can be chosen of it are those of `Coverage`, see `Coverage.plot`.
    """
    quantities = [quantities] if isinstance(quantities, str) else list(quantities)
    if not quantities:
        raise ValueError("quantities is empty: pass at least one, or None for the usual ones.")
    grid = str(table["grid"][0]) if grid is None else grid
    for name, wanted in [("grid", grid)] + [("quantity", q) for q in quantities]:
        known = _unique(table[name])
        if wanted not in known:
            raise ValueError(f"there is no {name} {wanted!r} in the table, but {known}.")
    where = f" ({grid} grid)" if len(_unique(table["grid"])) > 1 else ""
    table = table[table["grid"] == grid]
    truths, sizes, errors = (_unique(table[name]) for name in ("truth", "n_stars", "err"))
    if fig is None:
        import matplotlib.pyplot as plt

        size = (2.0 + 1.7 * len(quantities), 1.2 + 0.55 * len(truths))
        fig = plt.figure(figsize=size, layout="constrained")
    from matplotlib import colormaps

    colors = colormaps["viridis"](np.linspace(0.0, 0.85, len(sizes)))
    axes = fig.subplots(1, len(quantities), sharex=True, sharey=True, squeeze=False)[0]
    combinations = [(i, k) for i in range(len(sizes)) for k in range(len(errors))]
    offsets = np.linspace(-0.32, 0.32, len(combinations)) if len(combinations) > 1 else [0.0]
    for ax, quantity in zip(axes, quantities, strict=True):
        rows = table[table["quantity"] == quantity]
        ax.axvline(_NOMINAL, color="0.4", lw=1)
        for (i, k), offset in zip(combinations, offsets, strict=True):
            chosen = rows[(rows["n_stars"] == sizes[i]) & (rows["err"] == errors[k])]
            place = np.array([truths.index(t) for t in chosen["truth"]], dtype=float) + offset
            ax.errorbar(
                chosen["coverage68"],
                place,
                xerr=chosen["coverage68_err"],
                fmt=_MARKERS[k % len(_MARKERS)],
                color=colors[i],
                ms=3.5,
                lw=0.8,
                label=f"N = {sizes[i]}, err {errors[k]}",
            )
        ax.set_title(quantity, fontsize="medium")
        ax.grid(axis="y", color="0.92")
        ax.set_axisbelow(True)
    axes[0].set_yticks(range(len(truths)), truths)
    axes[0].set_ylim(len(truths) - 0.5, -0.5)
    axes[0].set_xlim(0.0, 1.0)
    fig.supxlabel(f"coverage of 68 % intervals{where}", fontsize="medium")
    handles, labels = axes[0].get_legend_handles_labels()
    if len(combinations) > 1:
        fig.legend(handles, labels, loc="outside right upper", fontsize="small", frameon=False)
    return fig


def _unique(column: Any) -> list[Any]:
    return list(dict.fromkeys(column.tolist()))


def plot_ecdf_differences(pit: Floats, names: Sequence[str], band: EcdfBand, ax: Axes | None = None) -> Axes:
    """Draw one line a quantity: see `SbcResult.plot`. Those that leave the band are thick and marked."""
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots(figsize=(6.8, 3.8), layout="constrained")
    ax.fill_between(
        band.points,
        band.lower - band.points,
        band.upper - band.points,
        color="0.87",
        linewidth=0.0,
        label=f"{100 * band.probability:.4g} % band of each",
    )
    ax.axhline(0.0, color="0.4", linewidth=0.8)
    for k, (name, values) in enumerate(zip(names, pit.T, strict=True)):
        outside = ecdf_excursion(values, band) > 1.0
        ax.plot(
            band.points,
            ecdf_counts(values, band.points.size) / values.size - band.points,
            color=_COLORS[k % len(_COLORS)],
            linestyle=_STYLES[k // len(_COLORS) % len(_STYLES)],
            linewidth=2.4 if outside else 1.2,
            label=f"{name.replace('_', ' ')}{' (outside)' if outside else ''}",
        )
    ax.set_xlim(0.0, 1.0)
    ax.set_xlabel("Rank of the truth among the posterior draws, scaled to 0-1")
    ax.set_ylabel("ECDF of the ranks $-$ uniform")
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize="small")
    return ax
