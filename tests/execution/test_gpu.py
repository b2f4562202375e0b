"""`gpu=True`: what is said where it cannot work, and the same results where it does.

There need not be a GPU: the likelihoods are evaluated with NumPy, or with JAX on the CPU, in its place.
"""

import os
import signal
import subprocess
import sys
import types

import numpy as np
import pytest

from tests.helpers.quick import GRID, make_bins
from veldist import (
    BatchError,
    BatchInterrupted,
    Contaminant,
    GridWarning,
    KinematicSolver,
    fit_all_bins,
    load,
)
from veldist.batch import task
from veldist.execution import gpu
from veldist.inference.device import Backend, Server

RUN = {"num_samples": 100, "seed": 17}
ON_GPU = RUN | {"gpu": True}


def make_solver(n_stars=60, seed=0):
    solver = KinematicSolver()
    solver.setup_grid(**GRID)
    solver.add_data(**make_bins([n_stars], seed)[0])
    return solver


@pytest.fixture
def numpy_device(monkeypatch):
    """NumPy in the place of JAX and a GPU."""
    monkeypatch.setattr(gpu, "require_device", lambda: None)
    monkeypatch.setattr(gpu, "jax_backend", lambda device: Backend())


@pytest.fixture
def jax_cpu(monkeypatch):
    """JAX on the CPU in the place of a GPU."""
    jax = pytest.importorskip("jax")
    monkeypatch.setattr(gpu, "require_device", lambda: jax.devices("cpu")[0])
    return jax


def check_same_fit(found, expected):
    """The same posterior up to rounding, unless rounding changed a decision: is the course the same?"""
    # Evidences are sums over importance draws, whatever the chains do.
    ours, theirs = found.diagnostics, expected.diagnostics
    assert ours.log_evidence == pytest.approx(theirs.log_evidence, abs=1e-3)
    assert np.allclose(ours.component_probability, theirs.component_probability, atol=1e-3)
    assert ours.converged
    draws, right = (s.posterior.posterior for s in (found, expected))
    if draws.component.shape != right.component.shape or np.any(draws.component != right.component):
        return False
    # Coefficients are of order one; single precision keeps seven digits of a log-likelihood of hundreds.
    return bool(np.abs(draws.coefficients - right.coefficients).max() < 1e-2)


def test_without_jax_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    for call in (
        lambda: make_solver().run(gpu=True),
        lambda: fit_all_bins(make_bins([30]), GRID, ON_GPU, progress=False),
    ):
        with pytest.raises(ImportError, match=r'pip install "veldist\[gpu\]"(.|\n)*"jax\[cuda12\]"'):
            call()


def test_without_a_gpu_the_error_says_what_jax_sees(monkeypatch):
    def devices(platform=None):
        if platform is None:
            return ["CpuDevice(id=0)"]
        raise RuntimeError("Unknown backend: 'gpu' requested")

    fake = types.SimpleNamespace(devices=devices, __version__="9.9")
    monkeypatch.setitem(sys.modules, "jax", fake)
    with pytest.raises(RuntimeError, match=r'JAX 9\.9 sees only CpuDevice\(id=0\)(.|\n)*"jax\[cuda12\]"'):
        make_solver().run(gpu=True)
    fake.devices = lambda platform=None: [f"{platform} device"]
    assert gpu.require_device() == "gpu device"


def test_real_jax_without_a_gpu_is_refused():
    jax = pytest.importorskip("jax")
    if jax.default_backend() == "gpu":
        pytest.skip("there is a GPU")
    with pytest.raises(RuntimeError, match=r"gpu=True needs a GPU, but JAX .* sees only"):
        fit_all_bins(make_bins([30]), GRID, ON_GPU, progress=False)


