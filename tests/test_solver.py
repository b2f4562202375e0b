import warnings

import astropy.units as u
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from veldist import (
    ContaminationWarning,
    ConvergenceWarning,
    GridWarning,
    KinematicSolver,
    OrderError,
    OutlierWarning,
    simulate,
)
from veldist.inference import Settings


def stars(n=100, sigma=10.0, err=3.0, seed=0, v=0.0):
    return simulate.observe(simulate.Gaussian(v, sigma), n, err, np.random.default_rng(seed))


def solve(vel, err, center=0.0, width=80.0, n_bins=40, **kwargs):
    solver = KinematicSolver()
    solver.setup_grid(center=center, width=width, n_bins=n_bins)
    solver.add_data(vel=vel, err=err)
    solver.run(**{"num_samples": 400} | kwargs)
    return solver


@pytest.fixture(scope="module")
def solved():
    return solve(*stars())


def test_samples_are_masses_on_the_grid(solved):
    pdf = solved.samples["intrinsic_pdf"]
    assert pdf.shape == (400, 40)
    assert np.all(pdf >= 0)
    assert np.allclose(pdf.sum(axis=1), 1.0, atol=1e-12)
    assert solved.samples["outside_grid"].shape == (400,)
    assert set(solved.grid) == {"centers", "edges", "width", "n_bins", "bin_width"}
    assert solved.grid["bin_width"] == 2.0
    assert np.allclose(np.diff(solved.grid["edges"]), 2.0)
    assert solved.grid["edges"][[0, -1]] == pytest.approx([-40, 40])
    assert solved.n_stars == 100


def test_run_returns_the_number_of_draws_asked_for():
    vel, err = stars(30)
    for n in (1, 7, 100, 257, 1000):
        assert solve(vel, err, num_samples=n).samples["intrinsic_pdf"].shape == (n, 40)


def test_the_same_seed_gives_the_same_bits(solved):
    again, other = solve(*stars()), solve(*stars(), seed=1)
    assert np.array_equal(solved.samples["intrinsic_pdf"], again.samples["intrinsic_pdf"])
    assert not np.array_equal(solved.samples["intrinsic_pdf"], other.samples["intrinsic_pdf"])


def test_diagnostics_tell_what_the_data_say(solved):
    d = solved.diagnostics
    assert d.converged
    assert d.ess_min > 100
    assert 1 <= d.rhat_max < 1.05
    assert len(d.component_labels) == d.component_probability.size == d.component_log_evidence.size
    assert d.component_probability.sum() == pytest.approx(1.0)
    assert "log Bayes factor" in repr(solved)
    # A clearly bimodal sample is not Gaussian, and says so.
    rng = np.random.default_rng(1)
    vel = np.concatenate([rng.normal(-20, 4, 60), rng.normal(20, 4, 60)])
    assert solve(vel, 2.0, width=120.0).diagnostics.log_bayes_factor > 10
    assert d.log_bayes_factor < 2


def test_a_new_grid_reports_the_same_posterior():
    solver = solve(*stars())
    fine = solver.samples["intrinsic_pdf"]
    solver.setup_grid(center=0.0, width=80.0, n_bins=10)
    assert np.allclose(solver.samples["intrinsic_pdf"], fine.reshape(400, 10, 4).sum(axis=2), atol=1e-12)
    # Five times as wide, bins in the same places: the same masses, to what lies outside the first grid.
    solver.setup_grid(center=0.0, width=400.0, n_bins=200)
    wide = solver.samples["intrinsic_pdf"][:, 80:120]
    outside = 1 - wide.sum(axis=1, keepdims=True)
    assert np.allclose(wide, fine * (1 - outside), atol=1e-12)


def test_a_narrow_losvd_on_a_wide_grid_is_the_one_on_a_fitted_grid():
    # 7 km/s on 600 km/s in 60 bins, and on the union of the wide grid's six central bins.
    vel, err = stars(150, sigma=7.0, err=2.0)
    wide = solve(vel, err, width=600.0, n_bins=60, num_samples=1000)
    fitted = solve(vel, err, width=60.0, n_bins=60, num_samples=1000, seed=5)
    a = wide.samples["intrinsic_pdf"][:, 27:33]
    b = fitted.samples["intrinsic_pdf"].reshape(1000, 6, 10).sum(axis=2)
    error = np.sqrt(sum(1 / s.diagnostics.ess_min for s in (wide, fitted)))
    assert np.all(np.abs(a.mean(axis=0) - b.mean(axis=0)) < 4 * error * b.std(axis=0) + 1e-6)
    assert np.all(wide.samples["intrinsic_pdf"].mean(axis=0)[:26] < 1e-3)


