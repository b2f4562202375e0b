"""Summaries of posterior draws against analytic distributions, invariances, maps and tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from astropy.table import QTable
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from scipy.special import ndtr, owens_t

from tests.helpers.quick import quick_solver
from tests.helpers.solvers import made_solver
from veldist import GridWarning, KinematicSolver, analysis, gauss_hermite
from veldist.analysis import (
    METRICS,
    compute_percentile_summary,
    compute_summary,
    compute_summary_maps,
    summary_draws,
    summary_table,
)
from veldist.fits.grid import VelocityGrid

VELOCITY_METRICS = ("v_mean", "v_median", "v_asymmetry", "sigma", "iqr", "sigma_iqr")

GAUSSIAN = stats.norm(7.0, 20.0)


class SkewNormal:
    """Skew-normal of shape 4, location -25 and scale 33; its CDF by Owen's T, since SciPy's integrates."""

    shape, loc, scale = 4.0, -25.0, 33.0
    frozen = stats.skewnorm(shape, loc, scale)
    pdf, stats = frozen.pdf, frozen.stats

    def cdf(self, v):
        z = (v - self.loc) / self.scale
        return ndtr(z) - 2.0 * owens_t(z, self.shape)


class Mixture:
    """0.6 N(-30, 12) + 0.4 N(50, 15)."""

    parts = ((0.6, -30.0, 12.0), (0.4, 50.0, 15.0))

    def cdf(self, v):
        return sum(w * stats.norm.cdf(v, m, s) for w, m, s in self.parts)

    def pdf(self, v):
        return sum(w * stats.norm.pdf(v, m, s) for w, m, s in self.parts)

    def stats(self, moments):
        mean = sum(w * m for w, m, _ in self.parts)
        d = [(w, m - mean, s) for w, m, s in self.parts]
        second = sum(w * (m**2 + s**2) for w, m, s in d)
        third = sum(w * (m**3 + 3 * m * s**2) for w, m, s in d)
        fourth = sum(w * (m**4 + 6 * m**2 * s**2 + 3 * s**4) for w, m, s in d)
        return mean, second, third / second**1.5, fourth / second**2 - 3.0


SKEW = SkewNormal()


def grid(dv, center=0.0, half=300.0):
    """Centres of bins of width dv over at least center +- half."""
    n = int(np.ceil(half / dv))
    return center + dv * (np.arange(2 * n) - n + 0.5)


def masses(distribution, centers):
    """One row of bin masses."""
    dv = centers[1] - centers[0]
    cdf = distribution.cdf(np.append(centers - dv / 2, centers[-1] + dv / 2))
    # Differences of Owen's T can be negative by rounding.
    return np.maximum(np.diff(cdf), 0.0)[None, :]


def solver(pdf, centers, n_stars=9):
    dv = centers[1] - centers[0]
    edges = np.append(centers - dv / 2, centers[-1] + dv / 2)
    return made_solver(VelocityGrid(edges, edges[-1] - edges[0]), n_stars, draws={"intrinsic_pdf": pdf})


@pytest.mark.parametrize(
    "distribution", [GAUSSIAN, SKEW, Mixture()], ids=["gaussian", "skew-normal", "mixture"]
)
@pytest.mark.parametrize("dv", [0.5, 4.0, 9.0])
def test_moments_of_binned_distributions_are_those_of_the_distributions(distribution, dv):
    """What Sheppard's corrections leave is of order exp(-2 pi^2 s^2 / dv^2), s the narrowest scale.

    That is below 1e-12 for the Gaussian and the mixture; the skew-normal's steep side has
    s = 33 / sqrt(1 + 4^2) = 8 km/s, and exp(-2 pi^2 8^2 / 9^2) = 2e-7.
    """
    centers = grid(dv)
    mean, variance, skewness, kurtosis = (float(m) for m in distribution.stats(moments="mvsk"))
    draws = summary_draws(masses(distribution, centers), centers)
    assert draws["v_mean"][0] == pytest.approx(mean, abs=1e-5)
    assert draws["sigma"][0] == pytest.approx(np.sqrt(variance), rel=1e-5)
    assert draws["skewness"][0] == pytest.approx(skewness, abs=1e-5)
    assert draws["kurtosis"][0] == pytest.approx(kurtosis, abs=1e-5)


@pytest.mark.parametrize(
    "distribution", [GAUSSIAN, SKEW, Mixture()], ids=["gaussian", "skew-normal", "mixture"]
)
@pytest.mark.parametrize("dv", [0.5, 4.0, 9.0])
def test_percentiles_are_within_one_percent_of_a_bin(distribution, dv):
    """All scales of these but the skew-normal's steep side (8 km/s) are wider than the bins."""
    centers = grid(dv)
    draws = summary_draws(masses(distribution, centers), centers)
    fine = np.linspace(-300.0, 300.0, 120001)
    q25, q50, q75 = np.interp([0.25, 0.5, 0.75], distribution.cdf(fine), fine)
    assert draws["v_median"][0] == pytest.approx(q50, abs=0.01 * dv)
    assert draws["iqr"][0] == pytest.approx(q75 - q25, abs=0.02 * dv)
    assert draws["sigma_iqr"][0] == draws["iqr"][0] / (2 * stats.norm.ppf(0.75))
    assert draws["v_asymmetry"][0] == draws["v_mean"][0] - draws["v_median"][0]


