"""Warnings about exports that DYNAMITE would read without complaint, and get wrong."""

from __future__ import annotations

import warnings

import numpy as np

from veldist.errors import GridWarning
from veldist.export.dynamite_metadata import VoronoiLayout, describe_bins
from veldist.export.dynamite_rows import SolvedBins

__all__ = ["warn_doubtful", "warn_misplaced"]

# Share of the mass in an outermost velocity bin above which the user is warned.
_EDGE_SHARE = 0.005
# Sum of the median masses below which the user is warned.
_LOW_SUM = 0.5
# Share of the bin centres in other bins' pixels above which the user is warned.
_MISPLACED_SHARE = 0.5


def warn_misplaced(layout: VoronoiLayout, stacklevel: int) -> None:
    """Warn if most bin centres lie in pixels of other bins, or outside the aperture.

    A transposed map, or one that counts its bins from 0, gives every LOSVD to a neighbour, which nothing
    downstream would notice. A rotated aperture is not checked: its pixels are in another frame than the
    centres.
    """
    aperture = layout.aperture
    if aperture.angle_deg != 0.0:
        return
    column = np.floor((layout.xbin - aperture.x_start) / aperture.x_size * aperture.nx)
    row = np.floor((layout.ybin - aperture.y_start) / aperture.y_size * aperture.ny)
    inside = (column >= 0) & (column < aperture.nx) & (row >= 0) & (row < aperture.ny)
    pixel = np.where(inside, row * aperture.nx + column, 0).astype(np.int64)
    found = np.where(inside, layout.pixel_ids[pixel], -1)
    misplaced = (found != 0) & (found != np.arange(found.size) + 1)
    if np.mean(misplaced) > _MISPLACED_SHARE:
        warnings.warn(
            f"the centres (xbin, ybin) of {misplaced.sum()} of {misplaced.size} solved bins lie in pixels of "
            "another bin or outside the aperture: pixel_bin_ids count bins from 1 with x varying fastest, "
            "and y runs upwards from y_start. Check for an offset of one, a transposed map or wrong units.",
            stacklevel=stacklevel + 1,
        )


def warn_doubtful(rows: SolvedBins, stacklevel: int) -> None:
    """Warn of LOSVDs that DYNAMITE reads but cannot reproduce.

    These have mass in an outermost velocity bin, where the newer DYNAMITE's orbits have none, or medians
    that sum to far less than 1.
    """
    total = rows.losvd.sum(axis=1)
    share = rows.losvd[:, [0, -1]].max(axis=1) / total
    full = np.zeros_like(rows.solved)
    full[rows.solved] = share > _EDGE_SHARE
    bins = np.flatnonzero(rows.solved)
    if full.any():
        worst = int(np.argmax(share))
        warnings.warn(
            f"an outermost velocity bin holds more than {_EDGE_SHARE:.1%} of the mass in "
            f"{describe_bins(full)}; the worst is index {bins[worst]} with {share[worst]:.2%}. "
            "Orbits have no mass there in recent versions of DYNAMITE: use a wider velocity grid, pad=True "
            "for an empty velocity bin on each side, or truncate_losvd() where the data do not support the "
            "wing.",
            GridWarning,
            stacklevel=stacklevel + 1,
        )
    low = np.zeros_like(rows.solved)
    low[rows.solved] = total < _LOW_SUM
    if low.any():
        worst = int(np.argmin(total))
        warnings.warn(
            f"the median masses sum to less than {_LOW_SUM:g} in {describe_bins(low)}; the worst is index "
            f"{bins[worst]} with {total[worst]:.3g}. The velocity bins are finer than the data resolve, or "
            "hold densities instead of masses: use fewer velocity bins or larger Voronoi bins.",
            stacklevel=stacklevel + 1,
        )
