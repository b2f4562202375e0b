r"""How much of a posterior comes from the data, and how much from the prior.

``prior_ratio`` of a summary is its posterior half-width over its prior half-width, both half of the 16-84
percentile range: about 1 where the data say nothing, 0 where they say all. It can exceed 1, where the data
favour the broad part of the prior over its core.

A summary is *prior-dominated* where the prior weighs more than the data. A Gaussian prior of width P and
data of width L give a posterior of width :math:`(1/P^2 + 1/L^2)^{-1/2}`, so that the prior weighs more,
P < L, where

    posterior / P > 1 / sqrt 2      or, the same,      posterior / L < 1 / sqrt 2.

Here the prior is no Gaussian: part of it is exactly the Gaussian LOSVD, so that a posterior can be much
narrower than the bulk of the prior without help from the data. The two criteria then differ, and either of
them is enough.

P for summaries of the shape is the prior's half-width with location and dispersion held near those of the
stars: prior LOSVDs as wide as the velocity grid would have the kurtosis of the grid. b1 and b2 (see
`veldist.models.losvd.basis`) are those of the frame, and draws with a mean farther than 1 scale of the frame
from its location, or a dispersion outside 0.5 to 2 scales, are left out. P is that on the range of the
velocity grid, as the posterior is conditional on it, but not in its bins: draws on the cells of the model,
shared by all bins with the same prior, have the summaries that ever narrower velocity bins would lead to
(`veldist.summaries.prior_draws`).

L is the sampling uncertainty of the moment for the stars at hand and their errors
(`veldist.summaries.information.sampling_bounds`). It depends on the LOSVD's tails; the upper quartile over
the posterior draws is taken, which in mocks agrees best with the L of the true LOSVD: the median is too low
for heavy tails, and that of the mean LOSVD too high where a few draws have heavy tails. L is known for V,
dispersion, skewness and kurtosis; of the other summaries the first criterion alone is asked.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.percentiles import percentiles
from veldist.fits.fit import Fit
from veldist.models.losvd.regrid import smooth_bin_masses
from veldist.summaries.information import MOMENTS, sampling_bounds
from veldist.summaries.prior_draws import shape_draws, whole_draws
from veldist.summaries.scalars import METRICS, SCALARS

__all__ = [
    "PRIOR_DRAWS",
    "SHAPES",
    "SHAPE_DRAWS",
    "data_widths",
    "is_dominated",
    "prior_draws",
    "prior_ratio",
    "prior_weight",
    "prior_widths",
]

PRIOR_DRAWS = 400
"""Draws from the whole prior: half-widths then scatter by 6 to 10 % between seeds."""

SHAPE_DRAWS = 1000
"""Draws of the prior's shape: half-widths then scatter by 5 to 8 % between seeds."""

SHAPES = ("v_asymmetry", "skewness", "kurtosis", "tail_weight")
"""Summaries whose prior is that of the shape alone."""

_EQUAL_WEIGHTS = 1.0 / np.sqrt(2.0)
_IS_SHAPE = np.isin(SCALARS, SHAPES)
_MOMENT_INDEX = [SCALARS.index(name) for name in MOMENTS]
_BOUND_PERCENTILE = 75.0
# Their sampling uncertainties differ little between draws.
_BOUND_DRAWS = 50


def prior_draws(posterior: Any, edges: Floats) -> tuple[Floats, Floats]:
    """Draws from the prior behind a posterior, mass per bin; always the same ones for the same prior.

    Parameters
    ----------
    posterior : LosvdPosterior
        Of a fitted solver.
    edges : ndarray, shape (n_bins + 1,)
        Bin edges, km/s.

    Returns
    -------
    whole : ndarray, shape (at most PRIOR_DRAWS, n_bins)
        From the prior.
    shape : ndarray, shape (at most SHAPE_DRAWS, n_bins)
        From the prior of the shape, with location and scale near those of the posterior's frame.
        Both without the draws that have next to no mass on the grid.

    Raises
    ------
    ValueError
        If next to no draws of the prior have mass on the grid.
    """
    z = posterior.frame.standardise(edges)
    sets = []
    for draws in (whole_draws(posterior, PRIOR_DRAWS), shape_draws(posterior, SHAPE_DRAWS)):
        raw = smooth_bin_masses(draws.cells, draws.masses[draws.with_mass(z[0], z[-1])], z)
        sets.append(raw / raw.sum(axis=1, keepdims=True))
    return sets[0], sets[1]


