"""Second moments for Jeans models (JAM; Cappellari 2008, MNRAS 390, 71; 2020, MNRAS 494, 4819)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from veldist._support.files import new_file
from veldist._support.validate import to_float
from veldist._version import __version__
from veldist.export.dynamite.doubts import warn_cut
from veldist.export.rows.moments import iterate_moments, median_and_uncertainty, solved_mask
from veldist.fits.draws import check_fits
from veldist.sky.positions import read_positions

__all__ = ["write_jam_table"]

# Smallest uncertainty, km/s.
_FLOOR = 1e-3


def write_jam_table(
    solvers: Sequence[Any],
    path: str | os.PathLike[str],
    metadata: dict[str, Any] | None = None,
    *,
    x: Any = None,
    y: Any = None,
    v_systemic: Any = 0.0,
    overwrite: bool = True,
) -> Path:
    """Write positions, Vrms and V of all solved bins, one row each.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin, which gets no row.
    path : path-like
        The file: ECSV if it ends in ``.ecsv``, otherwise text with one commented line of names.
    metadata : dict, optional
        The layout of the bins, as `veldist.write_dynamite_kinematics` takes it: its ``bins`` give the
        positions.
    x, y : array_like or Quantity, shape (n_bins,), optional
        Positions of the bins (arcsec), where there is no ``metadata``.
    v_systemic : float or Quantity
        Systemic velocity (km/s), which is subtracted.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    TypeError, ValueError
        If there is nothing to write, positions are missing or unusable, or a solver has not been run.
    FileExistsError, IsADirectoryError
        If the file must not be replaced.

    Warns
    -----
    GridWarning
        If a noticeable part of an LOSVD is outside the velocity grid, or in an outermost bin.

    Notes
    -----
    Columns ``xbin ybin vrms dvrms v dv sigma dsigma``, then ``bin_id`` (place in ``solvers``, counted from 1)
    and ``n_stars``. Vrms = sqrt(V^2 + sigma^2) is taken of every posterior draw, V relative to
    ``v_systemic``, and then quoted as the median with half of the 16-84 percentile range. ``xbin, ybin, vrms,
    dvrms`` are the arguments ``xbin, ybin, data, errors`` of ``jampy.axi.proj`` with ``moment="zz"``, and
    ``v, dv`` those with ``moment="z"``. JAM wants x along the projected major axis: rotate the positions
    first.
    """
    from astropy.table import Column, Table

    fits = check_fits(solvers)
    solved = solved_mask(fits)
    positions = read_positions(metadata, x, y, solved)
    if not positions:
        raise ValueError("the positions of the bins are missing: pass metadata, or x and y.")
    systemic = to_float(v_systemic, "v_systemic", "km/s")
    rows, cuts = [], {}
    for bin_ in iterate_moments(fits):
        cuts[bin_.index] = bin_.cut
        quantities = (np.sqrt(bin_.second_moment(systemic)), bin_.v - systemic, bin_.sigma)
        medians, spreads = zip(*(median_and_uncertainty(draws) for draws in quantities), strict=True)
        # Jeans models divide by them.
        least = (max(spread, _FLOOR) for spread in spreads)
        pairs = [value for pair in zip(medians, least, strict=True) for value in pair]
        rows.append(
            [positions["x"][bin_.index], positions["y"][bin_.index], *pairs, bin_.index + 1, bin_.n_stars]
        )
    warn_cut(cuts, len(fits), stacklevel=2, draws=True)
    columns = {
        "xbin": ("arcsec", "x position of the bin"),
        "ybin": ("arcsec", "y position of the bin"),
        "vrms": ("km/s", "sqrt(V^2 + sigma^2)"),
        "dvrms": ("km/s", "uncertainty of vrms"),
        "v": ("km/s", "mean velocity relative to v_systemic"),
        "dv": ("km/s", "uncertainty of v"),
        "sigma": ("km/s", "velocity dispersion"),
        "dsigma": ("km/s", "uncertainty of sigma"),
        "bin_id": (None, "spatial bin, counted from 1"),
        "n_stars": (None, "number of stars"),
    }
    table = Table(
        [
            Column(
                values,
                name=name,
                unit=unit,
                description=description,
                dtype=int
                if name == "bin_id" or (name == "n_stars" and np.all(np.isfinite(values)))
                else float,
            )
            for values, (name, (unit, description)) in zip(np.transpose(rows), columns.items(), strict=True)
        ],
        meta={"v_systemic": systemic, "veldist_version": __version__},
    )
    with new_file(path, overwrite) as temporary:
        is_ecsv = temporary.suffix == ".ecsv"
        table.write(temporary, format="ascii.ecsv" if is_ecsv else "ascii.commented_header")
    return Path(path)
