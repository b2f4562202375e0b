"""Tables with repeat visits, rounded positions and two instruments, read as catalogues of stars."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest
from astropy.table import Table

from veldist.sky import read_catalog

NAMES = {"x": "x", "y": "y", "vel": "v", "err": "e"}


def read(path, *, silent=False, **columns):
    options = {key: columns.pop(key) for key in ("id", "instrument", "align") if key in columns}
    Table(columns).write(path / "stars.csv", overwrite=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error" if silent else "default")
        return read_catalog(path / "stars.csv", **NAMES, **options)


def visited(rng, n=60, visits=4):
    """Columns of stars that were visited several times, in any order."""
    star = rng.permutation(np.repeat(np.arange(n), visits))
    x, y, vel = rng.normal(0.0, 100.0, n), rng.normal(0.0, 100.0, n), rng.normal(0.0, 10.0, n)
    err = rng.uniform(0.5, 2.0, star.size)
    return {"x": x[star], "y": y[star], "v": vel[star] + rng.normal(0.0, err), "e": err, "star": star}


def test_rows_at_equal_positions_are_averaged_and_that_is_said(tmp_path):
    columns = visited(np.random.default_rng(0))
    with pytest.warns(UserWarning, match="equal positions: 240 rows are 60 stars, 60 of them visited"):
        catalog = read(tmp_path, **columns)
    assert (catalog.n_stars, catalog.n_read) == (60, 240)
    np.testing.assert_array_equal(catalog.n_visits, 4)
    for k in range(60):
        rows = np.flatnonzero(catalog.star == k)
        weight = 1.0 / columns["e"][rows] ** 2
        assert catalog.rows[k] == rows[0]
        np.testing.assert_allclose(catalog.vel[k], np.average(columns["v"][rows], weights=weight))
        np.testing.assert_allclose(catalog.x[k], columns["x"][rows[0]])
    plain = ~catalog.variable
    total = np.bincount(catalog.star, 1.0 / columns["e"] ** 2)
    np.testing.assert_allclose(catalog.err[plain], total[plain] ** -0.5)


def test_names_tell_the_stars_without_a_warning(tmp_path, caplog):
    columns = visited(np.random.default_rng(1))
    columns["x"] = columns["x"] + np.linspace(0.0, 0.1, 240)
    with caplog.at_level(logging.INFO, logger="veldist"):
        catalog = read(tmp_path, silent=True, id="star", **columns)
    assert catalog.n_stars == 60
    assert "240 rows are 60 stars" in caplog.text


def test_binaries_among_the_visits_are_no_different_stars(tmp_path):
    rng = np.random.default_rng(2)
    columns = visited(rng, visits=2)
    binary = (rng.random(60) < 0.3)[columns["star"]]
    columns["v"] = columns["v"] + np.where(binary, rng.normal(0.0, 20.0, 120), 0.0)
    with pytest.warns(UserWarning, match="differ by more than their errors allow"):
        catalog = read(tmp_path, **columns)
    assert catalog.n_stars == 60
    # Two velocities 28 apart, of errors near 1, agree to three of these in one of seven.
    assert 8 <= catalog.variable.sum() <= 22


def test_rounded_positions_hold_different_stars(tmp_path):
    rng = np.random.default_rng(3)
    n = 300
    columns = {"x": rng.integers(0, 10, n) * 1.0, "y": rng.integers(0, 10, n) * 1.0}
    columns |= {"v": rng.normal(0.0, 10.0, n), "e": rng.uniform(0.5, 2.0, n)}
    with pytest.warns(UserWarning, match="share their position with others, but their velocities differ"):
        catalog = read(tmp_path, **columns)
    assert catalog.n_stars == n
    np.testing.assert_array_equal(catalog.vel, columns["v"])
    np.testing.assert_array_equal(catalog.rows, np.arange(n))


def test_copies_are_counted_once(tmp_path):
    rng = np.random.default_rng(4)
    columns = {name: rng.normal(0.0, 10.0, 20) for name in "xyv"} | {"e": rng.uniform(1.0, 2.0, 20)}
    twice = {name: np.append(column, column[:5]) for name, column in columns.items()}
    with pytest.warns(UserWarning, match="5 rows are copies of others, counted once"):
        catalog = read(tmp_path, **twice)
    np.testing.assert_array_equal(catalog.vel, columns["v"])
    np.testing.assert_array_equal(catalog.err, columns["e"])
    np.testing.assert_array_equal(catalog.star, np.append(np.arange(20), np.arange(5)))


def two_instruments(rng, offset=8.0):
    columns = visited(rng, n=80, visits=2)
    first = np.unique(columns["star"], return_index=True)[1]
    columns["camera"] = np.where(np.isin(np.arange(160), first), "blue", "red")
    columns["v"] = columns["v"] + offset * (columns["camera"] == "red")
    return columns


def test_instruments_are_reported_and_aligned_only_if_asked(tmp_path, caplog):
    columns = two_instruments(np.random.default_rng(5))
    with (
        pytest.warns(UserWarning, match=r"red \+.*Pass align=True to put all on its scale"),
        caplog.at_level(logging.INFO, logger="veldist"),
    ):
        plain = read(tmp_path, id="star", instrument="camera", **columns)
    assert "instrument blue: 80 stars, the reference" in caplog.text
    aligned = read(tmp_path, silent=True, id="star", instrument="camera", align=True, **columns)
    # Errors near 1.25: each difference 1.8, 80 of them 0.2.
    assert abs(aligned.zero_points.offset[1] - 8.0) < 0.8
    assert aligned.variable.mean() < 0.05 < 0.5 < plain.variable.mean()


def test_offsets_do_not_make_different_stars_of_visits(tmp_path):
    columns = two_instruments(np.random.default_rng(6), offset=30.0)
    with pytest.warns(UserWarning, match="rows at equal positions: 160 rows are 80 stars"):
        catalog = read(tmp_path, instrument="camera", align=True, **columns)
    assert catalog.n_stars == 80


def test_an_instrument_of_few_stars_is_refused_only_if_it_is_to_be_aligned(tmp_path):
    columns = visited(np.random.default_rng(7), n=40, visits=1)
    columns["camera"] = np.where(np.arange(40) < 4, "red", "blue")
    with pytest.warns(UserWarning, match=r"no zero points: .*fewer than 10 stars, red \(4\)"):
        assert read(tmp_path, instrument="camera", **columns).zero_points is None
    with pytest.raises(ValueError, match="fewer than 10 stars"):
        read(tmp_path, instrument="camera", align=True, **columns)


def test_aligning_needs_instruments(tmp_path):
    with pytest.raises(ValueError, match="align=True needs instrument='COLUMN'"):
        read(tmp_path, align=True, **visited(np.random.default_rng(8), n=5, visits=1))


def test_missing_names_are_refused_with_their_rows(tmp_path):
    columns = visited(np.random.default_rng(9), n=5, visits=1)
    columns["star"] = ["a", "", "c", "d", "e"]
    with pytest.raises(ValueError, match=r"id \(column 'star'\) has 1 of 5 values \(row 1\) without a value"):
        read(tmp_path, id="star", **columns)
