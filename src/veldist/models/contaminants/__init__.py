"""Stars that are no members: how their velocities are distributed, and what is left for the members."""

from veldist.models.contaminants.density import Contaminant, ContaminantDensity
from veldist.models.contaminants.frame import MemberFrame, member_frame
from veldist.models.contaminants.member import Member
from veldist.models.contaminants.uniform import UniformContaminant

__all__ = ["Contaminant", "ContaminantDensity", "Member", "MemberFrame", "UniformContaminant", "member_frame"]
