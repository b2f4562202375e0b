"""Percentiles of many small arrays at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["percentiles"]


def percentiles(values: Any, q: Sequence[float]) -> NDArray[np.float64]:
    """As ``np.percentile(values, q, axis=-1)``, many times as fast for small arrays without NaN."""
    ordered = np.sort(values, axis=-1)
    position = np.asarray(q) / 100.0 * (ordered.shape[-1] - 1)
    below = position.astype(np.intp)
    low, high = ordered[..., below], ordered[..., np.minimum(below + 1, ordered.shape[-1] - 1)]
    return np.moveaxis(low + (position - below) * (high - low), -1, 0)
