"""What truths and draws are compared in: the LOSVD's shape on its cells, the joint density with the data.

Truth and draws go through the same functions in the same call. Velocities are standardised here, which no
rank notices.
"""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Floats, Ints
from veldist.inference import MixturePrior
from veldist.models.losvd.cells import Cells
from veldist.summaries.gauss_hermite.series_fit import gauss_hermite

__all__ = ["SHAPE_QUANTITIES", "log_joint_density", "shape_quantities"]

SHAPE_QUANTITIES = (
    "v_mean",
    "sigma",
    "skewness",
    "kurtosis",
    "tail_weight",
    "h3",
    "h4",
    "core_mass",
    "shoulder_mass",
    "wing_mass",
)
"""Names of the columns of `shape_quantities`."""

# Bins for h3 and h4, a quarter of the frame's scale wide.
_GRID = np.linspace(-8.0, 8.0, 65)
_RANGES = {
    "core": ((-0.5, 0.5),),
    "shoulder": ((-1.5, -0.5), (0.5, 1.5)),
    "wing": ((-4.0, -2.0), (2.0, 4.0)),
}


def shape_quantities(cell_masses: Floats, cells: Cells) -> Floats:
    """Moments, tail weight, h3, h4 and masses of LOSVDs, all in standardised velocity z.

    Moments and masses are those of the model's density, which within a cell has the cell's profile.
    ``tail_weight`` is the mass farther than one dispersion from the mean. h3 and h4 are those of
    `veldist.summaries.gauss_hermite.series_fit.gauss_hermite` on 64 bins in ``|z| < 8``. Core, shoulder and
    wing are the masses in ``|z| < 0.5``, ``0.5 < |z| < 1.5`` and ``2 < |z| < 4``.

    Parameters
    ----------
    cell_masses : ndarray, (n, K)
        Probability mass per cell, rows sum to 1.
    cells : Cells
        The cells.

    Returns
    -------
    ndarray, (n, 10)
        Columns as in `SHAPE_QUANTITIES`.
    """
    mean, r2, r3, r4 = (cell_masses @ cells.moments(4)[:, 1:]).T
    variance = r2 - mean**2
    third = r3 - mean * (3.0 * r2 - 2.0 * mean**2)
    fourth = r4 - mean * (4.0 * r3 - mean * (6.0 * r2 - 3.0 * mean**2))
    sigma = np.sqrt(variance)
    cdf = np.insert(np.cumsum(cell_masses, axis=1), 0, 0.0, axis=1)
    rows = np.arange(mean.size)

    def below(z: Floats) -> Floats:
        cell, share = cells.locate(z)
        return (1.0 - share) * cdf[rows, cell] + share * cdf[rows, cell + 1]

    on_grid = cell_masses @ cells.overlap(_GRID)
    fit = gauss_hermite(on_grid / on_grid.sum(axis=1, keepdims=True), _GRID)
    ranges = (sum(cells.overlap(np.array(part))[:, 0] for part in parts) for parts in _RANGES.values())
    return np.stack(
        [
            mean,
            sigma,
            third / sigma**3,
            fourth / variance**2 - 3.0,
            below(mean - sigma) + 1.0 - below(mean + sigma),
            fit.h[:, 0],
            fit.h[:, 1],
            *(cell_masses @ part for part in ranges),
        ],
        axis=1,
    )


def log_joint_density(
    component: Ints, beta: Floats, cell_masses: Floats, prior: MixturePrior, design: Floats
) -> Floats:
    r"""Log of :math:`\pi_g N(x) L`: weight of the component, density of its free coefficients, likelihood.

    x are the whitened coefficients :math:`(\beta - \mu_g) / s_g` whose scale is not zero. A quantity that
    depends on the data as well makes calibration a far stronger condition: a posterior that ignores part
    of the data passes on functions of the parameters alone (Modrak et al. 2023, arXiv:2211.02383).

    Parameters
    ----------
    component : ndarray of int, (n,)
        Prior component g of each row.
    beta : ndarray, (n, p)
        Coefficients.
    cell_masses : ndarray, (n, K)
        Cell masses made of them.
    prior : MixturePrior
        The prior.
    design : ndarray, (N, K)
        Density of every star given every cell.

    Returns
    -------
    ndarray, (n,)
        Minus infinity where a star has no density.
    """
    scales = prior.scales[component]
    free = scales > 0.0
    x = np.divide(beta - prior.mean[component], scales, out=np.zeros(scales.shape), where=free)
    log_prior = -0.5 * (np.vecdot(x, x) + np.log(2.0 * np.pi) * free.sum(axis=1))
    with np.errstate(divide="ignore"):
        log_likelihood = np.log(cell_masses @ design.T).sum(axis=1)
    return prior.log_weights[component] + log_prior + log_likelihood
