"""The velocity grid on which LOSVDs are reported, whether two are the same, and one that suits all bins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from veldist._support import validate
from veldist._support.arrays import Floats
from veldist.fits.stars import Stars, count_members, learn_from_bins, read_bin
from veldist.models.contaminants import MemberFrame, member_frame
from veldist.models.losvd.frame import robust_frame

if TYPE_CHECKING:
    from veldist.models.contaminants import ContaminantDensity

__all__ = ["GRID_TOLERANCE", "VelocityGrid", "same_grid", "suggest_grid"]

GRID_TOLERANCE = 1e-6
"""Velocity grids count as equal, and bins as equally wide, within this fraction of a bin."""

# Where the outermost bins of every LOSVD are as good as empty: orbit codes give them no mass.
_REACH = 5.0
# Two bins to a dispersion resolve a LOSVD that is smooth on that scale, three leave room for structure.
_BINS_PER_SIGMA = 3.0
_MIN_BINS, _MAX_BINS = 21, 151
# Members of a bin are no farther from those of the whole map, and no broader, by so many of its dispersions.
_LOST = 2.0
# More velocity bins fill the memory, and no LOSVD; narrower ones, relative to the velocities, are lost.
_MOST_BINS, _ROUNDING = 100_000, 1e-9


@dataclass(frozen=True, eq=False)
class VelocityGrid:
    """Velocity bins.

    Attributes
    ----------
    edges : ndarray, (n_bins + 1,)
        Edges of the bins, km/s, ascending.
    width : float
        Full width, km/s.
    """

    edges: Floats
    width: float

    @classmethod
    def of(cls, center: Any, width: Any, n_bins: Any) -> VelocityGrid:
        """Equal bins around a centre, from what a user passes.

        Parameters
        ----------
        center, width : float or Quantity
            Centre and full width of the grid, km/s.
        n_bins : int
            Number of bins, at least 3.

        Raises
        ------
        TypeError
            If ``n_bins`` is not an integer or the others are not numbers.
        ValueError
            If a value is out of range: velocities beyond the speed of light, more than 100,000 bins, or bins
            narrower than 1e-9 of the centre's velocity.
        """
        center = validate.to_float(center, "center", "km/s")
        width = validate.to_float(width, "width", "km/s")
        if width <= 0:
            raise ValueError(f"width must be positive, got {width} km/s: pass the full width of the grid.")
        n_bins = validate.check_count(n_bins, "n_bins", 3, _MOST_BINS)
        if width / n_bins < _ROUNDING * abs(center):
            raise ValueError(
                f"width = {width:g} km/s in {n_bins} bins around center = {center:g} km/s: the bins are lost "
                "in the rounding of velocities. Widen the grid, take fewer bins, or subtract a velocity."
            )
        return cls(center + width * (np.arange(n_bins + 1) / n_bins - 0.5), width)

    @classmethod
    def read(cls, grid_kwargs: Any, name: str) -> VelocityGrid:
        """The grid that arguments of `of` in a dictionary, called ``name`` in messages, describe.

        Raises
        ------
        TypeError, ValueError
            If it is no dict, lacks an argument or has others, or as `of`.
        """
        validate.check_keys(grid_kwargs, ("center", "width", "n_bins"), name, optional=())
        return cls.of(**grid_kwargs)

    @classmethod
    def around(cls, centers: Floats, dv: float) -> VelocityGrid:
        """Bins of width ``dv`` around uniform centres (km/s)."""
        edges = np.linspace(centers[0] - 0.5 * dv, centers[-1] + 0.5 * dv, centers.size + 1)
        return cls(edges, centers.size * dv)

    @property
    def n_bins(self) -> int:
        """Number of bins."""
        return self.edges.size - 1

    @property
    def bin_width(self) -> float:
        """Width of one bin, km/s."""
        return self.width / self.n_bins

    @cached_property
    def centers(self) -> Floats:
        """Centres of the bins, km/s, (n_bins,)."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    def as_dict(self) -> dict[str, Any]:
        """What `KinematicSolver.grid` shows."""
        names = ("centers", "edges", "width", "n_bins", "bin_width")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_dict(cls, grid: Mapping[str, Any]) -> VelocityGrid:
        """The grid that `as_dict` describes."""
        edges = np.asarray(grid["edges"], dtype=np.float64)
        return cls(edges, float(grid.get("width", edges[-1] - edges[0])))


