"""What is seen of a fit through the face that holds it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from veldist._support.arrays import Floats
from veldist.fits.fit import Fit
from veldist.inference import Diagnostics
from veldist.models.losvd.model import LosvdPosterior

__all__ = ["FitView"]


class FitView:
    """Properties of an object whose attribute ``fit`` is a record that is replaced, never changed.

    Attributes
    ----------
    fit : Fit
        All that is known.
    """

    fit: Fit

    @property
    def n_stars(self) -> int:
        """Number of stars added."""
        return self.fit.n_stars

    @property
    def vel(self) -> Floats | None:
        """Velocities of the stars, km/s."""
        return None if self.fit.stars is None else self.fit.stars.vel

    @property
    def err(self) -> Floats | None:
        """Their 1-sigma errors, km/s."""
        return None if self.fit.stars is None else self.fit.stars.err

    @property
    def grid(self) -> dict[str, Any] | None:
        """The velocity grid; None before `setup_grid`.

        ``centers`` (n_bins,), ``edges`` (n_bins + 1,), ``width`` (of the whole grid), ``n_bins``,
        ``bin_width``; km/s.
        """
        return None if self.fit.grid is None else self.fit.grid.as_dict()

    @property
    def posterior(self) -> LosvdPosterior | None:
        """The draws in the LOSVD's own frame, from which any grid can be filled; None before `run`."""
        return self.fit.posterior

    @property
    def samples(self) -> dict[str, Floats] | None:
        """The draws on the velocity grid; None before `run`.

        ``intrinsic_pdf``: probability mass per velocity bin in every posterior draw, (num_samples, n_bins),
        rows sum to 1. ``outside_grid``: mass outside the grid, which each draw is conditioned not to have,
        (num_samples,). With a contaminant also ``member_fraction``, of the population that the stars are
        drawn from, and ``n_members``, the number of members among them, (num_samples,).
        """
        return self.fit.samples

    @property
    def membership(self) -> Floats | None:
        """Posterior probability of every star to be a member, (n_stars,).

        None before `run`, and where all stars are members.
        """
        return self.fit.membership

    @property
    def clipped_samples(self) -> dict[str, Floats] | None:
        """Median and uncertainty per bin; None before `clip_uncertainties`."""
        return self.fit.clipped

    @clipped_samples.setter
    def clipped_samples(self, value: dict[str, Floats] | None) -> None:
        self.fit = replace(self.fit, clipped=value)

    @property
    def diagnostics(self) -> Diagnostics | None:
        """Effective sample sizes, nested R-hat, Pareto k, acceptance, evidences; None before `run`."""
        return self.fit.diagnostics
