"""Scores of many mocks: averages with their Monte Carlo errors, as tables and as a plot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veldist.calibration.scores import FEATURES
from veldist.errors import ConvergenceWarning
from veldist.simulate import LOSVD

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.figure import Figure

__all__ = ["Cell", "Coverage", "Tally", "all_warnings"]

_PLOTTED = ("bins (informative)", "v_mean", "sigma", "skewness", "kurtosis")


@dataclass(frozen=True, eq=False)
class Cell:
    """One combination of truth, number of stars and errors."""

    truth_name: str
    truth: LOSVD
    n_stars: int
    err_label: str
    err: Any

    @property
    def key(self) -> tuple[str, int, str]:
        """What tells it from the others."""
        return self.truth_name, self.n_stars, self.err_label


@dataclass
class Tally:
    """What the mocks of one cell scored."""

    scores: dict[int, list[NDArray[np.float64]]] = field(default_factory=dict)
    warned: dict[int, dict[type[Warning], str]] = field(default_factory=dict)
    errors: list[BaseException | None] = field(default_factory=list)

    def add(self, index: int, scores: list[NDArray[np.float64]], texts: dict[type[Warning], str]) -> None:
        """Take in one mock's scores on all grids and the first warning of every category."""
        self.scores[index] = [s.astype(np.float32) for s in scores]
        self.warned[index] = texts

    def fail(self, error: BaseException | None) -> None:
        """Count a failure."""
        self.errors.append(error)

    def on_grid(self, grid: int) -> NDArray[np.float64]:
        """Scores on one grid in the order of the mocks, (mocks, features, columns)."""
        return np.array([self.scores[k][grid] for k in sorted(self.scores)], dtype=np.float64)

    @property
    def n_not_converged(self) -> int:
        """How many mocks warned that their fit has not converged."""
        return sum(any(issubclass(c, ConvergenceWarning) for c in texts) for texts in self.warned.values())


def all_warnings(tallies: Iterable[Tally]) -> dict[type[Warning], tuple[int, str]]:
    """How many mocks gave a warning of each category, and the text of the first of them."""
    by_mock = {k: texts for tally in tallies for k, texts in tally.warned.items()}
    found: dict[type[Warning], tuple[int, str]] = {}
    for k in sorted(by_mock):
        for category, text in by_mock[k].items():
            count, first = found.get(category, (0, text))
            found[category] = count + 1, first
    return found


_COLUMNS = {
    "coverage68": "fraction of mocks (and bins) whose 16-84 percentile interval holds the truth",
    "coverage68_err": "its Monte Carlo error",
    "coverage95": "the same for the 2.5-97.5 percentile interval",
    "coverage95_err": "its Monte Carlo error",
    "bias": "mean of posterior median minus truth",
    "bias_err": "its Monte Carlo error",
    "scatter": "standard deviation of the posterior medians about their mean",
    "width": "mean half of the 16-84 percentile range",
    "bias_ratio": "bias / width",
    "crps": "mean continuous ranked probability score (for bins: sum over them)",
    "crps_err": "its Monte Carlo error",
}


