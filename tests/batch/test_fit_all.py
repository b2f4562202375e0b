import os
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

from veldist import BatchError, GridWarning, KinematicSolver, fit_all_bins
from veldist._support.validate import name_first
from veldist.batch.fit_all import Workers, fit_bins
from veldist.fits.fit import Fit

GRID = {"center": 0.0, "width": 160.0, "n_bins": 32}
RUN = {"num_samples": 100, "seed": 17}


def make_bins(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [{"vel": rng.normal(0, 12, n), "err": rng.uniform(1, 4, n)} for n in sizes]


def test_results_have_the_same_bits_for_any_number_of_processes():
    bins = make_bins([40, 25, 60, 33, 12, 90])
    results = [fit_all_bins(bins, GRID, RUN, n_jobs=n, progress=False) for n in (1, 2)]
    for one, two in zip(*results, strict=True):
        assert np.array_equal(one.samples["intrinsic_pdf"], two.samples["intrinsic_pdf"])
        assert one.clipped_samples is not None
    # And those of a single solver with seed + index.
    solver = KinematicSolver()
    solver.setup_grid(**GRID)
    solver.add_data(**bins[3])
    solver.run(num_samples=100, seed=17 + 3)
    assert np.array_equal(solver.samples["intrinsic_pdf"], results[0][3].samples["intrinsic_pdf"])


def test_small_bins_are_skipped_with_one_warning():
    with pytest.warns(
        UserWarning, match=r"2 of 4 bins have fewer than min_stars = 20 stars.*: 0, 2\."
    ) as caught:
        solvers = fit_all_bins(make_bins([5, 30, 0, 30]), GRID, RUN, min_stars=20, progress=False)
    assert len(caught) == 1
    assert [s is None for s in solvers] == [True, False, True, False]


def test_a_failing_bin_is_named_and_the_others_are_kept():
    bins = make_bins([30, 30, 30])
    bins[1]["vel"][4] = np.nan
    with pytest.raises(
        BatchError, match=r"1 of 3 bins failed(.|\n)*bin 1: ValueError: vel has 1 of 30"
    ) as caught:
        fit_all_bins(bins, GRID, RUN, progress=False)
    assert set(caught.value.failures) == {1}
    assert [s is None for s in caught.value.solvers] == [False, True, False]
    assert caught.value.solvers[2].samples["intrinsic_pdf"].shape == (100, 32)
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.solvers[2].n_stars == 30


def test_bins_that_fail_in_the_same_way_are_told_in_one_line():
    errors = {4: ValueError("bad"), 1: ValueError("bad"), 2: MemoryError("none left")}
    lines = str(BatchError([None] * 5, errors)).splitlines()
    assert lines[1:3] == ["  bins 1, 4: ValueError: bad", "  bin 2: MemoryError: none left"]


def test_failures_are_told_even_where_warnings_are_errors():
    bins = make_bins([30, 30])
    bins[0]["err"][0] = -1.0
    bins[1]["vel"][0] = 85.0
    with pytest.raises(BatchError, match="bin 0"):
        fit_all_bins(bins, GRID, RUN, progress=False)


@pytest.mark.filterwarnings("ignore::veldist.ContaminationWarning")
def test_warnings_of_many_bins_are_told_once():
    bins = make_bins([30, 30, 30])
    for k in (0, 2):
        bins[k]["vel"][:2] = 85.0
    with pytest.warns(GridWarning, match=r"2 of 3 bins \(0, 2\):\n  bin 0: 2 of 30") as caught:
        fit_all_bins(bins, GRID, RUN, progress=False)
    assert len([w for w in caught if w.category is GridWarning]) == 1


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"bin_data_list": []}, ValueError, "bin_data_list is empty"),
        ({"bin_data_list": {"vel": [1], "err": [1]}}, TypeError, "must be a sequence of dicts"),
        ({"bin_data_list": [{"vel": [1.0]}]}, ValueError, r"bin_data_list\[0\] lacks \['err'\]"),
        ({"grid_kwargs": {"center": 0.0}}, ValueError, r"grid_kwargs lacks \['width', 'n_bins'\]"),
        ({"grid_kwargs": GRID | {"bins": 3}}, TypeError, r"grid_kwargs has unknown keys \['bins'\]"),
        ({"grid_kwargs": GRID | {"width": -1}}, ValueError, "width must be positive"),
        ({"run_kwargs": {"samples": 3}}, TypeError, r"run_kwargs has unknown keys \['samples'\]"),
        ({"run_kwargs": {"seed": -1}}, ValueError, "seed"),
        ({"run_kwargs": {"num_samples": 0}}, ValueError, "num_samples must be at least 1"),
        ({"run_kwargs": {"settings": 5}}, TypeError, "settings must be"),
        ({"run_kwargs": ["num_samples"]}, TypeError, "run_kwargs must be a dict"),
        ({"min_stars": 0}, ValueError, "min_stars"),
        ({"n_jobs": 0}, ValueError, "n_jobs"),
        ({"n_jobs": 2, "client": object()}, ValueError, "n_jobs = 2 and client exclude each other"),
        ({"client": object()}, TypeError, "client must be a distributed.Client"),
    ],
)
def test_bad_arguments_fail_at_once(arguments, error, message):
    good = {"bin_data_list": make_bins([20]), "grid_kwargs": GRID, "run_kwargs": RUN, "progress": False}
    with pytest.raises(error, match=message):
        fit_all_bins(**good | arguments)


