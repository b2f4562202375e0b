"""Covariances of the masses of an LOSVD, and error bars that stand in for them.

Masses of neighbouring velocity bins are correlated in the posterior: the data do not resolve them, the prior
keeps them smooth, and they sum to 1. Codes that read one error bar per bin treat them as independent.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.files import new_file
from veldist._support.validate import to_array
from veldist._version import __version__
from veldist.export.rows.moments import solved_mask
from veldist.fits import clipping
from veldist.fits.draws import check_fits, fit_draws
from veldist.fits.grid import same_grid
from veldist.summaries.gauss_hermite.series_fit import gauss_hermite

__all__ = ["EffectiveErrors", "effective_errors", "write_losvd_covariance"]

# Steps of the numerical derivatives: of V and sigma in units of sigma, and of h3 and h4.
_STEP = 1e-3
# Fewer have no covariance to speak of.
_LEAST_DRAWS = 20


@dataclass(frozen=True, eq=False)
class EffectiveErrors:
    """Error bars for codes that take velocity bins as independent.

    Attributes
    ----------
    errors : ndarray, shape (n_velocity,)
        ``scale`` times the uncertainties of the masses, where it is above 1; never below them.
    scale : float
        Root mean square of ``ratio``.
    ratio : dict of str to float
        For V, sigma, h3 and h4: the true scatter of a fit that takes the bins as independent over the
        uncertainty that this fit believes in.
    """

    errors: Floats
    scale: float
    ratio: dict[str, float]


def effective_errors(pdf_samples: Any, edges: Any, uncertainty: Any = None) -> EffectiveErrors:
    r"""What taking velocity bins as independent costs, and error bars that make up for it on average.

    A model whose masses depend on parameters with the derivatives T (n_velocity, 4) is fitted by least
    squares with weights :math:`D^{-1} = \mathrm{diag}(1 / d_j^2)`. The fit believes in the covariance
    :math:`(T^T D^{-1} T)^{-1}`, but if the masses scatter with the covariance C, its parameters scatter with
    (White 1980, Econometrica 48, 817)

    .. math:: (T^T D^{-1} T)^{-1}\, T^T D^{-1} C D^{-1} T\, (T^T D^{-1} T)^{-1}.

    The parameters are V, sigma, h3, h4 of the Gauss-Hermite series (with its amplitude fixed) that fits the
    median LOSVD; the ratio of a parameter is the square root of the ratio of the two variances. Above 1 the
    independent error bars are too small for it, below 1 too large.

    Parameters
    ----------
    pdf_samples : array_like, shape (n_draws, n_velocity)
        Posterior draws, probability mass per velocity bin; rows sum to 1.
    edges : array_like or Quantity, shape (n_velocity + 1,)
        Edges of the velocity bins (km/s), uniform and ascending.
    uncertainty : array_like, shape (n_velocity,), optional
        Error bars d_j; those of `KinematicSolver.clip_uncertainties` by default.

    Raises
    ------
    TypeError, ValueError
        As `veldist.summaries.gauss_hermite.series_fit.gauss_hermite`, or if there are fewer than 20 draws,
        the velocity bins are wider than the dispersion, or the error bars are not positive.

    Notes
    -----
    The ratios are of first order in the deviations: where V and sigma scatter by a tenth of sigma, what they
    do to the masses in second order looks like scatter of h3 and h4. One factor for all bins cannot mend what
    is different for each parameter.
    """
    masses = np.asarray(pdf_samples, dtype=np.float64)
    if masses.ndim != 2 or masses.shape[0] < _LEAST_DRAWS:
        raise ValueError(
            f"pdf_samples has shape {masses.shape}: a covariance needs (n_draws, n_velocity) with at least "
            f"{_LEAST_DRAWS} draws."
        )
    median = np.median(masses, axis=0, keepdims=True)
    fit = gauss_hermite(median / median.sum(), edges, order=4)
    width = float(np.ptp(to_array(edges, "edges", "km/s"))) / masses.shape[1]
    if not fit.converged[0] or fit.sigma[0] < width:
        raise ValueError(
            f"the velocity bins, {width:.3g} km/s wide, are too coarse for the series that fits the median "
            f"LOSVD (sigma about {fit.sigma[0]:.3g} km/s): use narrower ones (KinematicSolver.setup_grid)."
        )
    d = clipping.clip(masses)["losvd_uncertainty"] if uncertainty is None else np.asarray(uncertainty)
    if d.shape != masses.shape[1:] or not np.all(d > 0):
        raise ValueError(
            f"uncertainty has shape {d.shape} and {np.count_nonzero(~(d > 0))} values that are not positive: "
            f"it must hold one positive number for each of the {masses.shape[1]} velocity bins."
        )
    derivative = _derivatives(fit, edges)
    weighted = derivative / d[:, None] ** 2
    believed = np.linalg.inv(derivative.T @ weighted)
    actual = believed @ weighted.T @ np.cov(masses, rowvar=False) @ weighted @ believed
    ratio = np.sqrt(np.diag(actual) / np.diag(believed))
    scale = float(np.sqrt(np.mean(ratio**2)))
    names = ("v", "sigma", "h3", "h4")
    return EffectiveErrors(max(scale, 1.0) * d, scale, dict(zip(names, ratio.tolist(), strict=True)))


def _derivatives(fit: Any, edges: Any) -> Floats:
    """Central differences of the series' masses by V, sigma (km/s), h3 and h4, (n_velocity, 4)."""
    sigma = float(fit.sigma[0])
    columns = []
    for k, step in enumerate((_STEP * sigma, _STEP * sigma, _STEP, _STEP)):
        ends = []
        for sign in (1.0, -1.0):
            v, s, h = fit.v.copy(), fit.sigma.copy(), fit.h.copy()
            if k == 0:
                v += sign * step
            elif k == 1:
                s += sign * step
            else:
                h[:, k - 2] += sign * step
            ends.append(replace(fit, v=v, sigma=s, h=h).bin_masses(edges)[0])
        columns.append((ends[0] - ends[1]) / (2.0 * step))
    return np.transpose(columns)


