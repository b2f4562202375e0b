"""Input files for DYNAMITE's histogram LOSVDs (`BayesLOSVD`): kinematics table, pixel grid, bin map.

DYNAMITE: Jethwa, Thater, Maindl & van de Ven (2020), ascl:2011.007. The table follows the output of
BAYES-LOSVD: Falcon-Barroso & Martig (2021), A&A 646, A31.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from veldist._support.validate import to_float
from veldist._version import __version__
from veldist.export.dynamite.doubts import star_notes, warn_cut, warn_doubtful
from veldist.export.dynamite.files import DynamiteFiles, check_paths, write_files
from veldist.export.dynamite.layout import VoronoiLayout, read_layout
from veldist.export.rows.losvds import Floor, LosvdRow, SolvedBins, check_solved, collect_losvds, read_rows
from veldist.fits.draws import check_fits, is_fitted

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Choices", "DynamiteFiles", "write_dynamite_kinematics", "write_rows"]

_FLUX_MODES = ("nstars", "nmembers", "uniform", "custom")
_PAD_NOTE = (
    "Orbits have no mass in the outermost bins in recent versions of DYNAMITE; pad=True adds empty ones, "
    "which is right only for LOSVDs that have ended before."
)


def write_dynamite_kinematics(
    solvers: Sequence[Any],
    output_dir: str | os.PathLike[str],
    voronoi_bin_metadata: dict[str, Any],
    kin_filename: str = "bayes_losvd_kins.ecsv",
    aperture_filename: str = "aperture.dat",
    bins_filename: str = "bins.dat",
    bin_flux_mode: str = "nstars",
    *,
    overwrite: bool = True,
    pad: bool = False,
    v_systemic: Any = 0.0,
) -> DynamiteFiles:
    """Write the kinematics table, the pixel grid and the bin map that DYNAMITE reads.

    Everything is checked before anything is written, and files appear under their names only once all
    three are complete; should that last step fail, the files of a previous export are put back.

    Parameters
    ----------
    solvers : list of (KinematicSolver or None)
        One entry per Voronoi bin, as `veldist.fit_all_bins` returns it; None for a skipped bin. All must
        have the same velocity grid. Where ``clip_uncertainties`` has not been called, its defaults hold.
    output_dir : path-like
        Directory to write to; made if it does not exist.
    voronoi_bin_metadata : dict
        The layout on the sky. Lengths in arcsec and angles in degrees, or astropy quantities:

        ``bins``
            list of dicts, one per entry of ``solvers``, with ``xbin`` and ``ybin`` (the bin's centre) and,
            for ``bin_flux_mode="custom"``, ``bin_flux``.
        ``aperture``
            dict with ``x_start``, ``y_start`` (lower left corner), ``x_size``, ``y_size`` (extent),
            ``angle_deg`` (from the galaxy's major axis to the x axis, counter-clockwise), ``nx``, ``ny``
            (pixels).
        ``pixel_bin_ids``
            integers of shape (nx * ny,) with x varying fastest, or of shape (ny, nx): bin index + 1 of each
            pixel, 0 for a pixel in no bin.
        ``psf``
            dict with ``sigma`` and ``weight``, two lists: the PSF as a sum of circular Gaussians, the
            weights adding up to 1.
    kin_filename, aperture_filename, bins_filename : str
        Names of the three files inside ``output_dir``.
    bin_flux_mode : {"nstars", "nmembers", "uniform", "custom"}
        What the ``bin_flux`` column holds: the number of stars, that of the members among them (the same
        for fits without contaminants), 1, or ``bin_flux`` from the metadata. DYNAMITE uses it to weight the
        mean velocity when it centres the system, not in the fit.
    overwrite : bool
        Whether files of these names may be replaced.
    pad : bool
        Whether to add an empty velocity bin on each side of the LOSVDs: mass 0, and as its uncertainty the
        floor of the bin's uncertainties. Recent versions of DYNAMITE let no orbit put mass there. Only for
        LOSVDs that end within the grid: beside a filled bin, it says that the LOSVD breaks off.
    v_systemic : float or Quantity
        Velocity (km/s) that is subtracted from the velocity grid and from ``v``: DYNAMITE's orbits are
        symmetric about 0.

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
    FileExistsError
        If a file exists and ``overwrite`` is false.
    NotADirectoryError, IsADirectoryError
        If ``output_dir`` is a file, or one of the three file names is taken by a directory.
    PermissionError
        If ``output_dir`` cannot be written to.

    Warns
    -----
    GridWarning
        If more than 0.5 % of an LOSVD's mass is in an outermost velocity bin of the solvers' grid, or
        outside it, with ``pad`` or without: the grid cuts the LOSVD off. Use a wider grid (``setup_grid``
        after ``run`` reports the same posterior on it), or ``truncate_losvd`` where the wing is not real.
    UserWarning
        If the median masses of a bin sum to less than 0.5, most bin centres lie far from their own pixels,
        or another kinematics table in ``output_dir`` would be left with a pixel grid or bin map not its own.

    Notes
    -----
    Skipped bins get no row; their pixels are written as 0 and the remaining bins are renumbered: rows
    have ``binID_dynamite`` 1..n, ``binID_BayesLOSVD`` 0..n-1, and the column ``original_bin`` (also a list in
    the table's metadata) is the index in ``solvers`` of each row.

    ``losvd_j`` is the posterior median of the probability mass in velocity bin j, ``dlosvd_j`` half of the
    16-84 percentile range with the floor that ``clip_uncertainties`` sets. Medians taken bin by bin do not
    sum to exactly 1, and they are not rescaled: DYNAMITE compares masses and errors as they stand, and a
    rescaled mass would no longer belong to its error. The smallest and the largest sum are in the metadata
    as ``losvd_sum_range``. Only ``v`` and ``sigma`` are moments of the median LOSVD divided by its sum.

    ``n_members`` in the metadata, if it is there, is the posterior median of the number of members in every
    row: other stars have been modelled as contaminants. ``outliers``, if it is there, says which bins have
    stars far from the others, and which; ``contamination``, what the stars of all bins together say of
    non-members. ``uncertainty_floor`` lists, for every row, the arguments of ``clip_uncertainties``, the
    floor they led to, and how many of the velocity bins it raised.

    A column ``bin_id`` (1..n) and ``velocity_unit`` in the metadata serve DYNAMITE's successor in JAX;
    DYNAMITE itself drops columns it does not know.

    See Also
    --------
    veldist.export.read_dynamite_kinematics : reads the three files again.
    veldist.export.validate_dynamite_inputs : checks them.
    """
    fits = check_fits(solvers)
    names = kin_filename, aperture_filename, bins_filename
    choices = Choices(names, bin_flux_mode, overwrite, pad, v_systemic)
    read = partial(read_rows, fits)
    return write_rows(read, is_fitted(fits), output_dir, voronoi_bin_metadata, choices, stacklevel=3)


class Choices(NamedTuple):
    """Optional arguments of `write_dynamite_kinematics`: names of the files, and what is in them."""

    names: tuple[str, str, str] = ("bayes_losvd_kins.ecsv", "aperture.dat", "bins.dat")
    bin_flux_mode: str = "nstars"
    overwrite: bool = True
    pad: bool = False
    v_systemic: Any = 0.0
    # More entries of the metadata.
    notes: Mapping[str, Any] = MappingProxyType({})


def write_rows(
    read: Callable[[], Mapping[int, LosvdRow]],
    solved: NDArray[np.bool_],
    output_dir: str | os.PathLike[str],
    voronoi_bin_metadata: dict[str, Any],
    choices: Choices,
    stacklevel: int = 2,
    remarks: Sequence[str] | None = None,
) -> DynamiteFiles:
    """As `write_dynamite_kinematics`, from the rows of the bins.

    Parameters
    ----------
    read : callable
        Returns the rows; called when everything else has been checked.
    solved : ndarray of bool, shape (n_bins,)
        Which bins have one.
    output_dir, voronoi_bin_metadata
        As for `write_dynamite_kinematics`.
    choices : Choices
        Its other arguments.
    stacklevel : int
        Of warnings, as in `warnings.warn`.
    remarks : sequence of str, optional
        What is to be said of contaminants; by default what the stars of these bins tell.
    """
    names, bin_flux_mode, overwrite, pad, v_systemic, notes = choices
    if bin_flux_mode not in _FLUX_MODES:
        raise ValueError(f"bin_flux_mode must be one of {list(_FLUX_MODES)}, got {bin_flux_mode!r}.")
    v_systemic = to_float(v_systemic, "v_systemic", "km/s")
    paths = check_paths(output_dir, *names, overwrite=overwrite)
    check_solved(solved)
    layout = read_layout(voronoi_bin_metadata, solved, with_flux=bin_flux_mode == "custom")
    of_bins = read()
    rows = collect_losvds(of_bins, solved.size).shifted(v_systemic)
    cuts = {i: row.cut for i, row in of_bins.items()}
    warn_cut(cuts, solved.size, stacklevel, note=_PAD_NOTE)
    warn_doubtful(rows, stacklevel)
    if pad:
        rows = rows.padded()
    table = _make_table(rows, layout, bin_flux_mode)
    table.meta |= {"v_systemic": v_systemic, "padded": bool(pad), **notes} | star_notes(cuts, remarks)
    write_files(paths, table, layout, stacklevel)
    return paths


def _make_table(rows: SolvedBins, layout: VoronoiLayout, bin_flux_mode: str) -> Table:
    """Arrange columns and metadata as DYNAMITE wants them.

    A plain `~astropy.table.Table`: a `~astropy.table.QTable` would make readers return quantities.
    """
    from astropy.table import Column, Table

    n_solved, n_velocity = rows.losvd.shape
    if bin_flux_mode == "nstars":
        flux, flux_text = rows.n_stars.astype(np.float64), "number of stars"
    elif bin_flux_mode == "nmembers":
        flux, flux_text = rows.n_members, "number of members, posterior median"
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
    original = np.flatnonzero(rows.solved)
    columns += [
        Column(ids, name="bin_id", description="same as binID_dynamite"),
        Column(original, name="original_bin", description="place in the list of solvers, from 0"),
    ]
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
        "original_bin": original.tolist(),
        "n_stars": rows.n_stars.tolist(),
        **({} if np.array_equal(rows.n_members, rows.n_stars) else {"n_members": rows.n_members.tolist()}),
        "losvd_sum_range": [float(totals.min()), float(totals.max())],
        "veldist_version": __version__,
    }
    if any(rows.floors):
        meta["uncertainty_floor"] = {
            name: [None if floor is None else getattr(floor, name) for floor in rows.floors]
            for name in Floor._fields
        }
    return Table(columns, meta=meta)
