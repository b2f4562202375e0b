"""The table of all stars: which bin each is in, whether it is used or why not, and whether it is a member."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from veldist._support.files import new_file
from veldist.pipeline.members import population_notes

if TYPE_CHECKING:
    from veldist.pipeline.fit import MapResult

__all__ = ["write_stars"]


def write_stars(result: MapResult, path: Path) -> Path:
    """Write every row of the user's table as an ECSV table, replacing an older one.

    Parameters
    ----------
    result : MapResult
        A fitted map.
    path : Path
        The file.

    Returns
    -------
    Path
        The file, with the columns ``row`` (from 0), ``x``, ``y``, ``vel``, ``err``, ``bin_id`` (from 1,
        masked where there is none), ``status`` (``"used"``, or why not) and, beside contaminants,
        ``membership`` (posterior, masked where it is not known).
    """
    from astropy.table import MaskedColumn, Table

    catalog, bins, settings = result.catalog, result.bins, result.settings
    stars = catalog.table
    status = stars.status.astype(object)
    bin_id = np.zeros(status.size, dtype=np.int64)
    membership = np.full(status.size, np.nan)
    bin_id[catalog.rows] = bins.bin_ids + 1
    for k, members in enumerate(bins.stars()):
        rows = catalog.rows[members]
        if k in result.failures:
            status[rows] = "the fit of its bin failed"
        elif k not in result.products:
            status[rows] = f"its bin has fewer than {settings.min_stars} stars"
        elif result.products[k].membership is not None:
            membership[rows] = result.products[k].membership
    if catalog.star is not None:
        # What is said of a star is said of all its visits.
        visits = np.flatnonzero(catalog.star >= 0)
        first = catalog.rows[catalog.star[visits]]
        for column in (bin_id, membership, status):
            column[visits] = column[first]
    table = Table({"row": np.arange(status.size)})
    table["row"].description = "row of the star in the table that was read, from 0"
    for name, values, unit, text in (
        ("x", stars.x, "arcsec", "x position"),
        ("y", stars.y, "arcsec", "y position"),
        ("vel", stars.vel, "km/s", "line-of-sight velocity"),
        ("err", stars.err, "km/s", "its 1-sigma error"),
    ):
        table[name] = MaskedColumn(values, mask=np.isnan(values), unit=unit, description=text)
    text = "spatial bin, counted from 1"
    table["bin_id"] = MaskedColumn(bin_id, mask=bin_id == 0, description=text)
    table["status"] = status.astype(str)
    table["status"].description = "used, or why not"
    if settings.contaminant is not None:
        text = "posterior probability to be a member"
        column = MaskedColumn(np.round(membership, 5), mask=np.isnan(membership), description=text)
        table["membership"] = column
    table.meta |= population_notes(settings)
    with new_file(path) as temporary:
        table.write(temporary, format="ascii.ecsv")
    return path
