"""Three files that appear together: a kinematics table, the aperture and the bin map of a DYNAMITE input."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from veldist._support.files import check_new, new_files
from veldist.export.dynamite.doubts import warn_misplaced
from veldist.export.dynamite.layout import VoronoiLayout
from veldist.export.dynamite.pixel_files import aperture_text, bins_text

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["DynamiteFiles", "check_paths", "write_files"]


@dataclass(frozen=True)
class DynamiteFiles:
    """Paths of the three files of one export.

    Parameters
    ----------
    kinematics : pathlib.Path
        Table of the kinematics (ECSV).
    aperture : pathlib.Path
        Geometry of the pixel grid.
    bins : pathlib.Path
        Row of the table that each pixel belongs to.
    """

    kinematics: Path
    aperture: Path
    bins: Path


def check_paths(output_dir: str | os.PathLike[str], *names: str, overwrite: bool) -> DynamiteFiles:
    """Join directory and file names.

    Parameters
    ----------
    output_dir : path-like
        Directory, which need not exist.
    *names : str
        Names of table, aperture and bin map.
    overwrite : bool
        Whether files may be replaced.

    Raises
    ------
    TypeError, ValueError
        If a name is no file name, or names collide.
    FileExistsError
        If files exist and may not be replaced.
    NotADirectoryError, IsADirectoryError
        If ``output_dir`` is a file, or a name is taken by a directory.
    """
    arguments = ("kin_filename", "aperture_filename", "bins_filename")
    for argument, name in zip(arguments, names, strict=True):
        if not isinstance(name, str):
            raise TypeError(f"{argument} must be a str, got {name!r}.")
        if name in ("", ".", "..") or Path(name).name != name:
            raise ValueError(
                f"{argument} must be a file name without a directory, got {name!r}: use output_dir."
            )
    if len(set(names)) != len(names):
        raise ValueError(f"{', '.join(arguments)} must differ from each other, got {list(names)}.")
    directory = Path(output_dir)
    paths = [directory / name for name in names]
    for path in paths:
        check_new(path, overwrite=True)
    there = [f"'{path}'" for path in paths if path.exists()]
    if there and not overwrite:
        raise FileExistsError(
            f"{' and '.join(there)} exist{'s' if len(there) == 1 else ''}: pass overwrite=True to replace, "
            "or choose another output_dir or other file names."
        )
    return DynamiteFiles(*paths)


def _warn_orphaned(paths: DynamiteFiles, layout: VoronoiLayout, stacklevel: int) -> None:
    """Warn if another table beside loses its pixel grid or bin map to this export.

    The numbers of rows may agree, so that neither DYNAMITE nor a check could tell.
    """
    changed = [
        f"'{path.name}'"
        for path, text in (
            (paths.aperture, aperture_text(layout.aperture)),
            (paths.bins, bins_text(layout.pixel_ids)),
        )
        if path.is_file() and path.read_text(encoding="utf-8", errors="replace") != text
    ]
    if not changed:
        return
    from veldist.export.checks.table import find_tables

    names = {path.name for path in (paths.kinematics, paths.aperture, paths.bins)}
    others = [f"'{path.name}'" for path in find_tables(paths.kinematics.parent, skip=names)]
    if others:
        warnings.warn(
            f"{' and '.join(changed)} in '{paths.kinematics.parent}' will be replaced by other contents, but "
            f"{', '.join(others)} there may belong to the old: rows would be taken for other bins. Export "
            "the same bins to both, or use another output_dir, or other aperture_filename and bins_filename.",
            stacklevel=stacklevel + 1,
        )


def write_files(paths: DynamiteFiles, table: Table, layout: VoronoiLayout, stacklevel: int) -> None:
    """Write all three files, or leave everything as it was; warn before of a layout that looks wrong.

    Parameters
    ----------
    paths : DynamiteFiles
        Where, from `check_paths`; the directory is made if it does not exist.
    table : astropy.table.Table
        The kinematics.
    layout : VoronoiLayout
        Pixels and their bins.
    stacklevel : int
        As for `warnings.warn`, counted from the caller.

    Warns
    -----
    UserWarning
        If most bin centres lie far from their own pixels, or another kinematics table beside would be left
        with a pixel grid or bin map not its own.
    """
    warn_misplaced(layout, stacklevel + 1)
    _warn_orphaned(paths, layout, stacklevel + 1)
    targets = [paths.kinematics, paths.aperture, paths.bins]
    with new_files(targets) as (kinematics, aperture, bins):
        table.write(kinematics, format="ascii.ecsv")
        aperture.write_text(aperture_text(layout.aperture), encoding="ascii")
        bins.write_text(bins_text(layout.pixel_ids), encoding="ascii")