def test_percentile_summaries_of_one_losvd_and_of_a_map(solvers):
    maps = compute_summary_maps(solvers)
    for i in (0, 2):
        pdf, centers = solvers[i].samples["intrinsic_pdf"], solvers[i].grid["centers"]
        summary = compute_percentile_summary(pdf, centers)
        assert summary["v_median"] == pytest.approx(compute_summary(pdf, centers)["v_median"], abs=1e-9)
        assert tuple(summary) == ("v_median", "sigma_percentile", "bowley_skewness", "moors_kurtosis")
        for name, expected in summary.items():
            entry = maps[name]
            assert (entry["median"][i], entry["uncertainty"][i]) == expected
            assert np.isnan(entry["median"][1])
            assert np.isnan(entry["uncertainty"][1])
    # Draws are Gaussians of dispersion 20 in bins of a quarter of that, with means that scatter by 2 km/s.
    assert maps["sigma_percentile"]["median"][0] == pytest.approx(20.0, rel=1e-5)
    assert maps["bowley_skewness"]["median"][0] == pytest.approx(0.0, abs=1e-5)
    assert maps["moors_kurtosis"]["median"][0] == pytest.approx(0.0, abs=1e-5)
    with pytest.raises(ValueError, match="solvers is empty"):
        compute_summary_maps([])
    with pytest.raises(ValueError, match="densities per km/s"):
        compute_percentile_summary(masses(GAUSSIAN, grid(10.0)) / 10.0, grid(10.0))


def test_gaussian_reference_values():
    centers = grid(0.5)
    draws = {k: v[0] for k, v in summary_draws(masses(GAUSSIAN, centers), centers).items()}
    assert draws["tail_weight"] == pytest.approx(2 * stats.norm.sf(1.0), abs=1e-4)
    assert draws["sigma_iqr"] == pytest.approx(20.0, rel=1e-4)
    assert draws["v_asymmetry"] == pytest.approx(0.0, abs=1e-9)
    assert draws["kurtosis"] == pytest.approx(0.0, abs=1e-3)
    assert draws["bimodality_score"] == 1


def test_signs_follow_the_longer_tail():
    centers = grid(2.0)
    draws = summary_draws(np.concatenate([masses(SKEW, centers), masses(SKEW, centers)[:, ::-1]]), centers)
    assert draws["skewness"][0] > 0.5
    assert draws["v_asymmetry"][0] > 1.0
    assert draws["skewness"][1] == pytest.approx(-draws["skewness"][0])
    # Heavy tails: a Student t has more than 3 in kurtosis, and less mass beyond its (larger) sigma.
    heavy = summary_draws(masses(stats.t(5.0, scale=15.0), grid(1.0, half=2000.0)), grid(1.0, half=2000.0))
    assert heavy["kurtosis"][0] > 3.0
    assert heavy["tail_weight"][0] < 0.3


