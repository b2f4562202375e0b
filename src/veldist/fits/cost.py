"""What the draws of a fit take in memory, told before the fit."""

from __future__ import annotations

import warnings

from veldist._support.memory import memory_size

__all__ = ["check_cost"]

# Arrays of draws on the grid, or of latent coefficients, that are there at a time.
_COPIES = 4
# Latent coefficients of a draw.
_COEFFICIENTS = 100
# Beyond this share of the memory users are told.
_MUCH = 0.5


def check_cost(num_samples: int, n_bins: int, processes: int = 1, stacklevel: int = 2) -> None:
    """Check that this machine can hold the draws of a fit.

    Parameters
    ----------
    num_samples : int
        Posterior draws.
    n_bins : int
        Velocity bins.
    processes : int
        How many fits there are at a time.
    stacklevel : int
        Of the warning, as in `warnings.warn`.

    Raises
    ------
    ValueError
        If not even one fit has room.

    Warns
    -----
    UserWarning
        If all together take more than half of the memory.
    """
    size = memory_size()
    need = 8 * _COPIES * num_samples * (n_bins + _COEFFICIENTS)
    if size is None or processes * need <= _MUCH * size:
        return
    what = (
        f"num_samples = {num_samples} draws on n_bins = {n_bins} velocity bins take {need / 1e9:.3g} GB "
        f"of memory, and there are {size / 1e9:.3g} GB"
    )
    if need > size:
        raise ValueError(f"{what}: pass fewer of them.")
    if processes > 1:
        what = what.replace("of memory,", f"of memory in each of {processes} processes,")
    warnings.warn(f"{what}: pass fewer of them, or a smaller n_jobs.", stacklevel=stacklevel)
