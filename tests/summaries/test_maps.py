"""Everything that a map shows, against the functions that make it one LOSVD at a time."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import QTable
from scipy import stats

from tests.helpers.solvers import made_solver
from veldist import KinematicSolver, fit_all_bins, simulate
from veldist.analysis import (
    compute_percentile_summary,
    compute_summary,
    compute_summary_maps,
    modality,
    summary_table,
)
from veldist.fits.grid import VelocityGrid
from veldist.summaries.columns import CORRELATIONS, MAP_COLUMNS, MEMBERS, MOMENT_OF, PEAKS, hermite_names
from veldist.summaries.gauss_hermite.series_fit import gauss_hermite
from veldist.summaries.scalars import METRICS


def fitted(losvd, n, seed, num_samples=300):
    vel, err = simulate.observe(losvd, n, (3.0, 8.0), np.random.default_rng(seed))
    solver = KinematicSolver()
    solver.setup_grid(center=0.0, width=260.0, n_bins=52)
    solver.add_data(vel, err)
    solver.run(num_samples=num_samples, seed=seed)
    return solver


@pytest.fixture(scope="module")
def solvers():
    two = simulate.Mixture([(0.6, simulate.Gaussian(-40.0, 14.0)), (0.4, simulate.Gaussian(40.0, 12.0))])
    return [fitted(simulate.Gaussian(5.0, 20.0), 80, 1), None, fitted(two, 400, 2)]


@pytest.fixture(scope="module")
def maps(solvers):
    return compute_summary_maps(solvers)


def reported(solver):
    return solver.samples["intrinsic_pdf"], solver.grid["centers"], solver.grid["edges"]


def test_every_map_has_a_name_a_unit_and_a_value_per_bin(maps):
    assert list(maps) == [n for n in MAP_COLUMNS if n not in ("h5", "h6", *MEMBERS)]
    for name, entry in maps.items():
        for values in entry.values():
            assert values.shape == (3,)
        assert np.isnan(entry["median"][1])
        assert np.isnan(entry["uncertainty"][1])
        assert ("prior_ratio" in entry) == (name in METRICS)
        assert ("prior_dominated" in entry) == (name in METRICS or name in MOMENT_OF)


def test_maps_hold_what_the_functions_of_one_losvd_give(solvers, maps):
    for i in (0, 2):
        pdf, centers, edges = reported(solvers[i])
        expected = compute_summary(pdf, centers)
        expected["bimodality_score"] = (
            float(expected["bimodality_score"]),
            maps["bimodality_score"]["uncertainty"][i],
        )
        expected |= {k: v for k, v in compute_percentile_summary(pdf, centers).items() if k not in expected}
        fit = gauss_hermite(pdf, edges)
        series = dict(zip(("v", "sigma"), ("gh_v", "gh_sigma"), strict=True))
        expected |= {series.get(k, k): v for k, v in fit.summary().items()}
        peaks = modality(pdf, centers)
        pairs = [pair for k in (0, 1) for pair in (peaks.peak_v[k], peaks.peak_mass[k])]
        expected |= dict(zip(PEAKS, pairs, strict=True))
        outside = np.percentile(solvers[i].samples["outside_grid"], [16, 50, 84])
        expected["outside_grid"] = (outside[1], 0.5 * (outside[2] - outside[0]))
        for name, (median, uncertainty) in expected.items():
            # In 99 of 100 cases medians and half-widths of series are within 0.01 of the exact uncertainty.
            near = (0.01, 0.01) if name in hermite_names(4) else (0.0, 0.0)
            found = maps[name]["median"][i], maps[name]["uncertainty"][i]
            for value, exact, share in zip(found, (median, uncertainty), near, strict=True):
                atol = 1e-12 + share * uncertainty
                np.testing.assert_allclose(value, exact, rtol=1e-9, atol=atol, err_msg=name)
        n = min(len(pdf), solvers[i].diagnostics.ess_min)
        assert maps["p_multimodal"]["median"][i] == peaks.p_multimodal
        p = (n * peaks.p_multimodal + 0.5) / (n + 1.0)
        assert maps["p_multimodal"]["uncertainty"][i] == pytest.approx(np.sqrt(p * (1 - p) / n))
        assert maps["gh_converged"]["median"][i] == fit.converged.mean()
        assert maps["log_bayes_factor"]["median"][i] == solvers[i].diagnostics.log_bayes_factor
        assert np.isnan(maps["log_bayes_factor"]["uncertainty"][i])


def test_correlations_are_those_of_the_converged_draws(solvers, maps):
    pdf, _, edges = reported(solvers[0])
    fit = gauss_hermite(pdf, edges)
    draws = dict(zip(hermite_names(4), (fit.v, fit.sigma, *fit.h.T), strict=True))
    assert len(CORRELATIONS) == 6
    for name, (a, b) in CORRELATIONS.items():
        r = np.corrcoef(draws[a][fit.converged], draws[b][fit.converged])[0, 1]
        # Of parameters that are off by 0.004 of their uncertainty at most.
        assert maps[name]["median"][0] == pytest.approx(r, abs=0.008)
        n = fit.converged.sum() * min(1.0, solvers[0].diagnostics.ess_min / len(pdf))
        assert maps[name]["uncertainty"][0] == pytest.approx((1 - r**2) / np.sqrt(n - 1), rel=0.01)


def test_the_evidence_and_the_modes_tell_a_gaussian_from_two_streams(maps):
    assert maps["log_bayes_factor"]["median"][0] < 1.0
    assert maps["log_bayes_factor"]["median"][2] > 3.0
    assert maps["p_multimodal"]["median"][0] < 0.1
    assert maps["p_multimodal"]["median"][2] > 0.9
    assert maps["peak1_v"]["median"][2] < maps["peak2_v"]["median"][2]
    assert np.isnan(maps["peak1_v"]["median"][0])


def test_relatives_of_a_moment_share_its_flag(maps):
    for name, moment in MOMENT_OF.items():
        np.testing.assert_array_equal(maps[name]["prior_dominated"], maps[moment]["prior_dominated"])


def test_the_order_of_the_series_can_be_chosen(solvers):
    assert {"h5", "h6"} <= set(compute_summary_maps(solvers, order=6))
    third = compute_summary_maps(solvers, order=3)
    assert "h3" in third
    assert not {"h4", "corr_v_h4"} & set(third)
    without = compute_summary_maps(solvers, order=None)
    assert not {"gh_v", "h3", "gh_converged", "corr_v_sigma"} & set(without)
    assert "sigma_percentile" in without
    for order in (2, 7):
        with pytest.raises(ValueError, match="order must be"):
            compute_summary_maps(solvers, order=order)


def test_bins_do_not_touch_each_other(solvers, maps):
    """In processes or not, alone or together, backwards or forwards."""
    alone = compute_summary_maps(solvers[2:])
    many = compute_summary_maps((solvers * 7)[::-1], n_jobs=2)
    for name in maps:
        for key in maps[name]:
            np.testing.assert_array_equal(maps[name][key][2], alone[name][key][0])
            np.testing.assert_array_equal(np.tile(maps[name][key], 7)[::-1], many[name][key])


def test_workers_read_what_is_on_disk(tmp_path):
    rng = np.random.default_rng(3)
    data = [{"vel": rng.normal(0, 10, 30), "err": np.full(30, 2.0)} for _ in range(4)]
    grid = {"center": 0.0, "width": 120.0, "n_bins": 30}
    run = {"num_samples": 60, "seed": 1}
    stored = fit_all_bins(data, grid, run, store=tmp_path / "map", n_jobs=1, progress=False)
    # A part of it, whose bins are not those of the same places in the store.
    expected = compute_summary_maps(list(stored)[1:], n_jobs=1)
    found = compute_summary_maps(stored[1:], n_jobs=2)
    for name in expected:
        for key in expected[name]:
            np.testing.assert_array_equal(found[name][key], expected[name][key])


def test_the_first_bin_that_fails_is_named(solvers):
    broken = bare(np.full((5, 4), 0.3), np.linspace(-40.0, 40.0, 5))
    for n_jobs in (1, 2):
        with pytest.raises(ValueError, match=r"solvers\[2\]"):
            compute_summary_maps([solvers[0], None, broken, broken], n_jobs=n_jobs)


def test_the_table_has_all_maps_and_survives_a_file(solvers, maps, tmp_path):
    metadata = {"bins": [{"xbin": x, "ybin": 2.0} for x in (1.0, np.nan, 3.0)]}
    table = summary_table(solvers, metadata, maps=maps)
    table.write(tmp_path / "summary.ecsv")
    back = QTable.read(tmp_path / "summary.ecsv")
    np.testing.assert_array_equal(back["x"].to_value("arcsec"), [1.0, np.nan, 3.0])
    for name in maps:
        assert name in back.colnames
        values = getattr(back[name], "value", back[name])
        np.testing.assert_array_equal(np.asarray(values, dtype=float), maps[name]["median"])
        assert back[name].info.description
        assert (f"{name}_unc" in back.colnames) == (name != "log_bayes_factor")
    with pytest.raises(ValueError, match="both given"):
        summary_table(solvers, metadata, x=[0, 1, 2], y=[0, 1, 2])
    with pytest.raises(ValueError, match="bins has 1 entries"):
        summary_table(solvers, {"bins": metadata["bins"][:1]})


def bare(masses, edges):
    """A solver that holds draws and little else."""
    return made_solver(VelocityGrid(edges, float(np.ptp(edges))), 9, draws={"intrinsic_pdf": masses})


def test_fits_that_did_not_converge_do_not_count():
    """On a grid of as few bins as parameters none converges, and nothing is said."""
    edges = np.linspace(-50.0, 50.0, 5)
    masses = np.diff(stats.norm.cdf(edges, np.linspace(-2, 2, 50)[:, None], 400.0), axis=1)
    maps = compute_summary_maps([bare(masses / masses.sum(axis=1, keepdims=True), edges)])
    assert maps["gh_converged"]["median"][0] == 0.0
    for name in (*hermite_names(4), *CORRELATIONS):
        assert np.isnan(maps[name]["median"][0]), name
    assert np.isfinite(maps["sigma"]["median"][0])


def test_values_and_correlations_are_of_the_same_draws():
    """Two narrow streams, whose series often has no proper minimum."""
    streams = simulate.Mixture([(0.5, simulate.Gaussian(-45.0, 12.0)), (0.5, simulate.Gaussian(45.0, 12.0))])
    solver = fitted(streams, 200, 2, num_samples=500)
    maps, fit = compute_summary_maps([solver]), gauss_hermite(*reported(solver)[::2])
    assert 0.05 < fit.converged.mean() < 1.0
    for name, exact in (("gh_v", fit.v), ("h3", fit.h[:, 0])):
        near = 0.01 * maps[name]["uncertainty"][0]
        np.testing.assert_allclose(maps[name]["median"][0], np.median(exact[fit.converged]), atol=near)


@pytest.mark.parametrize("n_draws", [1, 2])
def test_a_draw_or_two_will_do(n_draws):
    edges = np.linspace(-60.0, 60.0, 25)
    masses = np.diff(stats.norm.cdf(edges, np.arange(n_draws)[:, None], 15.0), axis=1)
    maps = compute_summary_maps([bare(masses / masses.sum(axis=1, keepdims=True), edges)])
    assert maps["sigma"]["median"][0] == pytest.approx(15.0, rel=1e-2)


def test_what_is_no_list_of_solvers_is_refused(solvers):
    for function in (compute_summary_maps, summary_table):
        with pytest.raises(TypeError, match=r"pass a list, \[solver\] for a single one"):
            function(solvers[0])
        with pytest.raises(TypeError, match="generator"):
            function(s for s in solvers)
    assert np.isnan(compute_summary_maps([None])["h3"]["median"]).all()


def test_maps_of_the_users_own_are_in_the_table(solvers, maps):
    own = {"chi2": {"median": [1.0, np.nan, 2.0]}}
    table = summary_table(
        solvers, maps={name: {k: list(v) for k, v in m.items()} for name, m in maps.items()} | own
    )
    np.testing.assert_array_equal(table["chi2"], [1.0, np.nan, 2.0])
    assert "chi2_unc" not in table.colnames
    with pytest.raises(ValueError, match=r"maps\['chi2'\]\['median'\] has shape \(1,\)"):
        summary_table(solvers, maps=maps | {"chi2": {"median": [1.0]}})
