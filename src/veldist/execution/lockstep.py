"""Functions that run side by side and stop where they need something best provided to many at once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, TypeVar

from veldist._support.processes import Outcome

__all__ = ["run_in_lockstep"]

R = TypeVar("R")


class _Stopped(BaseException):
    """Nobody waits for this function any more; not an `Exception`, lest the function catches it."""


def run_in_lockstep(
    functions: Sequence[Callable[[Callable[[Any], Any]], R]],
    serve: Callable[[Mapping[int, Any]], Mapping[int, Any]],
) -> Generator[Outcome[R]]:
    """Yield the outcomes of ``function(ask)`` in order of completion.

    Each function has a thread of its own. ``ask(request)`` waits for the answer. Answers are given by
    ``serve``, in the caller's thread, when all functions wait that have not ended: what is asked together
    does not depend on chance. Closing the iterator, or Ctrl-C, ends all functions at their next question.

    Parameters
    ----------
    functions : sequence of callable
        What to run.
    serve : callable
        Takes the requests by the function's index and returns the answers to at least one of them. An
        exception that it raises is raised by all functions that wait.
    """
    events: SimpleQueue[tuple[int, str, Any]] = SimpleQueue()
    inboxes: list[SimpleQueue[tuple[bool, Any]]] = [SimpleQueue() for _ in functions]
    stop = Event()

    def work(index: int) -> None:
        def ask(request: Any) -> Any:
            if stop.is_set():
                raise _Stopped
            events.put((index, "asks", request))
            good, answer = inboxes[index].get()
            if not good:
                raise answer
            return answer

        try:
            events.put((index, "done", functions[index](ask)))
        except _Stopped:
            pass
        except BaseException as error:
            events.put((index, "failed", error))

    threads = [Thread(target=work, args=(k,), daemon=True) for k in range(len(functions))]
    running, pending = len(threads), {}
    try:
        for thread in threads:
            thread.start()
        while running or pending:
            while running:
                index, what, content = events.get()
                running -= 1
                if what == "asks":
                    pending[index] = content
                else:
                    failed = what == "failed"
                    yield Outcome(index, None if failed else content, content if failed else None)
            if pending:
                try:
                    answers = [(k, True, answer) for k, answer in serve(pending).items()]
                except Exception as error:
                    answers = [(k, False, error) for k in pending]
                for k, good, answer in answers:
                    del pending[k]
                    running += 1
                    inboxes[k].put((good, answer))
    finally:
        stop.set()
        for inbox in inboxes:
            inbox.put((False, _Stopped()))
        for thread in threads:
            if thread.ident is not None:
                thread.join()
