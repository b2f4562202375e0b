"""Folders of DYNAMITE input for the tests of the validator: a good one, and ways to spoil it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from scipy.stats import norm

from tests.helpers.solvers import made_solver
from veldist import write_dynamite_kinematics
from veldist.fits.grid import VelocityGrid

HISTOGRAM, GAUSS_HERMITE = "bayes_losvd_kins.ecsv", "gauss_hermite_kins.ecsv"
APERTURE, BINS = "aperture.dat", "bins.dat"
N_VELOCITY = 24


def make_solver(i: int, n: int = N_VELOCITY, width: float = 240.0, total: float = 0.96) -> Any:
    """Gaussian masses that sum to a little less than 1, as medians do."""
    edges = np.linspace(-0.5 * width, 0.5 * width, n + 1)
    rng = np.random.default_rng(i)
    # At least 3.5 dispersions between the mean and the edges.
    mass = total * np.diff(norm.cdf(edges, rng.uniform(-0.06, 0.06) * width, 0.125 * width))
    clipped = {"losvd_median": mass, "losvd_uncertainty": rng.uniform(1e-3, 1e-2, n)}
    return made_solver(VelocityGrid(edges, width), n_stars=50 + i, draws={}, clipped=clipped)


def make_metadata(ids: np.ndarray, angle_deg: float = 0.0) -> dict[str, Any]:
    """Layout whose bin centres are the mean positions of their pixels, each of 2 x 2 arcsec."""
    ny, nx = ids.shape
    row, column = np.indices(ids.shape)
    bins = []
    for k in range(1, ids.max() + 1):
        own = ids == k
        x = -nx + 2.0 * (column[own].mean() + 0.5) if own.any() else 0.0
        y = -ny + 2.0 * (row[own].mean() + 0.5) if own.any() else 0.0
        bins.append({"xbin": float(x), "ybin": float(y), "bin_flux": 1.5 * k})
    aperture = {"x_start": -nx, "y_start": -ny, "x_size": 2.0 * nx, "y_size": 2.0 * ny, "nx": nx, "ny": ny}
    return {
        "bins": bins,
        "aperture": aperture | {"angle_deg": angle_deg},
        "pixel_bin_ids": ids,
        "psf": {"sigma": [0.3, 1.1], "weight": [0.7, 0.3]},
    }


# Six bins of 3 x 2 pixels on 6 x 9, neither square nor symmetric, and a row of pixels in no bin.
IDS = np.kron([[1, 2], [3, 4], [5, 6], [0, 0]], np.ones((2, 3), dtype=int))


@dataclass
class Folder:
    """Contents of the three files, to be spoilt and written."""

    path: Path
    table_name: str
    table: Table
    aperture: list[str]
    bins: list[str]

    def ids(self) -> np.ndarray:
        return np.array(" ".join(self.bins[2:]).split(), dtype=int)

    def set_ids(self, ids: Any) -> None:
        """Replace the ids, the announced number being left alone."""
        self.bins[2:] = [" ".join(map(str, np.ravel(ids)[k : k + 10])) for k in range(0, np.size(ids), 10)]

    def write(self) -> Path:
        self.table.write(self.path / self.table_name, format="ascii.ecsv", overwrite=True)
        (self.path / APERTURE).write_text("\n".join(self.aperture) + "\n")
        (self.path / BINS).write_text("\n".join(self.bins) + "\n")
        return self.path

    def replace_cell(self, row: int, column: str, text: str) -> Path:
        """Write the files and put a text into one cell of the table."""
        path = self.write() / self.table_name
        lines = path.read_text().splitlines()
        first = next(k for k, line in enumerate(lines) if not line.startswith("#"))
        words = lines[first + 1 + row].split()
        words[self.table.colnames.index(column)] = text
        lines[first + 1 + row] = " ".join(words)
        path.write_text("\n".join(lines) + "\n")
        return self.path

    def edit_header(self, old: str, new: str) -> Path:
        """Write the files and replace a text in the table's file."""
        path = self.write() / self.table_name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        return self.path


def histogram_folder(path: Path) -> Folder:
    """Six good histograms."""
    write_dynamite_kinematics([make_solver(i) for i in range(6)], path, make_metadata(IDS))
    aperture, bins = ((path / name).read_text().splitlines() for name in (APERTURE, BINS))
    return Folder(path, HISTOGRAM, Table.read(path / HISTOGRAM, format="ascii.ecsv"), aperture, bins)


def gauss_hermite_folder(path: Path) -> Folder:
    """Six good sets of Gauss-Hermite coefficients."""
    folder = histogram_folder(path)
    (path / HISTOGRAM).unlink()
    rng = np.random.default_rng(0)
    columns = {"vbin_id": np.arange(1, 7), "v": rng.uniform(-10, 10, 6), "dv": rng.uniform(1, 2, 6)}
    columns |= {"sigma": rng.uniform(20, 30, 6), "dsigma": rng.uniform(1, 2, 6)}
    for k in (3, 4):
        columns |= {f"h{k}": rng.uniform(-0.1, 0.1, 6), f"dh{k}": rng.uniform(0.01, 0.1, 6)}
    table = Table(columns, meta={"PSF": {"sigma": [0.3, 1.1], "weight": [0.7, 0.3]}})
    return Folder(path, GAUSS_HERMITE, table, folder.aperture, folder.bins)
