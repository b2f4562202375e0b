"""What all bins of a map have beside members and Gaussian errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from veldist.fits.stars import Stars, learn_from_bins

if TYPE_CHECKING:
    from veldist.models.contaminants import ContaminantDensity
    from veldist.models.error_model import ErrorModel

__all__ = ["Population"]


@dataclass(frozen=True)
class Population:
    """What else there is beside members, and beside Gaussian errors, in all bins; see `fit_all_bins`."""

    contaminant: ContaminantDensity | Literal["learn"] | None = None
    error_model: ErrorModel | None = None

    @property
    def plain(self) -> bool:
        """Whether all are members and every error is one Gaussian."""
        return self.contaminant is None and self.error_model is None

    def shared(self, bins: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Arguments of `veldist.fits.stars.Stars.read` for these bins, checked on an arbitrary star."""
        found: dict[str, Any] = {"contaminant": self.contaminant, "error_model": self.error_model}
        if self.contaminant == "learn":
            found["contaminant"] = learn_from_bins(bins)
        found = {name: value for name, value in found.items() if value is not None}
        Stars.read([0.0], [1.0], **found)
        return found
