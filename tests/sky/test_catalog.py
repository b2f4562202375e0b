"""Star catalogues written to files of every format and read back."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable, Table

from veldist.sky.catalog import read_catalog

NAMES = {"x": "x", "y": "y", "vel": "v", "err": "e"}
FILES = {"csv": "stars.csv", "ecsv": "stars.ecsv", "fits": "stars.fits", "votable": "stars.vot"}
with_units = pytest.mark.parametrize("kind", ["ecsv", "fits", "votable"])
any_format = pytest.mark.parametrize("kind", FILES)


def write(table, path, kind="csv"):
    table.write(path, format={"csv": "ascii.csv", "ecsv": "ascii.ecsv"}.get(kind, kind))
    return path


def stars(n=6, **changes):
    """Make a table of n stars; keyword arguments replace or add columns."""
    columns = {
        "x": np.arange(n) - 2.5,
        "y": 10.0 * np.arange(n) - 1.25,
        "v": 50.0 + np.arange(n),
        "e": 1.0 + np.arange(n),
        "p": np.linspace(0, 1, n),
    }
    return Table(columns | changes)


@any_format
def test_plain_columns_are_arcsec_and_kms(tmp_path, kind):
    catalog = read_catalog(write(stars(), tmp_path / FILES[kind], kind), **NAMES)
    np.testing.assert_allclose(catalog.x, np.arange(6) - 2.5)
    np.testing.assert_allclose(catalog.y, 10.0 * np.arange(6) - 1.25)
    np.testing.assert_allclose(catalog.vel, 50.0 + np.arange(6))
    np.testing.assert_allclose(catalog.err, 1.0 + np.arange(6))
    assert catalog.membership is None
    assert (catalog.n_read, catalog.n_stars, catalog.n_dropped_masked, catalog.n_below_membership) == (
        6,
        6,
        0,
        0,
    )
    np.testing.assert_array_equal(catalog.rows, np.arange(6))
    for column in (catalog.x, catalog.y, catalog.vel, catalog.err):
        assert column.dtype == np.dtype(np.float64)


@with_units
def test_units_are_converted(tmp_path, kind):
    table = QTable(
        {
            "x": [1.0, -2.0] * u.arcmin,
            "y": [0.01, 0.02] * u.deg,
            "v": [1500.0, -2500.0] * u.m / u.s,
            "e": [1.0, 2.0] * u.km / u.s,
        }
    )
    catalog = read_catalog(write(table, tmp_path / FILES[kind], kind), **NAMES)
    np.testing.assert_allclose(catalog.x, [60, -120])
    np.testing.assert_allclose(catalog.y, [36, 72])
    np.testing.assert_allclose(catalog.vel, [1.5, -2.5])
    np.testing.assert_allclose(catalog.err, [1, 2])


@with_units
def test_masked_quantities(tmp_path, kind):
    table = stars()
    table["v"] = MaskedColumn(table["v"], mask=[0, 1, 0, 0, 0, 1], unit="m/s")
    table["e"].unit = "m/s"
    path = write(table, tmp_path / FILES[kind], kind)
    with pytest.warns(UserWarning, match="2 of 6 rows dropped"):
        catalog = read_catalog(path, **NAMES, drop_masked=True)
    np.testing.assert_allclose(catalog.vel, np.array([50, 52, 53, 54]) / 1000)


def test_names_tell_units(tmp_path, caplog):
    table = stars(y=np.linspace(-1, 1, 6))
    table.rename_columns(["x", "y", "v", "e"], ["xi_arcmin", "ETA_DEG", "v_kms", "e_m_s"])
    path = write(table, tmp_path / "stars.csv")
    with caplog.at_level(logging.INFO, logger="veldist"):
        catalog = read_catalog(path, x="xi_arcmin", y="ETA_DEG", vel="v_kms", err="e_m_s")
    np.testing.assert_allclose(catalog.x, 60 * (np.arange(6) - 2.5))
    np.testing.assert_allclose(catalog.y, 3600 * np.linspace(-1, 1, 6))
    np.testing.assert_allclose(catalog.vel, 50.0 + np.arange(6))
    np.testing.assert_allclose(catalog.err, (1.0 + np.arange(6)) / 1000)
    assert "x (column 'xi_arcmin') has no unit: taken in arcmin because of its name" in caplog.text
    assert "err (column 'e_m_s') has no unit: taken in m/s because of its name" in caplog.text


@pytest.mark.parametrize(("unit", "factor"), [("arcsec", 1), ("arcmin", 60), ("deg", 3600)])
def test_units_can_be_given(tmp_path, unit, factor):
    table = stars(y=np.linspace(-1, 1, 6))
    catalog = read_catalog(
        write(table, tmp_path / "stars.csv"), **NAMES, position_unit=unit, velocity_unit="m/s"
    )
    np.testing.assert_allclose(catalog.x, factor * (np.arange(6) - 2.5))
    np.testing.assert_allclose(catalog.vel, (50.0 + np.arange(6)) / 1000)


def test_given_unit_overrides_names_but_not_the_file(tmp_path, caplog):
    table = stars()
    table["x"].unit = "arcmin"
    table.rename_column("y", "y_arcmin")
    path = write(table, tmp_path / "stars.ecsv", "ecsv")
    catalog = read_catalog(path, **(NAMES | {"y": "y_arcmin"}), position_unit="arcsec")
    np.testing.assert_allclose(catalog.x, 60 * (np.arange(6) - 2.5))
    np.testing.assert_allclose(catalog.y, 10.0 * np.arange(6) - 1.25)
    assert "x (column 'x') has unit 'arcmin' in the file: position_unit is not used" in caplog.text
    assert "y (column 'y_arcmin') is taken in arcsec, as position_unit says, despite its name" in caplog.text


def test_units_of_only_one_column_are_refused(tmp_path):
    table = stars()
    table["v"].unit = "m/s"
    path = write(table, tmp_path / "stars.ecsv", "ecsv")
    message = r"err \(column 'e'\) has no unit, but vel \(column 'v'\) is in m / s: pass velocity_unit"
    with pytest.raises(ValueError, match=message):
        read_catalog(path, **NAMES)
    catalog = read_catalog(path, **NAMES, velocity_unit="m/s")
    np.testing.assert_allclose(catalog.err, (1.0 + np.arange(6)) / 1000)


def test_units_of_the_wrong_kind_are_refused(tmp_path):
    table = stars()
    table["x"].unit = "kpc"
    with pytest.raises(
        ValueError, match=r"x \(column 'x'\) has unit 'kpc', which cannot be converted to arcsec"
    ):
        read_catalog(write(table, tmp_path / "stars.fits", "fits"), **NAMES)
    path = write(stars(), tmp_path / "stars.csv")
    with pytest.raises(ValueError, match="position_unit must be one of 'arcsec', 'arcmin', 'deg', got 'rad'"):
        read_catalog(path, **NAMES, position_unit="rad")
    with pytest.raises(ValueError, match="velocity_unit must be one of 'km/s', 'm/s', got 'mph'"):
        read_catalog(path, **NAMES, velocity_unit="mph")


@pytest.mark.filterwarnings("ignore:.*did not parse:astropy.units.UnitsWarning")
def test_units_that_are_not_understood_must_be_given(tmp_path):
    path = tmp_path / "stars.ecsv"
    table = stars()
    table["x"].unit = table["y"].unit = "arcmin"
    write(table, path, "ecsv")
    path.write_text(path.read_text().replace("unit: arcmin", "unit: ARCMINUTES"))
    with pytest.raises(
        ValueError, match="has unit 'ARCMINUTES', which is not understood: pass position_unit"
    ):
        read_catalog(path, **NAMES)
    catalog = read_catalog(path, **NAMES, position_unit="arcmin")
    np.testing.assert_allclose(catalog.x, 60 * (np.arange(6) - 2.5))


@any_format
def test_masked_and_nan_rows(tmp_path, kind):
    table = stars(
        8,
        x=MaskedColumn(np.arange(8.0), mask=np.arange(8) == 3),
        other=MaskedColumn(np.ones(8), mask=[True] * 8),
    )
    table["e"][5] = np.nan
    table["v"][3] = np.inf
    path = write(table, tmp_path / FILES[kind], kind)
    message = (
        r"x \(column 'x'\) has 1 of 8 values \(row 3\); vel \(column 'v'\) has 1 of 8 values \(row 3\); "
        r"err \(column 'e'\) has 1 of 8 values \(row 5\).*drop_masked=True"
    )
    with pytest.raises(ValueError, match=message):
        read_catalog(path, **NAMES)
    with pytest.warns(UserWarning, match=r"2 of 8 rows dropped.*err \(column 'e'\): 1"):
        catalog = read_catalog(path, **NAMES, drop_masked=True)
    np.testing.assert_array_equal(catalog.rows, [0, 1, 2, 4, 6, 7])
    np.testing.assert_allclose(catalog.x, [0, 1, 2, 4, 6, 7])
    assert (catalog.n_read, catalog.n_dropped_masked, catalog.n_stars) == (8, 2, 6)


@any_format
def test_integer_columns_with_masks(tmp_path, kind):
    table = stars(v=MaskedColumn([10, 11, 12, 13, 14, 15], mask=[1, 0, 0, 0, 0, 0]))
    path = write(table, tmp_path / FILES[kind], kind)
    with pytest.raises(ValueError, match=r"vel \(column 'v'\) has 1 of 6 values \(row 0\)"):
        read_catalog(path, **NAMES)


def test_membership(tmp_path):
    path = write(stars(), tmp_path / "stars.csv")
    catalog = read_catalog(path, **NAMES, membership="p", min_membership=0.6)
    np.testing.assert_allclose(catalog.membership, [0.6, 0.8, 1.0])
    np.testing.assert_array_equal(catalog.rows, [3, 4, 5])
    assert (catalog.n_read, catalog.n_below_membership, catalog.n_dropped_masked) == (6, 3, 0)
    assert read_catalog(path, **NAMES, membership="p", min_membership=0).n_stars == 6


def test_rows_are_counted_once(tmp_path):
    """A masked row is dropped as masked, whatever its membership; a non-member's error may be anything."""
    table = stars(8)
    table["v"][0] = np.nan
    table["e"][1] = -99.0
    path = write(table, tmp_path / "stars.csv")
    with pytest.warns(UserWarning, match="1 of 8 rows dropped"):
        catalog = read_catalog(path, **NAMES, membership="p", min_membership=0.5, drop_masked=True)
    assert (catalog.n_dropped_masked, catalog.n_below_membership, catalog.n_stars) == (1, 3, 4)


