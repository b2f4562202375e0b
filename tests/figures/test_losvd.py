"""Figures, by the data that their artists hold."""

from __future__ import annotations

import warnings
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from astropy import units as u
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, StepPatch
from scipy import stats

mpl.use("Agg")
import matplotlib.pyplot as plt

from tests.helpers.images import assert_looks_like
from tests.helpers.solvers import gaussian_solver, made_solver
from veldist import KinematicSolver, OrderError, fit_all_bins, load
from veldist.batch.store import MapStore
from veldist.figures import areas
from veldist.fits.grid import VelocityGrid
from veldist.plotting import plot_kinematic_maps, plot_losvd, plot_losvd_grid, plot_map

EDGES = np.linspace(-60.0, 60.0, 13)


@pytest.fixture(autouse=True)
def no_windows(monkeypatch):
    """Nobody calls show, changes the backend or the settings; figures are closed afterwards."""
    monkeypatch.setattr(plt, "show", lambda *a, **k: pytest.fail("show was called"))
    backend, settings = mpl.get_backend(), mpl.rcParams.copy()
    yield
    assert mpl.get_backend() == backend
    assert mpl.rcParams == settings
    plt.close("all")


def draws(mean=0.0, sigma=20.0, n=50, edges=EDGES, seed=0):
    cdf = stats.norm.cdf(edges[None, :], np.random.default_rng(seed).normal(mean, 3.0, (n, 1)), sigma)
    masses = np.diff(cdf, axis=1)
    return masses / masses.sum(axis=1, keepdims=True)


def own_axes():
    """Axes of a figure that pyplot knows nothing about."""
    figure = Figure()
    FigureCanvasAgg(figure)
    return figure.subplots()


def analytic_result():
    """A solver that holds draws in closed form, as if it had been run."""
    return gaussian_solver()


def steps(ax):
    return {p.get_label(): p for p in ax.patches if isinstance(p, StepPatch)}


def lines(ax):
    return {line.get_label(): line for line in ax.lines}


