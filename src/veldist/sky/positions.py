"""Positions of spatial bins, from the description of their layout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.validate import check_keys, name_first, to_array, to_float

__all__ = ["bin_positions", "check_bins", "read_positions"]


def check_bins(bins: Any, n_bins: int) -> None:
    """Check that there is one dict with ``xbin`` and ``ybin`` for every spatial bin.

    Raises
    ------
    TypeError, ValueError
        If there is not.
    """
    if isinstance(bins, str | Mapping) or not isinstance(bins, Sequence):
        raise TypeError(
            f"bins must be a list with one dict per spatial bin, got {type(bins).__name__}: pass "
            "voronoi_bin_metadata['bins']."
        )
    if len(bins) != n_bins:
        raise ValueError(
            f"bins has {len(bins)} entries, but there are {n_bins} solvers: give one for every spatial bin, "
            "skipped ones included."
        )
    for k, entry in enumerate(bins):
        check_keys(entry, ("xbin", "ybin"), f"bins[{k}]")


def bin_positions(bins: Sequence[dict[str, Any]], fitted: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Positions (arcsec) of bins that `check_bins` has checked; only skipped bins may be nowhere.

    Parameters
    ----------
    bins : sequence of dict
        ``xbin`` and ``ybin`` of every bin: numbers in arcsec, or Quantities.
    fitted : ndarray of bool, shape (n_bins,)
        Which bins have a solver.

    Returns
    -------
    x, y : ndarray, shape (n_bins,)

    Raises
    ------
    TypeError
        If a position is not a number.
    ValueError
        If the position of a bin with a solver is NaN or infinite.
    """
    found = []
    for key in ("xbin", "ybin"):
        values: Floats = np.empty(len(bins))
        for k, entry in enumerate(bins):
            values[k] = to_float(entry[key], f"bins[{k}]['{key}']", "arcsec", finite=False)
        _check_places(values, key, fitted)
        found.append(values)
    return found[0], found[1]


def read_positions(metadata: Any, x: Any, y: Any, fitted: NDArray[np.bool_]) -> dict[str, Floats]:
    """Positions of the bins (arcsec) as ``x`` and ``y``, from wherever they were given; empty if nowhere.

    Parameters
    ----------
    metadata : dict or None
        Layout with ``bins``, as `veldist.write_dynamite_kinematics` takes it.
    x, y : array_like or Quantity or None, shape (n_bins,)
        Positions (arcsec), where there is no ``metadata``.
    fitted : ndarray of bool, shape (n_bins,)
        Which bins have a solver.

    Raises
    ------
    TypeError, ValueError
        If positions are given twice, or only one of x and y is, or not one for each bin.
    """
    if (x is None) != (y is None):
        raise ValueError("x and y must be given together, or neither.")
    if metadata is not None and x is not None:
        raise ValueError("metadata and x, y were both given: positions can come from one of them only.")
    if metadata is not None:
        check_keys(metadata, ("bins",), "metadata")
        check_bins(metadata["bins"], fitted.size)
        return dict(zip("xy", bin_positions(metadata["bins"], fitted), strict=True))
    found: dict[str, Floats] = {}
    for name, position in (("x", x), ("y", y)) if x is not None else ():
        found[name] = to_array(position, name, "arcsec")
        if found[name].size != fitted.size:
            raise ValueError(
                f"{name} has {found[name].size} values, but there are {fitted.size} bins: pass one each."
            )
        _check_places(found[name], name, fitted)
    return found


def _check_places(values: Floats, name: str, fitted: NDArray[np.bool_]) -> None:
    """Raise if a bin with a solver is nowhere."""
    lost = np.flatnonzero(fitted & ~np.isfinite(values))
    if lost.size:
        raise ValueError(
            f"'{name}' is NaN or infinite in {lost.size} of {values.size} bins ({name_first(lost)}) that "
            "have a solver: give their positions."
        )
