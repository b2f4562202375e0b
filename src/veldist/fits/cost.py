"""What the draws of a fit take in memory, told before the fit."""

from __future__ import annotations

import warnings

from veldist._support.memory import memory_size

__all__ = ["check_cost", "size_of_fit"]

# Peaks of memory as they were measured, in numbers a draw. Draws on the grid are there three times while
# error bars are made of them, six times while all summaries are.
_FIT, _SUMMARIES = 3, 6
# So many draws are made, however few are asked for.
_LEAST = 1000
# Coefficients and cells; twice as many with more than 5,000 stars.
_LATENT = 250
# Beyond this share of the memory users are told.
_MUCH = 0.5


def check_cost(
    num_samples: int, n_bins: int, processes: int = 1, *, summaries: bool = False, stacklevel: int = 2
) -> None:
    """Check that this machine can hold the draws of a fit.

    Parameters
    ----------
    num_samples : int
        Posterior draws.
    n_bins : int
        Velocity bins.
    processes : int
        How many fits there are at a time.
    summaries : bool
        Whether summaries are made at once.
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
    need = size_of_fit(num_samples, n_bins, summaries)
    if size is None or processes * need <= _MUCH * size:
        return
    what = (
        f"num_samples = {num_samples} draws on n_bins = {n_bins} velocity bins take {need / 1e9:.3g} GB "
        f"of memory, and there are {size / 1e9:.3g} GB"
    )
    if need > size:
        raise ValueError(f"{what}: pass fewer of them.")
    cure = "pass fewer of them."
    if processes > 1:
        what = what.replace("of memory,", f"of memory in each of {processes} processes,")
        cure = "pass fewer of them, or a smaller n_jobs."
    warnings.warn(f"{what}: {cure}", stacklevel=stacklevel)


def size_of_fit(num_samples: int, n_bins: int, summaries: bool = False) -> int:
    """Bytes that a fit takes while it is made; parameters are those of `check_cost`."""
    return 8 * max(num_samples, _LEAST) * ((_SUMMARIES if summaries else _FIT) * n_bins + _LATENT)
