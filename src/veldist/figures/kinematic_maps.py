"""The kinematic maps of a galaxy or cluster in one figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.figures.colors import color_limits, to_values, unit_of
from veldist.figures.map import draw_map, read_values
from veldist.figures.shapes import MapShapes, map_shapes
from veldist.figures.styles import SHAPES, MapStyle, map_style
from veldist.summaries.columns import CORRELATIONS, MAP_COLUMNS, MAX_ORDER, NUMBERS, hermite_names
from veldist.summaries.gauss_hermite.series_fit import ENOUGH_CONVERGED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_kinematic_maps"]

# Numbers of stars are drawn over at least this range.
_LEAST_STARS = 10
_PERCENTILES = (2.0, 98.0)
_MARKED = {"areas": "hatched", "points": "struck through"}
_HERMITE = (*hermite_names(MAX_ORDER), *CORRELATIONS)
_UNCERTAINTY_CMAP = "magma_r"
# Width of a figure in a paper with two columns of text, inches.
_WIDTH = 7.1
_MOST_COLUMNS = 5
# Sizes of text (points) where four or more panels lie side by side, and elsewhere.
_SMALL_TEXT, _TEXT = 7.0, 9.0
_COUNT = "n_stars"
_COUNTS = (_COUNT, "n_members")


class _Panel(NamedTuple):
    """One panel: a map, or (with ``of_uncertainty``) that of its uncertainty."""

    style: MapStyle
    values: Floats
    uncertainty: Floats | None
    dominated: Any
    unconverged: Any
    of_uncertainty: bool


def plot_kinematic_maps(
    maps: Mapping[str, Mapping[str, Any]],
    grid: Any = None,
    ids: Any = None,
    n_stars: Any = None,
    fig: Figure | None = None,
    *,
    x: Any = None,
    y: Any = None,
    kind: str = "areas",
    margin: Any = None,
    shape: str = "moments",
    uncertainties: bool = False,
    extra: Sequence[str] = (),
) -> tuple[Figure, NDArray[Any]]:
    """Draw V, dispersion, skewness and excess kurtosis of all spatial bins, and more if asked for.

    Colours span the 2-98 percentiles of each map. V diverges from its median over the bins, the systemic
    velocity; skewness and kurtosis from 0; these three over at least their typical uncertainty. Bins where
    the prior weighs more than the data are hatched; in maps of Gauss-Hermite series also those where fewer
    than 90 % of the fits converged (``maps["gh_converged"]``).

    Parameters
    ----------
    maps : mapping
        From `veldist.analysis.compute_summary_maps`. Quantities are converted to the unit of the map
        (`veldist.summaries.columns.MAP_COLUMNS`).
    grid, ids
        Pixels and their bins, as for `plot_map`.
    n_stars : array_like, shape (n_bins,), optional
        Number of stars per bin, NaN for skipped bins, drawn after the others.
    fig : matplotlib.figure.Figure, optional
        Where to draw; a new figure by default.
    x, y : array_like or Quantity, shape (n_bins,), optional
        Centres of the bins (arcsec), instead of pixels, as for `plot_map`.
    kind : {"areas", "points"}
        How to draw centres, as for `plot_map`.
    margin : float or Quantity, optional
        How far Voronoi cells reach beyond the centres (arcsec), as for `plot_map`.
    shape : {"moments", "gauss_hermite", "percentiles"}
        Which four maps: mean, dispersion, skewness and excess kurtosis; or V, sigma, h3 and h4 of the
        Gauss-Hermite series; or median, half of the 16-84 percentile range, Bowley's skewness and Moors's
        excess kurtosis.
    uncertainties : bool
        Draw the uncertainties of the maps below them.
    extra : sequence of str
        Names of more maps to draw after the four, e.g. ``("log_bayes_factor", "p_multimodal")``; with
        "n_stars" the number of stars is drawn in that place.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes, shape (n_maps,), or (2, n_maps) with uncertainties
        In the order given above; None where a map has no uncertainty: numbers of stars, Bayes factors,
        probabilities and correlations.

    Raises
    ------
    TypeError, ValueError
        If ``shape`` is unknown, a map is missing or of a wrong unit, or as `plot_map`.
    """
    panels = _panels(maps, _names(maps, shape, extra, n_stars), n_stars)
    known = [values for panel in panels for values in (panel.values, panel.uncertainty) if values is not None]
    # Bins have the same shapes in all maps.
    shapes = map_shapes(np.any(np.isfinite(known), axis=0), grid, ids, x, y, kind, margin)
    rows = _rows(panels, uncertainties, shapes.aspect)
    n_rows, n_columns = len(rows), max(map(len, rows))
    if fig is None:
        import matplotlib.pyplot as plt

        room = (_WIDTH / n_columns - 0.35) * shapes.aspect
        panel_height = float(np.clip(room, 0.5, 6.0)) + 0.75
        # Panels above an empty place have their own labels below.
        gaps = sum(any(entry is None for entry in row) for row in rows)
        height = 0.4 + n_rows * panel_height + 0.35 * gaps
        fig = plt.figure(figsize=(_WIDTH, height), layout="compressed")
    table = fig.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    places: dict[tuple[int, bool], Any] = {}
    for r, row in enumerate(rows):
        for c in range(n_columns):
            entry = row[c] if c < len(row) else None
            if entry is None:
                table[r, c].remove()
                table[r, c] = None
                continue
            number, panel = entry
            places[number, panel.of_uncertainty] = table[r, c]
            _draw(table[r, c], panel, shapes)
    reasons = _reasons(panels)
    if reasons:
        # A label of the figure, so that layouts leave room for it.
        fig.supxlabel(f"{_MARKED[kind]}: {reasons}", fontsize="small", x=0.99, ha="right")
    _label_outside(table, _SMALL_TEXT if n_columns >= 4 else _TEXT)
    kinds = (False, True) if uncertainties else (False,)
    axes = np.array([[places.get((k, kind)) for k in range(len(panels))] for kind in kinds], dtype=object)
    return fig, axes if uncertainties else axes[0]


def _names(maps: Any, shape: str, extra: Sequence[str], n_stars: Any) -> list[str]:
    """Names of all maps that are wanted, which are there."""
    if shape not in SHAPES:
        raise ValueError(f"shape must be one of {list(SHAPES)}, got {shape!r}.")
    if isinstance(extra, str):
        raise TypeError(f"extra must be a sequence of names, got the string {extra!r}: pass ({extra!r},).")
    names = list(dict.fromkeys([*SHAPES[shape], *extra]))
    if _COUNT in names and n_stars is None:
        raise ValueError("extra has 'n_stars': pass the numbers of stars as n_stars=, too.")
    if n_stars is not None and _COUNT not in names:
        names.append(_COUNT)
    if not isinstance(maps, Mapping):
        raise TypeError(f"maps must be the dict of compute_summary_maps, got {type(maps).__name__}.")
    missing = [name for name in names if name not in maps and name != _COUNT]
    if missing:
        raise ValueError(
            f"maps lacks {missing}: make it with veldist.analysis.compute_summary_maps(solvers), of order=4 "
            f"for h3 and h4 (6 for h5 and h6, too). It has {sorted(maps)}."
        )
    for name in names:
        if name != _COUNT and not (isinstance(maps[name], Mapping) and "median" in maps[name]):
            raise TypeError(
                f"maps[{name!r}] must be a dict with 'median' as of compute_summary_maps, got a "
                f"{type(maps[name]).__name__}."
            )
    return names


def _panels(maps: Mapping[str, Mapping[str, Any]], names: Sequence[str], n_stars: Any) -> list[_Panel]:
    share = maps["gh_converged"]["median"] if "gh_converged" in maps else None
    found = []
    for name in names:
        entry = {"median": n_stars} if name == _COUNT else maps[name]
        style = map_style(name)
        if name in MAP_COLUMNS or name == _COUNT:
            unit = MAP_COLUMNS.get(name, (None, ""))[0] or ""
        else:
            # Maps of the user's own say their unit themselves.
            unit = unit_of(entry["median"])
            style = style._replace(unit=unit)
        # The uncertainty of a number about the whole posterior is the error of its Monte Carlo estimate.
        spread = None if name in NUMBERS else entry.get("uncertainty")
        where = _COUNT if name == _COUNT else f"maps[{name!r}]['median']"
        panel = _Panel(
            style,
            read_values(entry["median"], where, unit),
            None if spread is None else _plain(spread, f"maps[{name!r}]['uncertainty']", unit),
            entry.get("prior_dominated"),
            None if share is None or name not in _HERMITE else np.asarray(share) < ENOUGH_CONVERGED,
            of_uncertainty=False,
        )
        n_bins = (found[0] if found else panel).values.size
        for values in (panel.values, panel.uncertainty):
            if values is not None and values.size != n_bins:
                raise ValueError(
                    f"{where} or its uncertainty has {values.size} values, but {names[0]!r} has {n_bins}: "
                    "pass one for each bin."
                )
        found.append(panel)
    return found


def _plain(values: Any, name: str, unit: str) -> Floats:
    return to_values(values, name, unit)


def _hatched(panel: _Panel) -> Any:
    """Bins whose value is not to be trusted, for either reason."""
    if panel.dominated is None or panel.unconverged is None:
        return panel.unconverged if panel.dominated is None else panel.dominated
    return np.asarray(panel.dominated, dtype=bool) | panel.unconverged


def _reasons(panels: Sequence[_Panel]) -> str:
    """Why bins are hatched."""
    found = []
    if any(panel.dominated is not None and np.any(panel.dominated) for panel in panels):
        found.append("prior-dominated")
    if any(panel.unconverged is not None and np.any(panel.unconverged) for panel in panels):
        found.append(
            f"fewer than {ENOUGH_CONVERGED:.0%} of the Gauss-Hermite fits converged".replace("%", " %")
        )
    return ", or ".join(found)


def _rows(panels: list[_Panel], uncertainties: bool, aspect: float) -> list[list[tuple[int, _Panel] | None]]:
    """Panels with their numbers row by row, None where a place stays empty."""
    numbered: list[tuple[int, _Panel] | None] = list(enumerate(panels))
    n = len(panels)
    if not uncertainties:
        # Tall fields side by side, wide ones in two columns.
        n_columns = min(n, _MOST_COLUMNS) if aspect > 1.6 else 2 if aspect < 0.5 or n == 4 else 3
        return [numbered[k : k + n_columns] for k in range(0, n, n_columns)]
    rows = []
    n_columns = n if n <= _MOST_COLUMNS else 4
    for first in range(0, n, n_columns):
        below: list[tuple[int, _Panel] | None] = []
        for k, panel in list(enumerate(panels))[first : first + n_columns]:
            values = panel.uncertainty
            known = values is not None and np.isfinite(values).any()
            below.append((k, panel._replace(of_uncertainty=True)) if known else None)
        rows.append(numbered[first : first + n_columns])
        if any(entry is not None for entry in below):
            rows.append(below)
    return rows


def _draw(ax: Any, panel: _Panel, shapes: MapShapes) -> None:
    """Draw one panel."""
    from matplotlib.colors import Normalize

    style, uncertainty = panel.style, panel.uncertainty
    common: dict[str, Any] = {"colorbar": "top", "hatched": _hatched(panel)}
    if panel.of_uncertainty and uncertainty is not None:
        values = read_values(uncertainty, "uncertainties", "")
        limits = color_limits(values[np.isfinite(values)], False, None, None, None, _PERCENTILES)
        common |= {"label": style.uncertainty_label, "cmap": _UNCERTAINTY_CMAP}
        draw_map(values, shapes, ax, norm=Normalize(*limits), **common)
        return
    finite = panel.values[np.isfinite(panel.values)]
    vmin, vmax = (None, None) if style.limits is None else style.limits
    center = style.center
    if center is not None and np.isnan(center):
        center = float(np.median(finite)) if finite.size else 0.0
    if style in map(map_style, _COUNTS) and finite.size and np.ptp(finite) < _LEAST_STARS:
        # Colours that run over a star or two would make much of nothing.
        middle = float(np.round(finite.mean()))
        vmin, vmax = middle - _LEAST_STARS / 2, middle + _LEAST_STARS / 2
    if center is not None and finite.size and uncertainty is not None:
        # Colours that run over less than the uncertainty would make much of noise.
        noise = _typical(uncertainty)
        if np.abs(np.percentile(finite, _PERCENTILES) - center).max() < noise:
            vmax = center + noise
    limits = color_limits(finite, center is not None, center, vmin, vmax, _PERCENTILES)
    common |= {"label": style.label, "cmap": style.cmap}
    draw_map(panel.values, shapes, ax, norm=Normalize(*limits), **common)


def _typical(uncertainty: Floats) -> float:
    """Median of the uncertainties that are known, or 0."""
    known = uncertainty[np.isfinite(uncertainty)]
    return float(np.median(known)) if known.size else 0.0


def _label_outside(table: NDArray[Any], size: float) -> None:
    """Label y of leftmost axes, x of those with nothing below; set the size of all text."""
    there = np.array([[ax is not None for ax in row] for row in table])
    for (r, c), ax in np.ndenumerate(table):
        if ax is None:
            continue
        lowest = not there[r + 1 :, c].any()
        leftmost = all(left is None for left in table[r, :c])
        ax.tick_params(labelbottom=lowest, labelleft=leftmost, labelsize=size)
        for axis in (ax.xaxis, ax.yaxis):
            axis.label.set_size(size + 1)
        for bar in ax.child_axes:
            bar.tick_params(labelsize=size)
            bar.xaxis.label.set_size(size + 1)
        if not lowest:
            ax.set_xlabel("")
        if not leftmost:
            ax.set_ylabel("")
