"""Members' share and number in maps and tables, where not all stars are members."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.export_solvers import gaussian_solver
from tests.helpers.mixed import mixed_solvers, mixed_stars
from veldist.analysis import compute_summary_maps, summary_table
from veldist.summaries.columns import MEMBERS


@pytest.fixture(scope="module")
def maps():
    return compute_summary_maps(mixed_solvers(), order=None)


@pytest.mark.parametrize("name", MEMBERS)
def test_maps_have_median_and_half_width_of_the_draws(maps, name):
    for k in (0, 2):
        low, median, high = np.percentile(mixed_solvers()[k].samples[name], (16.0, 50.0, 84.0))
        assert maps[name]["median"][k] == pytest.approx(median)
        assert maps[name]["uncertainty"][k] == pytest.approx(0.5 * (high - low))
    assert np.isnan(maps[name]["median"][1])


def test_the_number_is_that_of_the_members(maps):
    true = [mixed_stars(150, 0.7, 1).member.sum(), 0, mixed_stars(200, 0.4, 2).member.sum()]
    for k in (0, 2):
        assert abs(maps["n_members"]["median"][k] - true[k]) < 4.0 * maps["n_members"]["uncertainty"][k]


def test_maps_of_members_alone_do_not_speak_of_others():
    assert not set(MEMBERS) & set(compute_summary_maps([gaussian_solver()], order=None))


def test_bins_without_contaminants_beside_others_are_not_known():
    solver = mixed_solvers()[0]
    alone = type(solver)()
    alone.setup_grid(60.0, 100.0, 40)
    alone.add_data(np.random.default_rng(0).normal(60.0, 9.0, 50), 2.0)
    alone.run(num_samples=100)
    share = compute_summary_maps([solver, alone], order=None)["member_fraction"]["median"]
    assert np.isfinite(share).tolist() == [True, False]


def test_the_table_has_them_and_counts_no_star_as_far(maps):
    table = summary_table(mixed_solvers(), maps=maps)
    np.testing.assert_array_equal(table["n_members"], maps["n_members"]["median"])
    np.testing.assert_array_equal(table["member_fraction_unc"], maps["member_fraction"]["uncertainty"])
    assert "members" in table["n_members"].info.description
    assert table["n_far"][0] == table["n_far"][2] == 0
