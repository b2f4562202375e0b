"""Rules for mean velocities and dispersions: those of the LOSVDs, in km/s, and relative to the system."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist.export.checks.problem import Problem, Severity, row_problem
from veldist.export.checks.table import KinTable
from veldist.export.checks.velocity import VelocityGrid

__all__ = ["check_large_velocities", "check_moments", "check_systemic"]

# Moments may be off by these fractions of a velocity bin: tables are written with few digits, and the columns
# of others may be moments of another estimate than the one that is written.
_MOMENT_TOLERANCE, _MOMENT_FAR = 0.05, 0.5
# The grid must reach this many dispersions to both sides of 0.
_REACH = 3.0
# Dispersion (km/s) that no stellar system has.
_LARGE_SIGMA = 1000.0
# Distance of the mean velocity from 0, in dispersions, from which on the systemic velocity is suspected.
_SYSTEMIC_SIGMAS = 3.0


def check_moments(table: KinTable, losvd: Floats, grid: VelocityGrid) -> Iterator[Problem]:
    """Columns v and sigma are those of the LOSVDs, and the grid holds an LOSVD centred on 0.

    The moments are ``v = sum_j p_j v_j`` and ``sigma^2 = sum_j p_j (v_j - v)^2``, with p_j the masses divided
    by their sum and v_j the bin centres.
    """
    if grid.centers is None or grid.dv is None or grid.centers.size != losvd.shape[1]:
        return
    total = losvd.sum(axis=1, keepdims=True)
    p = losvd / np.where(total > 0, total, np.nan)
    v = p @ grid.centers
    sigma = np.sqrt(np.sum(p * (grid.centers - v[:, None]) ** 2, axis=1))
    for name, moment in (("v", v), ("sigma", sigma)):
        column = table.values.get(name)
        if column is None:
            continue
        off = np.abs(column - moment) / grid.dv
        far = off > _MOMENT_FAR
        levels: list[tuple[NDArray[np.bool_], Severity]] = [
            (far, "wrong"),
            ((off > _MOMENT_TOLERANCE) & ~far, "doubtful"),
        ]
        for bad, severity in levels:
            if bad.any():
                yield from row_problem(
                    table.file,
                    name,
                    bad,
                    column,
                    rule="moments",
                    severity=severity,
                    what=f"km/s disagrees with the LOSVD's own {moment[np.argmax(bad)]:.6g}",
                    cure="Compute it from the renormalised masses; check that rows and vcent match.",
                )
    yield from check_large_velocities(table.file, sigma, "sigma")
    low, high = grid.centers[0] - 0.5 * grid.dv, grid.centers[-1] + 0.5 * grid.dv
    known = sigma[np.isfinite(sigma)]
    if known.size and _REACH * np.median(known) > min(-low, high):
        yield Problem(
            table.file,
            None,
            "meta['vcent']",
            (float(low), float(high)),
            "doubtful",
            "systemic-velocity",
            f"the velocity grid, {low:g} to {high:g} km/s, does not hold 0 +- {_REACH:g} dispersions of "
            f"{np.median(known):.6g} km/s; DYNAMITE's orbits are symmetric about 0.",
            "Subtract the systemic velocity from vcent and v, or use a wider grid.",
        )
    else:
        yield from check_systemic(table.file, v, sigma)


def check_large_velocities(file: str, sigma: Floats, column: str) -> Iterator[Problem]:
    """Suspect velocities in m/s where the dispersion is that of no stellar system."""
    known = sigma[np.isfinite(sigma)]
    if known.size and np.median(known) > _LARGE_SIGMA:
        row = int(np.nanargmax(sigma))
        yield Problem(
            file,
            row,
            column,
            float(sigma[row]),
            "doubtful",
            "velocity-size",
            f"the median dispersion is {np.median(known):.6g} km/s; the velocities look like m/s.",
            "Divide all velocities by 1000.",
        )


def check_systemic(file: str, v: Floats, sigma: Floats) -> Iterator[Problem]:
    """Suspect a systemic velocity that was not subtracted: DYNAMITE's orbits are symmetric about 0."""
    good = np.isfinite(v) & np.isfinite(sigma) & (sigma > 0)
    if not good.any():
        return
    middle, width = float(np.median(v[good])), float(np.median(sigma[good]))
    if abs(middle) > _SYSTEMIC_SIGMAS * width:
        yield Problem(
            file,
            None,
            "v",
            middle,
            "doubtful",
            "systemic-velocity",
            f"the median velocity is {middle:.6g} km/s with a dispersion of {width:.6g} km/s; DYNAMITE's "
            "orbits are symmetric about 0.",
            "Subtract the systemic velocity from all velocities.",
        )