def test_membership_is_refused_if_incomplete_or_no_probability(tmp_path):
    path = write(stars(percent=100 * np.linspace(0, 1, 6)), tmp_path / "stars.csv")
    with pytest.raises(ValueError, match="min_membership is given without membership"):
        read_catalog(path, **NAMES, min_membership=0.5)
    with pytest.raises(ValueError, match="membership is given without min_membership: give both"):
        read_catalog(path, **NAMES, membership="p")
    with pytest.raises(ValueError, match=r"min_membership must be between 0 and 1, got 50\.0"):
        read_catalog(path, **NAMES, membership="p", min_membership=50)
    with pytest.raises(ValueError, match=r"5 of 6 values \(rows 1, 2, 3, 4, 5: 20\.0.*outside 0 to 1"):
        read_catalog(path, **NAMES, membership="percent", min_membership=0.5)
    with pytest.raises(ValueError, match="none of the 1 stars"):
        read_catalog(write(stars(1), tmp_path / "one.csv"), **NAMES, membership="p", min_membership=0.5)


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_errors_must_be_positive(tmp_path, bad):
    table = stars()
    table["e"][[2, 4]] = bad
    with pytest.raises(
        ValueError, match=rf"err \(column 'e'\) has 2 of 6 values \(rows 2, 4: {bad}, {bad}\)"
    ):
        read_catalog(write(table, tmp_path / "stars.csv"), **NAMES)


