"""Input files for DYNAMITE: those names of `veldist.export` that concern it."""

from __future__ import annotations

from veldist.export.checks.folder import validate_dynamite_inputs
from veldist.export.dynamite.config import dynamite_config_snippet
from veldist.export.dynamite.files import DynamiteFiles
from veldist.export.dynamite.kinematics import DynamiteKinematics
from veldist.export.dynamite.read import read_dynamite_kinematics
from veldist.export.dynamite.write_gauss_hermite import write_dynamite_gauss_hermite
from veldist.export.dynamite.write_losvds import write_dynamite_kinematics

__all__ = [
    "DynamiteFiles",
    "DynamiteKinematics",
    "dynamite_config_snippet",
    "read_dynamite_kinematics",
    "validate_dynamite_inputs",
    "write_dynamite_gauss_hermite",
    "write_dynamite_kinematics",
]
