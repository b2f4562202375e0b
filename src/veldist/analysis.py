"""What the posterior draws mean: summaries of one LOSVD, of a map, and as a table; Gauss-Hermite series.

Every summary (`METRICS`, `MAP_COLUMNS`) is computed on every draw and then quoted as the median of the draws
with half of their 16-84 percentile range as its uncertainty.
"""

from __future__ import annotations

from veldist.summaries.columns import MAP_COLUMNS
from veldist.summaries.gauss_hermite.series_fit import (
    GaussHermite,
    gauss_hermite,
    gauss_hermite_to_moments,
    moments_to_gauss_hermite,
)
from veldist.summaries.maps import compute_summary_maps
from veldist.summaries.one_bin import compute_percentile_summary, compute_summary
from veldist.summaries.peaks import Modality, modality
from veldist.summaries.scalars import METRICS, summary_draws
from veldist.summaries.tables import summary_table

__all__ = [
    "MAP_COLUMNS",
    "METRICS",
    "GaussHermite",
    "Modality",
    "compute_percentile_summary",
    "compute_summary",
    "compute_summary_maps",
    "gauss_hermite",
    "gauss_hermite_to_moments",
    "modality",
    "moments_to_gauss_hermite",
    "summary_draws",
    "summary_table",
]