def test_missing_columns_are_named_with_neighbours(tmp_path):
    table = stars()
    table.rename_columns(["x", "y", "v"], ["xi_arcmin", "eta_arcmin", "v_helio"])
    path = write(table, tmp_path / "stars.csv")
    with pytest.raises(ValueError) as caught:
        read_catalog(path, x="xi_arcsec", y="ETA_ARCMIN", vel="v_hel", err="zzz")
    text = str(caught.value)
    assert "x='xi_arcsec' (did you mean 'xi_arcmin'" in text
    assert "y='ETA_ARCMIN' (did you mean 'eta_arcmin'" in text
    assert "vel='v_hel' (did you mean 'v_helio'" in text
    assert "err='zzz': its columns are xi_arcmin, eta_arcmin, v_helio, e, p" in text


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no file '.*nothing\.csv'"):
        read_catalog(tmp_path / "nothing.csv", **NAMES)


@any_format
def test_unreadable_file(tmp_path, kind):
    path = tmp_path / FILES[kind]
    path.write_bytes(b"\x00\xff nonsense\n1,2\n3,4,5\n")
    with pytest.raises(ValueError, match="cannot be read as"):
        read_catalog(path, **NAMES)


def test_format_must_be_known(tmp_path):
    path = tmp_path / "stars.dat"
    stars().write(path, format="ascii.commented_header")
    with pytest.raises(ValueError, match=r"ends with none of \.csv.*pass format"):
        read_catalog(path, **NAMES)
    assert read_catalog(path, **NAMES, format="ascii.commented_header").n_stars == 6
    assert read_catalog(str(path), **NAMES, format="ascii").n_stars == 6
    write(stars(), path.with_suffix(".txt"))
    assert read_catalog(path.with_suffix(".txt"), **NAMES, format="csv").n_stars == 6