def suggest_grid(
    bin_data_list: Sequence[dict[str, Any]],
    min_stars: int = 10,
    *,
    contaminant: ContaminantDensity | Literal["learn"] | None = None,
) -> dict[str, Any]:
    """Velocity grid that covers the LOSVDs of all bins, with about three bins to the typical dispersion.

    The grid decides how the LOSVD is reported, not what it is. It reaches five dispersions beyond every
    bin's median velocity, on both sides of a common centre. Medians and dispersions are robust: a foreground
    star does not stretch the grid (and is then told to lie outside it). Beside contaminants they are those of
    the members, as one Gaussian.

    Parameters
    ----------
    bin_data_list : sequence of dict
        ``{"vel": ..., "err": ...}`` per bin, km/s, as for `veldist.fit_all_bins`.
    min_stars : int
        Bins with fewer stars are left out, as by `veldist.fit_all_bins`.
    contaminant : Contaminant, "learn" or ContaminantDensity, optional
        As for `veldist.fit_all_bins`.

    Returns
    -------
    dict
        ``center``, ``width`` (km/s) and ``n_bins`` (odd), as `KinematicSolver.setup_grid` takes them.

    Raises
    ------
    TypeError, ValueError
        If no bin has enough stars, members cannot be learnt, or the stars of one cannot be fitted, as
        `KinematicSolver.add_data`.
    """
    bins = list(bin_data_list)
    for k, data in enumerate(bins):
        validate.check_keys(data, ("vel", "err"), f"bin_data_list[{k}]")
    population = {"contaminant": learn_from_bins(bins) if contaminant == "learn" else contaminant}
    samples: list[Stars] = []
    for k, data in enumerate(bins):
        if count_members(data, f"bin_data_list[{k}]") < min_stars:
            continue
        try:
            samples.append(read_bin(data, population))
        except (TypeError, ValueError) as error:
            raise type(error)(f"bin_data_list[{k}]: {error}") from None
    if not samples:
        raise ValueError(f"no bin has min_stars = {min_stars} stars: lower min_stars or use larger bins.")
    if contaminant is None:
        frames = [robust_frame(stars.vel, stars.err) for stars in samples]
        location, scale = (np.array([getattr(f, name) for f in frames]) for name in ("location", "scale"))
        sizes = np.array([stars.n_stars for stars in samples], dtype=np.float64)
    else:
        location, scale, sizes = _member_frames(samples)
    center = float(np.round(np.average(location, weights=sizes)))
    half_width = float(np.max(np.abs(location - center) + _REACH * scale))
    # Two digits: the width of a bin is read on axes and written into files.
    step = float(f"{np.median(scale) / _BINS_PER_SIGMA:.1e}")
    n_bins = int(np.clip(2 * int(np.ceil(half_width / step - 0.5)) + 1, _MIN_BINS, _MAX_BINS))
    step = max(step, float(f"{2.0 * half_width / n_bins:.3g}"))
    return {"center": center, "width": step * n_bins, "n_bins": n_bins}


def _member_frames(samples: Sequence[Stars]) -> tuple[Floats, Floats, Floats]:
    """Locations, scales (km/s) and numbers of the members of every bin."""

    def of_stars(stars: Stars, start: tuple[float, float] | None) -> MemberFrame:
        assert stars.contaminant is not None
        return member_frame(stars.vel, stars.err, stars.contaminant, start, stars.membership)

    parts = {
        name: [getattr(s, name) for s in samples] for name in ("vel", "err", "membership", "contaminant")
    }
    known = {name: values for name, values in parts.items() if all(v is not None for v in values)}
    whole = of_stars(Stars(**{name: np.concatenate(values) for name, values in known.items()}), None)
    frames = [of_stars(stars, (whole.location, whole.scale)) for stars in samples]
    location, scale, share = np.transpose(frames)
    # In a bin of few members these may be lost among the contaminants.
    scale = np.minimum(scale, _LOST * whole.scale)
    reach = _LOST * whole.scale
    location = np.clip(location, whole.location - reach, whole.location + reach)
    return location, scale, np.maximum(share * [stars.n_stars for stars in samples], 1.0)


def same_grid(edges: Floats, first: Floats) -> bool:
    """Whether ascending edges of velocity bins (km/s) are the same within `GRID_TOLERANCE`; NaN never is.

    Parameters
    ----------
    edges : ndarray, shape (n,)
        One.
    first : ndarray, shape (n_bins + 1,)
        The other, whose first bin is the measure.
    """
    tolerance = GRID_TOLERANCE * (first[1] - first[0])
    return edges.shape == first.shape and bool(np.all(np.abs(edges - first) <= tolerance))
