"""Maps from bin centres, what maps share, and the figure of all kinematic maps."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from astropy import units as u
from matplotlib.collections import LineCollection, PathCollection, PolyCollection
from matplotlib.colors import LogNorm, Normalize, to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

mpl.use("Agg")
import matplotlib.pyplot as plt

from tests.helpers.images import assert_looks_like, pixel_edges
from veldist.figures.styles import MAP_STYLES, SHAPES
from veldist.plotting import common_norm, plot_kinematic_maps, plot_map, share_colorbar

X, Y = (a.ravel() + 0.0 for a in np.meshgrid(np.arange(4), np.arange(3)))
GRID = SimpleNamespace(x_start=-0.5, y_start=-0.5, x_size=4.0, y_size=3.0, nx=8, ny=6)
IDS = np.kron(np.arange(1, 13).reshape(3, 4), np.ones((2, 2), dtype=int))


def spiral(n=40):
    """Bin centres that are dense in the middle, as a sunflower's (no randomness)."""
    k = np.arange(n) + 0.5
    return k * np.cos(2.4 * k), k * np.sin(2.4 * k)


def polygons(ax):
    (found,) = [c for c in ax.collections if isinstance(c, PolyCollection)]
    return found


class TestVoronoiMap:
    def test_a_lattice_of_centres_gives_its_pixels(self):
        values = np.arange(12.0)
        drawn = polygons(plot_map(values, x=X, y=Y))
        np.testing.assert_array_equal(drawn.get_array(), values)
        for path, x, y in zip(drawn.get_paths(), X, Y, strict=True):
            box = path.get_extents()
            np.testing.assert_allclose(
                [box.x0, box.x1, box.y0, box.y1], [x - 0.5, x + 0.5, y - 0.5, y + 0.5], atol=1e-9
            )

    def test_labels_aspect_and_colour_bar_are_those_of_a_pixel_map(self):
        ax = plot_map(np.arange(12.0), x=X * u.arcsec, y=Y * u.arcsec, label="V [km/s]", diverging=True)
        assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_aspect()) == ("x [arcsec]", "y [arcsec]", 1.0)
        assert ax.child_axes[0].get_ylabel() == "V [km/s]"
        assert polygons(ax).get_clim() == (-11.0, 11.0)
        arcmin = plot_map(np.arange(12.0), x=X / 60 * u.arcmin, y=Y / 60 * u.arcmin)
        np.testing.assert_allclose(arcmin.get_xlim(), ax.get_xlim())

    def test_skipped_bins_are_grey_and_marked_bins_hatched(self):
        values = np.arange(12.0)
        values[5] = np.nan
        ax = plot_map(values, x=X, y=Y, hatched=np.arange(12) == 6)
        assert polygons(ax).get_array().size == 11
        grey, marked = [p for p in ax.patches if isinstance(p, PathPatch)]
        assert grey.get_facecolor() == to_rgba("0.9")
        for patch, k in ((grey, 5), (marked, 6)):
            box = patch.get_path().get_extents()
            np.testing.assert_allclose([box.x0, box.y0], [X[k] - 0.5, Y[k] - 0.5], atol=1e-9)
            np.testing.assert_allclose([box.x1, box.y1], [X[k] + 0.5, Y[k] + 0.5], atol=1e-9)
        assert grey.get_hatch() != marked.get_hatch()
        ax.figure.canvas.draw()

    def test_skipped_bins_may_be_nowhere_but_others_not(self):
        values, x = np.arange(12.0), X.copy()
        x[3] = np.nan
        with pytest.raises(ValueError, match=r"NaN or infinite for 1 of 12 bins that have a value .bins 4."):
            plot_map(values, x=x, y=Y)
        values[3] = np.nan
        ax = plot_map(values, x=x, y=Y, numbers=True)
        assert polygons(ax).get_array().size == 11
        assert "4" not in {text.get_text() for text in ax.texts}

    def test_margin_sets_how_far_the_cells_reach(self):
        plain, wide = (plot_map(np.arange(12.0), x=X, y=Y, margin=m) for m in (None, 2.0 * u.arcsec))
        boxes = [
            np.concatenate([path.vertices for path in polygons(ax).get_paths()]).min(axis=0)
            for ax in (plain, wide)
        ]
        np.testing.assert_allclose(boxes, [[-0.5, -0.5], [-2.0, -2.0]], atol=1e-9)
        assert polygons(plot_map([1.0], x=[3.0], y=[4.0], margin=1.0)).get_array().size == 1

    def test_boundaries_can_be_left_out(self):
        lines = [c for c in plot_map(np.arange(12.0), x=X, y=Y).collections if isinstance(c, LineCollection)]
        assert [len(c.get_segments()) for c in lines] == [12]
        ax = plot_map(np.arange(12.0), x=X, y=Y, boundary_width=0)
        assert not [c for c in ax.collections if isinstance(c, LineCollection)]

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"y": None}, ValueError, r"grid and ids, or the bins' centres, x and y; got \['x'\]"),
            ({"grid": GRID}, ValueError, r"got \['grid', 'x', 'y'\]"),
            ({"x": None, "y": None}, ValueError, r"got \[\]"),
            ({"x": None, "y": None, "ids": IDS}, ValueError, r"got \['ids'\]"),
            ({"x": X[1:]}, ValueError, "x has 11 values, but there are 12 bins"),
            ({"x": X * 0, "y": Y * 0}, ValueError, r"12 of 12 bins share their position .*kind='points'"),
            ({"x": X * u.km}, ValueError, "x has unit 'km'"),
            ({"kind": "squares"}, ValueError, "kind must be one of"),
            ({"margin": -1.0}, ValueError, "margin must be positive"),
            ({"margin": 1.0, "kind": "points"}, ValueError, "margin is for Voronoi cells"),
            (
                {"kind": "points", "x": None, "y": None, "grid": GRID, "ids": IDS},
                ValueError,
                "needs the bins'",
            ),
            ({"values": [1.0], "x": [0.0], "y": [0.0]}, ValueError, "single bin .* pass margin"),
            ({"norm": Normalize(0, 1), "vmax": 2.0}, ValueError, "leave center, vmin and vmax out"),
            ({"norm": "log"}, TypeError, "norm must be a matplotlib.colors.Normalize"),
            ({"norm": LogNorm()}, ValueError, r"LogNorm has no colour for 1 of 12 values .first: 0"),
            ({"values": np.full(12, np.nan), "x": X * np.nan}, ValueError, "infinite for all bins"),
        ],
    )
    def test_bad_arguments_leave_no_figure_behind(self, arguments, error, message):
        with pytest.raises(error, match=message):
            plot_map(**({"values": np.arange(12.0), "x": X, "y": Y} | arguments))
        assert plt.get_fignums() == []


