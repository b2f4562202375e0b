"""The solvers of a map that live in a store: read when they are looked at, not before."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload
from weakref import WeakValueDictionary

import numpy as np

from veldist._support.validate import name_first
from veldist.batch.store import MapStore
from veldist.solver import KinematicSolver

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["SolverMap", "load"]


class SolverMap(Sequence[KinematicSolver | None]):
    """Solvers in a store, one per bin, None where a bin was skipped or is not yet done. Read only.

    A solver is read when it is asked for and forgotten when nobody holds it any longer, so that maps may be
    larger than the memory. What is done to a solver changes no store: keep the solver itself, or save it.

    Parameters
    ----------
    path : str or path-like
        The store.
    indices : array_like of int, optional
        The bins, in this order; all by default.

    Attributes
    ----------
    path : Path
        The store.
    """

    def __init__(self, path: str | os.PathLike[str], indices: Any = None) -> None:
        self._store = MapStore(path)
        self._indices: NDArray[np.intp] = (
            np.arange(self._store.n_stars.size) if indices is None else np.asarray(indices, dtype=np.intp)
        )
        self._done = self._store.done() & self._store.wanted
        self._held: WeakValueDictionary[int, KinematicSolver] = WeakValueDictionary()

    @property
    def path(self) -> Path:
        """The store."""
        return self._store.path

    @property
    def fitted(self) -> NDArray[np.bool_]:
        """Which of the solvers are there, shape (n_bins,), without reading them: False where one is None."""
        return self._done[self._indices]

    @property
    def unfinished(self) -> list[int]:
        """Bins of the store, by index, that have enough stars and are not done."""
        return np.flatnonzero(self._store.wanted & ~self._done).tolist()

    def __repr__(self) -> str:
        return f"<SolverMap: {int(self.fitted.sum())} of {len(self)} bins, {self.path}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self._indices)

    def __len__(self) -> int:
        return self._indices.size

    @overload
    def __getitem__(self, item: int) -> KinematicSolver | None: ...
    @overload
    def __getitem__(self, item: slice) -> SolverMap: ...
    def __getitem__(self, item: int | slice) -> KinematicSolver | SolverMap | None:
        if isinstance(item, slice):
            return SolverMap(self.path, self._indices[item])
        index = int(self._indices[item])
        if not self._done[index]:
            return None
        solver = self._held.get(index)
        if solver is None:
            solver, _ = self._store.read(index)
            self._held[index] = solver
        return solver


def load(path: str | os.PathLike[str]) -> KinematicSolver | SolverMap:
    """Read what `KinematicSolver.save` or `veldist.fit_all_bins` with a store has written.

    Parameters
    ----------
    path : str or path-like
        A file of a solver, or the directory of a store.

    Returns
    -------
    KinematicSolver or SolverMap
        The solver; or a sequence with one solver per bin, None where a bin was skipped or is not yet done.

    Raises
    ------
    OSError
        If there is nothing at ``path``.
    ValueError
        If it is something else, is damaged, or is of a newer format.

    Warns
    -----
    UserWarning
        If bins of a store are not yet done.
    """
    if not Path(path).is_dir():
        return KinematicSolver.load(path)
    solvers = SolverMap(path)
    missing = solvers.unfinished
    if missing:
        warnings.warn(
            f"{len(missing)} of {int(solvers._store.wanted.sum())} bins in {path} are not done and are None: "
            f"{name_first(missing)}. The call of fit_all_bins that made the store fits them.",
            stacklevel=2,
        )
    return solvers
