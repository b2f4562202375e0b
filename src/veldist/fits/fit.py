"""All that is known of one bin: stars, velocity grid, posterior, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.threads import one_thread
from veldist.errors import OrderError
from veldist.fits import clipping
from veldist.fits.grid import VelocityGrid
from veldist.fits.outliers import describe_outliers
from veldist.fits.stars import Stars
from veldist.inference import Diagnostics
from veldist.models.losvd.frame import is_far
from veldist.models.losvd.model import LosvdPosterior

__all__ = ["Fit"]


@dataclass(frozen=True, eq=False)
class Fit:
    """One bin, fitted or yet to be fitted. Nothing in it changes.

    Attributes
    ----------
    stars : Stars or None
        The stars.
    grid : VelocityGrid or None
        Where the LOSVD is reported.
    posterior : LosvdPosterior or None
        The draws in the LOSVD's own frame, from which any grid can be filled.
    num_samples : int
        How many of the posterior's draws are reported.
    draws : mapping of str to ndarray, or None
        Draws on the grid that stand for themselves, where there is no posterior to take them from:
        ``intrinsic_pdf`` (n_draws, n_bins) and, where it is known, ``outside_grid`` (n_draws,).
    clipped : mapping of str to ndarray, or None
        Median and uncertainty of the mass per bin, as `veldist.fits.clipping` makes them.
    """

    stars: Stars | None = None
    grid: VelocityGrid | None = None
    posterior: LosvdPosterior | None = None
    num_samples: int = 0
    draws: Mapping[str, Floats] | None = None
    clipped: dict[str, Floats] | None = None

    def __getstate__(self) -> dict[str, Any]:
        # What follows from the rest is not sent to other processes.
        return {name: value for name, value in self.__dict__.items() if name != "samples"}

    @property
    def n_stars(self) -> int:
        """Number of stars."""
        return 0 if self.stars is None else self.stars.n_stars

    @property
    def n_members(self) -> float:
        """Median number of members among the stars; the number of stars where all are members."""
        found = (self.samples or {}).get("n_members")
        return float(self.n_stars if found is None else np.median(found))

    @property
    def n_far(self) -> int:
        """Number of stars that lie far from the others, see `veldist.models.losvd.frame.is_far`.

        0 beside contaminants: these may lie anywhere.
        """
        stars = self.stars
        return (
            0 if stars is None or stars.contaminant is not None else int(is_far(stars.vel, stars.err).sum())
        )

    @property
    def outliers(self) -> str | None:
        """What a user must know of stars that are hardly members; None if there are none."""
        stars = self.stars
        return None if self.n_far == 0 or stars is None else describe_outliers(stars.vel, stars.err)

    @property
    def diagnostics(self) -> Diagnostics | None:
        """Effective sample sizes, nested R-hat, Pareto k, acceptance, evidences; None before the fit."""
        return None if self.posterior is None else self.posterior.posterior.diagnostics

    @cached_property
    def samples(self) -> dict[str, Floats] | None:
        """The draws on the velocity grid; None before the fit.

        ``intrinsic_pdf`` and ``outside_grid``, and where not all stars are members ``member_fraction`` and
        ``n_members``.
        """
        if self.draws is not None:
            return dict(self.draws)
        if self.posterior is None or self.grid is None:
            return None
        with one_thread():
            masses, outside = self.posterior.bin_masses(self.grid.edges)
        samples = {"intrinsic_pdf": masses, "outside_grid": outside}
        members = self.posterior.members
        if members is not None:
            samples |= {"member_fraction": members.fraction, "n_members": members.number}
        return {name: values[: self.num_samples] for name, values in samples.items()}

    @property
    def membership(self) -> Floats | None:
        """Posterior probability of every star to be a member; None where all are, or before the fit."""
        members = None if self.posterior is None else self.posterior.members
        return None if members is None else members.probability

    def need_draws(self, caller: str) -> tuple[dict[str, Floats], VelocityGrid]:
        """Draws and grid, or an `OrderError` that names the caller."""
        if self.samples is None or self.grid is None:
            raise OrderError(f"{caller} needs draws: call run() first.")
        return self.samples, self.grid

    def need_posterior(self, caller: str) -> tuple[LosvdPosterior, VelocityGrid]:
        """Posterior and grid, or an `OrderError` that names the caller."""
        if self.posterior is None or self.grid is None:
            raise OrderError(f"{caller} needs a posterior: call run() first.")
        return self.posterior, self.grid

    def clip(
        self,
        floor_fraction: float = clipping.FLOOR_FRACTION,
        abs_floor: float = clipping.ABS_FLOOR,
    ) -> Fit:
        """With median and uncertainty per bin, as `KinematicSolver.clip_uncertainties`."""
        samples, _ = self.need_draws("clip_uncertainties()")
        return replace(self, clipped=clipping.clip(samples["intrinsic_pdf"], floor_fraction, abs_floor))

    def truncate(self, n_sigma: float, abs_floor: float = clipping.ABS_FLOOR) -> Fit:
        """With the bins far from the mean emptied, as `KinematicSolver.truncate_losvd`."""
        _, grid = self.need_draws("truncate_losvd()")
        clipped = dict(self.summary)
        return replace(self, clipped=clipping.truncate(clipped, grid.centers, n_sigma, abs_floor))

    @property
    def summary(self) -> dict[str, Floats]:
        """`clipped`, or what `clip` makes of the draws by default."""
        clipped = self.clip().clipped if self.clipped is None else self.clipped
        assert clipped is not None
        return clipped
