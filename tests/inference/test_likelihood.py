import numpy as np
import pytest
from scipy.optimize import approx_fprime
from scipy.special import softmax

from veldist.inference import Likelihood
from veldist.models.losvd.design import gaussian_design_matrix


def members(rng):
    """Fifteen stars, whose velocity and error are known, and cells for all of them."""
    edges = np.linspace(-5, 5, 21)
    vel, err = rng.normal(0, 1.3, 15), rng.uniform(0.1, 1, 15)
    return gaussian_design_matrix(vel, err, edges), np.ones(15), np.log(np.diff(edges))


def background(rng):
    """A density of known share, which is the same whatever the masses are."""
    design, weight, log_base = members(rng)
    member = rng.uniform(0.5, 1, 15)
    return member[:, None] * design + (1 - member[:, None]) * 0.05, weight, log_base


def membership(rng):
    """The last cell holds contaminants; each star's row is divided by its probability beforehand."""
    design, weight, log_base = members(rng)
    p = rng.uniform(0.2, 0.9, (15, 1))
    cells = np.arange(20) < 19
    stars = np.where(cells, p * design, (1 - p) * 0.05)
    return np.concatenate([stars, np.where(cells, p, 1 - p)]), np.repeat([1.0, -1.0], 15), log_base


@pytest.fixture(params=[members, background, membership], ids=lambda kind: kind.__name__)
def problem(request):
    rng = np.random.default_rng(3)
    design, weight, log_base = request.param(rng)
    return design, weight, rng.normal(size=(20, 4)), log_base, rng


def textbook(beta, design, weight, psi, log_base):
    return weight @ np.log(design @ softmax(psi @ beta + log_base))


def test_value_is_the_textbook_one(problem):
    design, weight, psi, log_base, rng = problem
    likelihood = Likelihood.from_design(design, log_base, weight)
    beta = rng.normal(size=(6, 4))
    expected = [textbook(b, design, weight, psi, log_base) for b in beta]
    delta = beta @ psi.T
    assert np.allclose(likelihood.log_likelihood(delta) + likelihood.log_reference, expected, rtol=1e-12)
    assert np.allclose(likelihood.value_and_gradient(delta)[0] + likelihood.log_reference, expected)
    assert np.allclose(likelihood.curvature(delta, psi).value + likelihood.log_reference, expected)


def test_gradient_and_hessian_agree_with_finite_differences(problem):
    design, weight, psi, log_base, rng = problem
    likelihood = Likelihood.from_design(design, log_base, weight)
    beta = rng.normal(size=4)

    def gradient(b):
        return likelihood.curvature((psi @ b)[None], psi).gradient[0]

    args = (design, weight, psi, log_base)
    numeric = approx_fprime(beta, textbook, 1e-6, *args)
    curvature = likelihood.curvature((psi @ beta)[None], psi)
    assert np.allclose(curvature.gradient[0], numeric, atol=1e-4)
    assert np.allclose(likelihood.value_and_gradient((psi @ beta)[None])[1][0] @ psi, curvature.gradient[0])
    step = 1e-5
    hessian = [(gradient(beta + step * e) - gradient(beta - step * e)) / (2 * step) for e in np.eye(4)]
    assert np.allclose(curvature.exact[0], -np.array(hessian), atol=1e-6)
    assert np.linalg.eigvalsh(curvature.fisher[0]).min() > 0


def test_rebasing_changes_nothing_but_the_zero_point(problem):
    design, weight, psi, log_base, rng = problem
    likelihood = Likelihood.from_design(design, log_base, weight)
    delta, center = rng.normal(size=(5, 20)), rng.normal(size=20)
    moved = likelihood.rebase(center, np.float64)
    before = likelihood.log_likelihood(delta) + likelihood.log_reference
    assert np.allclose(moved.log_likelihood(delta - center) + moved.log_reference, before, rtol=1e-12)
    assert moved.log_likelihood(np.zeros((1, 20)))[0] == pytest.approx(0.0, abs=1e-12)
    assert np.allclose(
        moved.value_and_gradient(delta - center)[1], likelihood.value_and_gradient(delta)[1], atol=1e-11
    )


def test_blocks_of_stars_add_up(problem, monkeypatch):
    design, weight, psi, log_base, rng = problem
    likelihood = Likelihood.from_design(design, log_base, weight)
    delta = rng.normal(size=(3, 20))
    whole = likelihood.value_and_gradient(delta), likelihood.curvature(delta, psi)
    monkeypatch.setattr("veldist.inference.likelihood._BLOCK", 4)
    parts = likelihood.value_and_gradient(delta), likelihood.curvature(delta, psi)
    assert np.allclose(whole[0][0], parts[0][0])
    assert np.allclose(whole[0][1], parts[0][1])
    assert np.allclose(whole[1].exact, parts[1].exact)


