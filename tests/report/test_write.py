"""The HTML report: content, size, and that nothing in it leaves the file."""

import gc
import json
import re
import weakref
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from astropy import units as u

import veldist
from tests.helpers.solvers import diagnosed_solver
from veldist.figures.styles import MAP_STYLES
from veldist.fits.grid import VelocityGrid
from veldist.fits.stars import Stars
from veldist.report import write_report
from veldist.report.losvds import thinned_rug
from veldist.report.metrics import color_limits
from veldist.sky.pixels import PixelGrid
from veldist.summaries.columns import MAP_COLUMNS


def gaussian_solver(seed, n_velocity=30, n_stars=40, n_draws=20, center=0.0, converged=True):
    """Draws around a binned Gaussian of mean `center` and dispersion 10 km/s, in bins over +-60 km/s."""
    rng = np.random.default_rng(seed)
    edges = np.linspace(-60.0, 60.0, n_velocity + 1)
    middles = 0.5 * (edges[1:] + edges[:-1])
    masses = np.exp(-0.5 * ((middles - center) / 10.0) ** 2) * rng.gamma(50.0, 0.02, (n_draws, n_velocity))
    diagnosed = diagnosed_solver(
        ess=np.full(4, 500.0 + seed),
        rhat=np.full(4, 1.01),
        pareto_k=0.3,
        acceptance=0.8,
        log_bayes_factor=-0.4,
        converged=converged and seed != 2,
        messages=("R-hat </script> 1.2",) if seed == 2 else (),
    )
    fit = replace(
        diagnosed.fit,
        stars=Stars(rng.normal(center, 10.0, n_stars), np.full(n_stars, 2.0)),
        grid=VelocityGrid(edges, 120.0),
        draws={"intrinsic_pdf": masses / masses.sum(axis=1, keepdims=True)},
    )
    return veldist.KinematicSolver.from_fit(fit)


def some_maps(n_bins, skipped=()):
    rng = np.random.default_rng(5)
    maps = {}
    for name in ("v_mean", "sigma", "skewness", "kurtosis", "h3", "my_own_map"):
        median = rng.normal(0.0, 5.0, n_bins)
        median[list(skipped)] = np.nan
        maps[name] = {"median": median, "uncertainty": np.where(np.isnan(median), np.nan, 0.5)}
    maps["kurtosis"]["prior_dominated"] = np.arange(n_bins) == 1
    return maps


GRID = PixelGrid(x_start=-4.0, y_start=-2.0, x_size=8.0, y_size=4.0, angle_deg=0.0, nx=4, ny=2)
IDS = np.array([[1, 1, 2, 2], [3, 3, 4, 0]])


@pytest.fixture(scope="module")
def solvers():
    return [gaussian_solver(0), gaussian_solver(1), None, gaussian_solver(2)]


@pytest.fixture
def report(solvers, tmp_path):
    def write(name="report.html", **options):
        options = {"maps": some_maps(4, skipped=[2]), "grid": GRID, "ids": IDS} | options
        return write_report(tmp_path / name, solvers, **options)

    return write