@dataclass(frozen=True, eq=False)
class Coverage:
    """Result of `veldist.calibration.coverage`.

    Attributes
    ----------
    table : astropy.table.Table
        One row for every truth, number of stars, errors, grid and quantity. The quantities are the summaries
        and ``bins (all)``, ``bins (informative)``, those expected to hold at least one star, and ``bins
        (empty)``, the rest; the columns of scores carry descriptions. ``total_variation`` is that of the
        posterior mean from the truth, NaN but for ``bins (all)``.
    bins : astropy.table.Table
        The same for every velocity bin.
    n_mocks, n_failed, n_not_converged : int
        Fits made, failed, and not converged. Those that did not converge are part of the averages.
    first_error : str
        The first failure.
    """

    table: Table
    bins: Table
    n_mocks: int
    n_failed: int
    n_not_converged: int
    first_error: str

    @classmethod
    def collect(
        cls,
        cells: list[Cell],
        tallies: dict[tuple[str, int, str], Tally],
        edges: dict[str, NDArray[np.float64]],
        quantities: tuple[str, ...],
        informative: float,
    ) -> Coverage:
        """Average the scores of all cells."""
        rows: list[dict[str, Any]] = []
        bin_rows: list[dict[str, Any]] = []
        for cell in cells:
            tally = tallies[cell.key]
            if not tally.scores:
                raise RuntimeError(
                    f"all mocks of truth {cell.truth_name!r} with n_stars = {cell.n_stars}, err = "
                    f"{cell.err_label} failed, the first with: {tally.errors[0]!r}."
                )
            for g, (grid, grid_edges) in enumerate(edges.items()):
                scores = tally.on_grid(g)
                head = {
                    "truth": cell.truth_name,
                    "n_stars": cell.n_stars,
                    "err": cell.err_label,
                    "grid": grid,
                }
                scalars = scores[:, :, : len(quantities)]
                for q, quantity in enumerate(quantities):
                    rows.append(
                        head
                        | {"quantity": quantity}
                        | _average(scalars[:, :, q : q + 1])
                        | {"total_variation": np.nan}
                    )
                masses = cell.truth.bin_masses(grid_edges, conditional=True)
                by_bin = scores[:, :, len(quantities) : -1]
                full = masses * cell.n_stars >= informative
                for name, which in (("all", full | True), ("informative", full), ("empty", ~full)):
                    variation = scores[:, 0, -1].mean() if name == "all" else np.nan
                    if which.any():
                        rows.append(
                            head
                            | {"quantity": f"bins ({name})"}
                            | _average(by_bin[:, :, which])
                            | {"total_variation": variation}
                        )
                for b in range(masses.size):
                    place = {"v_low": grid_edges[b], "v_high": grid_edges[b + 1]}
                    truth = {"mass": masses[b], "informative": full[b]}
                    bin_rows.append(head | place | truth | _average(by_bin[:, :, b : b + 1]))
        errors = [e for tally in tallies.values() for e in tally.errors]
        return cls(
            table=_to_table(rows),
            bins=_to_table(bin_rows),
            n_mocks=sum(len(t.scores) + len(t.errors) for t in tallies.values()),
            n_failed=len(errors),
            n_not_converged=sum(t.n_not_converged for t in tallies.values()),
            first_error=f"{type(errors[0]).__name__}: {errors[0]}" if errors else "",
        )

    def __str__(self) -> str:
        head = f"{self.n_mocks} mocks ({self.n_failed} failed, {self.n_not_converged} not converged): "
        covered = self.table["coverage68"][self.table["quantity"] == "bins (informative)"]
        if not len(covered):
            return f"{head}no bin is expected to hold as much as one star"
        return (
            f"{head}68 % intervals of informative bins cover {np.mean(covered):.3f} on average, "
            f"{np.min(covered):.3f} to {np.max(covered):.3f}"
        )

    def plot(
        self,
        quantities: Sequence[str] | None = None,
        grid: str | None = None,
        fig: Figure | None = None,
    ) -> Figure:
        """Plot the coverage of the 68 % intervals, a panel for each quantity.

        Parameters
        ----------
        quantities : sequence of str, optional
            Which, as in ``table``. By default the informative bins, ``v_mean``, ``sigma``, ``skewness`` and
            ``kurtosis``, as far as the table has them, or all of the table if it has none of these.
        grid : str, optional
            On which velocity grid; the first by default.
        fig : matplotlib.figure.Figure, optional
            Where to draw; a new figure by default.

        Raises
        ------
        ValueError
            If the table has no such quantity or grid.
        """
        from veldist.calibration.plots import plot_coverage

        if quantities is None:
            there = list(dict.fromkeys(self.table["quantity"].tolist()))
            quantities = [q for q in _PLOTTED if q in there] or there
        return plot_coverage(self.table, quantities, grid, fig)


def _average(scores: NDArray[np.float64]) -> dict[str, Any]:
    """Averages over mocks and columns of scores (mocks, features, columns)."""
    n_mocks, _, n_columns = scores.shape
    by_name = dict(zip(FEATURES, np.moveaxis(scores, 1, 0), strict=True))
    row: dict[str, Any] = {"n_mocks": n_mocks}
    for name in ("coverage68", "coverage95"):
        # The bins of a mock are not independent: the mocks' own averages are.
        fraction = by_name[name].mean(axis=1)
        row[name] = float(fraction.mean())
        # Laplace's rule of succession: no certainty from few mocks that all agree.
        p = (fraction.sum() + 1.0) / (n_mocks + 2.0)
        binomial = np.sqrt(p * (1.0 - p))
        row[f"{name}_err"] = float(binomial / np.sqrt(n_mocks)) if n_columns == 1 else _error(fraction)
    error, width, crps = (by_name[name] for name in ("error", "width", "crps"))
    row["bias"] = float(error.mean())
    row["bias_err"] = _error(error.mean(axis=1))
    row["scatter"] = float(np.sqrt(error.var(axis=0, ddof=1).mean())) if n_mocks > 1 else np.nan
    row["width"] = float(width.mean())
    row["bias_ratio"] = row["bias"] / row["width"] if row["width"] > 0.0 else np.nan
    total = crps.sum(axis=1)
    row["crps"] = float(total.mean())
    row["crps_err"] = _error(total)
    return row


def _error(values: NDArray[np.float64]) -> float:
    """Standard error of the mean of independent values; a single one does not tell it."""
    return float(values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else np.nan


def _to_table(rows: list[dict[str, Any]]) -> Table:
    from astropy.table import Table

    table = Table(rows=rows)
    for name, description in _COLUMNS.items():
        table[name].info.description = description
    return table
