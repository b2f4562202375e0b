"""Where members may be among all stars of a catalogue: places of more stars than a broad distribution has."""

from __future__ import annotations

import numpy as np

from veldist._support.arrays import Floats

__all__ = ["dense_places"]

# Halvings of the whole spread, places for each, and how many of all are kept.
_SCALES, _EACH, _KEPT = 5, 2, 8
_GRID = 400
# Errors smear what is narrower than this part of the typical one.
_SMEARED = 0.7
# Places of one scale are this many scales apart.
_APART = 3.0


def dense_places(
    vel: Floats, error: float, extent: tuple[float, float], guess: float | None
) -> tuple[Floats, Floats]:
    """Velocities and scales (km/s) of groups of stars, the most conspicuous first.

    Stars within a scale of each place are counted and held against a kernel density estimate with all the
    stars' spread as its bandwidth.

    Parameters
    ----------
    vel : ndarray, (n_stars,)
        Velocities in ascending order, km/s.
    error : float
        Typical error, km/s.
    extent : tuple of two floats
        Where to look, km/s.
    guess : float, optional
        A further place, tried with all scales.
    """
    spread = float(vel.std())
    scales = spread * 0.5 ** np.arange(1, _SCALES + 1)
    scales = scales[(scales > _SMEARED * error) | (scales == scales[0])]
    grid = np.linspace(*extent, _GRID)
    expected = _broad(grid, vel, spread)
    found: list[tuple[float, float, float]] = []
    for scale in scales:
        inside = np.searchsorted(vel, grid + scale, "right") - np.searchsorted(vel, grid - scale)
        around = 2.0 * scale * expected
        excess = (inside - around) / np.sqrt(around + 1.0)
        for _ in range(_EACH):
            k = int(np.argmax(excess))
            if excess[k] == -np.inf:
                break
            found.append((float(excess[k]), float(grid[k]), float(scale)))
            excess[np.abs(grid - grid[k]) < _APART * scale] = -np.inf
    found.sort(reverse=True)
    places = [(v, scale) for _, v, scale in found[:_KEPT]]
    if guess is not None:
        places += [(guess, float(scale)) for scale in scales]
    v, scale = np.array(places).T
    return v, scale


def _broad(grid: Floats, vel: Floats, width: float) -> Floats:
    """Number of stars per km/s, smoothed with a broad Gaussian."""
    # The histogram's bins are narrow beside the Gaussian.
    counts, edges = np.histogram(vel, bins=_GRID)
    centers = 0.5 * (edges[1:] + edges[:-1])
    z = (grid[:, None] - centers) / width
    return np.exp(-0.5 * z**2) @ counts / (np.sqrt(2.0 * np.pi) * width)
