"""Spatial bins: names of `veldist.sky` under the path by which scripts import them."""

from __future__ import annotations

from veldist.sky.binning import SpatialBins, bin_stars, pixelize
from veldist.sky.pixels import PixelGrid

__all__ = ["PixelGrid", "SpatialBins", "bin_stars", "pixelize"]
