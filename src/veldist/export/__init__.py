"""Files for the codes that model the LOSVDs, and readers and checks of such files.

DYNAMITE first (`veldist.export.dynamite`, `veldist.export.validate`); AGAMA's Forstand, JAM and GravSphere;
FITS maps.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from veldist.export.agama import write_agama_forstand
    from veldist.export.aperture_files import read_aperture, read_bins
    from veldist.export.aperture_plot import plot_aperture
    from veldist.export.apertures import ApertureBins, aperture_and_bins
    from veldist.export.config_snippet import dynamite_config_snippet
    from veldist.export.covariance import EffectiveErrors, effective_errors, write_losvd_covariance
    from veldist.export.dynamite import write_dynamite_kinematics
    from veldist.export.dynamite_files import DynamiteFiles
    from veldist.export.dynamite_gauss_hermite import write_dynamite_gauss_hermite
    from veldist.export.dynamite_kinematics import DynamiteKinematics
    from veldist.export.dynamite_reader import read_dynamite_kinematics
    from veldist.export.fits_maps import write_fits_maps
    from veldist.export.gravsphere import RadialProfile, radial_profile, write_gravsphere_profile
    from veldist.export.jam import write_jam_table
    from veldist.export.validate import Problem, validate_dynamite_inputs

__all__ = [
    "ApertureBins",
    "DynamiteFiles",
    "DynamiteKinematics",
    "EffectiveErrors",
    "Problem",
    "RadialProfile",
    "aperture_and_bins",
    "dynamite_config_snippet",
    "effective_errors",
    "plot_aperture",
    "radial_profile",
    "read_aperture",
    "read_bins",
    "read_dynamite_kinematics",
    "validate_dynamite_inputs",
    "write_agama_forstand",
    "write_dynamite_gauss_hermite",
    "write_dynamite_kinematics",
    "write_fits_maps",
    "write_gravsphere_profile",
    "write_jam_table",
    "write_losvd_covariance",
]

# Names are imported when first used: some of the modules take longer.
_HOME = {
    "ApertureBins": "apertures",
    "DynamiteFiles": "dynamite_files",
    "DynamiteKinematics": "dynamite_kinematics",
    "EffectiveErrors": "covariance",
    "Problem": "validate",
    "RadialProfile": "gravsphere",
    "aperture_and_bins": "apertures",
    "dynamite_config_snippet": "config_snippet",
    "effective_errors": "covariance",
    "plot_aperture": "aperture_plot",
    "radial_profile": "gravsphere",
    "read_aperture": "aperture_files",
    "read_bins": "aperture_files",
    "read_dynamite_kinematics": "dynamite_reader",
    "validate_dynamite_inputs": "validate",
    "write_agama_forstand": "agama",
    "write_dynamite_gauss_hermite": "dynamite_gauss_hermite",
    "write_dynamite_kinematics": "dynamite",
    "write_fits_maps": "fits_maps",
    "write_gravsphere_profile": "gravsphere",
    "write_jam_table": "jam",
    "write_losvd_covariance": "covariance",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"veldist.export.{_HOME[name]}"), name)
    raise AttributeError(f"module 'veldist.export' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