class TestLosvd:
    def test_median_and_bands_are_densities(self):
        pdf = draws()
        ax = plot_losvd(EDGES, pdf)
        artists = steps(ax)
        density = pdf / 10.0
        median = artists["posterior median"].get_data()
        np.testing.assert_allclose(median.values, np.median(density, axis=0))
        np.testing.assert_allclose(median.edges, EDGES)
        for name, low, high in (("68 %", 16.0, 84.0), ("95 %", 2.5, 97.5)):
            band = artists[name].get_data()
            np.testing.assert_allclose(band.baseline, np.percentile(density, low, axis=0))
            np.testing.assert_allclose(band.values, np.percentile(density, high, axis=0))
        assert "km s" in ax.get_xlabel()
        assert "km s" in ax.get_ylabel()
        assert ax.get_xlim() == (-60.0, 60.0)
        assert ax.get_ylim()[0] == 0.0
        shown = {text.get_text() for text in ax.get_legend().get_texts()}
        assert shown == {"posterior median", "68 %", "95 %"}

    def test_density_of_unequal_bins_and_quantities(self):
        edges = np.array([-60.0, -10.0, 0.0, 30.0, 60.0])
        ax = plot_losvd(edges * 1000.0 * u.m / u.s, np.array([[0.1, 0.5, 0.3, 0.1]]), legend=False)
        median = steps(ax)["posterior median"].get_data()
        np.testing.assert_allclose(median.values, [0.002, 0.05, 0.01, 0.1 / 30.0])
        assert ax.get_legend() is None

    def test_true_density_is_a_dashed_line(self):
        ax = plot_losvd(EDGES, draws(), true_intrinsic=stats.norm(0.0, 20.0).pdf)
        line = lines(ax)["true density"]
        v, density = line.get_data()
        np.testing.assert_allclose(density, stats.norm.pdf(v, 0.0, 20.0))
        assert (v[0], v[-1]) == (-60.0, 60.0)
        assert line.get_linestyle() == "--"

    def test_true_velocities_are_a_histogram_in_the_same_bins(self):
        velocity = np.array([-55.0, 5.0, 6.0, 59.0, 400.0])
        ax = plot_losvd(EDGES, draws(), true_intrinsic=velocity)
        data = steps(ax)["true velocities"].get_data()
        np.testing.assert_allclose(data.edges, EDGES)
        assert data.values[[0, 6, 11]] == pytest.approx([0.025, 0.05, 0.025])
        assert np.sum(data.values * 10.0) == pytest.approx(1.0)

    def test_stars_are_ticks_and_their_median_error_a_bar(self):
        vel, err = np.array([-30.0, 0.0, 100.0]), np.array([2.0, 4.0, 9.0])
        ax = plot_losvd(EDGES, draws(), vel=vel, err=err)
        np.testing.assert_array_equal(lines(ax)["3 stars, 1 outside the grid"].get_xdata(), vel)
        bar = next(line for name, line in lines(ax).items() if name.startswith("median error"))
        assert np.ptp(bar.get_xdata()) == pytest.approx(8.0)
        assert ax.get_ylim()[0] < 0.0

    def test_the_line_may_be_the_mean(self):
        pdf = draws()
        line = steps(plot_losvd(EDGES, pdf, central="mean"))["posterior mean"].get_data()
        np.testing.assert_allclose(line.values, pdf.mean(axis=0) / 10.0)

    def test_stars_as_a_histogram_beside_the_prediction(self):
        solver = gaussian_solver(n_stars=400, spread=0.0, edges=np.linspace(-100.0, 100.0, 401))
        edges, pdf = solver.grid["edges"], solver.samples["intrinsic_pdf"]
        ax = plot_losvd(edges, pdf, vel=solver.vel, err=solver.err, stars="histogram")
        histogram = steps(ax)["400 stars, observed"].get_data()
        counts, _ = np.histogram(solver.vel, histogram.edges)
        np.testing.assert_allclose(histogram.values, counts / (400 * np.diff(histogram.edges)))
        v, density = lines(ax)["posterior mean with errors"].get_data()
        observed = stats.norm.pdf(v[:, None], 0.0, np.hypot(15.0, solver.err)).mean(axis=1)
        # Averages over bins of 0.7 and 0.5 km/s change the peak by (0.7^2 + 0.5^2) / (24 * 15^2) = 1.4e-4.
        np.testing.assert_allclose(density, observed, atol=2e-4 * observed.max())
        assert ax.get_ylim()[0] == 0.0

    def test_histogram_and_prediction_are_densities_on_the_grid(self):
        vel = np.append(np.linspace(-80.0, 50.0, 30), 400.0)
        ax = plot_losvd(EDGES, draws(), vel=vel, err=np.full(31, 15.0), stars="histogram")
        (name,) = [name for name in steps(ax) if "observed" in name]
        assert name == "31 stars, observed, 6 outside the grid"
        data = steps(ax)[name].get_data()
        assert np.sum(data.values * np.diff(data.edges)) == pytest.approx(1.0)
        v, density = lines(ax)["posterior mean with errors"].get_data()
        assert np.sum(density) * (v[1] - v[0]) == pytest.approx(1.0)

    def test_stars_need_not_be_drawn(self):
        ax = plot_losvd(EDGES, draws(), vel=[1.0, 2.0], err=[1.0, 1.0], stars=None)
        assert not ax.lines
        assert ax.get_ylim()[0] == 0.0

    def test_the_best_gaussian_is_corrected_for_the_errors(self):
        # Stars at the quantiles of the Gaussian convolved with their common error.
        vel = np.hypot(12.0, 9.0) * stats.norm.ppf((np.arange(2000) + 0.5) / 2000) + 4.0
        ax = plot_losvd(EDGES, draws(), vel=vel, err=np.full(2000, 9.0), gaussian=True)
        v, density = lines(ax)["best Gaussian"].get_data()
        # The quantiles' variance lacks the outer tails: 0.2 % of it, here 0.3 % of the density.
        np.testing.assert_allclose(density, stats.norm.pdf(v, 4.0, 12.0), atol=0.004 * density.max())

    def test_a_cluster_lost_in_its_grid_is_shown_close_up(self):
        edges = np.linspace(-300.0, 300.0, 301)
        vel = np.linspace(-250.0, -210.0, 9)
        ax = plot_losvd(edges, draws(-230.0, 7.0, edges=edges), vel=vel, err=np.full(9, 0.01), gaussian=True)
        low, high = ax.get_xlim()
        assert -290.0 < low < -250.0
        assert -210.0 < high < -170.0
        bar = next(line for name, line in lines(ax).items() if name.startswith("median error"))
        assert low < bar.get_xdata().min() < bar.get_xdata().max() < high
        far = plot_losvd(edges, draws(-230.0, 7.0, edges=edges), vel=[-230.0, 290.0])
        assert far.get_xlim() == (-300.0, 300.0)

    @pytest.mark.parametrize("n", [1, 4])
    @pytest.mark.parametrize("stars", ["rug", "histogram"])
    def test_few_and_equal_stars(self, n, stars):
        vel, err = np.full(n, 5.0), np.full(n, 2.0)
        plot_losvd(EDGES, draws(), vel=vel, err=err, stars=stars, gaussian=True).figure.canvas.draw()
        # None on the grid is no reason to fail.
        plot_losvd(EDGES, draws(), vel=vel + 200.0, err=err, stars=stars).figure.canvas.draw()

    def test_legend_begins_with_the_posterior(self):
        ax = plot_losvd(EDGES, draws(), None, stats.norm(0, 20).pdf, [1.0, 2.0], [1.0, 1.0], gaussian=True)
        shown = [text.get_text() for text in ax.get_legend().get_texts()]
        assert shown[:5] == ["posterior median", "68 %", "95 %", "true density", "best Gaussian"]

    def test_plot_result_passes_the_options_on(self):
        solver = analytic_result()
        ax = solver.plot_result(None, stats.norm(0, 15).pdf, central="mean", gaussian=False, label="a")
        assert "best Gaussian" not in lines(ax)
        assert "a" in steps(ax)
        assert "best Gaussian" in lines(solver.plot_result())
        assert solver.plot_result(own_axes(), legend=False, color="black").get_legend() is None

    @pytest.mark.parametrize("stars", ["rug", "histogram"])
    def test_looks(self, stars):
        truth = stats.norm(0.0, 15.0).pdf
        assert_looks_like(analytic_result().plot_result(None, truth, stars=stars).figure, f"result_{stars}")

    def test_draws_into_given_axes_without_touching_pyplot(self):
        ax = own_axes()
        assert plot_losvd(EDGES, draws(), ax=ax, vel=[1.0]) is ax
        plot_losvd(EDGES, draws(sigma=5.0), ax=ax, color="#D55E00", label="second")
        assert plt.get_fignums() == []
        peak = steps(ax)["second"].get_data().values.max()
        assert ax.get_ylim()[1] > peak
        ax.figure.canvas.draw()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"pdf_samples": draws() / 10.0}, "multiply by the bin width"),
            ({"pdf_samples": draws()[:, 1:]}, r"shape \(50, 11\)"),
            ({"edges": EDGES[::-1]}, "edges must be .* ascending"),
            ({"edges": [1.0]}, "edges must be at least two"),
            ({"err": [1.0]}, "err was given without vel"),
            ({"vel": [1.0, np.nan]}, "vel has 1 of 2 values"),
            ({"vel": [1.0, 2.0], "err": [1.0]}, "vel has 2 values but err has 1"),
            ({"vel": [1.0], "err": [0.0]}, "err has 1 of 1 values .* not positive"),
            ({"true_intrinsic": [500.0, 600.0]}, "none of the 2 velocities of true_intrinsic"),
            ({"true_intrinsic": [np.nan, 600.0]}, "true_intrinsic has 1 of 2"),
            ({"true_intrinsic": lambda v: 1.0}, r"returned shape \(\)"),
            ({"true_intrinsic": lambda v: v * np.nan}, "NaN or infinite"),
            ({"central": "mode"}, r"central must be one of \['median', 'mean'\], got 'mode'"),
            ({"stars": "dots"}, "stars must be one of .* got 'dots'"),
            ({"gaussian": True, "vel": [1.0]}, "pass vel and err"),
        ],
    )
    def test_bad_arguments_leave_no_figure_behind(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            plot_losvd(**({"edges": EDGES, "pdf_samples": draws()} | arguments))
        assert plt.get_fignums() == []


GRID = SimpleNamespace(x_start=-20.0, y_start=-10.0, x_size=40.0, y_size=20.0, nx=4, ny=2)
IDS = np.array([[0, 1, 1, 2], [3, 3, 4, 2]])


class TestMap:
    def test_pixels_take_the_value_of_their_bin(self):
        ax = plot_map([10.0, 20.0, np.nan, 40.0], GRID, IDS, label="V [km/s]")
        (image,) = ax.images
        shown = np.ma.filled(image.get_array(), np.nan)
        np.testing.assert_array_equal(shown, [[np.nan, 10.0, 10.0, 20.0], [np.nan, np.nan, 40.0, 20.0]])
        assert tuple(image.get_extent()) == (-20.0, 20.0, -10.0, 10.0)
        assert image.origin == "lower"
        assert image.get_clim() == (10.0, 40.0)
        assert ax.get_aspect() == 1.0
        assert ax.get_xlabel() == "x [arcsec]"
        assert ax.child_axes[0].get_ylabel() == "V [km/s]"

    def test_skipped_bins_are_grey_and_pixels_without_bin_blank(self):
        ax = plot_map([10.0, 20.0, np.nan, 40.0], GRID, IDS)
        (grey,) = [p for p in ax.patches if isinstance(p, PathPatch)]
        assert grey.get_facecolor() == to_rgba("0.9")
        box = grey.get_path().get_extents()
        np.testing.assert_allclose([box.x0, box.x1, box.y0, box.y1], [-20.0, 0.0, 0.0, 10.0])
        ax.figure.canvas.draw()

    @pytest.mark.parametrize("hatched", [[False, True, True, False], [0, 1, 1, 0]])
    def test_marked_bins_are_hatched_over_their_colour(self, hatched):
        ax = plot_map([10.0, 20.0, np.nan, 40.0], GRID, IDS, hatched=hatched)
        grey, marked = [p for p in ax.patches if isinstance(p, PathPatch)]
        assert not grey.get_path().intersects_bbox(marked.get_path().get_extents(), filled=True)
        assert marked.get_facecolor()[3] == 0.0
        assert marked.get_hatch() != grey.get_hatch()
        box = marked.get_path().get_extents()
        np.testing.assert_allclose([box.x0, box.x1, box.y0, box.y1], [10.0, 20.0, -10.0, 10.0])
        ax.figure.canvas.draw()

    @pytest.mark.parametrize("most", [10_000, 3])
    def test_lines_at_bin_boundaries_only(self, most, monkeypatch):
        monkeypatch.setattr(areas, "_MOST_LINES", most)
        ax = plot_map([1.0, 2.0, 3.0, 4.0], GRID, IDS)
        (collection,) = [c for c in ax.collections if isinstance(c, LineCollection)]
        lines = np.concatenate([path.vertices.reshape(-1, 3, 2)[:, :2] for path in collection.get_paths()])
        x, y = np.linspace(-20, 20, 5), np.linspace(-10, 10, 3)
        # Sides of pixels in columns and rows of pixels, as many as a line is long.
        got = set()
        for (x0, y0), (x1, y1) in lines:
            i, j = np.searchsorted(x, [x0, x1]), np.searchsorted(y, [y0, y1])
            n = max(i[1] - i[0], j[1] - j[0])
            corners = [(x[i[0] + k * (i[1] > i[0])], y[j[0] + k * (j[1] > j[0])]) for k in range(n + 1)]
            assert not got & set(pairwise(corners))
            got |= set(pairwise(corners))
        upright = [(1, 0), (3, 0), (4, 0), (0, 1), (2, 1), (3, 1), (4, 1)]
        level = [(1, 0), (2, 0), (3, 0), (0, 1), (1, 1), (2, 1), (0, 2), (1, 2), (2, 2), (3, 2)]
        expected = {((x[i], y[j]), (x[i], y[j + 1])) for i, j in upright}
        expected |= {((x[i], y[j]), (x[i + 1], y[j])) for i, j in level}
        assert got == expected
        assert not plot_map([1.0, 2.0, 3.0, 4.0], GRID, IDS, boundary_width=0).collections

    def test_flat_ids_run_along_x_first(self):
        shown = plot_map([1.0, 2.0, 3.0, 4.0], GRID, IDS.ravel()).images[0].get_array()
        np.testing.assert_array_equal(shown, np.ma.masked_equal(IDS, 0))

    def test_diverging_limits_are_symmetric_about_the_centre(self):
        values = [-7.0, 1.0, 2.0, 3.0]
        assert plot_map(values, GRID, IDS, diverging=True).images[0].get_clim() == (-7.0, 7.0)
        assert plot_map(values, GRID, IDS, diverging=True, center=2.0).images[0].get_clim() == (-7.0, 11.0)
        assert plot_map(values, GRID, IDS, diverging=True, vmax=4.0).images[0].get_clim() == (-4.0, 4.0)
        image = plot_map(values, GRID, IDS, diverging=True, center=2.0, vmin=0.0).images[0]
        assert image.get_clim() == (0.0, 4.0)

    def test_limits_by_percentiles_and_by_hand(self):
        values = np.arange(4.0)
        low, high = plot_map(values, GRID, IDS, percentiles=(25, 75)).images[0].get_clim()
        assert (low, high) == (0.75, 2.25)
        assert plot_map(values, GRID, IDS, vmin=-1.0).images[0].get_clim() == (-1.0, 3.0)

    @pytest.mark.parametrize(
        ("limits", "extend"),
        [((-1, 9), "neither"), ((2, 9), "min"), ((-1, 2), "max"), ((1, 2), "both"), ((0, 3), "neither")],
    )
    def test_colour_bar_is_pointed_where_values_lie_beyond_it(self, limits, extend):
        ax = plot_map(np.arange(4.0), GRID, IDS, vmin=limits[0], vmax=limits[1])
        assert ax.images[0].colorbar.extend == extend

    @pytest.mark.parametrize("values", [[3.0] * 4, [0.0] * 4, [np.nan] * 4])
    @pytest.mark.parametrize("diverging", [True, False])
    def test_constant_and_empty_maps(self, values, diverging):
        ax = plot_map(values, GRID, IDS, diverging=diverging)
        low, high = ax.images[0].get_clim()
        assert low < high
        ax.figure.canvas.draw()

    def test_unit_of_a_quantity_is_the_default_label(self):
        ax = plot_map(np.arange(4.0) * u.km / u.s, GRID, IDS)
        assert ax.child_axes[0].get_ylabel() == "[km / s]"
        assert not plot_map(np.arange(4.0), GRID, IDS, colorbar=None).child_axes

    def test_draws_into_given_axes_without_touching_pyplot(self):
        ax = own_axes()
        assert plot_map(np.arange(4.0), GRID, IDS, ax) is ax
        assert plt.get_fignums() == []
        ax.figure.canvas.draw()

    def test_bins_without_pixels_are_reported(self):
        with pytest.warns(UserWarning, match=r"2 of 6 bins have a value but no pixel in ids.*bin 5"):
            plot_map(np.arange(6.0), GRID, IDS)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            plot_map([1.0, 2.0, 3.0, 4.0, np.nan], GRID, IDS)

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"ids": IDS.T}, ValueError, r"shape \(4, 2\), but the grid has ny = 2"),
            ({"ids": IDS + 0.0}, TypeError, "ids must be integers"),
            ({"ids": IDS - 1}, ValueError, "ids range from -1 to 3"),
            ({"ids": IDS + 1}, ValueError, "ids range from 1 to 5, but values has 4 bins"),
            ({"values": np.ones((2, 2))}, ValueError, r"got shape \(2, 2\)"),
            ({"values": [1.0, np.inf, 2.0, 3.0]}, ValueError, "1 of 4 bins .first: bin 2"),
            ({"center": 1.0}, ValueError, "center = 1.0 needs diverging=True"),
            ({"diverging": True, "vmin": -1.0, "vmax": 2.0}, ValueError, "equal distances"),
            ({"vmin": 9.0}, ValueError, "vmin < vmax"),
            ({"colorbar": "left"}, ValueError, "colorbar must be one of"),
            ({"hatched": [True]}, ValueError, r"one bool for each of the 4 bins, got shape \(1,\)"),
            ({"hatched": np.ones(4)}, ValueError, "of dtype float64"),
            ({"hatched": [0, 1, 2, 0]}, ValueError, "of dtype int64: pass True"),
        ],
    )
    def test_bad_arguments_leave_no_figure_behind(self, arguments, error, message):
        with pytest.raises(error, match=message):
            plot_map(**({"values": np.arange(4.0), "grid": GRID, "ids": IDS} | arguments))
        assert plt.get_fignums() == []