class TestPoints:
    def test_marks_are_where_the_centres_are(self):
        values = np.arange(12.0)
        values[5] = np.nan
        ax = plot_map(values, x=X, y=Y, kind="points", hatched=np.arange(12) == 6, numbers=True)
        marks, skipped, line, struck = [c for c in ax.collections if isinstance(c, PathCollection)]
        np.testing.assert_array_equal(marks.get_array(), np.delete(values, 5))
        np.testing.assert_array_equal(marks.get_offsets(), np.delete(np.stack([X, Y], 1), 5, axis=0))
        for drawn, k in ((skipped, 5), (line, 5), (struck, 6)):
            np.testing.assert_array_equal(drawn.get_offsets(), [[X[k], Y[k]]])
        assert len(ax.texts) == 12
        ax.figure.canvas.draw()

    def test_bins_at_one_position_are_no_hindrance(self):
        plot_map([1.0, 2.0], x=[0.0, 0.0], y=[0.0, 0.0], kind="points").figure.canvas.draw()


class TestNumbers:
    @pytest.mark.parametrize("where", [{"grid": GRID, "ids": IDS}, {"x": X, "y": Y}])
    def test_every_bin_has_its_number_at_its_place(self, where):
        ax = plot_map(np.arange(12.0), numbers=True, **where)
        assert [text.get_text() for text in ax.texts] == [str(k) for k in range(1, 13)]
        places = np.array([text.xy for text in ax.texts])
        # A pixel of a bin of 2 x 2 is 0.25 from the bin's centre in x and y.
        np.testing.assert_allclose(places, np.stack([X, Y], 1), atol=0.25 + 1e-9)

    def test_a_number_lies_on_a_pixel_of_its_bin_even_if_the_bin_is_hollow(self):
        ids = np.ones((3, 3), dtype=int)
        ids[1, 1] = 2
        grid = SimpleNamespace(x_start=0.0, y_start=0.0, x_size=3.0, y_size=3.0, nx=3, ny=3)
        ax = plot_map([1.0, 2.0], grid, ids, numbers=True)
        for text, k in zip(ax.texts, (1, 2), strict=True):
            column, row = (int(position) for position in text.xy)
            assert ids[row, column] == k

    def test_a_number_is_in_the_middle_of_its_pixels(self):
        ids = np.array([[1, 1, 1, 2, 2]])
        grid = SimpleNamespace(x_start=0.0, y_start=0.0, x_size=5.0, y_size=1.0, nx=5, ny=1)
        first, _ = plot_map([1.0, 2.0], grid, ids, numbers=True).texts
        assert tuple(first.xy) == (1.5, 0.5)

    def test_of_pixels_equally_near_the_first_is_taken(self):
        grid = SimpleNamespace(x_start=0.0, y_start=0.0, x_size=2.0, y_size=2.0, nx=2, ny=2)
        (text,) = plot_map([1.0], grid, np.ones((2, 2), dtype=int), numbers=True).texts
        assert tuple(text.xy) == (0.5, 0.5)

    def test_digits_contrast_with_the_colour_below(self):
        ax = plot_map([0.0, 1.0, np.nan], x=[0, 1, 2], y=[0, 0, 0], numbers=True, cmap="gray")
        assert [text.get_color() for text in ax.texts] == ["white", "black", "black"]

    def test_contrast_is_that_of_the_web_guidelines(self):
        from veldist.figures.numbers import ink

        # Luminance of the greys: 0.178 and 0.181, either side of sqrt(1.05 x 0.05) - 0.05 = 0.179.
        assert ink(np.repeat([[117.0], [118.0]], 3, axis=1) / 255.0) == ["white", "black"]
        assert ink([to_rgba("blue"), to_rgba("lime"), to_rgba("red")]) == ["white", "black", "black"]

    def test_numbers_beside_marks_can_be_read(self):
        x, y = spiral(300)
        _, ax = plt.subplots(figsize=(2.0, 2.0))
        plot_map(np.arange(300.0), x=x, y=y, ax=ax, kind="points", numbers=True)
        assert min(text.get_fontsize() for text in ax.texts) == 5.0


