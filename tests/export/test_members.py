"""What files for modelling codes say of members, where other stars were modelled as contaminants."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table

from tests.helpers.export_solvers import gaussian_solver, layout
from tests.helpers.mixed import mixed_solvers
from veldist import write_dynamite_kinematics
from veldist.export.gravsphere import radial_profile

pytestmark = pytest.mark.filterwarnings("ignore::veldist.errors.GridWarning")


def written(solvers, path, **options):
    files = write_dynamite_kinematics(solvers, path, layout(len(solvers)), **options)
    return Table.read(files.kinematics, format="ascii.ecsv")


def test_members_weigh_the_mean_velocity(tmp_path):
    solvers = mixed_solvers()
    table = written(solvers, tmp_path, bin_flux_mode="nmembers")
    expected = [np.median(solvers[k].samples["n_members"]) for k in (0, 2)]
    np.testing.assert_array_equal(table["bin_flux"], expected)
    assert table.meta["n_members"] == expected
    assert table.meta["n_stars"] == [150, 200]
    assert table.meta["bin_flux_mode"] == "nmembers"
    # Stars of the foreground are no outliers that anybody must look at.
    assert "outliers" not in table.meta


def test_where_all_are_members_their_number_is_that_of_the_stars(tmp_path):
    solvers = [gaussian_solver(n_stars=80), gaussian_solver(n_stars=90, seed=1)]
    table = written(solvers, tmp_path, bin_flux_mode="nmembers")
    np.testing.assert_array_equal(table["bin_flux"], [80.0, 90.0])
    assert "n_members" not in table.meta


def test_radial_profiles_are_weighted_by_members():
    solvers = mixed_solvers()
    profile = radial_profile(solvers, [1.0, 2.0, 3.0])
    expected = np.array([np.median(solvers[k].samples["n_members"]) for k in (0, 2)])
    np.testing.assert_allclose(profile.weight, expected / expected.sum())
