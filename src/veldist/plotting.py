"""Figures: LOSVDs with their credible bands, checks of the fit, and maps of what was measured in bins.

Every function draws into the axes (or figure) it is given, or makes one with `matplotlib.pyplot`, and
returns it. None calls ``show`` or changes the backend, so that they work in scripts, notebooks and on
machines without a display. Colours are told apart by colour-blind readers and, by lightness or line
style, in print.
"""

from __future__ import annotations

from veldist.figures.colors import common_norm, share_colorbar
from veldist.figures.contaminant import plot_contaminant
from veldist.figures.diagnostics import plot_diagnostics
from veldist.figures.kinematic_maps import plot_kinematic_maps
from veldist.figures.losvd import plot_losvd
from veldist.figures.map import plot_map
from veldist.figures.page import plot_losvd_grid
from veldist.figures.predictive import plot_ppc
from veldist.figures.ridges import plot_ridge

__all__ = [
    "common_norm",
    "plot_contaminant",
    "plot_diagnostics",
    "plot_kinematic_maps",
    "plot_losvd",
    "plot_losvd_grid",
    "plot_map",
    "plot_ppc",
    "plot_ridge",
    "share_colorbar",
]
