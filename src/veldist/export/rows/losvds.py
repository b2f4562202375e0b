"""The LOSVDs of an export to DYNAMITE: one row per solved bin, on one velocity grid, fit to be written.

DYNAMITE checks little of what it reads (negative masses, densities and descending grids pass), so the
checks are here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats, Ints
from veldist._support.validate import check_count, check_keys
from veldist.export.rows.bins import describe_bins, read_each
from veldist.export.rows.cut import Cut, cut_of
from veldist.fits.draws import Fits
from veldist.fits.fit import Fit
from veldist.fits.grid import GRID_TOLERANCE, VelocityGrid, same_grid

__all__ = ["Floor", "LosvdRow", "SolvedBins", "check_solved", "collect_losvds", "losvd_row", "read_rows"]


class Floor(NamedTuple):
    """Floor of the uncertainties of one bin: the larger of a fraction of the highest mass and a constant."""

    fraction: float
    absolute: float
    value: float
    """The larger of the two."""
    n_floored: int
    """Number of velocity bins whose uncertainty was below."""


@dataclass(frozen=True, eq=False)
class SolvedBins:
    """LOSVDs of the solved Voronoi bins on their common velocity grid.

    Parameters
    ----------
    solved : ndarray of bool, shape (n_bins,)
        Which Voronoi bins these are, in the order of the rows below.
    centers : ndarray of float, shape (n_velocity,)
        Centres of the velocity bins, ascending [km/s].
    dv : float
        Width of a velocity bin [km/s].
    losvd, dlosvd : ndarray of float, shape (n_solved, n_velocity)
        Posterior median of the probability mass in each velocity bin, and its uncertainty.
    n_stars : ndarray of int, shape (n_solved,)
        Number of stars.
    n_members : ndarray of float, shape (n_solved,)
        Number of members among them, posterior median.
    floors : list of Floor or None
        The floor of the uncertainties of every row, where it is known.
    """

    solved: NDArray[np.bool_]
    centers: Floats
    dv: float
    losvd: Floats
    dlosvd: Floats
    n_stars: Ints
    n_members: Floats
    floors: Sequence[Floor | None] = ()

    def shifted(self, v_systemic: float) -> SolvedBins:
        """The same LOSVDs with velocities relative to ``v_systemic`` (km/s)."""
        return replace(self, centers=self.centers - v_systemic)

    def padded(self) -> SolvedBins:
        """The same LOSVDs with an empty velocity bin more on each side.

        Its uncertainty is the floor of the row's uncertainties; their smallest where the floor is not known.
        """
        floors = self.floors or [None] * len(self.losvd)
        least = np.array(
            [
                row.min() if floor is None else floor.value
                for floor, row in zip(floors, self.dlosvd, strict=True)
            ]
        )
        ends = self.centers[0] - self.dv, self.centers[-1] + self.dv
        return replace(
            self,
            centers=np.concatenate([ends[:1], self.centers, ends[1:]]),
            losvd=np.pad(self.losvd, ((0, 0), (1, 1))),
            dlosvd=np.column_stack([least, self.dlosvd, least]),
        )

    def moments(self) -> tuple[Floats, Floats]:
        """Mean velocity and dispersion of every LOSVD, as DYNAMITE computes them.

        With p_j the masses divided by their sum and v_j the bin centres,
        ``v = sum_j p_j v_j`` and ``sigma^2 = sum_j p_j (v_j - v)^2``; the width of the bins is not
        corrected for.

        Returns
        -------
        v, sigma : ndarray of float, shape (n_solved,)
            In km/s.
        """
        p = self.losvd / self.losvd.sum(axis=1, keepdims=True)
        v = p @ self.centers
        sigma = np.sqrt(np.sum(p * (self.centers - v[:, None]) ** 2, axis=1))
        return v, sigma


class LosvdRow(NamedTuple):
    """What is written of the LOSVD of one bin."""

    grid: VelocityGrid  # its velocity bins
    n_stars: int  # number of stars
    n_members: float  # number of members among them
    # Medians and uncertainties of the masses, as `veldist.fits.clipping` makes them.
    clipped: Mapping[str, Any]
    cut: Cut  # what the grid leaves out


def losvd_row(index: int, fit: Fit) -> LosvdRow | None:
    """What is written of a fitted bin; None if it has not been fitted yet."""
    if fit.samples is None or fit.grid is None:
        return None
    # Of what is written: the clipping must not be done twice.
    clipped = fit.summary
    return LosvdRow(fit.grid, fit.n_stars, fit.n_members, clipped, cut_of(replace(fit, clipped=clipped)))


def check_solved(solved: NDArray[np.bool_]) -> None:
    """Raise `ValueError` if no bin has been fitted."""
    if not solved.any():
        raise ValueError(
            f"all {solved.size} entries of solvers are None: there is nothing to write. "
            "Lower min_stars, or make larger bins."
        )


def read_rows(fits: Fits) -> dict[int, LosvdRow]:
    """Rows of the fitted bins: see `read_each`."""
    return read_each(fits, losvd_row)


def collect_losvds(rows: Mapping[int, LosvdRow], n_bins: int) -> SolvedBins:
    """Put the rows of the solved bins together, and check their masses.

    Raises
    ------
    TypeError, ValueError
        If the velocity grids differ or are not ascending and uniform, or if masses or uncertainties have
        the wrong shape, are not finite, are negative (uncertainties: not positive) or cannot be masses.
    """
    solved = np.isin(np.arange(n_bins), list(rows))
    kept = sorted(rows.items())
    centers, dv = _common_grid([(i, row.grid) for i, row in kept], solved)
    losvd, dlosvd = np.empty((2, len(kept), centers.size))
    n_stars = np.empty(len(kept), dtype=np.int64)
    floors: list[Floor | None] = []
    for k, (i, row) in enumerate(kept):
        n_stars[k] = check_count(row.n_stars, f"solvers[{i}].n_stars", minimum=1)
        name = f"solvers[{i}].clipped_samples"
        check_keys(row.clipped, ("losvd_median", "losvd_uncertainty"), name)
        for key, target in (("losvd_median", losvd), ("losvd_uncertainty", dlosvd)):
            values = np.asarray(row.clipped[key], dtype=np.float64)
            if values.shape != centers.shape:
                raise ValueError(
                    f"{name}['{key}'] has shape {values.shape}, but the grid has {centers.size} bins: "
                    "call run() again after a change of the grid."
                )
            target[k] = values
        floors.append(_floor(row.clipped))
    _check_masses(losvd, dlosvd, solved)
    n_members = np.array([row.n_members for _, row in kept])
    return SolvedBins(solved, centers, dv, losvd, dlosvd, n_stars, n_members, floors)


def _floor(clipped: Mapping[str, Any]) -> Floor | None:
    """The floor that `veldist.fits.clipping.clip` says it applied, if it says so."""
    if any(key not in clipped for key in ("floor", "floored", "floor_fraction", "abs_floor")):
        return None
    # Truncation scales the floor with the masses that it keeps.
    value = float(np.max(clipped["floor"]))
    fraction, absolute = float(clipped["floor_fraction"]), float(clipped["abs_floor"])
    return Floor(fraction, absolute, value, int(np.count_nonzero(clipped["floored"])))


def _common_grid(kept: Sequence[tuple[int, VelocityGrid]], solved: NDArray[np.bool_]) -> tuple[Floats, float]:
    """Return the bin centres and the bin width that all solvers share."""
    index, first = kept[0]
    dv = float(first.edges[-1] - first.edges[0]) / first.n_bins
    if not (
        np.isfinite(first.edges).all()
        and dv > 0
        and np.allclose(np.diff(first.edges), dv, rtol=0.0, atol=GRID_TOLERANCE * dv)
    ):
        raise ValueError(
            f"solvers[{index}].grid must have ascending, equally wide velocity bins, as setup_grid makes."
        )
    others = {i: grid.edges for i, grid in kept if not same_grid(grid.edges, first.edges)}
    if others:
        differs = np.isin(np.arange(solved.size), list(others))
        edges = next(iter(others.values()))
        raise ValueError(
            f"{describe_bins(differs)} have another velocity grid than solvers[{index}] "
            f"({edges.size - 1} bins from {edges[0]:g} to {edges[-1]:g} km/s against "
            f"{first.n_bins} from {first.edges[0]:g} to {first.edges[-1]:g} km/s): "
            "one file holds one grid, so run all bins with the same setup_grid arguments."
        )
    return first.centers, dv


def _check_masses(losvd: Floats, dlosvd: Floats, solved: NDArray[np.bool_]) -> None:
    with np.errstate(invalid="ignore"):  # infinities are reported below
        total = losvd.sum(axis=1)
    again = "call run() and clip_uncertainties() again."
    for bad_rows, complaint in (
        (~np.isfinite(losvd).all(axis=1), f"losvd_median is NaN or infinite in {{}}: {again}"),
        (~np.isfinite(dlosvd).all(axis=1), f"losvd_uncertainty is NaN or infinite in {{}}: {again}"),
        ((losvd < 0).any(axis=1), f"losvd_median is negative in {{}}: probability masses are not; {again}"),
        (
            (dlosvd <= 0).any(axis=1),
            "losvd_uncertainty is zero or negative in {}, and DYNAMITE divides by it: "
            "call clip_uncertainties() with a positive floor.",
        ),
        (total == 0, f"losvd_median is zero in every velocity bin in {{}}: {again}"),
        # The median of a non-negative number is at most twice its mean, and mean masses sum to 1.
        (
            total > 2,
            "losvd_median sums to more than 2 in {}, which medians of probability masses cannot: "
            "multiply densities by the bin width.",
        ),
    ):
        if bad_rows.any():
            bad = np.zeros_like(solved)
            bad[solved] = bad_rows
            raise ValueError(complaint.format(describe_bins(bad)))