class Page(HTMLParser):
    """Tags, and the text of every script."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.scripts, self.title = [], [], ""
        self.inside = None
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, text):
        if self.inside == "script":
            self.scripts[-1] += text
        elif self.inside == "title":
            self.title += text


def content(path):
    return json.loads(Page(path).scripts[0])


def metrics(path):
    return {entry["key"]: entry for entry in content(path)["metrics"]}


def test_the_page_holds_what_the_solvers_and_maps_hold(report, solvers):
    path = report(settings={"stars_per_bin": 40, "prior": {"tau": 0.5, "scale": None}})
    page = content(path)
    assert [b is None for b in page["bins"]] == [False, False, True, False]
    bin_ = page["bins"][1]
    masses = solvers[1].samples["intrinsic_pdf"]
    expected = np.percentile(masses, [2.5, 16, 50, 84, 97.5], axis=0)
    # Whole multiples of 1/5000 of the largest.
    assert np.allclose(np.array(bin_["curves"]) * bin_["mass"], expected, atol=expected.max() / 9_999)
    grid = page["grids"][bin_["grid"]]
    assert (grid["left"], grid["width"], grid["n"]) == (-60, 4, 30)
    rug = grid["left"] + 120.0 / 4000 * np.cumsum(bin_["rug"])
    assert np.allclose(rug, np.sort(solvers[1].vel), atol=0.5 * 120.0 / 4000 + 1e-9)
    assert page["bins"][3]["diagnostics"]["converged"] is False
    assert ["prior.tau", "0.5"] in page["settings"]
    assert ["prior.scale", "default"] in page["settings"]
    assert page["versions"]["veldist"] == veldist.__version__
    found = metrics(path)
    assert found["v_mean"]["unit"] == "km/s"
    assert found["my_own_map"]["label"] == "my own map"
    assert found["my_own_map"]["unit"] is None
    maps = some_maps(4, skipped=[2])
    assert np.allclose([v for v in found["h3"]["values"] if v is not None], maps["h3"]["median"][[0, 1, 3]])
    assert found["h3"]["values"][2] is None
    assert found["kurtosis"]["dominated"] == [1]
    assert found["n_stars"]["values"] == [40, 40, None, 40]
    assert found["ess_min"]["values"] == [500, 501, None, 502]
    assert found["log_bayes_factor"]["values"][0] == -0.4


def test_nothing_is_loaded_from_elsewhere(report):
    path = report()
    text = path.read_text(encoding="utf-8")
    assert not re.search(r"https?:|\bsrc=|@import|url\((?!#)", text)
    page = Page(path)
    links = [attributes["href"] for tag, attributes in page.tags if "href" in attributes]
    assert links == ["data:,"]
    assert not {"img", "iframe", "object", "embed"} & {tag for tag, _ in page.tags}
    # The browser is told, too.
    assert "default-src 'none'" in text


def test_the_same_input_gives_the_same_bytes(report):
    assert report("a.html").read_bytes() == report("b.html").read_bytes()


def test_text_from_users_is_text(report):
    evil = "</title><script>alert('1')</script> & \u2028<!--"
    path = report(title=evil, settings={evil: evil}, maps={evil: {"median": np.arange(4.0)}})
    page = Page(path)
    assert page.title == evil
    assert [tag for tag, _ in page.tags].count("script") == 2
    # Within the data there is no character that HTML knows.
    assert not set("<>&\u2028") & set(page.scripts[0])
    read = content(path)
    assert read["settings"] == [[evil, evil]]
    assert read["metrics"][0]["key"] == evil
    assert read["bins"][3]["diagnostics"]["messages"] == ["R-hat </script> 1.2"]


def test_200_bins_of_60_velocity_bins_take_less_than_half_a_megabyte(tmp_path):
    many = [gaussian_solver(k + 3, n_velocity=60, n_stars=150) for k in range(200)]
    names = [f"metric_{k}" for k in range(35)]
    rng = np.random.default_rng(1)
    maps = {n: {"median": rng.normal(size=200), "uncertainty": rng.random(200)} for n in names}
    grid = PixelGrid(-50.0, -50.0, 100.0, 100.0, 0.0, 100, 100)
    block = np.add.outer(np.arange(100) // 7 * 14, np.arange(100) // 8 + 1)
    path = write_report(tmp_path / "r.html", many, maps=maps, grid=grid, ids=np.minimum(block, 200))
    assert path.stat().st_size < 500_000


def test_maps_are_computed_if_not_given(tmp_path, solvers):
    # Draws alone, and no posterior that could be looked at more closely.
    bare = [None if solver is None else replace(solver.fit, posterior=None) for solver in solvers]
    found = metrics(write_report(tmp_path / "r.html", bare))
    maps = veldist.analysis.compute_summary_maps(bare)
    assert np.allclose(found["sigma"]["values"][0], maps["sigma"]["median"][0], rtol=1e-5)


def test_without_positions_there_are_no_maps(report):
    assert content(report(grid=None, ids=None))["shapes"] is None


def test_thinned_stars_are_spread_like_all_of_them():
    vel = np.random.default_rng(0).normal(size=5000)
    thin = thinned_rug(vel, 300)
    assert thin.size == 300
    assert {vel.min(), vel.max()} <= set(thin)
    # Their distribution functions differ by half a step of the thin one, and one star.
    share = np.searchsorted(np.sort(vel), thin, side="right") / 5000
    assert np.max(np.abs(share - (np.arange(300) + 0.5) / 300)) < 0.5 / 300 + 2 / 5000


def test_stars_outside_the_grid_are_counted(report, solvers):
    stars = Stars(np.array([-500.0, 0.0, 400.0, 60.0]), np.ones(4))
    odd = replace(gaussian_solver(0).fit, stars=stars, posterior=None)
    path = write_report(report().with_name("odd.html"), [odd])
    assert content(path)["bins"][0]["beyond"] == 2


def test_color_limits_are_symmetric_and_not_narrower_than_the_noise():
    values = np.array([1.0, 2.0, np.nan, 4.0])
    low, high = color_limits(values, 0.0)
    assert low == -high
    assert high == pytest.approx(np.percentile([1.0, 2.0, 4.0], 98))
    assert color_limits(values, 0.0, least_reach=9.0) == (-9.0, 9.0)
    assert color_limits(values, None) == pytest.approx(np.percentile([1.0, 2.0, 4.0], [2, 98]))
    for equal in (3.0, -3.0):
        low, high = color_limits(np.full(2, equal), None)
        assert low < equal < high
    assert color_limits(np.zeros(2), None)[0] == 0.0
    assert color_limits(np.zeros(2), 0.0) == (-0.5, 0.5)
    assert color_limits(np.array([200.0]), None, least_range=10.0) == (195.0, 205.0)


def test_with_one_bin_colours_run_over_ten_stars_and_three_of_the_bayes_factor(tmp_path):
    found = metrics(write_report(tmp_path / "r.html", [gaussian_solver(0, n_stars=200)], maps=some_maps(1)))
    assert found["n_stars"]["limits"] == [195, 205]
    assert found["log_bayes_factor"]["values"] == [-0.4]
    assert found["log_bayes_factor"]["limits"] == [-3, 3]


def test_probabilities_below_a_millionth_are_zero(report):
    tiny = {
        "median": np.array([5.6e-16, 2e-6, np.nan, 0.5]),
        "uncertainty": np.array([5e-13, 1e-6, np.nan, 1e-9]),
    }
    found = metrics(report(maps={"outside_grid": tiny, "skewness": tiny}))
    assert found["outside_grid"]["values"] == [0, 2e-6, None, 0.5]
    assert found["outside_grid"]["uncertainties"] == [0, 1e-6, None, 0]
    assert found["skewness"]["values"][0] == 5.6e-16
    # What was passed is as it was.
    assert tiny["median"][0] == 5.6e-16


def test_gauss_hermite_quantities_are_marked_where_few_fits_converged(report):
    names = ("gh_v", "gh_sigma", "h3", "h6", "corr_v_h3")
    maps = {name: {"median": np.linspace(0.1, 0.4, 4)} for name in (*names, "sigma", "skewness")}
    converged = {"median": np.array([0.89, 0.9, np.nan, 0.0])}
    found = metrics(report(maps=maps | {"gh_converged": converged}))
    assert all(found[name]["undetermined"] == [0, 3] for name in names)
    assert not any(found[name]["undetermined"] for name in ("sigma", "skewness", "gh_converged", "n_stars"))
    assert not any(entry["undetermined"] for entry in metrics(report(maps=maps)).values())


def test_maps_with_units_are_converted(report):
    values = np.arange(4.0) * 1000.0
    of_own = {"median": values * u.pc, "uncertainty": values * u.kpc}
    found = metrics(
        report(maps={"v_mean": {"median": values * u.m / u.s, "uncertainty": values}, "d": of_own})
    )
    assert found["v_mean"]["values"] == [0, 1, 2, 3]
    assert found["v_mean"]["uncertainties"] == [0, 1000, 2000, 3000]
    assert (found["d"]["unit"], found["d"]["values"][1], found["d"]["uncertainties"][1]) == ("pc", 1000, 1e6)
    # Ratios have no unit, whatever the unit of the median.
    report(maps={"sigma": {"median": values * u.km / u.s, "prior_ratio": values * u.one}})
    for name, wrong in (("v_mean", u.s), ("h3", u.km)):
        with pytest.raises(ValueError, match=rf"maps\['{name}'\]\['median'\] has unit '{wrong}'"):
            report(maps={name: {"median": values * wrong}})


@pytest.mark.parametrize("name", [name for name in MAP_STYLES if name in MAP_COLUMNS])
def test_colours_diverge_as_in_the_pictures(report, name):
    found = metrics(report(maps={name: {"median": np.array([0.1, 0.2, 0.4, 0.7])}}))[name]
    style = MAP_STYLES[name]
    if style.center is None:
        assert found["center"] is None
    else:
        assert found["center"] == pytest.approx(0.3 if np.isnan(style.center) else style.center, rel=1e-5)
    if style.limits is not None:
        assert tuple(found["limits"]) == style.limits


def test_velocities_diverge_from_their_median_and_shapes_from_zero(report):
    found = metrics(report())
    assert found["v_mean"]["center"] == pytest.approx(
        np.nanmedian(some_maps(4, [2])["v_mean"]["median"]), rel=1e-5
    )
    assert found["h3"]["center"] == 0.0
    assert found["sigma"]["center"] is None


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"ids": None}, ValueError, "grid and ids must be given together"),
        ({"ids": IDS + 1}, ValueError, "ids"),
        ({"x": [1.0] * 4}, ValueError, "x and y must be given together"),
        ({"x": [1.0] * 3, "y": [1.0] * 3}, ValueError, "x has 3 values, but there are 4 bins"),
        ({"maps": {"v": {"median": np.zeros(5)}}}, ValueError, r"maps\['v'\]\['median'\] has shape \(5,\)"),
        ({"maps": {"v": np.zeros(4)}}, ValueError, "lacks 'median'"),
        ({"maps": [1]}, TypeError, "maps must be a dict"),
        ({"title": 3}, TypeError, "title"),
        ({"settings": "many"}, TypeError, "settings"),
    ],
)
def test_wrong_arguments_are_named(report, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        report(**options)
    assert not list(tmp_path.iterdir())


def test_there_must_be_something_to_report(tmp_path):
    with pytest.raises(ValueError, match="solvers is empty"):
        write_report(tmp_path / "r.html", [])
    with pytest.raises(ValueError, match="no fitted bin"):
        write_report(tmp_path / "r.html", [None, None])
    with pytest.raises(ValueError, match=r"solvers\[1\]"):
        write_report(tmp_path / "r.html", [gaussian_solver(0), veldist.KinematicSolver()], maps=some_maps(2))


@pytest.mark.parametrize(
    ("alone", "kind"),
    [
        (gaussian_solver(0), "KinematicSolver"),
        (gaussian_solver(0).fit, "Fit"),
        (iter([gaussian_solver(0)]), "list_iterator"),
        (None, "NoneType"),
    ],
)
def test_a_solver_without_a_list_is_refused(tmp_path, alone, kind):
    match = rf"solvers must be a sequence of one solver .*, got {kind}: pass a list, \[solver\] for a single"
    with pytest.raises(TypeError, match=match):
        write_report(tmp_path / "r.html", alone)
    assert not list(tmp_path.iterdir())


def test_a_report_is_replaced_unless_told_not_to(report):
    path = report()
    assert report() == path
    with pytest.raises(FileExistsError, match="overwrite=True"):
        report(overwrite=False)


def test_solvers_are_read_one_at_a_time(tmp_path):
    alive = []

    class Lazy(Sequence):
        fitted = np.ones(12, dtype=bool)

        @property
        def fits(self):
            return self

        def __len__(self):
            return 12

        def __getitem__(self, index):
            if not 0 <= index < 12:
                raise IndexError(index)
            gc.collect()
            held = sum(reference() is not None for reference in alive)
            assert held <= 1
            fit = gaussian_solver(index + 3).fit
            alive.append(weakref.ref(fit.draws["intrinsic_pdf"]))
            return fit

    write_report(tmp_path / "r.html", Lazy(), maps=some_maps(12))
    assert len(alive) == 12
