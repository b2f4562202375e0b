"""A map's results on disk: every bin is kept as soon as it is fitted, whatever happens next.

A store is a directory:

* ``manifest.json``: what the results depend on: settings, and number and digest of the stars of every bin,
  with the expected number of members where it is another.
* ``bin_00001.npz``, ``bin_00002.npz``, ...: the record of a bin (see `veldist.fits.record`), counted from 1,
  readable by `numpy.load` and `veldist.KinematicSolver.load`. A file appears under its name when it is
  complete: a bin is done if its file is there.
"""

from __future__ import annotations

import json
import os
import uuid
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.files import write_whole
from veldist._support.validate import name_first
from veldist._version import __version__
from veldist.batch.fingerprint import describe_changes
from veldist.batch.writing import StoreWriteError, cannot_write, is_vacant, locked, remove_leftovers
from veldist.fits.fit import Fit
from veldist.fits.record import DamagedRecordError, pack, unpack, verify

__all__ = ["MANIFEST", "Inputs", "MapStore", "Note", "open_store"]

Note = tuple[str, str]
"""Name of a warning's category, and its text."""

MANIFEST = "manifest.json"
_FORMAT = "veldist map"
_VERSION = 2


@dataclass(frozen=True)
class Inputs:
    """What the results of a batch depend on."""

    settings: dict[str, Any]  # as `veldist.batch.fingerprint.describe_settings` returns it
    digests: list[str | None]  # as `veldist.batch.fingerprint.digest_bins` returns it
    n_stars: list[int]  # number of stars of every bin
    expected: list[float]  # its expected number of members, which says whether the bin is fitted


