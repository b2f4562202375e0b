"""Wall time and peak memory of the stages of a computation, by watching named functions from outside."""

from __future__ import annotations

import functools
import importlib
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["OTHER", "StageClock", "peak_memory", "reset_peak_memory"]

OTHER = "other"
_STATUS, _CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")
# What Linux takes as "forget the peak" (proc(5)).
_RESET_PEAK = "5"


def peak_memory() -> int | None:
    """Largest resident memory (bytes) since `reset_peak_memory`; None where the system does not tell.

    ``resource.getrusage`` will not do: a process inherits that peak from the one that started it.
    """
    try:
        lines = _STATUS.read_text().splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        return None


def reset_peak_memory() -> bool:
    """Let the peak be the present memory; False where the system does not allow it."""
    try:
        _CLEAR_REFS.write_text(_RESET_PEAK)
    except OSError:
        return False
    return True


class StageClock:
    """Context in which calls of named functions are accounted to stages.

    A function called by another counts for its own stage and not for the caller's; what happens outside all
    of them is ``"other"``. The stages' times therefore add up to the time spent in the context.

    Parameters
    ----------
    stages : mapping of str to sequence of str
        Functions of every stage, as ``"module:name"`` or ``"module:Class.name"``. The name must be the one
        that the caller looks up.
    memory : bool
        Whether to watch the memory, too. That costs about 0.1 ms per call.

    Attributes
    ----------
    seconds : dict of str to float
        Wall time of each stage.
    cpu : dict of str to float
        Processor time (s) of each stage: less than the wall time where others use the machine.
    peak : dict of str to int
        Largest resident memory (bytes) of the process during each stage; empty if it is not watched.
    calls : dict of str to int
        How often each function was called.
    """

    def __init__(self, stages: Mapping[str, Sequence[str]], memory: bool = False) -> None:
        self._functions = {path: stage for stage, paths in stages.items() for path in paths}
        self._memory = memory and reset_peak_memory() and peak_memory() is not None
        self._undo: list[tuple[Any, str, Any]] = []
        self._stack: list[str] = []
        self._since = self._cpu_since = 0.0
        self.seconds: dict[str, float] = dict.fromkeys([*stages, OTHER], 0.0)
        self.cpu = dict(self.seconds)
        self.peak: dict[str, int] = {}
        self.calls: dict[str, int] = dict.fromkeys(self._functions, 0)

    def __enter__(self) -> StageClock:
        """Watch.

        Raises
        ------
        AttributeError, ImportError
            If a function or its module does not exist: it was renamed, and the stages must follow.
        """
        try:
            for path, stage in self._functions.items():
                self._watch(path, stage)
        except (AttributeError, ImportError):
            self._restore()
            raise
        if self._memory:
            reset_peak_memory()
        self._stack = [OTHER]
        self._since, self._cpu_since = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *exception: object) -> None:
        self._account()
        self._stack = []
        self._restore()

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        """Account what is in the block to one of the stages."""
        self._account()
        self._stack.append(name)
        try:
            yield
        finally:
            self._account()
            self._stack.pop()

    def check_called(self, but: Sequence[str] = ()) -> None:
        """Raise `RuntimeError` if a function, ``but`` these, was never called: its stage would seem free."""
        idle = [path for path, count in self.calls.items() if count == 0 and path not in but]
        if idle:
            raise RuntimeError(f"never called: {', '.join(idle)}. Who does the work now? Change the stages.")

    def _account(self) -> None:
        """What has happened since the last call goes to the innermost stage."""
        now, cpu, stage = time.perf_counter(), time.process_time(), self._stack[-1]
        self.seconds[stage] += now - self._since
        self.cpu[stage] += cpu - self._cpu_since
        if self._memory:
            self.peak[stage] = max(self.peak.get(stage, 0), peak_memory() or 0)
            reset_peak_memory()
        self._since, self._cpu_since = time.perf_counter(), time.process_time()

    def _watch(self, path: str, stage: str) -> None:
        module, _, dotted = path.partition(":")
        owner: Any = importlib.import_module(module)
        *parents, name = dotted.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        # Without the binding of class and static methods, which must be put back as they were.
        try:
            original = vars(owner)[name]
        except KeyError:
            raise AttributeError(f"{path} does not exist (any more): change the stages.") from None
        if isinstance(original, classmethod | staticmethod):
            watched: Any = type(original)(self._wrap(original.__func__, path, stage))
        else:
            watched = self._wrap(original, path, stage)
        self._undo.append((owner, name, original))
        setattr(owner, name, watched)

    def _wrap(self, function: Callable[..., Any], path: str, stage: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.calls[path] += 1
            with self.stage(stage):
                return function(*args, **kwargs)

        return watched

    def _restore(self) -> None:
        while self._undo:
            owner, name, original = self._undo.pop()
            setattr(owner, name, original)
