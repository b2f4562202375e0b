"""Likelihoods of many fits, evaluated together where the backend is: on a GPU, say.

The fits run in lockstep (see `veldist.execution.lockstep`): each stops where it needs a likelihood, and
`Server` answers as many of them as it can with one padded call. All that grows with the number of stars is
done there, of the search for the modes as of the sampling; random numbers and decisions stay where they are,
so that a fit takes the same course as it does alone, but for rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Array
from veldist.inference import batched
from veldist.inference.evaluator import Curvature
from veldist.inference.likelihood import Likelihood

__all__ = ["Backend", "Caller", "Request", "Server"]

# Points evaluated in one call per bin: one for the pilot's mode, some for all components', many for chains.
# There are few shapes to compile. A larger number of points is done in several calls.
_POINTS = (1, 16, 64, 512)
# Elements of the ratios that are kept on the device for one call: 1 GB in single precision.
_MAX_ELEMENTS = 2**28
# When no more than this fraction of the slots are still in use, the rest is loaded into fewer.
_USED = 0.125


def _identity(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


class Backend:
    """An array library, and where it keeps its arrays.

    Parameters
    ----------
    asarray : callable
        Makes an array of a NumPy array, of the same precision.
    compile : callable
        Makes a function faster, for arguments of the shapes it was last called with at least.
    context : callable
        Context manager to call functions in.
    """

    def __init__(
        self,
        asarray: Callable[[NDArray[Any]], Array] = np.asarray,
        compile: Callable[[Callable[..., Any]], Callable[..., Any]] = _identity,
        context: Callable[[], AbstractContextManager[Any]] = nullcontext,
    ) -> None:
        self.asarray = asarray
        self.context = context
        self._functions = {
            kind: compile(getattr(batched, kind))
            for kind in ("log_likelihood", "value_and_gradient", "curvature")
        }

    def call(self, kind: str, those: batched.Stack, *arrays: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        """Results of a function of `veldist.inference.batched` as NumPy arrays."""
        # A step that overflows has no density and is refused: no reason for NumPy to warn.
        with np.errstate(over="ignore", invalid="ignore", divide="ignore", under="ignore"):
            result = self._functions[kind](those, *(self.asarray(a) for a in arrays))
        return tuple(np.asarray(a) for a in (result if isinstance(result, tuple) else (result,)))


class Request(NamedTuple):
    """What a fit wants to know."""

    stage: int  # how many likelihoods the fit had asked about before this one
    kind: str  # name of the function in `veldist.inference.batched`
    likelihood: Likelihood
    delta: NDArray[Any]  # (C, K)
    psi: NDArray[Any] | None  # (K, p)


class Caller:
    """A `veldist.inference.Evaluator` that passes the work on.

    Parameters
    ----------
    ask : callable
        Returns the answer to a `Request`.
    """

    def __init__(self, ask: Callable[[Request], tuple[NDArray[Any], ...]]) -> None:
        self._ask = ask
        self._stage = -1
        self._last: Likelihood | None = None

    def evaluate(self, likelihood: Likelihood, delta: Array, with_gradient: bool) -> tuple[Array, Array]:
        """As `Likelihood.value_and_gradient`."""
        kind = "value_and_gradient" if with_gradient else "log_likelihood"
        answer = self._ask(self._request(kind, likelihood, delta, None))
        return answer[0], answer[-1]

    def curvature(self, likelihood: Likelihood, delta: Array, psi: Array) -> Curvature:
        """As `Likelihood.curvature`."""
        return Curvature(*self._ask(self._request("curvature", likelihood, delta, psi)))

    def _request(self, kind: str, likelihood: Likelihood, delta: Array, psi: Array | None) -> Request:
        if likelihood is not self._last:
            self._stage, self._last = self._stage + 1, likelihood
        return Request(self._stage, kind, likelihood, delta, psi)


class _Loaded(NamedTuple):
    """Likelihoods on the device, and which fit's is in which slot."""

    slots: dict[int, int]
    arrays: batched.Stack

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.arrays.ratio.shape


# The order in which requests are answered: fits that are ahead wait, so that all are soon at the same point.
_ORDER = ("log_likelihood", "value_and_gradient", "curvature")


