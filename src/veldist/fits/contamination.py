"""What a user must know of a sample of stars in which there may be others than members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from veldist._support.arrays import Floats, Ints
from veldist._support.threads import one_thread
from veldist.fits.stars import Stars, read_bins
from veldist.models.detection import FEWEST_MEMBERS, Detection, detect

__all__ = [
    "describe_bins",
    "describe_contamination",
    "describe_detection",
    "describe_stars",
    "find_contamination",
]

# Stars that are named.
_NAMED = 8
# Below this probability of being no member nobody is named.
_LIKELY = 0.5


def find_contamination(vel: Floats, err: Floats) -> Detection | None:
    """As `veldist.models.detection.detect`, on one thread."""
    with one_thread():
        return detect(vel, err)


def describe_contamination(vel: Floats, err: Floats) -> str | None:
    """What is to be said of stars that are fitted as if all were members; None if nothing is."""
    found = find_contamination(vel, err)
    return None if found is None else describe_detection(found, vel, err)


def describe_stars(bins: Mapping[int, Stars | None]) -> list[str]:
    """What is to be said of the stars of fitted bins together, if all were fitted without a contaminant."""
    stars = {index: found for index, found in sorted(bins.items()) if found is not None}
    if not all(found.plain for found in stars.values()):
        return []
    return _describe_parts({index: (found.vel, found.err) for index, found in stars.items()})


def describe_bins(bins: Sequence[Mapping[str, Any]]) -> list[str]:
    """As `describe_stars`, of bins as a user passes them; those that cannot be read are left out."""
    return _describe_parts(read_bins(bins))


def _describe_parts(parts: Mapping[int, tuple[Floats, Floats]]) -> list[str]:
    if not parts:
        return []
    vel, err = (np.concatenate([part[k] for part in parts.values()]) for k in (0, 1))
    found = find_contamination(vel, err)
    if found is None:
        return []
    names = [f"{row} of bin {index}" for index, (part, _) in parts.items() for row in range(part.size)]
    return [describe_detection(found, vel, err, names)]


def describe_detection(
    found: Detection, vel: Floats, err: Floats, rows: Sequence[str] | Ints | None = None
) -> str:
    """What is to be said of what was found.

    Parameters
    ----------
    found : Detection
        The finding.
    vel, err : ndarray, (n_stars,)
        Its stars.
    rows : sequence, (n_stars,), optional
        Rows of the stars in the user's table; their places in ``vel`` by default.
    """
    order = np.lexsort((-np.abs(vel - found.v) / np.hypot(found.sigma, err), -found.foreign))
    likely = order[found.foreign[order] > _LIKELY]
    named = ", ".join(f"{k if rows is None else rows[k]} ({vel[k]:.1f})" for k in likely[:_NAMED])
    more = ", ..." if likely.size > _NAMED else ""
    which = f" Most likely foreign: rows {named}{more} (km/s in brackets)." if named else ""
    evidence = max(found.uniform, found.learnt)
    members = (1.0 - found.share) * vel.size
    if found.separable:
        cure = (
            'If they are no members, pass contaminant="learn", so that the LOSVD is that of the members, or '
            "select members by other properties."
        )
    else:
        why = (
            f"there are fewer than {FEWEST_MEMBERS} members"
            if members < FEWEST_MEMBERS
            else "no broad component stands out that is 3 times wider than the members"
        )
        cure = (
            f"Not separable by velocities alone: {why}. If they are no members, pass a contaminant made of a "
            "control sample (veldist.Contaminant.sample), with membership probabilities if there are any, or "
            "remove these stars."
        )
    return (
        f"non-members or heavy wings: about {100.0 * found.share:.2g} % of {vel.size:,} stars are not "
        f"explained by members at {found.v:.1f} km/s with dispersion {found.sigma:.1f} (log evidence ratio "
        f"{evidence:.1f}), but have their share of the LOSVD.{which} {cure}"
    )
