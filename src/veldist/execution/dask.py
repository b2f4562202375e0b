"""Independent tasks on a Dask cluster: outcomes as they come, in spite of workers that die."""

from __future__ import annotations

import hashlib
import logging
import pickle
import time
import uuid
import warnings
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from veldist._support.processes import Outcome
from veldist._version import __version__

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["VersionMismatchError", "check_client", "run_on_dask"]

logger = logging.getLogger(__name__)

T = TypeVar("T")
R = TypeVar("R")

# Tasks sent ahead for every thread of the cluster: one under way, the others hide the way there and back.
_TASKS_PER_THREAD = 3
# How often to look for new workers while nothing finishes (s).
_POLL = 1.0

# Threads of one process take turns. Recording warnings and limiting the threads of BLAS change the whole
# process: two tasks at once would take each other's warnings, and one that ends would lift the other's limit.
_TURN = Lock()


class VersionMismatchError(RuntimeError):
    """Client and worker run different versions of veldist, so that their results would differ."""


def check_client(client: Any) -> None:
    """Check that ``client`` is a connected, synchronous `distributed.Client`.

    Raises
    ------
    ImportError
        If Dask is not installed.
    TypeError
        If it is anything else (an address, a cluster), or an asynchronous client.
    ValueError
        If its connection is closed.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise ImportError('client= needs Dask: pip install "veldist[dask]".') from error
    if not isinstance(client, Client):
        cure = f"Client({client!r})" if isinstance(client, str) else "distributed.Client(cluster_or_address)"
        raise TypeError(f"client must be a distributed.Client, got {type(client).__name__}: pass {cure}.")
    if client.asynchronous:
        raise TypeError(
            "client is asynchronous, but results are waited for here: pass distributed.Client(address), "
            "without asynchronous=True, from outside of the event loop."
        )
    if client.status not in ("running", "connecting"):
        raise ValueError(f"client is {client.status}: pass a connected distributed.Client.")


def run_on_dask(function: Callable[[T], R], tasks: Sequence[T], client: Client) -> Generator[Outcome[R]]:
    """Yield the outcomes of ``function(task)``, done on a Dask cluster, in order of completion.

    A task that raises costs nothing but its own result. Tasks of a worker that dies are done again on others;
    one whose workers die again and again is tried once more, alone in the cluster, and then given up.
    Tasks travel when there is room for them, and results leave the cluster as they are yielded. Closing
    the iterator cancels what has not begun.

    Parameters
    ----------
    function : callable
        Anything `cloudpickle` can send.
    tasks : sequence
        Arguments, one each.
    client : distributed.Client
        Connected to any scheduler. Scheduler and workers need the same version of veldist. Threads of one
        worker process take turns, so give each process one thread.

    Returns
    -------
    iterator of Outcome
        If the cluster is lost for good, what it still had to do ends as `ConnectionError`.

    Raises
    ------
    ImportError, TypeError, ValueError
        At once, as `check_client`.
    VersionMismatchError
        From the iterator, if the first worker to answer has another version of veldist. (Workers that
        come later and have another one fail their tasks only.)
    RuntimeError
        From the iterator, if the cluster cannot run veldist at all.
    """
    check_client(client)
    return _Run(function, tasks, client).outcomes()


class _Run:
    """One call of `run_on_dask`: what does not change, and what is known of the cluster."""

    def __init__(self, function: Callable[[Any], Any], tasks: Sequence[Any], client: Client) -> None:
        import cloudpickle

        self._dumps = cloudpickle.dumps
        self._name = getattr(function, "__name__", "task").strip("_")
        self._function = self._dumps(function)
        self._tasks = tasks
        self._client = client
        self._n_threads = 0
        self._next_look = 0.0
        self._told: set[str] = set()
        # Until a worker has done a task, errors of the machinery concern all of them.
        self._works = False

    def outcomes(self) -> Generator[Outcome[Any]]:
        suspects = yield from self._work_off(range(len(self._tasks)), alone=False)
        # Dask blames a death on all tasks that waited for that worker: each is tried again, alone.
        for index in suspects:
            yield from self._work_off([index], alone=True)

    def _work_off(self, indices: Iterable[int], *, alone: bool) -> Generator[Outcome[Any], None, list[int]]:
        """Do these tasks; unless each is ``alone``, return those whose workers died again and again."""
        from distributed import KilledWorker

        token, number = uuid.uuid4().hex, count()
        waiting = deque(indices)
        running: dict[Future, int] = {}
        finished: SimpleQueue[Future] = SimpleQueue()
        suspects: list[int] = []
        try:
            while waiting or running:
                if self._client.status not in ("running", "connecting"):
                    waiting += running.values()
                    running.clear()
                    yield from (Outcome(k, None, ConnectionError(_LOST)) for k in (*suspects, *waiting))
                    return []
                while waiting and len(running) < self._room():
                    index = waiting.popleft()
                    try:
                        future = self._submit(index, (f"{self._name}-{token}", next(number)))
                    except Exception as error:  # the task cannot be sent
                        yield Outcome(index, None, error)
                        continue
                    running[future] = index
                    future.add_done_callback(finished.put)
                batch = _take(finished)
                packed = self._fetch(batch)
                for future in batch:
                    index = running[future]
                    try:
                        outcome = self._read(index, future, packed.get(future))
                    except CancelledError:  # the connection was lost, or the cluster restarted
                        waiting.append(index)
                        outcome = None
                    except KilledWorker as error:
                        outcome = Outcome(index, None, _explain(error)) if alone else None
                        if outcome is None:
                            suspects.append(index)
                    del running[future]
                    future.release()
                    if outcome is not None:
                        yield outcome
        finally:
            self._cancel(running)
        return suspects

    def _submit(self, index: int, key: tuple[str, int]) -> Future:
        # As bytes, so that only the worker that does the task unpacks it, and an error there is the task's.
        task = self._dumps(self._tasks[index])
        return self._client.submit(_do, _version(), self._function, task, key=key)

    def _fetch(self, batch: list[Future]) -> dict[Future, bytes]:
        """Results of finished tasks, all at once: a message takes milliseconds. Empty if one fails."""
        done = [future for future in batch if future.status == "finished"]
        with suppress(Exception):
            return dict(zip(done, self._client.gather(done), strict=True))
        return {}

    def _read(self, index: int, future: Future, packed: bytes | None) -> Outcome[Any]:
        """Outcome of a finished task; raises if its worker died again and again, or if it was cancelled."""
        from distributed import KilledWorker

        try:
            packed = future.result() if packed is None else packed
        except (CancelledError, KilledWorker):
            raise
        except Exception as error:  # _do raises nothing: this comes from the machinery
            if self._works:
                return Outcome(index, None, error)
            raise RuntimeError(
                "The Dask cluster cannot run veldist: install the same version on the scheduler, the workers "
                f"and here ({_version()}). It says: {type(error).__name__}: {error}"
            ) from error
        try:
            value, failure = pickle.loads(packed)
        except Exception as error:  # what the task returned does not survive the way
            return Outcome(index, None, error)
        if isinstance(failure, VersionMismatchError) and not self._works:
            raise failure
        self._works = True
        return Outcome(index, value, failure)

    def _room(self) -> int:
        """How many tasks the cluster should have at a time: workers come and go."""
        if time.monotonic() >= self._next_look and self._client.status == "running":
            self._next_look = time.monotonic() + _POLL
            with suppress(OSError):  # the connection was just lost: Dask tries to restore it
                threads = list(self._client.nthreads().values())
                self._n_threads = sum(threads)
                self._tell(threads)
        return max(1, _TASKS_PER_THREAD * self._n_threads) if self._client.status == "running" else 0

    def _tell(self, threads: list[int]) -> None:
        """Say once what the user may want to change."""
        if not threads and "empty" not in self._told:
            self._told.add("empty")
            logger.warning("The Dask cluster has no workers: waiting for some to come.")
        if any(n > 1 for n in threads) and "threads" not in self._told:
            self._told.add("threads")
            warnings.warn(
                f"Dask workers with up to {max(threads)} threads: tasks of one process take turns, the other "
                "threads idle. Give each process one thread, as LocalCluster(threads_per_worker=1) does.",
                stacklevel=2,
            )

    def _cancel(self, running: Collection[Future]) -> None:
        """Take tasks back; those that a worker has begun run to their end, and their results are dropped."""
        # The scheduler reads tasks in the background, so that a cancellation may overtake the last of them.
        for pause in (0.0, 0.2):
            if running and self._client.status == "running":
                time.sleep(pause)
                with suppress(OSError):
                    self._client.cancel(list(running), force=True)


_LOST = "The connection to the Dask scheduler was lost and did not come back."


def _take(finished: SimpleQueue[Future]) -> list[Future]:
    """Wait a moment for finished tasks; return all there are."""
    try:
        first = finished.get(timeout=_POLL)
    except Empty:
        return []
    return [first, *(finished.get() for _ in range(finished.qsize()))]


def _explain(error: Any) -> RuntimeError:
    """What a `distributed.KilledWorker` means for the user."""
    explained = RuntimeError(
        f"{error.allowed_failures + 1} workers in a row died on this task, the last at "
        f"{error.last_worker.address} (out of memory, or at the batch system's limit?): see its log."
    )
    explained.__cause__ = error
    return explained


def _do(version: str, function: bytes, task: bytes) -> bytes:
    """Do one task in a worker; return its pickled (value, error)."""
    import cloudpickle

    with _TURN:
        try:
            if version != _version():
                raise VersionMismatchError(
                    f"A Dask worker has veldist {_version()}, the client {version}: results would differ. "
                    "Install the same version on both, and restart the workers."
                )
            return cloudpickle.dumps((pickle.loads(function)(pickle.loads(task)), None))
        except Exception as error:
            try:
                packed = cloudpickle.dumps((None, error))
                pickle.loads(packed)
            except Exception:
                packed = pickle.dumps((None, RuntimeError(f"{type(error).__name__}: {error}")))
            return packed


@cache
def _version() -> str:
    """Version and a digest of the source: between releases the code changes, its number does not."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode())
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    return f"{__version__} (source {digest.hexdigest()[:12]})"
