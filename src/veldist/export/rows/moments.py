"""The posterior draws of the solved bins of a map, one bin at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.percentiles import percentiles
from veldist.export.rows.cut import Cut, cut_of
from veldist.fits.draws import Fits, is_fitted, resolved_draws
from veldist.summaries.moments import histogram_moments

__all__ = ["MomentDraws", "iterate_moments", "median_and_uncertainty", "solved_mask"]


@dataclass(frozen=True, eq=False)
class MomentDraws:
    """Moments of every draw of one bin."""

    index: int  # place in the list of solvers
    n_stars: float  # number of stars, NaN if it is not known
    n_members: float  # posterior median of the number of members among them
    cut: Cut  # what the velocity grid leaves out
    # (n_draws,): Mean and dispersion, km/s.
    v: Floats
    sigma: Floats
    # (n_draws,): Skewness and excess kurtosis.
    skewness: Floats
    kurtosis: Floats

    def second_moment(self, about: float) -> Floats:
        """Mean square of the velocity relative to ``about`` (km/s)^2, for every draw."""
        return self.sigma**2 + (self.v - about) ** 2

    def fourth_moment(self, about: float) -> Floats:
        """Mean fourth power of the velocity relative to ``about`` (km/s)^4, for every draw."""
        d, s = self.v - about, self.sigma
        return s**4 * (self.kurtosis + 3.0) + 4.0 * d * s**3 * self.skewness + 6.0 * d**2 * s**2 + d**4


def solved_mask(fits: Fits) -> NDArray[np.bool_]:
    """Which bins have been fitted.

    Raises
    ------
    ValueError
        If none has.
    """
    solved = is_fitted(fits)
    if not solved.any():
        raise ValueError(f"solvers holds no solved bin (of {len(fits)}): there is nothing to write.")
    return solved


def iterate_moments(fits: Fits) -> Iterator[MomentDraws]:
    """Moments of the solved bins; fits are looked up once and not kept.

    Raises
    ------
    TypeError, ValueError
        If a solver has not been run, naming it.
    """
    for index, fit in enumerate(fits):
        if fit is not None:
            moments = histogram_moments(*resolved_draws(fit, index))
            yield MomentDraws(
                index, float(fit.n_stars or np.nan), fit.n_members, cut_of(fit, draws=True), *moments
            )


def median_and_uncertainty(draws: Floats) -> tuple[float, float]:
    """Median and half of the 16-84 percentile range."""
    low, median, high = percentiles(draws, (16.0, 50.0, 84.0))
    return float(median), float(0.5 * (high - low))