def prior_widths(posterior: Any, edges: Floats) -> Floats:
    """Prior half-widths of `SCALARS` on the range of a velocity grid, (n_scalars,).

    Parameters
    ----------
    posterior : LosvdPosterior
        Of a fitted solver.
    edges : ndarray
        Bin edges, km/s: the first and last count.

    Raises
    ------
    ValueError
        If next to no draws of the prior have mass on the grid.
    """
    low, high = (float(z) for z in posterior.frame.standardise(edges[[0, -1]]))
    whole, shape = (
        draws.half_widths(low, high, posterior.frame.scale)
        for draws in (whole_draws(posterior, PRIOR_DRAWS), shape_draws(posterior, SHAPE_DRAWS))
    )
    return np.where(_IS_SHAPE, shape, whole)


def prior_ratio(posterior: Floats, prior: Floats) -> Floats:
    """Posterior over prior half-width, which can exceed 1; NaN where the prior has no width."""
    return np.divide(posterior, prior, out=np.full(np.shape(posterior), np.nan), where=np.asarray(prior) > 0)


def data_widths(masses: Floats, edges: Floats, err: Floats) -> Floats:
    """Sampling uncertainties of `MOMENTS` for the LOSVDs of a posterior, (4,).

    Parameters
    ----------
    masses : ndarray, shape (n_draws, n_bins)
        Posterior draws.
    edges : ndarray, shape (n_bins + 1,)
        Bin edges, km/s.
    err : ndarray, shape (n_stars,)
        Errors of the stars, km/s.
    """
    step = -(-masses.shape[0] // _BOUND_DRAWS)
    return percentiles(sampling_bounds(masses[::step], edges, err).T, (_BOUND_PERCENTILE,))[0]


def is_dominated(posterior: Floats, prior: Floats, data: Floats) -> NDArray[np.bool_]:
    """Whether the prior weighs more than the data, by either criterion.

    Parameters
    ----------
    posterior, prior, data : ndarray, shape (n,)
        Half-widths of posterior and prior, and what the data alone would give: NaN where not known.
    """
    return (posterior > _EQUAL_WEIGHTS * prior) | (posterior < _EQUAL_WEIGHTS * data)


def prior_weight(fit: Fit, masses: Floats, edges: Floats, widths: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """Ratios to the prior, and which summaries of a fit the prior dominates.

    Parameters
    ----------
    fit : Fit
        A fitted bin.
    masses : ndarray, shape (n_draws, n_bins)
        Its posterior draws.
    edges : ndarray, shape (n_bins + 1,)
        Bin edges, km/s.
    widths : ndarray, shape (n_metrics,)
        Half-widths of `METRICS` in these draws.

    Returns
    -------
    ratio : ndarray, shape (n_metrics,)
        NaN for ``bimodality_score``, a whole number, where the prior has no width, and throughout if the
        fit has no posterior or its prior no mass on the grid.
    dominated : ndarray of bool, shape (n_metrics,)
        False where the ratio is NaN, except where the prior has no width and the posterior has some: a prior
        that is nearly all exactly Gaussian dominates the shape.
    """
    ratio, dominated = np.full(len(METRICS), np.nan), np.zeros(len(METRICS), dtype=bool)
    posterior, stars = fit.posterior, fit.stars
    if posterior is None or stars is None:
        return ratio, dominated
    n = len(SCALARS)
    try:
        prior = prior_widths(posterior, edges)
    except ValueError:
        # The posterior is on the grid, or there were no draws to look at: nothing is wrong with these.
        return ratio, dominated
    data = np.full(n, np.nan)
    data[_MOMENT_INDEX] = data_widths(masses, edges, stars.err)
    ratio[:n] = prior_ratio(widths[:n], prior)
    dominated[:n] = is_dominated(widths[:n], prior, data)
    return ratio, dominated
