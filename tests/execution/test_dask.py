import logging
import os
import pickle
import signal
import sys
import threading
import time
import warnings

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from veldist import BatchError, fit_all_bins
from veldist._support.threads import one_thread
from veldist.execution import dask as dask_tasks
from veldist.execution.dask import VersionMismatchError, check_client, run_on_dask

distributed = pytest.importorskip("distributed")
cloudpickle = pytest.importorskip("cloudpickle")


@pytest.fixture(scope="module", autouse=True)
def _functions_travel_by_value():
    """Workers cannot import the tests."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture
def threaded():
    """A cluster within this process."""

    def start(n_workers, threads_per_worker):
        return distributed.LocalCluster(
            n_workers=n_workers,
            threads_per_worker=threads_per_worker,
            processes=False,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        )

    return start


def workers_of(client):
    """Process ids of the workers, at least two."""
    try:
        client.wait_for_workers(2, timeout=4)
    except TimeoutError:
        # Now and then Dask's nanny does not bring a killed worker back.
        client.cluster.scale(len(client.cluster.workers) + 1)
        client.wait_for_workers(2, timeout=30)
    return list(client.run(os.getpid).values())


def wait_until(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def double(x):
    time.sleep(0.01)
    return 2 * x


def double_quickly(x):
    return double(x)


def tasks_of(client, name):
    """What the scheduler still knows of tasks of this name."""
    return [key for key in list(client.cluster.scheduler.tasks) if key[0].startswith(name)]


class Counted:
    """A sequence that knows how many of its items were asked for."""

    def __init__(self, n):
        self.n = n
        self.touched = 0

    def __len__(self):
        return self.n

    def __getitem__(self, k):
        self.touched += 1
        return 1


def test_equal_tasks_stay_apart_and_travel_only_when_there_is_room(client):
    workers_of(client)
    tasks = Counted(50)
    outcomes = run_on_dask(double_quickly, tasks, client)
    assert tasks.touched == 0
    first = next(outcomes)
    assert tasks.touched <= len(client.nthreads()) * dask_tasks._TASKS_PER_THREAD
    rest = list(outcomes)
    assert sorted(o.index for o in [first, *rest]) == list(range(50))
    assert {o.value for o in [first, *rest]} == {2}
    # Neither the scheduler nor the workers keep anything.
    wait_until(lambda: not tasks_of(client, "double_quickly"))


def test_a_killed_worker_costs_nothing(client):
    victim = workers_of(client)[0]
    outcomes = []
    for outcome in run_on_dask(double, range(80), client):
        outcomes.append(outcome)
        if len(outcomes) == 10:
            os.kill(victim, signal.SIGKILL)
    assert [o.error for o in outcomes] == [None] * 80
    assert sorted((o.index, o.value) for o in outcomes) == [(k, 2 * k) for k in range(80)]
    assert victim not in workers_of(client)


def test_a_restarted_cluster_begins_again_with_what_is_open(client):
    workers_of(client)
    outcomes = []
    for outcome in run_on_dask(double, range(40), client):
        outcomes.append(outcome)
        if len(outcomes) == 10:
            client.restart()
    assert sorted((o.index, o.value, o.error) for o in outcomes) == [(k, 2 * k, None) for k in range(40)]


class Awkward(Exception):
    """Can be pickled but not unpickled."""

    def __init__(self, a, b):
        super().__init__(f"{a} {b}")


class Stays:
    def __reduce__(self):
        raise TypeError("this stays here")


class Lands:
    """Travels, but cannot be unpacked."""

    def __reduce__(self):
        return int, ("not a number",)


def fragile(task):
    if task == "raise":
        raise ValueError("a bad bin")
    if task == "awkward":
        raise Awkward("far", "away")
    if task == "stays":
        return Stays()
    if task == "lands":
        return Lands()
    return task


def test_tasks_fail_alone(client):
    tasks = ["a", "raise", "awkward", "stays", "lands", Stays(), Lands(), "b"]
    outcomes = {o.index: o for o in run_on_dask(fragile, tasks, client)}
    assert len(outcomes) == 8
    for k, kind, text in (
        (1, ValueError, "a bad bin"),
        (2, RuntimeError, "Awkward: far away"),
        (3, TypeError, "this stays here"),
        (4, ValueError, "invalid literal"),
        (5, TypeError, "this stays here"),
        (6, ValueError, "invalid literal"),
    ):
        assert type(outcomes[k].error) is kind
        assert text in str(outcomes[k].error)
        assert outcomes[k].value is None
    assert [outcomes[k].value for k in (0, 7)] == ["a", "b"]


def deadly(task):
    if task == 3:
        os._exit(1)
    time.sleep(0.05)
    return task


def test_a_task_that_kills_its_workers_ends_with_an_error_and_its_neighbours_do_not(client, monkeypatch):
    workers_of(client)
    # Dask blames tasks that merely wait for a dying worker too: once is enough here to lose one.
    monkeypatch.setattr(client.cluster.scheduler, "allowed_failures", 0)
    outcomes = {o.index: o for o in run_on_dask(deadly, range(12), client)}
    assert [k for k in range(12) if outcomes[k].error is not None] == [3]
    assert "1 workers in a row died on this task, the last at tcp://" in str(outcomes[3].error)
    assert isinstance(outcomes[3].error, RuntimeError)
    assert str(pickle.loads(pickle.dumps(outcomes[3].error))) == str(outcomes[3].error)
    assert [outcomes[k].value for k in range(12) if k != 3] == [k for k in range(12) if k != 3]


def test_closing_cancels_what_has_not_begun(client):
    workers_of(client)
    outcomes = run_on_dask(double_quickly, range(1000), client)
    next(outcomes)
    assert tasks_of(client, "double_quickly")
    outcomes.close()
    wait_until(lambda: not tasks_of(client, "double_quickly"))


def record(index):
    """Warnings of one's own, and the most BLAS threads seen, while others could interfere."""
    with warnings.catch_warnings(record=True) as caught, one_thread():
        warnings.simplefilter("always")
        # Short tasks end while long ones are under way.
        for _ in range(1 + 3 * (index % 3)):
            warnings.warn(f"{index}", UserWarning, stacklevel=1)
            n_blas = max(lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas")
            time.sleep(0.005)
    return {str(w.message) for w in caught}, n_blas


def test_threads_of_one_process_do_not_disturb_each_other(threaded):
    with (
        threaded(1, 4) as cluster,
        distributed.Client(cluster) as client,
        pytest.warns(UserWarning, match=r"up to 4 threads: .*LocalCluster\(threads_per_worker=1\)"),
    ):
        outcomes = list(run_on_dask(record, range(12), client))
    assert len(outcomes) == 12
    for outcome in outcomes:
        assert outcome.value == ({str(outcome.index)}, 1)


def test_workers_may_come_late(threaded, caplog):
    with threaded(0, 1) as cluster, distributed.Client(cluster) as client:
        tasks = Counted(30)
        outcomes = run_on_dask(double, tasks, client)
        timer = threading.Timer(0.3, cluster.scale, [2])
        with caplog.at_level(logging.WARNING, logger="veldist"):
            timer.start()
            assert len(list(outcomes)) == 30
        timer.join()
    assert [r.message for r in caplog.records if r.name == "veldist.execution.dask"] == [
        "The Dask cluster has no workers: waiting for some to come."
    ]


def test_a_lost_cluster_ends_what_is_open(threaded):
    with threaded(1, 1) as cluster, distributed.Client(cluster.scheduler_address, timeout=0.5) as client:
        outcomes = run_on_dask(double, range(100), client)
        done = [next(outcomes)]
        cluster.close()
        done += outcomes
    assert sorted(o.index for o in done) == list(range(100))
    lost = [o for o in done if o.error is not None]
    assert len(lost) > 50
    assert {type(o.error) for o in lost} == {ConnectionError}


def test_other_versions_are_refused(client, monkeypatch):
    workers_of(client)
    here = dask_tasks._version()
    outcomes = run_on_dask(double, range(30), client)
    next(outcomes)
    with monkeypatch.context() as patch:
        patch.setattr(dask_tasks, "_version", lambda: "0.0.1 (source 1)")
        with pytest.raises(VersionMismatchError) as caught:
            list(run_on_dask(double, range(5), client))
        assert f"worker has veldist {here}, the client 0.0.1 (source 1)" in str(caught.value)
        # Once tasks were done, a stray worker is no reason to lose them.
        rest = list(outcomes)
    assert len(rest) == 29
    assert {type(o.error) for o in rest} == {type(None), VersionMismatchError}


def test_a_cluster_that_cannot_run_veldist_is_refused(client, monkeypatch):
    workers_of(client)

    def elsewhere():
        raise ModuleNotFoundError("No module named 'veldist'")

    class Missing:
        def __reduce__(self):
            return elsewhere, ()

    monkeypatch.setattr(dask_tasks, "_version", Missing)
    with pytest.raises(RuntimeError, match="cannot run veldist: install the same version on the scheduler"):
        list(run_on_dask(double, range(5), client))


def test_clients_are_checked_at_once(client, threaded, monkeypatch):
    check_client(client)
    with pytest.raises(TypeError, match=r"got str: pass Client\('tcp://1\.2\.3\.4:8786'\)"):
        run_on_dask(double, [1], "tcp://1.2.3.4:8786")
    with pytest.raises(TypeError, match=r"got LocalCluster: pass distributed\.Client\(cluster"):
        check_client(client.cluster)
    with threaded(0, 1) as cluster:
        other = distributed.Client(cluster)
        other.close()
        with pytest.raises(ValueError, match="client is closed: pass a connected"):
            check_client(other)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'client= needs Dask: pip install "veldist\[dask\]"'):
        check_client(client)