def test_a_fit_without_gpu_never_imports_jax():
    code = (
        "import sys, numpy as np\n"
        "from veldist import KinematicSolver, fit_all_bins\n"
        "bins = [{'vel': np.linspace(-20, 20, 20), 'err': np.ones(20)}] * 2\n"
        "grid = dict(center=0, width=100, n_bins=20)\n"
        "for gpu in (None, False):\n"
        "    fit_all_bins(bins, grid, {'num_samples': 50, 'gpu': gpu}, n_jobs=1, progress=False)\n"
        "assert 'jax' not in sys.modules and 'veldist.execution.gpu' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_one_bin_with_jax_is_the_fit_without(jax_cpu):
    found, expected = make_solver(), make_solver()
    found.run(num_samples=100, gpu=True, seed=3)
    expected.run(num_samples=100, seed=3)
    assert found.samples["intrinsic_pdf"].shape == (100, 32)
    # Rounding changes a decision in about one fit in a hundred: the evidences are compared in any case.
    check_same_fit(found, expected)


def test_a_batch_with_jax_is_the_fits_without(jax_cpu):
    before = {
        name: getattr(jax_cpu.config, name) for name in ("jax_enable_x64", "jax_default_matmul_precision")
    }
    bins = make_bins([50, 45, 60, 55])
    found = fit_all_bins(bins, GRID, ON_GPU, progress=False)
    expected = fit_all_bins(bins, GRID, RUN, n_jobs=1, progress=False)
    # Rounding changes a decision in about one fit in a hundred.
    assert sum(check_same_fit(a, b) for a, b in zip(found, expected, strict=True)) >= 3
    # The caller's own use of JAX is not affected.
    assert before == {name: getattr(jax_cpu.config, name) for name in before}


def test_members_beside_contaminants_are_those_without(jax_cpu):
    """Rows of negative weight, and a prior of the fraction, on the device too."""
    rng = np.random.default_rng(4)
    bins = make_bins([60, 80], 2)
    for data in bins:
        data["vel"] = np.append(data["vel"], rng.normal(100.0, 80.0, 20))
        data["err"] = np.append(data["err"], np.full(20, 2.0))
        data["membership"] = np.append(rng.uniform(0.5, 0.9, data["vel"].size - 20), np.full(20, 0.4))
    contaminant = Contaminant.gaussian(100.0, 80.0)
    found = fit_all_bins(bins, GRID, ON_GPU, contaminant=contaminant, progress=False)
    expected = fit_all_bins(bins, GRID, RUN, contaminant=contaminant, n_jobs=1, progress=False)
    for ours, theirs in zip(found, expected, strict=True):
        if check_same_fit(ours, theirs):
            np.testing.assert_allclose(ours.membership, theirs.membership, atol=1e-3)


def test_single_precision_products_are_not_shortened(jax_cpu):
    with gpu.jax_backend(jax_cpu.devices("cpu")[0]).context():
        assert jax_cpu.config.jax_default_matmul_precision == "highest"


def test_results_do_not_depend_on_who_shares_a_batch(numpy_device):
    bins = make_bins([40, 25, 60, 33])
    together = fit_all_bins(bins, GRID, ON_GPU, progress=False)
    alone = make_solver()
    alone.add_data(**bins[1])
    alone.run(num_samples=100, seed=17 + 1, gpu=True)
    expected = fit_all_bins(bins, GRID, RUN, n_jobs=1, progress=False)
    assert check_same_fit(together[1], alone)
    assert sum(check_same_fit(a, b) for a, b in zip(together, expected, strict=True)) >= 3


def test_more_stars_than_are_merged_and_several_batches(numpy_device, monkeypatch):
    monkeypatch.setattr(gpu, "_TOGETHER", 2)
    bins = make_bins([2200, 30, 60])
    found = fit_all_bins(bins, GRID, ON_GPU, progress=False)
    expected = fit_all_bins(bins, GRID, RUN, n_jobs=1, progress=False)
    assert sum(check_same_fit(a, b) for a, b in zip(found, expected, strict=True)) >= 2


def test_a_failing_bin_is_named_and_the_others_are_kept(numpy_device):
    bins = make_bins([30, 30, 30, 5])
    bins[1]["vel"][4] = np.nan
    with (
        pytest.warns(UserWarning, match="1 of 4 bins have fewer than min_stars"),
        pytest.raises(BatchError, match=r"1 of 4 bins failed(.|\n)*bin 1: ValueError: vel has 1") as caught,
    ):
        fit_all_bins(bins, GRID, ON_GPU, progress=False)
    assert [s is None for s in caught.value.solvers] == [False, True, False, True]
    assert caught.value.solvers[2].clipped_samples is not None


@pytest.mark.filterwarnings("ignore::veldist.ContaminationWarning")
def test_warnings_are_those_of_the_bins(numpy_device):
    bins = make_bins([30, 30, 30])
    bins[0]["vel"][:2] = 85.0
    with pytest.warns(GridWarning, match=r"1 of 3 bins \(0\):\n  bin 0: 2 of 30"):
        fit_all_bins(bins, GRID, ON_GPU, progress=False)


def test_a_device_that_fails_costs_no_finished_bin(numpy_device, monkeypatch):
    monkeypatch.setattr(gpu, "_TOGETHER", 2)
    servers = []
    serve = Server.serve

    def fail_in_the_second_batch(self, pending):
        if self not in servers:
            servers.append(self)
        if len(servers) == 2:
            raise RuntimeError("RESOURCE_EXHAUSTED")
        return serve(self, pending)

    monkeypatch.setattr(Server, "serve", fail_in_the_second_batch)
    with pytest.raises(BatchError, match="RESOURCE_EXHAUSTED") as caught:
        fit_all_bins(make_bins([30] * 5), GRID, ON_GPU, progress=False)
    assert [s is None for s in caught.value.solvers] == [False, False, True, True, False]


def test_an_interrupted_batch_goes_on_from_its_store(numpy_device, monkeypatch, tmp_path):
    monkeypatch.setattr(gpu, "_TOGETHER", 2)
    bins = make_bins([60, 50, 40, 30])
    accept, n_done = task.accept, []

    def interrupt(*args, **kwargs):
        n_done.append(1)
        if len(n_done) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return accept(*args)

    monkeypatch.setattr(task, "accept", interrupt)
    # Ignored in programs that a shell started in the background.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(BatchInterrupted, match="the same call goes on") as caught:
            fit_all_bins(bins, GRID, ON_GPU, progress=False, store=tmp_path / "map")
    finally:
        signal.signal(signal.SIGINT, before)
    assert sum(s is not None for s in caught.value.solvers) in (2, 3)
    solvers = fit_all_bins(bins, GRID, ON_GPU, progress=False, store=tmp_path / "map")
    whole = fit_all_bins(bins, GRID, ON_GPU, progress=False)
    # The second time the last bin had no company.
    assert sum(check_same_fit(a, b) for a, b in zip(solvers, whole, strict=True)) >= 3
    assert np.array_equal(
        load(tmp_path / "map")[0].samples["outside_grid"], solvers[0].samples["outside_grid"]
    )


@pytest.mark.parametrize("other", [{"n_jobs": 2}, {"n_jobs": 1}])
def test_worker_processes_and_the_gpu_exclude_each_other(numpy_device, other):
    with pytest.raises(ValueError, match=r"run_kwargs\['gpu'\] = True and n_jobs = \d exclude"):
        fit_all_bins(make_bins([30]), GRID, ON_GPU, progress=False, **other)
