"""What became of every row of a table, and velocities that are read alone."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from veldist.sky.catalog import read_catalog
from veldist.sky.velocities import read_velocities

NAMES = {"x": "x", "y": "y", "vel": "v", "err": "e"}


@pytest.fixture
def path(tmp_path):
    table = Table({name: np.arange(1.0, 7.0) for name in "xyve"})
    table["p"] = [0.1, 0.9, 0.9, 0.4, 0.9, 0.9]
    for name, mask in (("y", [0, 1, 0, 0, 0, 0]), ("v", [0, 1, 0, 0, 1, 0]), ("e", [0, 0, 1, 0, 0, 0])):
        table[name] = MaskedColumn(table[name], mask=mask)
    table.write(tmp_path / "s.ecsv", format="ascii.ecsv")
    return tmp_path / "s.ecsv"


def test_every_row_is_there_with_the_reason(path):
    with pytest.warns(UserWarning, match="3 of 6 rows dropped"):
        catalog = read_catalog(path, **NAMES, membership="p", min_membership=0.5, drop_masked=True)
    assert catalog.table.status.tolist() == [
        "membership below 0.5",
        "no position, no velocity",
        "no error",
        "membership below 0.5",
        "no velocity",
        "used",
    ]
    assert np.isnan(catalog.table.vel).tolist() == [False, True, False, False, True, False]
    np.testing.assert_array_equal(catalog.table.x, np.arange(1.0, 7.0))


def test_velocities_are_read_with_their_unit(tmp_path):
    table = Table({"v_ms": [1000.0, 2000.0], "e_ms": [100.0, 200.0]})
    table.write(tmp_path / "c.csv", format="ascii.csv")
    vel, err = read_velocities(tmp_path / "c.csv", "v_ms", "e_ms")
    np.testing.assert_allclose(vel, [1.0, 2.0])
    np.testing.assert_allclose(err, [0.1, 0.2])
    assert read_velocities(tmp_path / "c.csv", "v_ms")[1] is None


def test_missing_velocities_are_told_or_dropped(path):
    with pytest.raises(ValueError, match="drop_masked"):
        read_velocities(path, "v")
    with pytest.warns(UserWarning, match="2 of 6 rows dropped"):
        vel, _ = read_velocities(path, "v", drop_masked=True)
    assert vel.tolist() == [1.0, 3.0, 4.0, 6.0]
    with pytest.raises(ValueError, match="the table lacks vel='w'"):
        read_velocities(path, "w")
