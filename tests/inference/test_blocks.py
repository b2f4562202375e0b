"""Several populations in one softmax, and rows of negative weight: against quadrature and brute force."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from scipy.special import betaln, log_softmax, logsumexp, softmax
from scipy.stats import beta, norm

from tests.inference.brute_force import importance_sample, naive_cells_design, naive_design, quantities
from veldist.inference import Blocks, Likelihood, MixturePrior, Monitor, Settings, infer
from veldist.inference.laplace import find_modes
from veldist.models.losvd import Frame, LosvdModel

EDGES = np.linspace(-6.0, 6.0, 31)
CENTERS = 0.5 * (EDGES[1:] + EDGES[:-1])
N_DRAWS = 4096


def gaussian_prior(mean, scales, weights=(1.0,)):
    n = len(weights)
    labels = tuple(f"component {k}" for k in range(n))
    return MixturePrior(np.array(mean), np.array(scales), np.log(weights), labels, np.arange(n) == 0)


def population(mean, scales, weights=(1.0,)):
    """Cells of a population whose log-density is quadratic, with moments and nothing else to monitor."""
    psi = np.stack([CENTERS, -0.5 * CENTERS**2], axis=1)
    blocks = Blocks(psi, np.log(np.diff(EDGES)), gaussian_prior(mean, scales, weights))
    return blocks, Monitor(CENTERS[:, None] ** np.array([1, 2]), ("z", "z^2"))


def mixed_stars(rng, n):
    """Members around 0.5, contaminants around -1 and broad, probabilities of membership, and densities."""
    foreign = rng.random(n) < 0.4
    err = rng.uniform(0.1, 0.4, n)
    z = np.where(foreign, rng.normal(-1.0, 3.0, n), rng.normal(0.5, 0.8, n)) + rng.normal(0, err)
    p = np.where(foreign, rng.beta(2, 3, n), rng.beta(3, 2, n))
    return z, err, p, norm.pdf(z, -1.0, np.hypot(3.0, err))


def membership_rows(design, p, density):
    """Rows of members' cells and contaminants', and the same without the velocity, of weight -1."""
    n, k = design.shape
    p = p[:, None]
    with_velocity = np.concatenate([p * design, (1 - p) * density[:, None]], axis=1)
    without = np.concatenate([np.repeat(p, k, axis=1), 1 - p], axis=1)
    return np.concatenate([with_velocity, without]), np.repeat([1.0, -1.0], n)


def known_contaminants():
    """Two components of the members' prior, one contaminant of known density, membership probabilities."""
    members, moments = population([[0.0, 1.0], [0.0, 1.5]], [[1.0, 0.4], [0.5, 0.3]], (0.7, 0.3))
    blocks = members.beside(Blocks.fixed(np.zeros(1)), log_odds=0.3, scale=1.5)
    z, err, p, density = mixed_stars(np.random.default_rng(1), 40)
    design, weight = membership_rows(naive_design(z, err, EDGES), p, density)
    monitor = Monitor.of_blocks(blocks, [moments, None], [None, "share"])
    return blocks, design, weight, monitor, [(-0.5, 2.5), (0.2, 3.2), (-5.0, 5.0)]


def two_populations():
    """Two populations with a coefficient each, the width of the one and the location of the other."""
    first, moments = population([[0.6, 1.5]], [[0.0, 0.5]])
    second, _ = population([[-1.0, 0.2]], [[0.5, 0.0]])
    blocks = first.beside(second, log_odds=-0.5, scale=1.0)
    z, err, _, _ = mixed_stars(np.random.default_rng(2), 60)
    design = naive_design(z, err, EDGES)
    monitor = Monitor.of_blocks(blocks, [moments, moments], [None, "share"])
    # A coefficient that is pinned has a single point.
    axes = [(0.6, 0.6), (0.1, 4.0), (-3.0, 1.0), (0.2, 0.2), (-10.0, 2.0)]
    return blocks, np.concatenate([design, design], axis=1), np.ones(60), monitor, axes


