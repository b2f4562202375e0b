"""One fit as bytes and back: the file of `KinematicSolver.save` and the record of a bin in a store.

The format is NumPy's ``.npz`` without pickled objects: one array for every array of the fit, named by its
path (``posterior.prior.scales``), and ``header``, JSON with all the rest. Reading runs no code of the
file, and every array carries a checksum. The draws on the velocity grid are not stored: they follow from the
coefficients in milliseconds.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from veldist._support.files import write_whole
from veldist._version import __version__
from veldist.fits.fit import Fit
from veldist.fits.grid import VelocityGrid
from veldist.fits.shapes import KNOWN, Declared, check_shapes
from veldist.fits.stars import Stars
from veldist.models.losvd.model import LosvdPosterior

__all__ = ["DamagedRecordError", "pack", "read_file", "unpack", "verify", "write_file"]

_FORMAT = "veldist solver"
_VERSION = 1
_HEADER = "header"
_PARTS = ("num_samples", "grid", "stars", "posterior", "draws", "clipped")


# That of a fit with a thousand warnings.
_LARGEST_HEADER = 10_000_000


class DamagedRecordError(ValueError):
    """A stored solver is incomplete or its checksum is wrong."""


class _NotAFitError(ValueError):
    """A file that is something else, or of a newer format."""


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
    header, arrays = _open(data, name)
    try:
        fit = Fit(
            stars=_part(Stars, header, "stars", arrays),
            grid=_part(VelocityGrid, header, "grid", arrays),
            posterior=_part(LosvdPosterior, header, "posterior", arrays),
            num_samples=int(header["num_samples"]),
            draws=_part(None, header, "draws", arrays),
            clipped=_part(None, header, "clipped", arrays),
        )
        _check_values(fit)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"{name} was written by veldist {header.get('veldist')} and lacks or has other parts than this "
            f"version expects ({type(error).__name__}: {error}): read it with that version."
        ) from error
    return fit, header


def verify(data: bytes, name: str) -> dict[str, Any]:
    """The header of a record whose checksums are right; raises as `unpack`."""
    return _open(data, name)[0]


def _open(data: bytes, name: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Header and arrays of a record: shapes are compared before anything large is read, then checksums."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        if data[:2] == b"PK":
            raise DamagedRecordError(f"{name} is cut off: fit again, or copy the file again.")
        raise ValueError(
            f"{name} is no solver saved by veldist: pass a file that KinematicSolver.save wrote."
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
            first = members.pop(_HEADER, None)
            text = b"" if first is None or first.file_size > _LARGEST_HEADER else archive.read(first)
            header = _read_header(text, name)
            # What is not known is not looked at.
            known = {path: info for path, info in members.items() if path in KNOWN}
            declared = {path: _declared(archive, info) for path, info in known.items()}
            wrong = [path for path in KNOWN if (path in known) != _promised(header, path)]
            if wrong:
                raise ValueError(f"header and arrays disagree on {', '.join(wrong)}")
            check_shapes(declared, int(header["num_samples"]))
            return header, {path: _read_array(archive.read(info)) for path, info in known.items()}
    except _NotAFitError:
        raise
    # Damaged lengths and flags make zipfile raise nearly anything.
    except Exception as error:
        raise DamagedRecordError(
            f"{name} is damaged ({type(error).__name__}: {error}): fit again, or copy the file again."
        ) from error


def _promised(header: dict[str, Any], path: str) -> bool:
    """Whether a header says that there is an array."""
    entry: Any = header
    for key in path.split("."):
        if not isinstance(entry, dict) or key not in entry:
            return False
        entry = entry[key]
    return entry is None


def _declared(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Declared:
    """Shape and type that an array says it has, which must be all that its member holds."""
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = read[version](member)
        n_bytes = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or info.file_size != member.tell() + n_bytes:
            raise ValueError(f"{info.filename} holds something else than {shape} of {dtype}")
    return shape, dtype


def _check_values(fit: Fit) -> None:
    """What shapes do not tell."""
    if fit.posterior is None:
        return
    frame, inner = fit.posterior.frame, fit.posterior.posterior
    if not (math.isfinite(frame.location) and 0.0 < frame.scale < math.inf):
        raise ValueError(f"a frame at {frame.location} of scale {frame.scale}")
    labels, names = len(inner.prior.labels), len(inner.diagnostics.quantities)
    if labels != inner.prior.n_components or names != inner.diagnostics.ess.size:
        raise ValueError(f"{labels} labels of components and {names} names of quantities")
    if inner.component.min() < 0 or inner.component.max() >= labels:
        raise ValueError("draws of components that there are not")


def write_file(fit: Fit, path: str | os.PathLike[str]) -> None:
    """Write a fit to a file, which is complete or, if anything goes wrong, what it was before."""
    write_whole(Path(path), pack(fit), durable=True)


def read_file(path: str | os.PathLike[str]) -> Fit:
    """Read a file of `write_file`; raises as `unpack`, and `OSError` if there is no such file."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory: veldist.load() reads the store of a map.")
    return unpack(path.read_bytes(), str(path))[0]


def _read_array(member: bytes) -> NDArray[Any]:
    return np.lib.format.read_array(io.BytesIO(member), allow_pickle=False)


def _read_header(member: bytes, name: str) -> dict[str, Any]:
    try:
        header = json.loads(bytes(_read_array(member)))
        if header["format"] != _FORMAT:
            raise KeyError
        version = int(header["format_version"])
    except (KeyError, TypeError, ValueError, EOFError, UnicodeError):
        raise _NotAFitError(
            f"{name} is no solver saved by veldist: pass a file that KinematicSolver.save wrote."
        ) from None
    if version > _VERSION:
        raise _NotAFitError(
            f"{name} has format {version}, written by veldist {header.get('veldist')}; this version reads up "
            f"to format {_VERSION}: install that version or a newer one."
        )
    lacking = [part for part in _PARTS if part not in header]
    if lacking:
        raise _NotAFitError(
            f"{name} was written by veldist {header.get('veldist')} and lacks {lacking}, which this version "
            "expects: read it with that version."
        )
    return header


def _encode(value: Any, path: str, arrays: dict[str, NDArray[Any]]) -> Any:
    """JSON of a value; its arrays go to ``arrays`` by their path, and leave a null behind."""
    if isinstance(value, np.ndarray):
        arrays[path] = value
        return None
    if is_dataclass(value):
        members = {field.name: getattr(value, field.name) for field in fields(value)}
        # A null would stand for an array.
        value = {name: member for name, member in members.items() if member is not None}
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
            ours = next((k for k in (kind, *get_args(kind)) if isinstance(k, type) and is_dataclass(k)), None)
            if ours is not None and value is not None:
                value = _decode(ours, value, key, arrays)
            values[name] = tuple(value) if isinstance(value, list) else value
    return cls(**values)


@cache
def _parts(cls: Any) -> tuple[tuple[str, Any, bool], ...]:
    """Name, type and necessity of the fields of a dataclass. Types come from our code, never from a file."""
    hints = get_type_hints(cls)
    return tuple(
        (f.name, hints[f.name], f.default is MISSING and f.default_factory is MISSING) for f in fields(cls)
    )
