"""Draws that share points against fits of each by itself."""

from __future__ import annotations

import numpy as np
import pytest

from veldist import KinematicSolver
from veldist.simulate import SkewNormal, observe, standard_losvds
from veldist.summaries.gauss_hermite.newton import _MANY, _newton_step, fit_series

SIGMA = 5.0
EDGES = np.arange(61.0) - 30.0


def _draws(losvd, n_draws, amplitude, seed):
    """The LOSVD times the exponential of noise with about a dispersion's correlation length."""
    rng = np.random.default_rng(seed)
    z = (0.5 * (EDGES[1:] + EDGES[:-1])[:, None] - losvd.mean - losvd.std * np.arange(-6, 7)) / losvd.std
    noise = rng.normal(0.0, amplitude, (n_draws, 13)) @ np.exp(-0.5 * z * z).T
    masses = losvd.bin_masses(EDGES) * np.exp(noise)
    return masses / masses.sum(axis=1, keepdims=True)


def _columns(fit):
    """Amplitude, V and sigma in dispersions of about five bins, and h."""
    return np.column_stack([fit.amplitude, fit.v / SIGMA, fit.sigma / SIGMA, fit.h])


@pytest.fixture(scope="module")
def posteriors():
    """Of few stars and many, all shapes, small and large errors: wide and narrow, one peak and two."""
    found = []
    for seed, losvd in enumerate(standard_losvds(v=3.0, sigma=20.0).values()):
        for n_stars, error in ((30, 2.0), (60, 14.0), (300, 6.0), (2000, 14.0)):
            solver = KinematicSolver()
            solver.setup_grid(center=0.0, width=360.0, n_bins=72)
            solver.add_data(*observe(losvd, n_stars, error, np.random.default_rng(seed)))
            solver.run(num_samples=1000, seed=seed)
            assert solver.samples is not None
            found.append(solver.samples["intrinsic_pdf"])
    return found


# 30 stars of Student's t have wings heavy enough to be asked about.
@pytest.mark.filterwarnings("ignore::veldist.GridWarning", "ignore::veldist.ContaminationWarning")
@pytest.mark.parametrize("order", [4, 6])
def test_medians_and_half_widths_of_posteriors(posteriors, order):
    """What `gauss_hermite_draws` states, in units of the uncertainty: of 95 % of the parameters, and all.

    It states it for 224 posteriors, eight sets like these 28. From set to set the 95th percentile scatters by
    0.0014 for medians around 0.0036, and by 0.002 for half-widths around 0.0056 (order 4) and 0.0090: the
    bounds are three of these above. The largest of one set may be twice the largest of all.
    """
    errors = []
    for masses in posteriors:
        shared, exact = (fit_series(masses, order, exact=exact) for exact in (False, True))
        np.testing.assert_allclose(shared.converged.mean(), exact.converged.mean(), atol=0.002)
        low, median, high = np.percentile(_columns(exact)[exact.converged], [16, 50, 84], axis=0)
        q16, q50, q84 = np.percentile(_columns(shared)[shared.converged], [16, 50, 84], axis=0)
        width = 0.5 * (high - low)
        errors.append(np.abs([q50 - median, 0.5 * (q84 - q16) - width]) / width)
    median, width = np.concatenate(errors, axis=1)
    assert np.percentile(median, 95) < 0.0036 + 3 * 0.0014
    assert np.percentile(width, 95) < (0.0056 if order == 4 else 0.0090) + 3 * 0.002
    assert median.max() < 2 * 0.037
    assert width.max() < 2 * 0.14


@pytest.mark.parametrize("name", list(standard_losvds()))
@pytest.mark.parametrize(("order", "amplitude"), [(3, 0.1), (4, 0.02), (4, 0.15), (5, 0.05), (6, 0.1)])
def test_draws_of_one_width_end_at_their_own_minima(name, order, amplitude):
    masses = _draws(standard_losvds(5.0, SIGMA)[name], 400, amplitude, 8)
    shared, exact = (fit_series(masses, order, exact=exact) for exact in (False, True))
    assert exact.converged.mean() > 0.95
    both = shared.converged & exact.converged
    assert np.mean(shared.converged == exact.converged) >= 0.995
    error = np.abs(_columns(shared) - _columns(exact))[both]
    assert np.percentile(error, 90) < 5e-4
    # In others there is a second minimum.
    assert np.mean(error.max(axis=1) < 0.01) > 0.98


