"""The same work for every bin."""

import os
import weakref
from collections.abc import Sequence

import numpy as np
import pytest

from tests.helpers.quick import GRID, QUICK, make_bins
from tests.helpers.solvers import gaussian_solver
from veldist import fit_all_bins, load
from veldist.batch.store import MapStore
from veldist.fits.draws import check_fits
from veldist.fits.each import over_bins

SIZES = [30, 20, 5, 25, 40]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("each") / "map"
    run = {"num_samples": 20, "settings": QUICK}
    with pytest.warns(UserWarning, match="1 of 5 bins have fewer"):
        fit_all_bins(make_bins(SIZES), GRID, run, store=path, n_jobs=1, progress=False)
    return path


def measure(index, fit):
    return index, fit.n_stars, fit.samples["intrinsic_pdf"].sum(axis=0)


def process(index, fit):
    return os.getpid()


def refuse(index, fit):
    if index in (1, 3):
        raise LookupError(f"bin {index} of {fit.n_stars} stars")
    return index


def same(one, two):
    assert one.keys() == two.keys()
    for k, (index, n_stars, sums) in one.items():
        assert (index, n_stars) == two[k][:2] == (k, SIZES[k])
        assert np.array_equal(sums, two[k][2])


def test_lists_and_stores_with_and_without_processes_give_the_same(store):
    stored = check_fits(load(store))
    listed = check_fits(list(load(store)))
    expected = dict(over_bins(measure, listed, 1))
    assert list(expected) == [0, 1, 3, 4]
    for fits in (stored, listed):
        for n_jobs in (1, 2, None):
            same(expected, dict(over_bins(measure, fits, n_jobs)))


def test_some_of_the_bins_in_the_order_that_is_asked_for(store):
    for fits in (check_fits(load(store)), check_fits(list(load(store)))):
        for n_jobs in (1, 2):
            found = dict(over_bins(measure, fits, n_jobs, bins=[4, 0]))
            assert set(found) == {0, 4}
        assert [k for k, _ in over_bins(measure, fits, 1, bins=[4, 0])] == [4, 0]
        assert list(over_bins(measure, fits, 1, bins=[])) == []


def test_the_work_is_done_where_it_should_be(store):
    fits = check_fits(load(store))
    assert {pid for _, pid in over_bins(process, fits, 1)} == {os.getpid()}
    # A handful of bins is not worth a process.
    assert {pid for _, pid in over_bins(process, fits)} == {os.getpid()}
    assert os.getpid() not in {pid for _, pid in over_bins(process, fits, 2)}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_error_comes_after_all_others_are_done_and_is_the_first(n_jobs):
    fits = check_fits([gaussian_solver(n_stars=10 + k) for k in range(5)])
    done = []
    with pytest.raises(LookupError, match="bin 1 of 11 stars"):
        done.extend(over_bins(refuse, fits, n_jobs))
    done = []
    try:
        for k, _ in over_bins(refuse, fits, n_jobs):
            done.append(k)
    except LookupError:
        assert sorted(done) == [0, 2, 4]


def test_a_record_that_cannot_be_read_is_an_error_of_its_bin(store, monkeypatch):
    fits = check_fits(load(store))
    read = MapStore.read

    def fail(self, index):
        if index == 3:
            raise OSError("bad sector")
        return read(self, index)

    monkeypatch.setattr(MapStore, "read", fail)
    done = []
    with pytest.raises(OSError, match="bad sector"):
        done.extend(k for k, _ in over_bins(measure, fits, 1))


def test_fits_that_live_elsewhere_are_read_one_at_a_time():
    alive = []

    class Lazy(Sequence):
        fitted = np.array([True, False, True, True])

        def __len__(self):
            return 4

        def __getitem__(self, k):
            # The one before may still be held by whoever asks.
            assert sum(fit() is not None for fit in alive) <= 1
            fit = gaussian_solver(n_stars=10 + k).fit
            alive.append(weakref.ref(fit))
            return fit

    assert [n for _, (_, n, _) in over_bins(measure, Lazy(), 1)] == [10, 12, 13]
    assert len(alive) == 3


def test_nothing_is_read_before_it_is_asked_for(store, monkeypatch):
    fits = check_fits(load(store))
    read, asked = MapStore.read, []
    monkeypatch.setattr(MapStore, "read", lambda self, k: asked.append(k) or read(self, k))
    found = over_bins(measure, fits, 1)
    assert asked == []
    assert next(found)[0] == 0
    assert asked == [0]
    found.close()
    assert asked == [0]
