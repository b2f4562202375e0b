"""The part of a DYNAMITE configuration file that names exported kinematics, and what these data need.

Keys and values follow the configuration files that come with DYNAMITE (Jethwa, Thater, Maindl & van de Ven
2020, ascl:2011.007).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from veldist._support.validate import check_count

__all__ = ["dynamite_config_snippet"]

_TYPES = ("BayesLOSVD", "GaussHermite")


def dynamite_config_snippet(
    folder: str | os.PathLike[str] | None = None,
    *,
    type: str | None = None,
    kin_filename: str | None = None,
    aperture_filename: str = "aperture.dat",
    bins_filename: str = "bins.dat",
    set_number: int = 1,
) -> str:
    """The YAML block for the user's configuration of DYNAMITE.

    Parameters
    ----------
    folder : path-like, optional
        Where `veldist.write_dynamite_kinematics` or `veldist.export.write_dynamite_gauss_hermite` wrote:
        the type of kinematics is taken from the table, whose velocity range goes into a comment.
    type : {"BayesLOSVD", "GaussHermite"}, optional
        Type of kinematics; "BayesLOSVD", or what the table holds, by default.
    kin_filename, aperture_filename, bins_filename : str
        Names of the files; ``kin_filename`` is "bayes_losvd_kins.ecsv" or "gauss_hermite_kins.ecsv" by
        default.
    set_number : int
        Number of the kinematic set, from 1.

    Returns
    -------
    str
        YAML. Put ``kinematics`` under the visible component, and merge the other two blocks with yours.

    Raises
    ------
    FileNotFoundError
        If the table is not in ``folder``.
    ValueError
        If ``type`` is neither of the two, or is not what the table holds.

    Notes
    -----
    Histogram LOSVDs need DYNAMITE's own NNLS weight solver: the legacy one knows Gauss-Hermite kinematics
    only. The comparison of kinematic maps, ``kinmapchi2``, is for these, too: models of histograms are ranked
    by ``kinchi2``.
    """
    import yaml

    if type is not None and type not in _TYPES:
        raise ValueError(f"type must be one of {list(_TYPES)}, got {type!r}.")
    number = check_count(set_number, "set_number", 1)
    names = {"BayesLOSVD": "bayes_losvd_kins.ecsv", "GaussHermite": "gauss_hermite_kins.ecsv"}
    comment: list[str] = []
    if folder is not None:
        candidates = [kin_filename] if kin_filename else [names[t] for t in ([type] if type else _TYPES)]
        paths = [Path(folder, name) for name in candidates]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise FileNotFoundError(
                f"'{folder}' holds no {' nor '.join(candidates)}: name the table with kin_filename, or write "
                "it first."
            )
        found, comment = _describe(path)
        comment += [
            f"{other.name} lies beside it and is not used"
            for other in paths
            if other != path and other.is_file()
        ]
        if type not in (None, found):
            raise ValueError(f"type is {type!r}, but '{path}' holds {found} kinematics.")
        type, kin_filename = found, path.name
    type = type or "BayesLOSVD"
    kinematics = {
        f"set{number}": {
            "weight": 1.0,
            "type": type,
            "datafile": kin_filename or names[type],
            "aperturefile": aperture_filename,
            "binfile": bins_filename,
            "hist_width": "default",
            "hist_center": "default",
            "hist_bins": "default",
        }
    }
    blocks: list[tuple[str, dict[str, Any]]] = [
        ("system_components: <visible component>:", {"kinematics": kinematics})
    ]
    if type == "BayesLOSVD":
        blocks += [
            (
                "histograms need this solver",
                {"weight_solver_settings": {"type": "NNLS", "nnls_solver": "scipy"}},
            ),
            (
                "kinmapchi2 is for Gauss-Hermite kinematics",
                {"parameter_space_settings": {"which_chi2": "kinchi2"}},
            ),
        ]
    lines = [f"# {line}" for line in comment]
    for title, content in blocks:
        lines += [f"# {title}", yaml.safe_dump(content, sort_keys=False, indent=4).rstrip()]
    return "\n".join(lines) + "\n"


def _describe(path: Path) -> tuple[str, list[str]]:
    """Type of the kinematics in a table, and what to say of it."""
    from astropy.table import Table

    table = Table.read(path, format="ascii.ecsv")
    meta: dict[str, Any] = table.meta
    psf = meta.get("PSF", {})
    said = [
        f"{len(table)} bins of {path.name}; PSF sigma {psf.get('sigma')} arcsec, weights {psf.get('weight')}"
    ]
    if "losvd_0" not in table.colnames:
        return "GaussHermite", said
    center, dv = list(meta["vcent"]), float(meta["dv"])
    low, high = min(center) - 0.5 * dv, max(center) + 0.5 * dv
    said.append(f"{meta['nvbins']} velocity bins of {dv:g} km/s, {low:g} to {high:g} km/s, 0 being systemic")
    return "BayesLOSVD", said
