"""Maps beside contaminants: which bins are fitted, and their dataset."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.mixed import FOREIGN, GRID, mixed_solvers, mixed_stars
from veldist import fit_all_bins, load, to_xarray
from veldist.analysis import compute_summary_maps


def bin_of(stars, probability):
    return {"vel": stars.vel, "err": stars.err, "membership": np.full(stars.vel.size, probability)}


def test_expected_members_decide_which_bins_are_fitted(tmp_path):
    stars = mixed_stars(60, 0.8)
    bins = [bin_of(stars, 0.25), bin_of(stars, 0.5), {"vel": stars.vel, "err": stars.err}]
    common = {
        "contaminant": FOREIGN,
        "min_stars": 20,
        "n_jobs": 1,
        "progress": False,
        "store": tmp_path / "m",
    }
    with pytest.warns(UserWarning, match="1 of 3 bins have fewer than min_stars = 20 stars .*members.*: 0"):
        solvers = fit_all_bins(bins, GRID, {"num_samples": 50}, **common)
    assert [solver is not None for solver in solvers] == [False, True, True]
    # A later session finds all that was wanted.
    assert [solver is not None for solver in load(tmp_path / "m")] == [False, True, True]


def test_the_dataset_has_shares_numbers_and_memberships(tmp_path):
    solvers = mixed_solvers()
    dataset = to_xarray(solvers, draws=50, maps=compute_summary_maps(solvers, order=None))
    for name in ("member_fraction", "n_members"):
        assert dataset[name].dims == ("bin", "draw")
        np.testing.assert_array_equal(dataset[name][2], solvers[2].samples[name][dataset["draw"]])
        assert np.isnan(dataset[name][1]).all()
    for k in (0, 2):
        stars = dataset["membership"].values[dataset["star_bin"].values == k]
        np.testing.assert_array_equal(stars, solvers[k].membership)
    dataset.to_netcdf(tmp_path / "map.nc")


def test_datasets_of_members_alone_have_no_stars():
    stars = mixed_stars(50, 1.0)
    bins = [{"vel": stars.vel, "err": stars.err}]
    dataset = to_xarray(fit_all_bins(bins, GRID, {"num_samples": 50}, n_jobs=1, progress=False))
    assert not {"member_fraction", "n_members", "membership", "star_bin"} & set(dataset.variables)
