"""Folding of a prior that is a product: densities against the mixture itself, and what is not folded."""

import numpy as np
import pytest
from scipy.stats import norm

from veldist.inference import MixturePrior
from veldist.inference.factor import fold
from veldist.models.losvd.basis import losvd_prior
from veldist.models.losvd.cells import make_cells
from veldist.models.losvd.resolution import ResolutionRule

TERMS = np.array([[-0.5, 0.25, 0.45], [0.0, 0.5, 0.3], [1.0, 1.0, 0.25]])


def product(terms=TERMS, n_shapes=2):
    """A prior of three coefficients: the mixture for the second, several scales of the third."""
    mean, sd, weight = terms.T
    n = n_shapes * weight.size
    shapes = np.repeat(np.arange(n_shapes), weight.size)
    columns = np.tile(mean, n_shapes), np.tile(sd, n_shapes), np.tile(weight, n_shapes)
    zero = np.zeros(n)
    return MixturePrior(
        mean=np.stack([zero, columns[0], zero], axis=1),
        scales=np.stack([zero + 1.0, columns[1], shapes.astype(float)], axis=1),
        log_weights=np.log(columns[2] * (1.0 + shapes)) - np.log(n_shapes * (n_shapes + 1) / 2),
        labels=tuple(f"{s}, {k}" for s in range(n_shapes) for k in range(weight.size)),
        is_null=shapes == 0,
    )


def test_a_folded_prior_is_the_same_distribution():
    prior = product()
    folded = fold(prior)
    factor, left = folded.factor, folded.prior
    assert left.n_components == 2
    assert factor.column == 1
    assert np.array_equal(folded.members, [[0, 1, 2], [3, 4, 5]])
    assert np.array_equal(folded.owner(), [0, 0, 0, 1, 1, 1])
    assert np.allclose(left.center, prior.center)
    assert np.allclose(np.exp(left.log_weights), [1 / 3, 2 / 3])
    assert np.array_equal(left.is_null, [True, False])
    beta = np.linspace(-3.0, 5.0, 81)
    mean, sd, weight = TERMS.T
    m, s = left.mean[0, 1], left.scales[0, 1]
    value, _ = factor.log_ratio((beta - m) / s)
    density = norm.pdf(beta[:, None], mean, sd) * weight
    assert np.allclose(norm.logpdf(beta, m, s) + value, np.log(density.sum(axis=1)))
    assert np.allclose(factor.shares((beta - m) / s), (density / density.sum(axis=1, keepdims=True)).T)


def test_slopes_and_information_are_derivatives():
    factor = fold(product()).factor
    x, step = np.linspace(-3.0, 4.0, 29), 1e-5
    higher, lower = factor.log_ratio(x + step), factor.log_ratio(x - step)
    assert np.allclose(factor.log_ratio(x)[1], (higher[0] - lower[0]) / (2 * step), atol=1e-7)
    exact, positive = factor.information(x)
    # Of the whole prior, the standard normal included.
    assert np.allclose(exact, 1.0 - (higher[1] - lower[1]) / (2 * step), atol=1e-6)
    assert np.all(positive > 0.0)
    assert np.all(positive >= exact - 1e-12)


def test_draws_go_back_to_the_components_they_came_from():
    prior = product()
    folded, rng = fold(prior), np.random.default_rng(0)
    component, beta = prior.sample(60_000, rng)
    again = folded.unfold(folded.owner()[component], beta, rng)
    # Joint frequencies of component and coefficient: the same as before, to five standard errors.
    edges = np.quantile(beta[:, 1], np.linspace(0.0, 1.0, 9)[1:-1])
    for before, after in zip(
        *(
            np.histogram2d(g, np.digitize(beta[:, 1], edges), bins=(6, 8))[0].ravel()
            for g in (component, again)
        ),
        strict=True,
    ):
        assert abs(after - before) <= 5.0 * np.sqrt(before + 1.0)


@pytest.mark.parametrize(("n", "n_left", "k"), [(30, 64, 1), (200, 16, 3), (5000, 16, 1)])
def test_octaves_are_folded_where_they_are_broad(n, n_left, k):
    """Those of few stars are narrow beside what so few can tell."""
    for ratio in (0.0, 0.3):
        resolution = ResolutionRule()(n, ratio)
        _, prior = losvd_prior(make_cells(0.0, 0.0, 0.3), resolution)
        folded = fold(prior)
        assert folded.prior.n_components == n_left
        assert folded.members.shape == (n_left, k)


def test_what_is_no_product_is_left_alone():
    prior = product()
    moved = prior.mean.copy()
    moved[:, 2] = prior.mean[:, 1]
    other = prior.log_weights.copy()
    other[[0, 1]] = other[[1, 0]]
    narrow = TERMS.copy()
    narrow[0, 1] = 0.05
    changes = (
        {"mean": moved},
        {"log_weights": other},
        {"mean": np.zeros_like(prior.mean)},
    )
    for change in changes:
        fields = {name: getattr(prior, name) for name in prior.__dataclass_fields__} | change
        folded = fold(MixturePrior(**fields))
        assert folded.factor is None
        assert folded.prior.n_components == folded.members.shape[0] == 6
    assert fold(product(narrow)).factor is None
