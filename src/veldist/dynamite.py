"""Input files for DYNAMITE: those names of `veldist.export` that concern it."""

from __future__ import annotations

from veldist.export.config_snippet import dynamite_config_snippet
from veldist.export.dynamite import write_dynamite_kinematics
from veldist.export.dynamite_files import DynamiteFiles
from veldist.export.dynamite_gauss_hermite import write_dynamite_gauss_hermite
from veldist.export.dynamite_kinematics import DynamiteKinematics
from veldist.export.dynamite_reader import read_dynamite_kinematics
from veldist.export.validate import validate_dynamite_inputs

__all__ = [
    "DynamiteFiles",
    "DynamiteKinematics",
    "dynamite_config_snippet",
    "read_dynamite_kinematics",
    "validate_dynamite_inputs",
    "write_dynamite_gauss_hermite",
    "write_dynamite_kinematics",
]
