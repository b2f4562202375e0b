"""The rival methods of the accuracy contest do what their names say."""

import pickle

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import norm

from benchmarks.methods.base import cover_stars
from benchmarks.methods.extreme_deconvolution import ExtremeDeconvolution, Mixtures, em_step, fit_mixtures
from benchmarks.methods.gaussian import GaussianFit, gaussian_covariance
from benchmarks.methods.nuts_fixed import nuts_at_component
from benchmarks.methods.penalised_histogram import (
    PenalisedHistogram,
    maximise,
    third_differences,
    value_gradient_hessian,
)
from benchmarks.methods.random_walk_nuts import RandomWalkNuts
from veldist import simulate
from veldist.inference import Blocks, Likelihood, MixturePrior, Monitor, Settings, infer, masses
from veldist.models.losvd.design import gaussian_design_matrix
from veldist.models.losvd.frame import fit_frame
from veldist.models.losvd.model import LosvdModel

FINE = np.linspace(-120.0, 120.0, 41)
COARSE = np.linspace(-120.0, 120.0, 11)
QUICK = [GaussianFit(), ExtremeDeconvolution(n_bootstrap=10), PenalisedHistogram()]


def stars(name, n, seed=1, v=0.0):
    return simulate.observe(simulate.standard_losvds(v)[name], n, (1.0, 8.0), seed)


def mean_and_sd(draws, edges):
    """Mean and dispersion of every draw, less the bins' own variance (Sheppard)."""
    centers = 0.5 * (edges[1:] + edges[:-1])
    mean = draws @ centers
    return mean, np.sqrt(draws @ centers**2 - mean**2 - (edges[1] - edges[0]) ** 2 / 12)


@pytest.mark.parametrize("method", QUICK, ids=lambda m: m.name)
def test_contract(method):
    vel, err = stars("skew-normal", 100)
    method = pickle.loads(pickle.dumps(method))
    grids = [FINE, COARSE, np.linspace(-60.0, 90.0, 16)]
    results = method(vel, err, grids, np.random.default_rng(0))
    again = method(vel, err, grids, np.random.default_rng(0))
    for draws, repeated, edges in zip(results, again, grids, strict=True):
        assert draws.ndim == 2
        assert draws.shape[1] == edges.size - 1
        assert np.all(draws >= 0)
        np.testing.assert_allclose(draws.sum(axis=1), 1, rtol=0, atol=1e-12)
        np.testing.assert_array_equal(draws, repeated)


@pytest.mark.parametrize("method", QUICK[:2], ids=lambda m: m.name)
def test_grid_independent_methods_agree_between_grids(method):
    vel, err = stars("counter-rotating", 300)
    fine, coarse = method(vel, err, [FINE, COARSE], np.random.default_rng(0))
    np.testing.assert_allclose(fine.reshape(len(fine), -1, 4).sum(axis=2), coarse, rtol=0, atol=1e-13)


@pytest.mark.parametrize("method", QUICK, ids=lambda m: m.name)
def test_a_gaussian_is_recovered(method):
    vel, err = stars("gaussian", 1500, v=7.0)
    draws = method(vel, err, [FINE + 7.0], np.random.default_rng(0))[0]
    mean, sd = mean_and_sd(draws, FINE + 7.0)
    covariance = gaussian_covariance(vel, err, 7.0, 20.0)
    # 3.5 standard errors of an efficient estimate; six comparisons, exceeded by chance in 0.3 % of tests.
    assert abs(mean.mean() - 7.0) < 3.5 * np.sqrt(covariance[0, 0])
    assert abs(sd.mean() - 20.0) < 3.5 * np.sqrt(covariance[1, 1])
    # Ten bootstrap draws know their scatter to 24 %, a thousand to 2 %, the histogram to its smoothing.
    assert mean.std(ddof=1) == pytest.approx(np.sqrt(covariance[0, 0]), rel=0.6 if len(draws) == 10 else 0.15)


