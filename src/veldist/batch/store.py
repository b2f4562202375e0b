"""A map's results on disk: every bin is kept as soon as it is fitted, whatever happens next.

A store is a Zarr group (a directory):

* ``bins/K``: the record of bin K (see `veldist.fits.record`), an array of bytes in one chunk with a checksum;
  its attribute ``warnings`` holds what was said during the fit.
* ``done``: one byte and one chunk per bin, 1 once the record is complete. It is written after the record, in
  a call of its own: a process may be killed between any two writes, and what has no flag is fitted again.
* ``digests``, ``n_stars`` and the group's attributes: what the results depend on.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from veldist._support.validate import name_first
from veldist._support.zarr_files import write_record, write_whole
from veldist._version import __version__
from veldist.batch.fingerprint import DIGEST_SIZE, describe_changes
from veldist.fits.record import DamagedRecordError, pack, unpack

if TYPE_CHECKING:
    from zarr import Array, Group

    from veldist.solver import KinematicSolver

__all__ = ["Inputs", "MapStore", "Note"]

Note = tuple[str, str]
"""Name of a warning's category, and its text."""

_FORMAT = "veldist map"
_VERSION = 1
# What Zarr and its codecs raise on files that are missing, cut off or changed.
_DAMAGE = (ValueError, KeyError, TypeError, RuntimeError, FileNotFoundError, NotADirectoryError)


class Inputs:
    """What the results of a batch depend on.

    Parameters
    ----------
    settings : dict
        As `veldist.batch.fingerprint.describe_settings` returns it.
    digests : ndarray, (n_bins, DIGEST_SIZE)
        As `veldist.batch.fingerprint.digest_bins` returns it.
    n_stars : sequence of int
        Number of stars of every bin.
    """

    def __init__(self, settings: dict[str, Any], digests: NDArray[np.uint8], n_stars: Sequence[int]) -> None:
        self.settings = settings
        self.digests = digests
        self.n_stars = np.asarray(n_stars, dtype=np.int64)


