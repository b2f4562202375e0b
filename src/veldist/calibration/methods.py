"""What is put to the test: a function from stars to posterior draws on velocity grids."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from veldist._support.threads import one_thread
from veldist.errors import ConvergenceWarning
from veldist.inference import Settings
from veldist.models.losvd.basis import PriorSettings
from veldist.models.losvd.model import fit_losvd

__all__ = ["LosvdMethod", "Veldist"]


class LosvdMethod(Protocol):
    """Any way to infer an LOSVD. It must be picklable: it travels to worker processes."""

    def __call__(
        self,
        vel: NDArray[np.float64],
        err: NDArray[np.float64],
        grids: Sequence[NDArray[np.float64]],
        rng: np.random.Generator,
    ) -> list[NDArray[np.float64]]:
        """Posterior draws of the mass per velocity bin.

        Parameters
        ----------
        vel, err : ndarray, (N,)
            Velocities and 1-sigma errors, km/s.
        grids : sequence of ndarray, (B + 1,)
            Bin edges of every velocity grid, km/s, uniform.
        rng : numpy.random.Generator
            Source of randomness.

        Returns
        -------
        list of ndarray, (n_draws, B)
            One for each grid; rows sum to 1.
        """
        ...


@dataclass(frozen=True)
class Veldist:
    """The posterior of this package.

    Attributes
    ----------
    num_samples : int
        Draws.
    settings : Settings, optional
        How to sample.
    prior : PriorSettings, optional
        The prior.
    """

    num_samples: int = 1000
    settings: Settings | None = None
    prior: PriorSettings | None = None

    def __call__(
        self,
        vel: NDArray[np.float64],
        err: NDArray[np.float64],
        grids: Sequence[NDArray[np.float64]],
        rng: np.random.Generator,
    ) -> list[NDArray[np.float64]]:
        """Posterior draws of the mass per velocity bin, as `LosvdMethod`."""
        settings = replace(self.settings or Settings(), n_draws=self.num_samples)
        with one_thread():
            fit = fit_losvd(vel, err, rng, settings, self.prior)
            cell_masses = fit.posterior.cell_masses()
            draws = [fit.regrid(cell_masses, edges)[0][: self.num_samples] for edges in grids]
        diagnostics = fit.posterior.diagnostics
        if not diagnostics.converged:
            warnings.warn("; ".join(diagnostics.messages), ConvergenceWarning, stacklevel=2)
        return draws
