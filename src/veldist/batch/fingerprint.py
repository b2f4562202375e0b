"""What a batch of fits depends on, in a form that can be stored and compared later."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass
from functools import partial
from typing import Any

import numpy as np

from veldist._support import validate
from veldist.fits.stars import read_bin
from veldist.inference import Settings
from veldist.models.losvd.basis import named_prior
from veldist.solver import KinematicSolver

__all__ = ["describe_changes", "describe_settings", "digest_bins"]

_DIGEST_SIZE = 16

# `KinematicSolver.run` takes it and does nothing with it; the number of draws is `num_samples`.
_WITHOUT_EFFECT = {"run_kwargs": ("num_warmup",), "run_kwargs.settings": ("n_draws",)}


def describe_settings(
    grid_kwargs: dict[str, Any],
    run_kwargs: dict[str, Any],
    seed: int,
    min_stars: int,
    population: dict[str, Any],
) -> dict[str, Any]:
    """Everything but the stars that decides the results, defaults filled in, as JSON can hold it.

    Parameters
    ----------
    grid_kwargs, run_kwargs : dict
        Arguments of `KinematicSolver.setup_grid` and, without the seed, of `KinematicSolver.run`.
    seed, min_stars : int
        As for `veldist.fit_all_bins`.
    population : dict
        Arguments of `veldist.fits.stars.Stars.read` that all bins share. A user's own contaminant is known by
        its density at the stars (`digest_bins`).
    """
    parameters = inspect.signature(KinematicSolver.run).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.name not in ("self", "seed")}
    run = defaults | run_kwargs
    run["gpu"] = bool(run["gpu"])
    run["settings"] = run["settings"] or Settings()
    run["prior"] = named_prior(run["prior"])
    grid = {
        "center": validate.to_float(grid_kwargs["center"], "center", "km/s"),
        "width": validate.to_float(grid_kwargs["width"], "width", "km/s"),
        "n_bins": int(grid_kwargs["n_bins"]),
    }
    described = {
        "grid_kwargs": grid,
        "run_kwargs": _plain(run, "run_kwargs"),
        "seed": int(seed),
        "min_stars": int(min_stars),
    }
    for name, value in population.items():
        described[name] = _plain(value, name) if is_dataclass(value) else type(value).__qualname__
    return described


def _plain(value: Any, path: str) -> Any:
    """The value in terms of JSON; a callable by the name under which it can be imported."""
    if isinstance(value, np.generic):
        value = value.item()
    if is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, dict):
        ignored = _WITHOUT_EFFECT.get(path, ())
        return {key: _plain(item, f"{path}.{key}") for key, item in value.items() if key not in ignored}
    if isinstance(value, list | tuple):
        return [_plain(item, path) for item in value]
    return _name(value) if callable(value) else value


def _name(function: Callable[..., Any]) -> str:
    if isinstance(function, partial):
        return f"partial({_name(function.func)}, {function.args!r}, {function.keywords!r})"
    name = getattr(function, "__qualname__", None)
    if name is not None and "<" in name:
        raise ValueError(
            f"{function.__module__}.{name} has no name by which a store could tell it from others: define it "
            "at the top of a module."
        )
    return repr(function) if name is None else f"{function.__module__}.{name}"


def digest_bins(bins: Sequence[dict[str, Any]], population: dict[str, Any]) -> list[str | None]:
    """Digest of the stars of every bin, and of what is known of them; None where they cannot be read."""
    digests: list[str | None] = []
    for data in bins:
        try:
            stars = read_bin(data, population)
        except (TypeError, ValueError):
            # Fitting this bin will say what is wrong. Once it is put right, any stars will do.
            digests.append(None)
            continue
        known = (stars.vel, stars.err, stars.membership, stars.contaminant, stars.errors)
        content = b"".join(array.tobytes() for array in known if array is not None)
        digests.append(hashlib.blake2b(content, digest_size=_DIGEST_SIZE).hexdigest())
    return digests


def describe_changes(old: Any, new: Any, path: str = "") -> list[str]:
    """Which entries of nested dictionaries changed, from what to what: ``["seed: 1 -> 2"]``."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = [*old, *(key for key in new if key not in old)]
        nested = [
            describe_changes(old.get(key, "absent"), new.get(key, "absent"), f"{path}.{key}".lstrip("."))
            for key in keys
        ]
        return [line for lines in nested for line in lines]
    return [] if old == new else [f"{path}: {old!r} -> {new!r}"]