def test_gaussian_covariance_is_the_inverse_numerical_hessian():
    vel, err = stars("skew-normal", 60)
    frame = fit_frame(vel, err)
    at = np.array([frame.location, frame.scale])

    def value(p):
        return -np.sum(norm.logpdf(vel, p[0], np.hypot(p[1], err)))

    h = 1e-2 * np.eye(2)
    hessian = [
        [(value(at + a + b) - value(at + a - b) - value(at - a + b) + value(at - a - b)) / 4e-4 for b in h]
        for a in h
    ]
    np.testing.assert_allclose(gaussian_covariance(vel, err, *at), np.linalg.inv(hessian), rtol=1e-4)


def test_gaussian_of_an_unresolved_dispersion_has_expected_errors():
    # All stars equal: the likelihood is concave up in sigma nowhere near its floor.
    vel, err = np.zeros(20), np.full(20, 5.0)
    draws = GaussianFit()(vel, err, [np.linspace(-30, 30, 13)], np.random.default_rng(0))[0]
    assert np.isfinite(draws).all()
    scale = 0.1
    expected = np.diag([25.01 / 20, 25.01**2 / (2 * scale**2 * 20)])
    far = 3.0 * np.sqrt(25.01) * np.tile([-1.0, 1.0], 10)
    np.testing.assert_allclose(gaussian_covariance(far, err, 0.0, scale), expected, rtol=1e-9)


def test_a_draw_without_mass_on_the_grid_is_an_error():
    vel, err = stars("gaussian", 50)
    with pytest.raises(ValueError, match="1000 of 1000 draws have no mass on the grid"):
        GaussianFit()(vel, err, [FINE + 5000.0], np.random.default_rng(0))


def test_extreme_deconvolution_step_is_that_of_astroml():
    xdeconv = pytest.importorskip("astroML.density_estimation.xdeconv")
    vel, err = stars("counter-rotating", 80)
    start = Mixtures(
        np.array([[0.2, 0.5, 0.3], [0.6, 0.3, 0.1]]),
        np.array([[-20.0, 0.0, 30.0], [5.0, -10.0, 60.0]]),
        np.array([[30.0, 400.0, 100.0], [50.0, 10.0, 900.0]]),
    )
    counts = np.stack([np.ones(80), np.arange(80) % 3]).astype(float)
    ours, log_likelihood = em_step(start, vel, err, counts)
    for row in range(2):
        times = counts[row].astype(int)
        y, cov = np.repeat(vel, times)[:, None], np.repeat(err**2, times)[:, None, None]
        theirs = xdeconv.XDGMM(3)
        theirs.alpha, theirs.mu = start.weight[row], start.mean[row][:, None]
        theirs.V = start.variance[row][:, None, None]
        assert log_likelihood[row] == pytest.approx(theirs.logL(y, cov), rel=1e-12)
        theirs._EMstep(y, cov)
        np.testing.assert_allclose(ours.weight[row], theirs.alpha, rtol=1e-10)
        np.testing.assert_allclose(ours.mean[row], theirs.mu[:, 0], rtol=1e-10)
        np.testing.assert_allclose(ours.variance[row], theirs.V[:, 0, 0], rtol=1e-10)


def test_extreme_deconvolution_finds_two_peaks_and_only_one_in_a_gaussian():
    method = ExtremeDeconvolution()
    rng = np.random.default_rng(3)
    err = rng.uniform(1, 8, 300)
    vel = np.where(np.arange(300) < 180, -30.0, 40.0) + 8.0 * rng.standard_normal(300)
    fit = method.fit(vel + err * rng.standard_normal(300), err, rng)
    order = np.argsort(fit.mean[0])
    # Standard errors: sqrt(64 + 25) / sqrt(120) = 0.9 km/s for the means, about as much for the widths.
    np.testing.assert_allclose(fit.mean[0, order], [-30, 40], atol=3.0)
    np.testing.assert_allclose(np.sqrt(fit.variance[0]), 8.0, atol=2.5)
    np.testing.assert_allclose(fit.weight[0, order], [0.6, 0.4], atol=0.02)
    assert method.fit(*stars("gaussian", 300), rng).weight.shape == (1, 1)


