"""Exactness: the draws against brute force, more rejuvenation, double precision, other dimensions."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import kurtosis, norm

from tests.inference.brute_force import importance_sample, naive_cells_design, quantities
from veldist.inference import Blocks, Likelihood, MixturePrior, Monitor, Settings, infer
from veldist.models.losvd.design import gaussian_design_matrix
from veldist.models.losvd.frame import Frame
from veldist.models.losvd.model import LosvdModel, fit_losvd


def two_groups(rng):
    err = rng.uniform(3, 6, 60)
    return np.concatenate([rng.normal(-30, 8, 35), rng.normal(35, 8, 25)]) + rng.normal(0, err), err


def twelve_stars(rng):
    err = rng.uniform(5, 15, 12)
    return rng.normal(0, 20, 12) + rng.normal(0, err), err


def skewed(rng):
    err = rng.uniform(2, 6, 150)
    return rng.gamma(3, 8, 150) + rng.normal(0, err), err


PROBLEMS = {"12 stars": twelve_stars, "two peaks": two_groups, "skewed": skewed}
N_DRAWS = 4096


@pytest.fixture(scope="module", params=PROBLEMS)
def problem(request):
    vel, err = PROBLEMS[request.param](np.random.default_rng(42))
    fit = fit_losvd(vel, err, np.random.default_rng(1), Settings(n_draws=N_DRAWS))
    scale = fit.frame.scale
    design = naive_cells_design(fit.frame.standardise(vel), err / scale, fit.cells) / scale
    return vel, err, fit, importance_sample(fit.posterior, design, n=200_000, seed=7)


def test_moments_and_quantiles_agree_with_brute_force(problem):
    vel, err, fit, brute = problem
    assert fit.posterior.diagnostics.converged
    assert brute.ess > 10_000
    z = fit.cells.centers
    drawn, weighted = quantities(fit.posterior.cell_masses(), z), quantities(brute.masses, z)
    # Nominal Monte Carlo error of the draws at their smallest effective size, and of the weights.
    error = np.sqrt(1 / fit.posterior.diagnostics.ess_min + 1 / brute.ess)
    for name, values in drawn.items():
        reference = weighted[name]
        mean = brute.weights @ reference
        sd = np.sqrt(brute.weights @ (reference - mean) ** 2)
        # 24 comparisons in all: 3.5 standard errors are exceeded by chance in 1 % of such tests.
        assert abs(values.mean() - mean) < 3.5 * sd * error, name
        order = np.argsort(reference)
        cumulative = np.cumsum(brute.weights[order])
        for level in (0.025, 0.16, 0.5, 0.84, 0.975):
            quantile = reference[order][np.searchsorted(cumulative, level)]
            below = np.mean(values <= quantile)
            assert abs(below - level) < 4 * np.sqrt(level * (1 - level)) * error, (name, level)


def test_evidence_and_component_probabilities_agree_with_brute_force(problem):
    _, _, fit, brute = problem
    diagnostics = fit.posterior.diagnostics
    # 1300 importance draws of effective fraction 0.1-0.5: a standard error of at most 0.09.
    assert diagnostics.log_evidence == pytest.approx(brute.log_evidence, abs=0.3)
    expected = np.bincount(
        brute.component, weights=brute.weights, minlength=diagnostics.component_probability.size
    )
    visited = np.bincount(fit.posterior.component.ravel(), minlength=expected.size) / fit.posterior.n_draws
    inside = np.arange(expected.size) == brute.component[:, None]
    brute_variance = brute.weights**2 @ (inside - expected) ** 2
    error = np.sqrt(expected * (1 - expected) / diagnostics.ess_min + brute_variance)
    assert np.all(np.abs(visited - expected) < 4 * error + 2e-3)


def test_coefficients_belong_to_their_component(problem):
    _, _, fit, _ = problem
    inner = fit.posterior
    pinned = inner.prior.scales[inner.component] == 0
    mean = inner.prior.mean[inner.component]
    assert np.all(inner.coefficients[pinned] == mean[pinned].astype(np.float32))
    assert np.all(inner.coefficients[~pinned] != mean[~pinned].astype(np.float32))


def test_fifty_times_more_rejuvenation_agrees_with_the_default(problem):
    vel, err, fit, _ = problem
    longer = fit_losvd(vel, err, np.random.default_rng(2), Settings(n_draws=N_DRAWS, thin=50))
    assert longer.posterior.diagnostics.n_rounds >= 50 * N_DRAWS // Settings().n_chains
    z = fit.cells.centers
    short, long = (quantities(f.posterior.cell_masses(), z) for f in (fit, longer))
    error = np.sqrt(sum(1 / f.posterior.diagnostics.ess_min for f in (fit, longer)))
    for name in short:
        sd = long[name].std()
        assert abs(short[name].mean() - long[name].mean()) < 3.5 * sd * error, name
        # The standard deviation of n draws has a relative error of sqrt((kurtosis - 1) / 4n).
        tail = np.sqrt((kurtosis(long[name], fisher=False) - 1) / 4)
        assert short[name].std() == pytest.approx(sd, rel=4 * tail * error), name


def test_single_precision_gives_the_draws_of_double_precision(problem):
    vel, err, _, _ = problem
    draws = [
        fit_losvd(vel, err, np.random.default_rng(3), Settings(n_draws=1000, dtype=dtype)).posterior
        for dtype in ("float32", "float64")
    ]
    # The same random numbers and, but for one decision in thousands, the same decisions.
    same = draws[0].component == draws[1].component
    assert same.mean() > 0.98
    difference = np.abs(draws[0].coefficients - draws[1].coefficients).max(axis=2)
    assert np.median(difference) < 1e-4
    masses = [d.cell_masses().mean(axis=0) for d in draws]
    assert np.abs(masses[0] - masses[1]).sum() < 2e-3


def test_the_engine_knows_no_dimension():
    # Proper motions with independent errors on a grid of 12 x 12 cells; the linear part holds means,
    # dispersions and the correlation.
    rng = np.random.default_rng(8)
    edges = np.linspace(-4, 4, 13)
    center = 0.5 * (edges[1:] + edges[:-1])
    x, y = (a.ravel() for a in np.meshgrid(center, center, indexing="ij"))
    psi = np.stack([x, y, -0.5 * x**2, -0.5 * y**2, x * y], axis=1)
    prior = MixturePrior(
        mean=np.array([[0.0, 0.0, 1.0, 1.0, 0.0]]),
        scales=np.array([[1.0, 1.0, 0.5, 0.5, 1.0]]),
        log_weights=np.zeros(1),
        labels=("gaussian",),
        is_null=np.array([True]),
    )
    cov = np.array([[1.0, 0.5], [0.5, 1.0]])
    stars = rng.multivariate_normal([0, 0], cov, 400)
    err = 0.3
    stars += rng.normal(0, err, stars.shape)
    kernels = [np.diff(norm.cdf(edges[None], stars[:, [k]], err), axis=1) / np.diff(edges) for k in (0, 1)]
    design = (kernels[0][:, :, None] * kernels[1][:, None, :]).reshape(400, -1)
    blocks = Blocks(psi, np.zeros(144), prior)
    monitor = Monitor(np.stack([x, y, x * y], axis=1), ("x", "y", "xy"))
    posterior = infer(Likelihood.from_design(design, blocks.log_center), blocks, monitor, rng)
    assert posterior.diagnostics.converged
    assert np.isnan(posterior.diagnostics.log_bayes_factor)
    w = posterior.cell_masses()
    correlation = (w @ (x * y) - (w @ x) * (w @ y)) / np.sqrt(
        (w @ x**2 - (w @ x) ** 2) * (w @ y**2 - (w @ y) ** 2)
    )
    # Error of a correlation of 0.5 from 400 stars, with error bars of 0.3: about 0.045.
    assert correlation.mean() == pytest.approx(0.5, abs=0.15)
    assert 0.02 < correlation.std() < 0.08


def test_a_background_takes_the_blame_for_foreign_stars():
    rng = np.random.default_rng(4)
    vel = np.concatenate([rng.normal(0, 1, 150), rng.uniform(-6, 6, 50)])
    err = np.full(200, 0.1)
    edges = np.linspace(-8, 8, 81)
    center = 0.5 * (edges[1:] + edges[:-1])
    psi = np.stack([center, -0.5 * center**2], axis=1)
    prior = MixturePrior(
        mean=np.array([[0.0, 1.0]]),
        scales=np.array([[1.0, 0.5]]),
        log_weights=np.zeros(1),
        labels=("gaussian",),
        is_null=np.array([True]),
    )
    design = np.diff(norm.cdf(edges[None], vel[:, None], err[:, None]), axis=1) / np.diff(edges)
    blocks = Blocks(psi, np.zeros(80), prior)
    monitor = Monitor(center[:, None] ** np.array([1, 2]), ("z", "z^2"))
    alone, clean = (
        infer(Likelihood.from_design(d, blocks.log_center), blocks, monitor, np.random.default_rng(0))
        for d in (design, 0.75 * design + 0.25 / 12)
    )

    def sigma(p):
        w = p.cell_masses()
        return np.sqrt(w @ center**2 - (w @ center) ** 2)

    assert sigma(alone).mean() > 1.6
    assert sigma(clean).mean() == pytest.approx(1.0, abs=4 * sigma(clean).std())


def test_failure_to_converge_is_said_not_hidden():
    vel, err = two_groups(np.random.default_rng(0))
    strict = Settings(n_draws=200, rhat_max=1.0, ess_fraction=1.1, max_doublings=1)
    diagnostics = fit_losvd(vel, err, np.random.default_rng(0), strict).posterior.diagnostics
    assert not diagnostics.converged
    assert any("R-hat" in m for m in diagnostics.messages)
    assert any("effective sample size" in m for m in diagnostics.messages)
    assert "NOT CONVERGED" in str(diagnostics)


def test_a_broad_star_far_out_changes_nothing():
    # Its velocity is no better known than that it may be anywhere: cells that reach it are empty, and
    # points that overflow in them must not be refused.
    rng = np.random.default_rng(1)
    vel, err = rng.normal(0, 5, 100), np.ones(100)
    fits = {}
    for name, extra in {"without": None, "with": (200.0, 80.0), "and more": (9999.0, 9999.0)}.items():
        v, e = (vel, err) if extra is None else (np.append(vel, extra[0]), np.append(err, extra[1]))
        fit = fit_losvd(v, e, np.random.default_rng(2), Settings(n_draws=4000))
        assert fit.posterior.diagnostics.converged
        assert fit.posterior.diagnostics.acceptance > 0.6
        w, z = fit.posterior.cell_masses(), fit.frame.velocity(fit.cells.centers)
        fits[name] = np.sqrt(w @ z**2 - (w @ z) ** 2)
    # Quantiles of 4000 draws of effective size 2000 and more: 0.03-0.05 standard deviations.
    for name in ("with", "and more"):
        shift = np.quantile(fits[name], [0.16, 0.5, 0.84]) - np.quantile(fits["without"], [0.16, 0.5, 0.84])
        assert np.all(np.abs(shift) < 0.2 * fits["without"].std()), name


def test_hidden_cells_change_no_likelihood():
    # Cells so far out that the reference has nothing there, in single and double precision.
    rng = np.random.default_rng(3)
    edges = np.linspace(-60, 60, 241)
    center = 0.5 * (edges[1:] + edges[:-1])
    vel, err = np.append(rng.normal(0, 1, 50), 30.0), np.append(np.full(50, 0.2), 12.0)
    likelihood = Likelihood.from_design(gaussian_design_matrix(vel, err, edges), -0.5 * center**2)
    b2 = np.linspace(-0.3, 0.3, 13)
    delta = -0.5 * b2[:, None] * center**2
    exact = [
        np.sum(np.log(gaussian_design_matrix(vel, err, edges) @ softmax(-0.5 * (1 + b) * center**2)))
        for b in b2
    ]
    for dtype, tolerance in ((np.float32, 1e-3), (np.float64, 1e-9)):
        rebased = likelihood.rebase(np.zeros(240), dtype)
        assert rebased.hidden is not None
        with np.errstate(over="ignore"):
            value, gradient = rebased.value_and_gradient(delta.astype(dtype))
        assert np.allclose(value + rebased.log_reference, exact, atol=tolerance)
        assert np.all(np.isfinite(gradient))
    # Points that would fill a hidden cell are refused.
    assert rebased.log_likelihood(0.499 * center[None, :] ** 2)[0] == -np.inf


def test_a_placeholder_among_the_velocities_ends_in_time_and_says_so():
    rng = np.random.default_rng(4)
    vel = np.append(rng.normal(0, 5, 2000), -9999.0)
    fit = fit_losvd(vel, np.ones(2001), np.random.default_rng(0), Settings(n_draws=200))
    assert np.all(np.isfinite(fit.posterior.cell_masses()))
    assert not fit.posterior.diagnostics.converged or fit.posterior.diagnostics.acceptance > 0.3


def test_settings_that_cannot_be_diagnosed_are_refused():
    for bad in ({"n_groups": 1}, {"n_groups": 7}, {"n_groups": 256}):
        with pytest.raises(ValueError, match="n_groups"):
            Settings(**bad)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_steps", 2),
        ("n_steps", 0),
        ("n_proposals", 0),
        ("thin", 0),
        ("n_warmup", -1),
        ("n_draws", 0),
        ("max_doublings", -1),
        ("merge_above", -1),
        ("merge_tolerance", 0.0),
        ("merge_tolerance", float("nan")),
        ("dtype", "float16"),
    ],
)
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        Settings(**{name: value})


def test_likelihood_blocks_and_monitor_must_fit():
    model = LosvdModel.build(Frame(0.0, 1.0), 2, 0.1)
    blocks, n_cells = model.blocks, model.cells.widths.size
    rng = np.random.default_rng()
    design = model.design(np.zeros(2), np.ones(2))
    good = Likelihood.from_design(design, blocks.log_center)
    fewer = Likelihood.from_design(design[:, 1:], blocks.log_center[1:])
    with pytest.raises(
        ValueError, match=f"the likelihood has {n_cells - 1} cells, the blocks have {n_cells}"
    ):
        infer(fewer, blocks, model.monitor, rng)
    with pytest.raises(ValueError, match="the monitor has 3 cells"):
        infer(good, blocks, Monitor(np.ones((3, 1)), ("a",)), rng)
    with pytest.raises(ValueError, match=r"blocks\.log_center"):
        infer(Likelihood.from_design(design, blocks.log_base), blocks, model.monitor, rng)


def test_stars_far_from_the_centre_of_the_prior_are_fitted():
    # A frame that is not their own, as in simulations: the search for the modes starts far from them.
    rng = np.random.default_rng(0)
    vel = np.concatenate([rng.normal(-7.5, 0.5, 120), rng.normal(1.0, 0.4, 30)])
    model = LosvdModel.build(Frame(0.0, 1.0), 150, 0.1, (-9.5, 3.0))
    fit = model.fit(vel, np.full(150, 0.1), rng)
    assert fit.posterior.diagnostics.converged
    mean = fit.posterior.cell_masses() @ fit.cells.centers
    # Of the sample: 120 of 150 stars in the far peak, give or take their number's and their means' scatter.
    assert mean.mean() == pytest.approx(vel.mean(), abs=0.1)
