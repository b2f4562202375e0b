"""What the posterior says of the *observed* velocities (see `veldist.models.losvd.observed`)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.errors import OrderError
from veldist.fits.fit import Fit
from veldist.fits.stars import Stars
from veldist.models.losvd.observed import expected_fractions, observed_cdf

__all__ = ["predictive_fractions", "predictive_pit"]

# Entries of an array held at once: 16 MB.
_CHUNK = 2_000_000


def predictive_fractions(fit: Fit, edges: Any) -> Floats:
    """Fraction of a bin's stars that every posterior draw predicts to be observed in each velocity bin.

    The prediction is for the errors of these stars, and has no counting noise.

    Parameters
    ----------
    fit : Fit
        A fitted bin.
    edges : array_like, shape (n_bins + 1,)
        Edges of the bins of observed velocities (km/s), ascending.

    Returns
    -------
    ndarray, shape (n_draws, n_bins)

    Raises
    ------
    OrderError
        If it has no stars or has not been fitted.
    """
    stars, cell_edges, masses = _stars_and_cells(fit)
    edges = np.asarray(edges, dtype=np.float64)
    parts = (p * expected_fractions(edges, err, cell_edges, masses) for p, err in stars.error_terms)
    return sum(parts, start=np.zeros(()))


def predictive_pit(fit: Fit) -> NDArray[np.float64]:
    """Probability integral transform of every star: its place in what the posterior predicts for it.

    The posterior predictive probability of observing, with the star's error, a velocity below its own. If
    LOSVD and errors are right the values are uniform between 0 and 1 (Dawid 1984, JRSS A 147, 278): errors
    that are too large crowd them in the middle. As the LOSVD is fitted to the same stars, they are slightly
    more even than independent uniform numbers, and what the LOSVD can take up by its own width is not seen:
    errors that are all too small by the same amount, for one.

    Parameters
    ----------
    fit : Fit
        A fitted bin.

    Returns
    -------
    ndarray, shape (n_stars,)

    Raises
    ------
    OrderError
        If it has no stars or has not been fitted.
    """
    stars, edges, masses = _stars_and_cells(fit)
    mean = masses.mean(axis=0)
    pit = np.zeros(stars.n_stars)
    step = max(1, _CHUNK // edges.size)
    for p, err in stars.error_terms:
        for start in range(0, stars.n_stars, step):
            rows = slice(start, start + step)
            pit[rows] += p * (observed_cdf(stars.vel[rows], err[rows], edges) @ mean)
    # Masses add up to 1 only to rounding.
    return np.minimum(pit, 1.0)


def _stars_and_cells(fit: Fit) -> tuple[Stars, Floats, Floats]:
    """Stars, cell edges (km/s), and cell masses of every draw.

    Those of `LosvdPosterior.histogram` where there is a posterior: they reach every star.
    """
    if fit.stars is None:
        raise OrderError("the posterior predictive needs stars with errors: call add_data() and run() first.")
    if fit.posterior is not None:
        return fit.stars, *fit.posterior.histogram()
    if fit.samples is None or fit.grid is None:
        raise OrderError("the posterior predictive needs draws: call run() first.")
    return fit.stars, fit.grid.edges, fit.samples["intrinsic_pdf"]
