"""The outcome of simulation-based calibration: ranks, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import kstest

from veldist._support import validate
from veldist._support.arrays import Floats, Ints
from veldist.calibration.plots import plot_ecdf_differences
from veldist.calibration.uniformity import EcdfBand, ecdf_band, ecdf_excursion, uniformity_p_value
from veldist.inference import Settings
from veldist.models.losvd.basis import PriorSettings

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

__all__ = ["SbcResult"]

_INTERVALS = (0.68, 0.95)


@dataclass(frozen=True, eq=False)
class SbcResult:
    """Ranks of truths among posterior draws, by `simulation_based_calibration`.

    Attributes
    ----------
    quantities : tuple of str
        Names of the Q quantities.
    ranks : ndarray of int, (n_simulations, Q)
        Draws below the truth, ties broken at random: 0 to ``n_ranks``; -1 where the simulation failed.
    pit : ndarray, (n_simulations, Q)
        ``(rank + u) / (n_ranks + 1)`` with u uniform on (0, 1): uniform itself if the posteriors are
        calibrated. NaN where the simulation failed.
    failed : ndarray of int
        Simulations that raised an error; they have no ranks.
    not_converged : ndarray of int
        Simulations whose fit did not meet its convergence criteria; they have ranks.
    messages : dict of int to str
        What was wrong with each of those.
    n_stars, err, sigma, n_ranks, seed, prior, settings
        The arguments, in km/s.
    """

    quantities: tuple[str, ...]
    ranks: Ints
    pit: Floats
    failed: Ints
    not_converged: Ints
    messages: dict[int, str]
    n_stars: int
    err: float | tuple[float, ...] | Floats
    sigma: float
    n_ranks: int
    seed: int
    prior: PriorSettings
    settings: Settings

    @property
    def n_simulations(self) -> int:
        """Number of simulations, failed ones included."""
        return self.pit.shape[0]

    @property
    def valid_pit(self) -> Floats:
        """PIT of the simulations that did not fail, (n, Q)."""
        return np.delete(self.pit, self.failed, axis=0)

    def bands(self, probability: float = 0.99) -> EcdfBand:
        """Simultaneous band of the empirical distribution function of one quantity's PIT.

        It is looked at between the ranks, where the random part of the PIT has no effect.

        Parameters
        ----------
        probability : float
            Probability that a calibrated quantity is inside everywhere. Of Q quantities about
            Q (1 - probability) are outside by chance; for all at once use ``1 - (1 - probability) / Q``.

        Raises
        ------
        TypeError, ValueError
            If the probability is not a number between 0 and 1.
        """
        probability = validate.to_float(probability, "probability", "")
        if not 0.0 < probability < 1.0:
            raise ValueError(f"probability must lie between 0 and 1, got {probability}.")
        return ecdf_band(self.n_simulations - self.failed.size, self.n_ranks, probability)

    def inside(self, probability: float = 0.99) -> dict[str, bool]:
        """Whether each quantity is inside its band of this probability (see `bands`)."""
        band = self.bands(probability)
        return {
            name: ecdf_excursion(pit, band) <= 1.0
            for name, pit in zip(self.quantities, self.valid_pit.T, strict=True)
        }

    def table(self, probability: float = 0.99) -> Table:
        """One row a quantity.

        Parameters
        ----------
        probability : float
            Of the band.

        Returns
        -------
        astropy.table.Table
            Columns ``quantity``; ``inside`` the band; ``excursion``, the largest distance from uniformity in
            units of the band's half-width there; ``p_ecdf``, the exact p value of the test that the band
            is the graph of; ``p_ks`` of the Kolmogorov-Smirnov test; ``mean_pit`` (0.5) with
            ``mean_pit_error``; ``coverage68`` and ``coverage95``, the share of truths inside the central
            intervals of 68 % and 95 %, with ``coverage68_error`` and ``coverage95_error``. All errors are
            those of perfect calibration.
        """
        from astropy.table import Table

        band, pit = self.bands(probability), self.valid_pit
        n = pit.shape[0]
        columns: dict[str, Any] = {
            "quantity": list(self.quantities),
            "inside": list(self.inside(probability).values()),
            "excursion": [ecdf_excursion(column, band) for column in pit.T],
            "p_ecdf": [uniformity_p_value(column, self.n_ranks) for column in pit.T],
            "p_ks": [float(kstest(column, "uniform").pvalue) for column in pit.T],
            "mean_pit": pit.mean(axis=0),
            "mean_pit_error": np.full(pit.shape[1], np.sqrt(1.0 / (12.0 * n))),
        }
        for level in _INTERVALS:
            name = f"coverage{100 * level:.0f}"
            columns[name] = np.mean(np.abs(pit - 0.5) <= 0.5 * level, axis=0)
            columns[f"{name}_error"] = np.full(pit.shape[1], np.sqrt(level * (1.0 - level) / n))
        table = Table(columns, meta={"summary": str(self), "probability": probability})
        for name in table.colnames[2:]:
            table[name].info.format = ".2g" if name.startswith("p_") else ".3f"
        return table

    def plot(self, ax: Axes | None = None, probability: float = 0.99) -> Axes:
        """Draw the empirical distribution functions less that of uniform values, and the band.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.
        probability : float
            Of the band.

        Returns
        -------
        matplotlib.axes.Axes
        """
        return plot_ecdf_differences(self.valid_pit, self.quantities, self.bands(probability), ax)

    def __str__(self) -> str:
        """Verdict at 99 %, and what went wrong."""
        inside = self.inside()
        outside = [name for name, good in inside.items() if not good]
        text = (
            f"{self.n_simulations} simulations of {self.n_stars} stars: {len(inside) - len(outside)} of "
            f"{len(inside)} quantities inside the 99 % band"
        )
        if outside:
            text += f"; outside: {', '.join(outside)}"
        if self.failed.size:
            text += f"; {self.failed.size} FAILED and have no ranks ({validate.name_first(self.failed)})"
        if self.not_converged.size:
            text += f"; {self.not_converged.size} not converged ({validate.name_first(self.not_converged)})"
        return text
