"""From rows of a table to stars: velocities of several instruments on one scale, repeat visits averaged."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from veldist._support.arrays import Floats, Ints
from veldist.sky.instruments import ZeroPoints, zero_points
from veldist.sky.same_star import by_name, by_position, look_like_visits
from veldist.sky.visits import average_visits

if TYPE_CHECKING:
    from veldist.sky.catalog import StarCatalog

__all__ = ["one_row_a_star"]

logger = logging.getLogger(__name__)

# Offsets of more errors than this are worth a warning.
_CLEAR = 3.0


def one_row_a_star(
    rows: StarCatalog, name: np.ndarray | None, instrument: np.ndarray | None, align: bool
) -> StarCatalog:
    """The catalogue with one row a star, which tells what was done.

    Parameters
    ----------
    rows : StarCatalog
        One row a measurement.
    name : ndarray, (n_rows,), optional
        What tells the stars; by default, rows at equal positions are one star if their velocities agree.
    instrument : ndarray, (n_rows,), optional
        What measured every row.
    align : bool
        Whether velocities are put on the scale of one instrument.

    Warns
    -----
    UserWarning
        If rows are taken as visits of one star without a name, or as different stars at one position, or
        instruments differ and are not aligned.
    """
    star = by_position(rows.x, rows.y) if name is None else by_name(name)
    zero, vel = _measure(rows, instrument, star, align)
    if name is None and not look_like_visits(vel, rows.err, star):
        shared = (np.bincount(star) > 1)[star]
        warnings.warn(
            f"{shared.sum()} of {shared.size} rows share their position with others, but their velocities "
            "differ as much as those of different stars: each is taken as a star. Are positions rounded? If "
            "these are visits, pass id='COLUMN', which tells the stars.",
            stacklevel=3,
        )
        # But copies are one star.
        measured = np.column_stack([star, vel, rows.err])
        star = by_name(np.unique(measured, axis=0, return_inverse=True)[1])
        if zero is not None:
            zero, vel = _measure(rows, instrument, star, align)
    if zero is not None:
        _report(zero, align)
    if not align:
        vel = rows.vel
    visits = average_visits(vel, rows.err, star)
    if visits.n_stars < rows.n_stars:
        text = f"{visits.describe(rows.rows)}. Visits are averaged with inverse variances."
        if name is None:
            warnings.warn(f"rows at equal positions: {text}", stacklevel=3)
        else:
            logger.info("%s", text)
    of_row = np.full(rows.n_read, -1, dtype=np.int64)
    of_row[rows.rows] = visits.star
    return replace(
        rows,
        x=visits.mean(rows.x),
        y=visits.mean(rows.y),
        vel=visits.vel,
        err=visits.err,
        membership=None if rows.membership is None else visits.mean(rows.membership),
        rows=rows.rows[visits.first],
        star=of_row,
        n_visits=visits.n_visits,
        variable=visits.variable,
        zero_points=zero,
    )


def _measure(
    rows: StarCatalog, instrument: np.ndarray | None, star: Ints, align: bool
) -> tuple[ZeroPoints | None, Floats]:
    """Zero points, if they are asked for and can be measured, and the velocities on one scale."""
    if instrument is None:
        return None, rows.vel
    try:
        found = zero_points(rows.vel, rows.err, instrument, id=star)
    except ValueError as error:
        if align:
            raise
        warnings.warn(f"no zero points: {error}", stacklevel=4)
        return None, rows.vel
    return found, found.apply(rows.vel, rows.err, instrument)[0]


def _report(zero: ZeroPoints, align: bool) -> None:
    """Say what was measured; warn of offsets that stay."""
    for line in str(zero).splitlines():
        logger.info("instrument %s", line)
    clear = np.flatnonzero(np.abs(zero.offset) > _CLEAR * zero.offset_err)
    if clear.size and not align:
        off = [f"{zero.names[k]} {zero.offset[k]:+.2f} +- {zero.offset_err[k]:.2f} km/s" for k in clear]
        warnings.warn(
            f"velocities of instruments differ from those of {zero.reference}: {', '.join(off)}. Pass "
            "align=True to put all on its scale.",
            stacklevel=4,
        )
