"""Warnings about exports that DYNAMITE and other codes would read without complaint, and get wrong."""

from __future__ import annotations

import warnings

import numpy as np

from veldist.errors import GridWarning
from veldist.export.dynamite.layout import VoronoiLayout
from veldist.export.rows.bins import describe_bins
from veldist.export.rows.losvds import SolvedBins
from veldist.fits.draws import Fits
from veldist.fits.fit import Fit

__all__ = ["warn_cut", "warn_doubtful", "warn_misplaced"]

# Rules of the checks are imported within functions: they are not loaded before something is written.

# An outermost bin with less than this fraction of what the draws have there was emptied by `truncate_losvd`.
_TRUNCATED = 1e-3
# Sum of the median masses below which the user is warned.
_LOW_SUM = 0.5
# Share of the bin centres far from their own pixels above which the user is warned.
_MISPLACED_SHARE = 0.5


def warn_misplaced(layout: VoronoiLayout, stacklevel: int) -> None:
    """Warn if most bin centres lie far from their own pixels, or outside the aperture.

    A transposed map, or one that counts its bins from 0, gives every LOSVD to a neighbour, which nothing
    downstream would notice. The rule is that of `validate_dynamite_inputs`.
    """
    from veldist.export.checks.position import find_misplaced

    found = find_misplaced(layout.xbin, layout.ybin, layout.aperture, layout.pixel_ids)
    misplaced = found.outside | found.far
    if np.mean(misplaced) > _MISPLACED_SHARE:
        warnings.warn(
            f"the centres (xbin, ybin) of {misplaced.sum()} of {misplaced.size} solved bins lie in pixels of "
            "another bin or outside the aperture: pixel_bin_ids count bins from 1 with x varying fastest, "
            "and y runs upwards from y_start. Check for an offset of one, a transposed map or wrong units.",
            stacklevel=stacklevel + 1,
        )


def warn_cut(fits: Fits, stacklevel: int, *, draws: bool = False, note: str = "") -> None:
    """Warn of LOSVDs that the velocity grid cuts off.

    These have more than 0.5 % of their mass in an outermost velocity bin, or outside the grid. What is
    outside of the grid does not count where `veldist.KinematicSolver.truncate_losvd` emptied an outermost
    bin: the user has said then that the wing is not real.

    Parameters
    ----------
    fits : sequence of Fit or None
        One entry per Voronoi bin, which have been fitted. Their clipped medians are looked at, or their
        draws if there are none.
    stacklevel : int
        As for `warnings.warn`, counted from the caller.
    draws : bool
        Whether the export is made of the draws, which ``truncate_losvd`` leaves alone.
    note : str
        Sentence to add to the message.

    Warns
    -----
    GridWarning
        Naming the bins and the cure.
    """
    from veldist.export.checks.histogram import CUT_SHARE

    edge, outside = np.zeros((2, len(fits)))
    # One after the other, none kept: they may come from a store that is larger than the memory.
    for i, fit in enumerate(fits):
        if fit is not None:
            edge[i], outside[i] = _cut_shares(fit, draws)
    largest = np.maximum(edge, outside)
    cut = largest > CUT_SHARE
    if cut.any():
        worst = int(np.argmax(largest))
        truncate = "" if draws else ", or call truncate_losvd() where the data do not support the wing"
        warnings.warn(
            f"an outermost velocity bin, or the range outside the grid, holds more than {CUT_SHARE:.1%} of "
            f"the mass in {describe_bins(cut)}; the worst is index {worst} with {edge[worst]:.2%} in an "
            f"outermost velocity bin and {outside[worst]:.2%} outside: the grid cuts the LOSVD off. Use a "
            f"wider velocity grid (setup_grid() after run() reports the same posterior on it){truncate}."
            + (f" {note}" if note else ""),
            GridWarning,
            stacklevel=stacklevel + 1,
        )


def _cut_shares(fit: Fit, draws: bool) -> tuple[float, float]:
    """Shares of the mass in the fuller outermost velocity bin and outside the grid; 0 if not known."""
    samples = fit.samples or {}
    pdf = np.asarray(samples.get("intrinsic_pdf", np.empty((0, 0))), dtype=np.float64)
    drawn = np.median(pdf, axis=0) if pdf.ndim == 2 and pdf.size else None
    clipped = None if draws else fit.clipped
    median = drawn if clipped is None else np.asarray(clipped["losvd_median"], dtype=np.float64)
    edge, truncated = 0.0, False
    if median is not None and median.sum() > 0:
        edge = float(median[[0, -1]].max() / median.sum())
        if drawn is not None and drawn.shape == median.shape:
            truncated = bool((median[[0, -1]] < _TRUNCATED * drawn[[0, -1]]).any())
    outside = np.asarray(samples.get("outside_grid", ()), dtype=np.float64)
    return edge, float(np.median(outside)) if outside.size and not truncated else 0.0


def warn_doubtful(rows: SolvedBins, stacklevel: int) -> None:
    """Warn of LOSVDs whose medians sum to far less than 1, which DYNAMITE cannot reproduce."""
    total = rows.losvd.sum(axis=1)
    low = np.zeros_like(rows.solved)
    low[rows.solved] = total < _LOW_SUM
    if low.any():
        worst = int(np.argmin(total))
        warnings.warn(
            f"the median masses sum to less than {_LOW_SUM:g} in {describe_bins(low)}; the worst is index "
            f"{np.flatnonzero(rows.solved)[worst]} with {total[worst]:.3g}. The velocity bins are finer than "
            "the data resolve, or hold densities instead of masses: use fewer velocity bins or larger "
            "Voronoi bins.",
            stacklevel=stacklevel + 1,
        )