class TestUnits:
    def test_limits_are_in_the_unit_of_the_values(self):
        values = np.arange(12.0) * u.km / u.s
        ax = plot_map(values, x=X, y=Y, diverging=True, center=1000.0 * u.m / u.s, vmax=5000.0 * u.m / u.s)
        assert polygons(ax).get_clim() == pytest.approx((-3.0, 5.0))
        ax = plot_map(values, x=X, y=Y, vmin=2.0 * u.km / u.s, vmax=4.0)
        assert polygons(ax).get_clim() == pytest.approx((2.0, 4.0))
        for name in ("center", "vmin", "vmax"):
            with pytest.raises(ValueError, match=f"{name} has unit 'km / s', .* pure number"):
                plot_map(np.arange(12.0), x=X, y=Y, diverging=True, **{name: 1.0 * u.km / u.s})
            with pytest.raises(ValueError, match=f"{name} has unit 's', which cannot be converted to km / s"):
                plot_map(values, x=X, y=Y, diverging=True, **{name: 1.0 * u.s})

    def test_list_of_quantities(self):
        drawn = polygons(plot_map([1.0 * u.km / u.s, 2000.0 * u.m / u.s], x=[0, 1], y=[0, 0]))
        np.testing.assert_allclose(drawn.get_array(), [1.0, 2.0])

    def test_common_norm_is_in_the_first_unit(self):
        fast, slow = [0.0, 3.0] * u.km / u.s, [0.0, 3.0] * u.m / u.s
        assert common_norm(fast, slow).vmax == 3.0
        assert common_norm(slow, fast).vmax == pytest.approx(3000.0)
        assert common_norm(slow, fast, vmax=1.0 * u.km / u.s).vmax == pytest.approx(1000.0)
        with pytest.raises(ValueError, match="values of map 2 has unit 'arcsec'"):
            common_norm(fast, [1.0] * u.arcsec)

    def test_maps_are_converted_to_the_unit_of_their_label(self):
        maps, x, y = fields()
        in_m = {name: dict(entry) for name, entry in maps.items()}
        for key in ("median", "uncertainty"):
            in_m["sigma"][key] = maps["sigma"][key] * 1000.0 * u.m / u.s
        _, axes = plot_kinematic_maps(in_m, x=x, y=y, uncertainties=True)
        _, plain = plot_kinematic_maps(maps, x=x, y=y, uncertainties=True)
        for got, wanted in zip(axes[:, 1], plain[:, 1], strict=True):
            np.testing.assert_allclose(polygons(got).get_array(), polygons(wanted).get_array())
            np.testing.assert_allclose(polygons(got).get_clim(), polygons(wanted).get_clim())
        maps["sigma"]["median"] = maps["sigma"]["median"] * u.arcsec
        with pytest.raises(ValueError, match=r"maps\['sigma'\]\['median'\] has unit 'arcsec'"):
            plot_kinematic_maps(maps, x=x, y=y)

    def test_maps_of_the_users_own_keep_their_unit(self):
        maps, x, y = fields()
        maps["age"] = {"median": np.arange(40.0) * u.Gyr}
        _, axes = plot_kinematic_maps(maps, x=x, y=y, extra=("age",))
        assert bar_labels(axes)[-1] == "Age [Gyr]"