class Killer:
    """Stands for data whose processing kills the worker: unpickling it ends the process."""

    def __init__(self, parent):
        self.parent = parent

    def __array__(self, dtype=None, copy=None):
        if os.getpid() != self.parent:
            os._exit(1)
        return np.zeros(500)

    def __len__(self):
        return 500


def test_a_dying_worker_does_not_take_the_others_with_it():
    bins = make_bins([20, 20, 20, 20])
    bins[1]["vel"] = Killer(os.getpid())
    with pytest.raises(BatchError) as caught, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit_all_bins(bins, GRID, RUN, n_jobs=2, progress=False)
    assert 1 in caught.value.failures
    assert [k for k, s in enumerate(caught.value.solvers) if s is None] == [1]


class Unpicklable(np.ndarray):
    """Data that cannot be sent to a worker."""

    def __reduce__(self):
        raise TypeError("this array stays here")


def test_data_that_cannot_travel_fail_alone():
    bins = make_bins([20, 20, 20])
    bins[2]["err"] = bins[2]["err"].view(Unpicklable)
    bins[0]["vel"] = [[1.0, 2.0], *range(18)]
    with pytest.raises(BatchError) as caught:
        fit_all_bins(bins, GRID, RUN, n_jobs=2, progress=False)
    assert set(caught.value.failures) == {0, 2}
    assert caught.value.solvers[1] is not None


def test_a_script_without_main_guard_can_use_all_cores(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import numpy as np\n"
        "from veldist import fit_all_bins\n"
        "print('started')\n"
        "rng = np.random.default_rng(0)\n"
        "bins = [{'vel': rng.normal(0, 10, 20), 'err': np.ones(20)} for _ in range(4)]\n"
        f"solvers = fit_all_bins(bins, {GRID!r}, {RUN!r}, n_jobs=2)\n"
        "print(len(solvers))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout == "started\n4\n"
    assert "100%" in done.stderr


def test_results_travel_by_pickle():
    solver = fit_all_bins(make_bins([20]), GRID, RUN, progress=False)[0]
    again = pickle.loads(pickle.dumps(solver))
    assert np.array_equal(again.samples["intrinsic_pdf"], solver.samples["intrinsic_pdf"])


def test_bins_are_named_up_to_a_limit():
    assert name_first([1, 2]) == "1, 2"
    assert name_first(range(30), limit=3) == "0, 1, 2, ..."


def test_draws_on_the_grid_are_left_behind_and_come_back():
    # As it comes from a worker.
    solver = fit_all_bins(make_bins([20] * 2), GRID, RUN, progress=False, n_jobs=2)[0]
    assert "samples" not in vars(solver.fit)
    alone = KinematicSolver()
    alone.setup_grid(**GRID)
    alone.add_data(**make_bins([20] * 2)[0])
    expected = alone.run(**RUN)
    assert solver.samples is solver.samples
    assert solver.samples.keys() == expected.keys()
    for key, values in expected.items():
        assert np.array_equal(solver.samples[key], values)


def test_a_grid_that_cannot_be_reported_on_changes_nothing():
    solver = fit_all_bins(make_bins([20]), GRID, RUN, progress=False)[0]
    before = solver.samples["intrinsic_pdf"]
    with pytest.raises(ValueError):
        solver.setup_grid(center=500.0, width=10.0, n_bins=5)
    assert solver.samples["intrinsic_pdf"] is before
    assert solver.grid["width"] == GRID["width"]


def test_bins_as_records_carry_what_went_wrong_and_what_was_made_of_them():
    bins = make_bins([30, 5, 40, 20])
    bins[3]["vel"][0] = np.nan
    with pytest.warns(UserWarning, match="1 of 4 bins have fewer"):
        fitted = fit_bins(bins, GRID, RUN, 10, Workers(progress=False), product=count)
    assert [type(fit) for fit in fitted.fits] == [Fit, type(None), Fit, type(None)]
    assert fitted.products == {0: (0, 30), 2: (2, 40)}
    assert list(fitted.failures) == [3]
    assert "vel has 1 of 20" in str(fitted.failures[3])
    assert np.array_equal(fitted.fits[2].stars.vel, bins[2]["vel"])
    assert fitted.fits[0].clipped is not None


def test_what_cannot_be_made_of_a_bin_fails_with_it():
    with pytest.warns(UserWarning, match="1 of 3 bins have fewer"):
        fitted = fit_bins(
            make_bins([30, 5, 40]), GRID, RUN, 10, Workers(progress=False), product=refuse_the_larger
        )
    assert fitted.products == {0: 0}
    assert list(fitted.failures) == [2]
    assert fitted.fits[2] is None


def count(index, fit):
    return index, fit.n_stars


def refuse_the_larger(index, fit):
    if fit.n_stars > 30:
        raise ValueError("too large")
    return index