def moments(solver):
    pdf, v = solver.samples["intrinsic_pdf"], solver.grid["centers"]
    mean = pdf @ v
    third = np.sum(pdf * (v[None] - mean[:, None]) ** 3, axis=1)
    return np.stack([mean, np.sqrt(pdf @ v**2 - mean**2), np.cbrt(third)], axis=1)


@pytest.fixture(scope="module")
def skewed():
    vel, err = simulate.observe(
        simulate.SkewNormal(5.0, 12.0, 4.0), 200, (1.0, 4.0), np.random.default_rng(6)
    )
    return vel, err, solve(vel, err, width=160.0, num_samples=2000)


@pytest.mark.parametrize(
    ("name", "shift", "factor"),
    [("shift", 700.0, 1.0), ("scale", 0.0, 25.0), ("reversal", 0.0, -1.0), ("all", -90.0, -0.01)],
)
def test_shift_scale_and_reversal_act_on_the_posterior(skewed, name, shift, factor):
    vel, err, base = skewed
    moved = solve(
        shift + factor * vel, abs(factor) * err, center=shift, width=160.0 * abs(factor), num_samples=2000
    )
    expected = moments(base) * factor
    expected[:, 0] += shift
    expected[:, 1] = np.abs(expected[:, 1])
    if factor > 0:
        # Nothing but rounding distinguishes the problems, and the random numbers are the same.
        assert np.allclose(
            np.median(moments(moved), axis=0), np.median(expected, axis=0), rtol=2e-3, atol=2e-3 * factor
        )
    error = np.sqrt(sum(1 / s.diagnostics.ess_min for s in (base, moved)))
    difference = moments(moved).mean(axis=0) - expected.mean(axis=0)
    assert np.all(np.abs(difference) < 4 * error * expected.std(axis=0))


def test_the_order_of_the_stars_does_not_matter(skewed):
    vel, err, base = skewed
    order = np.random.default_rng(0).permutation(vel.size)
    moved = solve(vel[order], err[order], width=160.0, num_samples=2000)
    # The sums are rounded differently: a few decisions of the sampler may differ, the posterior not.
    error = np.sqrt(2 / base.diagnostics.ess_min)
    difference = np.abs(moments(moved).mean(axis=0) - moments(base).mean(axis=0))
    assert np.all(difference < 0.5 * error * moments(base).std(axis=0))


def test_quantities_are_converted():
    vel, err = stars()
    solver = KinematicSolver()
    solver.setup_grid(center=0 * u.m / u.s, width=8e4 * u.m / u.s, n_bins=40)
    solver.add_data(vel * 1e3 * u.m / u.s, err * u.km / u.s)
    solver.run(num_samples=400)
    assert np.allclose(
        solver.samples["intrinsic_pdf"].mean(axis=0),
        solve(vel, err).samples["intrinsic_pdf"].mean(axis=0),
        atol=1e-3,
    )
    with pytest.raises(ValueError, match=r"vel has unit 'pc'.*km/s"):
        solver.add_data(vel * u.pc, err)
    with pytest.raises(ValueError, match="width has unit 's'"):
        solver.setup_grid(0, 80 * u.s, 40)


def test_other_containers_are_taken():
    vel, err = stars(40)
    expected = solve(vel, err).samples["intrinsic_pdf"]
    series = pd.Series(vel, index=np.arange(40) + 7)
    for container in (list(vel), tuple(vel), series, [v * u.km / u.s for v in vel]):
        assert np.array_equal(solve(container, list(err)).samples["intrinsic_pdf"], expected)
    missing = pd.Series(vel, dtype="Float64")
    missing[5] = pd.NA
    for bad in (missing, series.where(series.index != 12)):
        with pytest.raises(ValueError, match=r"vel has 1 of 40 values \(row 5"):
            solve(bad, err)