class MapStore:
    """The results of `veldist.fit_all_bins` in a directory.

    Parameters
    ----------
    path : str or path-like
        The directory, which must be a store.

    Attributes
    ----------
    path : Path
        The directory.
    identity : str
        Tells a store from another that takes its place.
    settings : dict
        All settings that the results depend on.
    n_stars : ndarray of int, (n_bins,)
        Number of stars of every bin.
    wanted : ndarray of bool, (n_bins,)
        Which bins have enough.
    written_by : str
        The version of veldist that began it.

    Raises
    ------
    FileNotFoundError
        If there is nothing.
    ValueError
        If it is no store, its manifest is damaged, or it is of another format.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path).absolute()
        self._problem: OSError | None = None
        if not self.path.exists():
            raise FileNotFoundError(f"there is no store at {self.path}.")
        inputs, manifest = _read_manifest(self.path)
        self._digests = inputs.digests
        self.identity = str(manifest["identity"])
        self.written_by = str(manifest["veldist"])
        self.settings = inputs.settings
        self.n_stars: NDArray[np.int64] = np.array(inputs.n_stars, dtype=np.int64)
        self.wanted: NDArray[np.bool_] = np.array(inputs.expected) >= self.settings["min_stars"]

    @classmethod
    @contextmanager
    def writing(cls, path: str | os.PathLike[str], inputs: Inputs) -> Generator[MapStore]:
        """The store of a batch, for this run alone: a new one, or an old one if its inputs are the same.

        Raises
        ------
        TypeError
            If ``path`` is no path.
        ValueError
            If there is something else, or a store of other inputs: the message says which differ.
        StoreInUseError
            If another run writes to it.
        StoreWriteError
            If a new one cannot be made.

        Warns
        -----
        UserWarning
            If the store was begun with another version of veldist.
        """
        try:
            target = Path(path).absolute()
        except TypeError:
            raise TypeError(f"store must be a path, got {type(path).__name__}.") from None
        if not is_vacant(target):
            # Nothing is written to what is no store.
            cls(target)
        with locked(target) as problem:
            remove_leftovers(target)
            if not (target / MANIFEST).exists():
                with _refusal_told(target):
                    _write_manifest(target, inputs, uuid.uuid4().hex, __version__)
            store = cls(target)
            store._refuse_changes(inputs)
            store._problem = problem
            try:
                yield store
            finally:
                remove_leftovers(target)

    def check_writable(self) -> None:
        """Raise `StoreWriteError` if it was found, when the store was opened, that nothing can be written."""
        if self._problem is not None:
            raise self.stopped(cannot_write(self.path, self._problem))

    def stopped(self, error: StoreWriteError) -> StoreWriteError:
        """The error with what is kept, and how to go on."""
        kept = "before the first bin"
        with suppress(OSError):
            if n_kept := np.sum(self.done() & self.wanted):
                kept = f"after {n_kept} of {np.sum(self.wanted)} bins; they are kept, the same call goes on"
        return StoreWriteError(f"stopped {kept}: {error}")

    def done(self) -> NDArray[np.bool_]:
        """Which bins have been fitted, (n_bins,)."""
        there = {entry.name for entry in os.scandir(self.path)}
        return np.array([_file(index) in there for index in range(self.n_stars.size)], dtype=bool)

    def write(self, index: int, fit: Fit, notes: Sequence[Note]) -> None:
        """Keep the result of a bin.

        Raises
        ------
        StoreWriteError
            If the store takes no more bins.
        """
        data = pack(fit, compress=True, map=self.identity, bin=index, warnings=[list(note) for note in notes])
        with _refusal_told(self.path):
            write_whole(self.path / _file(index), data)

    def forget(self, index: int) -> None:
        """Remove the record of a bin."""
        (self.path / _file(index)).unlink(missing_ok=True)

    def read(self, index: int) -> tuple[Fit, list[Note]]:
        """Fit and warnings of a bin that is done.

        Raises
        ------
        DamagedRecordError
            If the record is not what was written.
        """
        data = self._bytes(index)
        with _damage_told():
            fit, header = unpack(data, self._name(index))
        return fit, self._notes(index, header)

    def verify(self, index: int) -> list[Note]:
        """Warnings of a bin that is done, after its checksums have been compared; raises as `read`."""
        data = self._bytes(index)
        with _damage_told():
            header = verify(data, self._name(index))
        return self._notes(index, header)

    def _name(self, index: int) -> str:
        return f"the record of bin {index + 1} in the store {self.path}"

    def _bytes(self, index: int) -> bytes:
        try:
            return (self.path / _file(index)).read_bytes()
        except OSError as error:
            raise DamagedRecordError(
                f"{self._name(index)} cannot be read ({error}): the call of fit_all_bins that made the store "
                "fits this bin again."
            ) from error

    def _notes(self, index: int, header: dict[str, Any]) -> list[Note]:
        if (header.get("map"), header.get("bin")) != (self.identity, index):
            raise DamagedRecordError(
                f"{self._name(index)} is that of another bin or store: the call of fit_all_bins that made "
                "the store fits this bin again."
            )
        return [(str(category), str(text)) for category, text in header.get("warnings", ())]

    def _refuse_changes(self, inputs: Inputs) -> None:
        """Compare with the inputs that the store was made for."""
        changes = describe_changes(self.settings, inputs.settings)
        old, new = self._digests, inputs.digests
        if len(old) != len(new):
            changes.append(f"number of bins: {len(old)} -> {len(new)}")
        else:
            # Stars that could not be read were not fitted either: what replaces them is welcome.
            differ = [k for k, digest in enumerate(old) if digest is not None and digest != new[k]]
            if differ:
                changes.append(
                    f"stars of {len(differ)} of {len(old)} bins: {name_first([k + 1 for k in differ], 10)} "
                    "(counted from 1)"
                )
        if changes:
            raise ValueError(
                f"the store {self.path} holds another fit (begun with veldist {self.written_by}). "
                "What differs:\n  "
                + "\n  ".join(changes)
                + "\nPass the same stars and settings to go on with it, or the path of a new store."
            )
        if old != new:
            with _refusal_told(self.path):
                _write_manifest(self.path, inputs, self.identity, self.written_by)
            self.__init__(self.path)
        if self.written_by != __version__:
            warnings.warn(
                f"the store {self.path} was begun with veldist {self.written_by}; this is "
                f"{__version__}: bins fitted by the two may differ.",
                stacklevel=6,
            )


@lru_cache(maxsize=4)
def open_store(path: str, identity: str) -> MapStore:
    """The store at a path, opened once in this process; ``identity`` tells it from one in its place."""
    store = MapStore(path)
    if store.identity != identity:
        raise ValueError(f"the store {path} has been replaced by another: load it again.")
    return store


@contextmanager
def _refusal_told(path: Path) -> Generator[None]:
    """Say that the store cannot be written to, and the cure."""
    try:
        yield
    except OSError as error:
        # What the system has not refused concerns one file only.
        if error.errno is None:
            raise
        raise cannot_write(path, error) from error


@contextmanager
def _damage_told() -> Generator[None]:
    """Add the cure to whatever is wrong with a record."""
    try:
        yield
    except ValueError as error:
        raise DamagedRecordError(
            f"{error} The call of fit_all_bins that made the store fits this bin again."
        ) from error


def _file(index: int) -> str:
    return f"bin_{index + 1:05d}.npz"


def _write_manifest(path: Path, inputs: Inputs, identity: str, version: str) -> None:
    manifest = {
        "format": _FORMAT,
        "format_version": _VERSION,
        "veldist": version,
        "identity": identity,
        "settings": inputs.settings,
        "bins": [
            {"n_stars": int(n), "stars": digest} | ({} if expected == n else {"members": float(expected)})
            for n, digest, expected in zip(inputs.n_stars, inputs.digests, inputs.expected, strict=True)
        ],
    }
    write_whole(path / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())


def _read_manifest(path: Path) -> tuple[Inputs, dict[str, Any]]:
    try:
        text = (path / MANIFEST).read_bytes()
    except OSError as error:
        raise ValueError(
            f"{path} is there and is no store of veldist: pass another path, or remove it."
        ) from error
    version, written_by = _VERSION, ""
    try:
        manifest = json.loads(text)
        if manifest["format"] != _FORMAT:
            raise KeyError("format")
        version, written_by = int(manifest["format_version"]), manifest["veldist"]
        settings, bins = manifest["settings"], manifest["bins"]
        settings["min_stars"] = int(settings["min_stars"])
        digests = [None if entry["stars"] is None else str(entry["stars"]) for entry in bins]
        n_stars = [int(entry["n_stars"]) for entry in bins]
        expected = [float(entry.get("members", n)) for entry, n in zip(bins, n_stars, strict=True)]
        inputs = Inputs(settings, digests, n_stars, expected)
        _ = manifest["identity"]
    except (ValueError, KeyError, TypeError) as error:
        if version == _VERSION:
            raise ValueError(
                f"{path / MANIFEST} is damaged or no manifest of a map ({type(error).__name__}: {error}): "
                "copy it again, or pass the path of a new store."
            ) from error
    if version != _VERSION:
        raise ValueError(
            f"the store {path} has format {version}, written by veldist {written_by}; this version reads "
            f"format {_VERSION}: install that version, or pass the path of a new store."
        )
    return inputs, manifest
