"""What draws take in memory."""

import tracemalloc

import pytest

from tests.helpers.quick import GRID, RUN, make_bins
from veldist import KinematicSolver, fit_all_bins
from veldist.batch.fit_all import Workers, fit_bins
from veldist.fits import cost
from veldist.pipeline.products import make_products


@pytest.mark.parametrize("product", [None, make_products])
@pytest.mark.parametrize(("num_samples", "n_bins"), [(10_000, 32), (4_000, 400)])
def test_the_estimate_is_near_what_is_taken(num_samples, n_bins, product):
    def fit(num_samples, n_bins):
        grid, run = GRID | {"n_bins": n_bins}, RUN | {"num_samples": num_samples}
        fit_bins(make_bins([50]), grid, run, 10, Workers(1, progress=False), product=product)

    fit(100, 32)  # what is loaded once does not count
    tracemalloc.start()
    try:
        fit(num_samples, n_bins)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0.65 < peak / cost.size_of_fit(num_samples, n_bins, product is not None) < 1.2


@pytest.fixture
def small(monkeypatch):
    """A machine of 40 MB."""
    monkeypatch.setattr(cost, "memory_size", lambda: 40_000_000)


def test_what_fits_is_fitted_in_silence(small):
    cost.check_cost(1000, 500, 1)


def test_what_has_no_room_is_refused_before_the_first_fit(small, tmp_path):
    grid = GRID | {"n_bins": 100_000}
    message = (
        r"^num_samples = 60 draws on n_bins = 100000 velocity bins take 2.4 GB .* are 0.04 GB: pass fewer"
    )
    with pytest.raises(ValueError, match=message):
        fit_all_bins(make_bins([30, 30]), grid, RUN, progress=False, store=tmp_path / "map")
    assert list(tmp_path.iterdir()) == []
    solver = KinematicSolver()
    solver.setup_grid(**grid)
    solver.add_data(**make_bins([30])[0])
    with pytest.raises(ValueError, match=message):
        solver.run(**RUN)


def test_what_takes_much_is_told(small):
    with pytest.warns(
        UserWarning, match=r"take 0.026 GB of memory, and there are 0.04 GB: pass fewer of them\."
    ):
        cost.check_cost(1000, 1000)
    with pytest.warns(
        UserWarning, match=r"take 0.014 GB of memory in each of 2 processes.* smaller n_jobs\."
    ):
        cost.check_cost(1000, 500, 2)


def test_where_memory_is_unknown_nothing_is_said(monkeypatch):
    monkeypatch.setattr(cost, "memory_size", lambda: None)
    cost.check_cost(10**9, 10**9, 100)
