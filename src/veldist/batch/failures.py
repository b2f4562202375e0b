"""What is raised when a batch does not come to its end, with the results of what was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from veldist._support import validate
from veldist._support.memory import LESS_MEMORY, memory_ran_out
from veldist.solver import KinematicSolver

__all__ = ["BatchError", "BatchInterrupted", "Solvers"]

Solvers = Sequence[KinematicSolver | None]
"""One solver for each spatial bin, None where a bin was skipped."""


class BatchError(RuntimeError):
    """Some bins failed; the results of all others are kept here.

    Attributes
    ----------
    solvers : sequence
        Solvers of the bins, as `fit_all_bins` returns them; None where skipped or failed.
    failures : dict of int to Exception
        What went wrong in which bin.
    """

    def __init__(self, solvers: Solvers, failures: dict[int, BaseException]) -> None:
        # Bins that failed in the same way are told together.
        same: dict[str, list[int]] = {}
        for k, error in sorted(failures.items()):
            same.setdefault(f"{type(error).__name__}: {error}", []).append(k)
        lines = [
            f"  bin{'s' if len(bins) > 1 else ''} {validate.name_first(bins)}: {text}"
            for text, bins in same.items()
        ]
        shown = lines[:10] + ([f"  ... and {len(lines) - 10} more messages"] if len(lines) > 10 else [])
        cure = "\n" + LESS_MEMORY if any(map(memory_ran_out, failures.values())) else ""
        super().__init__(
            f"{len(failures)} of {len(solvers)} bins failed; the results of the others are in the "
            "attribute `solvers` of this exception:\n" + "\n".join(shown) + cure
        )
        self.solvers = solvers
        self.failures = failures

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.solvers, self.failures)


class BatchInterrupted(KeyboardInterrupt):
    """Ctrl-C stopped a batch; what was done is kept here.

    Attributes
    ----------
    solvers : sequence
        Solvers of the bins, as `fit_all_bins` returns them; None where skipped or not done.
    """

    def __init__(self, message: str, solvers: Solvers) -> None:
        super().__init__(message)
        self.solvers = solvers

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.solvers)
