"""Stars too far from the others to be members: those to be told, and those that no fit can bear."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from veldist._support import validate
from veldist._support.arrays import Floats, Ints
from veldist.models.losvd.frame import FAR, is_far, robust_frame

__all__ = ["describe_outliers", "find_impossible", "refuse_impossible"]

# So far out there are placeholders for missing values and blunders.
_IMPOSSIBLE = 100.0
# Fewer stars do not tell their own dispersion.
_FEW = 10
# Up to so many stars may be impossible: more of different velocities are a population of their own.
_SHARE = 0.1
# Placeholders of so many kinds are looked for.
_MOST_PLACEHOLDERS = 4
# Half of the 10-90 percentile range of the unit Gaussian.
_NORMAL_DECILE = 1.2815515655446004


def describe_outliers(vel: Floats, err: Floats) -> str | None:
    """What a user must know of the stars that are hardly members; None if there are none."""
    far = is_far(vel, err)
    if not far.any():
        return None
    return (
        f"{validate.describe_rows(far, vel)} of vel lie more than {FAR:g} dispersions from the median "
        "velocity. The LOSVD has its share of them, which decide on its mean, dispersion, wings and their "
        "error bars: remove these stars unless they are members."
    )


def find_impossible(vel: Floats, err: Floats) -> NDArray[np.bool_]:
    """Stars that cannot belong to the sample by any distribution: beyond 100 dispersions from the others.

    A star's own error counts as part of its distance. Location and dispersion are those of the others, told
    by median and 10-90 percentile range, so that more than a tenth of the stars far out are a population.
    The most frequent velocities are held against all others, so that placeholders are found in any number.
    Nothing is said of fewer than ten stars.

    Parameters
    ----------
    vel, err : ndarray, (n_stars,)
        Velocities and their 1-sigma errors, km/s.
    """
    bad = np.zeros(vel.size, dtype=bool)
    values, counts = np.unique(vel, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MOST_PLACEHOLDERS]
    repeated = np.zeros(vel.size, dtype=bool)
    for value in values[order[counts[order] > 1]]:
        repeated |= vel == value
        others = ~repeated
        # Others of a single velocity do not tell how far apart velocities may be.
        if others.sum() >= _FEW and np.ptp(_middle(vel[others])) > 0.0:
            bad |= repeated & _far(vel, err, others)
    rest = ~bad
    if rest.sum() >= _FEW:
        bad |= _far(vel, err, rest)
    return bad


def _middle(vel: Floats) -> Floats:
    """The 10 and 90 percentiles, no farther out than stars within them."""
    last = vel.size - 1
    out = int(np.ceil(_SHARE * last))
    return np.partition(vel, (out, last - out))[[out, last - out]]


def _far(vel: Floats, err: Floats, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Stars that are impossible as members of those ``among`` them."""
    v, e = vel[among], err[among]
    distance = np.abs(vel - np.median(v))
    scale = float(np.ptp(_middle(v))) / (2.0 * _NORMAL_DECILE)
    far = distance > _IMPOSSIBLE * np.hypot(scale, err)
    # The robust scale takes longer, and is larger only where errors hide the dispersion, or values repeat.
    return far & (distance > _IMPOSSIBLE * np.hypot(robust_frame(v, e).scale, err)) if far.any() else far


def refuse_impossible(bad: NDArray[np.bool_], vel: Floats, rows: Ints | None = None) -> None:
    """Raise `ValueError` if there are such stars, with their rows.

    Parameters
    ----------
    bad : ndarray of bool, (n_stars,)
        What `find_impossible` says.
    vel : ndarray, (n_stars,)
        Velocities, km/s.
    rows : ndarray of int, (n_stars,), optional
        Rows of the stars in the user's table; their places in ``vel`` by default.
    """
    if bad.any():
        raise ValueError(
            f"vel has {validate.describe_rows(bad, vel, rows=rows)} more than {_IMPOSSIBLE:g} dispersions "
            f"from the other stars, whose median is {np.median(vel[~bad]):.5g} km/s: placeholders for "
            "missing values, blunders or no members, which would spoil the fit. Remove these stars."
        )
