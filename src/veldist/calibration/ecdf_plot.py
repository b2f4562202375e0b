"""Figure of simulation-based calibration: distribution functions less the uniform one, and their band."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from veldist._support.arrays import Floats
from veldist.calibration.uniformity import EcdfBand, ecdf_counts, ecdf_excursion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_ecdf_differences"]

# Okabe & Ito (2008) without the yellow, which is lost on white; line styles tell the rounds apart.
_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#000000")
_STYLES = ("-", "--", ":", "-.")


def plot_ecdf_differences(pit: Floats, names: Sequence[str], band: EcdfBand, ax: Axes | None = None) -> Axes:
    """Draw one line a quantity; those that leave the band are thick and marked in the legend.

    Parameters
    ----------
    pit : ndarray, (n, Q)
        Values that should be uniform on (0, 1).
    names : sequence of str, (Q,)
        What they belong to.
    band : EcdfBand
        Simultaneous band of n uniform values.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.

    Returns
    -------
    matplotlib.axes.Axes
    """
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
