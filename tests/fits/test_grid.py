import astropy.units as u
import numpy as np
import pytest

from veldist import KinematicSolver
from veldist.fits.grid import same_grid, suggest_grid


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
    bins[1]["vel"][0] = 9999.0
    assert suggest_grid(bins)["width"] < 1.2 * expected["width"]


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
