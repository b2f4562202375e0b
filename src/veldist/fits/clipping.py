"""Median and uncertainty of a LOSVD per bin, in the form that orbit-modelling codes take."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from veldist._support import validate
from veldist._support.percentiles import percentiles

__all__ = ["ABS_FLOOR", "FLOOR_FRACTION", "clip", "truncate"]

FLOOR_FRACTION, ABS_FLOOR = 0.01, 1e-10
"""Floors of an uncertainty unless the user wants others: a fraction of the largest median, and a constant."""


def clip(
    pdf_samples: NDArray[np.float64], floor_fraction: float = FLOOR_FRACTION, abs_floor: float = ABS_FLOOR
) -> dict[str, NDArray[np.float64]]:
    """Median and half of the 16-84 percentile range per bin, the latter above a floor.

    Parameters
    ----------
    pdf_samples : ndarray, (n_draws, n_bins)
        Mass per bin in every draw.
    floor_fraction : float
        Floor as a fraction of the largest median.
    abs_floor : float
        Smallest floor.

    Returns
    -------
    dict
        ``losvd_median``, ``losvd_uncertainty``, ``floored`` (where the floor acts) and ``floor`` (its value),
        each (n_bins,); ``floor_fraction`` and ``abs_floor``, the arguments, as arrays of no dimension.
    """
    floor_fraction = validate.to_float(floor_fraction, "floor_fraction", "")
    if floor_fraction < 0:
        raise ValueError(f"floor_fraction must not be negative, got {floor_fraction}.")
    abs_floor = _check_floor(abs_floor)
    low, median, high = percentiles(pdf_samples.T.copy(), (16.0, 50.0, 84.0))
    uncertainty = 0.5 * (high - low)
    floor = max(floor_fraction * float(median.max()), abs_floor)
    return {
        "losvd_median": median,
        "losvd_uncertainty": np.maximum(uncertainty, floor),
        "floored": uncertainty < floor,
        "floor": np.full(median.shape, floor),
        "floor_fraction": np.array(floor_fraction),
        "abs_floor": np.array(abs_floor),
    }


def truncate(
    clipped: dict[str, NDArray[np.float64]], centers: NDArray[np.float64], n_sigma: float, abs_floor: float
) -> dict[str, NDArray[np.float64]]:
    """Empty the bins beyond ``n_sigma`` dispersions from the mean of the median LOSVD.

    Parameters
    ----------
    clipped : dict
        As `clip` returns it.
    centers : ndarray, (n_bins,)
        Bin centres, km/s.
    n_sigma : float
        Where to cut.
    abs_floor : float
        Mass given to the emptied bins.

    Returns
    -------
    dict
        A new dictionary; the masses kept are scaled to the former total, their uncertainties alike.
    """
    n_sigma = validate.to_float(n_sigma, "n_sigma", "")
    if n_sigma <= 0:
        raise ValueError(f"n_sigma must be positive, got {n_sigma}.")
    abs_floor = _check_floor(abs_floor)
    median, uncertainty = clipped["losvd_median"], clipped["losvd_uncertainty"]
    total = float(median.sum())
    mean = float(median @ centers) / total
    sigma = np.sqrt(float(median @ (centers - mean) ** 2) / total)
    keep = np.abs(centers - mean) <= n_sigma * sigma
    if not keep.any():
        raise ValueError(f"n_sigma = {n_sigma} would empty all {keep.size} bins: choose a larger one.")
    scale = total / float(median[keep].sum())
    scaled = {
        "losvd_median": np.where(keep, scale * median, abs_floor),
        "losvd_uncertainty": np.where(keep, scale * uncertainty, uncertainty),
    }
    if "floor" in clipped:
        scaled["floor"] = np.where(keep, scale * clipped["floor"], clipped["floor"])
    return clipped | scaled


def _check_floor(abs_floor: float) -> float:
    abs_floor = validate.to_float(abs_floor, "abs_floor", "")
    if abs_floor <= 0:
        raise ValueError(f"abs_floor must be positive, got {abs_floor}: no uncertainty may vanish.")
    return abs_floor