class TestGrids:
    def test_mapping_with_the_numbers_of_the_pixels(self):
        aperture = MappingProxyType(vars(GRID) | {"angle_deg": 0.0})
        values = np.arange(12.0)
        got, wanted = (plot_map(values, grid, IDS) for grid in (aperture, GRID))
        np.testing.assert_array_equal(got.images[0].get_array(), wanted.images[0].get_array())
        assert got.images[0].get_extent() == wanted.images[0].get_extent()
        maps = {name: {"median": values} for name in SHAPES["moments"]}
        figure, _ = plot_kinematic_maps(maps, aperture, IDS)
        figure.canvas.draw()

    def test_other_things_are_refused(self):
        with pytest.raises(ValueError, match=r"grid lacks \['ny'\]"):
            plot_map(np.arange(12.0), {k: v for k, v in vars(GRID).items() if k != "ny"}, IDS)
        with pytest.raises(TypeError, match=r"grid is a tuple without x_start, .*aperture"):
            plot_map(np.arange(12.0), (1.0, 2.0), IDS)


@pytest.mark.parametrize(
    "limits", [{"vmin": 5.0}, {"vmin": 0.0}, {"vmax": -5.0}, {"vmin": 5.0, "vmax": -5.0}]
)
def test_limits_on_the_wrong_side_of_the_centre_are_refused(limits):
    name = next(iter(limits))
    with pytest.raises(ValueError, match=rf"{name} = .* is not (below|above) center = 0"):
        plot_map(np.arange(12.0), x=X, y=Y, diverging=True, **limits)