def test_draws_far_from_the_others_are_fitted_as_well():
    """One in ten draws lies 4 dispersions off, is a third as wide or has its mass in one bin."""
    masses = _draws(SkewNormal(0.0, SIGMA, alpha=3.0), 400, 0.1, 3)
    masses[::30] = _draws(SkewNormal(18.0, SIGMA, alpha=3.0), 14, 0.1, 4)
    masses[7::30] = _draws(SkewNormal(1.0, 2.0, alpha=-3.0), 14, 0.1, 4)[: len(masses[7::30])]
    masses[11] = np.eye(60)[30]
    shared, exact = (fit_series(masses, 4, exact=exact) for exact in (False, True))
    np.testing.assert_array_equal(shared.converged, exact.converged)
    assert not shared.converged[11]
    assert shared.converged.mean() > 0.95
    both = shared.converged
    np.testing.assert_allclose(_columns(shared)[both], _columns(exact)[both], atol=5e-3)


def test_the_order_of_the_draws_does_not_matter():
    masses = _draws(SkewNormal(0.0, SIGMA, alpha=3.0), 400, 0.1, 3)
    order = np.random.default_rng(1).permutation(400)
    fit, permuted = fit_series(masses, 4, exact=False), fit_series(masses[order], 4, exact=False)
    np.testing.assert_allclose(_columns(permuted), _columns(fit)[order], atol=1e-8)
    np.testing.assert_array_equal(permuted.converged, fit.converged[order])


def test_draws_that_are_all_the_same():
    masses = np.repeat(_draws(SkewNormal(0.0, SIGMA, alpha=3.0), 1, 0.1, 3), 300, axis=0)
    shared, exact = fit_series(masses, 4, exact=False), fit_series(masses[:1], 4, exact=True)
    assert shared.converged.all()
    np.testing.assert_allclose(_columns(shared), np.repeat(_columns(exact), 300, axis=0), atol=1e-4)


def test_few_draws_share_nothing():
    masses = _draws(SkewNormal(0.0, SIGMA, alpha=3.0), _MANY - 1, 0.1, 3)
    shared, exact = (fit_series(masses, 4, exact=exact) for exact in (False, True))
    np.testing.assert_allclose(_columns(shared), _columns(exact), atol=1e-5)


@pytest.mark.parametrize("order", [3, 4, 5, 6])
def test_what_bins_do_not_determine_stays_within_the_limits(order):
    """Noise, and all mass in one bin or in the outermost two."""
    masses = np.random.default_rng(4).dirichlet(np.full(40, 0.3), 300)
    masses[::3] = np.eye(40)[17]
    masses[1::30] = np.eye(40)[[0, 39]].mean(axis=0)
    fit = fit_series(masses, order, exact=False)
    assert np.isfinite(_columns(fit)).all()
    assert np.all(fit.amplitude > 0)
    # The last step of a converged fit may end 0.01 sigma beyond.
    assert np.abs(fit.h).max() <= 1 + 1e-2
    assert np.all((np.abs(fit.v) < 20.5) & (fit.sigma > 0.285) & (fit.sigma < 40.5))
    assert not fit.converged[::3].any()
    assert 0 < fit.converged.sum() < 200


def test_newton_step_leads_downhill():
    """To the minimum of a quadratic function, or with its eigenvalues made positive."""
    gradient = np.array([0.3, -0.2])
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    for low in (2.0, -2.0):
        hessian, made_positive = (turn @ np.diag([4.0, x]) @ turn.T for x in (low, abs(low)))
        step, curvature = _newton_step(*(np.array([x]) for x in (*gradient, *hessian[np.triu_indices(2)])))
        np.testing.assert_allclose(step[:, 0], -np.linalg.solve(made_positive, gradient), rtol=1e-12)
        assert curvature[0] == pytest.approx(low / 4.0)
