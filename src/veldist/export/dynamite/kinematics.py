"""Histogram LOSVDs of a DYNAMITE input, ready to be compared and drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from veldist._support.arrays import Floats, Ints
from veldist._support.validate import check_count
from veldist.sky.pixels import PixelGrid
from veldist.summaries.moments import histogram_moments

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["DynamiteKinematics"]

_DRAWABLE = {
    "v": ("$v$ [km/s]", True),
    "sigma": (r"$\sigma$ [km/s]", False),
    "n_stars": ("stars", False),
    "bin_flux": ("flux", False),
}


@dataclass(frozen=True, eq=False)
class DynamiteKinematics:
    """What the three files hold, from `read_dynamite_kinematics`.

    Attributes
    ----------
    losvd, dlosvd : ndarray, shape (n_bins, n_velocity)
        Probability mass in each velocity bin and its uncertainty, as they stand in the table.
    edges : ndarray, shape (n_velocity + 1,)
        Edges of the velocity bins, ascending [km/s].
    centers : ndarray, shape (n_velocity,)
        Their centres [km/s].
    dv : float
        Their width [km/s].
    v, sigma : ndarray, shape (n_bins,)
        Mean and dispersion of the table [km/s]; if it has none, moments of the masses at the bin centres, as
        DYNAMITE computes them.
    xbin, ybin : ndarray, shape (n_bins,), or None
        Centres of the spatial bins [arcsec]; None if they are not in the table.
    bin_flux : ndarray, shape (n_bins,), or None
        Weights of the bins in the mean velocity of the system.
    n_stars : ndarray of int, shape (n_bins,), or None
        Numbers of stars; None for tables made by others.
    bin_id : ndarray of int, shape (n_bins,)
        Id of each row in the bin map: 1, 2, ...
    original_bin : ndarray of int, shape (n_bins,)
        Index of each row before bins without an LOSVD were left out: the column ``original_bin``, or
        ``binID_BayesLOSVD`` in tables made by others.
    psf : dict or None
        Lists ``sigma`` [arcsec] and ``weight`` of the Gaussians that make the PSF.
    grid : PixelGrid
        The pixels.
    pixel_ids : ndarray of int, shape (ny, nx)
        ``bin_id`` of each pixel, 0 for none.
    meta : dict
        Metadata of the table.
    """

    losvd: Floats
    dlosvd: Floats
    edges: Floats
    centers: Floats
    dv: float
    v: Floats
    sigma: Floats
    xbin: Floats | None
    ybin: Floats | None
    bin_flux: Floats | None
    n_stars: Ints | None
    bin_id: Ints
    original_bin: Ints
    psf: dict[str, list[float]] | None
    grid: PixelGrid
    pixel_ids: Ints
    meta: dict[str, Any]

    @property
    def n_bins(self) -> int:
        """Number of spatial bins: of rows of the table."""
        return self.losvd.shape[0]

    def maps(self) -> dict[str, dict[str, Floats]]:
        """Moments of the LOSVDs, for `veldist.plotting.plot_kinematic_maps`.

        Returns
        -------
        dict
            ``v_mean``, ``sigma``, ``skewness`` and ``kurtosis``, each with "median" and "uncertainty", arrays
            (n_bins,). "median" is the moment of the masses divided by their sum, corrected for the width of
            the velocity bins as `veldist.analysis.compute_summary_maps` does; the column ``sigma`` of the
            table is not, and larger. "uncertainty" is what ``dlosvd`` implies to first order if the errors
            of the velocity bins are independent, as DYNAMITE takes them to be; NaN where the LOSVD is not
            wider than a velocity bin.

        Notes
        -----
        Masses of one posterior are not independent, so that these uncertainties are those of the fit
        that DYNAMITE makes, not those of the measurement, which `veldist.analysis.compute_summary_maps`
        has; see `veldist.export.effective_errors`.
        """
        total = self.losvd.sum(axis=1, keepdims=True)
        p = self.losvd / total
        mean, sigma, skewness, kurtosis = histogram_moments(p, self.edges)
        # In units of the bin width. By how much a unit of mass at v_j moves the central moment m_k:
        # (d_j^k - m_k - k m_{k-1} d_j) / total, with d_j = v_j - mean.
        d = (self.centers - mean[:, None]) / self.dv
        m2, m3, m4 = ((p * d**k).sum(axis=1, keepdims=True) for k in (2, 3, 4))
        by2, by3, by4 = d**2 - m2, d**3 - m3 - 3.0 * m2 * d, d**4 - m4 - 4.0 * m3 * d
        s, g, k4 = (sigma / self.dv)[:, None], skewness[:, None], kurtosis[:, None]
        slopes = {
            "v_mean": self.dv * d,
            "sigma": self.dv * by2 / (2.0 * s),
            "skewness": by3 / s**3 - 1.5 * g * by2 / s**2,
            "kurtosis": (by4 - 6.0 * m2 * by2) / s**4 - 2.0 * k4 * by2 / s**2,
        }
        resolved = m2[:, 0] > 1.0 / 6.0
        maps = {}
        for name, values in zip(slopes, (mean, sigma, skewness, kurtosis), strict=True):
            spread = np.sqrt(((slopes[name] * self.dlosvd / total) ** 2).sum(axis=1))
            if name != "v_mean":
                spread = np.where(resolved, spread, np.nan)
            maps[name] = {"median": values, "uncertainty": spread}
        return maps

    def plot_map(self, values: Any = "v", ax: Axes | None = None, **kwargs: Any) -> Axes:
        """Draw one value per bin on the pixels of the aperture.

        Parameters
        ----------
        values : {"v", "sigma", "n_stars", "bin_flux"} or array_like, shape (n_bins,)
            What to draw.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.
        **kwargs
            Passed on to `veldist.plotting.plot_map`.

        Raises
        ------
        ValueError
            If the name is unknown, the table does not have it, or as `veldist.plotting.plot_map`.
        """
        from veldist.figures.map import plot_map

        if isinstance(values, str):
            if values not in _DRAWABLE:
                raise ValueError(f"values must be one of {list(_DRAWABLE)} or an array, got {values!r}.")
            label, diverging = _DRAWABLE[values]
            values, name = getattr(self, values), values
            if values is None:
                raise ValueError(f"values is {name!r}, which the table does not have.")
            kwargs = {"label": label, "diverging": diverging} | kwargs
        return plot_map(values, self.grid, self.pixel_ids, ax, **kwargs)

    def plot_losvd(self, row: int, ax: Axes | None = None) -> Axes:
        """Draw the density of one LOSVD with its uncertainties.

        Parameters
        ----------
        row : int
            Row of the table, from 0.
        ax : matplotlib.axes.Axes, optional
            Where to draw; a new figure by default.
        """
        from veldist.figures.layers import DENSITY_LABEL, VELOCITY_LABEL

        if check_count(row, "row", 0) >= self.n_bins:
            raise ValueError(f"row must be 0 to {self.n_bins - 1}, got {row}.")
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(5.5, 3.8), layout="constrained")
        density, error = self.losvd[row] / self.dv, self.dlosvd[row] / self.dv
        band = ax.stairs(
            density + error, self.edges, baseline=density - error, fill=True, alpha=0.3, label="uncertainty"
        )
        ax.stairs(density, self.edges, color=band.get_facecolor(), alpha=1.0, linewidth=1.5, label="losvd")
        ax.axhline(0.0, color="0.6", linewidth=0.6)
        ax.set_xlim(self.edges[0], self.edges[-1])
        ax.set_xlabel(VELOCITY_LABEL)
        ax.set_ylabel(DENSITY_LABEL)
        ax.set_title(f"bin {self.bin_id[row]}", fontsize="medium")
        ax.legend()
        return ax
