"""The draws of many bins in one array, read one bin at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from veldist._support.arrays import Floats
from veldist._support.validate import name_first
from veldist.errors import OrderError
from veldist.fits.diagnostics import DIAGNOSTICS
from veldist.fits.draws import Fits
from veldist.fits.fit import Fit
from veldist.fits.grid import same_grid
from veldist.summaries.columns import MEMBERS

__all__ = ["MapDraws", "collect_draws"]


class MapDraws:
    """Draws, summaries and diagnostics of all spatial bins; NaN, and False, for skipped ones.

    Parameters
    ----------
    n_bins : int
        Number of spatial bins.
    draws : int or None
        Draws to keep of each, all if None.
    dtype : dtype
        Type of the masses.

    Attributes
    ----------
    pdf : ndarray, (n_bins, n_kept, n_velocity)
        Probability mass per velocity bin.
    per_draw : dict of str to ndarray, (n_bins, n_kept)
        ``outside_grid`` and, where one of the bins has them, `MEMBERS`; NaN in the others.
    membership : dict of int to ndarray, (n_stars,)
        Posterior probability of every star to be a member, for bins that have contaminants.
    median, uncertainty : ndarray, (n_bins, n_velocity)
        Summaries of the masses.
    scalars : dict of str to ndarray, (n_bins,)
        ``n_stars``, ``n_far`` and the `DIAGNOSTICS`.
    fitted, converged : ndarray of bool, (n_bins,)
        Which bins have a solver, and whose draws are good.
    edges : ndarray, (n_velocity + 1,)
        Edges of the velocity bins, km/s.
    rows : ndarray of int, (n_kept,)
        Rows of a solver's samples that are kept.
    num_samples : int
        Number of draws that each solver has.
    """

    pdf: NDArray[np.floating]
    median: Floats
    uncertainty: Floats
    edges: Floats
    rows: NDArray[np.int64]
    num_samples: int

    def __init__(self, n_bins: int, draws: int | None, dtype: DTypeLike) -> None:
        self.fitted = np.zeros(n_bins, dtype=bool)
        self.converged = np.zeros(n_bins, dtype=bool)
        self.scalars = {name: np.full(n_bins, np.nan) for name in ("n_stars", "n_far", *DIAGNOSTICS)}
        self.per_draw: dict[str, Floats] = {}
        self.membership: dict[int, Floats] = {}
        self._draws, self._dtype = draws, dtype
        self._first: int | None = None
        self._not_run: list[int] = []
        self._other_grid: list[int] = []
        self._other_size: list[int] = []

    def add(self, k: int, fit: Fit | None) -> None:
        """Copy what is needed of bin ``k``; a fit that does not suit the others is noted for `check`."""
        if fit is None:
            return
        if fit.samples is None or fit.grid is None:
            self._not_run.append(k)
            return
        edges = fit.grid.edges
        pdf = np.asarray(fit.samples["intrinsic_pdf"])
        if pdf.ndim != 2 or pdf.shape[1] != edges.size - 1:
            raise ValueError(
                f"solvers[{k}].samples['intrinsic_pdf'] has shape {pdf.shape}, but its grid has "
                f"{edges.size - 1} velocity bins."
            )
        if self._first is None:
            self._begin(k, edges, pdf.shape[0])
        if not same_grid(edges, self.edges):
            self._other_grid.append(k)
        elif pdf.shape[0] != self.num_samples:
            self._other_size.append(k)
        else:
            self._fill(k, fit, pdf)

    def _begin(self, k: int, edges: Floats, num_samples: int) -> None:
        """Make room: the first solver says how much is needed."""
        n_kept = num_samples if self._draws is None else self._draws
        if n_kept > num_samples:
            raise ValueError(
                f"draws = {n_kept} are more than the {num_samples} that solvers[{k}] has: ask for fewer, or "
                "call run() with a larger num_samples."
            )
        self._first, self.edges, self.num_samples = k, edges.copy(), num_samples
        # Not every so-manyth row: the rows run through the chains, and their number may have common factors.
        self.rows = np.sort(np.random.default_rng(0).permutation(num_samples)[:n_kept])
        n_bins, n_velocity = self.fitted.size, edges.size - 1
        self.pdf = np.full((n_bins, n_kept, n_velocity), np.nan, dtype=self._dtype)
        self.per_draw["outside_grid"] = np.full((n_bins, n_kept), np.nan)
        self.median, self.uncertainty = np.full((2, n_bins, n_velocity), np.nan)

    def _fill(self, k: int, fit: Fit, pdf: NDArray[Any]) -> None:
        self.fitted[k] = True
        self.pdf[k] = pdf[self.rows]
        for name in ("outside_grid", *MEMBERS):
            values = (fit.samples or {}).get(name)
            if values is not None:
                empty = np.full((self.fitted.size, self.rows.size), np.nan)
                self.per_draw.setdefault(name, empty)[k] = np.asarray(values)[self.rows]
        if fit.membership is not None:
            self.membership[k] = fit.membership
        clipped = fit.summary
        self.median[k], self.uncertainty[k] = clipped["losvd_median"], clipped["losvd_uncertainty"]
        self.scalars["n_stars"][k], self.scalars["n_far"][k] = fit.n_stars, fit.n_far
        diagnostics = fit.diagnostics
        if diagnostics is not None:
            self.converged[k] = diagnostics.converged
            for name in DIAGNOSTICS:
                self.scalars[name][k] = getattr(diagnostics, name)

    def check(self) -> None:
        """Raise if solvers did not fit together, naming all of them, or if there is none."""
        n_bins = self.fitted.size

        def those(bins: list[int]) -> str:
            return f"{len(bins)} of {n_bins} solvers ({name_first(bins)})"

        if self._not_run:
            raise OrderError(
                f"run() has not been called on {those(self._not_run)}: run them, or pass None to skip them."
            )
        if self._first is None:
            raise ValueError(f"all {n_bins} entries of solvers are None: there is nothing to collect.")
        if self._other_grid:
            raise ValueError(
                f"{those(self._other_grid)} have another velocity grid than solvers[{self._first}] "
                f"({self.edges.size - 1} bins from {self.edges[0]:g} to {self.edges[-1]:g} km/s): call "
                "their setup_grid() with the same arguments, which needs no new fit."
            )
        if self._other_size:
            raise ValueError(
                f"{those(self._other_size)} have another number of draws than the {self.num_samples} of "
                f"solvers[{self._first}]: run all with the same num_samples."
            )


def collect_draws(fits: Fits, draws: int | None, dtype: DTypeLike) -> MapDraws:
    """Read every fit once, in order, and keep none of them.

    Raises
    ------
    TypeError, ValueError, OrderError
        As `veldist.to_xarray`.
    """
    result = MapDraws(len(fits), draws, dtype)
    # Not `for fit in fits`, which would hold one while the next is loaded.
    for k in range(len(fits)):
        result.add(k, fits[k])
    result.check()
    return result
