import pickle

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.mixed import FOREIGN, mixed_stars
from veldist import Contaminant, KinematicSolver
from veldist.fits.grid import VelocityGrid, same_grid, suggest_grid


def make_bins(locations, scales, n=100):
    rng = np.random.default_rng(0)
    return [
        {"vel": rng.normal(m, s, n), "err": np.full(n, 1.0)} for m, s in zip(locations, scales, strict=True)
    ]


def test_the_grid_holds_every_bin_to_five_dispersions():
    bins = make_bins([-20, 0, 15], [10, 12, 9])
    grid = suggest_grid(bins)
    low, high = grid["center"] - grid["width"] / 2, grid["center"] + grid["width"] / 2
    assert low < -20 - 4.5 * 10
    assert high > 15 + 4.5 * 9
    assert 2.5 < 10 / (grid["width"] / grid["n_bins"]) < 3.8
    assert grid["n_bins"] % 2 == 1
    KinematicSolver().setup_grid(**grid)


def test_the_grid_follows_scale_and_units():
    bins = make_bins([5], [10])
    grid = suggest_grid(bins)
    hundredfold = suggest_grid([{k: 100 * v for k, v in b.items()} for b in bins])
    assert hundredfold["width"] == pytest.approx(100 * grid["width"], rel=0.05)
    assert suggest_grid([{k: v * u.km / u.s for k, v in b.items()} for b in bins]) == grid


def test_the_number_of_bins_is_bounded():
    wide = suggest_grid(make_bins([-1000, 1000], [2, 2]))
    assert wide["n_bins"] == 151
    assert wide["width"] > 2000


def test_small_bins_do_not_count():
    bins = make_bins([0, 0], [10, 10]) + make_bins([5000], [10], n=5)
    assert suggest_grid(bins)["width"] < 200
    with pytest.raises(ValueError, match="no bin has min_stars = 500"):
        suggest_grid(bins, min_stars=500)
    with pytest.raises(ValueError, match=r"bin_data_list\[0\] lacks \['err'\]"):
        suggest_grid([{"vel": np.zeros(20)}])


def test_a_foreground_star_does_not_stretch_the_grid():
    bins = make_bins([0, 0, 0], [10, 10, 10])
    expected = suggest_grid(bins)
    bins[1]["vel"][0] = 900.0
    assert suggest_grid(bins)["width"] < 1.2 * expected["width"]
    bins[1]["vel"][0] = 9999.0
    with pytest.raises(ValueError, match=r"bin_data_list\[1\]: vel has 1 of \d+ values \(row 0: 9999.0\)"):
        suggest_grid(bins)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_grids_are_the_same_within_a_millionth_of_a_bin(scale):
    first = scale * np.linspace(-100.0, 100.0, 21)
    width = first[1] - first[0]
    assert same_grid(first, first)
    assert same_grid(first + 0.9e-6 * width, first)
    for k in (0, 7, 20):
        for other in (1.1e-6 * width, -1.1e-6 * width, np.nan):
            assert not same_grid(first + other * (np.arange(21) == k), first)
    assert not same_grid(first[:-1], first)
    assert not same_grid(first, first[:-1])


finite = st.floats(-1e4, 1e4)
# Bins narrower than 1e-9 of the velocities are refused.
widths = st.floats(1.0, 1e5)
numbers = st.integers(3, 300)


@given(finite, widths, numbers)
def test_bins_are_equal_and_lie_around_the_centre(center, width, n_bins):
    grid = VelocityGrid.of(center, width, n_bins)
    assert grid.n_bins == n_bins == grid.centers.size == grid.edges.size - 1
    assert grid.width == width
    assert grid.bin_width == width / n_bins
    # Rounding of sums of numbers as large as these.
    error = 4 * np.finfo(float).eps * (abs(center) + width)
    np.testing.assert_allclose(np.diff(grid.edges), grid.bin_width, rtol=0, atol=2 * error)
    np.testing.assert_allclose(
        grid.edges[[0, -1]], [center - 0.5 * width, center + 0.5 * width], rtol=0, atol=error
    )
    np.testing.assert_allclose(grid.centers[0] - grid.edges[0], 0.5 * grid.bin_width, rtol=0, atol=2 * error)


