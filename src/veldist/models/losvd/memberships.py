"""What a fit beside contaminants says of its stars."""

from __future__ import annotations

from dataclasses import dataclass

from veldist._support.arrays import Floats

__all__ = ["Memberships"]


@dataclass(frozen=True)
class Memberships:
    """Which of the stars are members."""

    # (draws,): Member fraction of the population that the stars are a sample of, in every draw; with
    # probabilities of membership, the mean of those, with the odds of the draw.
    fraction: Floats
    number: Floats  # (draws,): number of members among the stars, in every draw
    probability: Floats  # (N,): posterior probability of each star to be a member
    # Student's t of how the log odds known beforehand grow with the log ratio of the members' density to the
    # contaminants', beyond what the share of members explains; 0 where nothing is known.
    dependence: float = 0.0
    # Natural logarithm of the ratio of the evidences with members and without any, less that for having
    # looked for them everywhere.
    evidence: float = 0.0