def with_value(array, rows, value):
    out = np.array(array, dtype=float)
    out[rows] = value
    return out


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda v, e: (with_value(v, [3, 8], np.nan), e), ValueError, r"vel has 2 of 100 values \(rows 3, 8"),
        (
            lambda v, e: (with_value(v, [0], np.inf), e),
            ValueError,
            r"vel has 1 of 100 values \(row 0.*infinite",
        ),
        (lambda v, e: (v, with_value(e, [5], np.nan)), ValueError, r"err has 1 of 100 values \(row 5"),
        (lambda v, e: (v, with_value(e, [5, 6], 0)), ValueError, r"err has 2 of 100 .*not positive"),
        (lambda v, e: (v, with_value(e, [99], -1)), ValueError, r"err has 1 of 100 values \(row 99: -1.0\)"),
        (lambda v, e: (v, e[:-1]), ValueError, "vel has 100 values but err has 99"),
        (lambda v, e: (v[:0], e[:0]), ValueError, "vel is empty"),
        (lambda v, e: (v.reshape(10, 10), e), ValueError, r"one-dimensional, got shape \(10, 10\)"),
        (lambda v, e: (v + 1e4, e), ValueError, r"all 100 stars lie outside the grid \[-40, 40\]"),
        (lambda v, e: (["a"] * 100, e), TypeError, "vel must hold real numbers"),
        (lambda v, e: (np.array([str(x) for x in v], object), e), TypeError, "vel must hold real numbers"),
        (lambda v, e: (None, e), TypeError, "vel is None"),
        (lambda v, e: (v, None), TypeError, "err is None"),
        (lambda v, e: (v + 1j, e), TypeError, "vel must hold real numbers"),
        (lambda v, e: (np.ma.masked_where(v > 5, v), e), ValueError, "masked"),
    ],
)
def test_bad_stars_are_named(change, error, message):
    solver = KinematicSolver()
    solver.setup_grid(0.0, 80.0, 40)
    with pytest.raises(error, match=message):
        solver.add_data(*change(*stars()))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((0.0, 0.0, 40), ValueError, "width must be positive"),
        ((0.0, -5.0, 40), ValueError, "width must be positive"),
        ((np.nan, 80.0, 40), ValueError, "center must be finite"),
        ((0.0, 80.0, 2), ValueError, "n_bins must be at least 3"),
        ((0.0, 80.0, 40.0), TypeError, "n_bins must be an integer"),
        ((0.0, 80.0, True), TypeError, "n_bins must be an integer"),
        (("0", 80.0, 40), TypeError, "center must be a single number"),
    ],
)
def test_bad_grids_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        KinematicSolver().setup_grid(*arguments)


def test_bad_run_arguments_are_refused():
    solver = solve(*stars())
    with pytest.raises(ValueError, match="num_samples must be at least 1"):
        solver.run(num_samples=0)
    with pytest.raises(TypeError, match="seed must be an integer"):
        solver.run(seed=1.5)


def test_methods_out_of_order_say_what_is_missing():
    solver = KinematicSolver()
    for call, missing in (
        (lambda: solver.add_data([1.0], [1.0]), "setup_grid"),
        (solver.run, "add_data"),
        (solver.clip_uncertainties, r"run\(\)"),
        (solver.truncate_losvd, r"run\(\)"),
        (solver.plot_result, r"run\(\)"),
        (solver.to_arviz, r"run\(\)"),
    ):
        with pytest.raises(OrderError, match=missing):
            call()
    assert issubclass(OrderError, ValueError)


def test_stars_and_mass_outside_the_grid_are_told():
    vel, err = stars(200)
    outside = np.sum(np.abs(vel) > 10)
    with pytest.warns(GridWarning) as caught:
        solver = solve(vel, err, width=20.0)
    texts = [str(w.message) for w in caught]
    assert f"{outside} of 200 values" in texts[0]
    assert "of the LOSVD lies outside the grid" in texts[1]
    # One sigma on each side.
    assert np.median(solver.samples["outside_grid"]) == pytest.approx(0.317, abs=0.12)


def test_a_grid_that_the_losvd_misses_is_refused():
    vel, err = stars(60)
    solver = KinematicSolver()
    solver.setup_grid(center=300.0, width=20.0, n_bins=5)
    with pytest.warns(GridWarning):
        solver.add_data(np.append(vel, 300.0), np.append(err, 250.0))
    with pytest.raises(ValueError, match=r"next to no mass on the grid \[290, 310\]"):
        solver.run(num_samples=50)


@pytest.mark.parametrize("n", [20, 200])
def test_far_outliers_are_told_in_small_samples_too(n):
    vel, err = stars(n)
    vel[7] = 300.0
    with pytest.warns(OutlierWarning, match=rf"1 of {n} values \(row 7: 300.0\)"):
        solve(vel, err, width=800.0)


def test_stars_with_large_errors_are_no_outliers():
    # Errors up to three dispersions: a star ten dispersions out is then nothing special.
    rng = np.random.default_rng(0)
    vel, err = simulate.observe(simulate.Gaussian(0, 3), 150, (1.0, 10.0), rng)
    solve(vel, err)


