"""Simulation-based calibration (Talts et al. 2018): truths from the prior, ranks among the draws uniform."""

import numpy as np
import pytest
from scipy.stats import chisquare

from veldist.blas import one_thread
from veldist.inference import (
    choose_resolution,
    gaussian_design_matrix,
    infer,
    losvd_prior,
    make_cells,
    overlap_matrix,
)
from veldist.inference.posterior import masses

N_SIMULATIONS, N_STARS, ERROR, N_RANKS = 160, 60, 0.3, 63


def quantities(w, z, edges):
    mean = w @ z
    variance = w @ z**2 - mean**2
    skewness = np.sum(w * (z - mean[:, None]) ** 3, axis=1) / variance**1.5
    core, wing = (overlap_matrix(edges, np.array(limits))[:, 0] for limits in ((-0.5, 0.5), (2.0, 4.0)))
    return np.stack([mean, np.sqrt(variance), skewness, w @ core, w @ wing], axis=1)


def ranks_of_truths(n_simulations, seed, error_factor=1.0):
    """Ranks, 0 to `N_RANKS`, of each truth among thinned draws; the frame is held fixed."""
    # More stars than there are: the prior with one precision, which is quick, is calibrated for any number.
    resolution = choose_resolution(150, ERROR)
    cells = make_cells(-4.5, 4.5, resolution.cell_width)
    z, log_base = cells.centers, np.log(cells.widths)
    psi, prior = losvd_prior(z, cells.widths, resolution)
    functionals = z[:, None] ** np.arange(1, 3)
    ranks = []
    for k in range(n_simulations):
        rng = np.random.default_rng([seed, k])
        _, beta = prior.sample(1, rng)
        truth = masses(beta, psi, log_base)
        cell = rng.choice(z.size, size=N_STARS, p=truth[0])
        vel = cells.edges[cell] + cells.widths[cell] * rng.random(N_STARS) + rng.normal(0, ERROR, N_STARS)
        design = gaussian_design_matrix(vel, np.full(N_STARS, error_factor * ERROR), cells.edges)
        posterior = infer(design, psi, log_base, prior, functionals, ("z", "z^2"), rng)
        draws = posterior.cell_masses()
        draws = draws[rng.choice(len(draws), N_RANKS, replace=False)]
        ranks.append(np.sum(quantities(draws, z, cells.edges) < quantities(truth, z, cells.edges), axis=0))
    return np.array(ranks)


def p_values(ranks):
    counts = [np.bincount(column // 8, minlength=8) for column in ranks.T]
    return np.array([chisquare(c).pvalue for c in counts])


def test_ranks_of_truths_drawn_from_the_prior_are_uniform():
    with one_thread():
        p = p_values(ranks_of_truths(N_SIMULATIONS, seed=1))
    # Five tests: a smallest p below 0.002 happens by chance once in a hundred seeds.
    assert p.min() > 0.002, p


@pytest.mark.parametrize("factor", [0.2, 2.0])
def test_the_test_sees_a_wrong_error_bar(factor):
    with one_thread():
        p = p_values(ranks_of_truths(100, seed=2, error_factor=factor))
    assert p.min() < 0.002, p
