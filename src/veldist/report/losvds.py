"""The LOSVD of one bin, its stars and its diagnostics, in few digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from veldist._support.arrays import Floats
from veldist.fits.draws import fit_draws
from veldist.fits.fit import Fit
from veldist.fits.stars import Stars
from veldist.inference import Diagnostics
from veldist.report.metrics import fit_numbers
from veldist.report.numbers import rounded, rounded_or_none

__all__ = ["PERCENTILES", "BinEntry", "bin_entry", "thinned_rug"]

PERCENTILES = (2.5, 16.0, 50.0, 84.0, 97.5)
"""Percentiles of the draws that are drawn."""

# The largest mass of a bin is this whole number; velocities are in this fraction of the grid's width.
_LEVELS, _TICKS = 5000, 4000
_MOST_STARS = 300


@dataclass(frozen=True)
class BinEntry:
    """What is shown of one fitted bin."""

    # ``curves``: percentiles of the mass per velocity bin as whole multiples of ``mass``; ``rug``: velocities
    # of the stars as whole multiples of 1/4000 of the grid's width from its left end, each the distance to
    # the one before; ``thinned``: whether these are only a part; ``beyond``: stars outside the grid;
    # ``outside``: mass outside the grid; ``diagnostics`` or None; ``messages``: what is to be told of its
    # stars.
    content: dict[str, Any]
    grid: tuple[float, float, int]  # left edge, bin width (km/s) and number of bins of the velocity grid
    numbers: list[float]  # as `veldist.report.metrics.fit_numbers`
    stars: Stars | None  # if they are known


def bin_entry(index: int, fit: Fit) -> BinEntry:
    """What is shown of one fitted bin.

    Parameters
    ----------
    index : int
        Its place in the list, for messages.
    fit : Fit
        The bin.

    Raises
    ------
    TypeError, ValueError
        If it has not been fitted, naming ``solvers[index]``.
    """
    masses, edges = fit_draws(fit, index)
    curves = np.percentile(masses, PERCENTILES, axis=0)
    mass = float(curves.max()) / _LEVELS
    vel = np.empty(0) if fit.stars is None else fit.stars.vel
    inside = vel[(vel >= edges[0]) & (vel <= edges[-1])]
    rug = thinned_rug(inside, _MOST_STARS)
    ticks = np.rint((rug - edges[0]) / (edges[-1] - edges[0]) * _TICKS).astype(int)
    far = fit.outliers
    outside = (fit.samples or {}).get("outside_grid")
    content = {
        "mass": rounded_or_none(mass, 8),
        "curves": np.rint(curves / mass).astype(int).tolist(),
        "rug": np.diff(ticks, prepend=0).tolist(),
        "thinned": rug.size < inside.size,
        "beyond": int(vel.size - inside.size),
        "outside": None if outside is None else rounded_or_none(np.median(outside), 3),
        "diagnostics": _diagnostics(fit.diagnostics),
        "messages": [] if far is None else [far],
    }
    grid = float(edges[0]), float(edges[-1] - edges[0]) / masses.shape[1], masses.shape[1]
    return BinEntry(content, grid, fit_numbers(fit), fit.stars)


def thinned_rug(vel: Floats, most: int) -> Floats:
    """Sorted velocities, or so many of them, evenly taken from the sorted ones."""
    ordered = np.sort(vel)
    if ordered.size <= most:
        return ordered
    return ordered[np.linspace(0, ordered.size - 1, most).round().astype(int)]


def _diagnostics(found: Diagnostics | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "converged": bool(found.converged),
        "messages": [str(message) for message in found.messages],
        "numbers": rounded(
            [
                getattr(found, name)
                for name in ("ess_min", "rhat_max", "pareto_k", "acceptance", "log_bayes_factor")
            ],
            4,
        ),
    }
