"""Kinematic data for the Forstand models of AGAMA (Vasiliev & Valluri 2020, ApJ 889, 39).

Three text files of plain numbers, which ``numpy.loadtxt`` reads:

- the bin map, one row ``x y bintag`` per pixel: the centre (arcsec) and its bin, counted from 0. Pixels in
  no bin are left out. Rows of the kinematic tables are in the order of the tags;
- the kinematics, one row per bin, of values and errors in turn: the masses of the velocity bins (HIST), or
  V, sigma, h3, h4, ... (GH);
- the edges of the velocity bins (km/s), one per line (HIST only).

x and y are those of the pixel grid: x increases to the right of our figures. Forstand rotates models into the
image plane by angles that the user gives: if the sense of x differs from the model's, flip the sign of the
first column.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.files import check_new, new_files
from veldist._support.validate import check_count, to_float
from veldist.export.dynamite.doubts import warn_cut
from veldist.export.dynamite.layout import read_layout
from veldist.export.rows.hermite import collect_series, read_series
from veldist.export.rows.losvds import check_solved, collect_losvds, read_rows
from veldist.fits.draws import check_fits, is_fitted

__all__ = ["write_agama_forstand"]

_REPRESENTATIONS = ("hist", "gh")


def write_agama_forstand(
    solvers: Sequence[Any],
    output_dir: str | os.PathLike[str],
    voronoi_bin_metadata: dict[str, Any],
    representation: str = "hist",
    *,
    order: int = 4,
    v_systemic: Any = 0.0,
    bins_filename: str = "voronoi_bins.txt",
    kin_filename: str | None = None,
    edges_filename: str = "velocity_edges.txt",
    overwrite: bool = True,
) -> dict[str, Path]:
    """Write the bin map and the kinematics for Forstand.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin, None for a skipped bin, whose pixels are left out.
    output_dir : path-like
        Folder; made if it does not exist.
    voronoi_bin_metadata : dict
        The layout, as for `veldist.write_dynamite_kinematics`.
    representation : {"hist", "gh"}
        Histograms on the velocity grid, or Gauss-Hermite series.
    order : int
        Order of the series, 3 to 6.
    v_systemic : float or Quantity
        Systemic velocity (km/s), which is subtracted from the edges, or from V.
    bins_filename, edges_filename : str
        Names of the files.
    kin_filename : str, optional
        Name of the kinematic table: "kinem_hist.txt" or "kinem_gh.txt" by default.
    overwrite : bool
        Whether existing files may be replaced.

    Returns
    -------
    dict of str to pathlib.Path
        ``"bins"``, ``"kinematics"`` and, for histograms, ``"edges"``.

    Raises
    ------
    TypeError, ValueError, OrderError
        As `veldist.write_dynamite_kinematics`.
    FileExistsError, IsADirectoryError
        If a file must not be replaced.

    Warns
    -----
    GridWarning
        If a noticeable part of an LOSVD is outside the velocity grid, or in an outermost bin.
    ConvergenceWarning
        If fewer than 90 % of the Gauss-Hermite fits of a bin converged.

    Notes
    -----
    Histograms: the posterior median of the mass in each velocity bin, and its uncertainty with the floor that
    ``clip_uncertainties`` sets; divide both by the width of the bins for densities. Series: median and
    uncertainty over the posterior draws of the parameters fitted to each (see
    `veldist.summaries.gauss_hermite.series_fit`).
    """
    if representation not in _REPRESENTATIONS:
        raise ValueError(f"representation must be one of {list(_REPRESENTATIONS)}, got {representation!r}.")
    systemic = to_float(v_systemic, "v_systemic", "km/s")
    fits = check_fits(solvers)
    solved = is_fitted(fits)
    check_solved(solved)
    layout = read_layout(voronoi_bin_metadata, solved, with_flux=False)
    folder = Path(output_dir)
    paths = {
        "bins": folder / bins_filename,
        "kinematics": folder / (kin_filename or f"kinem_{representation}.txt"),
    }
    if representation == "hist":
        paths["edges"] = folder / edges_filename
    if len(set(paths.values())) < len(paths):
        raise ValueError(
            f"the file names must differ from each other, got {sorted(p.name for p in paths.values())}."
        )
    for path in paths.values():
        check_new(path, overwrite)

    xx, yy = layout.aperture.centers()
    tag = np.asarray(layout.pixel_ids).ravel() - 1
    inside = tag >= 0
    contents = {
        "bins": (np.column_stack([xx.ravel()[inside], yy.ravel()[inside], tag[inside]]), "x y bintag")
    }
    if representation == "hist":
        of_bins = read_rows(fits)
        rows, cuts = collect_losvds(of_bins, solved.size), {i: row.cut for i, row in of_bins.items()}
        contents["kinematics"] = _interleaved(rows.losvd, rows.dlosvd), "mass error, for each velocity bin"
        edges = np.append(rows.centers - 0.5 * rows.dv, rows.centers[-1] + 0.5 * rows.dv) - systemic
        contents["edges"] = edges, "edges of the velocity bins [km/s]"
    else:
        series_of_bins = read_series(fits, check_count(order, "order", 3))
        series = collect_series(series_of_bins, solved.size, 1e-3, 1e-4, stacklevel=2)
        cuts = {i: row.cut for i, row in series_of_bins.items()}
        series.values[:, 0] -= systemic
        names = " ".join(f"{n} {n}_err" for n in series.names)
        contents["kinematics"] = _interleaved(series.values, series.errors), names
    warn_cut(cuts, solved.size, stacklevel=2)
    with new_files(list(paths.values()), overwrite) as temporary:
        for (array, header), path in zip((contents[name] for name in paths), temporary, strict=True):
            np.savetxt(path, array, fmt="%.10g", header=header)
    return paths


def _interleaved(values: Floats, errors: Floats) -> Floats:
    """Value and error in turn, (n, 2 k)."""
    return np.stack([values, errors], axis=2).reshape(values.shape[0], -1)
