"""The one-dimensional model: from velocities and errors to the posterior of the LOSVD.

This is the only place where frame, cells, error kernel, basis and prior of the line of sight meet the
engine, which knows of none of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from veldist.inference import (
    Cells,
    Frame,
    Posterior,
    Settings,
    choose_resolution,
    fit_frame,
    gaussian_design_matrix,
    infer,
    losvd_prior,
    make_cells,
    overlap_matrix,
)

__all__ = ["LosvdPosterior", "fit_losvd"]

# The monitored masses: half a dispersion wide, out to three dispersions.
_MONITOR_EDGES = np.linspace(-3.0, 3.0, 13)
# A LOSVD conditional on a grid that holds less than this of it means nothing.
_LEAST_INSIDE = 1e-6


@dataclass(frozen=True)
class LosvdPosterior:
    """Posterior of one LOSVD on the cells of its own frame.

    Attributes
    ----------
    frame : Frame
        Location and scale (km/s) of the standardised velocity.
    cells : Cells
        Cells in standardised velocity.
    posterior : Posterior
        Draws of the latent coefficients, evidences and diagnostics.
    """

    frame: Frame
    cells: Cells
    posterior: Posterior

    @property
    def velocity_edges(self) -> NDArray[np.float64]:
        """Cell edges in km/s, (K + 1,)."""
        return self.frame.velocity(self.cells.edges)

    def bin_masses(self, edges: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Integrate every draw over the bins of a velocity grid.

        Parameters
        ----------
        edges : ndarray, (B + 1,)
            Bin edges, km/s, ascending.

        Returns
        -------
        masses : ndarray, (draws, B)
            Probability mass per bin, conditional on the grid: rows sum to 1.
        outside : ndarray, (draws,)
            Mass outside the grid before conditioning.
        """
        return self.regrid(self.posterior.cell_masses(), edges)

    def regrid(
        self, cell_masses: NDArray[np.float64], edges: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """As `bin_masses`, for given cell masses, (n, K)."""
        raw = cell_masses @ overlap_matrix(self.velocity_edges, edges)
        inside = raw.sum(axis=1)
        if inside.min() < _LEAST_INSIDE:
            raise ValueError(
                f"some draws of the LOSVD have next to no mass on the grid [{edges[0]:g}, {edges[-1]:g}] "
                f"km/s: choose a grid around {self.frame.location:.4g} km/s that is wider than "
                f"{self.frame.scale:.3g} km/s."
            )
        return raw / inside[:, None], np.maximum(1.0 - inside, 0.0)


def fit_losvd(
    vel: NDArray[np.float64],
    err: NDArray[np.float64],
    rng: np.random.Generator,
    settings: Settings | None = None,
) -> LosvdPosterior:
    """Posterior of the LOSVD of one sample of stars. It does not depend on any reporting grid.

    Parameters
    ----------
    vel, err : ndarray, (N,)
        Velocities and 1-sigma errors, km/s, finite, errors positive.
    rng : numpy.random.Generator
        Source of randomness.
    settings : Settings, optional
        How to sample.
    """
    frame = fit_frame(vel, err)
    z, error_ratio = frame.standardise(vel), err / frame.scale
    resolution = choose_resolution(vel.size, float(np.median(error_ratio)))
    # Cells must reach every star, but one with a broad error only from afar.
    reach = np.abs(z) + np.minimum(3.0 * error_ratio, 1.0) - 5.0 * np.maximum(error_ratio - 1.0, 0.0)
    left, right = (float(reach[side].max(initial=0.0)) for side in (z < 0, z >= 0))
    cells = make_cells(-left, right, resolution.cell_width)
    psi, prior = losvd_prior(cells.centers, cells.widths, resolution)
    monitor = overlap_matrix(cells.edges, _MONITOR_EDGES)
    moments = cells.centers[:, None] ** np.arange(1, 5)[None, :]
    names = tuple(f"z^{k}" for k in range(1, 5)) + tuple(
        f"mass[{a:g}, {b:g}]" for a, b in pairwise(_MONITOR_EDGES)
    )
    posterior = infer(
        # In standardised velocity densities carry units of 1 / z: Jacobian of the frame.
        design=gaussian_design_matrix(z, error_ratio, cells.edges) / frame.scale,
        psi=psi,
        log_base=np.log(cells.widths),
        prior=prior,
        functionals=np.concatenate([moments, monitor], axis=1),
        functional_names=names,
        rng=rng,
        settings=settings,
    )
    return LosvdPosterior(frame=frame, cells=cells, posterior=posterior)