class TestSharedColours:
    def test_common_norm_spans_all_maps(self):
        assert common_norm([1.0, np.nan], [5.0]).vmax == 5.0
        norm = common_norm([1.0, 2.0] * u.km / u.s, [-5.0], diverging=True)
        assert (norm.vmin, norm.vmax) == (-5.0, 5.0)
        norm = common_norm(np.arange(101.0), percentiles=(10.0, 90.0))
        assert (norm.vmin, norm.vmax) == pytest.approx((10.0, 90.0))
        with pytest.raises(ValueError, match="at least one map"):
            common_norm()

    def test_norm_is_used_as_it_is(self):
        norm = LogNorm(1.0, 100.0)
        ax = plot_map(np.arange(1.0, 13.0), x=X, y=Y, norm=norm)
        assert polygons(ax).norm is norm
        ax.figure.canvas.draw()

    @pytest.mark.parametrize("kind", ["pixels", "areas", "points"])
    def test_one_bar_for_several_maps(self, kind):
        where = {"grid": GRID, "ids": IDS} if kind == "pixels" else {"x": X, "y": Y, "kind": kind}
        figure, axes = plt.subplots(1, 2, layout="compressed")
        values = np.arange(12.0), np.arange(12.0) + 5.0
        norm = common_norm(*values)
        for ax, v in zip(axes, values, strict=True):
            plot_map(v, ax=ax, norm=norm, colorbar=None, **where)
        bar = share_colorbar(axes, "V [km/s]", where="top")
        assert (bar.vmin, bar.vmax, bar.extend) == (0.0, 16.0, "neither")
        assert bar.ax.get_xlabel() == "V [km/s]"
        figure.canvas.draw()

    def test_bar_is_pointed_where_any_map_exceeds_it(self):
        _, axes = plt.subplots(1, 2)
        for ax, shift in zip(axes, (0.0, 5.0), strict=True):
            plot_map(np.arange(12.0) + shift, x=X, y=Y, ax=ax, vmin=0.0, vmax=11.0, colorbar=None)
        assert share_colorbar(axes).extend == "max"
        assert share_colorbar(axes[0]).extend == "neither"

    def test_maps_of_different_colours_cannot_share(self):
        figure, axes = plt.subplots(1, 3)
        plot_map(np.arange(12.0), x=X, y=Y, ax=axes[0], colorbar=None)
        plot_map(np.arange(12.0) + 1.0, x=X, y=Y, ax=axes[1], colorbar=None)
        with pytest.raises(ValueError, match=r"from 0 to 11, axes\[1\] over viridis from 1 to 12"):
            share_colorbar(axes[:2])
        with pytest.raises(ValueError, match=r"axes\[2\] hold no map"):
            share_colorbar(axes)
        with pytest.raises(TypeError, match="matplotlib Axes"):
            share_colorbar([figure])
        with pytest.raises(ValueError, match="where must be"):
            share_colorbar(axes[0], where="below")


def fields(n=40):
    """Maps of a rotating system by formula, of all four-panel kinds."""
    x, y = spiral(n)
    r = np.hypot(x, y) / 20.0
    v = 8.0 * (x / 20.0) / (1.0 + r**2)
    sigma = 11.0 / np.sqrt(1.0 + r**2)
    columns = (v, sigma, -0.5 * v / sigma, 0.3 * (v / sigma) ** 2 - 0.02)
    maps = {}
    for names in SHAPES.values():
        for name, column, spread in zip(names, columns, (0.6, 0.4, 0.15, 0.25), strict=True):
            maps[name] = {"median": column.copy(), "uncertainty": spread * (1.0 + 0.3 * r)}
    maps["kurtosis"]["prior_dominated"] = r > 1.5
    maps["log_bayes_factor"] = {"median": 5.0 * np.abs(v / sigma) - 1.0, "uncertainty": np.full(n, np.nan)}
    maps["p_multimodal"] = {"median": np.full(n, 0.02), "uncertainty": np.full(n, 0.004)}
    for entry in maps.values():
        entry["median"][7] = np.nan
    return maps, x, y


def bar_labels(axes):
    return [ax.child_axes[0].get_xlabel() for ax in axes if ax is not None]