class Server:
    """Answers requests of many fits with few calls of a backend.

    Parameters
    ----------
    backend : Backend
        Where to do the arithmetic.
    max_elements : int
        Bound on the elements of the padded ratio matrices of one call.
    """

    def __init__(self, backend: Backend, max_elements: int = _MAX_ELEMENTS) -> None:
        self._backend = backend
        self._max_elements = max_elements
        self._key: tuple[int, str] | None = None
        self._loaded: list[_Loaded] = []

    def serve(self, pending: Mapping[int, Request]) -> dict[int, tuple[NDArray[Any], ...]]:
        """Answers to some of the requests, at least one: to those of the fits that are farthest behind.

        Parameters
        ----------
        pending : mapping of int to Request
            By the fit's number, which is the same in all calls.
        """
        keys = {k: (r.stage, str(r.likelihood.ratio.dtype), _ORDER.index(r.kind)) for k, r in pending.items()}
        first = min(keys.values())
        group = {k: pending[k] for k, key in keys.items() if key == first}
        answers: dict[int, tuple[NDArray[Any], ...]] = {}
        with self._backend.context():
            self._load(first[:2], group)
            for loaded in self._loaded:
                there = {k: group[k] for k in loaded.slots if k in group}
                if there:
                    answers |= self._answer(loaded, there)
        return answers

    def _load(self, key: tuple[int, str], group: Mapping[int, Request]) -> None:
        """Bring the likelihoods of these fits to the device, unless they are there."""
        if key == self._key:
            n_slots = sum(loaded.shape[0] for loaded in self._loaded)
            covered = all(any(k in loaded.slots for loaded in self._loaded) for k in group)
            if covered and (len(group) > _USED * n_slots or n_slots == 1):
                return
        self._key, self._loaded = key, []
        # Alike in size are those that share a call: little is padded.
        waiting = sorted(group, key=lambda k: -group[k].likelihood.ratio.shape[0])
        while waiting:
            n_rows, n_cells = group[waiting[0]].likelihood.ratio.shape
            n_rows = _round_up(n_rows)
            n_cells = _multiple(max(group[k].likelihood.ratio.shape[1] for k in waiting), 16)
            room = max(1, self._max_elements // (n_rows * n_cells))
            n_slots = min(_power(len(waiting)), _power(room + 1) // 2)
            chosen, waiting = waiting[:n_slots], waiting[n_slots:]
            arrays = batched.stack([group[k].likelihood for k in chosen], n_slots, n_rows, n_cells)
            placed = batched.Stack(*(None if a is None else self._backend.asarray(a) for a in arrays))
            self._loaded.append(_Loaded({k: slot for slot, k in enumerate(chosen)}, placed))

    def _answer(self, loaded: _Loaded, group: Mapping[int, Request]) -> dict[int, tuple[NDArray[Any], ...]]:
        """Answers to requests of one kind."""
        n_points = max(r.delta.shape[0] for r in group.values())
        n_together = next((n for n in _POINTS if n >= n_points), _POINTS[-1])
        kind = next(iter(group.values())).kind
        basis = self._basis(loaded, group)
        pieces: dict[int, list[tuple[NDArray[Any], ...]]] = {k: [] for k in group}
        dtype = next(iter(group.values())).likelihood.ratio.dtype
        for start in range(0, n_points, n_together):
            delta = np.zeros((loaded.shape[0], n_together, loaded.shape[2]), dtype=dtype)
            parts = {k: r.delta[start : start + n_together] for k, r in group.items()}
            for k, part in parts.items():
                delta[loaded.slots[k], : part.shape[0], : part.shape[1]] = part
            results = self._backend.call(kind, loaded.arrays, delta, *basis)
            for k, part in parts.items():
                if part.shape[0]:
                    psi = group[k].psi
                    width = part.shape[1] if psi is None else psi.shape[1]
                    pieces[k].append(_cut(results, loaded.slots[k], part.shape[0], width))
        return {k: _join(several) for k, several in pieces.items()}

    def _basis(self, loaded: _Loaded, group: Mapping[int, Request]) -> tuple[NDArray[Any], ...]:
        """The bases of all slots, (B, K, p), padded with zeros; nothing where none is needed."""
        bases = {k: r.psi for k, r in group.items() if r.psi is not None}
        if not bases:
            return ()
        n_basis = _multiple(max(psi.shape[1] for psi in bases.values()), 8)
        n_slots, _, n_cells = loaded.shape
        psi = np.zeros((n_slots, n_cells, n_basis), dtype=next(iter(bases.values())).dtype)
        for k, one in bases.items():
            psi[loaded.slots[k], : one.shape[0], : one.shape[1]] = one
        return (psi,)


def _cut(results: Sequence[NDArray[Any]], slot: int, n_points: int, width: int) -> tuple[NDArray[Any], ...]:
    """One fit's part of the padded results."""
    return tuple(a[(slot, slice(n_points)) + (slice(width),) * (a.ndim - 2)].copy() for a in results)


def _join(pieces: list[tuple[NDArray[Any], ...]]) -> tuple[NDArray[Any], ...]:
    if len(pieces) == 1:
        return pieces[0]
    return tuple(np.concatenate(parts) for parts in zip(*pieces, strict=True))


def _power(n: int) -> int:
    """Smallest power of two that is not below ``n`` >= 1."""
    return 1 << (n - 1).bit_length()


def _round_up(n: int) -> int:
    """Smallest number 2^k or 3 2^k, at least 24, that is not below ``n``: there are few shapes to compile."""
    power = _power(max(n, 32))
    return 3 * power // 4 if n <= 3 * power // 4 else power


def _multiple(n: int, of: int) -> int:
    return -(-n // of) * of
