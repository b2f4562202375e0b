"""Gauss-Hermite series of LOSVDs: those names of `veldist.analysis` that concern them."""

from __future__ import annotations

from veldist.summaries.gauss_hermite.series_fit import (
    GaussHermite,
    gauss_hermite,
    gauss_hermite_to_moments,
    moments_to_gauss_hermite,
)

__all__ = ["GaussHermite", "gauss_hermite", "gauss_hermite_to_moments", "moments_to_gauss_hermite"]