@given(finite, widths, numbers)
def test_grids_come_back_from_what_describes_them(center, width, n_bins):
    grid = VelocityGrid.of(center, width, n_bins)
    again = [
        VelocityGrid.read({"center": center, "width": width, "n_bins": n_bins}, "grid"),
        VelocityGrid.from_dict(grid.as_dict()),
        pickle.loads(pickle.dumps(grid)),
    ]
    for other in again:
        assert np.array_equal(other.edges, grid.edges)
        assert other.width == grid.width
        assert np.array_equal(other.centers, grid.centers)
    # From the centres alone, to rounding.
    error = 8 * np.finfo(float).eps * (abs(center) + width)
    around = VelocityGrid.around(grid.centers, grid.bin_width)
    np.testing.assert_allclose(around.edges, grid.edges, rtol=0, atol=error)
    assert around.width == pytest.approx(width, rel=1e-12)
    edges = VelocityGrid.from_dict({"edges": grid.edges.tolist()})
    assert np.array_equal(edges.edges, grid.edges)
    assert edges.width == pytest.approx(width, abs=error)


@given(finite, widths, numbers, st.floats(-1e3, 1e3), st.floats(0.01, 1.0))
def test_grids_move_and_stretch_with_what_they_are_made_of(center, width, n_bins, shift, factor):
    moved = VelocityGrid.of(factor * center + shift, factor * width, n_bins)
    error = 8 * np.finfo(float).eps * (factor * (abs(center) + width) + abs(shift))
    expected = factor * VelocityGrid.of(center, width, n_bins).edges + shift
    np.testing.assert_allclose(moved.edges, expected, rtol=0, atol=error)


def test_a_grid_is_what_the_solver_shows():
    grid = VelocityGrid.of(0.05 * u.Unit("Mm/s"), 120.0, 40)
    solver = KinematicSolver()
    solver.setup_grid(50.0, 120.0, 40)
    shown = solver.grid
    assert list(shown) == ["centers", "edges", "width", "n_bins", "bin_width"]
    np.testing.assert_allclose(shown["edges"], grid.edges, rtol=1e-14)
    assert (shown["width"], shown["n_bins"], shown["bin_width"]) == (120.0, 40, 3.0)
    assert grid.centers is grid.centers


def test_a_grid_does_not_change():
    grid = VelocityGrid.of(0.0, 10.0, 5)
    for name in ("edges", "width", "n_bins", "bin_width"):
        with pytest.raises(AttributeError):
            setattr(grid, name, None)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"center": 0.0, "width": 0.0, "n_bins": 5}, ValueError, "width must be positive"),
        ({"center": 0.0, "width": np.inf, "n_bins": 5}, ValueError, "width must be finite"),
        ({"center": 0.0, "width": 1.0, "n_bins": 2}, ValueError, "n_bins must be at least 3"),
        ({"center": 0.0, "width": 1.0, "n_bins": 5.0}, TypeError, "n_bins must be an integer"),
        ({"center": 3 * u.s, "width": 1.0, "n_bins": 5}, ValueError, "center has unit 's'"),
        ({"center": 0.0, "width": 1.0}, ValueError, r"mine lacks \['n_bins'\]"),
        ("wide", TypeError, "mine must be a dict"),
        (None, TypeError, "mine must be a dict"),
    ],
)
def test_bad_grids_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        VelocityGrid.read(arguments, "mine")


def contaminated(n_bins=6, share=0.3):
    parts = [mixed_stars(120, share, seed) for seed in range(n_bins)]
    return [{"vel": p.vel, "err": p.err, "membership": p.probability} for p in parts]


@pytest.mark.parametrize(
    ("contaminant", "share"), [(FOREIGN, 0.3), ("learn", 0.3), (Contaminant.uniform(-300.0, 300.0), 0.7)]
)
@pytest.mark.parametrize("known", [False, True])
def test_contaminants_do_not_stretch_the_grid(contaminant, share, known):
    bins = [data if known else {k: data[k] for k in ("vel", "err")} for data in contaminated(share=share)]
    grid = suggest_grid(bins, contaminant=contaminant)
    assert abs(grid["center"] - 60.0) < 3.0
    assert 80.0 < grid["width"] < 180.0


def test_bins_of_few_expected_members_do_not_count_for_the_grid():
    bins = [data | {"membership": np.full(120, 0.05)} for data in contaminated(2)]
    with pytest.raises(ValueError, match="no bin has min_stars = 10"):
        suggest_grid(bins, contaminant=FOREIGN)
