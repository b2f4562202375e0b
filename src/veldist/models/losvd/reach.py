"""Stars far from the others: they take their share of the LOSVD, and leave the others theirs.

A frame that far stars have a part in is too broad for all others, and in one that suits the others the prior
gives up the shape of the core for a wing that reaches them. Where such stars are few, the frame is that of
the others, and the LOSVD is inferred in a coordinate that is the standardised velocity up to 6 and pulls all
beyond in to 8. The masses found there are those of the cells that the wings' cells become when they are drawn
out again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from veldist._support.arrays import Floats
from veldist.models.losvd.cells import Cells
from veldist.models.losvd.frame import Frame, fit_frame, is_far

__all__ = ["Reach", "frame_of_most"]

# More stars far out, as a share of all, are a population that the frame must suit, too.
_SHARE = 0.1
# From here on velocities are pulled in, to here.
_NEAR, _END = 6.0, 8.0


def frame_of_most(vel: Floats, err: Floats) -> tuple[Frame, bool]:
    """The frame of the stars that are not far, and whether there are others; of all where these are many."""
    far = is_far(vel, err)
    few = 0 < np.count_nonzero(far) <= _SHARE * far.size
    return (fit_frame(vel[~far], err[~far]), True) if few else (fit_frame(vel, err), False)


@dataclass(frozen=True)
class Reach:
    """How far a sample reaches to both sides, and the coordinate that reaches less far.

    Attributes
    ----------
    left, right : float
        Largest distances in standardised velocity.
    """

    left: float
    right: float

    @classmethod
    def of(cls, z: Floats, margin: Floats) -> Reach:
        """That of stars, each with a margin for its error."""
        reach = np.abs(z) + margin
        return cls(*(float(reach[side].max(initial=0.0)) for side in (z < 0.0, z >= 0.0)))

    @classmethod
    def of_cells(cls, z: Floats, error: Floats) -> tuple[float, float]:
        """Range that cells must span: to every star, but to one with a broad error only from afar."""
        reach = cls.of(z, np.minimum(3.0 * error, 1.0) - 5.0 * np.maximum(error - 1.0, 0.0))
        return -reach.left, reach.right

    def pull(self, z: Floats, error: Floats) -> tuple[Floats, Floats]:
        """Velocities and errors in the new coordinate, where nothing is beyond 8."""
        slope = np.where(_beyond(z) > 0.0, self._slope(z), 1.0)
        return np.sign(z) * (np.minimum(np.abs(z), _NEAR) + _beyond(z) / slope), error / slope

    def draw_out(self, cells: Cells) -> Cells:
        """Cells of the new coordinate in standardised velocity."""
        z = cells.edges
        return Cells(np.sign(z) * (np.minimum(np.abs(z), _NEAR) + _beyond(z) * self._slope(z)), cells.core)

    def _slope(self, z: Floats) -> Floats:
        left, right = (max(1.0, (reach - _NEAR) / (_END - _NEAR)) for reach in (self.left, self.right))
        return np.where(z < 0.0, left, right)


def _beyond(z: Floats) -> Floats:
    return np.maximum(np.abs(z) - _NEAR, 0.0)
