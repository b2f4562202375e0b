"""One fit as bytes and back: the file of `KinematicSolver.save` and the record of a bin in a store.

The format is NumPy's ``.npz`` without pickled objects: one array for every array of the fit, named by its
path (``posterior.prior.scales``), and ``header``, JSON with all the rest. Reading runs no code of the
file, and every array carries a checksum. The draws on the velocity grid are not stored: they follow from the
coefficients in milliseconds.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_type_hints

import numpy as np
from numpy.typing import NDArray

from veldist._support.files import write_whole
from veldist._version import __version__
from veldist.fits.fit import Fit
from veldist.fits.grid import VelocityGrid
from veldist.fits.stars import Stars
from veldist.models.losvd.model import LosvdPosterior

__all__ = ["DamagedRecordError", "pack", "read_file", "unpack", "verify", "write_file"]

_FORMAT = "veldist solver"
_VERSION = 1
_HEADER = "header"


class DamagedRecordError(ValueError):
    """A stored solver is incomplete or its checksum is wrong."""


def pack(fit: Fit, *, compress: bool = False, **extra: Any) -> bytes:
    """All that a fit holds as bytes; the same fit gives the same bytes.

    Parameters
    ----------
    fit : Fit
        The fit.
    compress : bool
        Whether to take a little time for half of the size.
    **extra
        More entries of the header, as JSON can hold them.
    """
    arrays: dict[str, NDArray[Any]] = {}
    parts = {
        "grid": fit.grid,
        "stars": fit.stars,
        "posterior": fit.posterior,
        "draws": fit.draws,
        "clipped": fit.clipped,
    }
    header = extra | {
        "format": _FORMAT,
        "format_version": _VERSION,
        "veldist": __version__,
        "num_samples": fit.num_samples,
    }
    header |= {name: None if part is None else _encode(part, name, arrays) for name, part in parts.items()}
    arrays[_HEADER] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    file = io.BytesIO()
    # As numpy.savez, which has no choice of level.
    method = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", method, compresslevel=1) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    return file.getvalue()


def unpack(data: bytes, name: str) -> tuple[Fit, dict[str, Any]]:
    """The fit that `pack` turned into bytes, and its header.

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
    header, members = _open(data, name)
    arrays = {key: _read_array(member, f"{key} in {name}") for key, member in members.items()}
    try:
        fit = Fit(
            stars=_part(Stars, header, "stars", arrays),
            grid=_part(VelocityGrid, header, "grid", arrays),
            posterior=_part(LosvdPosterior, header, "posterior", arrays),
            num_samples=int(header["num_samples"]),
            draws=_part(None, header, "draws", arrays),
            clipped=_part(None, header, "clipped", arrays),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{name} was written by veldist {header.get('veldist')} and lacks or has other parts than this "
            f"version expects ({type(error).__name__}: {error}): read it with that version."
        ) from error
    return fit, header


def verify(data: bytes, name: str) -> dict[str, Any]:
    """The header of a record whose checksums are right; raises as `unpack`."""
    return _open(data, name)[0]


def _open(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Header and other members of a record, their checksums compared."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        if data[:2] == b"PK":
            raise DamagedRecordError(f"{name} is cut off: fit again, or copy the file again.")
        raise ValueError(
            f"{name} is no solver saved by veldist: pass a file that KinematicSolver.save wrote."
        )
    members = _read_members(data, name)
    return _read_header(members.pop(_HEADER, b""), name), members


def write_file(fit: Fit, path: str | os.PathLike[str]) -> None:
    """Write a fit to a file, which is complete or, if anything goes wrong, what it was before."""
    write_whole(Path(path), pack(fit), durable=True)


def read_file(path: str | os.PathLike[str]) -> Fit:
    """Read a file of `write_file`; raises as `unpack`, and `OSError` if there is no such file."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory: veldist.load() reads the store of a map.")
    return unpack(path.read_bytes(), str(path))[0]


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


def _part(cls: type | None, header: dict[str, Any], name: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """A part of a fit: an object of a dataclass of ours, or a dictionary of arrays."""
    encoded = header[name]
    if encoded is None:
        return None
    if cls is not None:
        return _decode(cls, encoded, name, arrays)
    return {key: arrays.get(f"{name}.{key}", value) for key, value in encoded.items()}


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
