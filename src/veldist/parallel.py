"""Independent tasks on all cores: outcomes as they come, in spite of workers that die."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from loky import cpu_count, get_reusable_executor

from veldist.validate import check_count

__all__ = ["Outcome", "check_jobs", "run_tasks"]

# Starting worker processes costs about a second: fewer tasks than this are done before they are up.
_MIN_TASKS_FOR_PROCESSES = 12

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


@dataclass(frozen=True)
class _Job:
    """One task as it travels to a worker process."""

    index: int
    function: Callable[[Any], Any]
    task: Any


def check_jobs(n_jobs: int | None) -> int | None:
    """Number of worker processes: an integer of at least 1, or None for as many as are useful.

    Raises
    ------
    TypeError, ValueError
        As `veldist.validate.check_count`.
    """
    return None if n_jobs is None else check_count(n_jobs, "n_jobs", 1)


def _do(job: _Job) -> Outcome[Any]:
    try:
        return Outcome(job.index, job.function(job.task))
    except Exception as error:
        return Outcome(job.index, None, error)


def run_tasks(
    function: Callable[[T], R], tasks: Sequence[T], n_jobs: int | None = None
) -> Iterator[Outcome[R]]:
    """Yield the outcomes of ``function(task)`` in order of completion.

    A task that raises, or whose process dies, costs nothing but its own result.

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
    jobs = [_Job(k, function, task) for k, task in enumerate(tasks)]
    if n_jobs <= 1:
        yield from map(_do, jobs)
        return
    waiting = deque(jobs)
    suspects: list[_Job] = []
    try:
        while waiting:
            suspects += yield from _run_pool(waiting, n_jobs)
        # One of the tasks under way when a process died killed it: each is tried again, alone.
        for job in suspects:
            if (yield from _run_pool(deque([job]), 1)):
                reason = BrokenProcessPool("the worker process died twice on this task (out of memory?)")
                yield Outcome(job.index, None, reason)
    except (KeyboardInterrupt, GeneratorExit):
        get_reusable_executor(max_workers=n_jobs).shutdown(wait=False, kill_workers=True)
        raise


def _run_pool(waiting: deque[_Job], n_jobs: int) -> Generator[Outcome[Any], None, list[_Job]]:
    """Work off the queue until it is empty or a worker dies; return the jobs then under way."""
    # loky starts fresh interpreters, which do not run the user's script again.
    executor = get_reusable_executor(max_workers=n_jobs)
    running: dict[Future[Outcome[Any]], _Job] = {}
    while waiting or running:
        # No more in the queue than keeps the workers busy: data travel when they are needed.
        while waiting and len(running) < 2 * n_jobs:
            job = waiting.popleft()
            try:
                running[executor.submit(_do, job)] = job
            except BrokenProcessPool:
                waiting.appendleft(job)
                return list(running.values())
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            try:
                outcome = future.result()
            except BrokenProcessPool:
                return list(running.values())
            except Exception as error:  # the task could not be sent, or the result not be sent back
                outcome = Outcome(running[future].index, None, error)
            del running[future]
            yield outcome
    return []