def test_failure_to_converge_warns():
    with pytest.warns(ConvergenceWarning, match="have not converged"):
        solver = solve(*stars(), settings=Settings(rhat_max=0.5, max_doublings=0))
    assert not solver.diagnostics.converged


@pytest.mark.parametrize(
    ("vel", "err"),
    [
        ([3.0], [1.0]),
        ([3.0, 3.0, 3.0], [0.1, 0.1, 0.1]),
        (np.zeros(50), np.full(50, 1e-8)),
        (np.linspace(-30, 30, 40), np.full(40, 1e-3)),
        (np.linspace(-30, 30, 40), np.full(40, 300.0)),
        (np.repeat([-30.0, 30.0], 50), np.full(100, 0.5)),
    ],
    ids=["one star", "equal stars", "no spread at all", "tiny errors", "huge errors", "two spikes"],
)
def test_degenerate_samples_give_finite_answers(vel, err):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GridWarning)
        # Two spikes are two populations.
        warnings.simplefilter("ignore", ContaminationWarning)
        solver = solve(vel, err, num_samples=200)
    assert np.all(np.isfinite(solver.samples["intrinsic_pdf"]))
    assert solver.diagnostics.converged


def test_clipping_floors_the_uncertainty(solved):
    low, median, high = np.percentile(solved.samples["intrinsic_pdf"], [16, 50, 84], axis=0)
    clipped = solved.clip_uncertainties(floor_fraction=0.0, abs_floor=1e-300)
    assert np.allclose(clipped["losvd_median"], median)
    assert np.allclose(clipped["losvd_uncertainty"], (high - low) / 2)
    clipped = solved.clip_uncertainties(floor_fraction=0.05)
    floor = 0.05 * median.max()
    assert clipped["losvd_uncertainty"].min() == pytest.approx(floor)
    assert np.array_equal(clipped["floored"], (high - low) / 2 < floor)
    assert clipped.keys() == solved.clipped_samples.keys()
    assert all(values is solved.clipped_samples[name] for name, values in clipped.items())
    for bad in ({"floor_fraction": -1}, {"abs_floor": 0.0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            solved.clip_uncertainties(**bad)


def test_truncation_empties_the_wings_and_keeps_the_total(solved):
    before = solved.clip_uncertainties()
    after = solved.truncate_losvd(n_sigma=1.5, abs_floor=1e-9)
    v = solved.grid["centers"]
    w = before["losvd_median"] / before["losvd_median"].sum()
    mean = w @ v
    inside = np.abs(v - mean) <= 1.5 * np.sqrt(w @ (v - mean) ** 2)
    assert np.all(after["losvd_median"][~inside] == 1e-9)
    assert after["losvd_median"][inside].sum() == pytest.approx(before["losvd_median"].sum())
    assert np.allclose(after["losvd_uncertainty"][~inside], before["losvd_uncertainty"][~inside])
    ratio = after["losvd_median"][inside] / before["losvd_median"][inside]
    assert np.allclose(after["losvd_uncertainty"][inside], ratio * before["losvd_uncertainty"][inside])
    with pytest.raises(ValueError, match="n_sigma"):
        solved.truncate_losvd(n_sigma=0)
    with pytest.raises(ValueError, match="would empty all"):
        solved.truncate_losvd(n_sigma=1e-6)


def test_plot_result_takes_axes_and_truth(solved):
    _, ax = plt.subplots()
    assert solved.plot_result(ax=ax, true_intrinsic=simulate.Gaussian(0, 10)) is ax
    assert solved.plot_result(true_intrinsic=stars()[0]) is not ax


def test_draws_go_to_arviz_labelled(solved):
    tree = solved.to_arviz()
    pdf = tree["posterior"]["intrinsic_pdf"]
    assert pdf.dims == ("chain", "draw", "velocity")
    assert np.allclose(pdf.velocity, solved.grid["centers"])
    draws = pdf.values.reshape(-1, 40)
    assert draws.shape[0] >= 400
    # The same draws in another order.
    for row in solved.samples["intrinsic_pdf"][::50]:
        assert np.min(np.abs(draws - row).max(axis=1)) < 1e-12
    # A group is one independent run: their means scatter like those of independent draws.
    assert pdf.sizes["chain"] == solved.posterior.posterior.n_groups
    assert pdf.velocity.attrs["units"] == "km/s"