def test_extreme_deconvolution_climbs_and_leaves_what_has_converged():
    vel, err = stars("two-dispersions", 200)
    start = Mixtures(np.full((3, 2), 0.5), np.array([[-9.0, 9.0]] * 3), np.array([[100.0, 400.0]] * 3))
    counts = np.random.default_rng(0).multinomial(200, np.full(200, 1 / 200), size=3).astype(float)
    alone = [fit_mixtures(start[[k]], vel, err, counts[[k]], 3000, 1e-3)[0] for k in range(3)]
    # The first is there already, and the others have to go on without it.
    start.mean[0], start.variance[0], start.weight[0] = alone[0].mean, alone[0].variance, alone[0].weight
    together, value = fit_mixtures(start, vel, err, counts, 3000, 1e-3)
    gain = value - em_step(start, vel, err, counts)[1]
    # Ten steps gain the first less than the tolerance, so that twenty at most are made.
    assert 0 <= gain[0] < 2e-3
    assert np.all(gain[1:] > 0.1)
    for k in (1, 2):
        np.testing.assert_allclose(together.mean[k], alone[k].mean[0], rtol=1e-10)


def test_grids_grow_to_reach_every_star():
    edges, inside = cover_stars(np.linspace(-10.0, 10.0, 5), np.array([-21.0, 3.0, 10.5]))
    np.testing.assert_allclose(edges, np.arange(-25.0, 16.0, 5.0))
    np.testing.assert_allclose(edges[:-1][inside], [-10, -5, 0, 5])
    edges, inside = cover_stars(FINE, np.array([0.0]))
    np.testing.assert_array_equal(edges, FINE)


def test_penalised_histogram_is_stationary_and_its_hessian_right():
    vel, err = stars("skew-normal", 40)
    edges = np.linspace(-80.0, 80.0, 13)
    design = gaussian_design_matrix(vel, err, edges)
    root = np.concatenate([third_differences(12), np.full((1, 12), 0.03)])
    counts = np.stack([np.ones(40), np.arange(40) % 4 > 0]).astype(float)
    theta = maximise(np.zeros((2, 12)), design, counts, root, tolerance=1e-10)
    value, gradient, hessian = value_gradient_hessian(theta, design, counts, root)
    assert np.abs(gradient).max() < 1e-4
    # Somewhere else, where the gradient is not zero: central differences.
    theta = theta + 0.3 * np.sin(np.arange(12))
    _, gradient, hessian = value_gradient_hessian(theta, design, counts, root)
    for j in range(12):
        step = 1e-4 * np.eye(12)[j]
        up, down = (value_gradient_hessian(theta + s * step, design, counts, root) for s in (1, -1))
        np.testing.assert_allclose((up[0] - down[0]) / 2e-4, gradient[:, j], atol=1e-5)
        np.testing.assert_allclose((down[1] - up[1]) / 2e-4, hessian[:, j], atol=1e-5)
    # The weights leave stars out.
    w = softmax(theta[1])
    left = np.sum(np.log((design @ w)[np.arange(40) % 4 > 0])) - 0.5 * np.sum((root @ theta[1]) ** 2)
    assert value_gradient_hessian(theta, design, counts, root)[0][1] == pytest.approx(left, rel=1e-12)


def test_infinitely_smooth_histogram_is_the_gaussian_fit():
    vel, err = stars("skew-normal", 200)
    edges = np.linspace(-120.0, 120.0, 81)
    theta, _, _ = PenalisedHistogram(smoothings=(1e6,)).fit(vel, err, edges, np.random.default_rng(0))
    frame = fit_frame(vel, err)
    gaussian = np.diff(norm.cdf(edges, frame.location, frame.scale))
    # Bins of 0.15 dispersions: the density at their centres and its mean over them differ by 1e-3 of it.
    np.testing.assert_allclose(softmax(theta), gaussian / gaussian.sum(), atol=2e-4)


def test_penalised_histogram_shows_two_peaks_and_leaves_wings_empty():
    vel, err = stars("counter-rotating", 1000)
    draws = PenalisedHistogram()(vel, err, [np.linspace(-300, 300, 61)], np.random.default_rng(0))[0]
    truth = simulate.standard_losvds()["counter-rotating"].bin_masses(np.linspace(-300, 300, 61))
    assert np.abs(draws.mean(axis=0) - truth).sum() < 0.2
    assert draws[:, np.abs(np.arange(60) - 29.5) > 9].sum(axis=1).max() < 1e-3