@cache
def quadrature(problem, n=41):
    """Masses (points, K) on a grid of coefficients, their posterior weights, and the log evidence."""
    blocks, design, weight, _, axes = problem()
    grids = [np.linspace(a, b, n) if a < b else np.array([a]) for a, b in axes]
    points = np.array(list(product(*grids)))
    free = np.array([grid.size > 1 for grid in grids])
    prior = blocks.prior
    log_prior = logsumexp(
        [
            log_weight + norm.logpdf(points[:, free], mean[free], scales[free]).sum(axis=1)
            for log_weight, mean, scales in zip(prior.log_weights, prior.mean, prior.scales, strict=True)
        ],
        axis=0,
    )
    masses = softmax(points @ blocks.psi.T + blocks.log_base, axis=1)
    log_posterior = log_prior.copy()
    for part in np.array_split(np.arange(points.shape[0]), 20):
        log_posterior[part] += np.log(masses[part] @ design.T) @ weight
    total = logsumexp(log_posterior)
    step = sum(np.log(grid[1] - grid[0]) for grid in grids if grid.size > 1)
    return masses, np.exp(log_posterior - total), float(total + step)


def scalars(masses, cells):
    """Share of the last block, mean and dispersion of the first, from masses of all."""
    inside = masses[:, cells[0]]
    shape = inside / inside.sum(axis=1, keepdims=True)
    mean = shape @ CENTERS
    return {
        "share": masses[:, cells[-1]].sum(axis=1),
        "mean": mean,
        "sigma": np.sqrt(shape @ CENTERS**2 - mean**2),
    }


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("problem", [known_contaminants, two_populations])
def test_shares_and_moments_agree_with_quadrature(problem, dtype):
    blocks, design, weight, monitor, _ = problem()
    likelihood = Likelihood.from_design(design, blocks.log_center, weight)
    settings = Settings(n_draws=N_DRAWS, dtype=dtype)
    posterior = infer(likelihood, blocks, monitor, np.random.default_rng(3), settings)
    diagnostics = posterior.diagnostics
    assert diagnostics.converged
    masses, weights, log_evidence = quadrature(problem)
    assert diagnostics.log_evidence == pytest.approx(log_evidence, abs=0.1)
    drawn, exact = scalars(posterior.cell_masses(), blocks.cells), scalars(masses, blocks.cells)
    error = np.sqrt(1 / diagnostics.ess_min)
    for name, values in drawn.items():
        mean = weights @ exact[name]
        sd = np.sqrt(weights @ (exact[name] - mean) ** 2)
        # 12 comparisons of means: 3.5 standard errors are exceeded by chance in 0.6 % of such tests.
        assert abs(values.mean() - mean) < 3.5 * sd * error, name
        tail = weights @ ((exact[name] - mean) / sd) ** 4
        assert values.std() == pytest.approx(sd, rel=4 * np.sqrt((tail - 1) / 4) * error), name


def test_members_among_contaminants_agree_with_brute_force():
    # The line of sight's own prior, with all its components, and membership probabilities.
    z, err, p, density = mixed_stars(np.random.default_rng(5), 80)
    model = LosvdModel.build(Frame(0.5, 0.8), 45, 0.3, (-9.0, 8.0))
    scale = model.frame.scale
    blocks = model.blocks.beside(Blocks.fixed(np.zeros(1)), log_odds=-0.3, scale=1.5)
    monitor = Monitor.of_blocks(blocks, [model.monitor, None], [None, "share"])
    exact, weight = membership_rows(model.design(z, err), p, density)
    likelihood = Likelihood.from_design(exact, blocks.log_center, weight)
    posterior = infer(likelihood, blocks, monitor, np.random.default_rng(6), Settings(n_draws=N_DRAWS))
    diagnostics = posterior.diagnostics
    assert diagnostics.converged
    assert diagnostics.quantities[-2:] == ("share", "prior scale")
    naive = naive_cells_design(model.frame.standardise(z), err / scale, model.cells) / scale
    naive, _ = membership_rows(naive, p, density)
    brute = importance_sample(posterior, naive, n=100_000, seed=7, weight=weight)
    assert brute.ess > 3000
    assert diagnostics.log_evidence == pytest.approx(brute.log_evidence, abs=0.3)

    def all_of(masses):
        share = masses[:, -1]
        members = masses[:, :-1] / (1 - share)[:, None]
        return {"share": share} | quantities(members, model.cells.centers)

    error = np.sqrt(1 / diagnostics.ess_min + 1 / brute.ess)
    weighted = all_of(brute.masses)
    for name, values in all_of(posterior.cell_masses()).items():
        mean = brute.weights @ weighted[name]
        sd = np.sqrt(brute.weights @ (weighted[name] - mean) ** 2)
        # 9 comparisons: 3.5 standard errors are exceeded by chance in 0.4 % of such tests.
        assert abs(values.mean() - mean) < 3.5 * sd * error, name