def test_asynchronous_clients_are_refused(client):
    import asyncio

    async def main():
        async with distributed.Client(client.scheduler.address, asynchronous=True) as other:
            with pytest.raises(TypeError, match=r"client is asynchronous.*without asynchronous=True"):
                check_client(other)

    asyncio.run(main())


GRID = {"center": 0.0, "width": 160.0, "n_bins": 32}
RUN = {"num_samples": 100, "seed": 17}


@pytest.fixture(scope="module")
def bins():
    rng = np.random.default_rng(3)
    return [{"vel": rng.normal(0, 12, n), "err": rng.uniform(1, 4, n)} for n in rng.integers(20, 60, 24)]


@pytest.fixture(scope="module")
def alone(bins):
    return fit_all_bins(bins, GRID, RUN, n_jobs=1, progress=False)


class KillingProgress:
    """Stands for the progress bar: kills a worker when some bins are done."""

    def __init__(self, victim):
        self.victim = victim

    def __call__(self, *args, **kwargs):
        self.n = 0
        return self

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    def update(self):
        self.n += 1
        if self.n == 5:
            os.kill(self.victim, signal.SIGKILL)


@pytest.mark.parametrize("stored", [False, True])
def test_fits_have_the_same_bits_in_spite_of_a_kill(client, bins, alone, stored, tmp_path, monkeypatch):
    progress = KillingProgress(workers_of(client)[0])
    monkeypatch.setattr("veldist.batch.fit_all.progress_bar", progress)
    store = tmp_path / "map" if stored else None
    solvers = fit_all_bins(bins, GRID, RUN, client=client, store=store)
    assert progress.n == len(solvers) == 24
    assert progress.victim not in workers_of(client)
    for there, here in zip(solvers, alone, strict=True):
        assert np.array_equal(there.samples["intrinsic_pdf"], here.samples["intrinsic_pdf"])
        assert np.array_equal(there.clipped_samples["losvd_median"], here.clipped_samples["losvd_median"])


def test_bad_bins_fail_alone(client, bins):
    bad = [dict(data) for data in bins[:4]]
    bad[2]["vel"] = np.full_like(bad[2]["vel"], np.nan)
    with pytest.raises(
        BatchError, match=r"1 of 4 bins failed(.|\n)*bin 2: ValueError: vel has 27 of 27"
    ) as caught:
        fit_all_bins(bad, GRID, RUN, client=client, progress=False)
    assert [s is None for s in caught.value.solvers] == [False, False, True, False]


def test_importing_the_module_does_not_import_dask():
    import subprocess

    code = (
        "import sys, veldist.execution.dask; sys.exit('distributed' in sys.modules or 'dask' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
