"""Where the spatial bins of a map lie on the sky, as a file that a later session can read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from veldist._support.arrays import Floats, Ints
from veldist._support.files import new_file
from veldist._support.validate import to_numbers
from veldist.sky.pixels import PixelGrid

__all__ = ["Layout", "read_layout", "write_layout"]


@dataclass(frozen=True, eq=False)
class Layout:
    """Pixels and positions of the spatial bins.

    Attributes
    ----------
    grid : PixelGrid
        The pixels (arcsec).
    ids : ndarray of int, shape (ny, nx)
        Bin of every pixel, counted from 1; 0 where there is none.
    x, y : ndarray, shape (n_bins,)
        Positions of the bins (arcsec).
    settings : mapping
        What the bins were made with: names and plain values.
    """

    grid: PixelGrid
    ids: Ints
    x: Floats
    y: Floats
    settings: Mapping[str, Any] = field(default_factory=dict)

    def metadata(self, psf_sigma: Any = 0.1, psf_weight: Any = 1.0, bin_flux: Any = None) -> dict[str, Any]:
        """Put it into the form of ``voronoi_bin_metadata`` of `veldist.write_dynamite_kinematics`.

        Parameters
        ----------
        psf_sigma, psf_weight : float or sequence of float
            The point-spread function as a sum of Gaussians: dispersions (arcsec, or Quantities) and weights,
            which sum to 1. Positions of resolved stars are sharp: it should be small against a bin.
        bin_flux : array_like, shape (n_bins,), optional
            For ``bin_flux_mode="custom"``.

        Raises
        ------
        ValueError
            If there is not one ``bin_flux`` for each bin.
        """
        bins = [{"xbin": float(x), "ybin": float(y)} for x, y in zip(self.x, self.y, strict=True)]
        if bin_flux is not None:
            flux = to_numbers(bin_flux, "bin_flux", "")
            if flux.shape != (len(bins),):
                raise ValueError(f"bin_flux has shape {flux.shape}, but there are {len(bins)} bins.")
            bins = [entry | {"bin_flux": float(f)} for entry, f in zip(bins, flux, strict=True)]
        sigma, weight = to_numbers(psf_sigma, "psf_sigma", "arcsec"), to_numbers(psf_weight, "psf_weight", "")
        return {
            "bins": bins,
            "aperture": asdict(self.grid),
            "pixel_bin_ids": self.ids,
            "psf": {"sigma": sigma.ravel().tolist(), "weight": weight.ravel().tolist()},
        }


def write_layout(path: str | os.PathLike[str], layout: Layout) -> Path:
    """Write a layout as an ECSV table with one row per pixel, x fastest, replacing an older one.

    Parameters
    ----------
    path : str or path-like
        The file, ``pixels.ecsv`` say.
    layout : Layout
        What to write.

    Returns
    -------
    Path
        The file.
    """
    from astropy.table import Table

    table = Table({"bin_id": np.asarray(layout.ids).ravel()})
    table["bin_id"].description = "spatial bin of the pixel, counted from 1; 0 for none"
    table.meta["pixel_grid"] = asdict(layout.grid)
    table.meta["bins"] = {"x": np.asarray(layout.x).tolist(), "y": np.asarray(layout.y).tolist()}
    table.meta["unit"] = "arcsec"
    table.meta["settings"] = dict(layout.settings)
    with new_file(path) as temporary:
        table.write(temporary, format="ascii.ecsv")
    return Path(path)


def read_layout(path: str | os.PathLike[str]) -> Layout:
    """Read what `write_layout` wrote.

    Parameters
    ----------
    path : str or path-like
        The file.

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is another file or was changed: the message says what is missing.
    """
    from astropy.table import Table

    try:
        table = Table.read(path, format="ascii.ecsv")
        grid = PixelGrid(**table.meta["pixel_grid"])
        ids = np.asarray(table["bin_id"], dtype=np.int64).reshape(grid.ny, grid.nx)
        x, y = (np.asarray(table.meta["bins"][name], dtype=np.float64) for name in "xy")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is no layout of spatial bins ({type(error).__name__}: {error}): write_layout writes one."
        ) from error
    return Layout(grid, ids, x, y, table.meta.get("settings", {}))