def test_compressed_fits(tmp_path):
    assert read_catalog(write(stars(), tmp_path / "stars.FITS.gz", "fits"), **NAMES).n_stars == 6


def test_table_without_rows(tmp_path):
    path = tmp_path / "stars.csv"
    path.write_text("x,y,v,e\n")
    with pytest.raises(ValueError, match="has no rows"):
        read_catalog(path, **NAMES)


def test_text_and_array_columns_are_refused(tmp_path):
    path = write(stars(v=["12.5", "--", "n/a", "1", "2", "3"]), tmp_path / "stars.csv")
    with pytest.raises(TypeError, match=r"vel \(column 'v'\) must hold numbers.*'12\.5', '--', 'n/a'"):
        read_catalog(path, **NAMES)
    path = write(stars(v=np.ones((6, 2))), tmp_path / "stars.fits", "fits")
    with pytest.raises(ValueError, match=r"one number in each row, got shape \(6, 2\)"):
        read_catalog(path, **NAMES)


@pytest.mark.parametrize(
    ("name", "unit"), [("ra_deg", None), ("alpha", "deg"), ("RA", None), ("RA_ICRS", None)]
)
def test_absolute_positions_are_warned_about(tmp_path, name, unit):
    table = stars(3, y_deg=[-0.1, 0.0, 0.1])
    table[name] = [39.9, 40.0, 40.1]
    table[name].unit = table["y_deg"].unit = unit
    path = write(table, tmp_path / "stars.ecsv", "ecsv")
    y = "y_deg" if unit or name.endswith("deg") else "y"
    with pytest.warns(
        UserWarning, match=rf"x \(column '{name}'\) looks like right asc.*spherical_offsets_to"
    ):
        read_catalog(path, **(NAMES | {"x": name, "y": y}))


def test_offsets_called_ra_are_not_warned_about(tmp_path):
    table = stars(ra=np.linspace(-30, 40, 6))
    assert read_catalog(write(table, tmp_path / "stars.csv"), **(NAMES | {"x": "ra"})).n_stars == 6


def test_the_same_column_twice_is_refused(tmp_path):
    path = write(stars(), tmp_path / "stars.csv")
    with pytest.raises(ValueError, match="vel and err are the same column 'v'"):
        read_catalog(path, **NAMES | {"err": "v"})
