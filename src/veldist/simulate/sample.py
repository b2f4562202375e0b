"""Observed stars: draws from an LOSVD with measurement errors added, and the standard set of LOSVDs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.validate import check_count, check_finite, check_positive, strip_units, to_array
from veldist.simulate.base import LOSVD, to_positive
from veldist.simulate.losvd import FlatTopped, Gaussian, LaplaceConvolved, StudentT
from veldist.simulate.mixture import CounterRotating, TwoDispersions
from veldist.simulate.skew import SkewNormal

__all__ = ["draw_errors", "observe", "standard_losvds"]


def standard_losvds(v: float = 0.0, sigma: float = 20.0) -> dict[str, LOSVD]:
    """Seven shapes that real systems show, all with the same mean and dispersion.

    Parameters
    ----------
    v, sigma : float or Quantity
        Mean and dispersion of each (km/s).

    Returns
    -------
    dict of str to LOSVD
        ``gaussian``, ``skew-normal`` (alpha 4: skewness 0.78), ``student-t`` (6 degrees of freedom: excess
        kurtosis 3), ``counter-rotating`` (two peaks), ``flat-topped`` (excess kurtosis -0.68),
        ``two-dispersions`` (1.92) and ``laplace-convolved`` (1.92).
    """
    return {
        "gaussian": Gaussian(v, sigma),
        "skew-normal": SkewNormal(v, sigma, alpha=4.0),
        "student-t": StudentT(v, sigma, nu=6.0),
        "counter-rotating": CounterRotating(v, sigma, separation=3.0, fraction=0.4),
        "flat-topped": FlatTopped(v, sigma, width_ratio=3.0),
        "two-dispersions": TwoDispersions(v, sigma, ratio=3.0, fraction=0.5),
        "laplace-convolved": LaplaceConvolved(v, sigma, laplace_fraction=0.8),
    }


def draw_errors(err: Any, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Measurement errors of ``n`` stars (km/s).

    Parameters
    ----------
    err : float, array_like of shape (n,), or tuple (low, high); Quantity allowed
        One error for all, one for each, or the range of a uniform distribution.  Only a *tuple* of two is a
        range; a list or array holds the errors themselves.
    n : int
        Number of stars.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray, shape (n,)

    Raises
    ------
    ValueError
        If errors are not positive and finite, the range is reversed, or the length is not ``n``.
    """
    if isinstance(err, tuple):
        if len(err) != 2:
            raise ValueError(
                f"err is a tuple of {len(err)}: a range is (low, high); pass an array for one error a star."
            )
        low, high = (to_positive(end, f"err[{i}]", "km/s") for i, end in enumerate(err))
        if low > high:
            raise ValueError(f"err = ({low}, {high}) is reversed: pass (low, high).")
        return rng.uniform(low, high, n)
    if np.ndim(strip_units(err, "err", "km/s")) == 0:
        return np.full(n, to_positive(err, "err", "km/s"))
    errors = to_array(err, "err", "km/s")
    if errors.size != n:
        raise ValueError(
            f"err has {errors.size} values for {n} stars: pass one for each, or a single number."
        )
    check_finite(errors, "err")
    check_positive(errors, "err", "an error is a standard deviation in km/s.")
    return errors


def observe(
    losvd: LOSVD, n: int, err: Any, rng: np.random.Generator | int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw ``n`` stars from an LOSVD and add Gaussian measurement errors.

    Parameters
    ----------
    losvd : LOSVD
        Intrinsic distribution.
    n : int
        Number of stars.
    err : float, array_like of shape (n,), or tuple (low, high); Quantity allowed
        One error for all, one for each, or the range of a uniform distribution (km/s).
    rng : numpy.random.Generator, int or None
        Generator, or a seed for a new one.

    Returns
    -------
    vel, err : numpy.ndarray, shape (n,)
        Observed velocities and their errors (km/s).

    Raises
    ------
    TypeError
        If ``losvd`` is not an `LOSVD`.
    ValueError
        If the errors are not positive and finite, or not ``n``.
    """
    if not isinstance(losvd, LOSVD):
        raise TypeError(f"losvd must be an LOSVD, got {type(losvd).__name__}.")
    n, rng = check_count(n, "n", 1), np.random.default_rng(rng)
    errors = draw_errors(err, n, rng)
    return losvd.sample(n, rng) + errors * rng.standard_normal(n), errors
