"""Covariances come back, and effective errors are what repeated fits scatter by."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits

from tests.helpers.export_solvers import EDGES, gaussian_solver
from veldist.export.covariance import effective_errors, write_losvd_covariance
from veldist.summaries.gauss_hermite.series_fit import GaussHermite


def test_covariances_come_back(tmp_path):
    solvers = [None, gaussian_solver(0.0, seed=1), None, gaussian_solver(5.0, seed=2)]
    path = write_losvd_covariance(solvers, tmp_path / "covariance.fits")
    with fits.open(path) as hdus:
        hdus.verify("exception")
        np.testing.assert_array_equal(hdus["BINS"].data["original_bin"], [1, 3])
        np.testing.assert_array_equal(hdus["EDGES"].data, EDGES)
        for k, i in enumerate((1, 3)):
            masses = solvers[i].samples["intrinsic_pdf"]
            np.testing.assert_allclose(hdus["COVARIANCE"].data[k], np.cov(masses.T), atol=1e-18)
            np.testing.assert_allclose(hdus["MEAN"].data[k], masses.mean(axis=0))
            # Masses sum to 1.
            np.testing.assert_allclose(hdus["COVARIANCE"].data[k].sum(axis=0), 0.0, atol=1e-12)
    other = gaussian_solver(0.0, edges=EDGES + 1.0)
    with pytest.raises(ValueError, match=r"solvers\[1\] has another velocity grid than solvers\[0\]"):
        write_losvd_covariance([gaussian_solver(0.0), other], path)
    with pytest.raises(ValueError, match="nothing to write"):
        write_losvd_covariance([None], path)


def series(v, sigma, h3, h4):
    fit = GaussHermite(np.ones(1), np.array([v]), np.array([sigma]), np.array([[h3, h4]]), np.ones(1, bool))
    return fit.bin_masses(EDGES)[0]


def smooth_noise(rng, n_draws, median, length):
    """Deviations of 3 % of the masses, correlated over some length in bins."""
    x = np.arange(median.size)
    cov = np.exp(-0.5 * ((x[:, None] - x) / length) ** 2) + 1e-9 * np.eye(x.size)
    return 0.03 * median * (rng.standard_normal((n_draws, x.size)) @ np.linalg.cholesky(cov).T)


@pytest.mark.parametrize("length", [0.01, 2.0])
def test_ratios_are_those_of_repeated_fits(length):
    """Linear least squares with independent weights to noisy masses, by brute force."""
    rng = np.random.default_rng(5)
    start = np.array([0.0, 20.0, 0.0, 0.0])
    median = series(*start)
    noise = smooth_noise(rng, 4000, median, length)
    errors = 0.03 * median
    found = effective_errors(median + noise, EDGES, errors)
    step = 1e-4
    derivative = np.transpose(
        [(series(*(start + step * e)) - series(*(start - step * e))) / (2 * step) for e in np.eye(4)]
    )
    fits_, *_ = np.linalg.lstsq(derivative / errors[:, None], (noise / errors).T, rcond=None)
    believed = np.sqrt(np.diag(np.linalg.inv((derivative / errors[:, None] ** 2).T @ derivative)))
    expected = fits_.std(axis=1) / believed
    # The covariance is that of the same 4,000 draws: only the point of the expansion differs slightly.
    np.testing.assert_allclose(list(found.ratio.values()), expected, rtol=0.02)
    if length < 1:
        # Independent bins: the error bars are right, within the 1.1 % of 4,000 draws, four times.
        np.testing.assert_allclose(list(found.ratio.values()), 1.0, atol=0.045)
    else:
        assert min(found.ratio.values()) > 1.5
    assert found.scale == pytest.approx(np.sqrt(np.mean(np.square(list(found.ratio.values())))))
    np.testing.assert_allclose(found.errors, found.scale * errors)


def test_default_errors_are_those_of_the_export():
    solver = gaussian_solver(0.0, seed=3)
    found = effective_errors(solver.samples["intrinsic_pdf"], EDGES)
    np.testing.assert_allclose(found.errors, found.scale * solver.clipped_samples["losvd_uncertainty"])
    assert found.scale > 1.0
    with pytest.raises(ValueError, match="48 values that are not positive"):
        effective_errors(solver.samples["intrinsic_pdf"], EDGES, np.zeros(48))
    with pytest.raises(ValueError, match="at least 20 draws"):
        effective_errors(solver.samples["intrinsic_pdf"][:5], EDGES)


def test_error_bars_are_never_made_smaller_and_coarse_bins_are_refused():
    """Draws that scatter in one bin only, which the bars of that bin describe: the ratios are below 1."""
    solver = gaussian_solver(0.0, seed=4, scatter=1e-3)
    masses = solver.samples["intrinsic_pdf"]
    found = effective_errors(masses, EDGES, np.full(48, 0.01))
    assert found.scale < 0.1
    np.testing.assert_array_equal(found.errors, 0.01)
    coarse = gaussian_solver(0.0, 10.0, edges=np.linspace(-120.0, 120.0, 9))
    with pytest.raises(ValueError, match="too coarse"):
        effective_errors(coarse.samples["intrinsic_pdf"], coarse.grid["edges"])