class MapStore:
    """The results of `veldist.fit_all_bins` in a directory.

    Parameters
    ----------
    path : str or path-like
        The directory, which must be a store.
    writable : bool
        Whether results will be added.

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    ValueError
        If it is no store, or one of a newer format.
    """

    def __init__(self, path: str | os.PathLike[str], *, writable: bool = False) -> None:
        import zarr
        from zarr.errors import GroupNotFoundError

        self.path = Path(path).absolute()
        if not self.path.exists():
            raise FileNotFoundError(f"there is no store at {self.path}.")
        try:
            self._group: Group = zarr.open_group(str(self.path), mode="r+" if writable else "r")
        except (GroupNotFoundError, OSError, ValueError, KeyError) as error:
            raise ValueError(_not_a_store(self.path)) from error
        attributes = self._group.attrs.asdict()
        if attributes.get("format") != _FORMAT:
            raise ValueError(_not_a_store(self.path))
        version = cast(int, attributes["format_version"])
        self.written_by = str(attributes["veldist"])
        # Another store may take the place of one that was removed.
        self.identity = str(attributes["identity"])
        if version > _VERSION:
            raise ValueError(
                f"the store {self.path} has format {version}, written by veldist {self.written_by}; this "
                f"version reads up to format {_VERSION}: install that version or a newer one."
            )
        self.settings = cast(dict[str, Any], attributes["settings"])
        self._done = self._array("done")
        self._bins = cast("Group", self._group["bins"])
        self.n_stars = np.asarray(self._array("n_stars")[:])
        self.wanted: NDArray[np.bool_] = self.n_stars >= self.settings["min_stars"]

    @classmethod
    def open(cls, path: str | os.PathLike[str], inputs: Inputs) -> MapStore:
        """The store of a batch: a new one, or the one there is if its inputs are the same.

        Raises
        ------
        TypeError
            If ``path`` is no path.
        ValueError
            If there is something else, or a store of other inputs: the message says which differ.

        Warns
        -----
        UserWarning
            If the store was begun with another version of veldist.
        """
        try:
            target = Path(path)
        except TypeError:
            raise TypeError(f"store must be a path, got {type(path).__name__}.") from None
        if not target.exists() or (target.is_dir() and not any(target.iterdir())):
            _create(target, inputs)
        store = cls(target, writable=True)
        store._refuse_changes(inputs)
        return store

    def _array(self, name: str) -> Array:
        return cast("Array", self._group[name])

    def done(self) -> NDArray[np.bool_]:
        """Which bins have been fitted, (n_bins,). A flag that cannot be read says nothing."""
        try:
            return np.asarray(self._done[:]) == 1
        except _DAMAGE:
            return np.array([self._flag(index) for index in range(self.n_stars.size)])

    def _flag(self, index: int) -> bool:
        try:
            return bool(self._done[index] == 1)
        except _DAMAGE:
            return False

    def write(self, index: int, solver: KinematicSolver, notes: Sequence[Note]) -> None:
        """Keep the result of a bin: first the record, then, when it is complete, its flag."""
        write_record(self.path / "bins" / str(index), pack(solver), {"warnings": [list(n) for n in notes]})
        write_whole(self.path / "done" / "c" / str(index), b"\x01")

    def forget(self, index: int) -> None:
        """Take back the flag of a bin."""
        self._done[index] = 0

    def read(self, index: int) -> tuple[KinematicSolver, list[Note]]:
        """Solver and warnings of a bin that is done.

        Raises
        ------
        DamagedRecordError
            If the record is not what was written.
        """
        data, notes = self._read(index)
        return unpack(data, self._name(index)), notes

    def verify(self, index: int) -> list[Note]:
        """Warnings of a bin that is done, after its checksum has been compared; raises as `read`."""
        return self._read(index)[1]

    def _name(self, index: int) -> str:
        return f"the record of bin {index} in the store {self.path}"

    def _read(self, index: int) -> tuple[bytes, list[Note]]:
        try:
            array = cast("Array", self._bins[str(index)])
            notes = [(str(a), str(b)) for a, b in cast(list[list[str]], array.attrs["warnings"])]
            data = np.asarray(array[:]).tobytes()
            # A chunk that is not there reads as zeros.
            if not data.startswith(b"PK"):
                raise ValueError("it is empty")
        except _DAMAGE as error:
            raise DamagedRecordError(
                f"{self._name(index)} is damaged ({type(error).__name__}: {error}): the call of fit_all_bins "
                "that made the store fits this bin again."
            ) from error
        return data, notes

    def _refuse_changes(self, inputs: Inputs) -> None:
        """Compare with the inputs that the store was made for."""
        changes = describe_changes(self.settings, inputs.settings)
        old, new = np.asarray(self._array("digests")[:]), inputs.digests
        if len(old) != len(new):
            changes.append(f"number of bins: {len(old)} -> {len(new)}")
        else:
            # Stars that could not be read were not fitted either: what replaces them is welcome.
            unknown = ~old.any(axis=1)
            differ = np.flatnonzero(np.any(old != new, axis=1) & ~unknown)
            if differ.size:
                changes.append(f"stars of {differ.size} of {len(old)} bins: {name_first(differ, 10)}")
        if changes:
            raise ValueError(
                f"the store {self.path} holds another fit (begun with veldist {self.written_by}). "
                "What differs:\n  "
                + "\n  ".join(changes)
                + "\nPass the same stars and settings to go on with it, or the path of a new store."
            )
        if np.any(old != new):
            self._array("digests")[:] = new
            self._array("n_stars")[:] = inputs.n_stars
            self.n_stars = inputs.n_stars
            self.wanted = self.n_stars >= self.settings["min_stars"]
        if self.written_by != __version__:
            warnings.warn(
                f"the store {self.path} was begun with veldist {self.written_by}; this is "
                f"{__version__}: bins fitted by the two may differ.",
                stacklevel=4,
            )


def _create(path: Path, inputs: Inputs) -> None:
    """Make an empty store, as a whole or not at all."""
    import zarr

    path = path.resolve()
    n_bins = inputs.n_stars.size
    path.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    try:
        group = zarr.open_group(str(workshop / "new"), mode="w", zarr_format=3)
        group.attrs.update(
            {
                "format": _FORMAT,
                "format_version": _VERSION,
                "veldist": __version__,
                "identity": uuid.uuid4().hex,
                "settings": inputs.settings,
            }
        )
        group.create_group("bins")
        group.create_array(
            "done", shape=(n_bins,), chunks=(1,), dtype=np.uint8, fill_value=0, compressors=None
        )
        digests = group.create_array(
            "digests", shape=(n_bins, DIGEST_SIZE), chunks=(n_bins, DIGEST_SIZE), dtype=np.uint8
        )
        digests[:] = inputs.digests
        n_stars = group.create_array("n_stars", shape=(n_bins,), chunks=(n_bins,), dtype=np.int64)
        n_stars[:] = inputs.n_stars
        (workshop / "new").replace(path)
    finally:
        shutil.rmtree(workshop, ignore_errors=True)


def _not_a_store(path: Path) -> str:
    return f"{path} is there and is no store of veldist: pass another path, or remove it."
