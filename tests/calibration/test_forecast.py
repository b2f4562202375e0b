"""Forecasts: against the bounds, their shape, and what they say."""

from __future__ import annotations

import importlib

import matplotlib.pyplot as plt
import numpy as np
import pytest
from astropy import units as u
from typer.testing import CliRunner

from veldist.calibration import Forecast, forecast
from veldist.calibration.forecast_result import forecast_tables
from veldist.cli.app import app
from veldist.models.losvd.basis import PriorSettings
from veldist.simulate import Gaussian, SkewNormal, observe
from veldist.summaries.information import information_bounds


@pytest.fixture(name="result", scope="module")
def two_forecasts():
    return forecast([40, 160], 3.0, 10.0, n_mocks=5, num_samples=300, n_jobs=1, progress=False)


def column(result, quantity, name):
    return np.asarray(result.table[result.table["quantity"] == quantity][name])


def test_location_and_dispersion_reach_the_bounds(result):
    """A posterior's width is close to the bound; the median of five varies by 1/sqrt(2 * 40 * 5) = 5 %."""
    for quantity in ("v_mean", "sigma"):
        np.testing.assert_allclose(column(result, quantity, "ratio"), 1.0, atol=0.25)
        assert not column(result, quantity, "prior_dominated").any()
    for n, bound in zip((40, 160), column(result, "h3", "bound"), strict=True):
        assert bound == pytest.approx(information_bounds(n, 3.0, 10.0)["h3"])
    # Four times as many stars halve the uncertainty of V.
    assert np.divide(*column(result, "v_mean", "uncertainty")) == pytest.approx(2.0, rel=0.25)


def test_the_kurtosis_of_forty_stars_is_the_prior(result):
    assert column(result, "kurtosis", "prior_dominated")[0]


def test_tables(result):
    assert isinstance(result, Forecast)
    assert result.n_stars == [40, 160]
    assert list(result.table["quantity"][:6]) == ["v_mean", "sigma", "skewness", "kurtosis", "h3", "h4"]
    np.testing.assert_allclose(result.table["ratio"], result.table["uncertainty"] / result.table["bound"])
    assert len(result.bins) == 2 * 40
    few, many = (result.bins[result.bins["n_stars"] == n] for n in (40, 160))
    assert few["mass"].sum() == pytest.approx(1.0)
    width = 12 * np.hypot(10, 3) / 40
    np.testing.assert_allclose(np.diff(few["velocity"].to_value("km/s")), width)
    core = few["mass"] > 0.03
    np.testing.assert_allclose(few["relative_uncertainty"], few["uncertainty"] / few["mass"])
    assert np.all(many["uncertainty"][core] < few["uncertainty"][core])
    # Smoothness shared between bins makes them better known than by counting the stars in each.
    counting = np.sqrt(few["mass"] * (1 - few["mass"]) / 40)
    assert np.all(few["uncertainty"][core] < counting[core])


def test_forecasts_are_compared_as_objects(result):
    assert result == result
    assert len({result, result}) == 1


def test_bins_without_mass_have_no_relative_uncertainty():
    widths, mass = np.array([[0.0, 0.1, 0.1, 0.2]] * 2), np.array([0.0, 0.0, 0.5, 0.5])
    numbers = np.ones((2, 6))
    _, bins = forecast_tables(
        [9], [np.ones((2, 4, 6))], [numbers], [widths], edges=np.arange(5.0), masses=mass
    )
    np.testing.assert_array_equal(bins["relative_uncertainty"], [np.nan, np.nan, 0.2, 0.4])


def test_adjacent_seeds_share_no_mock(monkeypatch):
    module = importlib.import_module("veldist.calibration.forecast")
    seen = []

    def recording(*arguments):
        vel, err = observe(*arguments)
        # Mocks that only show the range of velocities have a seed of their own.
        if isinstance(arguments[-1], np.random.Generator):
            seen.append(tuple(vel))
        return vel, err

    monkeypatch.setattr(module, "observe", recording)
    for seed in (4, 5):
        forecast([12, 13], 2.0, 10.0, n_mocks=2, num_samples=20, seed=seed, n_jobs=1, progress=False)
    assert len(seen) == 8
    assert len({vel[:12] for vel in seen}) == 8


def test_the_prior_of_the_data_gives_smaller_error_bars_of_a_gaussian_shape(result):
    """By a quarter to a half; the medians of five mocks vary by about 10 %."""
    settings = {"n_mocks": 5, "num_samples": 300, "n_jobs": 1, "progress": False}
    whole = forecast(160, 3.0, 10.0, prior=PriorSettings(), **settings)
    for quantity in ("skewness", "kurtosis"):
        assert column(whole, quantity, "uncertainty")[0] < column(result, quantity, "uncertainty")[1]


def test_a_coarse_grid_changes_no_uncertainty(result):
    """Bins of 2 dispersions: without division into narrower ones h3 and h4 are not determined."""
    coarse = forecast(
        160,
        3.0,
        10.0,
        grid={"center": 0.0, "width": 120.0, "n_bins": 6},
        n_mocks=5,
        num_samples=300,
        n_jobs=1,
        progress=False,
    )
    for quantity in ("v_mean", "skewness", "h3", "h4"):
        np.testing.assert_allclose(
            column(coarse, quantity, "uncertainty")[0], column(result, quantity, "uncertainty")[1], rtol=0.1
        )


