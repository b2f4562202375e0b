"""Settings of members, and the table of all stars after bins were skipped or failed."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table

from tests.helpers.mixed import FOREIGN, mixed_stars
from veldist.pipeline.fit import PipelineSettings, fit_catalog
from veldist.pipeline.stars import write_stars
from veldist.sky.catalog import read_catalog


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"prior_membership": True}, ValueError, "prior_membership .*beside a contaminant"),
        ({"v_guess": 60.0}, ValueError, "v_guess .*beside a contaminant"),
        ({"contaminant": "learn", "v_guess": np.nan}, ValueError, "v_guess must be finite"),
        ({"contaminant": "guess"}, TypeError, "must be a veldist.Contaminant"),
        ({"error_model": 3.0}, TypeError, "must be a veldist.ErrorModel"),
    ],
)
def test_settings_are_refused_before_any_work(settings, error, message):
    with pytest.raises(error, match=message):
        PipelineSettings(**settings)


def catalog_in(tmp_path, **changes):
    """Two clumps of 60 stars, all of them members."""
    stars = mixed_stars(120, 1.0, 4)
    columns = {"x": stars.x + np.repeat([0.0, 5000.0], 60), "y": stars.y, "v": stars.vel, "e": stars.err}
    Table(columns | changes).write(tmp_path / "s.csv", format="ascii.csv", overwrite=True)
    return read_catalog(tmp_path / "s.csv", x="x", y="y", vel="v", err="e")


def statuses(catalog, settings, path):
    result = fit_catalog(catalog, settings, progress=False)
    return Table.read(write_stars(result, path / "stars.ecsv"), format="ascii.ecsv")


def test_a_memberless_catalogue_has_no_prior(tmp_path):
    settings = PipelineSettings(contaminant=FOREIGN, prior_membership=True)
    with pytest.raises(ValueError, match="prior_membership needs a catalogue with a membership column"):
        fit_catalog(catalog_in(tmp_path), settings, progress=False)


def test_stars_of_failed_bins_say_so(tmp_path):
    vel = mixed_stars(120, 1.0, 4).vel + np.repeat([0.0, 900.0], 60)
    grid = {"center": 60.0, "width": 100.0, "n_bins": 21}
    settings = PipelineSettings(stars_per_bin=60, grid=grid, num_samples=50, n_jobs=1)
    table = statuses(catalog_in(tmp_path, v=vel), settings, tmp_path)
    assert set(table["status"][:60]) == {"used"}
    assert set(table["status"][60:]) == {"the fit of its bin failed"}
    assert len(set(table["bin_id"][60:])) == 1


@pytest.mark.filterwarnings("ignore:1 of 2 bins have fewer", "ignore:120 of 120 rows share their position")
def test_stars_of_skipped_bins_say_so(tmp_path):
    # Stars at one place cannot be divided into equal bins.
    x = np.concatenate([np.zeros(12), np.full(108, 9.0)])
    settings = PipelineSettings(stars_per_bin=60, min_stars=20, num_samples=50, n_jobs=1)
    with pytest.warns(UserWarning, match="cannot be told apart"):
        table = statuses(catalog_in(tmp_path, x=x, y=np.zeros(120)), settings, tmp_path)
    assert set(table["status"][:12]) == {"its bin has fewer than 20 stars"}
    assert set(table["status"][12:]) == {"used"}
