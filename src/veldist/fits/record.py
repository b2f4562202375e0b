"""One solver as bytes and back: the file of `KinematicSolver.save` and the record of a bin in a store.

The format is NumPy's ``.npz`` without pickled objects: one array for every array of the solver, named by its
path (``posterior.prior.scales``), and ``header``, JSON with all the rest. Reading runs no code of the
file, and every array carries a checksum. The draws on the velocity grid are not stored: they follow from the
coefficients in milliseconds.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
import zipfile
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from veldist.models.losvd.model import LosvdPosterior

if TYPE_CHECKING:
    from veldist.solver import KinematicSolver

__all__ = ["DamagedRecordError", "pack", "read_file", "unpack", "write_file"]

_FORMAT = "veldist solver"
_VERSION = 1
_HEADER = "header"


class DamagedRecordError(ValueError):
    """A stored solver is incomplete or its checksum is wrong."""


def pack(solver: KinematicSolver) -> bytes:
    """All that a solver holds as bytes; the same solver gives the same bytes."""
    from veldist._version import __version__

    arrays: dict[str, NDArray[Any]] = {}
    grid = solver.grid
    header = {
        "format": _FORMAT,
        "format_version": _VERSION,
        "veldist": __version__,
        "num_samples": solver._num_samples,
        "grid": None if grid is None else _encode(grid, "grid", arrays),
        "stars": _encode({"vel": solver.vel, "err": solver.err}, "stars", arrays),
        "clipped": None
        if solver.clipped_samples is None
        else _encode(solver.clipped_samples, "clipped", arrays),
        "posterior": None if solver.posterior is None else _encode(solver.posterior, "posterior", arrays),
    }
    text = json.dumps(header).encode()
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{_HEADER: np.frombuffer(text, dtype=np.uint8)}, **arrays)
    return file.getvalue()


def unpack(data: bytes, name: str) -> KinematicSolver:
    """The solver that `pack` turned into bytes.

    Parameters
    ----------
    data : bytes
        The record.
    name : str
        What to call it in messages.

    Raises
    ------
    DamagedRecordError
        If the record is incomplete or changed.
    ValueError
        If it is no solver, or one of a newer format.
    """
    from veldist.solver import KinematicSolver

    if not zipfile.is_zipfile(io.BytesIO(data)):
        if data[:2] == b"PK":
            raise DamagedRecordError(f"{name} is cut off: fit again, or copy the file again.")
        raise ValueError(
            f"{name} is no solver saved by veldist: pass a file that KinematicSolver.save wrote."
        )
    members = _read_members(data, name)
    header = _read_header(members.pop(_HEADER, b""), name)
    arrays = {key: _read_array(member, f"{key} in {name}") for key, member in members.items()}
    try:
        solver = KinematicSolver()
        if header["grid"] is not None:
            solver.grid = _decode_dict(header["grid"], "grid", arrays)
        stars = _decode_dict(header["stars"], "stars", arrays)
        solver.vel, solver.err = stars["vel"], stars["err"]
        if header["posterior"] is not None:
            solver.posterior = _decode(LosvdPosterior, header["posterior"], "posterior", arrays)
        if header["clipped"] is not None:
            solver.clipped_samples = _decode_dict(header["clipped"], "clipped", arrays)
        solver._num_samples = int(header["num_samples"])
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{name} was written by veldist {header.get('veldist')} and lacks or has other parts than this "
            f"version expects ({type(error).__name__}: {error}): read it with that version."
        ) from error
    return solver


def write_file(solver: KinematicSolver, path: str | os.PathLike[str]) -> None:
    """Write a solver to a file, which is complete or, if anything goes wrong, what it was before."""
    path = Path(path)
    data = pack(solver)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp makes files that nobody else can read; the user's own rule is what open() would apply.
        mask = os.umask(0)
        os.umask(mask)
        Path(temporary).chmod(0o666 & ~mask)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_file(path: str | os.PathLike[str]) -> KinematicSolver:
    """Read a file of `write_file`; raises as `unpack`, and `OSError` if there is no such file."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory: veldist.load() reads the store of a map.")
    return unpack(path.read_bytes(), str(path))


def _read_members(data: bytes, name: str) -> dict[str, bytes]:
    """Contents by name of array, their checksums compared before anything in them is interpreted."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {member.removesuffix(".npy"): archive.read(member) for member in archive.namelist()}
    # Damaged lengths and flags make zipfile raise nearly anything.
    except Exception as error:
        raise DamagedRecordError(
            f"{name} is damaged ({type(error).__name__}: {error}): fit again, or copy the file again."
        ) from error


def _read_array(member: bytes, name: str) -> NDArray[Any]:
    try:
        return np.lib.format.read_array(io.BytesIO(member), allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"{name} is no array of numbers: {error}") from error


def _read_header(member: bytes, name: str) -> dict[str, Any]:
    try:
        header = json.loads(bytes(_read_array(member, name)))
        if header["format"] != _FORMAT:
            raise KeyError
        version = int(header["format_version"])
    except (KeyError, TypeError, ValueError):
        raise ValueError(
            f"{name} is no solver saved by veldist: pass a file that KinematicSolver.save wrote."
        ) from None
    if version > _VERSION:
        raise ValueError(
            f"{name} has format {version}, written by veldist {header.get('veldist')}; this version reads up "
            f"to format {_VERSION}: install that version or a newer one."
        )
    return header


def _encode(value: Any, path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """JSON of a value; its arrays go to ``arrays`` by their path, and leave a null behind."""
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return None
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, dict):
        return {key: _encode(item, f"{path}.{key}", arrays) for key, item in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _decode_dict(encoded: dict[str, Any], path: str, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    return {key: arrays.get(f"{path}.{key}", value) for key, value in encoded.items()}


def _decode(cls: type, encoded: dict[str, Any], path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """A dataclass of ours from its JSON and arrays."""
    values = {}
    for name, kind, required in _parts(cls):
        key = f"{path}.{name}"
        if key in arrays:
            values[name] = arrays[key]
        elif name in encoded or required:
            value = encoded[name]
            if isinstance(kind, type) and is_dataclass(kind) and value is not None:
                value = _decode(kind, value, key, arrays)
            values[name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


@cache
def _parts(cls: Any) -> tuple[tuple[str, Any, bool], ...]:
    """Name, type and necessity of the fields of a dataclass. Types come from our code, never from a file."""
    hints = get_type_hints(cls)
    return tuple(
        (f.name, hints[f.name], f.default is MISSING and f.default_factory is MISSING) for f in fields(cls)
    )
