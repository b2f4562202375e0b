"""Draws of the LOSVD's prior on its cells, shared by all bins with the same prior, and their half-widths.

In standardised velocity the prior depends on the stars by the resolution and the reach of the cells, which
most bins of a map share: draws and widths are kept for the next bin. What differs is where the velocity
grid ends, for summaries are conditional on it; its bins do not matter. The density within cells is known:
moments and percentiles follow exactly.

The draws come from a generator of fixed seed and widths are interpolated between fixed ranges, so that
results do not depend on which bins were seen before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.percentiles import percentiles
from veldist.inference import masses
from veldist.models.losvd.cells import Cells
from veldist.models.losvd.regrid import LEAST_INSIDE
from veldist.summaries.scalars import SCALARS, named_scalars

if TYPE_CHECKING:
    from veldist.inference import MixturePrior
    from veldist.models.losvd.model import LosvdPosterior

__all__ = ["CellDraws", "shape_draws", "whole_draws"]

# The first two of the basis, z and -z^2 / 2, are location and scale. With zeros they are those of the frame.
_LOCATION_AND_SCALE = 2
# Shapes of the prior lie within so many of the frame's scales of its location, and have a dispersion within
# these limits: the deviations from a Gaussian can run away with location and scale too.
_SHAPE_OFFSET, _SHAPE_SCALE = 1.0, (0.5, 2.0)
# Fewer of the draws have no width to speak of.
_LEAST_SHARE = 0.05
# One in a hundred draws must have a shape within the limits.
_ATTEMPTS = 100
# With few stars the weights of the components follow their errors: rounded like this, in the logarithm, bins
# with similar errors share their draws. Sums of weights may differ in their last digits only.
_LOG_WEIGHT_STEP, _DIGITS = 0.2, 9
# An entry of a thousand draws takes 1 to 2 MB.
_CACHED = 32
# Ends of the ranges on which widths are computed, in scales, and the narrowest range for interpolation.
_KNOT, _NARROW = 0.5, 4.0
_VELOCITIES = np.isin(SCALARS, ("v_mean", "v_median", "v_asymmetry", "sigma", "iqr", "sigma_iqr"))


@dataclass(frozen=True)
class CellDraws:
    """Draws of LOSVDs on cells. The arrays are shared: read only.

    Attributes
    ----------
    cells : Cells
        The cells.
    masses : ndarray, (n, K)
        Masses of the cells; rows sum to 1.
    cdf : ndarray, (K + 1, n)
        Cumulative probability at the edges: 0 at the first, 1 at the last.
    """

    cells: Cells
    masses: Floats
    cdf: Floats
    _known: dict[tuple[int, int], Floats] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, cells: Cells, cell_masses: Floats) -> CellDraws:
        """From the masses of cells, (n, K)."""
        cdf = np.zeros((cells.edges.size, cell_masses.shape[0]))
        np.cumsum(cell_masses.T, axis=0, out=cdf[1:])
        cdf /= cdf[-1].copy()
        for array in (cell_masses, cdf):
            array.flags.writeable = False
        return cls(cells, cell_masses, cdf)

    def with_mass(self, low: float, high: float) -> NDArray[np.bool_]:
        """Draws that have mass on a range of standardised velocities, (n,).

        Raises
        ------
        ValueError
            If hardly any draw has.
        """
        inside = self.masses @ self.cells.overlap(np.array([low, high]))[:, 0]
        good = inside >= LEAST_INSIDE
        if np.count_nonzero(good) < _LEAST_SHARE * good.size:
            raise ValueError("next to no draws of the prior have mass on the grid.")
        return good

    def summaries(self, low: float, high: float) -> dict[str, Floats]:
        """`SCALARS` of the draws that have mass on a range, conditional on it, in standardised velocity.

        Raises
        ------
        ValueError
            As `with_mass`.
        """
        good = self.with_mass(low, high)
        cdf = self.cdf.compress(good, axis=1)
        draws = np.arange(cdf.shape[1])
        raw = self.cells.moments(4, low, high).T @ self.masses.compress(good, axis=0).T
        inside, mean, r2, r3, r4 = raw[0], *(raw[1:] / raw[0])
        variance = np.maximum(r2 - mean**2, np.finfo(np.float64).tiny)
        m3 = r3 - mean * (3.0 * r2 - 2.0 * mean**2)
        m4 = r4 - mean * (4.0 * r3 - mean * (6.0 * r2 - 3.0 * mean**2))
        sigma = np.sqrt(variance)

        def cumulative(z: Floats) -> Floats:
            cell, share = self.cells.locate(np.clip(z, low, high))
            return (1.0 - share) * cdf[cell, draws] + share * cdf[cell + 1, draws]

        start = cumulative(np.full(draws.size, low))

        def percentile(q: float) -> Floats:
            target = np.minimum(start + q * inside, 1.0)
            cell = np.count_nonzero(cdf < target, axis=0) - 1
            lower, upper = cdf[cell, draws], cdf[cell + 1, draws]
            return self.cells.velocity(cell, (target - lower) / (upper - lower))

        skewness, kurtosis = m3 / sigma**3, m4 / variance**2 - 3.0
        quartiles = np.stack([percentile(q) for q in (0.25, 0.5, 0.75)])
        tail_weight = 1.0 - (cumulative(mean + sigma) - cumulative(mean - sigma)) / inside
        return named_scalars(mean, sigma, skewness, kurtosis, quartiles, tail_weight)

    def half_widths(self, low: float, high: float, scale: float) -> Floats:
        """Half of the 16-84 percentile ranges of `SCALARS` on a range, (n_scalars,).

        Interpolated linearly between ranges that end at multiples of half a scale, where the range is wide.
        For shapes that errs by up to 1 % (2.5 % where a range ends within 5 scales), the draws by 5 to 8 %.

        Parameters
        ----------
        low, high : float
            The range, in standardised velocity.
        scale : float
            What one unit of standardised velocity is, km/s.

        Raises
        ------
        ValueError
            As `with_mass`.
        """
        unit = np.where(_VELOCITIES, scale, 1.0)
        if high - low >= _NARROW:
            # Beyond the cells there is nothing.
            ends = np.array([low, high]) / _KNOT
            edges = self.cells.edges
            ends = np.clip(ends, np.floor(edges[0] / _KNOT), np.ceil(edges[-1] / _KNOT))
            first = np.floor(ends).astype(int).tolist()
            upper = ends - first
            weights = np.outer([1.0 - upper[0], upper[0]], [1.0 - upper[1], upper[1]]).ravel().tolist()
            knots = product((first[0], first[0] + 1), (first[1], first[1] + 1))
            used = [(weight, knot) for weight, knot in zip(weights, knots, strict=True) if weight > 0.0]
            try:
                return unit * np.sum([weight * self._at_knot(knot) for weight, knot in used], axis=0)
            except ValueError:
                # The narrower ranges have no mass, but the range itself may.
                pass
        return unit * self._exact_half_widths(low, high)

    def _at_knot(self, knot: tuple[int, int]) -> Floats:
        known = self._known.get(knot)
        if known is None:
            known = self._known[knot] = self._exact_half_widths(_KNOT * knot[0], _KNOT * knot[1])
        return known

    def _exact_half_widths(self, low: float, high: float) -> Floats:
        q16, q84 = percentiles(list(self.summaries(low, high).values()), (16.0, 84.0))
        return 0.5 * (q84 - q16)


def whole_draws(posterior: LosvdPosterior, n: int, seed: int = 0) -> CellDraws:
    """``n`` draws from the prior behind a posterior, its weights rounded to 10 %."""
    prior = posterior.posterior.prior
    weights = np.exp(_LOG_WEIGHT_STEP * np.round(prior.log_weights / _LOG_WEIGHT_STEP))
    return _draws(posterior, prior.mean, prior.scales, weights, n, seed)


def shape_draws(posterior: LosvdPosterior, n: int, seed: int = 0) -> CellDraws:
    """``n`` draws from the prior of the shape: b1 and b2 are those of the frame.

    Draws with a mean farther than 1 scale of the frame from its location, or a dispersion outside 0.5 to 2
    scales, on the cells, are drawn anew.

    Raises
    ------
    ValueError
        If next to no draws of the prior are within these limits.
    """
    return _draws(posterior, *_shape_prior(posterior.posterior.prior), n, seed, _near_frame)


def _draws(
    posterior: LosvdPosterior,
    mean: Floats,
    scales: Floats,
    weights: Floats,
    n: int,
    seed: int,
    accept: Callable[[Floats, Cells], NDArray[np.bool_]] | None = None,
) -> CellDraws:
    """Draws of a mixture on the cells of a posterior, from what is kept if they are there."""
    inner = posterior.posterior
    arrays = posterior.cells.edges, inner.psi, inner.log_base, mean, scales, weights
    # All that the draws depend on, as bytes: what a cache can compare.
    contents = tuple(np.asarray(array, dtype=np.float64).tobytes() for array in arrays)
    return _kept(contents, posterior.cells.core, inner.psi.shape[1], n, seed, accept)


@lru_cache(maxsize=_CACHED)
def _kept(
    contents: tuple[bytes, ...],
    core: float,
    n_basis: int,
    n: int,
    seed: int,
    accept: Callable[[Floats, Cells], NDArray[np.bool_]] | None,
) -> CellDraws:
    """Draws for the arrays of `_draws`; those that are not accepted are drawn anew."""
    edges, psi, log_base, mean, scales, weights = (np.frombuffer(content) for content in contents)
    psi, mean, scales = (array.reshape(-1, n_basis) for array in (psi, mean, scales))
    cumulative = np.cumsum(weights / weights.sum())[:-1]
    cells = Cells(edges=edges, core=core)
    rng = np.random.default_rng(seed)
    found = np.empty((0, log_base.size))
    for _ in range(_ATTEMPTS):
        missing = n - found.shape[0]
        if missing <= 0:
            return CellDraws.of(cells, found[:n])
        # A few more than are missing, so that one attempt is usually enough.
        size = missing if accept is None else missing + missing // 4
        component = np.searchsorted(cumulative, rng.random(size), side="right")
        beta = mean[component] + scales[component] * rng.standard_normal((size, n_basis))
        draws = masses(beta, psi, log_base)
        found = np.concatenate([found, draws if accept is None else draws[accept(draws, cells)]])
    raise ValueError("next to no draws of the prior have a location and dispersion near those of the stars.")


def _shape_prior(prior: MixturePrior) -> tuple[Floats, Floats, Floats]:
    """Means, scales, weights of the components with b1 and b2 pinned to the frame's; equal ones are one."""
    fixed = _LOCATION_AND_SCALE
    weights: dict[tuple[bytes, bytes], float] = {}
    first: list[int] = []
    for g, weight in enumerate(np.exp(prior.log_weights).tolist()):
        component = prior.mean[g, fixed:].tobytes(), prior.scales[g, fixed:].tobytes()
        if component not in weights:
            first.append(g)
        weights[component] = weights.get(component, 0.0) + weight
    mean, scales = prior.mean[first], prior.scales[first]
    mean[:, :fixed] = scales[:, :fixed] = 0.0
    return mean, scales, np.round(list(weights.values()), _DIGITS)


def _near_frame(cell_masses: Floats, cells: Cells) -> NDArray[np.bool_]:
    """Draws within the limits of shapes."""
    _, mean, square = (cell_masses @ cells.moments(2)).T
    variance = square - mean**2
    low, high = _SHAPE_SCALE
    return (np.abs(mean) <= _SHAPE_OFFSET) & (variance >= low**2) & (variance <= high**2)
