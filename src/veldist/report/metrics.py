"""The quantities that the maps and the table of a report show: values, names, units and colour limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist.arrays import Floats
from veldist.map_columns import MAP_COLUMNS
from veldist.report.numbers import rounded

__all__ = ["SOLVER_NUMBERS", "check_maps", "color_limits", "metric_entries", "solver_numbers"]

# Colours of velocities diverge from their median over the bins, the systemic velocity, the others' from 0.
_VELOCITIES = ("v_mean", "v_median", "gh_v")
_SIGNED = (
    "v_asymmetry",
    "skewness",
    "kurtosis",
    "bowley_skewness",
    "moors_kurtosis",
    "h3",
    "h4",
    "h5",
    "h6",
    "log_bayes_factor",
)
_PERCENTILES = (2.0, 98.0)
_LEAST_STARS = 10

# Short names in the titles of maps and the head of the table.
_SYMBOLS = {
    "v_mean": "V",
    "v_median": "median V",
    "sigma": "σ",
    "kurtosis": "kurtosis",
    "skewness": "skewness",
    "n_stars": "stars",
    "ess_min": "ESS",
    "rhat_max": "R-hat",
    "log_bayes_factor": "ln B",
}
_LABELS: dict[str, tuple[str | None, str]] = {
    "n_stars": (None, "number of stars"),
    "ess_min": (None, "smallest effective sample size"),
    "rhat_max": (None, "largest nested R-hat"),
}
SOLVER_NUMBERS = (*_LABELS, "log_bayes_factor")
"""What solvers tell of themselves."""


def check_maps(maps: Any, n_bins: int) -> dict[str, dict[str, NDArray[Any]]]:
    """The maps as arrays.

    Raises
    ------
    TypeError, ValueError
        If it is not ``metric -> {"median": array, ...}`` with one value per bin.
    """
    if not isinstance(maps, Mapping):
        raise TypeError(
            f"maps must be a dict, as compute_summary_maps returns it, got {type(maps).__name__}."
        )
    checked: dict[str, dict[str, NDArray[Any]]] = {}
    for name, entry in maps.items():
        if not isinstance(entry, Mapping) or "median" not in entry:
            raise ValueError(f"maps[{name!r}] lacks 'median': pass what compute_summary_maps returned.")
        checked[str(name)] = {key: np.asarray(value) for key, value in entry.items()}
        for key, value in checked[str(name)].items():
            if value.shape != (n_bins,):
                raise ValueError(
                    f"maps[{name!r}][{key!r}] has shape {value.shape}, but there are {n_bins} solvers: pass "
                    "the maps of the same solvers."
                )
    return checked


def solver_numbers(solver: Any) -> list[float]:
    """Number of stars and diagnostics of a bin, in the order of `SOLVER_NUMBERS`, NaN where unknown."""
    found = getattr(solver, "diagnostics", None)
    stars = getattr(solver, "n_stars", np.nan)
    return [float(stars), *(float(getattr(found, name, np.nan)) for name in SOLVER_NUMBERS[1:])]


def metric_entries(
    maps: dict[str, dict[str, NDArray[Any]]], numbers: dict[str, Floats]
) -> list[dict[str, Any]]:
    """Everything that a map can show, as JSON can hold it.

    Parameters
    ----------
    maps : dict
        As `check_maps` returns it.
    numbers : dict of str to ndarray, shape (n_bins,)
        More of them, without uncertainties, taken where the maps do not have them.

    Returns
    -------
    list of dict
        ``key``, ``name`` (short), ``label``, ``unit``, ``values`` and ``uncertainties`` (n_bins,), ``limits``
        and ``uncertainty_limits`` of the colours, ``center`` of diverging colours or None, and the indices
        ``dominated`` of the bins where the prior weighs more than the data. What is NaN everywhere is
        left out.
    """
    entries = []
    for key, entry in {**maps, **{k: {"median": v} for k, v in numbers.items() if k not in maps}}.items():
        values = np.asarray(entry["median"], dtype=np.float64)
        if not np.isfinite(values).any():
            continue
        spread = np.asarray(entry.get("uncertainty", np.full(values.size, np.nan)), dtype=np.float64)
        known = bool(np.isfinite(spread).any())
        unit, label = MAP_COLUMNS.get(key) or _LABELS.get(key) or (None, key.replace("_", " "))
        center = _center(key, values)
        noise = float(np.nanmedian(spread)) if known else 0.0
        limits = color_limits(values, center, noise)
        if key == "n_stars" and limits[1] - limits[0] < _LEAST_STARS:
            # Colours that run over a star or two would make much of nothing.
            middle = round(0.5 * (limits[0] + limits[1]))
            limits = middle - _LEAST_STARS / 2, middle + _LEAST_STARS / 2
        entries.append(
            {
                "key": key,
                "name": _SYMBOLS.get(key, key.replace("_", " ")),
                "label": label,
                "unit": unit,
                "values": rounded(values),
                "uncertainties": rounded(spread, 3) if known else None,
                "center": None if center is None else float(f"{center:.6g}"),
                "limits": rounded(limits, 6),
                "uncertainty_limits": rounded(color_limits(spread, None), 6) if known else None,
                "dominated": np.flatnonzero(entry.get("prior_dominated", False)).tolist(),
            }
        )
    return entries


def _center(key: str, values: Floats) -> float | None:
    """Neutral value of diverging colours; None for those that run from low to high."""
    if key in _VELOCITIES:
        return float(np.nanmedian(values))
    return 0.0 if key in _SIGNED or key.startswith("corr_") else None


def color_limits(values: Floats, center: float | None, noise: float = 0.0) -> tuple[float, float]:
    """Limits of the colours: percentiles of the values, at equal distances from a centre if there is one.

    Parameters
    ----------
    values : ndarray
        What is shown; NaN is ignored.
    center : float or None
        Neutral value of diverging colours.
    noise : float
        Least distance of the limits from the centre: colours that ran over less than the uncertainty would
        make much of noise.
    """
    low, high = np.percentile(values[np.isfinite(values)], _PERCENTILES)
    if center is not None:
        reach = max(abs(low - center), abs(high - center), noise)
        low, high = center - reach, center + reach
    if low == high:
        margin = 0.5 * abs(low) or 0.5
        low, high = low - margin, high + margin
    return float(low), float(high)
