"""The quantities that the maps and the table of a report show: values, names, units and colour limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.validate import strip_units
from veldist.figures.styles import MapStyle, map_style
from veldist.fits.diagnostics import DIAGNOSTICS
from veldist.fits.fit import Fit
from veldist.report.numbers import rounded
from veldist.summaries.columns import CORRELATIONS, MAP_COLUMNS, MAX_ORDER, hermite_names
from veldist.summaries.gauss_hermite.series_fit import ENOUGH_CONVERGED

__all__ = ["FIT_NUMBERS", "check_maps", "color_limits", "fit_numbers", "metric_entries"]

_PERCENTILES = (2.0, 98.0)
# Colours that ran over less would make much of nothing: a star or two, no evidence either way.
_LEAST_RANGE = {"n_stars": 10.0, "n_members": 10.0}
_LEAST_REACH = {"log_bayes_factor": 3.0}
# Probabilities below this are shown as 0.
_LEAST_PROBABILITY = 1e-6
_PROBABILITIES = ("tail_weight", "gh_converged", "p_multimodal", "peak1_mass", "peak2_mass", "outside_grid")
_SERIES = (*hermite_names(MAX_ORDER), *CORRELATIONS)

# Short names in the titles of maps and the head of the table.
_SYMBOLS = {
    "v_mean": "V",
    "v_median": "median V",
    "sigma": "σ",
    "kurtosis": "kurtosis",
    "skewness": "skewness",
    "n_stars": "stars",
    "n_members": "members",
    "ess_min": "ESS",
    "rhat_max": "R-hat",
    "log_bayes_factor": "ln B",
}
_LABELS = {name: (None, meaning) for name, meaning in ({"n_stars": "number of stars"} | DIAGNOSTICS).items()}
FIT_NUMBERS = ("n_stars", "ess_min", "rhat_max", "log_bayes_factor")
"""What solvers tell of themselves."""

# The other entries of a map are pure numbers.
_WITH_UNIT = ("median", "uncertainty")


def check_maps(maps: Any, n_bins: int) -> tuple[dict[str, dict[str, NDArray[Any]]], dict[str, str]]:
    """The maps as arrays, in the units of `veldist.summaries.columns.MAP_COLUMNS`.

    Returns
    -------
    maps : dict of str to dict
        ``metric -> {"median": array, ...}``.
    units : dict of str to str
        Units of further metrics that were given as Quantities.

    Raises
    ------
    TypeError, ValueError
        If it is not ``metric -> {"median": array, ...}`` with one value per bin, or has the wrong unit.
    """
    if not isinstance(maps, Mapping):
        raise TypeError(
            f"maps must be a dict, as compute_summary_maps returns it, got {type(maps).__name__}."
        )
    checked: dict[str, dict[str, NDArray[Any]]] = {}
    units: dict[str, str] = {}
    for name, entry in maps.items():
        if not isinstance(entry, Mapping) or "median" not in entry:
            raise ValueError(f"maps[{name!r}] lacks 'median': pass what compute_summary_maps returned.")
        if name in MAP_COLUMNS or name in _LABELS:
            unit = (MAP_COLUMNS.get(name) or _LABELS[name])[0] or ""
        else:
            unit = str(getattr(entry["median"], "unit", None) or "")
            if unit:
                units[str(name)] = unit
        checked[str(name)] = {
            key: np.asarray(strip_units(value, f"maps[{name!r}][{key!r}]", unit if key in _WITH_UNIT else ""))
            for key, value in entry.items()
        }
        for key, value in checked[str(name)].items():
            if value.shape != (n_bins,):
                raise ValueError(
                    f"maps[{name!r}][{key!r}] has shape {value.shape}, but there are {n_bins} solvers: pass "
                    "the maps of the same solvers."
                )
    return checked, units


def fit_numbers(fit: Fit) -> list[float]:
    """Number of stars and diagnostics of a bin, in the order of `FIT_NUMBERS`, NaN where unknown."""
    found = fit.diagnostics
    return [float(fit.n_stars), *(float(getattr(found, name, np.nan)) for name in FIT_NUMBERS[1:])]


def metric_entries(
    maps: dict[str, dict[str, NDArray[Any]]], numbers: dict[str, Floats], units: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Everything that a map can show, as JSON can hold it.

    Parameters
    ----------
    maps, units : dict
        As `check_maps` returns them.
    numbers : dict of str to ndarray, shape (n_bins,)
        More of them, without uncertainties, taken where the maps do not have them.

    Returns
    -------
    list of dict
        ``key``, ``name`` (short), ``label``, ``unit``, ``values`` and ``uncertainties`` (n_bins,), ``limits``
        and ``uncertainty_limits`` of the colours, ``center`` of diverging colours or None, and the indices
        of two kinds of bins: ``dominated``, where the prior weighs more than the data, and ``undetermined``,
        where fewer than 90 % of the Gauss-Hermite fits converged. What is NaN everywhere is left out.
    """
    converged = maps.get("gh_converged", {}).get("median")
    undetermined = [] if converged is None else np.flatnonzero(converged < ENOUGH_CONVERGED).tolist()
    entries = []
    for key, entry in {**maps, **{k: {"median": v} for k, v in numbers.items() if k not in maps}}.items():
        values = np.array(entry["median"], dtype=np.float64)
        if not np.isfinite(values).any():
            continue
        spread = np.array(entry.get("uncertainty", np.full(values.size, np.nan)), dtype=np.float64)
        if key in _PROBABILITIES:
            values[np.abs(values) < _LEAST_PROBABILITY] = 0.0
            spread[spread < _LEAST_PROBABILITY] = 0.0
        known = bool(np.isfinite(spread).any())
        unit, label = MAP_COLUMNS.get(key) or _LABELS.get(key) or (units.get(key), key.replace("_", " "))
        center = _center(map_style(key), values)
        noise = float(np.nanmedian(spread)) if known else 0.0
        limits = map_style(key).limits or color_limits(
            values, center, max(noise, _LEAST_REACH.get(key, 0.0)), _LEAST_RANGE.get(key, 0.0)
        )
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
                "undetermined": undetermined if key in _SERIES else [],
            }
        )
    return entries


def _center(style: MapStyle, values: Floats) -> float | None:
    """Neutral value of diverging colours; None for those that run from low to high."""
    if style.center is None or np.isfinite(style.center):
        return style.center
    return float(np.nanmedian(values))


def color_limits(
    values: Floats, center: float | None, least_reach: float = 0.0, least_range: float = 0.0
) -> tuple[float, float]:
    """Limits of the colours: percentiles of the values, at equal distances from a centre if there is one.

    Parameters
    ----------
    values : ndarray
        What is shown; NaN is ignored.
    center : float or None
        Neutral value of diverging colours.
    least_reach : float
        Least distance of the limits from the centre: colours that ran over less than the uncertainty would
        make much of noise.
    least_range : float
        Least distance of the limits from each other, where there is no centre.
    """
    low, high = np.percentile(values[np.isfinite(values)], _PERCENTILES)
    if center is not None:
        reach = max(abs(low - center), abs(high - center), least_reach)
        low, high = center - reach, center + reach
    elif high - low < least_range:
        middle = round(0.5 * (low + high))
        low, high = middle - 0.5 * least_range, middle + 0.5 * least_range
    if low == high:
        margin = 0.5 * abs(low) or 0.5
        # What is nowhere below 0 needs no colours there.
        low, high = low if low == 0.0 and center is None else low - margin, high + margin
    return float(low), float(high)