class TestKinematicMaps:
    grid = SimpleNamespace(x_start=0.0, y_start=0.0, x_size=50.0, y_size=40.0, nx=10, ny=10)
    ids = np.arange(1, 101).reshape(10, 10)

    def maps(self):
        rng = np.random.default_rng(2)
        maps = {name: {"median": rng.normal(0.1, 0.3, 100)} for name in ("skewness", "kurtosis")}
        maps["v_mean"] = {"median": rng.normal(-220.0, 5.0, 100)}
        maps["sigma"] = {"median": rng.normal(15.0, 2.0, 100)}
        for entry in maps.values():
            entry["median"][7] = np.nan
        return maps

    def test_panels_and_their_limits(self):
        maps = self.maps()
        figure, axes = plot_kinematic_maps(maps, self.grid, self.ids, n_stars=np.arange(100.0))
        assert axes.shape == (5,)
        assert list(figure.axes[:5]) == list(axes)
        for ax, name in zip(axes, ("v_mean", "sigma", "skewness", "kurtosis"), strict=False):
            values = maps[name]["median"]
            np.testing.assert_array_equal(np.ma.filled(ax.images[0].get_array(), np.nan).ravel(), values)
            low, high = np.nanpercentile(values, [2.0, 98.0])
            if name != "sigma":
                center = np.nanmedian(values) if name == "v_mean" else 0.0
                reach = max(center - low, high - center)
                low, high = center - reach, center + reach
            assert ax.images[0].get_clim() == pytest.approx((low, high))
        labels = [ax.child_axes[0].get_xlabel() for ax in axes]
        assert "km s" in labels[0]
        assert "km s" in labels[1]
        assert labels[4] == "Number of stars"
        figure.canvas.draw()

    def test_without_star_counts_there_are_four_panels_in_a_given_figure(self):
        figure = Figure(layout="constrained")
        FigureCanvasAgg(figure)
        got, axes = plot_kinematic_maps(self.maps(), self.grid, self.ids, fig=figure)
        assert got is figure
        assert axes.shape == (4,)
        assert plt.get_fignums() == []

    def test_what_the_prior_dominates_is_hatched_and_explained(self):
        maps = self.maps()
        plain, axes = plot_kinematic_maps(maps, self.grid, self.ids)
        assert all(len(ax.patches) == 1 for ax in axes)
        assert plain.get_supxlabel() == ""
        for name in maps:
            maps[name]["prior_dominated"] = np.zeros(100, dtype=bool)
        plain, axes = plot_kinematic_maps(maps, self.grid, self.ids)
        assert plain.get_supxlabel() == ""
        maps["kurtosis"]["prior_dominated"][:20] = True
        figure, axes = plot_kinematic_maps(maps, self.grid, self.ids, n_stars=np.arange(100.0))
        assert [len(ax.patches) for ax in axes] == [1, 1, 1, 2, 1]
        assert figure.get_supxlabel() == "hatched: prior-dominated"
        figure.canvas.draw()

    def test_missing_maps_are_named(self):
        maps = self.maps()
        del maps["sigma"]
        with pytest.raises(ValueError, match=r"maps lacks \['sigma'\]"):
            plot_kinematic_maps(maps, self.grid, self.ids)


