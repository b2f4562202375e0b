"""The kinematic maps of a galaxy or cluster in one figure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from veldist.map_plots import plot_map
from veldist.validate import check_keys

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["plot_kinematic_maps"]


class _Panel(NamedTuple):
    metric: str
    label: str
    cmap: str
    diverging: bool


_PANELS = (
    _Panel("v_mean", r"$V$ [km s$^{-1}$]", "RdBu_r", True),
    _Panel("sigma", r"$\sigma$ [km s$^{-1}$]", "viridis", False),
    _Panel("skewness", "Skewness", "PuOr_r", True),
    _Panel("kurtosis", "Excess kurtosis", "PuOr_r", True),
)

# Numbers of stars are drawn over at least this range.
_LEAST_STARS = 10
_PERCENTILES = (2.0, 98.0)
_FOOTNOTE = "hatched: prior-dominated"


def plot_kinematic_maps(
    maps: dict[str, dict[str, Any]],
    grid: Any,
    ids: Any,
    n_stars: Any = None,
    fig: Figure | None = None,
) -> tuple[Figure, NDArray[Any]]:
    """Draw V, dispersion, skewness, excess kurtosis and number of stars of all spatial bins.

    Colours span the 2-98 percentiles of each map. V diverges from its median over the bins, the systemic
    velocity; skewness and kurtosis from 0; these three over at least their typical uncertainty. Bins where
    the prior weighs more than the data are hatched.

    Parameters
    ----------
    maps : dict
        From `veldist.analysis.compute_summary_maps`.
    grid, ids
        Pixels and their bins, as for `plot_map`.
    n_stars : array_like, shape (n_bins,), optional
        Number of stars per bin, NaN for skipped bins; without it there are four panels.
    fig : matplotlib.figure.Figure, optional
        Where to draw; a new figure by default.

    Returns
    -------
    figure : matplotlib.figure.Figure
    axes : ndarray of matplotlib.axes.Axes, shape (4,) or (5,)
        In the order given above.

    Raises
    ------
    TypeError, ValueError
        If a map is missing, or as `plot_map`.
    """
    check_keys(maps, tuple(panel.metric for panel in _PANELS), "maps")
    panels = [(panel, maps[panel.metric]["median"]) for panel in _PANELS]
    if n_stars is not None:
        panels.append((_Panel("n_stars", "Number of stars", "cividis", False), n_stars))
    shape = grid.y_size / grid.x_size
    # Tall fields side by side, wide ones in two columns.
    n_columns = len(panels) if shape > 1.6 else 2 if shape < 0.5 or len(panels) == 4 else 3
    n_rows = -(-len(panels) // n_columns)
    if fig is None:
        import matplotlib.pyplot as plt

        panel_height = float(np.clip((7.1 / n_columns - 0.3) * shape, 0.8, 6.0)) + 0.75
        fig = plt.figure(figsize=(7.1, 0.4 + n_rows * panel_height), layout="compressed")
    axes = fig.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False).ravel()
    for ax in axes[len(panels) :]:
        ax.remove()
    axes = axes[: len(panels)]
    for ax, (panel, values) in zip(axes, panels, strict=True):
        finite = np.asarray(values, dtype=np.float64)
        finite = finite[np.isfinite(finite)]
        center = vmin = vmax = None
        if panel.metric == "n_stars" and finite.size and np.ptp(finite) < _LEAST_STARS:
            # Colours that run over a star or two would make much of nothing.
            middle = float(np.round(finite.mean()))
            vmin, vmax = middle - _LEAST_STARS / 2, middle + _LEAST_STARS / 2
        if panel.diverging and finite.size:
            center = float(np.median(finite)) if panel.metric == "v_mean" else 0.0
            # Colours that run over less than the uncertainty would make much of noise.
            noise = float(np.nanmedian(maps[panel.metric].get("uncertainty", 0.0)))
            if np.abs(np.percentile(finite, _PERCENTILES) - center).max() < noise:
                vmax = center + noise
        plot_map(
            values,
            grid,
            ids,
            ax,
            label=panel.label,
            cmap=panel.cmap,
            diverging=panel.diverging,
            center=center,
            vmin=vmin,
            vmax=vmax,
            percentiles=_PERCENTILES,
            colorbar="top",
            hatched=maps.get(panel.metric, {}).get("prior_dominated"),
        )
    if any(np.any(maps[panel.metric].get("prior_dominated", False)) for panel in _PANELS):
        # A label of the figure, so that layouts leave room for it.
        fig.supxlabel(_FOOTNOTE, fontsize="small", x=0.99, ha="right")
    for k, ax in enumerate(axes):
        lowest, leftmost = k + n_columns >= len(axes), k % n_columns == 0
        ax.tick_params(labelbottom=lowest, labelleft=leftmost)
        if not lowest:
            ax.set_xlabel("")
        if not leftmost:
            ax.set_ylabel("")
    return fig, axes