class TestKinematicMaps:
    @pytest.mark.parametrize("shape", list(SHAPES))
    def test_each_shape_has_its_four_maps(self, shape):
        maps, x, y = fields()
        figure, axes = plot_kinematic_maps(maps, x=x, y=y, shape=shape)
        assert axes.shape == (4,)
        assert bar_labels(axes) == [MAP_STYLES[name].label for name in SHAPES[shape]]
        for ax, name in zip(axes, SHAPES[shape], strict=True):
            values = maps[name]["median"]
            np.testing.assert_array_equal(polygons(ax).get_array(), values[np.isfinite(values)])
        figure.canvas.draw()

    def test_uncertainties_lie_below_their_maps(self):
        maps, x, y = fields()
        figure, axes = plot_kinematic_maps(
            maps, x=x, y=y, n_stars=np.full(40, 200.0), uncertainties=True, extra=("p_multimodal",)
        )
        assert axes.shape == (2, 6)
        # A number of stars has none, and that of a probability is the error of its Monte Carlo estimate.
        assert [ax is None for ax in axes[1]] == [False] * 4 + [True] * 2
        for above, below, name in zip(axes[0], axes[1], SHAPES["moments"], strict=False):
            values = maps[name]["uncertainty"]
            np.testing.assert_array_equal(polygons(below).get_array(), values)
            figure.canvas.draw()
            assert above.get_position().y0 > below.get_position().y1
            assert above.get_position().x0 == pytest.approx(below.get_position().x0)
        assert bar_labels(axes[1])[0] == r"$\Delta$$V$ [km s$^{-1}$]"
        assert figure.get_supxlabel() == "hatched: prior-dominated"

    def test_extra_maps_come_in_order_and_once(self):
        maps, x, y = fields()
        extra = ("n_stars", "p_multimodal", "v_mean")
        _, axes = plot_kinematic_maps(maps, x=x, y=y, n_stars=np.full(40, 200.0), extra=extra)
        assert bar_labels(axes)[4:] == ["Number of stars", "$P$(two or more modes)"]
        assert polygons(axes[5]).get_clim() == (0.0, 1.0)

    def test_points_are_said_to_be_struck_through(self):
        maps, x, y = fields()
        figure, axes = plot_kinematic_maps(maps, x=x, y=y, kind="points")
        assert figure.get_supxlabel() == "struck through: prior-dominated"
        figure.canvas.draw()

    def test_draws_into_a_given_figure(self):
        maps, x, y = fields()
        figure = Figure(layout="compressed")
        got, _ = plot_kinematic_maps(maps, x=x, y=y, fig=figure, uncertainties=True)
        assert got is figure
        assert plt.get_fignums() == []

    @pytest.mark.parametrize("kind", ["areas", "points"])
    def test_skipped_and_empty_maps_do_not_fail(self, kind):
        maps, x, y = fields()
        for entry in maps.values():
            entry["median"][:] = entry["uncertainty"][:] = np.nan
        figure, _ = plot_kinematic_maps(maps, x=x, y=y, uncertainties=True, kind=kind)
        figure.canvas.draw()

    @pytest.mark.parametrize(
        ("arguments", "error", "message"),
        [
            ({"extra": ("h5",)}, ValueError, r"maps lacks \['h5'\]: make it with .*compute_summary_maps"),
            ({"extra": "h5"}, TypeError, r"got the string 'h5': pass \('h5',\)"),
            ({"extra": ("n_stars",)}, ValueError, "pass the numbers of stars as n_stars="),
            ({"shape": "hermite"}, ValueError, r"shape must be one of \['moments', 'gauss_hermite'"),
            ({"maps": [1.0]}, TypeError, "must be the dict of compute_summary_maps"),
        ],
    )
    def test_bad_arguments_leave_no_figure_behind(self, arguments, error, message):
        maps, x, y = fields()
        with pytest.raises(error, match=message):
            plot_kinematic_maps(**({"maps": maps, "x": x, "y": y} | arguments))
        assert plt.get_fignums() == []

    def test_maps_of_different_sizes_are_refused(self):
        maps, x, y = fields()
        maps["sigma"]["uncertainty"] = np.ones(39)
        with pytest.raises(ValueError, match=r"maps\['sigma'\].* has 39 values, but 'v_mean' has 40"):
            plot_kinematic_maps(maps, x=x, y=y)
        del maps["sigma"]["uncertainty"]
        with pytest.raises(ValueError, match=r"n_stars .* has 41 values, but 'v_mean' has 40"):
            plot_kinematic_maps(maps, x=x, y=y, n_stars=np.ones(41))

    def test_bins_without_pixels_are_reported_once(self):
        maps = {name: {"median": np.arange(13.0)} for name in SHAPES["moments"]}
        with pytest.warns(UserWarning, match="1 of 13 bins have a value but no pixel") as caught:
            plot_kinematic_maps(maps, GRID, IDS)
        assert [warning.filename for warning in caught] == [__file__]

    def test_a_single_bin_needs_a_margin(self):
        maps = {name: {"median": [1.0]} for name in SHAPES["moments"]}
        with pytest.raises(ValueError, match=r"pass margin \(arcsec\), or kind='points'"):
            plot_kinematic_maps(maps, x=[0.0], y=[0.0])
        _, axes = plot_kinematic_maps(maps, x=[0.0], y=[0.0], margin=60.0 * u.arcsec)
        assert np.ptp(axes[0].get_xlim()) >= 120.0
        figure, _ = plot_kinematic_maps(maps, x=[0.0], y=[0.0], kind="points")
        figure.canvas.draw()

    def test_positions_in_any_unit(self):
        maps, x, y = fields()
        plain, _ = plot_kinematic_maps(maps, x=x, y=y)
        mixed, axes = plot_kinematic_maps(maps, x=x / 60.0 * u.arcmin, y=y * u.arcsec)
        assert mixed.get_figheight() == pytest.approx(plain.get_figheight())
        listed, _ = plot_kinematic_maps(maps, x=[v * u.arcsec for v in x], y=[v * u.arcsec for v in y])
        assert listed.get_figheight() == pytest.approx(plain.get_figheight())

    def test_any_mapping_will_do_but_of_entries(self):
        maps, x, y = fields()
        _, axes = plot_kinematic_maps(
            MappingProxyType({k: MappingProxyType(v) for k, v in maps.items()}), x=x, y=y
        )
        assert axes.shape == (4,)
        with pytest.raises(TypeError, match=r"maps\['sigma'\] must be a dict with 'median'"):
            plot_kinematic_maps(maps | {"sigma": maps["sigma"]["median"]}, x=x, y=y)

    def test_bins_whose_fits_did_not_converge_are_hatched(self):
        maps, x, y = fields()
        maps["gh_converged"] = {"median": np.where(np.arange(40) < 3, 0.85, 0.9)}
        maps["h4"]["prior_dominated"] = np.arange(40) == 20
        figure, axes = plot_kinematic_maps(maps, x=x, y=y, shape="gauss_hermite", extra=("sigma",))
        counts = [
            sum(int(np.sum(p.get_path().codes == 79)) for p in ax.patches if p.get_hatch() == "\\" * 4)
            for ax in axes
        ]
        assert counts == [3, 3, 3, 4, 0]
        assert figure.get_supxlabel() == (
            "hatched: prior-dominated, or fewer than 90 % of the Gauss-Hermite fits converged"
        )
        figure, _ = plot_kinematic_maps(maps, x=x, y=y, shape="percentiles")
        assert figure.get_supxlabel() == ""

    def test_labels_of_x_do_not_touch_what_is_below(self):
        maps, x, y = fields()
        figure, axes = plot_kinematic_maps(maps, x=x, y=y, extra=("p_multimodal",))
        assert [bool(ax.get_xlabel()) for ax in axes] == [False, False, True, True, True]
        figure.canvas.draw()
        boxes = [ax.get_tightbbox() for ax in axes]
        assert boxes[0].y0 > boxes[3].y1
        assert boxes[1].y0 > boxes[4].y1

    def test_every_label_can_be_typeset(self):
        figure = Figure()
        for k, style in enumerate(MAP_STYLES.values()):
            figure.text(0.1, k / 40, style.label)
            figure.text(0.5, k / 40, style.uncertainty_label)
            assert style.cmap in mpl.colormaps
        figure.canvas.draw()


