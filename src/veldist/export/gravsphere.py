r"""Radial profiles for spherical Jeans models with virial shape parameters (GravSphere and its binulator).

The virial shape parameters (Merrifield & Kent 1990, AJ 99, 1548; Richardson & Fairbairn 2014, MNRAS 441,
1584; Read & Steger 2017, MNRAS 471, 4541, eqs 11 and 12) are

.. math:: v_{s1} = \int_0^\infty \Sigma \langle v_{los}^4 \rangle R\, dR, \qquad
          v_{s2} = \int_0^\infty \Sigma \langle v_{los}^4 \rangle R^3\, dR,

with the surface density normalised to :math:`\int 2 \pi \Sigma R\, dR = 1`. Then :math:`2 \pi \Sigma R\, dR`
is the fraction of the stars in dR, and the integrals are weighted means over radial bins, divided by :math:`2
\pi`. They end at the outermost bin.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.files import check_new, new_files
from veldist._support.validate import check_finite, check_positive, to_array, to_float
from veldist._version import __version__
from veldist.export.dynamite.doubts import warn_cut
from veldist.export.rows.cut import Cut
from veldist.export.rows.moments import iterate_moments, median_and_uncertainty, solved_mask
from veldist.fits.draws import Fits, check_fits

__all__ = ["RadialProfile", "radial_profile", "write_gravsphere_profile"]


@dataclass(frozen=True, eq=False)
class RadialProfile:
    """Posterior draws of a radial profile, one row for every solved bin.

    Attributes
    ----------
    index : ndarray of int, shape (n_solved,)
        Place of the bin in the list of solvers.
    radius : ndarray, shape (n_solved,)
        Radius of the bin (arcsec).
    n_stars : ndarray, shape (n_solved,)
        Number of stars.
    weight : ndarray, shape (n_solved,)
        Fraction of the tracers in the bin; sums to 1.
    sigma, kurtosis, v4 : ndarray, shape (n_solved, n_draws)
        Root mean square velocity (km/s), kurtosis (3 for a Gaussian) and mean fourth power (km/s)^4, all
        relative to the systemic velocity.
    vs1, vs2 : ndarray, shape (n_draws,)
        Virial shape parameters, (km/s)^4 and (km/s)^4 arcsec^2.
    """

    index: np.ndarray
    radius: Floats
    n_stars: Floats
    weight: Floats
    sigma: Floats
    kurtosis: Floats
    v4: Floats
    vs1: Floats
    vs2: Floats


def radial_profile(
    solvers: Sequence[Any], radius: Any, *, weight: Any = None, v_systemic: Any = 0.0
) -> RadialProfile:
    """Draws of the dispersion, the kurtosis and the virial shape parameters of radial bins.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per radial bin, None for a skipped bin, which is left out.
    radius : array_like or Quantity, shape (n_bins,)
        Projected radius of each bin (arcsec): for v_s2 best the root mean square of its stars'.
    weight : array_like, shape (n_bins,), optional
        Share of the tracers in each bin, up to a factor: the integral of the surface density over the bin. By
        default the number of stars, or of members among them beside contaminants, which is right if stars
        were observed in equal proportion at all radii.
    v_systemic : float or Quantity
        Systemic velocity (km/s).

    Raises
    ------
    TypeError, ValueError
        If there is no solved bin, a solver has not been run, or radii or weights are unusable.
    """
    return _profile(check_fits(solvers), radius, weight, v_systemic)[0]


def _profile(fits: Fits, radius: Any, weight: Any, v_systemic: Any) -> tuple[RadialProfile, dict[int, Cut]]:
    """The profile, and what the grids of its bins cut off."""
    solved = solved_mask(fits)
    systemic = to_float(v_systemic, "v_systemic", "km/s")
    r = to_array(radius, "radius", "arcsec")
    if r.size != solved.size:
        raise ValueError(f"radius has {r.size} values, but there are {solved.size} bins: pass one each.")
    r = r[solved]
    check_finite(r, "radius")
    check_positive(r, "radius", "give the projected radius of each bin in arcsec.")
    bins = list(iterate_moments(fits))
    n_stars = np.array([bin_.n_stars for bin_ in bins])
    if weight is None:
        if not np.all(np.isfinite(n_stars)):
            raise ValueError("the solvers do not say how many stars they hold: pass weight.")
        share = np.array([bin_.n_members for bin_ in bins])
    else:
        given = to_array(weight, "weight", "")
        if given.size != solved.size:
            raise ValueError(
                f"weight has {given.size} values, but there are {solved.size} bins: pass one each."
            )
        share = given[solved]
        check_finite(share, "weight")
        check_positive(share, "weight", "give the tracers' share of each bin.")
    share = share / share.sum()
    # Bins are independent of each other, so that any draw of one goes with any of another.
    n_draws = min(bin_.v.size for bin_ in bins)
    second = np.array([bin_.second_moment(systemic)[:n_draws] for bin_ in bins])
    fourth = np.array([bin_.fourth_moment(systemic)[:n_draws] for bin_ in bins])
    profile = RadialProfile(
        index=np.flatnonzero(solved),
        radius=r,
        n_stars=n_stars,
        weight=share,
        sigma=np.sqrt(second),
        kurtosis=fourth / second**2,
        v4=fourth,
        vs1=share @ fourth / (2.0 * np.pi),
        vs2=(share * r**2) @ fourth / (2.0 * np.pi),
    )
    return profile, {bin_.index: bin_.cut for bin_ in bins}


def write_gravsphere_profile(
    solvers: Sequence[Any],
    path: str | os.PathLike[str],
    radius: Any,
    *,
    weight: Any = None,
    v_systemic: Any = 0.0,
    overwrite: bool = True,
) -> tuple[Path, Path]:
    """Write a radial profile with uncertainties, and its posterior draws beside it.

    Parameters
    ----------
    solvers, radius, weight, v_systemic
        As `radial_profile`.
    path : path-like
        The table: ECSV if it ends in ``.ecsv``, otherwise text with one commented line of names.
    overwrite : bool
        Whether existing files may be replaced.

    Returns
    -------
    table : pathlib.Path
        Columns ``R sigma dsigma kurtosis dkurtosis v4 dv4 weight n_stars bin_id``; in an ECSV file the
        metadata have ``vs1``, ``dvs1``, ``vs2``, ``dvs2`` and ``v_systemic``.
    samples : pathlib.Path
        A NumPy archive of the same name with the suffix ``.npz``: the arrays of `RadialProfile`.

    Raises
    ------
    TypeError, ValueError
        As `radial_profile`, or if ``path`` ends in ``.npz``.
    FileExistsError, IsADirectoryError
        If files must not be replaced.

    Warns
    -----
    GridWarning
        If a noticeable part of an LOSVD is outside the velocity grid, or in an outermost bin.
    """
    from astropy.table import Column, Table

    if Path(path).suffix == ".npz":
        raise ValueError(f"path '{path}' ends in .npz, which is for the draws: name the table .ecsv or .txt.")
    samples = check_new(Path(path).with_suffix(".npz"), overwrite)
    check_new(path, overwrite)
    fits = check_fits(solvers)
    profile, cuts = _profile(fits, radius, weight, v_systemic)
    warn_cut(cuts, len(fits), stacklevel=2, draws=True)
    meta: dict[str, Any] = {
        "v_systemic": to_float(v_systemic, "v_systemic", "km/s"),
        "veldist_version": __version__,
    }
    for name in ("vs1", "vs2"):
        meta[name], meta[f"d{name}"] = median_and_uncertainty(getattr(profile, name))
    columns = [Column(profile.radius, name="R", unit="arcsec", description="projected radius")]
    quantities = {
        "sigma": ("km/s", "root mean square velocity relative to v_systemic"),
        "kurtosis": (None, "fourth over squared second moment; 3 for a Gaussian"),
        "v4": ("km4 / s4", "mean fourth power of the velocity"),
    }
    for name, (unit, description) in quantities.items():
        pairs = np.array([median_and_uncertainty(draws) for draws in getattr(profile, name)])
        columns.append(Column(pairs[:, 0], name=name, unit=unit, description=description))
        columns.append(Column(pairs[:, 1], name=f"d{name}", unit=unit, description=f"uncertainty of {name}"))
    columns += [
        Column(profile.weight, name="weight", description="fraction of the tracers"),
        Column(profile.n_stars, name="n_stars", description="number of stars"),
        Column(profile.index + 1, name="bin_id", description="radial bin, counted from 1"),
    ]
    with new_files([path, samples], overwrite) as (table, draws):
        np.savez_compressed(draws, **vars(profile))
        Table(columns, meta=meta).write(
            table, format="ascii.ecsv" if table.suffix == ".ecsv" else "ascii.commented_header"
        )
    return Path(path), samples
