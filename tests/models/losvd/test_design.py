import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import log_ndtr
from scipy.stats import norm

from veldist.models.losvd.design import gaussian_design_matrix


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


def test_no_cancellation_on_either_tail():
    # Cells 5 to 36 standard deviations away, where 1 - CDF has no digits left.
    edges = np.arange(5.0, 37.0)
    right = gaussian_design_matrix(np.zeros(1), np.ones(1), edges)[0]
    left = gaussian_design_matrix(np.zeros(1), np.ones(1), -edges[::-1])[0][::-1]
    expected = log_ndtr(-edges[:-1]) + np.log1p(-np.exp(log_ndtr(-edges[1:]) - log_ndtr(-edges[:-1])))
    assert np.all(right > 0)
    assert np.allclose(np.log(right), expected, rtol=1e-12)
    assert np.array_equal(right, left)


@given(st.floats(-50, 50), st.floats(0.01, 30))
def test_a_wide_grid_holds_all_of_the_kernel(vel, err):
    edges = np.linspace(-400, 400, 301)
    design = gaussian_design_matrix(np.array([vel]), np.array([err]), edges)
    assert np.all(design >= 0)
    assert design[0] @ np.diff(edges) == pytest.approx(1.0, abs=1e-12)
