"""What a user of an LOSVD must be told of it: what its grid cuts off, and what may be said of its stars."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from veldist.fits.fit import Fit
from veldist.fits.stars import Stars

__all__ = ["Cut", "cut_of"]

# An outermost bin with less than this fraction of what the draws have there was emptied by `truncate_losvd`.
_TRUNCATED = 1e-3


class Cut(NamedTuple):
    """Shares of the mass in the fuller outermost velocity bin and outside the grid; 0 if not known.

    Also what `veldist.fits.outliers.describe_outliers` says of the stars, and these.
    """

    edge: float
    outside: float
    outliers: str | None = None
    stars: Stars | None = None


def cut_of(fit: Fit, *, draws: bool = False) -> Cut:
    """What the grid of a fitted bin leaves out.

    What is outside does not count where `veldist.KinematicSolver.truncate_losvd` emptied an outermost bin:
    the user has said then that the wing is not real.

    Parameters
    ----------
    fit : Fit
        The bin. Its clipped medians are looked at, or its draws if there are none.
    draws : bool
        Whether the draws are looked at in any case: ``truncate_losvd`` leaves them alone.
    """
    samples = fit.samples or {}
    pdf = np.asarray(samples.get("intrinsic_pdf", np.empty((0, 0))), dtype=np.float64)
    drawn = np.median(pdf, axis=0) if pdf.ndim == 2 and pdf.size else None
    clipped = None if draws else fit.clipped
    median = drawn if clipped is None else np.asarray(clipped.get("losvd_median", ()), dtype=np.float64)
    edge, truncated = 0.0, False
    # Unusable masses are refused where the rows are put together.
    if median is not None and median.ndim == 1 and np.isfinite(median).all() and median.sum() > 0:
        edge = float(median[[0, -1]].max() / median.sum())
        if drawn is not None and drawn.shape == median.shape:
            truncated = bool((median[[0, -1]] < _TRUNCATED * drawn[[0, -1]]).any())
    outside = np.asarray(samples.get("outside_grid", ()), dtype=np.float64)
    missing = float(np.median(outside)) if outside.size and not truncated else 0.0
    return Cut(edge, missing, fit.outliers, fit.stars)