@given(
    arrays(float, st.tuples(st.integers(1, 4), st.integers(2, 20)), elements=st.floats(0.01, 1.0)),
    st.floats(-500.0, 500.0),
    st.floats(0.1, 10.0),
)
def test_shift_scale_and_reversal(values, shift, scale):
    pdf = values / values.sum(axis=1, keepdims=True)
    centers = np.arange(values.shape[1], dtype=float)
    reference = summary_draws(pdf, centers)
    moved = summary_draws(pdf, shift + scale * centers)
    mirrored = summary_draws(pdf[:, ::-1], -centers[::-1])
    for metric in METRICS:
        expected = reference[metric] * (scale if metric in VELOCITY_METRICS else 1.0)
        offset = shift if metric in ("v_mean", "v_median") else 0.0
        np.testing.assert_allclose(moved[metric], expected + offset, rtol=1e-8, atol=1e-8)
        if metric != "bimodality_score":  # see test_modality: ties between equally deep valleys
            sign = -1.0 if metric in ("v_mean", "v_median", "v_asymmetry", "skewness") else 1.0
            np.testing.assert_allclose(mirrored[metric], sign * reference[metric], rtol=1e-8, atol=1e-8)


def test_summary_is_median_and_half_of_the_68_percent_range():
    centers = grid(4.0)
    rng = np.random.default_rng(5)
    pdf = np.concatenate([masses(stats.norm(m, s), centers) for m, s in rng.normal([0, 20], 2, (300, 2))])
    summary, draws = compute_summary(pdf, centers), summary_draws(pdf, centers)
    assert tuple(summary) == METRICS == tuple(draws)
    for metric in METRICS[:-1]:
        low, high = np.percentile(draws[metric], [16.0, 84.0])
        assert summary[metric] == pytest.approx((np.median(draws[metric]), (high - low) / 2))
        assert all(type(value) is float for value in summary[metric])
    assert draws["v_mean"].shape == (300,)
    # Means scatter by 2 km/s. The relative error of that over 300 draws is 1 / sqrt(600) = 4 %, about 1.5
    # times as much from percentiles: 25 % is four standard errors.
    assert summary["v_mean"][1] == pytest.approx(2.0, rel=0.25)


@pytest.mark.parametrize(("distribution", "score"), [(GAUSSIAN, 1), (SKEW, 1), (Mixture(), 2)])
def test_bimodality_score_is_an_int(distribution, score):
    centers = grid(4.0)
    pdf = np.repeat(masses(distribution, centers), 5, axis=0)
    value = compute_summary(pdf, centers)["bimodality_score"]
    assert type(value) is int
    assert value == score


def test_units_and_number_types_are_converted():
    centers = grid(4.0)
    pdf = masses(SKEW, centers)
    expected = compute_summary(pdf, centers)
    for other in (centers * u.km / u.s, (centers * 1000.0) * u.m / u.s):
        got = compute_summary(pdf, other)
        assert got["sigma"] == pytest.approx(expected["sigma"])
    single = compute_summary(pdf.astype(np.float32), centers.astype(np.float32))
    assert single["sigma"][0] == pytest.approx(expected["sigma"][0], rel=1e-5)
    # What little is missing from 1 is divided out: it must not pull the mean towards 0.
    assert compute_summary(pdf * 0.9995, centers)["v_mean"][0] == pytest.approx(expected["v_mean"][0])


def bad_value(value):
    pdf = masses(GAUSSIAN, grid(10.0)).repeat(4, axis=0)
    pdf[2, 30] = value
    return pdf