def test_rows_may_hold_a_prior_of_the_share():
    # Fractions of a star in one block and in the other make the share's prior a beta distribution, whatever
    # the shape, as far as the coefficient itself is free.
    members, _ = population([[0.0, 1.0]], [[1.0, 0.4]])
    blocks = members.beside(Blocks.fixed(np.zeros(1)), log_odds=0.0, scale=30.0)
    design = np.zeros((2, blocks.log_base.size))
    for row, cells in zip(design, blocks.cells, strict=True):
        row[cells] = 1.0
    alpha = np.array([2.5, 1.5])
    likelihood = Likelihood.from_design(design, blocks.log_center, alpha)
    monitor = Monitor.of_blocks(blocks, [None, None], [None, "share"])
    posterior = infer(likelihood, blocks, monitor, np.random.default_rng(0), Settings(n_draws=N_DRAWS))
    assert posterior.diagnostics.converged
    share, right = posterior.cell_masses()[:, -1], beta(*alpha[::-1])
    for level in (0.1, 0.5, 0.9):
        sd = np.sqrt(level * (1 - level) / posterior.diagnostics.ess_min)
        assert np.mean(share < right.ppf(level)) == pytest.approx(level, abs=4 * sd)
    # Flat in the log odds over some 30: the density of the coefficient's prior is next to constant.
    expected = betaln(*alpha) - np.log(30.0 * np.sqrt(2 * np.pi))
    assert posterior.diagnostics.log_evidence == pytest.approx(expected, abs=0.1)


def test_populations_stand_beside_each_other():
    first, _ = population([[0.0, 1.0], [0.5, 2.0]], [[1.0, 0.4], [0.5, 0.3]], (0.7, 0.3))
    second, _ = population([[-1.0, 0.2], [1.0, 0.3], [0.0, 0.5]], [[0.5, 0.1]] * 3, (0.5, 0.25, 0.25))
    third = Blocks.fixed(np.log([1.0, 3.0]))
    blocks = first.beside(second, 0.4, 1.5).beside(third, -2.0, 0.0)
    assert blocks.sizes == (30, 30, 2)
    assert blocks.cells == (slice(0, 30), slice(30, 60), slice(60, 62))
    assert blocks.psi.shape == (62, 6)
    assert np.array_equal(blocks.psi[:30, :2], first.psi)
    assert np.array_equal(blocks.psi[30:60, 2:4], second.psi)
    zero = blocks.psi.copy()
    zero[:30, :2] = zero[30:60, 2:5] = zero[60:, 5] = 0.0
    assert not zero.any()
    assert np.all(blocks.psi[30:60, 4] == 1.0)
    assert np.all(blocks.psi[60:, 5] == 1.0)
    prior = blocks.prior
    assert prior.n_components == 6
    assert np.all(prior.scales[:, [4, 5]] == [1.5, 0.0])
    assert np.allclose(np.exp(prior.log_weights).reshape(2, 3), np.outer([0.7, 0.3], [0.5, 0.25, 0.25]))
    assert prior.labels[:2] == ("component 0; component 0", "component 0; component 1")
    assert prior.is_null.tolist() == [True] * 3 + [False] * 3
    # In the middle of every component the odds against the first are what was asked for.
    log_mass = log_softmax(prior.mean @ blocks.psi.T + blocks.log_base, axis=1)
    totals = np.stack([logsumexp(log_mass[:, cells], axis=1) for cells in blocks.cells])
    assert np.allclose(totals[1:] - totals[0], [[0.4], [-2.0]])
    assert np.allclose(log_mass[:, 61] - log_mass[:, 60], np.log(3.0))