def write_losvd_covariance(
    solvers: Sequence[Any], path: str | os.PathLike[str], *, overwrite: bool = True
) -> Path:
    """Write the posterior covariance of every bin's LOSVD to a FITS file.

    Parameters
    ----------
    solvers : sequence of KinematicSolver or None
        One fitted solver per spatial bin on one velocity grid, None for a skipped bin, which is left out: the
        order is that of the rows of `veldist.write_dynamite_kinematics`.
    path : path-like
        The file.
    overwrite : bool
        Whether an existing file may be replaced.

    Returns
    -------
    pathlib.Path
        The file, with the extensions ``COVARIANCE`` (n_solved, n_velocity, n_velocity), ``MEAN`` (n_solved,
        n_velocity), probability mass per velocity bin, ``EDGES`` (n_velocity + 1,), km/s, and the table
        ``BINS`` with ``row`` (from 1), ``original_bin`` (place in ``solvers``, from 0) and ``n_draws``. The
        masses sum to 1, so that every covariance is singular: use a pseudo-inverse, or leave one bin out.

    Raises
    ------
    TypeError, ValueError
        If there is nothing to write, a solver has not been run, or velocity grids differ.
    FileExistsError, IsADirectoryError
        If the file must not be replaced.
    """
    from astropy.io import fits
    from astropy.table import Table

    every = check_fits(solvers)
    solved = np.flatnonzero(solved_mask(every))
    covariances, means, n_draws = [], [], []
    common: Floats | None = None
    for i, fit in enumerate(every):
        if fit is None:
            continue
        masses, edges = fit_draws(fit, i)
        if common is None:
            common = edges
        if not same_grid(edges, common):
            raise ValueError(
                f"solvers[{i}] has another velocity grid than solvers[{solved[0]}]: call setup_grid() "
                "with the same."
            )
        covariances.append(np.cov(masses, rowvar=False))
        means.append(masses.mean(axis=0))
        n_draws.append(masses.shape[0])
    header = fits.Header()
    header["CREATOR"] = f"veldist {__version__}"
    table = Table({"row": np.arange(1, solved.size + 1), "original_bin": solved, "n_draws": n_draws})
    hdus = [
        fits.PrimaryHDU(header=header),
        fits.ImageHDU(np.array(covariances), name="COVARIANCE"),
        fits.ImageHDU(np.array(means), name="MEAN"),
        fits.ImageHDU(np.asarray(common), fits.Header({"BUNIT": "km/s"}), name="EDGES"),
        fits.BinTableHDU(table, name="BINS"),
    ]
    with new_file(path, overwrite) as temporary:
        fits.HDUList(hdus).writeto(temporary)
    return Path(path)
