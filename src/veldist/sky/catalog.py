"""Read star catalogues: positions, velocities, errors and membership from a table file."""

from __future__ import annotations

import logging
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from veldist._support.validate import check_limit, describe_rows, to_float
from veldist.sky.observations import one_row_a_star
from veldist.sky.placeholders import refuse_placeholders
from veldist.sky.same_star import to_labels
from veldist.sky.star_table import StarTable
from veldist.sky.tables import check_columns, column_label, find_units, read_table, to_numbers

if TYPE_CHECKING:
    from astropy.units import UnitBase

    from veldist.sky.instruments import ZeroPoints

__all__ = ["VELOCITY_ENDINGS", "StarCatalog", "find_usable", "read_catalog"]

logger = logging.getLogger(__name__)

# Endings of column names that tell a unit.
POSITION_ENDINGS = {"_arcsec": "arcsec", "_arcmin": "arcmin", "_deg": "deg"}
VELOCITY_ENDINGS = {"_kms": "km/s", "_km_s": "km/s", "_ms": "m/s", "_m_s": "m/s"}
"""Units that endings of column names tell, of velocities."""
ABSOLUTE_NAME = re.compile(r"(ra|de|dec)_?(deg|icrs|fk5|j?2000)?", re.IGNORECASE)
# Tangent-plane offsets in degrees hardly exceed this; right ascension and declination do.
LARGEST_OFFSET_DEG = 5.0


