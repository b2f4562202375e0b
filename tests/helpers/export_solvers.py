"""Stand-ins for fitted solvers, with draws that are known."""

from __future__ import annotations

import numpy as np
from scipy import stats

from tests.helpers.solvers import made_solver
from veldist.fits import clipping
from veldist.fits.grid import VelocityGrid

EDGES = np.linspace(-120.0, 120.0, 49)


def gaussian_solver(v=0.0, sigma=20.0, n_draws=200, seed=0, n_stars=100, edges=EDGES, scatter=1.0):
    """Gaussian draws whose V and sigma scatter by ``scatter`` (km/s); they are in ``truth``."""
    rng = np.random.default_rng(seed)
    means = rng.normal(v, scatter, n_draws)
    sigmas = np.abs(rng.normal(sigma, scatter, n_draws))
    masses = np.diff(stats.norm.cdf(edges, means[:, None], sigmas[:, None]), axis=1)
    masses /= masses.sum(axis=1, keepdims=True)
    solver = made_solver(
        VelocityGrid(edges, edges[-1] - edges[0]),
        n_stars,
        draws={"intrinsic_pdf": masses, "outside_grid": np.zeros(n_draws)},
        clipped=clipping.clip(masses),
    )
    solver.truth = (means, sigmas)
    return solver


def layout(n_bins, nx=6, ny=4):
    """Metadata of ``n_bins`` bins side by side on a grid of pixels."""
    ids = np.tile(np.arange(nx) * n_bins // nx + 1, (ny, 1))
    return {
        "bins": [{"xbin": float(k), "ybin": 0.5 * k} for k in range(n_bins)],
        "aperture": {
            "x_start": -3.0,
            "y_start": -2.0,
            "x_size": 6.0,
            "y_size": 4.0,
            "angle_deg": 0.0,
            "nx": nx,
            "ny": ny,
        },
        "pixel_bin_ids": ids,
        "psf": {"sigma": [0.1], "weight": [1.0]},
    }
