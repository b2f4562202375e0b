"""Few stars far from the others have their share of the LOSVD, and leave the others theirs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veldist.models.losvd.cells import make_cells
from veldist.models.losvd.frame import fit_frame
from veldist.models.losvd.model import fit_losvd
from veldist.models.losvd.reach import Reach, frame_of_most

SIGMA, ERROR = 6.0, 2.0


def sample(n, far, n_far, seed=1):
    vel = np.random.default_rng(seed).normal(0.0, np.hypot(SIGMA, ERROR), n)
    vel[:n_far] = far * (1.0 - 0.03 * np.arange(n_far))
    return vel, np.full(n, ERROR)


def core(vel, err):
    """Draws of the share beyond 8 dispersions, and of half the 16-84 percentile range within."""
    posterior = fit_losvd(vel, err, np.random.default_rng(0))
    assert posterior.posterior.diagnostics.converged
    edges = np.linspace(-8 * SIGMA, 8 * SIGMA, 200)
    masses, outside = posterior.bin_masses(edges)
    quantiles = [np.interp([0.16, 0.84], np.cumsum(row), edges[1:]) for row in masses]
    return outside, 0.5 * np.ptp(quantiles, axis=1)


@pytest.mark.parametrize(("n", "n_far"), [(40, 1), (150, 1), (150, 3), (1000, 1), (1000, 10)])
@pytest.mark.parametrize("far", [90.0, 150.0, -300.0, 500.0])
def test_far_stars_have_their_share_and_the_others_their_dispersion(n, n_far, far):
    vel, err = sample(n, far, n_far)
    outside, sigma = core(vel, err)
    low, high = np.percentile(outside, [2, 98])
    assert low < n_far / n < high
    assert np.median(outside) < 2 * n_far / n
    _, without = core(vel[n_far:], err[n_far:])
    assert abs(np.median(sigma) - np.median(without)) < 0.6 * without.std()


def test_the_histogram_ends_beyond_the_farthest_star():
    vel, err = sample(150, 400.0, 2)
    edges, masses = fit_losvd(vel, err, np.random.default_rng(0)).histogram()
    assert edges[-1] > 400.0
    assert edges[0] > -100.0
    np.testing.assert_allclose(masses.sum(axis=1), 1.0, rtol=1e-6)


@given(
    left=st.floats(5.0, 100.0),
    right=st.floats(5.0, 100.0),
    z=st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=9),
)
def test_what_is_pulled_in_is_drawn_out_again(left, right, z):
    reach = Reach(left, right)
    z = np.where(np.array(z) < 0.0, left, right) * z
    pulled, error = reach.pull(z, np.ones(z.size))
    assert np.all(np.abs(pulled) <= 8.0 + 1e-9)
    near = np.abs(z) <= 6.0
    assert np.array_equal(pulled[near], z[near])
    assert np.all(error[near] == 1.0)
    cells = make_cells(0.0, 0.0, 0.3)
    drawn = reach.draw_out(cells)
    assert drawn.edges[0] <= -left
    assert drawn.edges[-1] >= right
    assert np.all(np.diff(drawn.edges) > 0.0)


def test_many_stars_far_out_count_as_all_others():
    rng = np.random.default_rng(3)
    vel = np.concatenate([rng.normal(0, 1, 60), rng.normal(0, 150, 40)])
    err = np.full(100, 0.3)
    assert frame_of_most(vel, err) == (fit_frame(vel, err), False)
    frame, far = frame_of_most(vel[:63], err[:63])
    assert far
    assert frame == fit_frame(vel[:60], err[:60])
