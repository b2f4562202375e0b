"""Cells: their layout, and the density within each against quadrature."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import kstest, norm

from veldist.models.losvd.cells import Cells, make_cells

# Cells of odd widths, some of them flat, and a flat one that lies across the core's edge.
ODD = Cells(np.array([-9.0, -4.5, -3.9, -3.0, -0.6, -0.3, 0.2, 2.5, 4.1, 6.0, 30.0]), core=4.0)


def densities(cells):
    """The density of every cell by its definition, as functions."""

    def curved(a, b):
        return lambda z: norm.pdf(z) / (norm.cdf(b) - norm.cdf(a))

    def flat(a, b):
        return lambda z: 1.0 / (b - a)

    pairs = zip(cells.edges[:-1], cells.edges[1:], strict=True)
    return [(curved if max(abs(a), abs(b)) <= cells.core else flat)(a, b) for a, b in pairs]


def test_a_star_very_far_out_costs_few_cells():
    assert make_cells(-1e6, 4.0, 0.2).centers.size < 150


@given(st.floats(-30, 0), st.floats(0, 30), st.floats(0.08, 0.35))
def test_cells_cover_the_range_with_fine_core(z_min, z_max, width):
    cells = make_cells(z_min, z_max, width)
    assert cells.edges[0] <= min(z_min, -8)
    assert cells.edges[-1] >= max(z_max, 8)
    core = np.abs(cells.centers) < 5.4
    assert np.allclose(cells.widths[core], width)
    assert cells.widths[np.abs(cells.centers) < 14].max() <= 1.0 + 1e-12
    assert np.all(cells.widths > 0)
    mirrored = make_cells(-z_max, -z_min, width)
    assert np.allclose(cells.edges, -mirrored.edges[::-1])
    inside = np.maximum(np.abs(cells.edges[:-1]), np.abs(cells.edges[1:])) <= 4.0
    assert np.array_equal(np.flatnonzero(inside), np.arange(inside.size)[cells.curved])
    assert np.abs(cells.edges[[cells.curved.start, cells.curved.stop]]).min() > 4.0 - width


def test_base_masses_are_those_of_the_unit_gaussian():
    base = np.exp(make_cells(0.0, 0.0, 0.3).log_base)
    # What lies beyond the core is 6e-5, in flat cells half a scale wide.
    assert base.sum() == pytest.approx(1.0, abs=2e-5)
    base = np.exp(ODD.log_base)
    assert np.allclose(base[2:7], np.diff(norm.cdf(ODD.edges))[2:7], rtol=1e-12)
    others = [0, 1, 7, 8, 9]
    assert np.allclose(base[others], (norm.pdf(ODD.centers) * ODD.widths)[others], rtol=1e-12)


def test_averages_are_those_of_the_profile():
    # The profile's means against quadrature; those of flat cells are at their centres.
    got = ODD.average(lambda z, weight: np.stack([np.sin(7.0 * z), z**3], axis=1))
    assert got.shape == (10, 2)
    for j, density in enumerate(densities(ODD)):
        a, b = ODD.edges[j : j + 2]
        for k, function in enumerate((lambda z: np.sin(7.0 * z), lambda z: z**3)):
            if 2 <= j < 7:
                # Eight nodes, and the fastest of the basis' functions, on cells as wide as real ones.
                expected = quad(lambda z, f=function, d=density: f(z) * d(z), a, b, epsabs=1e-13)[0]
                assert got[j, k] == pytest.approx(expected, abs=1e-10 if b - a < 0.6 else 2e-2)
            else:
                assert got[j, k] == pytest.approx(function(0.5 * (a + b)))


def test_nodes_carry_the_gaussians_weight():
    cells = make_cells(0.0, 0.0, 0.2)
    weights = []
    cells.average(lambda z, weight: (weights.append((z, weight)), z[:, None])[1])
    ((z, weight),) = weights
    for order, moment in ((0, 1.0), (1, 0.0), (2, 1.0), (4, 3.0)):
        assert weight @ z**order == pytest.approx(moment, abs=1e-3)


@pytest.mark.parametrize(("low", "high"), [(-np.inf, np.inf), (-3.3, 0.1), (-0.1, 5.0)])
def test_moments_are_integrals_of_the_density(low, high):
    got = ODD.moments(4, low, high)
    for j, density in enumerate(densities(ODD)):
        a, b = np.clip(ODD.edges[j : j + 2], low, high)
        for k in range(5):
            expected = quad(lambda z, k=k, d=density: z**k * d(z), a, b, epsabs=1e-14)[0]
            assert got[j, k] == pytest.approx(expected, rel=1e-7, abs=1e-12)


def test_moments_of_the_gaussian_are_its_own_on_any_cells():
    for width in (0.1, 0.2, 0.3):
        cells = make_cells(0.0, 0.0, width)
        moments = np.exp(cells.log_base) @ cells.moments(4)
        # Flat cells beyond 4 scales: h^2 / 12 of a mass of 6e-5, and 20 times as much for z^4.
        assert np.allclose(moments, [1.0, 0.0, 1.0, 0.0, 3.0], atol=2e-3)
        assert moments[2] == pytest.approx(moments[0], abs=2e-4)


def test_locating_and_its_inverse_follow_the_density():
    z = np.array([-20.0, -9.0, -5.0, -3.5, -0.05, 0.0, 1.7, 3.0, 29.9, 50.0])
    cell, share = ODD.locate(z)
    for k, j in enumerate(cell):
        a, b = ODD.edges[j : j + 2]
        below = quad(densities(ODD)[j], a, float(np.clip(z[k], a, b)), epsabs=1e-14)[0]
        assert share[k] == pytest.approx(below, abs=1e-12)
    assert np.allclose(ODD.velocity(cell, share), np.clip(z, -9.0, 30.0), atol=1e-12)


def test_uniform_shares_are_draws_from_the_profile():
    u = (np.arange(4000) + 0.5) / 4000
    for j, density in ((6, norm(0, 1)), (8, None)):
        z = ODD.velocity(np.full(u.size, j), u)
        a, b = ODD.edges[j : j + 2]
        law = (
            (lambda x, a=a, b=b: (norm.cdf(x) - norm.cdf(a)) / (norm.cdf(b) - norm.cdf(a)))
            if density
            else None
        )
        assert kstest(z, law or (lambda x, a=a, b=b: (x - a) / (b - a))).statistic < 1e-3


def test_overlap_integrates_the_density_exactly():
    rng = np.random.default_rng(0)
    fine = np.sort(rng.uniform(-12, 12, 57))
    coarse = fine[::4]
    overlap = ODD.overlap(fine)
    for j, density in enumerate(densities(ODD)):
        for b in range(56):
            low, high = np.clip(fine[b : b + 2], *ODD.edges[j : j + 2])
            assert overlap[j, b] == pytest.approx(quad(density, low, high)[0], abs=1e-12)
    # Bins that are unions of bins hold the sum of their masses.
    assert np.allclose(overlap.reshape(10, -1, 4).sum(axis=2), ODD.overlap(coarse), atol=1e-15)
    assert np.allclose(ODD.overlap(np.array([-9.0, 30.0])), 1.0, atol=1e-15)


def test_without_a_core_all_is_flat():
    cells = replace(ODD, core=0.0)
    assert cells.curved == slice(0, 0)
    assert cells.gaussian.size == 0
    cell, share = cells.locate(np.array([1.35]))
    assert (cell[0], share[0]) == (6, pytest.approx(0.5))
    assert np.allclose(cells.moments(1)[:, 1], cells.centers)