@pytest.mark.parametrize(
    ("pdf", "centers", "message"),
    [
        (masses(GAUSSIAN, grid(10.0)) / 10.0, grid(10.0), "densities per km/s, not masses: multiply"),
        (
            masses(GAUSSIAN, grid(10.0)) * 0.9,
            grid(10.0),
            r"do not sum to 1, 1 of 1 values \(row 0: 0\.9.*divide",
        ),
        (bad_value(np.nan), grid(10.0), r"NaN or infinite masses in 1 of 4 values \(row 2\)"),
        (bad_value(np.inf), grid(10.0), r"NaN or infinite masses in 1 of 4 values \(row 2\)"),
        (bad_value(-0.1), grid(10.0), r"negative masses in 1 of 4 values \(row 2\)"),
        (masses(GAUSSIAN, grid(10.0))[0], grid(10.0), r"shape \(60,\).*pdf\[None, :\]"),
        (np.empty((0, 60)), grid(10.0), "at least one draw"),
        (masses(GAUSSIAN, grid(10.0)), grid(12.0), r"shape \(1, 60\).*n_bins = 50"),
        (masses(GAUSSIAN, grid(10.0)), grid(10.0)[::-1], "ascending, got 295.0 to -295.0.*reverse"),
        (masses(GAUSSIAN, grid(10.0)), 1e-4 * grid(10.0) ** 3, "must be uniform, but its steps range"),
        (masses(GAUSSIAN, grid(10.0)), np.where(grid(10.0) == 5.0, np.nan, grid(10.0)), "must be uniform"),
        (np.ones((1, 1)), [3.0], "at least two bins"),
    ],
)
def test_bad_arguments_are_named(pdf, centers, message):
    with pytest.raises(ValueError, match=message):
        compute_summary(pdf, centers)
    with pytest.raises(ValueError, match=message):
        summary_draws(pdf, centers)


def test_text_is_not_a_probability():
    with pytest.raises(TypeError, match=r"pdf_samples must hold real numbers"):
        compute_summary(np.array([["a", "b"]]), [0.0, 1.0])


@pytest.fixture(name="solvers")
def some_solvers():
    centers = grid(5.0)
    rng = np.random.default_rng(8)

    def draws(mean):
        return np.concatenate([masses(stats.norm(mean + m, 20.0), centers) for m in rng.normal(0, 2, 50)])

    return [solver(draws(-10.0), centers, n_stars=40), None, solver(draws(15.0), centers, n_stars=70)]


def test_maps_hold_the_summary_of_every_bin(solvers):
    maps = compute_summary_maps(solvers)
    assert tuple(maps)[: len(METRICS)] == METRICS
    for i in (0, 2):
        summary = compute_summary(solvers[i].samples["intrinsic_pdf"], solvers[i].grid["centers"])
        for metric in METRICS[:-1]:
            assert (maps[metric]["median"][i], maps[metric]["uncertainty"][i]) == summary[metric]
        assert maps["bimodality_score"]["median"][i] == summary["bimodality_score"]
        assert maps["bimodality_score"]["uncertainty"][i] == 0.0
    for entry in (maps[metric] for metric in METRICS):
        assert set(entry) == {"median", "uncertainty", "prior_ratio", "prior_dominated"}
        assert all(array.shape == (3,) for array in entry.values())
        for key in ("median", "uncertainty"):
            np.testing.assert_array_equal(np.isnan(entry[key]), [False, True, False])
        # These solvers hold no posterior, and so no prior.
        assert np.isnan(entry["prior_ratio"]).all()
        assert entry["prior_dominated"].dtype == bool
        assert not entry["prior_dominated"].any()


def test_map_of_the_score_is_not_the_median_over_draws():
    # A clump that wanders over both flanks: two modes in most draws, one that the posterior supports.
    centers = grid(5.0, half=100.0)
    where = np.concatenate([np.linspace(30.0, 70.0, 50), np.linspace(-70.0, -30.0, 50)])
    body, clumps = (
        masses(stats.norm(0.0, 25.0), centers),
        [masses(stats.norm(v, 4.0), centers) for v in where],
    )
    pdf = np.concatenate([0.85 * body + 0.15 * clump for clump in clumps])
    pdf /= pdf.sum(axis=1, keepdims=True)
    score = compute_summary_maps([solver(pdf, centers)])["bimodality_score"]
    assert np.median(summary_draws(pdf, centers)["bimodality_score"]) == 2
    assert score["median"] == compute_summary(pdf, centers)["bimodality_score"] == 1


