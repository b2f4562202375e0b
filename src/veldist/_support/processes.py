"""Independent tasks on all cores: outcomes as they come, in spite of workers that die."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import resource_tracker
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from loky import cpu_count, get_reusable_executor
from loky.backend import resource_tracker as loky_tracker

from veldist._support.memory import check_limit, memory_ran_out
from veldist._support.outputs import flushable_outputs
from veldist._support.validate import check_count
from veldist._support.worker import prepare_worker

__all__ = ["Outcome", "check_jobs", "count_jobs", "end_workers", "run_tasks"]

logger = logging.getLogger(__name__)

# Starting worker processes costs about a second: fewer tasks than this are done before they are up.
_MIN_TASKS_FOR_PROCESSES = 12
# Tasks travel together for about so long (s): on its own, each would cost the main process half a
# millisecond.
_MESSAGE_SECONDS = 0.1
# The last messages are small, so that all workers end at about the same time.
_LAST_MESSAGES = 4
# Deaths of all processes before any has done a task that are enough (a second each).
_TRIES = 3
_DIED = (
    "no worker process survived this task (was memory too small? Pass a smaller n_jobs, or n_jobs=1, with "
    "which less is needed)"
)
# A pool of threads for each worker's linear algebra would cost start-up time and memory, and gain nothing.
_ONE_THREAD = {
    f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "BLIS", "VECLIB", "NUMEXPR")
}

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of one task."""

    index: int  # place of the task in the sequence
    # What the function returned; None if it failed.
    value: R | None
    error: BaseException | None = None  # what it raised, or why its process died


def check_jobs(n_jobs: int | None) -> int | None:
    """Number of worker processes: an integer of at least 1, or None for as many as are useful.

    Raises
    ------
    TypeError, ValueError
        As `veldist._support.validate.check_count`.
    """
    return None if n_jobs is None else check_count(n_jobs, "n_jobs", 1)


def count_jobs(n_jobs: int | None, n_tasks: int) -> int:
    """How many processes work on so many tasks, if ``n_jobs`` are asked for."""
    if n_jobs is None:
        n_jobs = 1 if n_tasks < _MIN_TASKS_FOR_PROCESSES else cpu_count()
    return min(n_jobs, n_tasks)


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
        Number of worker processes; all cores by default, and none for a handful of tasks, nor where Python
        allows none (in a `multiprocessing.Pool`). What they print goes to the standard error.

    Raises
    ------
    MemoryError
        At the first task, if the limit on memory is too small for any.
    RuntimeError
        If worker processes cannot be started.
    """
    check_limit()
    n_jobs = count_jobs(n_jobs, len(tasks))
    if n_jobs > 1 and multiprocessing.current_process().daemon:
        # Python forbids it, in the workers of a `multiprocessing.Pool` or of Dask.
        logger.warning("this process may not start others (it is a daemon): the work is done in it alone.")
        n_jobs = 1
    jobs = [_Job(k, task) for k, task in enumerate(tasks)]
    if n_jobs <= 1:
        for job in jobs:
            yield _do(function, job)
        return
    pool = _Pool(function, n_jobs)
    waiting = deque(jobs)
    suspects: list[_Job] = []
    try:
        tries = 0
        while waiting and (pool.works or tries < _TRIES):
            suspects += yield from pool.work_off(waiting)
            tries += 1
        # One of the tasks under way when a process died killed it: each is tried again, alone. Where no
        # process has done anything, none will.
        alone = _Pool(function, 1)
        for number, job in enumerate((*suspects, *waiting)):
            hopeless = number >= _TRIES and not (pool.works or alone.works)
            if hopeless or (yield from alone.work_off(deque([job]))):
                yield Outcome(job.index, None, BrokenProcessPool(_DIED))
    except (KeyboardInterrupt, GeneratorExit):
        _executor(n_jobs).shutdown(wait=True, kill_workers=True)
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


def _do_all(function: Callable[[Any], Any], jobs: Sequence[_Job]) -> tuple[list[Outcome[Any]], float]:
    """Outcomes of the tasks of one message, and how long they took (s)."""
    start = time.perf_counter()
    outcomes = [_do(function, job) for job in jobs]
    return outcomes, time.perf_counter() - start


class _Pool:
    """Worker processes that do one function, and what is known of its speed."""

    def __init__(self, function: Callable[[Any], Any], n_jobs: int) -> None:
        self._function = function
        self._n_jobs = n_jobs
        self.works = False
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
                    with _interrupts_held(), flushable_outputs():
                        running[executor.submit(_do_all, self._function, jobs)] = jobs
                except BrokenProcessPool:
                    waiting.extendleft(reversed(jobs))
                    return _joined(running)
                except (MemoryError, OSError, RuntimeError) as error:
                    raise _not_started(executor, error) from error
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
                self.works = True
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


def _not_started(executor: Any, error: BaseException) -> RuntimeError:
    """Give processes up of which not all could be started; say why."""
    for process in list(executor._processes.values()):
        process.terminate()
    executor.shutdown(wait=False)
    return RuntimeError(
        f"worker processes cannot be started ({type(error).__name__}: {error}), as if memory were too small: "
        "pass a smaller n_jobs, or n_jobs=1."
    )


def end_workers() -> None:
    """End the worker processes, which wait some seconds for more work, for a program that has none."""
    for executor in list(_begun):
        executor.shutdown(wait=True, kill_workers=True)


_begun: WeakSet[Any] = WeakSet()


def _is_news(record: logging.LogRecord) -> bool:
    """Whether a message of loky is not one of memory, of which users are told in a sentence."""
    return not (record.exc_info and memory_ran_out(record.exc_info[1]))


def _executor(n_jobs: int) -> Any:
    logging.getLogger("concurrent.futures").addFilter(_is_news)
    if hasattr(signal, "pthread_sigmask"):
        _start_trackers(os.getpid())
    # loky starts fresh interpreters, which do not run the user's script again.
    executor = get_reusable_executor(
        max_workers=n_jobs, env=_ONE_THREAD, initializer=prepare_worker, initargs=(os.getpid(),)
    )
    _begun.add(executor)
    return executor


@cache
def _start_trackers(process: int) -> None:
    """Start the helpers of Python and of loky that remove what a killed program leaves behind.

    They do so without a word: that there was something to remove is no news for users.
    """
    name, before = "PYTHONWARNINGS", os.environ.get("PYTHONWARNINGS")
    os.environ[name] = ",".join(filter(None, (before, "ignore:resource_tracker")))
    try:
        resource_tracker.ensure_running()
        loky_tracker.ensure_running()
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


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
