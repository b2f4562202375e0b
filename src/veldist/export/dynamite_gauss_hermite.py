"""Input files for DYNAMITE's Gauss-Hermite kinematics: V, sigma, h3, h4, ... of the posterior of every bin.

The series is that of van der Marel & Franx (1993, ApJ 407, 525), fitted to every draw: see
`veldist.gauss_hermite`.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import veldist
from veldist.arrays import Floats
from veldist.errors import ConvergenceWarning
from veldist.export.dynamite_doubts import warn_misplaced
from veldist.export.dynamite_files import DynamiteFiles, check_paths, write_files
from veldist.export.dynamite_metadata import describe_bins, read_layout
from veldist.export.dynamite_rows import FittedSolver, find_solved
from veldist.gauss_hermite import gauss_hermite
from veldist.summaries import resolved_draws
from veldist.validate import check_count, to_float

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["write_dynamite_gauss_hermite"]

# Orders that DYNAMITE reads and `gauss_hermite` fits.
_ORDERS = (4, 6)
# Share of the draws of a bin whose fit has to converge.
_CONVERGED = 0.9


def write_dynamite_gauss_hermite(
    solvers: Sequence[FittedSolver | None],
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

    Everything is checked before anything is written, and files appear under their names only once all
    three are complete; should that last step fail, the files of a previous export are put back.

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
    TypeError
        If an argument has the wrong type.
    OrderError
        If a solver has not been run (a `ValueError`, too).
    ValueError
        If there is nothing to write, ``order`` or a floor is out of range, draws are unusable, or the
        metadata is incomplete or contradicts itself or the solvers.
    FileExistsError
        If a file exists and ``overwrite`` is false.
    NotADirectoryError, IsADirectoryError
        If ``output_dir`` is a file, or one of the three file names is taken by a directory.

    Warns
    -----
    ConvergenceWarning
        If fewer than 90 % of the fits to the draws of a bin converged: its velocity bins do not determine
        the series.
    UserWarning
        If most bin centres lie in pixels of other bins.

    Notes
    -----
    Columns: ``vbin_id`` (1..n), ``v``, ``dv``, ``sigma``, ``dsigma``, ``h3``, ``dh3``, ``h4``, ``dh4``, ...
    The values are medians over the draws, the uncertainties half of the 16-84 percentile range. All draws
    count, those whose fit did not converge among them. Where a velocity grid is coarse, the posterior is
    integrated over narrower bins before it is fitted.

    ``v`` and ``sigma`` are those of the series, not the mean and the dispersion of the LOSVD.

    In the metadata, ``PSF`` is what DYNAMITE reads; ``original_bin`` lists the index in ``solvers`` of each
    row, ``gh_converged`` the share of its fits that converged, ``n_stars`` its number of stars, and
    ``uncertainty_floor`` the floors and how many values they raised.

    See Also
    --------
    veldist.write_dynamite_kinematics : the LOSVDs themselves.
    """
    order = check_count(order, "order", _ORDERS[0])
    if order > _ORDERS[1]:
        raise ValueError(f"order must be {_ORDERS[0]} to {_ORDERS[1]}, got {order}.")
    floors = {
        "velocity": to_float(velocity_floor, "velocity_floor", "km/s"),
        "coefficient": to_float(coefficient_floor, "coefficient_floor", ""),
    }
    for name, floor in floors.items():
        if not floor > 0:
            raise ValueError(
                f"{name}_floor must be positive, got {floor}: DYNAMITE divides by uncertainties."
            )
    v_systemic = to_float(v_systemic, "v_systemic", "km/s")
    paths = check_paths(output_dir, kin_filename, aperture_filename, bins_filename, overwrite=overwrite)
    solved = find_solved(solvers)
    layout = read_layout(voronoi_bin_metadata, solved, with_flux=False)
    values, errors, converged, n_stars = _fit(solvers, order)
    low = np.zeros_like(solved)
    low[solved] = converged < _CONVERGED
    if low.any():
        bins, worst = np.flatnonzero(solved), int(np.argmin(converged))
        warnings.warn(
            f"fewer than {_CONVERGED:.0%} of the Gauss-Hermite fits converged in {describe_bins(low)}; the "
            f"worst is index {bins[worst]} with {converged[worst]:.0%}. Such LOSVDs have no well-defined "
            "series: use narrower velocity bins or larger Voronoi bins, or write_dynamite_kinematics.",
            ConvergenceWarning,
            stacklevel=2,
        )
    warn_misplaced(layout, stacklevel=2)
    values[:, 0] -= v_systemic
    least = np.array([floors["velocity"]] * 2 + [floors["coefficient"]] * (order - 2))
    raised = errors < least
    table = _make_table(values, np.maximum(errors, least))
    table.meta |= {
        "PSF": {"sigma": layout.psf_sigma, "weight": layout.psf_weight},
        "velocity_unit": "km/s",
        "v_systemic": v_systemic,
        "original_bin": np.flatnonzero(solved).tolist(),
        "n_stars": n_stars,
        "gh_converged": converged.tolist(),
        "uncertainty_floor": floors | {"n_floored": int(np.count_nonzero(raised))},
        "veldist_version": veldist.__version__,
    }
    write_files(paths, table, layout)
    return paths


def _fit(solvers: Sequence[FittedSolver | None], order: int) -> tuple[Floats, Floats, Floats, list[int]]:
    """Medians and uncertainties of v, sigma, h3, ... (n_solved, order); shares converged; stars."""
    pairs: list[list[tuple[float, float]]] = []
    converged: list[float] = []
    n_stars: list[int] = []
    # One after the other, none kept: they may come from a store that is larger than the memory.
    for i, solver in enumerate(solvers):
        if solver is not None:
            fit = gauss_hermite(*resolved_draws(solver, i), order=order)
            pairs.append(list(fit.summary().values()))
            converged.append(float(fit.converged.mean()))
            n_stars.append(check_count(solver.n_stars, f"solvers[{i}].n_stars", minimum=1))
    values, errors = np.moveaxis(np.array(pairs), -1, 0).copy()
    return values, errors, np.array(converged), n_stars


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
