"""Input files for DYNAMITE's Gauss-Hermite kinematics: V, sigma, h3, h4, ... of the posterior of every bin.

The series is that of van der Marel & Franx (1993, ApJ 407, 525), fitted to every draw: see
`veldist.summaries.gauss_hermite.series_fit`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.validate import check_count, to_float
from veldist._version import __version__
from veldist.export.dynamite.doubts import star_notes, warn_cut
from veldist.export.dynamite.files import DynamiteFiles, check_paths, write_files
from veldist.export.dynamite.layout import read_layout
from veldist.export.rows.hermite import collect_series, read_series
from veldist.export.rows.losvds import check_solved
from veldist.fits.draws import check_fits, is_fitted

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["write_dynamite_gauss_hermite"]

# Orders that DYNAMITE reads and `gauss_hermite` fits.
_ORDERS = (4, 6)


def write_dynamite_gauss_hermite(
    solvers: Sequence[Any],
    output_dir: str | os.PathLike[str],
    voronoi_bin_metadata: dict[str, Any],
    order: int = 4,
    kin_filename: str = "gauss_hermite_kins.ecsv",
    aperture_filename: str = "aperture.dat",
    bins_filename: str = "bins.dat",
    *,
    overwrite: bool = True,
    v_systemic: Any = 0.0,
    velocity_floor: Any = 1e-3,
    coefficient_floor: float = 1e-4,
) -> DynamiteFiles:
    """Write Gauss-Hermite kinematics, the pixel grid and the bin map that DYNAMITE reads.

    All three are written or none, as by `veldist.write_dynamite_kinematics`.

    Parameters
    ----------
    solvers : list of (KinematicSolver or None)
        One entry per Voronoi bin, as `veldist.fit_all_bins` returns it; None for a skipped bin. Velocity
        grids may differ.
    output_dir : path-like
        Directory to write to; made if it does not exist.
    voronoi_bin_metadata : dict
        The layout on the sky, as for `veldist.write_dynamite_kinematics`.
    order : int
        Order of the series: 4 (up to h4), 5 or 6.
    kin_filename, aperture_filename, bins_filename : str
        Names of the three files inside ``output_dir``.
    overwrite : bool
        Whether files of these names may be replaced.
    v_systemic : float or Quantity
        Velocity (km/s) that is subtracted from ``v``: DYNAMITE's orbits are symmetric about 0.
    velocity_floor : float or Quantity
        Smallest uncertainty of ``v`` and ``sigma`` (km/s), > 0: DYNAMITE divides by it.
    coefficient_floor : float
        Smallest uncertainty of a coefficient, > 0.

    Returns
    -------
    DynamiteFiles
        Paths of the three files.

    Raises
    ------
    TypeError, OrderError, ValueError, OSError
        As `veldist.write_dynamite_kinematics`; also if ``order`` or a floor is out of range, or draws are
        unusable.

    Warns
    -----
    ConvergenceWarning
        If fewer than 90 % of the fits to the draws of a bin converged: its velocity bins do not determine
        the series.
    GridWarning
        If more than 0.5 % of an LOSVD's mass is in an outermost velocity bin or outside the grid.
    UserWarning
        If most bin centres lie far from their own pixels, or another kinematics table in ``output_dir``
        would be left with a pixel grid or bin map not its own.

    Notes
    -----
    Columns: ``vbin_id`` (1..n), ``v``, ``dv``, ``sigma``, ``dsigma``, ``h3``, ``dh3``, ``h4``, ``dh4``, ...
    The values are medians over the draws, the uncertainties half of the 16-84 percentile range. Only
    draws whose fit converged count. Where a velocity grid is coarse, the posterior is
    integrated over narrower bins before it is fitted.

    ``v`` and ``sigma`` are those of the series, not the mean and the dispersion of the LOSVD.

    In the metadata, ``PSF`` is what DYNAMITE reads; ``original_bin`` lists the index in ``solvers`` of each
    row, ``gh_converged`` the share of its fits that converged, ``n_stars`` its number of stars, and
    ``uncertainty_floor`` the floors and how many values they raised; ``outliers``, if it is there, says which
    bins have stars far from the others.

    See Also
    --------
    veldist.write_dynamite_kinematics : the LOSVDs themselves.
    """
    order = check_count(order, "order", _ORDERS[0])
    if order > _ORDERS[1]:
        raise ValueError(f"order must be {_ORDERS[0]} to {_ORDERS[1]}, got {order}.")
    v_systemic = to_float(v_systemic, "v_systemic", "km/s")
    paths = check_paths(output_dir, kin_filename, aperture_filename, bins_filename, overwrite=overwrite)
    fits = check_fits(solvers)
    solved = is_fitted(fits)
    check_solved(solved)
    layout = read_layout(voronoi_bin_metadata, solved, with_flux=False)
    of_bins = read_series(fits, order)
    rows = collect_series(of_bins, solved.size, velocity_floor, coefficient_floor, stacklevel=2)
    cuts = {i: row.cut for i, row in of_bins.items()}
    warn_cut(cuts, solved.size, stacklevel=2, draws=True)
    rows.values[:, 0] -= v_systemic
    table = _make_table(rows.values, rows.errors)
    table.meta |= {
        "PSF": {"sigma": layout.psf_sigma, "weight": layout.psf_weight},
        "velocity_unit": "km/s",
        "v_systemic": v_systemic,
        "original_bin": np.flatnonzero(solved).tolist(),
        "n_stars": rows.n_stars,
        "gh_converged": rows.converged.tolist(),
        "uncertainty_floor": rows.floors | {"n_floored": rows.n_floored},
        "veldist_version": __version__,
        **star_notes(cuts),
    }
    write_files(paths, table, layout, stacklevel=2)
    return paths


def _make_table(values: Floats, errors: Floats) -> Table:
    """Columns in DYNAMITE's order.

    A plain `~astropy.table.Table`: a `~astropy.table.QTable` would make readers return quantities.
    """
    from astropy.table import Column, Table

    columns = [Column(np.arange(1, len(values) + 1), name="vbin_id", description="id in the bin map, from 1")]
    names = ["v", "sigma", *(f"h{m}" for m in range(3, values.shape[1] + 1))]
    said = {"v": "velocity of the Gauss-Hermite series", "sigma": "width of the Gauss-Hermite series"}
    for k, name in enumerate(names):
        unit = "km/s" if k < 2 else None
        text = said.get(name, f"Gauss-Hermite coefficient {name}")
        columns += [
            Column(values[:, k], name=name, unit=unit, description=f"{text}, posterior median"),
            Column(errors[:, k], name=f"d{name}", unit=unit, description=f"uncertainty of {name}"),
        ]
    return Table(columns)