@dataclass(frozen=True, eq=False)
class StarCatalog:
    """Stars read from a table.

    Attributes
    ----------
    x, y : ndarray, shape (n_stars,)
        Positions (arcsec).
    vel, err : ndarray, shape (n_stars,)
        Line-of-sight velocities and their 1 sigma errors (km/s).
    membership : ndarray, shape (n_stars,), or None
        Membership probabilities, if they were asked for.
    rows : ndarray of int, shape (n_stars,)
        Row of each star in the file, from 0; the first, if it was visited more than once.
    n_read : int
        Number of rows in the file.
    n_dropped_masked : int
        Number of rows dropped because a value is masked, NaN or infinite.
    n_below_membership : int
        Number of other rows left out because the membership probability is too small.
    table : StarTable
        All rows of the file, and why some are left out.
    star : ndarray of int, shape (n_read,), or None
        Star that every row of the file is a visit of; -1 where the row is left out.
    n_visits, variable : ndarray, shape (n_stars,), or None
        Number of visits that were averaged, and whether they differ by more than their errors allow.
    zero_points : ZeroPoints or None
        Offsets of the instruments, if they were asked for.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    vel: NDArray[np.float64]
    err: NDArray[np.float64]
    membership: NDArray[np.float64] | None
    rows: NDArray[np.int64]
    n_read: int
    n_dropped_masked: int
    n_below_membership: int
    table: StarTable
    star: NDArray[np.int64] | None = None
    n_visits: NDArray[np.int64] | None = None
    variable: NDArray[np.bool_] | None = None
    zero_points: ZeroPoints | None = None

    @property
    def n_stars(self) -> int:
        """Number of stars."""
        return len(self.rows)


def read_catalog(
    path: str | Path,
    *,
    x: str,
    y: str,
    vel: str,
    err: str,
    membership: str | None = None,
    min_membership: float | None = None,
    id: str | None = None,
    instrument: str | None = None,
    align: bool = False,
    drop_masked: bool = False,
    position_unit: str | None = None,
    velocity_unit: str | None = None,
    format: str | None = None,
) -> StarCatalog:
    """Read the columns of a CSV, ECSV, FITS or VOTable file that describe stars.

    Positions are offsets from the centre in the tangent plane; right ascension and declination are not
    projected. A column's unit is the one in the file, else ``position_unit`` or ``velocity_unit``, else the
    one that its name ends with (``_arcsec``, ``_arcmin``, ``_deg``; ``_kms``, ``_km_s``, ``_ms``, ``_m_s``),
    else arcsec or km/s.

    Parameters
    ----------
    path : str or Path
        File to read.
    x, y : str
        Columns with the positions.
    vel, err : str
        Columns with the line-of-sight velocities and their 1 sigma errors.
    membership : str, optional
        Column with membership probabilities; needs ``min_membership``.
    min_membership : float, optional
        Smallest probability of the stars to keep, 0 (all of them) to 1; needs ``membership``.
    id : str, optional
        Column with names or numbers of the stars: rows of one star are visits, which are averaged, see
        `combine_visits`. By default rows at equal positions are, unless they look like different stars.
    instrument : str, optional
        Column with the instrument or epoch of every row, whose offsets are measured, see `zero_points`.
    align : bool
        Whether the offsets are subtracted; needs ``instrument``.
    drop_masked : bool
        Drop rows in which a value is masked, NaN or infinite, with a warning, instead of raising.
    position_unit : {"arcsec", "arcmin", "deg"}, optional
        Unit of the position columns that carry none in the file.
    velocity_unit : {"km/s", "m/s"}, optional
        Unit of the velocity and error columns that carry none in the file.
    format : str, optional
        Format in the terms of `astropy.table.Table.read`. By default it follows from the file's name.

    Returns
    -------
    StarCatalog
        The stars that were kept, and how many were not.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    TypeError
        If a column does not hold numbers.
    ValueError
        If the file cannot be read as a table, lacks a column, has a unit of the wrong kind, or has values
        that are masked, not finite, or impossible, or positions that are placeholders, or if ``align`` is
        impossible.

    Warns
    -----
    UserWarning
        If rows are dropped because of ``drop_masked``, if rows share positions, if instruments differ and are
        not aligned, or if positions look like right ascension and declination.
    """
    threshold = _check_membership(membership, min_membership)
    table = read_table(Path(path), format)
    columns = {"x": x, "y": y, "vel": vel, "err": err}
    if membership is not None:
        columns["membership"] = membership
    if align and instrument is None:
        raise ValueError("align=True needs instrument='COLUMN', which tells what measured every row.")
    labels = {role: name for role, name in (("id", id), ("instrument", instrument)) if name is not None}
    check_columns(table, columns | labels)
    _check_distinct(columns | labels)
    units = find_units(table, {"x": x, "y": y}, POSITION_ENDINGS, position_unit, "position_unit", "arcsec")
    units |= find_units(
        table, {"vel": vel, "err": err}, VELOCITY_ENDINGS, velocity_unit, "velocity_unit", "km/s"
    )
    values = {role: to_numbers(table[name], column_label(role, name)) for role, name in columns.items()}
    usable = find_usable(values, columns, drop_masked)
    as_read = dict(values)
    for role, unit in units.items():
        values[role] = values[role] * unit.to("arcsec" if role in ("x", "y") else "km/s")

    kept = usable.copy()
    if membership is not None:
        probability = values["membership"]
        bad = usable & ~((probability >= 0) & (probability <= 1))
        if bad.any():
            raise ValueError(
                f"{column_label('membership', membership)} has {describe_rows(bad, probability)} outside "
                "0 to 1: pass a column of probabilities."
            )
        kept &= probability >= threshold
    bad = kept & ~(values["err"] > 0)
    if bad.any():
        raise ValueError(
            f"{column_label('err', err)} has {describe_rows(bad, values['err'])} that are not positive: "
            "correct these errors or remove these stars."
        )
    n_dropped, n_below = int(np.sum(~usable)), int(np.sum(usable & ~kept))
    if not kept.any():
        raise ValueError(
            f"none of the {len(table)} stars in '{path}' is left: {n_dropped} have masked values and "
            f"{n_below} are below min_membership = {threshold}. Lower min_membership or choose other columns."
        )
    logger.info(
        "%s: %d of %d stars kept, %d dropped for masked values, %d below min_membership",
        path,
        kept.sum(),
        len(table),
        n_dropped,
        n_below,
    )
    rows = np.flatnonzero(kept)
    for role, name in (("x", x), ("y", y)):
        position, read, label = values[role][rows], as_read[role][rows], column_label(role, name)
        refuse_placeholders(position, label, read, rows)
        check_limit(position, label, "arcsec", rows)
        _warn_if_absolute(read, units[role], name, label)
    stars = {role: column[rows] for role, column in values.items()}
    told = {
        role: to_labels(table[name][rows], column_label(role, name), rows.size, rows)
        for role, name in labels.items()
    }
    catalog = StarCatalog(
        x=stars["x"],
        y=stars["y"],
        vel=stars["vel"],
        err=stars["err"],
        membership=stars.get("membership"),
        rows=rows,
        n_read=len(table),
        n_dropped_masked=n_dropped,
        n_below_membership=n_below,
        table=StarTable.of(values, kept, threshold),
    )
    return one_row_a_star(catalog, told.get("id"), told.get("instrument"), align)


def _check_membership(membership: str | None, min_membership: float | None) -> float:
    """Return the threshold; raise if only one of the two arguments is given or it is no probability."""
    if (membership is None) != (min_membership is None):
        given, lacking = "membership", "min_membership"
        if membership is None:
            given, lacking = lacking, given
        raise ValueError(
            f"{given} is given without {lacking}: give both (min_membership=0 keeps all stars) or neither."
        )
    threshold = 0.0 if min_membership is None else to_float(min_membership, "min_membership", "")
    if not 0 <= threshold <= 1:
        raise ValueError(f"min_membership must be between 0 and 1, got {threshold}.")
    return threshold


def _check_distinct(columns: dict[str, str]) -> None:
    """Raise `ValueError` if two arguments name the same column."""
    for name in columns.values():
        twins = [other for other, same in columns.items() if same == name]
        if len(twins) > 1:
            raise ValueError(f"{' and '.join(twins)} are the same column '{name}': name one for each.")


def find_usable(
    values: dict[str, NDArray[np.float64]], columns: dict[str, str], drop_masked: bool
) -> NDArray[np.bool_]:
    """Flag the rows without masked, NaN or infinite values; raise or warn if there are others."""
    bad = {role: ~np.isfinite(column) for role, column in values.items()}
    usable = ~np.any(list(bad.values()), axis=0)
    if usable.all():
        return usable
    found = [(column_label(role, columns[role]), flags) for role, flags in bad.items() if flags.any()]
    if not drop_masked:
        raise ValueError(
            "masked, NaN or infinite values: "
            + "; ".join(f"{label} has {describe_rows(flags)}" for label, flags in found)
            + ". Pass drop_masked=True to leave these rows out."
        )
    warnings.warn(
        f"{np.sum(~usable)} of {usable.size} rows dropped for masked, NaN or infinite values in "
        + ", ".join(f"{label}: {flags.sum()}" for label, flags in found),
        stacklevel=3,
    )
    return usable


def _warn_if_absolute(values: NDArray[np.float64], unit: UnitBase, name: str, label: str) -> None:
    """Warn if positions look like right ascension or declination rather than offsets."""
    low, high = values.min(), values.max()
    far = unit.to_string() in ("deg", "hourangle") and max(-low, high) > LARGEST_OFFSET_DEG
    if far or (ABSOLUTE_NAME.fullmatch(name) and low * high > 0):
        warnings.warn(
            f"{label} looks like right ascension or declination ({low:.6g} to {high:.6g} {unit}): positions "
            "must be offsets from the centre in the tangent plane. Project them first, for instance with "
            "astropy.coordinates.SkyCoord.spherical_offsets_to or astropy.wcs.WCS.",
            stacklevel=3,
        )
