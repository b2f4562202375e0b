"""Input files for DYNAMITE's histogram LOSVDs (`BayesLOSVD`): kinematics table, pixel grid, bin map.

DYNAMITE: Jethwa, Thater, Maindl & van de Ven (2020), ascl:2011.007. The table follows the output of
BAYES-LOSVD: Falcon-Barroso & Martig (2021), A&A 646, A31.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import veldist
from veldist.dynamite_doubts import warn_doubtful, warn_misplaced
from veldist.dynamite_metadata import VoronoiLayout, read_layout
from veldist.dynamite_rows import FittedSolver, SolvedBins, collect_losvds, find_solved
from veldist.pixel_grid import PixelGrid

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["DynamiteFiles", "write_dynamite_kinematics"]

_FLUX_MODES = ("nstars", "uniform", "custom")
_IDS_PER_LINE = 10
# First lines of the files that DYNAMITE's own scripts make ("Counterrotaton" is their spelling).
_APERTURE_HEADER = "#counter_rotation_boxed_aperturefile_version_2"
_BINS_HEADER = "#Counterrotaton_binning_version_1"


@dataclass(frozen=True)
class DynamiteFiles:
    """Paths of the three files of one export.

    Parameters
    ----------
    kinematics : pathlib.Path
        Table of LOSVDs (ECSV).
    aperture : pathlib.Path
        Geometry of the pixel grid.
    bins : pathlib.Path
        Row of the table that each pixel belongs to.
    """

    kinematics: Path
    aperture: Path
    bins: Path


def write_dynamite_kinematics(
    solvers: Sequence[FittedSolver | None],
    output_dir: str | os.PathLike[str],
    voronoi_bin_metadata: dict[str, Any],
    kin_filename: str = "bayes_losvd_kins.ecsv",
    aperture_filename: str = "aperture.dat",
    bins_filename: str = "bins.dat",
    bin_flux_mode: str = "nstars",
) -> DynamiteFiles:
    """Write the kinematics table, the pixel grid and the bin map that DYNAMITE reads.

    Everything is checked before anything is written, and files appear under their names only once all
    three are complete; should that last step fail, the files of a previous export are put back.

    Parameters
    ----------
    solvers : list of (KinematicSolver or None)
        One entry per Voronoi bin, as `veldist.fit_all_bins` returns it; None for a skipped bin. All must
        have the same velocity grid. ``clip_uncertainties`` is called where it has not been.
    output_dir : path-like
        Directory to write to; made if it does not exist.
    voronoi_bin_metadata : dict
        The layout on the sky. Lengths in arcsec and angles in degrees, or astropy quantities:

        ``bins``
            list of dicts, one per entry of ``solvers``, with ``xbin`` and ``ybin`` (the bin's centre) and,
            for ``bin_flux_mode="custom"``, ``bin_flux``.
        ``aperture``
            dict with ``x_start``, ``y_start`` (lower left corner), ``x_size``, ``y_size`` (extent),
            ``angle_deg`` (from the x axis to the projected major axis), ``nx``, ``ny`` (pixels).
        ``pixel_bin_ids``
            integers of shape (nx * ny,) with x varying fastest, or of shape (ny, nx): bin index + 1 of each
            pixel, 0 for a pixel in no bin.
        ``psf``
            dict with ``sigma`` and ``weight``, two lists: the PSF as a sum of circular Gaussians, the
            weights adding up to 1.
    kin_filename, aperture_filename, bins_filename : str
        Names of the three files inside ``output_dir``.
    bin_flux_mode : {"nstars", "uniform", "custom"}
        What the ``bin_flux`` column holds: the number of stars, 1, or ``bin_flux`` from the metadata.
        DYNAMITE uses it to weight the mean velocity when it centres the system, not in the fit.

    Returns
    -------
    DynamiteFiles
        Paths of the three files.

    Raises
    ------
    TypeError
        If an argument has the wrong type.
    OrderError
        If a solver has not been run (a `ValueError`, too).
    ValueError
        If there is nothing to write, velocity grids differ, masses or
        uncertainties are unusable, or the metadata is incomplete or contradicts itself or the solvers.
    NotADirectoryError, IsADirectoryError
        If ``output_dir`` is a file, or one of the three file names is taken by a directory.

    Warns
    -----
    GridWarning
        If an outermost velocity bin holds more than 0.5 % of an LOSVD's mass (orbits have none there in
        recent versions of DYNAMITE).
    UserWarning
        If the median masses of a bin sum to less than 0.5, or most bin centres lie in pixels of other bins.

    Notes
    -----
    Skipped bins get no row; their pixels are written as 0 and the remaining bins are renumbered: rows
    have ``binID_dynamite`` 1..n, ``binID_BayesLOSVD`` 0..n-1, and ``original_bin`` in the table's metadata
    lists the index in ``solvers`` of each row.

    ``losvd_j`` is the posterior median of the probability mass in velocity bin j, ``dlosvd_j`` half of the
    16-84 percentile range with the floor that ``clip_uncertainties`` sets. Medians taken bin by bin do not
    sum to exactly 1, and they are not rescaled: DYNAMITE compares masses and errors as they stand, and a
    rescaled mass would no longer belong to its error. The smallest and the largest sum are in the metadata
    as ``losvd_sum_range``. Only ``v`` and ``sigma`` are moments of the median LOSVD divided by its sum.

    A last column ``bin_id`` (1..n) and ``velocity_unit`` in the metadata serve DYNAMITE's successor in JAX;
    DYNAMITE itself drops columns it does not know.
    """
    if bin_flux_mode not in _FLUX_MODES:
        raise ValueError(f"bin_flux_mode must be one of {list(_FLUX_MODES)}, got {bin_flux_mode!r}.")
    paths = _check_paths(output_dir, kin_filename, aperture_filename, bins_filename)
    solved = find_solved(solvers)
    layout = read_layout(voronoi_bin_metadata, solved, with_flux=bin_flux_mode == "custom")
    rows = collect_losvds(solvers, solved)
    warn_doubtful(rows, stacklevel=2)
    warn_misplaced(layout, stacklevel=2)

    table = _make_table(rows, layout, bin_flux_mode)
    paths.kinematics.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.kinematics.parent, prefix=".veldist-export-") as scratch:
        new, old = Path(scratch, "new"), Path(scratch, "old")
        new.mkdir()
        old.mkdir()
        table.write(new / paths.kinematics.name, format="ascii.ecsv")
        (new / paths.aperture.name).write_text(_aperture_text(layout.aperture), encoding="ascii")
        (new / paths.bins.name).write_text(_bins_text(layout.pixel_ids), encoding="ascii")
        _move_all(new, old, (paths.kinematics, paths.aperture, paths.bins))
    return paths


def _check_paths(output_dir: str | os.PathLike[str], *names: str) -> DynamiteFiles:
    """Join directory and file names, refusing names that leave the directory or collide."""
    arguments = ("kin_filename", "aperture_filename", "bins_filename")
    for argument, name in zip(arguments, names, strict=True):
        if not isinstance(name, str):
            raise TypeError(f"{argument} must be a str, got {name!r}.")
        if name in ("", ".", "..") or Path(name).name != name:
            raise ValueError(
                f"{argument} must be a file name without a directory, got {name!r}: use output_dir."
            )
    if len(set(names)) != len(names):
        raise ValueError(f"{', '.join(arguments)} must differ from each other, got {list(names)}.")
    directory = Path(output_dir)
    if directory.exists() and not directory.is_dir():
        raise NotADirectoryError(f"output_dir '{directory}' is a file: name a directory.")
    paths = [directory / name for name in names]
    for path in paths:
        if path.is_dir():
            raise IsADirectoryError(f"'{path}' is a directory: choose another file name.")
    return DynamiteFiles(*paths)


def _make_table(rows: SolvedBins, layout: VoronoiLayout, bin_flux_mode: str) -> Table:
    """Arrange columns and metadata as DYNAMITE wants them.

    A plain `~astropy.table.Table`: a `~astropy.table.QTable` would make readers return quantities.
    """
    from astropy.table import Column, Table

    n_solved, n_velocity = rows.losvd.shape
    if bin_flux_mode == "nstars":
        flux, flux_text = rows.n_stars.astype(np.float64), "number of stars"
    elif bin_flux_mode == "uniform":
        flux, flux_text = np.ones(n_solved), "the same for all bins"
    else:
        flux, flux_text = layout.bin_flux, "flux given by the user"
    v, sigma = rows.moments()
    ids = np.arange(1, n_solved + 1)
    columns = [
        Column(ids - 1, name="binID_BayesLOSVD", description="row, from 0"),
        Column(flux, name="bin_flux", description=flux_text),
        Column(ids, name="binID_dynamite", description="id in the bin map, from 1"),
        Column(v, name="v", unit="km/s", description="mean of the LOSVD"),
        Column(sigma, name="sigma", unit="km/s", description="dispersion of the LOSVD"),
        Column(layout.xbin, name="xbin", unit="arcsec", description="x of the bin centre"),
        Column(layout.ybin, name="ybin", unit="arcsec", description="y of the bin centre"),
    ]
    for j in range(n_velocity):
        columns += [
            Column(rows.losvd[:, j], name=f"losvd_{j}", description=f"mass in velocity bin {j}"),
            Column(rows.dlosvd[:, j], name=f"dlosvd_{j}", description=f"uncertainty of losvd_{j}"),
        ]
    columns.append(Column(ids, name="bin_id", description="same as binID_dynamite"))
    totals = rows.losvd.sum(axis=1)
    # Built-in types only: YAML would tag numpy's.
    meta = {
        "dv": rows.dv,
        "vcent": rows.centers.tolist(),
        "nbins": n_solved,
        "nvbins": n_velocity,
        "PSF": {"sigma": layout.psf_sigma, "weight": layout.psf_weight},
        "velocity_unit": "km/s",
        "bin_flux_mode": bin_flux_mode,
        "original_bin": np.flatnonzero(rows.solved).tolist(),
        "n_stars": rows.n_stars.tolist(),
        "losvd_sum_range": [float(totals.min()), float(totals.max())],
        "veldist_version": veldist.__version__,
    }
    return Table(columns, meta=meta)


def _aperture_text(aperture: PixelGrid) -> str:
    """Geometry of the pixel grid; ``repr`` of a float reads back as the same number."""
    a = aperture
    lines = [
        _APERTURE_HEADER,
        f"{a.x_start!r} {a.y_start!r}",
        f"{a.x_size!r} {a.y_size!r}",
        f"{a.angle_deg!r}",
        f"{a.nx} {a.ny}",
    ]
    return "\n".join(lines) + "\n"


def _bins_text(pixel_ids: NDArray[np.int64]) -> str:
    """Bin map: number of pixels, then the ids, ten to a line."""
    ids = [str(i) for i in pixel_ids.tolist()]
    lines = [" ".join(ids[k : k + _IDS_PER_LINE]) for k in range(0, len(ids), _IDS_PER_LINE)]
    return "\n".join([_BINS_HEADER, str(len(ids)), *lines]) + "\n"


def _move_all(new: Path, old: Path, targets: tuple[Path, ...]) -> None:
    """Move files from ``new`` to their targets, or leave all targets as they were.

    ``old`` is a directory for copies of what was there before. All directories are on one file system,
    so each move is atomic.
    """
    before = [target for target in targets if target.exists()]
    for target in before:
        shutil.copy2(target, old / target.name)
    try:
        for target in targets:
            (new / target.name).replace(target)
    except BaseException:
        for target in targets:
            if target in before:
                (old / target.name).replace(target)
            else:
                target.unlink(missing_ok=True)
        raise