class TestLooks:
    @pixel_edges
    def test_pixels(self):
        maps, x, y = fields()
        edges = np.linspace(-40.0, 40.0, 61)
        xx, yy = np.meshgrid(0.5 * (edges[1:] + edges[:-1]), 0.5 * (edges[1:] + edges[:-1]))
        ids = np.argmin((xx[..., None] - x) ** 2 + (yy[..., None] - y) ** 2, axis=-1) + 1
        ids[np.hypot(xx, yy) > 40.0] = 0
        grid = SimpleNamespace(x_start=-40.0, y_start=-40.0, x_size=80.0, y_size=80.0, nx=60, ny=60)
        figure, ax = plt.subplots(figsize=(4.0, 3.2))
        plot_map(maps["v_mean"]["median"], grid, ids, ax, diverging=True, hatched=np.arange(40) > 30)
        assert_looks_like(figure, "map_pixels")

    def test_voronoi_cells_with_numbers(self):
        maps, x, y = fields()
        figure, ax = plt.subplots(figsize=(4.0, 3.2))
        plot_map(maps["sigma"]["median"], x=x, y=y, ax=ax, numbers=True, hatched=np.arange(40) > 30)
        assert_looks_like(figure, "map_voronoi")

    def test_kinematic_maps_with_uncertainties(self):
        maps, x, y = fields()
        figure, _ = plot_kinematic_maps(maps, x=x, y=y, uncertainties=True)
        assert_looks_like(figure, "map_kinematic")
