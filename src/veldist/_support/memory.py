"""Too little memory: told in a sentence, whatever Python and the libraries make of it."""

from __future__ import annotations

import errno
import os

try:
    import resource
except ImportError:  # Windows
    resource = None

__all__ = ["LESS_MEMORY", "check_limit", "memory_ran_out", "memory_size"]

# What a process of NumPy, SciPy and this package takes at the least (bytes of addresses): with less, parts of
# them wait for ever for more, or end without a word.
_NEEDED = 340_000_000


LESS_MEMORY = "Memory ran out: pass a smaller n_jobs, or n_jobs=1, or free some."
"""What to do."""


def check_limit(needed: int = _NEEDED) -> None:
    """Check that this process, and those that it starts, may take as much memory as they need.

    Parameters
    ----------
    needed : int
        Bytes.

    Raises
    ------
    MemoryError
        If the limit on addresses (``ulimit -v``, which some batch systems set) is smaller.
    """
    if resource is None:
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if 0 <= limit < needed:
        raise MemoryError(
            f"memory is limited to {limit // 10**6} MB a process (ulimit -v), and {needed // 10**6} MB are "
            "needed at the least: raise the limit."
        )


def memory_ran_out(error: BaseException | None) -> bool:
    """Whether an exception, or one that it followed from, comes from a lack of memory."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if (
            isinstance(error, MemoryError)
            or (isinstance(error, OSError) and error.errno == errno.ENOMEM)
            or (isinstance(error, RuntimeError) and "can't start new thread" in str(error))
            # A library cannot be loaded.
            or (isinstance(error, ImportError) and "failed to map segment" in str(error))
            or (isinstance(error, ImportError) and "cannot allocate memory" in str(error).lower())
            # What Python makes of a second lack while it tells of the first.
            or (isinstance(error, SystemError) and "without exception set" in str(error))
        ):
            return True
        error = error.__cause__ or error.__context__
    return False


def memory_size() -> int | None:
    """Bytes that this process may take at the most, by the machine or its limit; None where unknown."""
    try:
        size = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    limit = -1 if resource is None else resource.getrlimit(resource.RLIMIT_AS)[0]
    return min(size, limit) if limit >= 0 else size
