"""Warnings about exports that DYNAMITE and other codes would read without complaint, and get wrong."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from veldist.errors import GridWarning
from veldist.export.dynamite.layout import VoronoiLayout
from veldist.export.rows.bins import describe_bins
from veldist.export.rows.cut import Cut
from veldist.export.rows.losvds import SolvedBins
from veldist.fits.contamination import describe_stars

__all__ = ["star_notes", "warn_cut", "warn_doubtful", "warn_misplaced"]

# Rules of the checks are imported within functions: they are not loaded before something is written.

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


def warn_cut(
    cuts: Mapping[int, Cut], n_bins: int, stacklevel: int, *, draws: bool = False, note: str = ""
) -> None:
    """Warn of LOSVDs that the velocity grid cuts off.

    These have more than 0.5 % of their mass in an outermost velocity bin, or outside the grid.

    Parameters
    ----------
    cuts : mapping of int to Cut
        What is cut off from the solved bins.
    n_bins : int
        Number of bins, skipped ones included.
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

    edge, outside = np.zeros((2, n_bins))
    for i, cut_off in cuts.items():
        edge[i], outside[i] = cut_off.edge, cut_off.outside
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


def star_notes(cuts: Mapping[int, Cut], remarks: Sequence[str] | None = None) -> dict[str, list[str]]:
    """Metadata of a table: what is to be said of far stars, bin by bin, and of all stars together.

    The latter may be known already, as ``remarks``.
    """
    far = [f"solvers[{i}]: {cuts[i].outliers}" for i in sorted(cuts) if cuts[i].outliers is not None]
    if remarks is None:
        remarks = describe_stars({i: cut.stars for i, cut in cuts.items()})
    notes = {"outliers": far, "contamination": list(remarks)}
    return {name: texts for name, texts in notes.items() if texts}


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