def test_words(result):
    text = str(result)
    assert "dispersion 10 km/s, errors 3 km/s; 5 mocks each" in text
    assert text.count("kurtosis") == 2
    assert "40 stars" in text


def test_figures(result):
    figure = result.plot()
    assert len(figure.axes) == 6
    assert [ax.get_ylabel() for ax in figure.axes[:3]] == [r"$V$ [km s$^{-1}$]", "skewness", r"$h_3$"]
    line = figure.axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), [40, 160])
    np.testing.assert_array_equal(line.get_ydata(), column(result, "v_mean", "uncertainty"))
    plt.close(figure)


def test_one_number_of_stars_and_another_losvd():
    losvd = SkewNormal(30.0, 8.0, alpha=3.0)
    grid = {"center": 30.0, "width": 100.0, "n_bins": 25}
    settings = {"losvd": losvd, "grid": grid, "n_mocks": 2, "num_samples": 100, "progress": False}
    result = forecast(60, (1.0, 2.0), 8.0 * u.km / u.s, **settings)
    edges = np.linspace(-20.0, 80.0, 26)
    np.testing.assert_allclose(result.bins["mass"], losvd.bin_masses(edges, conditional=True))
    assert result.err == "1 to 2 km/s"
    figure = result.plot()
    assert len(figure.axes) == 1
    again = forecast(60, (1.0, 2.0), 8.0, **settings)
    np.testing.assert_array_equal(result.table["uncertainty"], again.table["uncertainty"])
    other = forecast(60, (1.0, 2.0), 8.0, seed=9, **settings)
    assert np.all(result.table["uncertainty"] != other.table["uncertainty"])


@pytest.mark.parametrize(
    ("arguments", "settings", "error", "message"),
    [
        (([], 1.0, 10.0), {}, ValueError, "n_stars is empty"),
        (([60, 80, 60], 1.0, 10.0), {}, ValueError, "n_stars has 60 more than once"),
        ((50, 1.0, 10.0), {"prior": "flat"}, ValueError, "prior must be one of.*PriorSettings.*'flat'"),
        ((1, 1.0, 10.0), {}, ValueError, "n_stars must be at least 2"),
        ((50, 0.0, 10.0), {}, ValueError, "err must be positive"),
        ((50, [1.0, 2.0], 10.0), {}, ValueError, "err has 2 values for 50 stars"),
        ((50, 1.0, -3.0), {}, ValueError, "sigma must be positive"),
        ((50, 1.0, 9.0), {"losvd": Gaussian(0.0, 10.0)}, ValueError, "must agree"),
        ((50, 1.0, 10.0), {"losvd": "gaussian"}, TypeError, "must be an LOSVD"),
        ((50, 1.0, 10.0), {"n_mocks": 1}, ValueError, "n_mocks must be at least 2"),
        ((50, 1.0, 10.0), {"grid": {"center": 0.0}}, ValueError, "grid lacks"),
    ],
)
def test_bad_arguments_are_named(arguments, settings, error, message):
    with pytest.raises(error, match=message):
        forecast(*arguments, progress=False, **settings)


def test_mocks_that_fail_or_warn_are_reported():
    with pytest.raises(RuntimeError, match=r"mock \d of 20 stars could not be fitted.*outside"):
        forecast(20, 1.0, 5.0, grid={"center": 900.0, "width": 50.0, "n_bins": 10}, n_mocks=2, progress=False)
    narrow = {"center": 0.0, "width": 12.0, "n_bins": 10}
    with pytest.warns(
        UserWarning, match="fits of 2 mocks issued warnings: GridWarning in 2, the first: .*grid"
    ):
        forecast(40, 1.0, 5.0, grid=narrow, n_mocks=2, num_samples=50, n_jobs=1, progress=False)


def test_command(tmp_path):
    figure = tmp_path / "new" / "forecast.png"
    arguments = ("forecast", "--n-stars", "30,60", "--err", "1,2", "--sigma", "10", "--mocks", "2")
    arguments += ("--num-samples", "60", "--jobs", "1")
    result = CliRunner().invoke(app, [*arguments, "-o", str(figure)])
    assert result.exit_code == 0, result.output
    assert "errors 1 to 2 km/s" in result.output
    assert figure.stat().st_size > 1000
    for options, message in {
        ("--n-stars", "30,x"): "pass whole numbers",
        ("--err", "1,2,3"): "two for a range",
        ("--sigma", "-1"): "sigma must be positive",
        ("-o", str(tmp_path / "figure.xyz")): "a figure needs one of the suffixes .",
        ("-o", str(tmp_path / "figure")): "a figure needs one of the suffixes .",
    }.items():
        failed = CliRunner().invoke(app, [*arguments, *options])
        assert failed.exit_code == 1
        assert message in failed.output
