"""Tasks on all cores."""

import os
import time
from functools import partial

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


def parent_and_self(_):
    return os.getppid(), os.getpid()


def test_workers_stop_when_the_main_process_is_gone():
    # Their parent is the main process, whose absence they notice by the change of their parent's id.
    assert {parent for parent, _ in values(run_tasks(parent_and_self, range(4), 2)).values()} == {os.getpid()}
    jobs = [parallel._Job(0, 1)]
    assert parallel._do_all(double, jobs, os.getppid())[0][0].value == 2
    outcomes = list(run_tasks(orphan, range(2), 2))
    assert all(o.error is not None for o in outcomes)


def orphan(task):
    return parallel._do_all(double, [parallel._Job(0, task)], parent=-1)
