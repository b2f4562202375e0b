"""The tabulated sum of squares against that of the masses, and fits with a table against fits without."""

from __future__ import annotations

import numpy as np
import pytest

from veldist.simulate import SkewNormal, standard_losvds
from veldist.summaries.gauss_hermite import newton as gauss_hermite_fit
from veldist.summaries.gauss_hermite.newton import _MANY, _RIDGE, fit_series
from veldist.summaries.gauss_hermite.projection import project_masses
from veldist.summaries.gauss_hermite.series_fit import gauss_hermite_draws
from veldist.summaries.gauss_hermite.table import HermiteTable, Region

EDGES = np.linspace(-120.0, 120.0, 61)
REGION = Region(0.7, 1.5, np.log(5.0), 0.2)


def _draws(losvd, n_draws, amplitude, seed):
    """The LOSVD times the exponential of noise with about a dispersion's correlation length."""
    rng = np.random.default_rng(seed)
    z = (0.5 * (EDGES[1:] + EDGES[:-1])[:, None] - losvd.mean - losvd.std * np.arange(-6, 7)) / losvd.std
    noise = rng.normal(0.0, amplitude, (n_draws, 13)) @ np.exp(-0.5 * z * z).T
    masses = losvd.bin_masses(EDGES) * np.exp(noise)
    return masses / masses.sum(axis=1, keepdims=True)


def _points(n, seed=2):
    rng = np.random.default_rng(seed)
    v = REGION.v + REGION.half_v * rng.uniform(-1.0, 1.0, n)
    return v, REGION.log_sigma + REGION.half_log * rng.uniform(-1.0, 1.0, n)


@pytest.mark.parametrize("order", [3, 4, 5, 6])
def test_table_gives_the_sum_of_squares_and_the_linear_parameters(order):
    masses = _draws(SkewNormal(0.0, 20.0, alpha=3.0), 50, 0.2, 1)
    v, log_sigma = _points(50)
    penalty = _RIDGE / (2.0 * np.sqrt(np.pi))
    table = HermiteTable(masses, REGION, order, penalty)
    exact = project_masses(masses, v, log_sigma, penalty * np.exp(-log_sigma), order)
    z = table(slice(None), v, log_sigma)[:, 0, 0]
    assert table.error < 2e-7
    np.testing.assert_allclose(
        np.vecdot(masses, masses) - np.vecdot(z, z), exact.objective, rtol=1e-5, atol=1e-9
    )
    np.testing.assert_allclose(table.linear(z, v, log_sigma), exact.linear, atol=1e-6)


def test_derivatives_equal_finite_differences():
    masses = _draws(SkewNormal(0.0, 20.0, alpha=3.0), 20, 0.2, 1)
    v, log_sigma = _points(20)
    table, rows, eps = HermiteTable(masses, REGION, 4, 1e-9), np.arange(20), 1e-4
    v, log_sigma = 0.9 * v, REGION.log_sigma + 0.9 * (log_sigma - REGION.log_sigma)
    sigma = np.exp(log_sigma)

    def z(by_v, by_log):
        return table(rows, v + by_v * sigma, log_sigma + by_log)[:, 0, 0]

    found = table(rows, v, log_sigma)
    for (i, j), e in {(1, 0): (eps, 0.0), (0, 1): (0.0, eps)}.items():
        up, down = z(*e), z(-e[0], -e[1])
        np.testing.assert_allclose(found[:, i, j], (up - down) / (2 * eps), atol=1e-6)
        np.testing.assert_allclose(found[:, 2 * i, 2 * j], (up - 2 * z(0, 0) + down) / eps**2, atol=1e-5)
    cross = (z(eps, eps) - z(eps, -eps) - z(-eps, eps) + z(-eps, -eps)) / (4 * eps**2)
    np.testing.assert_allclose(found[:, 1, 1], cross, atol=1e-5)


def test_outside_of_the_region_is_nan():
    masses = _draws(SkewNormal(0.0, 20.0, alpha=3.0), 4, 0.2, 1)
    table = HermiteTable(masses, REGION, 4, 1e-9)
    v = REGION.v + np.array([0.0, 1.01, 0.0, 0.99]) * REGION.half_v
    log_sigma = REGION.log_sigma + np.array([0.0, 0.0, -1.01, 0.99]) * REGION.half_log
    found = table(slice(None), v, log_sigma)
    missing = np.array([False, True, True, False])
    np.testing.assert_array_equal(np.isnan(found).all(axis=(1, 2, 3)), missing)
    np.testing.assert_array_equal(np.isnan(found).any(axis=(1, 2, 3)), missing)
    linear = table.linear(np.ones((4, 3)), v, log_sigma)
    np.testing.assert_array_equal(np.isnan(linear).all(axis=1), missing)


def test_too_few_polynomials_show_in_the_error(monkeypatch):
    masses = _draws(SkewNormal(0.0, 20.0, alpha=3.0), 4, 0.2, 1)
    monkeypatch.setattr(Region, "degrees", lambda self, order: (4, 5))
    assert HermiteTable(masses, REGION, 4, 1e-9).error > 1e-4


@pytest.mark.parametrize("name", list(standard_losvds()))
@pytest.mark.parametrize(("order", "amplitude"), [(3, 0.1), (4, 0.02), (4, 0.15), (6, 0.1)])
def test_fits_with_and_without_a_table_agree(name, order, amplitude, monkeypatch):
    masses = _draws(standard_losvds(5.0, 20.0)[name], 300, amplitude, 8)
    found = []

    class Spy(HermiteTable):
        def __init__(self, masses, region, order, ridge):
            super().__init__(masses, region, order, ridge)
            found.append(len(masses))

    monkeypatch.setattr(gauss_hermite_fit, "HermiteTable", Spy)
    quick = fit_series(masses, order)
    assert found
    assert found[0] > 0.9 * 300
    monkeypatch.setattr(gauss_hermite_fit, "_MANY", 301)
    plain = fit_series(masses, order)
    assert len(found) == 1
    np.testing.assert_array_equal(quick.converged, plain.converged)
    both = plain.converged
    assert both.mean() > 0.95
    # Velocities are in bins, of which a dispersion has five.
    for a, b, unit in zip(quick[:4], plain[:4], (1.0, 5.0, 5.0, 1.0), strict=True):
        np.testing.assert_allclose(a[both], b[both], rtol=0, atol=1e-6 * unit)


def test_draws_far_from_the_others_are_fitted_as_well():
    """One in ten draws lies 4 dispersions off, is a third as wide or has its mass in one bin."""
    masses = _draws(SkewNormal(0.0, 20.0, alpha=3.0), 400, 0.1, 3)
    masses[::30] = _draws(SkewNormal(80.0, 20.0, alpha=3.0), 14, 0.1, 4)
    masses[7::30] = _draws(SkewNormal(5.0, 7.0, alpha=-3.0), 14, 0.1, 4)[: len(masses[7::30])]
    masses[11] = np.eye(60)[30]
    together = gauss_hermite_draws(masses, EDGES)
    parts = [gauss_hermite_draws(masses[k : k + 100], EDGES) for k in range(0, 400, 100)]
    assert _MANY > 100
    np.testing.assert_array_equal(together.converged, np.concatenate([part.converged for part in parts]))
    assert not together.converged[11]
    good = together.converged
    assert good.mean() > 0.95
    np.testing.assert_allclose(together.v[good], np.concatenate([p.v for p in parts])[good], atol=2e-5)
    np.testing.assert_allclose(together.h[good], np.concatenate([p.h for p in parts])[good], atol=1e-6)
