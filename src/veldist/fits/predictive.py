r"""What the posterior says of the *observed* velocities: the LOSVD convolved with the stars' errors.

The LOSVD is taken to be constant within narrow cells, so that convolving it with a Gaussian error e is exact. A
star that belongs to the cell from a to b is observed below u with the probability

.. math:: C(u) = \frac{1}{b - a} \int_a^b \Phi\!\left(\frac{u - v}{e}\right) dv
               = \frac{e}{b - a} \left[ G\!\left(\frac{u - a}{e}\right)
                                       - G\!\left(\frac{u - b}{e}\right) \right],
          \qquad G(t) = t\,\Phi(t) + \varphi(t),

for G is the integral of the normal CDF. Everything here is linear in the masses of the cells.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.errors import OrderError
from veldist.fits.fit import Fit

__all__ = ["expected_fractions", "observed_cdf", "predictive_fractions", "predictive_pit"]

# Entries of an array held at once: 16 MB.
_CHUNK = 2_000_000
# A posterior is integrated over cells of at most this width h, in units of its scale. Its cumulative distribution
# is then off by at most h^2 / 8 times the largest slope of its density within them, which for a Gaussian is
# 0.242: by 8e-5.
_WIDTH = 0.05
# Far out, where cells are wide and little is in them.
_MAX_PARTS = 20
# With more different errors than this, those that differ by less than the ratio are merged. The observed
# density changes by half the variance of the squared errors times its curvature in them, 3e-4 of its peak.
_MANY_ERRORS, _ERROR_RATIO = 100, 1.05


def observed_cdf(velocity: Floats, err: Floats, edges: Floats) -> Floats:
    """Probability of observing a star below a velocity if its true velocity lies in each cell.

    Parameters
    ----------
    velocity, err : ndarray, shape (n,)
        Observed velocities and their 1-sigma errors (km/s).
    edges : ndarray, shape (n_cells + 1,)
        Cell edges (km/s), ascending; velocities are distributed evenly within a cell.

    Returns
    -------
    ndarray, shape (n, n_cells)
    """
    # Here, for it takes longer to load than the rest of the package.
    from scipy.special import ndtr

    t = (velocity[:, None] - edges[None, :]) / err[:, None]
    integral = t * ndtr(t) + np.exp(-0.5 * t**2) / np.sqrt(2.0 * np.pi)
    share = (integral[:, :-1] - integral[:, 1:]) * (err[:, None] / np.diff(edges)[None, :])
    # Rounding only: the share of a cell that lies below.
    return np.clip(share, 0.0, 1.0)


def expected_fractions(
    observed_edges: Floats, err: Floats, cell_edges: Floats, cell_masses: Floats
) -> Floats:
    """Fraction of stars with given errors that each LOSVD predicts to be observed in each velocity bin.

    Parameters
    ----------
    observed_edges : ndarray, shape (n_bins + 1,)
        Edges of the bins of observed velocities (km/s), ascending.
    err : ndarray, shape (n_stars,)
        The stars' errors (km/s, 1 sigma). With more than a hundred different ones, those within 5 % are
        replaced by their root mean square.
    cell_edges : ndarray, shape (n_cells + 1,)
        Edges of the LOSVDs' cells (km/s), ascending.
    cell_masses : ndarray, shape (n_draws, n_cells)
        LOSVDs, probability mass per cell.

    Returns
    -------
    ndarray, shape (n_draws, n_bins)
        Rows sum to less than 1 by what is observed outside the bins.
    """
    errors, share = _merged(err)
    below = np.zeros((observed_edges.size, cell_edges.size - 1))
    for e, weight in zip(errors, share, strict=True):
        below += weight * observed_cdf(observed_edges, np.full(observed_edges.size, e), cell_edges)
    return cell_masses @ np.maximum(np.diff(below, axis=0), 0.0).T


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
    _, err, cell_edges, masses = _stars_and_cells(fit)
    return expected_fractions(np.asarray(edges, dtype=np.float64), err, cell_edges, masses)


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
    vel, err, edges, masses = _stars_and_cells(fit)
    mean = masses.mean(axis=0)
    pit = np.empty(vel.size)
    step = max(1, _CHUNK // edges.size)
    for start in range(0, vel.size, step):
        rows = slice(start, start + step)
        pit[rows] = observed_cdf(vel[rows], err[rows], edges) @ mean
    # Masses add up to 1 only to rounding.
    return np.minimum(pit, 1.0)


def _stars_and_cells(fit: Fit) -> tuple[Floats, Floats, Floats, Floats]:
    """Velocities, errors, cell edges (km/s), and cell masses of every draw.

    Parts of the posterior's own cells where there are any: they reach every star.
    """
    if fit.stars is None:
        raise OrderError("the posterior predictive needs stars with errors: call add_data() and run() first.")
    vel, err = fit.stars.vel, fit.stars.err
    if fit.posterior is not None:
        edges = _divided(fit.posterior.cells.edges)
        edges = fit.posterior.frame.velocity(edges)
        return vel, err, edges, fit.posterior.bin_masses(edges)[0]
    if fit.samples is None or fit.grid is None:
        raise OrderError("the posterior predictive needs draws: call run() first.")
    return vel, err, fit.grid.edges, fit.samples["intrinsic_pdf"]


def _divided(edges: Floats) -> Floats:
    """Edges of equal parts of cells, none wider than `_WIDTH` unless there would be very many."""
    parts = np.clip(np.ceil(np.diff(edges) / _WIDTH - 1e-9), 1, _MAX_PARTS).astype(int)
    starts = np.repeat(np.arange(parts.size), parts)
    within = (np.arange(starts.size) - (np.cumsum(parts) - parts)[starts]) / parts[starts]
    return np.append(edges[starts] + within * np.diff(edges)[starts], edges[-1])


def _merged(err: Floats) -> tuple[Floats, Floats]:
    """Errors that stand for all, and the share of stars that each stands for."""
    errors, count = np.unique(err, return_counts=True)
    if errors.size > _MANY_ERRORS:
        box = np.floor(np.log(errors / errors[0]) / np.log(_ERROR_RATIO)).astype(np.intp)
        square = np.bincount(box, count * errors**2)
        count = np.bincount(box, count)
        filled = count > 0
        errors, count = np.sqrt(square[filled] / count[filled]), count[filled]
    return errors, count / err.size
