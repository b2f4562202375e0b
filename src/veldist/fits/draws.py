"""The draws of fits, checked: what every summary, figure and file starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.validate import to_masses, to_uniform_centers
from veldist.fits.fit import Fit

__all__ = ["Fits", "as_fit", "check_fits", "checked_draws", "fit_draws", "is_fitted", "resolved_draws"]

Fits = Sequence[Fit | None]
"""One fit for each spatial bin, None where a bin was skipped."""

# Bins wider than this, in dispersions, are divided where the posterior is at hand, into so many to a
# dispersion, but not more parts than can be afforded.
_COARSE, _BINS_PER_SIGMA, _MAX_PARTS = 0.5, 4.0, 50


class _FitsOfSolvers(Sequence[Fit | None]):
    """The fits behind solvers, looked at one by one: nothing is kept."""

    def __init__(self, solvers: Sequence[Any]) -> None:
        self._solvers = solvers

    def __len__(self) -> int:
        return len(self._solvers)

    @overload
    def __getitem__(self, item: int) -> Fit | None: ...
    @overload
    def __getitem__(self, item: slice) -> Sequence[Fit | None]: ...
    def __getitem__(self, item: int | slice) -> Fit | Sequence[Fit | None] | None:
        if isinstance(item, slice):
            return _FitsOfSolvers(self._solvers[item])
        solver = self._solvers[item]
        return None if solver is None else as_fit(solver, f"solvers[{item}]")


def as_fit(solver: Any, name: str) -> Fit:
    """The fit that a solver holds, or the fit itself.

    Raises
    ------
    TypeError
        If it is something else, called ``name`` in the message.
    """
    fit = solver if isinstance(solver, Fit) else getattr(solver, "fit", None)
    if not isinstance(fit, Fit):
        raise TypeError(f"{name} must be a KinematicSolver or None, got {type(solver).__name__}.")
    return fit


def check_fits(solvers: Any) -> Fits:
    """The fits of a sequence with one solver, or None, for each spatial bin.

    A solver that lives on disk is read when its fit is looked at, and not kept.

    Raises
    ------
    TypeError
        If it is no sequence (a single solver, or a generator); when it is looked at, if an item is neither
        a solver nor None.
    ValueError
        If it is empty.
    """
    listed = hasattr(solvers, "__len__") and hasattr(solvers, "__getitem__")
    if isinstance(solvers, str | dict) or not listed:
        raise TypeError(
            f"solvers must be a sequence of one solver (or None) per spatial bin, got "
            f"{type(solvers).__name__}: pass a list, [solver] for a single one."
        )
    if len(solvers) == 0:
        raise ValueError("solvers is empty: pass one solver (or None) per spatial bin.")
    # Maps in a store know their fits without a solver around each.
    fits = getattr(solvers, "fits", None)
    if isinstance(fits, Sequence):
        return fits
    return solvers if isinstance(solvers, _FitsOfSolvers) else _FitsOfSolvers(solvers)


def is_fitted(fits: Fits) -> NDArray[np.bool_]:
    """Which of the fits are there, (n_bins,); maps in a store know without reading any."""
    fitted = getattr(fits, "fitted", None)
    if fitted is not None:
        return np.asarray(fitted)
    return np.array([fits[i] is not None for i in range(len(fits))])


def fit_draws(fit: Fit, index: int) -> tuple[Floats, Floats]:
    """Checked posterior masses (n_draws, n_bins) and bin edges (km/s) of one of a list of fits.

    Raises
    ------
    TypeError, ValueError
        If the bin has not been fitted, or as `checked_draws`; the message names ``solvers[index]``.
    """
    if fit.samples is None or fit.grid is None or "intrinsic_pdf" not in fit.samples:
        raise ValueError(f"solvers[{index}] has no samples['intrinsic_pdf']: call its run() first.")
    return checked_draws(
        fit.samples["intrinsic_pdf"],
        fit.grid.centers,
        f"solvers[{index}].samples['intrinsic_pdf']",
        f"solvers[{index}].grid['centers']",
    )


def resolved_draws(fit: Fit, index: int) -> tuple[Floats, Floats]:
    """As `fit_draws`, on narrower bins over the same range where the grid is too coarse for summaries.

    Percentiles and tail weights of a histogram need a few bins to the dispersion. Where there are fewer, the
    posterior, if there is one, is integrated over equal parts of the velocity bins.
    """
    masses, edges = fit_draws(fit, index)
    width = edges[1] - edges[0]
    if fit.posterior is None or width <= _COARSE * fit.posterior.frame.scale:
        return masses, edges
    parts = min(int(np.ceil(_BINS_PER_SIGMA * width / fit.posterior.frame.scale)), _MAX_PARTS)
    edges = np.linspace(edges[0], edges[-1], (edges.size - 1) * parts + 1)
    return fit.posterior.bin_masses(edges)[0][: masses.shape[0]], edges


def checked_draws(
    pdf_samples: Any, grid_centers: Any, pdf_name: str, grid_name: str
) -> tuple[Floats, Floats]:
    """Masses with rows that sum to 1 and bin edges in km/s.

    Raises
    ------
    TypeError, ValueError
        If they are no such masses, or the centres not uniform and ascending; see
        `veldist.analysis.summary_draws`.
    """
    centers, dv = to_uniform_centers(grid_centers, grid_name)
    masses = to_masses(pdf_samples, pdf_name, np.full(centers.size, dv))
    return masses, np.linspace(centers[0] - 0.5 * dv, centers[-1] + 0.5 * dv, centers.size + 1)
