"""What the posterior draws mean: summaries of one LOSVD, of a map, and as a table.

Every summary (`METRICS`, `MAP_COLUMNS`) is computed on every draw and then quoted as the median of the draws
with half of their 16-84 percentile range as its uncertainty.
"""

from __future__ import annotations

from veldist.summaries.columns import MAP_COLUMNS
from veldist.summaries.maps import compute_summary_maps
from veldist.summaries.one_bin import compute_percentile_summary, compute_summary
from veldist.summaries.peaks import Modality, modality
from veldist.summaries.scalars import METRICS, summary_draws
from veldist.summaries.tables import summary_table

__all__ = [
    "MAP_COLUMNS",
    "METRICS",
    "Modality",
    "compute_percentile_summary",
    "compute_summary",
    "compute_summary_maps",
    "modality",
    "summary_draws",
    "summary_table",
]
