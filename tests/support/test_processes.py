"""Tasks on all cores."""

import logging
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from veldist._support import processes as parallel
from veldist._support.processes import run_tasks


def values(outcomes):
    return {o.index: o.value for o in outcomes if o.error is None}


def double(task):
    return 2 * task


@pytest.mark.parametrize("n_jobs", [1, 2, None])
def test_every_task_is_done_once(n_jobs):
    outcomes = list(run_tasks(double, range(50), n_jobs))
    assert sorted(o.index for o in outcomes) == list(range(50))
    assert values(outcomes) == {k: 2 * k for k in range(50)}
    assert list(run_tasks(double, [], n_jobs)) == []


def count_threads(_):
    from threadpoolctl import threadpool_info

    a = np.ones((100, 100))
    a @ a
    return [pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"]


def test_workers_have_one_blas_thread(monkeypatch):
    # The workers inherit the environment, in which the tests already ask for one.
    for name in parallel._ONE_THREAD:
        monkeypatch.setenv(name, "4")
    for threads in values(run_tasks(count_threads, range(4), 2)).values():
        assert threads
        assert set(threads) == {1}


def refuse(task):
    if task == 3:
        raise ValueError("three")
    return task


def test_errors_stay_with_their_task():
    outcomes = list(run_tasks(refuse, range(30), 2))
    assert values(outcomes) == {k: k for k in range(30) if k != 3}
    (bad,) = [o for o in outcomes if o.error is not None]
    assert bad.index == 3
    assert str(bad.error) == "three"


def die(task):
    if task == 7:
        os._exit(1)
    return task


def test_a_dying_process_costs_its_task_only():
    outcomes = list(run_tasks(die, range(40), 2))
    assert values(outcomes) == {k: k for k in range(40) if k != 7}
    assert sorted(o.index for o in outcomes) == list(range(40))


class Stays:
    def __reduce__(self):
        raise TypeError("this stays here")


def give_back(task):
    return Stays() if task == 25 else task


def test_what_cannot_travel_costs_its_task_only():
    # Late enough that tasks travel several at a time.
    tasks = [*range(40)]
    assert values(run_tasks(give_back, tasks, 2)) == {k: k for k in tasks if k != 25}
    tasks[30] = Stays()
    outcomes = list(run_tasks(type, tasks, 2))
    assert sorted(o.index for o in outcomes) == list(range(40))
    assert [o.index for o in outcomes if o.error is not None] == [30]


def note(folder, task):
    (folder / str(task)).touch()
    time.sleep(0.02)
    return task


def test_messages_hold_several_tasks_but_not_many_are_under_way(tmp_path):
    pool = parallel._Pool(double, 2)
    pool._seconds = 0.01
    waiting = parallel.deque(parallel._Job(k, k) for k in range(100))
    assert [j.index for j in pool._take(waiting)] == list(range(10))
    pool._seconds = 1e-9
    # An eighth of what is left, for two workers.
    assert len(pool._take(waiting)) == 11
    pool._seconds = 10.0
    assert len(pool._take(waiting)) == 1
    # Closing the iterator stops the rest.
    outcomes = run_tasks(partial(note, tmp_path), range(200), 2)
    next(outcomes)
    outcomes.close()
    begun = len(list(tmp_path.iterdir()))
    assert begun < 60
    time.sleep(0.3)
    assert len(list(tmp_path.iterdir())) <= begun + 2


def own_number(_):
    time.sleep(0.05)
    return os.getpid()


# At the line, workers are there; then they wait for more work, or are at it.
KILLED = """
import time
from tests.support.test_processes import endless, own_number, run_tasks
list(run_tasks(own_number, range(8), 2))
print("begun", flush=True)
{then}
"""


def endless(_):
    time.sleep(60)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
@pytest.mark.parametrize("name", ["SIGKILL", "SIGHUP", "SIGQUIT", "SIGTERM"])
@pytest.mark.parametrize("then", ["time.sleep(60)", "list(run_tasks(endless, range(4), 2))"])
def test_workers_end_with_the_main_process_and_nobody_holds_its_output(name, then):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(then=then)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    with process, process.stdout as output:
        assert output.readline() == "begun\n"
        process.send_signal(signal.Signals[name])
        began = time.monotonic()
        # Until nobody is left who can write to the pipe, and without a word of semaphores left behind.
        assert output.read() == ""
        # About 0.3 s on an idle machine; workers that wait for work do so for 40 s.
        assert time.monotonic() - began < 10.0


def test_workers_that_wait_are_ended(capfd):
    workers = set(values(run_tasks(say_number, range(8), 2)).values())
    parallel.end_workers()
    for worker in workers:
        with pytest.raises(ProcessLookupError):
            os.kill(worker, 0)
    parallel.end_workers()
    assert values(run_tasks(double, range(2), 2)) == {0: 0, 1: 2}
    # The standard output is the main process's own.
    out, err = capfd.readouterr()
    assert out == ""
    assert "working" in err


def say_number(task):
    os.write(1, b"working")
    return own_number(task)


def in_a_child(_):
    return values(run_tasks(own_number, range(3), 2))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_process_without_the_right_to_children_works_alone():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.map(in_a_child, range(1))[0]
        assert list(found) == [0, 1, 2]
        assert len(set(found.values())) == 1


def test_processes_that_cannot_be_started_are_told(monkeypatch):
    def fail(self):
        raise RuntimeError("can't start new thread")

    parallel.end_workers()
    with monkeypatch.context() as patch:
        patch.setattr("loky.process_executor._ExecutorManagerThread.start", fail)
        with pytest.raises(RuntimeError, match=r"can't start new thread.*memory.*: pass a smaller n_jobs"):
            list(run_tasks(double, range(4), 2))
    assert values(run_tasks(double, range(2), 2)) == {0: 0, 1: 2}


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), ValueError("bad")])
def test_lokys_messages_of_memory_are_left_out(error, caplog):
    values(run_tasks(double, range(2), 2))
    logging.getLogger("concurrent.futures").critical("crashed", exc_info=error)
    assert len(caplog.records) == isinstance(error, ValueError)


def leave(_):
    os._exit(1)


def test_where_no_process_lives_not_all_tasks_are_tried(monkeypatch):
    started = []
    original = parallel._Pool.work_off

    def work_off(self, waiting):
        started.append(len(waiting))
        return original(self, waiting)

    monkeypatch.setattr(parallel._Pool, "work_off", work_off)
    outcomes = list(run_tasks(leave, range(200), 2))
    assert sorted(o.index for o in outcomes) == list(range(200))
    assert all("was memory too small" in str(o.error) for o in outcomes)
    # Some with company, some alone.
    assert len(started) == 2 * parallel._TRIES
