"""Which arrays a stored fit may hold, and how their shapes must agree."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["KNOWN", "Declared", "check_shapes"]

Declared = tuple[tuple[int, ...], np.dtype]
"""Shape and type of an array."""

# Axes by letter: stars N, velocity bins B, cells K, coefficients P, prior components G, chains C and rounds
# R, monitored quantities Q, draws without a posterior D, with one M; terms E
# of an error by their T numbers. Then the kinds of type.
KNOWN: dict[str, tuple[str, str]] = {
    "stars.vel": ("N", "f"),
    "stars.err": ("N", "f"),
    "stars.membership": ("N", "f"),
    "stars.contaminant": ("N", "f"),
    "stars.errors": ("E T", "f"),
    "grid.edges": ("B+1", "f"),
    "draws.intrinsic_pdf": ("D B", "f"),
    "draws.outside_grid": ("D", "f"),
    "clipped.losvd_median": ("B", "f"),
    "clipped.losvd_uncertainty": ("B", "f"),
    "clipped.floored": ("B", "b"),
    "clipped.floor": ("B", "f"),
    "clipped.floor_fraction": ("", "f"),
    "clipped.abs_floor": ("", "f"),
    "posterior.cells.edges": ("K+1", "f"),
    "posterior.members.fraction": ("M", "f"),
    "posterior.members.number": ("M", "f"),
    "posterior.members.probability": ("N", "f"),
    "posterior.posterior.coefficients": ("C R P", "f"),
    "posterior.posterior.component": ("C R", "iu"),
    "posterior.posterior.psi": ("K P", "f"),
    "posterior.posterior.log_base": ("K", "f"),
    "posterior.posterior.prior.mean": ("G P", "f"),
    "posterior.posterior.prior.scales": ("G P", "f"),
    "posterior.posterior.prior.log_weights": ("G", "f"),
    "posterior.posterior.prior.is_null": ("G", "b"),
    "posterior.posterior.diagnostics.ess": ("Q", "f"),
    "posterior.posterior.diagnostics.rhat": ("Q", "f"),
    "posterior.posterior.diagnostics.component_log_evidence": ("G", "f"),
    "posterior.posterior.diagnostics.component_probability": ("G", "f"),
}
"""Axes and kinds of the arrays, by their path."""

# More draws than were asked for are kept, but not many more.
_MOST_DRAWS, _SPARE = 2, 4096


def check_shapes(declared: Mapping[str, Declared], num_samples: int) -> None:
    """Check arrays before any of them is read.

    Parameters
    ----------
    declared : mapping of str to (tuple of int, dtype)
        Shape and type of every array that is there, by its path.
    num_samples : int
        Draws that are reported.

    Raises
    ------
    ValueError
        If an array is of another kind, or two of them disagree on an axis.
    """
    sizes: dict[str, tuple[int, str]] = {}
    for path, (shape, dtype) in declared.items():
        axes, kinds = KNOWN[path]
        names = axes.split()
        if len(shape) != len(names) or dtype.kind not in kinds:
            raise ValueError(f"{path} is of shape {shape} and type {dtype}")
        for name, size in zip(names, shape, strict=True):
            letter, size = name[0], size - (len(name) > 1)
            known, where = sizes.setdefault(letter, (size, path))
            if size != known or size < 1:
                raise ValueError(f"{path} of shape {shape} does not fit {where}")
    if "C" in sizes:
        n_draws = sizes["C"][0] * sizes["R"][0]
        if not 1 <= num_samples <= n_draws <= _MOST_DRAWS * num_samples + _SPARE:
            raise ValueError(f"{n_draws} draws do not fit num_samples = {num_samples}")
        if sizes.get("M", (n_draws, ""))[0] != n_draws:
            raise ValueError(f"member fractions of {sizes['M'][0]} draws for {n_draws} draws")
