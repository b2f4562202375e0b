"""What draws take in memory."""

import pytest

from tests.helpers.quick import GRID, RUN, make_bins
from veldist import KinematicSolver, fit_all_bins
from veldist.fits import cost


@pytest.fixture
def small(monkeypatch):
    """A machine of 40 MB."""
    monkeypatch.setattr(cost, "memory_size", lambda: 40_000_000)


def test_what_fits_is_fitted_in_silence(small):
    cost.check_cost(1000, 500, 1)


def test_what_has_no_room_is_refused_before_the_first_fit(small, tmp_path):
    grid = GRID | {"n_bins": 100_000}
    message = (
        r"^num_samples = 60 draws on n_bins = 100000 velocity bins take 0.192 GB .* are 0.04 GB: pass fewer"
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
    with pytest.warns(UserWarning, match=r"take 0.0352 GB of memory, and there are 0.04 GB: pass fewer"):
        cost.check_cost(1000, 1000)
    with pytest.warns(
        UserWarning, match=r"take 0.0192 GB of memory in each of 2 processes.* smaller n_jobs\."
    ):
        cost.check_cost(1000, 500, 2)


def test_where_memory_is_unknown_nothing_is_said(monkeypatch):
    monkeypatch.setattr(cost, "memory_size", lambda: None)
    cost.check_cost(10**9, 10**9, 100)
