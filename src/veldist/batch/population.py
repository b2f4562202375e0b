"""What all bins of a map have beside members and Gaussian errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Literal

from veldist.fits.stars import Stars, learn_from_bins

if TYPE_CHECKING:
    from veldist.models.contaminants import ContaminantDensity
    from veldist.models.error_model import ErrorModel

__all__ = ["Population"]

_MEMBERSHIP = "membership"
# What all bins have, or none.
_OF_ALL = ("contaminant", "error_model")


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
        self._check_keys(bins)
        found: dict[str, Any] = {"contaminant": self.contaminant, "error_model": self.error_model}
        if self.contaminant == "learn":
            found["contaminant"] = learn_from_bins(bins)
        found = {name: value for name, value in found.items() if value is not None}
        Stars.read([0.0], [1.0], **found)
        return found

    def _check_keys(self, bins: Sequence[dict[str, Any]]) -> None:
        """Refuse what no bin takes, and what no bin can have without a contaminant."""
        for k, data in enumerate(bins):
            for key in data:
                meant = key in _OF_ALL or get_close_matches(str(key), (_MEMBERSHIP,))
                if meant and key != _MEMBERSHIP:
                    cure = (
                        "pass it once, for all bins"
                        if key in _OF_ALL
                        else f"{_MEMBERSHIP!r} is what it takes"
                    )
                    raise ValueError(f"bin_data_list[{k}] has the key {key!r}, which no bin takes: {cure}.")
        known = sum(data.get(_MEMBERSHIP) is not None for data in bins)
        if known and self.contaminant is None:
            raise ValueError(
                f"{known} of {len(bins)} bins have {_MEMBERSHIP!r}, but there is no contaminant: pass one "
                '(veldist.Contaminant, or contaminant="learn"), or leave stars out.'
            )
