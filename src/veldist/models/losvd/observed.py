r"""What a LOSVD predicts to be *observed*: convolved with the stars' errors.

The LOSVD is a histogram, constant within cells, so that convolving it with a Gaussian error e is exact. A
star that belongs to the cell from a to b is observed below u with the probability

.. math:: C(u) = \frac{1}{b - a} \int_a^b \Phi\!\left(\frac{u - v}{e}\right) dv
               = \frac{e}{b - a} \left[ G\!\left(\frac{u - a}{e}\right)
                                       - G\!\left(\frac{u - b}{e}\right) \right],
          \qquad G(t) = t\,\Phi(t) + \varphi(t),

for G is the integral of the normal CDF. Everything here is linear in the masses of the cells.
"""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Floats

__all__ = ["expected_fractions", "observed_cdf"]

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
