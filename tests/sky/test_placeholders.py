"""Placeholders for missing positions are refused; samples of any extent are not."""

import numpy as np
import pytest
from astropy import units as u
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st

from veldist.sky.binning import bin_stars
from veldist.sky.catalog import read_catalog
from veldist.sky.placeholders import refuse_placeholders

COLUMNS = {"x": "x", "y": "y", "vel": "v", "err": "e"}


def radii_of(density, largest):
    """Radii of a sphere, of a density with respect to the radius, by inversion of its mass."""
    r = np.geomspace(1e-3, largest, 4000)
    mass = np.cumsum(density(r) * r**2 * np.gradient(r))
    return lambda q: np.interp(q, mass / mass[-1], r)


RADII = {
    "Plummer": lambda q: 1.0 / np.sqrt(q ** (-2 / 3) - 1.0),
    "r^-3": radii_of(lambda r: 1.0 / (r * (1.0 + r) ** 2), 100.0),
    "r^-2.5": radii_of(lambda r: (1.0 + r**2) ** -1.25, 1000.0),
    "log-uniform": lambda q: 10.0 ** (3.0 * q),
    "power law": lambda q: q**-0.7,
}


def positions(kind, n, seed):
    rng = np.random.default_rng(seed)
    if kind == "fields":
        # The smaller one, of a twentieth of the stars, is 250 spreads away.
        return rng.normal(size=(2, n)) + np.array([[250.0], [40.0]]) * (rng.uniform(size=n) < 0.05)
    radius = RADII[kind](rng.uniform(1e-6, 1.0 - 1e-6, n))
    direction = rng.normal(size=(3, n))
    return (radius * direction / np.linalg.norm(direction, axis=0))[:2]


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from([*RADII, "fields"]),
    n=st.sampled_from([12, 100, 1000, 20_000]),
    scale=st.floats(0.1, 300.0),
    digits=st.sampled_from([1, 2, 6]),
    seed=st.integers(0, 99),
)
def test_samples_of_any_extent_are_taken(kind, n, scale, digits, seed):
    for position in positions(kind, n, seed):
        refuse_placeholders(np.round(scale * position, digits), "x")


@settings(max_examples=100, deadline=None)
@given(
    kind=st.sampled_from(list(RADII)),
    n=st.integers(40, 400),
    value=st.sampled_from([-9999.0, -999.0, 999.99, 99999.0, -9999.0 * 60, np.float32(-999.9)]),
    share=st.floats(0.0, 0.7),
    shift=st.floats(-30.0, 30.0),
    seed=st.integers(0, 99),
)
def test_placeholders_are_refused_in_any_number(kind, n, value, share, shift, seed):
    position = positions(kind, n, seed)[0]
    position *= 200.0 / np.abs(position).max()
    bad = np.random.default_rng(seed).permutation(n) < max(1, int(share * n))
    position = np.where(bad, value, position + shift)
    with pytest.raises(ValueError, match=f"x has {bad.sum()} of {n} values .* far outside the range of the"):
        refuse_placeholders(position, "x")


def test_they_are_refused_where_stars_are_binned():
    x, y = np.random.default_rng(0).normal(0.0, 20.0, (2, 200))
    y[[5, 9]] = -9999.0, 999.99
    with pytest.raises(
        ValueError, match=r"^y has 2 of 200 values \(rows 5, 9: -9999.0, 999.99\) .* Remove these stars\.$"
    ):
        bin_stars(x, y, 50)
    # Numbers that nobody writes for missing ones, and nines where other stars are.
    bin_stars(x, np.where(np.abs(y) > 900.0, 1.1 * y, y), 50)
    bin_stars(np.append(x, [0.0, 0.0]), np.append(y, [-8000.0, 3000.0]), 50)


def test_nines_next_to_other_stars_are_positions():
    for last in (99, 999, 9999):
        refuse_placeholders(np.arange(-last, last + 1.0), "x")


def test_few_stars_say_nothing():
    refuse_placeholders(np.array([0.0] * 9 + [-9999.0]), "x")


@pytest.mark.parametrize("unit", ["arcsec", "arcmin", "deg"])
def test_rows_and_values_are_those_of_the_table(unit, tmp_path):
    rng = np.random.default_rng(1)
    table = Table({name: rng.normal(0, 0.3, 120) for name in "xyv"} | {"e": np.full(120, 2.0)})
    table["x"][[3, 60]] = -9999.0
    table["p"] = np.where(np.arange(120) < 50, 0.0, 1.0)
    table["x"].unit = table["y"].unit = u.Unit(unit)
    table.write(tmp_path / "stars.ecsv")
    with pytest.raises(
        ValueError, match=r"x \(column 'x'\) has 1 of 70 values \(row 60: -9999.0\) far outside"
    ):
        read_catalog(tmp_path / "stars.ecsv", **COLUMNS, membership="p", min_membership=0.5)


def test_what_is_beyond_the_sky_is_refused_with_rows_of_the_table(tmp_path):
    table = Table({name: np.arange(120.0) for name in "xyv"} | {"e": np.full(120, 2.0)})
    table["v"][2] = np.nan
    table["y"][7] = 1e30
    table.write(tmp_path / "stars.ecsv")
    with (
        pytest.warns(UserWarning, match="1 of 120 rows dropped"),
        pytest.raises(
            ValueError, match=r"y \(column 'y'\) has 1 of 119 values \(row 7: 1e\+30\) beyond a full"
        ),
    ):
        read_catalog(tmp_path / "stars.ecsv", **COLUMNS, drop_masked=True)