def test_blocks_that_do_not_fit_their_prior_are_refused():
    prior = gaussian_prior([[0.0, 1.0]], [[1.0, 1.0]])
    for psi, log_base, sizes in (
        (np.zeros((3, 1)), np.zeros(3), ()),
        (np.zeros((3, 2)), np.zeros(4), ()),
        (np.zeros((3, 2)), np.zeros(3), (1, 1)),
    ):
        with pytest.raises(ValueError, match="psi of shape"):
            Blocks(psi, log_base, prior, sizes)


def test_monitor_renormalises_each_block():
    first, moments = population([[0.0, 1.0]], [[1.0, 0.4]])
    blocks = first.beside(first, 0.0, 1.0).beside(Blocks.fixed(np.zeros(1)), 0.0, 1.0)
    monitor = Monitor.of_blocks(blocks, [moments, moments, None], [None, "second", "third"])
    assert monitor.names == ("z", "z^2", "z", "z^2", "second", "third")
    masses = np.random.default_rng(0).dirichlet(np.ones(61), 5)
    a, b, c = masses[:, :30], masses[:, 30:60], masses[:, 60]
    expected = [shape / shape.sum(axis=1, keepdims=True) @ CENTERS**k for shape in (a, b) for k in (1, 2)] + [
        b.sum(axis=1),
        c,
    ]
    assert np.allclose(monitor(masses), np.stack(expected, axis=1))
    # The whole of a single block needs no division.
    assert np.array_equal(moments(a), a @ moments.functionals)


def test_a_monitor_needs_names_and_totals_of_its_functionals():
    with pytest.raises(ValueError, match="1 names for 2 functionals"):
        Monitor(np.ones((3, 2)), ("a",))
    with pytest.raises(ValueError, match="totals"):
        Monitor(np.ones((3, 2)), ("a", "b"), np.ones((3, 1)))


@pytest.mark.parametrize("seed", range(8))
def test_modes_are_maxima_where_hessians_are_indefinite(seed):
    # Few members, membership that is hardly known: far from the modes the Hessian has directions of both
    # signs.
    z, err, p, density = mixed_stars(np.random.default_rng(seed), 60)
    model = LosvdModel.build(Frame(0.0, 2.0), 60, 0.1, (-6.0, 6.0))
    blocks = model.blocks.beside(Blocks.fixed(np.zeros(1)), log_odds=0.0, scale=1.5)
    design, weight = membership_rows(model.design(z, err), np.clip(p, 0.4, 0.6), density)
    likelihood = Likelihood.from_design(design, blocks.log_center, weight)
    prior, psi = blocks.prior, blocks.psi
    # A step that overflows is refused by the damping.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        modes = find_modes(likelihood, psi, prior, tolerance=1e-5)
    assert np.all(modes.converged)
    rng = np.random.default_rng(seed)
    around = modes.x[:, None] + np.einsum(
        "gij,gkj->gki", modes.whitener, 0.1 * rng.standard_normal((prior.n_components, 20, psi.shape[1]))
    )

    def log_posterior(x):
        delta = (prior.mean - prior.center + prior.scales * x) @ psi.T
        return likelihood.log_likelihood(delta) - 0.5 * np.sum(x**2, axis=1)

    top = log_posterior(modes.x)
    assert all(np.all(log_posterior(around[:, k]) < top) for k in range(20))
