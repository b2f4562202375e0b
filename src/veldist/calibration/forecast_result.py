"""The result of `veldist.calibration.forecast`: tables, words and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from veldist._support.arrays import Floats
from veldist.summaries.information import MOMENTS

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["QUANTITIES", "Forecast", "forecast_tables"]

QUANTITIES = (*MOMENTS, "h3", "h4")
"""What is forecast."""

_UNITS = {"v_mean": "km/s", "sigma": "km/s"}
_LABELS = {
    "v_mean": r"$V$ [km s$^{-1}$]",
    "sigma": r"$\sigma$ [km s$^{-1}$]",
    "skewness": "skewness",
    "kurtosis": "excess kurtosis",
    "h3": r"$h_3$",
    "h4": r"$h_4$",
}
# Blue and vermilion of Okabe & Ito (2008), distinct for all readers.
_BLUE, _RED = "#0072B2", "#D55E00"


@dataclass(frozen=True, eq=False)
class Forecast:
    """What a planned observation will measure, from `veldist.calibration.forecast`.

    Unless another prior was asked for, the fits behind it had a prior without Gaussian and nearly Gaussian
    components: with the default one, uncertainties of skewness and kurtosis of nearly Gaussian data come out
    smaller, by a quarter to a half for 150 stars.

    Attributes
    ----------
    table : QTable
        One row for every number of stars and quantity. ``n_stars``, ``quantity``, ``unit``;
        ``uncertainty``, the expected half of the 16-84 percentile range of the posterior (median over the
        mocks); ``scatter``, the standard deviation of the posterior medians between mocks; ``bound``,
        the Cramer-Rao bound for a Gaussian LOSVD of this dispersion; ``ratio``, uncertainty over bound
        (with many stars about 1.9 for h3 and 2.6 for h4, whose least-squares fit weighs the core where
        moments weigh the wings); ``prior_ratio``, uncertainty over that of the prior;
        ``prior_dominated``, whether in most mocks the prior weighs more than the data (see
        `veldist.summaries.prior_weight`; for h3 and h4, whose sampling uncertainty is not the bound, by the
        first criterion alone).
    bins : QTable
        One row for every number of stars and velocity bin: ``n_stars``, ``velocity`` (km/s), ``mass`` (true
        probability in the bin), ``uncertainty`` (expected), and ``relative_uncertainty``, their ratio, NaN
        where the mass is 0.
    n_mocks : int
        Mocks per number of stars.
    sigma : float
        Dispersion, km/s.
    err : str
        The errors, in words.
    """

    table: QTable
    bins: QTable
    n_mocks: int
    sigma: float
    err: str

    @property
    def n_stars(self) -> list[int]:
        """Numbers of stars, in the order of the tables."""
        return list(dict.fromkeys(int(n) for n in self.table["n_stars"]))

    def __str__(self) -> str:
        lines = [
            f"dispersion {self.sigma:g} km/s, errors {self.err}; {self.n_mocks} mocks each",
            f"{'stars':>6} {'quantity':9} {'uncertainty':>12} {'scatter':>9} {'bound':>9} {'ratio':>6}",
        ]
        lines += [
            f"{row['n_stars']:6d} {row['quantity']:9} {row['uncertainty']:12.3g} {row['scatter']:9.3g} "
            f"{row['bound']:9.3g} {row['ratio']:6.2f}"
            + ("  prior-dominated" if row["prior_dominated"] else "")
            for row in self.table
        ]
        for n in self.n_stars:
            rows = self.bins[self.bins["n_stars"] == n]
            peak = rows[np.argmax(rows["mass"])]
            width = rows["velocity"][1] - rows["velocity"][0]
            lines.append(
                f"{n:6d} stars: {peak['relative_uncertainty']:.0%} on the mass of the highest "
                f"{width.to_value('km/s'):.3g} km/s bin"
            )
        lines.append(
            "V and sigma in km/s; bound: Cramer-Rao bound of a Gaussian LOSVD; ratio: uncertainty / bound; "
            "prior-dominated: what you will see is mostly the prior"
        )
        return "\n".join(lines)

    def plot(self) -> Figure:
        """Draw the uncertainties against the number of stars, or the LOSVD to expect if there is but one.

        Returns
        -------
        matplotlib.figure.Figure
        """
        import matplotlib.pyplot as plt

        counts = self.n_stars
        if len(counts) == 1:
            figure, ax = plt.subplots(figsize=(4.8, 3.6), layout="constrained")
            self._plot_losvd(ax)
            return figure
        figure, axes = plt.subplots(2, 3, figsize=(7.1, 4.8), layout="constrained", sharex=True)
        for ax, quantity in zip(axes.T.flat, QUANTITIES, strict=True):
            self._plot_quantity(ax, quantity)
        for ax in axes[1]:
            ax.set_xlabel("number of stars")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        marker = axes[0, 0].plot([], [], "o", color=_BLUE, mfc="white", ms=5)[0]
        figure.legend(
            [*handles, marker],
            [*labels, "prior-dominated"],
            loc="outside upper center",
            ncols=4,
            fontsize="small",
            frameon=False,
            title=f"Uncertainties for a dispersion of {self.sigma:g} km/s, errors {self.err}",
            title_fontsize="medium",
        )
        return figure

    def _plot_quantity(self, ax: Axes, quantity: str) -> None:
        rows = self.table[self.table["quantity"] == quantity]
        rows = rows[np.argsort(rows["n_stars"])]
        n, uncertainty = np.asarray(rows["n_stars"]), np.asarray(rows["uncertainty"])
        ax.plot(n, uncertainty, color=_BLUE, lw=1, marker="o", ms=5, label="expected uncertainty")
        weak = np.asarray(rows["prior_dominated"])
        ax.plot(n[weak], uncertainty[weak], "o", color=_BLUE, mfc="white", ms=5)
        ax.plot(n, rows["bound"], color=_RED, lw=1, ls="--", label="Cramer-Rao bound")
        ax.set(xscale="log", yscale="log", ylabel=_LABELS[quantity])
        ax.set_xticks(n, [f"{k}" for k in n])
        ax.minorticks_off()
        _plain_ticks(ax)

    def _plot_losvd(self, ax: Axes) -> None:
        velocity, mass, uncertainty = (
            np.asarray(self.bins[name], dtype=np.float64) for name in ("velocity", "mass", "uncertainty")
        )
        width = velocity[1] - velocity[0]
        edges = np.append(velocity - 0.5 * width, velocity[-1] + 0.5 * width)
        low, high = (mass - uncertainty) / width, (mass + uncertainty) / width
        ax.stairs(high, edges, baseline=low, fill=True, color=_BLUE, alpha=0.35, lw=0, label="expected 68 %")
        ax.stairs(mass / width, edges, color="0.1", lw=1.2, label="LOSVD assumed")
        lines = [
            f"{_LABELS[row['quantity']].split(' [')[0]}: ±{row['uncertainty']:.2g}"
            f"{' km/s' if row['unit'] else ''}{'*' if row['prior_dominated'] else ''}"
            for row in self.table
        ]
        if np.any(self.table["prior_dominated"]):
            lines.append("* prior-dominated")
        ax.text(0.97, 0.97, "\n".join(lines), transform=ax.transAxes, ha="right", va="top", fontsize="small")
        ax.legend(loc="upper left", fontsize="small", frameon=False)
        ax.set(
            xlabel=r"Line-of-sight velocity [km s$^{-1}$]",
            ylabel=r"Probability density [(km s$^{-1}$)$^{-1}$]",
            title=f"{self.n_stars[0]} stars, dispersion {self.sigma:g} km/s, errors {self.err}",
            ylim=(0.0, 1.25 * float(high.max())),
        )
        ax.title.set_fontsize("medium")


def _plain_ticks(ax: Axes) -> None:
    """Ticks at 1, 2, 3, 5 on the logarithmic vertical axis, as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator

    ax.yaxis.set_major_locator(LogLocator(10.0, subs=(1.0, 2.0, 3.0, 5.0)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def forecast_tables(
    counts: Sequence[int],
    quantities: Sequence[Floats],
    bounds: Sequence[Floats],
    bin_widths: Sequence[Floats],
    edges: Floats,
    masses: Floats,
) -> tuple[QTable, QTable]:
    """Tables of a `Forecast`.

    Parameters
    ----------
    counts : sequence of int
        Numbers of stars; the following hold one entry for each.
    quantities : sequence of ndarray, shape (n_mocks, 4, n_quantities)
        Median, half-width, ratio to the prior, and whether dominated by the prior (0 or 1), of every mock.
    bounds : sequence of ndarray, shape (n_mocks, n_quantities)
        Cramer-Rao bounds for the errors of every mock.
    bin_widths : sequence of ndarray, shape (n_mocks, n_bins)
        Half-widths of the masses.
    edges : ndarray, shape (n_bins + 1,)
        Velocity bins, km/s.
    masses : ndarray, shape (n_bins,)
        True masses.
    """
    from astropy.table import QTable
    from astropy.units import Quantity

    def column(values: Any) -> Floats:
        return np.concatenate([np.asarray(value, dtype=np.float64) for value in values])

    n, n_quantities, n_bins = len(counts), len(QUANTITIES), masses.size
    uncertainty = column(np.median(q[:, 1], axis=0) for q in quantities)
    bound = column(np.mean(b, axis=0) for b in bounds)
    table = QTable(
        {
            "n_stars": np.repeat(np.array(counts), n_quantities),
            "quantity": np.array(QUANTITIES * n),
            "unit": np.array([_UNITS.get(name, "") for name in QUANTITIES] * n),
            "uncertainty": uncertainty,
            "scatter": column(np.std(q[:, 0], axis=0, ddof=1) for q in quantities),
            "bound": bound,
            "ratio": uncertainty / bound,
            "prior_ratio": column(np.median(q[:, 2], axis=0) for q in quantities),
            "prior_dominated": column(np.mean(q[:, 3], axis=0) for q in quantities) > 0.5,
        }
    )
    of_bins, mass = column(np.median(widths, axis=0) for widths in bin_widths), np.tile(masses, n)
    bins = QTable(
        {
            "n_stars": np.repeat(np.array(counts), n_bins),
            "velocity": Quantity(np.tile(0.5 * (edges[1:] + edges[:-1]), n), "km/s"),
            "mass": mass,
            "uncertainty": of_bins,
            "relative_uncertainty": np.divide(of_bins, mass, out=np.full(mass.shape, np.nan), where=mass > 0),
        }
    )
    return table, bins
