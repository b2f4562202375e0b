"""How the map of every summary is drawn: its label, its colours and their limits."""

from __future__ import annotations

import math
from typing import NamedTuple

__all__ = ["MAP_STYLES", "SHAPES", "MapStyle", "map_style"]


class MapStyle(NamedTuple):
    """How a map is drawn."""

    symbol: str  # what is shown, in lower case, without the unit
    # Unit as matplotlib writes it; empty for pure numbers.
    unit: str = ""
    cmap: str = "viridis"  # name of the colour map
    # Neutral value of a diverging map; NaN for the median over the bins, None if the map does not diverge.
    center: float | None = None
    # Limits that are the same for all maps; None if they follow from the values.
    limits: tuple[float, float] | None = None

    @property
    def label(self) -> str:
        """What the colour bar says: symbol, beginning with a capital, and unit."""
        return self._with_unit(self.symbol[0].upper() + self.symbol[1:])

    @property
    def uncertainty_label(self) -> str:
        """The same of the uncertainty."""
        gap = "" if self.symbol.startswith("$") else " "
        return self._with_unit(rf"$\Delta${gap}{self.symbol}")

    def _with_unit(self, text: str) -> str:
        return f"{text} [{self.unit}]" if self.unit else text


_KMS = r"km s$^{-1}$"
_SHARE = (0.0, 1.0)


def _velocity(symbol: str) -> MapStyle:
    return MapStyle(symbol, _KMS, "RdBu_r", math.nan)


def _width(symbol: str) -> MapStyle:
    return MapStyle(symbol, _KMS)


def _shape(symbol: str, center: float = 0.0) -> MapStyle:
    return MapStyle(symbol, "", "PuOr_r", center)


# Correlations and the like diverge from zero, in colours that are not those of the shape.
def _signed(symbol: str, unit: str = "") -> MapStyle:
    return MapStyle(symbol, unit, "BrBG_r", 0.0)


MAP_STYLES = {
    "v_mean": _velocity("$V$"),
    "v_median": _velocity("median $V$"),
    "v_asymmetry": _signed("mean minus median $V$", _KMS),
    "sigma": _width(r"$\sigma$"),
    "iqr": _width("interquartile range"),
    "sigma_iqr": _width(r"$\sigma_\mathrm{IQR}$"),
    "skewness": _shape("skewness"),
    "kurtosis": _shape("excess kurtosis"),
    # That of a Gaussian: twice the mass of its upper tail.
    "tail_weight": _shape(r"mass beyond 1 $\sigma$", 0.31731050786291415),
    "bimodality_score": MapStyle("number of modes", limits=(1.0, 3.0)),
    "sigma_percentile": _width(r"$\sigma_{16-84}$"),
    "bowley_skewness": _shape("Bowley skewness"),
    "moors_kurtosis": _shape("excess Moors kurtosis"),
    "gh_v": _velocity(r"$V_\mathrm{GH}$"),
    "gh_sigma": _width(r"$\sigma_\mathrm{GH}$"),
    "h3": _shape("$h_3$"),
    "h4": _shape("$h_4$"),
    "h5": _shape("$h_5$"),
    "h6": _shape("$h_6$"),
    "gh_converged": MapStyle("share of fits that converged", limits=_SHARE),
    "corr_v_sigma": _signed(r"correlation $V$, $\sigma$"),
    "corr_v_h3": _signed("correlation $V$, $h_3$"),
    "corr_v_h4": _signed("correlation $V$, $h_4$"),
    "corr_sigma_h3": _signed(r"correlation $\sigma$, $h_3$"),
    "corr_sigma_h4": _signed(r"correlation $\sigma$, $h_4$"),
    "corr_h3_h4": _signed("correlation $h_3$, $h_4$"),
    "p_multimodal": MapStyle("$P$(two or more modes)", limits=_SHARE),
    "peak1_v": _velocity("lower peak"),
    "peak1_mass": MapStyle("mass of lower peak", limits=_SHARE),
    "peak2_v": _velocity("higher peak"),
    "peak2_mass": MapStyle("mass of higher peak", limits=_SHARE),
    "log_bayes_factor": _signed(r"$\ln$ Bayes factor"),
    "outside_grid": MapStyle("mass outside grid"),
    "member_fraction": MapStyle("member fraction", limits=_SHARE),
    "n_members": MapStyle("number of members", cmap="cividis"),
    "n_stars": MapStyle("number of stars", cmap="cividis"),
}
"""Styles by the names of `veldist.analysis.compute_summary_maps`, and of the numbers of stars."""

SHAPES = {
    "moments": ("v_mean", "sigma", "skewness", "kurtosis"),
    "gauss_hermite": ("gh_v", "gh_sigma", "h3", "h4"),
    "percentiles": ("v_median", "sigma_percentile", "bowley_skewness", "moors_kurtosis"),
}
"""Location, width, asymmetry and tails of the LOSVD, in three ways."""


def map_style(name: str) -> MapStyle:
    """Style of a map; maps without a style of their own have their name as a label."""
    return MAP_STYLES.get(name, MapStyle(name))
