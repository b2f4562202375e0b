from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import log_ndtr
from scipy.stats import norm

from veldist.models.losvd.cells import make_cells
from veldist.models.losvd.design import design_matrix, gaussian_design_matrix


def test_entries_are_the_integral_of_the_error_kernel():
    edges = np.array([-3.0, -1.0, -0.8, 0.5, 4.0])
    vel, err = np.array([-1.2, 0.3, 2.0]), np.array([0.1, 1.0, 0.7])
    design = gaussian_design_matrix(vel, err, edges)
    for i in range(3):
        for j in range(4):
            integral = quad(lambda v, i=i: norm.pdf(vel[i], v, err[i]), edges[j], edges[j + 1], epsabs=1e-13)[
                0
            ]
            assert design[i, j] == pytest.approx(integral / (edges[j + 1] - edges[j]), abs=1e-11)


@pytest.mark.parametrize("error", [1e-3, 0.03, 0.4, 1.0, 10.0])
@pytest.mark.parametrize("width", [0.1, 0.3])
def test_entries_of_cells_are_the_integral_of_the_kernel_over_their_profile(error, width):
    cells = make_cells(0.0, 0.0, width)
    z = np.array([-6.3, -3.95, -0.31, 0.0, 2.17, 4.4])
    design = design_matrix(z, np.full(z.size, error), cells)
    for i, y in enumerate(z):
        for j in np.flatnonzero(np.abs(cells.centers - y) < 8.0 * error + width):
            a, b = cells.edges[j : j + 2]
            curved = cells.curved.start <= j < cells.curved.stop
            weight = norm.pdf if curved else lambda v: 1.0
            total = norm.cdf(b) - norm.cdf(a) if curved else b - a
            # The integrand's own scale, so that a narrow kernel is not missed.
            points = y + error * np.arange(-6.0, 7.0)
            ends = np.unique(np.concatenate([[a, b], points[(points > a) & (points < b)]]))
            expected = sum(
                quad(lambda v, w=weight: norm.pdf(y, v, error) * w(v), *pair, epsabs=0.0, epsrel=1e-12)[0]  # noqa: B023
                for pair in pairwise(ends)
            )
            # 1 - CDF of the core's edges, in the reference, is good to 1e-12.
            assert design[i, j] == pytest.approx(expected / total, rel=1e-10, abs=1e-10)


@given(st.floats(-12.0, 12.0), st.floats(-3.0, 2.0), st.sampled_from([0.1, 0.2, 0.3]))
def test_rows_of_the_frames_gaussian_sum_to_its_density(z, log_error, width):
    error = 10.0**log_error
    cells = make_cells(min(z, 0.0) - 1.0, max(z, 0.0) + 1.0, width)
    density = (design_matrix(np.array([z]), np.array([error]), cells) @ np.exp(cells.log_base))[0]
    expected = norm.pdf(z, 0.0, np.hypot(1.0, error))
    if abs(z) + 6.0 * error < 4.0 - width:
        assert density == pytest.approx(expected, rel=1e-8)
    else:
        # What comes from the flat cells is a Gaussian in steps, at 4 scales and beyond.
        assert density == pytest.approx(expected, rel=0.35, abs=1e-5)


def test_units_and_mirror_images():
    rng = np.random.default_rng(1)
    cells = make_cells(-9.0, 9.0, 0.2)
    z, error = rng.normal(0.0, 3.0, 50), np.exp(rng.normal(-1.0, 1.5, 50))
    assert np.allclose(
        design_matrix(-z, error, cells)[:, ::-1], design_matrix(z, error, cells), rtol=1e-9, atol=0.0
    )


def test_precise_and_vague_stars_have_finite_rows():
    cells = make_cells(-9.0, 9.0, 0.2)
    z, error = np.array([0.31, 0.4, 3.0, 0.0]), np.array([1e-300, 1e-12, 1e160, 1e6])
    with np.errstate(over="ignore", invalid="raise"):
        design = design_matrix(z, error, cells)
    assert np.all(np.isfinite(design))
    # A star without an error is in its cell, with the density of the profile there.
    j = np.searchsorted(cells.edges, 0.31) - 1
    assert design[0, j] == pytest.approx(norm.pdf(0.31) / np.diff(norm.cdf(cells.edges[j : j + 2]))[0])
    assert np.delete(design[0], j).max() == 0.0
    # One of which nothing is known has the same density in all cells.
    assert np.allclose(design[3], norm.pdf(0.0, 0.0, 1e6), rtol=1e-9)


def test_no_cancellation_on_either_tail():
    # Cells 5 to 36 standard deviations away, where 1 - CDF has no digits left.
    edges = np.arange(5.0, 37.0)
    right = gaussian_design_matrix(np.zeros(1), np.ones(1), edges)[0]
    left = gaussian_design_matrix(np.zeros(1), np.ones(1), -edges[::-1])[0][::-1]
    expected = log_ndtr(-edges[:-1]) + np.log1p(-np.exp(log_ndtr(-edges[1:]) - log_ndtr(-edges[:-1])))
    assert np.all(right > 0)
    assert np.allclose(np.log(right), expected, rtol=1e-12)
    assert np.array_equal(right, left)
    # A curved cell that far from a star has all its digits too: 36 standard deviations from an error of 0.1.
    cells = make_cells(-9.0, 9.0, 0.2)
    far = design_matrix(np.array([3.4, -3.4]), np.full(2, 0.1), cells)
    assert np.allclose(far[0], far[1, ::-1], rtol=1e-9)
    j = np.searchsorted(cells.edges, -0.1)
    inside = quad(lambda v: np.exp(-50.0 * (3.4 - v) ** 2 - 0.5 * v**2 + 560.0), *cells.edges[j : j + 2])[0]
    total = np.diff(norm.cdf(cells.edges[j : j + 2]))[0]
    assert np.log(far[0, j]) == pytest.approx(np.log(inside / (0.2 * np.pi * total)) - 560.0, rel=1e-9)


@given(st.floats(-50, 50), st.floats(0.01, 30))
def test_a_wide_grid_holds_all_of_the_kernel(vel, err):
    edges = np.linspace(-400, 400, 301)
    design = gaussian_design_matrix(np.array([vel]), np.array([err]), edges)
    assert np.all(design >= 0)
    assert design[0] @ np.diff(edges) == pytest.approx(1.0, abs=1e-12)
