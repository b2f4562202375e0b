"""What is to be said of the stars and LOSVDs of a whole map."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from veldist.fits.contamination import describe_detection, find_contamination
from veldist.sky.catalog import StarCatalog
from veldist.summaries.one_bin import BinSummary

__all__ = ["remarks_on_bins", "remarks_on_stars"]

# A LOSVD is said to have several modes above this probability.
_SURELY = 0.95


def remarks_on_stars(catalog: StarCatalog, grid: dict[str, Any]) -> list[str]:
    """What the stars of a catalogue that is fitted without a contaminant tell of non-members.

    Parameters
    ----------
    catalog : StarCatalog
        The stars.
    grid : dict
        ``width`` (km/s) and ``n_bins`` of the velocity grid.
    """
    found = find_contamination(catalog.vel, catalog.err)
    if found is None:
        return []
    remarks = [describe_detection(found, catalog.vel, catalog.err, catalog.rows)]
    width = grid["width"] / grid["n_bins"]
    if width > found.sigma:
        remarks.append(
            f"the velocity bins are {width:.3g} km/s wide, more than the dispersion of the narrow component, "
            f"{found.sigma:.3g} km/s, which they cannot show: use narrower ones if that is the members'."
        )
    return remarks


def remarks_on_bins(summaries: Iterable[BinSummary]) -> list[str]:
    """What the LOSVDs of all bins tell of the sample."""
    several = np.array([summary.values["p_multimodal"][0] > _SURELY for summary in summaries])
    if 2 * np.count_nonzero(several) <= several.size:
        return []
    return [
        f"{np.count_nonzero(several)} of {several.size} bins have LOSVDs with two or more modes (probability "
        f"above {_SURELY:g}). Few galaxies do in most of their bins: check for stars that are no members."
    ]
