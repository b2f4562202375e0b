r"""Stars of nearly the same velocity and error share a row of the design matrix.

Stars are sorted into boxes in velocity y and squared error q, in units of the frame's scale. A box of n stars
becomes one row of weight n, with

.. math:: y = \langle y_i \rangle, \qquad q = \langle q_i \rangle - \mathrm{Var}(y_i) .

To first order in y and q nothing changes, since the means are kept. The second moment of the LOSVD that the
box stands for, :math:`y^2 - q`, is kept too: the spread of the velocities in a box would else be missing from
the sample's.

With boxes of width h, what is left of the change of the log-likelihood is, per star, of the order of
:math:`h^2/24` times the Fisher information of the velocity, :math:`1 / (\sigma^2 + q)` for a Gaussian. It is
nearly the same for all LOSVDs that fit, and cancels in their ratios; the value for the unit Gaussian,

.. math:: \tfrac12 \mathrm{Var}(y)\,(2 \psi_{yy} + \psi_y^2) + \tfrac12 \mathrm{Var}(q)\,\psi_{qq}, \qquad
          \psi = \log N(y \mid 0, 1 + q),

is added back. What differs between LOSVDs is its derivative with the dispersion: without the correction of q,
:math:`\tfrac12 N (h^2/12)\, \delta\sigma^2/\sigma^4`. The posterior knows :math:`\sigma^2` to
:math:`\sqrt{2/N} \sigma^2`, so that for :math:`\sigma = 1`

.. math:: h^2 / 12 = \epsilon \sqrt{2 / N}

bounds the change of a log-likelihood ratio across the posterior's width, and with it the shift of the
posterior in units of its standard deviation, by :math:`\epsilon`; in mocks, over all that a LOSVD can do
within its posterior, by 1.3 times as much. For a part of the LOSVD that is narrower than the whole, and
well measured, both are larger by up to :math:`1 / (\sigma^2 + q)`. The boxes are therefore narrowed as long
as they leave fewer than some thousand rows: where a LOSVD is concentrated, boxes are few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats

__all__ = ["MergedStars", "box_width", "merge_stars"]

# Widest box of velocities in units of the errors in it, and ratio of the squared errors, in the logarithm.
_PER_ERROR, _LOG_WIDTH = 0.5, 0.5
# Boxes are halved until there are so many rows, or so often.
_ROWS, _HALVINGS = 2000, 6
# A cell is not divided into more than this many boxes: far out, where cells are wide and stars are few.
_MAX_BOXES_PER_CELL = 4096


@dataclass(frozen=True)
class MergedStars:
    """Stars, some of which stand for several."""

    # (n_rows,): Velocity and 1-sigma error in units of the frame's scale.
    z: Floats
    error: Floats
    weight: Floats  # (n_rows,): number of stars that each stands for
    # What the merging changes in the log-likelihood of the unit Gaussian, to second order: to be added.
    log_offset: float = 0.0
    # (N,): Which of these each star is in; None if none is merged.
    box: NDArray[np.intp] | None = None


def box_width(n_stars: int, tolerance: float) -> float:
    """Width of the boxes, in units of the frame's scale, that keeps the change within ``tolerance``."""
    return float(np.sqrt(12.0 * tolerance * np.sqrt(2.0 / n_stars)))


def merge_stars(z: Floats, error: Floats, edges: Floats, tolerance: float) -> MergedStars:
    """Merge stars of nearly the same velocity and error.

    Parameters
    ----------
    z, error : ndarray, (N,)
        Standardised velocities and their errors.
    edges : ndarray, (K + 1,)
        Edges of the cells, ascending, which no box straddles: within one the likelihood ratios of a
        well-measured star do not depend on its velocity at all.
    tolerance : float
        Change of log-likelihood ratios to accept, epsilon above.
    """
    q = error**2
    for halved in range(_HALVINGS + 1):
        box = _boxes(z, error, edges, box_width(z.size, tolerance), 0.5**halved)
        if box.max() >= min(_ROWS, z.size // 2):
            break
    n = np.bincount(box).astype(np.float64)

    def moments(x: Floats) -> tuple[Floats, Floats]:
        mean = np.bincount(box, x) / n
        return mean, np.bincount(box, (x - mean[box]) ** 2) / n

    (y, y_variance), (q_mean, q_variance) = moments(z), moments(q)
    # Errors far below the box's width leave nothing to subtract from, nor is there a need within a cell.
    y_variance = np.minimum(y_variance, 0.5 * q_mean)
    total = 1.0 + q_mean
    change = 0.5 * y_variance * ((y / total) ** 2 - 2.0 / total)
    change += 0.5 * q_variance * (0.5 / total**2 - y**2 / total**3)
    return MergedStars(y, np.sqrt(q_mean - y_variance), n, float(n @ change), box)


def _boxes(
    z: Floats,
    error: Floats,
    edges: Floats,
    width: float,
    factor: float,
) -> NDArray[np.intp]:
    """Every star's box, only those with stars in them numbered; all are scaled by ``factor``."""
    h, log_width = factor * width, factor * _LOG_WIDTH
    q = error**2
    # Boxes of squared error are of a constant ratio below, and of width h (1 + q) above, as the effect on the
    # width of the observed distribution is.
    turn = h / log_width
    low, high = np.log(np.minimum(q, turn) / turn) / log_width, np.log1p(np.maximum(q - turn, 0.0)) / h
    row = np.floor(low + high).astype(np.int64)
    row -= row.min()
    cell = np.clip(np.searchsorted(edges, z, side="right") - 1, 0, edges.size - 2)
    cell_width = np.diff(edges)[cell]
    # A well-measured star knows on which side of a cell's edge it is: boxes narrower than its error.
    smallest = np.full(row.max() + 1, np.inf)
    np.minimum.at(smallest, row, error)
    narrowest = np.minimum(h, factor * _PER_ERROR * smallest)[row]
    parts = np.clip(np.ceil(cell_width / narrowest), 1, _MAX_BOXES_PER_CELL)
    part = np.clip((z - edges[cell]) / cell_width, 0.0, 1.0) * parts
    key = (row * edges.size + cell) * (_MAX_BOXES_PER_CELL + 1) + part.astype(np.int64)
    # The few stars that no cell reaches stay as they are.
    outside = np.flatnonzero((z < edges[0]) | (z > edges[-1]))
    key[outside] = -1 - outside
    return np.unique(key, return_inverse=True)[1]