def solvers(n, skipped=()):
    grid = VelocityGrid(EDGES, 120.0)
    return [
        None
        if i in skipped
        else made_solver(grid, 100 + i, draws={"intrinsic_pdf": draws(mean=float(i), seed=i)})
        for i in range(n)
    ]


class TestLosvdGrid:
    def titles(self, figure):
        """Titles of the panels."""
        (ax,) = figure.axes
        return [text.get_text() for text in ax.texts if text.get_ha() == "left"]

    def artists(self, figure):
        return {artist.get_label(): artist for artist in figure.axes[0].collections}

    def test_panels_show_the_bins_that_were_solved(self):
        figure = plot_losvd_grid(solvers(8, skipped=(1, 4)), n_columns=4)
        assert self.titles(figure) == [f"bin {i + 1}, N = {100 + i}" for i in (0, 2, 3, 5, 6, 7)]
        assert len(self.artists(figure)["68 %"].get_paths()) == 6
        assert "6 of 6 fitted bins (2 more skipped)" in figure.get_suptitle()
        figure.canvas.draw()

    def test_numbers_of_stars_need_not_be_known(self):
        (solver,) = solvers(1)
        assert self.titles(plot_losvd_grid([replace(solver.fit, stars=None)])) == ["bin 1, N = ?"]

    def test_only_those_shown_are_read_of_a_lazy_map(self):
        class Lazy(list):
            fitted = np.array([i not in (0, 7) for i in range(20)])
            read = ()

            @property
            def fits(self):
                return self

            def __getitem__(self, i):
                self.read = (*self.read, i)
                return super().__getitem__(i).fit

            def __iter__(self):
                raise AssertionError("reads them all")

        lazy = Lazy(solvers(20, skipped=(0, 7)))
        figure = plot_losvd_grid(lazy, n_max=3)
        assert lazy.read == (1, 10, 19)
        assert figure.get_suptitle().startswith("3 of 18 fitted bins (2 more skipped)")

    def test_a_store_tells_which_bins_are_fitted(self, tmp_path, monkeypatch):
        v = 10.0 * stats.norm.ppf((np.arange(60) + 0.5) / 60)
        sizes = (60, 60, 2, 60, 60)
        data = [{"vel": v[:n] + i, "err": np.full(n, 2.0)} for i, n in enumerate(sizes)]
        grid = {"center": 0.0, "width": 100.0, "n_bins": 20}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            fit_all_bins(data, grid, {"num_samples": 100, "seed": 1}, store=tmp_path / "map", progress=False)
        lazy, read = load(tmp_path / "map"), []
        original = MapStore.read
        monkeypatch.setattr(
            MapStore, "read", lambda store, index: read.append(index) or original(store, index)
        )
        np.testing.assert_array_equal(lazy.fitted, [True, True, False, True, True])
        np.testing.assert_array_equal(lazy[1:3].fitted, [True, False])
        assert read == []
        plot_losvd_grid(lazy, n_max=2)
        assert read == [0, 4]

    def test_evenly_spread_when_there_are_more_than_fit(self):
        figure = plot_losvd_grid(solvers(41), n_max=5)
        numbers = [int(title.split(",")[0][4:]) for title in self.titles(figure)]
        assert numbers == [1, 11, 21, 31, 41]
        assert figure.get_suptitle().startswith("5 of 41 fitted bins |")

    def test_mean_truth_and_gaussian_of_each_bin(self):
        bins = [gaussian_solver(mean=5.0 * i) for i in range(4)]
        truth = [stats.norm(0.0, 15.0).pdf, None, None, bins[3].vel]
        figure = plot_losvd_grid(bins, central="mean", true_intrinsic=truth, gaussian=True)
        counts = {name: len(artist.get_paths()) for name, artist in self.artists(figure).items()}
        assert counts["posterior mean"] == counts["best Gaussian"] == 4
        assert counts["truth"] == 2
        assert "truth" in figure.get_suptitle()
        figure.canvas.draw()
        assert "truth" not in plot_losvd_grid(bins, gaussian=True).get_suptitle()

    def test_no_gaussian_without_stars(self):
        with pytest.raises(OrderError, match=r"solvers\[0\] has no stars"):
            plot_losvd_grid([replace(solver.fit, stars=None) for solver in solvers(2)], gaussian=True)
        assert plt.get_fignums() == []

    def test_titles_belong_to_solvers(self):
        figure = plot_losvd_grid(solvers(3, skipped=(1,)), titles=["a", "b", "c"])
        assert self.titles(figure) == ["a", "c"]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"solvers": [None, None]}, r"no solved bin \(of 2\)"),
            ({"solvers": []}, "solvers is empty"),
            ({"titles": ["a"]}, "titles has 1 entries, but there are 2 solvers"),
            ({"true_intrinsic": [None]}, "true_intrinsic has 1 entries, but there are 2 solvers"),
            ({"true_intrinsic": [None, [900.0]]}, r"none of the 1 velocities of true_intrinsic\[1\]"),
            ({"central": "mode"}, "central must be one of"),
            ({"n_columns": 0}, "n_columns must be at least 1"),
            ({"n_max": 0}, "n_max must be at least 1"),
            ({"solvers": [KinematicSolver()]}, r"solvers\[0\] has no samples"),
        ],
    )
    def test_bad_arguments_leave_no_figure_behind(self, arguments, message):
        with pytest.raises(ValueError, match=message):
            plot_losvd_grid(**({"solvers": solvers(2)} | arguments))
        assert plt.get_fignums() == []