def test_maps_of_skipped_bins_only(solvers):
    assert np.isnan(compute_summary_maps([None, None])["sigma"]["median"]).all()
    with pytest.raises(ValueError, match="solvers is empty"):
        compute_summary_maps([])


def test_maps_name_the_solver_that_is_at_fault(solvers):
    fit = solvers[2].fit
    solvers[2] = replace(fit, draws={"intrinsic_pdf": fit.draws["intrinsic_pdf"] / 5.0})
    with pytest.raises(
        ValueError, match=r"solvers\[2\]\.samples\['intrinsic_pdf'\].*multiply by the bin width"
    ):
        compute_summary_maps(solvers)
    for samples in (None, {}, {"other": 1}):
        solvers[2] = replace(fit, draws=samples)
        with pytest.raises(ValueError, match=r"solvers\[2\] has no samples.*run\(\)"):
            compute_summary_maps(solvers)


@pytest.mark.parametrize("suffix", ["ecsv", "fits"])
def test_table_survives_writing_and_reading(solvers, tmp_path, suffix):
    # The last holds draws and no diagnostics.
    solvers = [quick_solver(40), None, solvers[2]]
    table = summary_table(solvers, x=[1.0, 2.0, 3.0], y=np.array([0.0, 1.0, 0.0]) * u.arcmin)
    assert table.colnames[:4] == ["bin_id", "x", "y", "n_stars"]
    assert table.colnames[-2:] == ["log_bayes_factor", "converged"]
    maps = compute_summary_maps(solvers)
    table.write(tmp_path / f"summary.{suffix}")
    back = QTable.read(tmp_path / f"summary.{suffix}")
    assert back.colnames == table.colnames
    for metric in METRICS:
        unit = u.km / u.s if metric in VELOCITY_METRICS else u.dimensionless_unscaled
        for name, key in ((metric, "median"), (f"{metric}_unc", "uncertainty")):
            assert u.Quantity(back[name]).unit == unit
            np.testing.assert_array_equal(u.Quantity(back[name]).to_value(unit), maps[metric][key])
            assert back[name].info.description == table[name].info.description != ""
    np.testing.assert_array_equal(back["bin_id"], [1, 2, 3])
    np.testing.assert_allclose(back["y"].to_value("arcsec"), [0.0, 60.0, 0.0])
    np.testing.assert_array_equal(back["n_stars"], [40.0, np.nan, 70.0])
    evidence = solvers[0].diagnostics.log_bayes_factor
    np.testing.assert_array_equal(back["log_bayes_factor"], [evidence, np.nan, np.nan])
    np.testing.assert_array_equal(np.asarray(back["converged"], dtype=bool), [True, False, False])


def test_table_without_positions_and_diagnostics(solvers):
    table = summary_table(solvers)
    assert not {"x", "y", "log_bayes_factor", "converged"} & set(table.colnames)
    assert len(table) == 3


