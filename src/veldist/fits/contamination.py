"""What a user must know of a sample of stars in which there may be others than members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from veldist._support.arrays import Floats, Ints
from veldist._support.threads import one_thread
from veldist.fits.stars import Stars, read_bins
from veldist.models.detection import FEWEST_MEMBERS, Detection, detect
from veldist.models.losvd.memberships import Memberships

__all__ = [
    "describe_bins",
    "describe_contamination",
    "describe_detection",
    "describe_members",
    "describe_stars",
    "find_contamination",
]

# Stars that are named.
_NAMED = 8
# Below this probability of being no member nobody is named.
_LIKELY = 0.5
# Student's t of membership probabilities against velocities that is beyond chance in any number of bins.
_DEPENDENT = 5.0


def find_contamination(vel: Floats, err: Floats) -> Detection | None:
    """As `veldist.models.detection.detect`, on one thread."""
    with one_thread():
        return detect(vel, err)


def describe_contamination(vel: Floats, err: Floats) -> str | None:
    """What is to be said of stars that are fitted as if all were members; None if nothing is."""
    found = find_contamination(vel, err)
    return None if found is None else describe_detection(found, vel, err)


def describe_members(stars: Stars, members: Memberships | None) -> list[str]:
    """What is doubtful of members that were fitted beside contaminants; nothing where there are none."""
    if members is None or stars.contaminant is None:
        return []
    doubts = []
    if members.dependence > _DEPENDENT:
        doubts.append(
            "the membership probabilities fall with the distance from the members' velocity, by more than "
            f"who is a member explains (t = {members.dependence:.1f}). They seem to hold the velocities "
            "already, which then count twice, and there are too many members: pass probabilities from "
            "positions, colours or metallicities alone. Or the contaminant is not as the non-members are."
        )
    if not stars.contaminant.any():
        doubts.append(
            f"the contaminant has no density at any of the {stars.n_stars} stars, which are all members for "
            "that: if it should explain some of them, widen it, or check its units."
        )
    if members.evidence < 0.0:
        doubts.append(
            f"the velocities do not show that any of the {stars.n_stars} stars is a member (log evidence "
            f"ratio {members.evidence:.1f}; {members.number.mean():.0f} members in the mean): this LOSVD is "
            "hardly more than its prior. Make larger bins, or pass membership probabilities."
        )
    return doubts


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
