"""Independent tasks on all cores: outcomes as they come, in spite of workers that die."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Any, Generic, TypeVar

from loky import cpu_count, get_reusable_executor

from veldist._support.validate import check_count

__all__ = ["Outcome", "check_jobs", "run_tasks"]

# Starting worker processes costs about a second: fewer tasks than this are done before they are up.
_MIN_TASKS_FOR_PROCESSES = 12
# Tasks travel together for about so long (s): on its own, each would cost the main process half a
# millisecond.
_MESSAGE_SECONDS = 0.1
# The last messages are small, so that all workers end at about the same time.
_LAST_MESSAGES = 4
# A pool of threads for each worker's linear algebra would cost start-up time and memory, and gain nothing.
_ONE_THREAD = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB", "NUMEXPR")
}

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of one task.

    Attributes
    ----------
    index : int
        Place of the task in the sequence.
    value : object
        What the function returned; None if it failed.
    error : BaseException or None
        What it raised, or why its process died.
    """

    index: int
    value: R | None
    error: BaseException | None = None


def check_jobs(n_jobs: int | None) -> int | None:
    """Number of worker processes: an integer of at least 1, or None for as many as are useful.

    Raises
    ------
    TypeError, ValueError
        As `veldist._support.validate.check_count`.
    """
    return None if n_jobs is None else check_count(n_jobs, "n_jobs", 1)


def run_tasks(
    function: Callable[[T], R], tasks: Sequence[T], n_jobs: int | None = None
) -> Generator[Outcome[R]]:
    """Yield the outcomes of ``function(task)`` in order of completion.

    A task that raises, or whose process dies, costs nothing but its own result. Ctrl-C kills the workers at
    once; so does closing the iterator.

    Parameters
    ----------
    function : callable
        Picklable (a function of a module, or a `functools.partial` of one) if processes are used.
    tasks : sequence
        Arguments, one each.
    n_jobs : int, optional
        Number of worker processes; all cores by default, and none for a handful of tasks.
    """
    if n_jobs is None:
        n_jobs = 1 if len(tasks) < _MIN_TASKS_FOR_PROCESSES else cpu_count()
    n_jobs = min(n_jobs, len(tasks))
    jobs = [_Job(k, task) for k, task in enumerate(tasks)]
    if n_jobs <= 1:
        for job in jobs:
            yield _do(function, job)
        return
    pool = _Pool(function, n_jobs)
    waiting = deque(jobs)
    suspects: list[_Job] = []
    try:
        while waiting:
            suspects += yield from pool.work_off(waiting)
        # One of the tasks under way when a process died killed it: each is tried again, alone.
        alone = _Pool(function, 1)
        for job in suspects:
            if (yield from alone.work_off(deque([job]))):
                reason = BrokenProcessPool("the worker process died twice on this task (out of memory?)")
                yield Outcome(job.index, None, reason)
    except (KeyboardInterrupt, GeneratorExit):
        _executor(n_jobs).shutdown(wait=False, kill_workers=True)
        raise


@dataclass(frozen=True)
class _Job:
    """One task as it travels to a worker process."""

    index: int
    task: Any


def _do(function: Callable[[Any], Any], job: _Job) -> Outcome[Any]:
    try:
        return Outcome(job.index, function(job.task))
    except Exception as error:
        return Outcome(job.index, None, error)


def _do_all(
    function: Callable[[Any], Any], jobs: Sequence[_Job], parent: int
) -> tuple[list[Outcome[Any]], float]:
    """Outcomes of the tasks of one message, and how long they took (s)."""
    start = time.perf_counter()
    outcomes = []
    for job in jobs:
        # Nobody waits for the rest if the main process was killed; its successor may be at the same work.
        if os.getppid() != parent:
            os._exit(1)
        outcomes.append(_do(function, job))
    return outcomes, time.perf_counter() - start


class _Pool:
    """Worker processes that do one function, and what is known of its speed."""

    def __init__(self, function: Callable[[Any], Any], n_jobs: int) -> None:
        self._function = function
        self._n_jobs = n_jobs
        self._seconds = _MESSAGE_SECONDS
        # Messages that could not be sent are taken apart, to find the task that is the reason.
        self._singly: set[int] = set()

    def work_off(self, waiting: deque[_Job]) -> Generator[Outcome[Any], None, list[_Job]]:
        """Work off the queue until it is empty or a worker dies; return the jobs then under way."""
        executor = _executor(self._n_jobs)
        running: dict[Future[Any], list[_Job]] = {}
        while waiting or running:
            # No more in the queue than keeps the workers busy: data travel when they are needed.
            while waiting and len(running) < 2 * self._n_jobs:
                jobs = self._take(waiting)
                try:
                    with _interrupts_held():
                        running[executor.submit(_do_all, self._function, jobs, os.getpid())] = jobs
                except BrokenProcessPool:
                    waiting.extendleft(reversed(jobs))
                    return _joined(running)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                try:
                    outcomes, seconds = future.result()
                except BrokenProcessPool:
                    return _joined(running)
                except Exception as error:  # the tasks could not be sent, or the results not be sent back
                    jobs = running.pop(future)
                    if len(jobs) == 1:
                        yield Outcome(jobs[0].index, None, error)
                    else:
                        self._singly.update(job.index for job in jobs)
                        waiting.extendleft(reversed(jobs))
                    continue
                self._seconds = seconds / len(outcomes)
                del running[future]
                yield from outcomes
        return []

    def _take(self, waiting: deque[_Job]) -> list[_Job]:
        """Tasks of the next message."""
        if waiting[0].index in self._singly:
            return [waiting.popleft()]
        number = min(_MESSAGE_SECONDS / self._seconds, len(waiting) / (_LAST_MESSAGES * self._n_jobs))
        jobs = [waiting.popleft()]
        while len(jobs) < int(number) and waiting[0].index not in self._singly:
            jobs.append(waiting.popleft())
        return jobs


def _joined(running: dict[Future[Any], list[_Job]]) -> list[_Job]:
    return [job for jobs in running.values() for job in jobs]


def _executor(n_jobs: int) -> Any:
    # loky starts fresh interpreters, which do not run the user's script again.
    return get_reusable_executor(max_workers=n_jobs, env=_ONE_THREAD, initializer=_prepare_worker)


def _prepare_worker() -> None:
    # Ctrl-C in a terminal reaches all processes; it is the main one's to decide, and its word is SIGKILL.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The main process waits for their end: a last search for garbage would take half a second.
    atexit.register(gc.freeze)


@contextmanager
def _interrupts_held() -> Generator[None]:
    """Let Ctrl-C wait until the block is left.

    Processes started in the block inherit that: they do not die with a traceback while they are starting.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # This helper of Python's, which loky needs, lets interrupts through again when it is started.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