def test_table_refuses_wrong_positions(solvers):
    with pytest.raises(ValueError, match="x and y must be given together"):
        summary_table(solvers, x=[1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="y has 2 values, but there are 3 bins"):
        summary_table(solvers, x=[1.0, 2.0, 3.0], y=[1.0, 2.0])
    # The one in the middle is skipped, and may be nowhere.
    assert np.isnan(summary_table(solvers, x=[1.0, np.nan, 3.0], y=[1.0, 2.0, 3.0])["x"][1])
    with pytest.raises(ValueError, match=r"'x' is NaN or infinite in 1 of 3 bins \(2\)"):
        summary_table(solvers, x=[1.0, 2.0, np.nan], y=[1.0, 2.0, 3.0])


def test_bins_wider_than_the_dispersion_are_warned_about():
    narrow = masses(stats.norm(2.0, 7.0), grid(10.0))
    with pytest.warns(GridWarning, match=r"the velocity bins are wider .* 10 against 7 km/s"):
        compute_summary(narrow, grid(10.0))
    cases = [solver(narrow, grid(10.0)), None, solver(masses(GAUSSIAN, grid(10.0)), grid(10.0))]
    with pytest.warns(GridWarning, match=r"of 1 of 3 solvers \(0\)") as caught:
        compute_summary_maps(cases)
    assert len(caught) == 1


def test_maps_do_not_depend_on_the_velocity_grid():
    """A 7 km/s LOSVD on 600 km/s in 60 bins has the summaries that it has on a fitted grid."""
    rng = np.random.default_rng(3)
    fits = {}
    for name, grid_kwargs in {"wide": (0.0, 600.0, 60), "fitted": (0.0, 120.0, 60)}.items():
        fits[name] = KinematicSolver()
        fits[name].setup_grid(*grid_kwargs)
        if name == "wide":
            vel, err = rng.normal(0, 7.0, 150) + rng.normal(0, 2.0, 150), np.full(150, 2.0)
        fits[name].add_data(vel, err)
        fits[name].run(num_samples=500)
    maps = {name: compute_summary_maps([solver]) for name, solver in fits.items()}
    for metric in METRICS:
        wide, fitted = (maps[name][metric]["median"][0] for name in ("wide", "fitted"))
        # The same draws: what differs is the interpolation, in bins of a quarter of the dispersion.
        scale = maps["fitted"][metric]["uncertainty"][0]
        assert wide == pytest.approx(fitted, abs=0.15 * scale + 1e-3), metric
    with pytest.warns(GridWarning, match="rough"):
        compute_summary(fits["wide"].samples["intrinsic_pdf"], fits["wide"].grid["centers"])


@pytest.mark.parametrize("suffix", ["ecsv", "fits"])
def test_the_table_says_what_the_prior_dominates(tmp_path, suffix):
    rng = np.random.default_rng(3)
    fit = KinematicSolver()
    fit.setup_grid(0.0, 120.0, 40)
    fit.add_data(rng.normal(0, 10.0, 30), np.full(30, 2.0))
    fit.run(num_samples=200)
    table, maps = summary_table([fit, None]), compute_summary_maps([fit, None])
    table.write(tmp_path / f"summary.{suffix}")
    back = QTable.read(tmp_path / f"summary.{suffix}")
    for metric in METRICS[:-1]:
        ratio, dominated = f"{metric}_prior_ratio", f"{metric}_prior_dominated"
        np.testing.assert_array_equal(np.asarray(back[ratio], dtype=float), maps[metric]["prior_ratio"])
        np.testing.assert_array_equal(
            np.asarray(back[dominated], dtype=bool), maps[metric]["prior_dominated"]
        )
        assert back[ratio].info.description == f"{metric}_unc over that of the prior"
        assert "outweighs the data" in back[dominated].info.description
    assert list(table["kurtosis_prior_dominated"]) == [True, False]
    assert list(table["v_mean_prior_dominated"]) == [False, False]
    assert not any(name.startswith("bimodality_score_prior") for name in table.colnames)
    # Maps that were made by hand need not know.
    plain = {name: {k: m[k] for k in ("median", "uncertainty")} for name, m in maps.items()}
    assert not [n for n in summary_table([fit, None], maps=plain).colnames if "_prior_" in n]


def test_the_table_takes_maps_that_are_at_hand():
    cases = [solver(masses(GAUSSIAN, grid(4.0)), grid(4.0), n_stars=5), None]
    maps = compute_summary_maps(cases)
    maps["sigma"]["median"][0] = 123.0
    assert summary_table(cases, maps=maps)["sigma"][0].value == 123.0
    with pytest.raises(ValueError, match=r"has shape \(2,\), but there are 1 solvers"):
        summary_table(cases[:1], maps=maps)
    with pytest.raises(ValueError, match=r"maps lacks \['sigma'\]"):
        summary_table(cases, maps={k: v for k, v in maps.items() if k != "sigma"})


def test_gauss_hermite_series_have_two_addresses():
    for name in gauss_hermite.__all__:
        assert getattr(gauss_hermite, name) is getattr(analysis, name)
        assert name in analysis.__all__
