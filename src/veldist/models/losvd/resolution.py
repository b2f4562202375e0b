"""How finely a LOSVD is described, and how freely its dispersion, given what the data can tell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Resolution", "choose_resolution"]

# Below the first of these numbers of stars' worth of information the dispersion may be off the frame's by a
# factor. Below the second, a prior as narrow as the last would still count the stars that made the frame
# twice, and leave the dispersion's error bar too small.
_FEW, _SOME, _MANY = 100, 1000, 5000
_PRECISIONS_OF_FEW, _PRECISIONS_OF_SOME = (0.2, 0.45, 1.0, 2.2), (0.5, 1.0, 2.0)
_RELATIVE_WIDTH = 0.5
# With more, one Gaussian will do. Its mean lies below 1 by its variance, so that at b2 = 1 it falls like
# 1 / b2; without that the dispersions come out low.
_ONE_PRECISION = ((1.0 - 0.35**2, 0.35, 1.0),)


@dataclass(frozen=True)
class Resolution:
    """Cells, deviation functions, and the prior of the precision b2.

    Attributes
    ----------
    cell_width : float
        Width of the core cells, in units of the frame's scale.
    n_functions : int
        Number of deviation functions.
    lengths : tuple of float
        Correlation lengths of the deviation, in units of the frame's scale.
    precisions : tuple of (mean, standard deviation, weight)
        Mixture of Gaussians that is the prior of the precision, the inverse square of the dispersion in units
        of the frame's scale; the weights sum to 1.
    """

    cell_width: float
    n_functions: int
    lengths: tuple[float, ...]
    precisions: tuple[tuple[float, float, float], ...] = _ONE_PRECISION


def choose_resolution(n_stars: int, error_ratio: float) -> Resolution:
    r"""Resolution that grows with the information in the data.

    Where that is little, the prior of the dispersion must be broad: a mixture over octaves of the precision b,
    with standard deviations b/2 and weights :math:`b^{-1/2} / (1 + r^2 b)`, which is flat in the dispersion as
    long as it exceeds the errors r. It is of four octaves below the information of 100 stars without errors,
    of three below that of 1,000.

    Parameters
    ----------
    n_stars : int
        Number of stars.
    error_ratio : float
        Typical error in units of the frame's scale. Errors smear structure below about their own size, so
        large ones make small cells useless.
    """
    informative = n_stars / (1.0 + error_ratio**2) ** 2
    if informative >= _MANY:
        return Resolution(cell_width=0.1, n_functions=44, lengths=(0.25, 0.5, 1.0))
    if informative >= _SOME:
        return Resolution(cell_width=0.15, n_functions=36, lengths=(0.35, 0.6, 1.1))
    octaves = np.array(_PRECISIONS_OF_FEW if informative < _FEW else _PRECISIONS_OF_SOME)
    weights = octaves**-0.5 / (1.0 + error_ratio**2 * octaves)
    weights /= weights.sum()
    precisions = tuple(zip(octaves.tolist(), (_RELATIVE_WIDTH * octaves).tolist(), weights.tolist(), strict=True))
    return Resolution(cell_width=0.2, n_functions=28, lengths=(0.45, 0.75, 1.25), precisions=precisions)
