"""Figures: LOSVDs with their credible bands, and maps of whatever was measured in spatial bins.

Every function draws into the axes (or figure) it is given, or makes one with `matplotlib.pyplot`, and
returns it. None calls ``show`` or changes the backend, so that they work in scripts, notebooks and on
machines without a display. Colours are told apart by colour-blind readers and, by lightness or line
style, in print.
"""

from __future__ import annotations

from veldist.kinematic_maps import plot_kinematic_maps
from veldist.losvd_page import plot_losvd_grid
from veldist.losvd_plots import plot_losvd
from veldist.map_plots import plot_map

__all__ = ["plot_kinematic_maps", "plot_losvd", "plot_losvd_grid", "plot_map"]
