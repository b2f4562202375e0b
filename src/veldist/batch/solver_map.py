"""The bins of a map that live in a store: read when they are looked at, not before."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from veldist._support.validate import name_first
from veldist.batch.store import MapStore, open_store
from veldist.fits.fit import Fit
from veldist.solver import KinematicSolver

__all__ = ["FitMap", "SolverMap", "load"]


class FitMap(Sequence[Fit | None]):
    """Fits in a store, one per bin, None where a bin was skipped or is not yet done.

    Nothing is kept: a fit is read whenever it is asked for.

    Parameters
    ----------
    store : MapStore
        The store.
    indices : ndarray of int, optional
        The bins, in this order; all by default.
    done : ndarray of bool, optional
        Which bins of the store are done; looked up by default.
    """

    def __init__(
        self,
        store: MapStore,
        indices: NDArray[np.intp] | None = None,
        done: NDArray[np.bool_] | None = None,
    ) -> None:
        self._store = store
        self._indices = np.arange(store.n_stars.size) if indices is None else indices
        self._done = store.done() & store.wanted if done is None else done

    @property
    def path(self) -> Path:
        """The store's directory."""
        return self._store.path

    @property
    def fits(self) -> FitMap:
        """Itself: a map of fits can be passed where solvers are expected."""
        return self

    @property
    def settings(self) -> dict[str, Any]:
        """What the store was made with."""
        return self._store.settings

    @property
    def fitted(self) -> NDArray[np.bool_]:
        """Which of the fits are there, (n_bins,), without reading them."""
        return self._done[self._indices]

    @property
    def unfinished(self) -> list[int]:
        """Bins of the store, by index, that have enough stars and are not done."""
        return np.flatnonzero(self._store.wanted & ~self._done).tolist()

    def __len__(self) -> int:
        return self._indices.size

    def __reduce__(self) -> tuple[Any, ...]:
        # Whoever gets it need not look up what is done: a map of many bins is sent with every few of them.
        return _open_map, (str(self.path), self._store.identity, self._indices, self._done)

    @overload
    def __getitem__(self, item: int) -> Fit | None: ...
    @overload
    def __getitem__(self, item: slice) -> FitMap: ...
    def __getitem__(self, item: int | slice) -> Fit | FitMap | None:
        if isinstance(item, slice):
            return FitMap(self._store, self._indices[item], self._done)
        index = int(self._indices[item])
        return self._store.read(index)[0] if self._done[index] else None


def _open_map(path: str, identity: str, indices: NDArray[np.intp], done: NDArray[np.bool_]) -> FitMap:
    return FitMap(open_store(path, identity), indices, done)


class SolverMap(Sequence[KinematicSolver | None]):
    """Solvers in a store, one per bin, None where a bin was skipped or is not yet done. Read only.

    A solver is read when it is asked for and forgotten when nobody holds it any longer, so that maps may be
    larger than the memory. What is done to a solver changes no store: keep the solver itself, or save it.

    Parameters
    ----------
    fits : FitMap
        The bins.

    Attributes
    ----------
    fits : FitMap
        The bins as records.
    """

    def __init__(self, fits: FitMap) -> None:
        self.fits = fits
        self._held: WeakValueDictionary[int, KinematicSolver] = WeakValueDictionary()

    @property
    def path(self) -> Path:
        """The store."""
        return self.fits.path

    @property
    def fitted(self) -> NDArray[np.bool_]:
        """Which of the solvers are there, shape (n_bins,), without reading them: False where one is None."""
        return self.fits.fitted

    @property
    def unfinished(self) -> list[int]:
        """Bins of the store, by index, that have enough stars and are not done."""
        return self.fits.unfinished

    def __repr__(self) -> str:
        return f"<SolverMap: {int(self.fitted.sum())} of {len(self)} bins, {self.path}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.fits,)

    def __len__(self) -> int:
        return len(self.fits)

    @overload
    def __getitem__(self, item: int) -> KinematicSolver | None: ...
    @overload
    def __getitem__(self, item: slice) -> SolverMap: ...
    def __getitem__(self, item: int | slice) -> KinematicSolver | SolverMap | None:
        if isinstance(item, slice):
            return SolverMap(self.fits[item])
        place = range(len(self))[item]
        solver = self._held.get(place)
        if solver is None:
            fit = self.fits[place]
            if fit is None:
                return None
            solver = self._held[place] = KinematicSolver.from_fit(fit)
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
        If it is something else, is damaged, or is of another format.

    Warns
    -----
    UserWarning
        If bins of a store are not yet done.
    """
    if not Path(path).is_dir():
        return KinematicSolver.load(path)
    store = MapStore(path)
    solvers = SolverMap(FitMap(store))
    missing = solvers.unfinished
    if missing:
        warnings.warn(
            f"{len(missing)} of {int(store.wanted.sum())} bins in {path} are not done and are None: "
            f"{name_first([k + 1 for k in missing])} (counted from 1). The call of fit_all_bins that made "
            "the store fits them.",
            stacklevel=2,
        )
    return solvers
