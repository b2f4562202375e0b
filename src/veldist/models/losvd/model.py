"""The one-dimensional model: from velocities and errors to the posterior of the LOSVD.

This is the only place where frame, cells, error kernel, basis and prior of the line of sight meet the
engine, which knows of none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np

from veldist._support.arrays import Floats
from veldist.inference import (
    Blocks,
    Evaluator,
    Likelihood,
    MixturePrior,
    Monitor,
    Posterior,
    Settings,
    infer,
    masses,
)
from veldist.models.losvd.basis import PriorSettings, losvd_basis, losvd_prior
from veldist.models.losvd.cells import Cells, make_cells
from veldist.models.losvd.design import design_matrix
from veldist.models.losvd.frame import Frame
from veldist.models.losvd.memberships import Memberships
from veldist.models.losvd.merge import MergedStars, merge_stars
from veldist.models.losvd.reach import Reach, frame_of_most
from veldist.models.losvd.regrid import LEAST_INSIDE, fine_edges, smooth_bin_masses

__all__ = ["LosvdModel", "LosvdPosterior", "fit_losvd"]

# The monitored masses: half a dispersion wide, out to three dispersions.
_MONITOR_EDGES = np.linspace(-3.0, 3.0, 13)
# A tenth of usable prior draws is enough for all of a thousand to be found by then.
_PRIOR_ATTEMPTS = 100


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
    members : Memberships or None
        Which stars are members, where not all are.
    """

    frame: Frame
    cells: Cells
    posterior: Posterior
    members: Memberships | None = None

    def bin_masses(self, edges: Floats) -> tuple[Floats, Floats]:
        """Integrate every draw over the bins of a velocity grid, smoothly within cells (`regrid`).

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

    def histogram(self) -> tuple[Floats, Floats]:
        """Every draw in so narrow bins that the density is next to constant within them.

        Returns
        -------
        edges : ndarray, (B + 1,)
            Edges of the bins, km/s: of parts of the cells, and so reaching every star.
        masses : ndarray, (draws, B)
            Probability mass per bin.
        """
        edges = fine_edges(self.cells)
        return self.frame.velocity(edges), smooth_bin_masses(self.cells, self.posterior.cell_masses(), edges)

    def prior_bin_masses(self, n: int, rng: np.random.Generator, edges: Floats) -> Floats:
        """Draws from the prior on a velocity grid, (n, B), conditional on the grid as in `bin_masses`.

        Draws that have next to no mass on the grid, because they are far away from it, are drawn anew.

        Parameters
        ----------
        n : int
            Number of draws.
        rng : numpy.random.Generator
            Source of randomness.
        edges : ndarray, (B + 1,)
            Bin edges, km/s, ascending.

        Raises
        ------
        ValueError
            If next to no draws of the prior have mass on the grid.
        """
        found = np.empty((0, edges.size - 1))
        for _ in range(_PRIOR_ATTEMPTS):
            missing = n - found.shape[0]
            if missing <= 0:
                return found[:n]
            # A few more than are missing, so that one attempt is usually enough.
            _, beta = self.posterior.prior.sample(missing + missing // 4, rng)
            raw = self._smooth(masses(beta, self.posterior.psi, self.posterior.log_base), edges)
            inside = raw.sum(axis=1)
            good = inside >= LEAST_INSIDE
            found = np.concatenate([found, raw[good] / inside[good, None]])
        raise ValueError(
            f"the prior around {self.frame.location:.4g} km/s has no mass on the grid [{edges[0]:g}, "
            f"{edges[-1]:g}] km/s: choose a wider one."
        )

    def regrid(self, cell_masses: Floats, edges: Floats) -> tuple[Floats, Floats]:
        """As `bin_masses`, for given cell masses, (n, K)."""
        raw = self._smooth(cell_masses, edges)
        inside = raw.sum(axis=1)
        if inside.min() < LEAST_INSIDE:
            if self.members is not None:
                raise ValueError(
                    f"next to none of the {self.members.probability.size} stars need be members "
                    f"({self.members.number.mean():.0f} in the mean): the LOSVD is its prior, and some draws "
                    f"have next to no mass on the grid [{edges[0]:g}, {edges[-1]:g}] km/s. Leave these stars "
                    "out, make larger bins, or pass membership probabilities."
                )
            raise ValueError(
                f"some draws of the LOSVD have next to no mass on the grid [{edges[0]:g}, {edges[-1]:g}] "
                f"km/s: choose a grid around {self.frame.location:.4g} km/s that is wider than "
                f"{self.frame.scale:.3g} km/s."
            )
        return raw / inside[:, None], np.maximum(1.0 - inside, 0.0)

    def _smooth(self, cell_masses: Floats, edges: Floats) -> Floats:
        return smooth_bin_masses(self.cells, cell_masses, self.frame.standardise(edges))


@dataclass(frozen=True)
class LosvdModel:
    """The model of one LOSVD, before any star is looked at beyond the choice of frame and cells."""

    frame: Frame  # location and scale (km/s) of the standardised velocity
    cells: Cells  # cells in standardised velocity
    psi: Floats  # (K, p): basis
    prior: MixturePrior  # prior of the coefficients

    @classmethod
    def build(
        cls,
        frame: Frame,
        n_stars: int,
        error_ratio: float,
        z_range: tuple[float, float] = (0.0, 0.0),
        settings: PriorSettings | None = None,
    ) -> LosvdModel:
        """Model for so many stars with typical errors of ``error_ratio`` times the frame's scale.

        Parameters
        ----------
        frame : Frame
            Location and scale.
        n_stars : int
            Number of stars.
        error_ratio : float
            Their median error in units of the frame's scale.
        z_range : tuple of float
            Standardised velocities that the cells must reach.
        settings : PriorSettings, optional
            The prior.
        """
        settings = settings or PriorSettings()
        resolution = settings.resolution(n_stars, error_ratio)
        cells = make_cells(*z_range, resolution.cell_width)
        cells, psi = _basis_on(cells.edges.tobytes(), cells.core, resolution.n_functions, settings.taper)
        return cls(frame, cells, psi, losvd_prior(resolution, settings))

    @property
    def blocks(self) -> Blocks:
        """The cells as a single block of a softmax."""
        return Blocks(self.psi, self.cells.log_base, self.prior)

    @property
    def monitor(self) -> Monitor:
        """Moments of z and masses half a dispersion wide, whose convergence is monitored."""
        return _monitor_on(self.cells.edges.tobytes(), self.cells.core)

    def design(self, vel: Floats, err: Floats, standardised: bool = False) -> Floats:
        """Density of every star given every cell, (N, K), per km/s, for Gaussian errors.

        ``vel`` and ``err`` are in km/s, or in units of the frame if ``standardised``.
        """
        if not standardised:
            vel, err = self.frame.standardise(vel), err / self.frame.scale
        # In standardised velocity densities carry units of 1 / z: Jacobian of the frame.
        return design_matrix(vel, err, self.cells) / self.frame.scale

    def sample_prior(self, n: int, rng: np.random.Generator) -> Floats:
        """Cell masses of ``n`` exact draws from the prior, (n, K)."""
        _, beta = self.prior.sample(n, rng)
        return masses(beta, self.psi, self.cells.log_base)

    def fit(
        self,
        vel: Floats,
        err: Floats,
        rng: np.random.Generator,
        settings: Settings | None = None,
        evaluator: Evaluator | None = None,
    ) -> LosvdPosterior:
        """Posterior given stars, as `fit_losvd`."""
        settings = settings or Settings()
        z, error = self.frame.standardise(vel), err / self.frame.scale
        stars = MergedStars(z, error, np.ones(z.size))
        if z.size > settings.merge_above:
            stars = merge_stars(z, error, self.cells.edges, settings.merge_tolerance)
        design, blocks = self.design(stars.z, stars.error, standardised=True), self.blocks
        likelihood = Likelihood.from_design(
            design, blocks.log_center, stars.weight, stars.log_offset, evaluator
        )
        posterior = infer(likelihood, blocks, self.monitor, rng, settings)
        return LosvdPosterior(frame=self.frame, cells=self.cells, posterior=posterior)


@lru_cache(maxsize=32)
def _basis_on(
    edges: bytes, core: float, n_functions: int, taper: tuple[float, float]
) -> tuple[Cells, Floats]:
    """Cells and basis; most bins of a map share them."""
    cells = Cells(edges=np.frombuffer(edges), core=core)
    psi = losvd_basis(cells, n_functions, taper)
    psi.flags.writeable = False
    return cells, psi


@lru_cache(maxsize=32)
def _monitor_on(edges: bytes, core: float) -> Monitor:
    cells = Cells(edges=np.frombuffer(edges), core=core)
    moments, bins = cells.moments(4)[:, 1:], cells.overlap(_MONITOR_EDGES)
    names = [f"z^{k}" for k in range(1, 5)]
    names += [f"mass[{a:g}, {b:g}]" for a, b in pairwise(_MONITOR_EDGES)]
    return Monitor(np.concatenate([moments, bins], axis=1), tuple(names))


def fit_losvd(
    vel: Floats,
    err: Floats,
    rng: np.random.Generator,
    settings: Settings | None = None,
    prior: PriorSettings | None = None,
    evaluator: Evaluator | None = None,
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
    prior : PriorSettings, optional
        The prior of location and shape.
    evaluator : Evaluator, optional
        Who does the likelihood's arithmetic; this machine's processor by default.
    """
    frame, far = frame_of_most(vel, err)
    z, error_ratio = frame.standardise(vel), err / frame.scale
    typical = float(np.median(error_ratio))
    if far:
        sample = Reach.of(z, np.minimum(3.0 * error_ratio, 1.0))
        z, error_ratio = sample.pull(z, error_ratio)
        model = LosvdModel.build(frame, vel.size, typical, settings=prior)
        posterior = model.fit(frame.velocity(z), frame.scale * error_ratio, rng, settings, evaluator)
        return replace(posterior, cells=sample.draw_out(posterior.cells))
    model = LosvdModel.build(frame, vel.size, typical, Reach.of_cells(z, error_ratio), prior)
    return model.fit(vel, err, rng, settings, evaluator)