def test_single_precision_error_is_far_below_the_monte_carlo_error():
    # The claim of the module: offsets of posterior size (a few units) about a reference, 2000 stars.
    rng = np.random.default_rng(0)
    edges = np.linspace(-8, 8, 81)
    vel, err = rng.normal(0, 1, 2000), rng.uniform(0.05, 1, 2000)
    center = 0.5 * (edges[1:] + edges[:-1])
    likelihood = Likelihood.from_design(gaussian_design_matrix(vel, err, edges), -0.5 * center**2)
    delta = 0.3 * rng.normal(size=(50, 80))
    zero = np.zeros(80)
    exact = likelihood.rebase(zero, np.float64).log_likelihood(delta)
    single = likelihood.rebase(zero, np.float32).log_likelihood(delta.astype(np.float32))
    assert single.dtype == np.float32
    # A change of the log density by d biases an expectation by at most d standard deviations; 1000
    # draws leave 0.03.
    assert np.abs(single - exact).max() < 2e-3


def test_a_star_sixty_dispersions_out_keeps_a_finite_likelihood():
    edges = np.concatenate([np.linspace(-8, 8, 81), np.arange(9.0, 63.0)])
    center = 0.5 * (edges[1:] + edges[:-1])
    design = gaussian_design_matrix(np.array([0.0, 60.0]), np.array([0.1, 0.1]), edges)
    likelihood = Likelihood.from_design(design, -0.5 * center**2 + np.log(np.diff(edges)))
    assert -1900 < likelihood.log_reference < -1700
    value, gradient = likelihood.value_and_gradient(np.zeros((1, center.size)))
    assert value[0] == pytest.approx(0.0, abs=1e-12)
    assert np.all(np.isfinite(gradient))


def test_a_star_out_of_reach_is_named():
    edges = np.linspace(-1, 1, 5)
    design = gaussian_design_matrix(np.array([0.0, 90.0]), np.array([0.1, 0.1]), edges)
    with pytest.raises(ValueError, match=r"1 of 2 stars .* \(rows 1\)"):
        Likelihood.from_design(design, np.zeros(4))


def test_what_does_not_depend_on_the_masses_is_added_to_all_columns():
    rng = np.random.default_rng(3)
    design, weight, log_base = members(rng)
    foreign, beta, psi = rng.uniform(0, 0.1, 15), rng.normal(size=4), rng.normal(size=(20, 4))
    expected = np.sum(np.log(design @ softmax(psi @ beta + log_base) + foreign))
    likelihood = Likelihood.from_design(design + foreign[:, None], log_base, weight)
    found = likelihood.log_likelihood((psi @ beta)[None])[0] + likelihood.log_reference
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_row_of_weight_minus_one_undoes_the_same_row(dtype):
    rng = np.random.default_rng(4)
    design, _, log_base = members(rng)
    psi, delta = rng.normal(size=(20, 4)), rng.normal(size=(3, 20))
    both = np.concatenate([design, design[:5]]), np.repeat([1.0, -1.0], [15, 5])
    whole, less, more = (
        Likelihood.from_design(d, log_base, w).rebase(np.zeros(20), np.dtype(dtype))
        for d, w in ((design, None), (design[5:], None), both)
    )
    delta, psi, rounding = delta.astype(dtype), psi.astype(dtype), 1e3 * np.finfo(dtype).eps
    assert less.log_reference == pytest.approx(more.log_reference)
    assert np.allclose(less.log_likelihood(delta), more.log_likelihood(delta), atol=rounding)
    for a, b in zip(less.value_and_gradient(delta), more.value_and_gradient(delta), strict=True):
        assert np.allclose(a, b, atol=rounding)
    found = more.curvature(delta, psi)
    assert np.allclose(found.exact, less.curvature(delta, psi).exact, atol=rounding)
    # What stands in for the Hessian must be definite: rows of negative weight take nothing from it.
    assert np.allclose(found.fisher, whole.curvature(delta, psi).fisher, atol=rounding)


def test_a_density_that_vanishes_below_a_fraction_line_is_no_maximum():
    # The second row's cell is emptied until its mass is too small to be represented.
    likelihood = Likelihood.from_design(np.eye(2), np.zeros(2), np.array([1.0, -1.0]))
    delta = np.array([[0.0, -800.0], [0.0, -10.0]])
    with np.errstate(divide="ignore", invalid="ignore"):
        values = (
            likelihood.log_likelihood(delta),
            likelihood.value_and_gradient(delta)[0],
            likelihood.curvature(delta, np.eye(2)).value,
        )
    for value in values:
        assert value.tolist() == [-np.inf, pytest.approx(10.0)]
