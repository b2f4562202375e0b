"""Smooth regridding, against closed forms, SciPy's interpolation, and invariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import PchipInterpolator
from scipy.stats import laplace, norm, t

from veldist.models.losvd.cells import make_cells
from veldist.models.losvd.regrid import fine_edges, smooth_bin_masses


def some_masses(cells, n=20, seed=0):
    """Smooth, rough and next to empty ones."""
    rng = np.random.default_rng(seed)
    rough = rng.gamma(0.3, size=(n, cells.widths.size)) * np.exp(cells.log_base)
    rough[0] = rng.random(cells.widths.size)
    rough[1, ::3] = 0.0
    return rough / rough.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("width", [0.1, 0.2, 0.3])
@pytest.mark.parametrize("bin_width", [0.003, 0.05, 0.4, 1.7])
def test_the_frames_gaussian_has_exactly_its_masses(width, bin_width):
    cells = make_cells(0.0, 0.0, width)
    edges = 3.0 * np.sin(0.3) + bin_width * np.arange(-int(3.0 / bin_width), int(2.0 / bin_width))
    edges = edges[np.abs(edges) < 3.5]
    got = smooth_bin_masses(cells, np.diff(norm.cdf(cells.edges))[None], edges)[0]
    # 1e-16 of a cumulative distribution, for bins of 1e-6 and more.
    assert np.allclose(got, np.diff(norm.cdf(edges)), rtol=1e-10, atol=1e-15)


@pytest.mark.parametrize(
    ("law", "largest"),
    [(norm(0.5, 0.6), 0.01), (t(4, scale=0.7), 0.01), (norm(-0.3, 1.3), 0.01), (laplace(0.0, 0.7), 0.08)],
)
def test_others_come_close(law, largest):
    cells = make_cells(-12.0, 12.0, 0.2)
    edges = np.linspace(-6.0, 6.0, 241)
    got = smooth_bin_masses(cells, np.diff(law.cdf(cells.edges))[None], edges)[0]
    exact = np.diff(law.cdf(edges))
    flat = np.diff(law.cdf(cells.edges)) @ cells.overlap(edges)
    # Bins a quarter of a cell wide. The sharp peak of the Laplace distribution is at an edge, and is rounded.
    assert np.abs(got - exact).max() < largest * exact.max()
    assert np.abs(got - exact).sum() < 0.25 * np.abs(flat - exact).sum()


def test_it_is_the_monotone_cubic_of_the_cumulative_distribution():
    """SciPy's, whose slopes are the same, between curved cells."""
    cells = make_cells(0.0, 0.0, 0.3)
    masses = some_masses(cells)
    # SciPy's slopes differ at the ends, which are at 3.9.
    edges = np.linspace(-3.55, 3.55, 97)
    cdf = np.cumsum(np.insert(masses, 0, 0.0, axis=1), axis=1)
    core = slice(cells.curved.start, cells.curved.stop + 1)
    reference = PchipInterpolator(norm.cdf(cells.edges[core]), cdf[:, core], axis=1)(norm.cdf(edges))
    # SciPy's spacings are differences of cumulative distributions, good to 1e-16 of 1e-4.
    assert np.allclose(smooth_bin_masses(cells, masses, edges), np.diff(reference, axis=1), atol=1e-11)


@given(st.integers(0, 1000), st.sampled_from([0.1, 0.2, 0.3]), st.floats(-20, 1), st.floats(2, 20))
def test_masses_are_kept_and_never_negative(seed, width, low, high):
    cells = make_cells(-10.0, 14.0, width)
    masses = some_masses(cells, seed=seed)
    edges = np.linspace(low, high, 49)
    fine = smooth_bin_masses(cells, masses, edges)
    assert np.all(fine >= 0.0)
    # Unions of bins, unions of cells, everything.
    assert np.allclose(
        fine.reshape(-1, 8, 6).sum(axis=2), smooth_bin_masses(cells, masses, edges[::6]), atol=1e-14
    )
    assert np.allclose(smooth_bin_masses(cells, masses, cells.edges), masses, atol=1e-14)
    assert np.allclose(smooth_bin_masses(cells, masses, np.array([-50.0, 50.0])), 1.0, atol=1e-14)
    # The mirror image.
    mirrored = make_cells(-14.0, 10.0, width)
    assert np.allclose(
        smooth_bin_masses(mirrored, masses[:, ::-1], -edges[::-1])[:, ::-1], fine, rtol=1e-9, atol=1e-14
    )


def test_the_density_is_continuous():
    cells = make_cells(0.0, 0.0, 0.3)
    masses = some_masses(cells)
    step = 1e-5
    beside = np.stack([cells.edges - step, cells.edges, cells.edges + step], axis=1)
    density = np.stack([smooth_bin_masses(cells, masses, e)[:, :2] for e in beside]) / step
    # Linear at most between the middles of the bins, by the slope of the steepest draw.
    jump = np.abs(density[..., 1] - density[..., 0])
    flat = np.abs(np.diff(masses / cells.widths, axis=1)).T
    assert jump.max() < 30.0 * step / 0.3 * flat.max()


def test_so_do_the_wings():
    """No step where the cells cease to be curved, nor farther out, for tails far above the Gaussian's."""
    cells = make_cells(0.0, 0.0, 0.3)
    law = laplace(0.0, 2.0**-0.5)
    edges = np.linspace(3.0, 7.5, 451)
    got = smooth_bin_masses(cells, np.diff(law.cdf(cells.edges))[None], edges)[0]
    ratio = got / np.diff(law.cdf(edges))
    assert np.abs(np.log(ratio)).max() < 0.1
    assert np.abs(np.log(ratio)[edges[1:] < 5.5]).max() < 0.035
    assert np.abs(np.diff(np.log(ratio))).max() < 0.015


def test_fine_bins_are_parts_of_cells():
    for width in (0.1, 0.2, 0.3):
        cells = make_cells(-2000.0, 8.0, width)
        edges = fine_edges(cells)
        assert np.isin(np.round(cells.edges, 9), np.round(edges, 9)).all()
        assert np.all(np.diff(edges) > 0)
        assert np.diff(edges)[np.abs(edges[1:]) < 7.0].max() <= 0.05 + 1e-9
        assert edges.size < 1200
