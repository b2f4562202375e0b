"""One bin beside contaminants as labelled arrays."""

from __future__ import annotations

import numpy as np

from tests.helpers.mixed import FOREIGN, mixed_solvers


def test_the_dataset_has_members(tmp_path):
    solver = mixed_solvers()[2]
    dataset = solver.to_xarray()
    draws = dataset["sample_row"].values.ravel()
    reported = draws < 200
    for name in ("member_fraction", "n_members"):
        assert dataset[name].dims == ("chain", "draw")
        values = np.empty(draws.size)
        values[draws] = dataset[name].values.ravel()
        np.testing.assert_array_equal(values[: reported.sum()], solver.samples[name])
    np.testing.assert_array_equal(dataset["membership"], solver.membership)
    np.testing.assert_array_equal(dataset["contaminant_density"], FOREIGN.density(solver.vel, solver.err))
    assert dataset["prior_membership"].dims == ("star",)
    dataset.to_netcdf(tmp_path / "bin.nc")


def test_the_tree_has_members_where_arviz_looks():
    tree = mixed_solvers()[0].to_arviz()
    assert {"member_fraction", "n_members"} <= set(tree["posterior"].data_vars)
    assert "membership" in tree["diagnostics"].data_vars
    assert "prior_membership" not in tree["constant_data"].data_vars