def test_random_walk_nuts_agrees_with_importance_sampling_from_the_prior():
    pytest.importorskip("numpyro")
    from numpyro.diagnostics import effective_sample_size

    method = pickle.loads(pickle.dumps(RandomWalkNuts(n_draws=1000)))
    vel, err = stars("gaussian", 12)
    edges = np.linspace(-60.0, 60.0, 6)
    (draws,) = method(vel, err, [edges], np.random.default_rng(0))
    assert draws.shape == (2000, 5)
    np.testing.assert_allclose(draws.sum(axis=1), 1, rtol=0, atol=1e-12)
    rng = np.random.default_rng(1)
    walk = np.cumsum(np.abs(rng.standard_normal((200_000, 1))) * rng.standard_normal((200_000, 4)), axis=1)
    prior = softmax(np.concatenate([np.zeros((200_000, 1)), walk], axis=1), axis=1)
    weight = softmax(np.log(prior @ gaussian_design_matrix(vel, err, edges).T).sum(axis=1))
    error_squared = effective_sample_size(draws.reshape(2, 1000, 5)) ** -1.0 + np.sum(weight**2)
    # First and second moments of five masses: 3.5 standard errors are exceeded by chance in 0.5 % of tests.
    for power in (1, 2):
        mean = weight @ prior**power
        sd = np.sqrt(weight @ prior ** (2 * power) - mean**2)
        assert np.all(np.abs(np.mean(draws**power, axis=0) - mean) < 3.5 * sd * np.sqrt(error_squared))


def test_nuts_and_engine_agree_given_one_prior_component():
    pytest.importorskip("numpyro")
    from numpyro.diagnostics import effective_sample_size

    vel, err = stars("skew-normal", 60)
    frame = fit_frame(vel, err)
    model = LosvdModel.build(frame, vel.size, float(np.median(err)) / frame.scale)
    g = int(np.argmax(model.prior.scales[:, 2:].sum(axis=1) > 2.0))
    mean, scales = model.prior.mean[g], model.prior.scales[g].copy()
    assert scales[2:].sum() > 2.0
    # One pinned coefficient, as the components of a mixture may have.
    scales[-1] = 0.0
    one = MixturePrior(mean[None], scales[None], np.zeros(1), ("one",), np.array([False]))
    log_base = model.cells.log_base
    # Moments and masses of half-dispersion bins.
    functionals = np.concatenate(
        [
            model.cells.moments(4)[:, 1:],
            model.cells.overlap(np.linspace(-3.0, 3.0, 13)),
        ],
        axis=1,
    )
    names = tuple(str(k) for k in range(functionals.shape[1]))
    design = model.design(vel, err)
    settings = Settings(n_draws=4096)
    blocks = Blocks(model.psi, log_base, one)
    likelihood = Likelihood.from_design(design, blocks.log_center)
    ours = infer(likelihood, blocks, Monitor(functionals, names), np.random.default_rng(0), settings)
    assert ours.diagnostics.converged
    a = masses(ours.coefficients.reshape(-1, mean.size), model.psi, log_base) @ functionals
    b = nuts_at_component(design, model.psi, log_base, mean, scales, 1, 400, 800, 2) @ functionals
    # The last of ours is that of the component, of which there is one.
    ess_a, ess_b = ours.diagnostics.ess[:-1], effective_sample_size(b)
    b = b.reshape(-1, b.shape[-1])
    assert ess_b.min() > 200
    # Monte Carlo error of the difference from both effective sizes; 32 correlated comparisons, so that
    # 4 standard errors are exceeded by chance in 0.2 % of such tests at most.
    difference = (a.mean(axis=0) - b.mean(axis=0)) / np.sqrt(a.var(axis=0) / ess_a + b.var(axis=0) / ess_b)
    assert np.abs(difference).max() < 4.0
    # The log of a Gaussian's sample variance has variance 2 / n; heavier tails than that: (kurtosis - 1) / n.
    centred = (b - b.mean(axis=0)) / b.std(axis=0)
    spread = np.sqrt((np.mean(centred**4, axis=0) - 1) * (1 / ess_a + 1 / ess_b))
    assert np.all(np.abs(np.log(a.var(axis=0) / b.var(axis=0))) < 4.0 * spread)
