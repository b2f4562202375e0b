import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

from veldist.inference import Likelihood, laplace
from veldist.inference.laplace import find_modes
from veldist.inference.newton import newton
from veldist.models.losvd.basis import losvd_basis, losvd_prior
from veldist.models.losvd.cells import make_cells
from veldist.models.losvd.design import design_matrix
from veldist.models.losvd.resolution import ResolutionRule


def build(vel, err):
    resolution = ResolutionRule()(vel.size, float(np.median(err)))
    cells = make_cells(vel.min(), vel.max(), resolution.cell_width)
    psi, prior = losvd_basis(cells, resolution.n_functions), losvd_prior(resolution)
    design = design_matrix(vel, err, cells)
    log_base = cells.log_base
    return design, log_base, psi, prior, Likelihood.from_design(design, psi @ prior.center + log_base)


SAMPLES = {
    "gaussian": np.random.default_rng(0).normal(0, 1, 80),
    "two peaks": np.random.default_rng(1).normal(np.repeat([-1.2, 1.2], 60), 0.25),
    # No star of N is farther than sqrt(N) dispersions from their mean.
    "one far outlier": np.append(np.random.default_rng(2).normal(0, 1, 40), 6.4),
    "two stars": np.array([-1.0, 1.0]),
}


# The whiteners are those of the point before the last step, which is at most sqrt(2 tolerance) long: the
# curvature changes by about as much.
@pytest.mark.parametrize(("tolerance", "distance", "change"), [(1e-5, 5e-3, 0.02), (2e-2, 0.05, 0.4)])
@pytest.mark.parametrize("name", SAMPLES)
def test_modes_are_stationary_maxima_of_the_posterior(name, tolerance, distance, change):
    vel = SAMPLES[name]
    err = np.random.default_rng(9).uniform(0.05, 0.6, vel.size)
    design, log_base, psi, prior, likelihood = build(vel, err)
    # A step that overflows is refused by the damping.
    with np.errstate(over="ignore", invalid="ignore"):
        modes = find_modes(likelihood, psi, prior, tolerance=tolerance)
    assert np.all(modes.converged)
    curvature = likelihood.curvature((prior.mean - prior.center + prior.scales * modes.x) @ psi.T, psi)
    gradient = prior.scales * curvature.gradient - modes.x
    # Distance to the stationary point, in posterior standard deviations.
    whitened = np.einsum("gji,gj->gi", modes.whitener, gradient)
    assert np.abs(whitened).max() < distance
    hessian = prior.scales[:, :, None] * curvature.exact * prior.scales[:, None, :] + np.eye(psi.shape[1])
    identity = np.swapaxes(modes.whitener, 1, 2) @ hessian @ modes.whitener
    assert np.allclose(identity, np.eye(psi.shape[1]), atol=change)
    # An independent optimiser on the textbook posterior, from the mode and from the prior mean.
    g = prior.n_components - 1

    def objective(x):
        w = np.exp(log_softmax(psi @ (prior.mean[g] + prior.scales[g] * x) + log_base))
        return -np.sum(np.log(design @ w)) + 0.5 * x @ x

    start = objective(modes.x[g])
    assert minimize(objective, modes.x[g], method="BFGS", options={"maxiter": 30}).fun > start - max(
        1e-4, distance**2
    )


def test_evidence_of_the_gaussian_component_is_its_integral():
    # Two coefficients only: integrate on a grid.
    rng = np.random.default_rng(5)
    vel, err = rng.normal(0, 1, 150), rng.uniform(0.2, 0.4, 150)
    _, _, psi, prior, likelihood = build(vel, err)
    modes = find_modes(likelihood, psi, prior)
    offset = (prior.mean - prior.center)[0, :2]
    x = np.stack(np.meshgrid(np.linspace(-2, 2, 401), np.linspace(-2.5, 3.5, 401)), axis=-1).reshape(-1, 2)
    beta = offset + prior.scales[0, :2] * x
    log_posterior = likelihood.log_likelihood(beta @ psi[:, :2].T) - 0.5 * np.sum(x**2, axis=1)
    exact = np.log(np.sum(np.exp(log_posterior)) * (4 / 400) * (6 / 400) / (2 * np.pi))
    # Laplace is right to O(1 / N) = 0.01, with a constant of a few.
    assert modes.log_evidence[0] == pytest.approx(exact, abs=0.05)


def test_rows_of_either_sign_count_for_the_precision(monkeypatch):
    # Their rounding errors add up, though their weights do not.
    vel, err = SAMPLES["gaussian"], np.full(80, 0.3)
    design, log_base, psi, prior, _ = build(vel, err)
    precisions = []

    def spy(likelihood, *rest):
        precisions.append(likelihood.ratio.dtype.name)
        return newton(likelihood, *rest)

    monkeypatch.setattr(laplace, "newton", spy)
    monkeypatch.setattr(laplace, "_SINGLE_PRECISION_STARS", 100)
    for n_negative, expected in ((0, "float32"), (40, "float64")):
        rows = np.concatenate([design, design[:n_negative]])
        weight = np.repeat([1.0, -1.0], [80, n_negative])
        find_modes(Likelihood.from_design(rows, psi @ prior.center + log_base, weight), psi, prior)
        assert precisions == ["float64", expected]
        precisions.clear()
