"""Percentile shapes, against the percentiles of known LOSVDs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from veldist.simulate import standard_losvds
from veldist.summaries import scalars
from veldist.summaries.moments import histogram_cdf
from veldist.summaries.scalars import PERCENTILE_COLUMNS, PERCENTILE_METRICS


def percentile_draws(cdf, edges):
    return scalars.percentile_draws(scalars.shape_percentiles(cdf, edges))


def shape_of(law):
    """By the definitions, from the law's own quantiles."""
    e = law.ppf(np.arange(9) / 8)
    return {
        "sigma_percentile": (law.ppf(stats.norm.cdf(1)) - law.ppf(stats.norm.cdf(-1))) / 2,
        "bowley_skewness": (e[6] + e[2] - 2 * e[4]) / (e[6] - e[2]),
        "moors_kurtosis": moors(e) - moors(stats.norm.ppf(np.arange(9) / 8)),
    }


def moors(e):
    return ((e[7] - e[5]) + (e[3] - e[1])) / (e[6] - e[2])


LAWS = {
    "gaussian": stats.norm(3.0, 20.0),
    "skewed": stats.skewnorm(4.0, -15.0, 30.0),
    "t": stats.t(4.0, 0.0, 15.0),
    "uniform": stats.uniform(-40.0, 80.0),
}


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("dv", [2.0, 5.0, 7.0])
def test_known_laws(name, dv):
    law = LAWS[name]
    edges = dv * np.arange(-100, 101)
    masses = np.diff(law.cdf(edges))[None]
    found = percentile_draws(histogram_cdf(masses / masses.sum()), edges)
    assert tuple(found) == PERCENTILE_METRICS == tuple(PERCENTILE_COLUMNS)
    for metric, expected in shape_of(law).items():
        # Percentiles err by up to 1 % of a bin (4 % beside the jumps of the uniform law).
        slack = (0.04 if name == "uniform" else 0.01) * dv
        bound = slack if metric == "sigma_percentile" else 4 * slack / 20.0 + 1e-4
        assert found[metric][0] == pytest.approx(expected, abs=bound), metric


@pytest.mark.parametrize("dv", [1.0, 2.0, 5.0, 10.0])
@pytest.mark.parametrize("offset", [0.0, 0.3, 0.5])
def test_a_gaussian_has_no_shape(dv, offset):
    """In bins of a tenth of the dispersion up to the dispersion."""
    edges = dv * (np.arange(-int(80 / dv), int(80 / dv) + 1) + offset)
    found = percentile_draws(histogram_cdf(np.diff(stats.norm.cdf(edges, 0.0, 10.0))[None]), edges)
    # Percentiles err by up to 0.02 % of a bin, at dv = sigma; the quartiles are 1.35 sigma apart.
    bound = 2e-4 * dv / 10.0
    assert found["sigma_percentile"][0] == pytest.approx(10.0, rel=bound)
    assert found["bowley_skewness"][0] == pytest.approx(0.0, abs=4 * bound / 1.349)
    assert found["moors_kurtosis"][0] == pytest.approx(0.0, abs=6.5 * bound / 1.349)


# Largest error in bins of half a dispersion, and of one, of the shapes of `standard_losvds`, sigma_percentile
# in dispersions: measured for four positions of the grid, rounded up.
ERRORS = {
    "gaussian": ((1e-5, 1e-5, 2e-5), (1e-4, 3e-4, 8e-4)),
    "skew-normal": ((1e-4, 4e-4, 2e-4), (0.019, 0.027, 0.013)),
    "student-t": ((1e-4, 1e-5, 1e-4), (6e-4, 0.002, 0.005)),
    "counter-rotating": ((4e-4, 0.005, 0.002), (0.003, 0.058, 0.048)),
    "flat-topped": ((1e-4, 1e-4, 1e-4), (0.002, 0.005, 0.008)),
    "two-dispersions": ((0.004, 0.003, 0.005), (0.026, 0.038, 0.145)),
    "laplace-convolved": ((1e-4, 2e-4, 3e-4), (0.003, 0.004, 0.009)),
}


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("offset", [0.0, 0.3, 0.5, 0.8])
def test_known_losvds_in_coarse_bins(name, offset):
    for width, bounds in zip((30, 60), ERRORS[name], strict=True):
        # Bins of a sixtieth of the dispersion, and sums over them.
        edges = np.linspace(-480.0, 480.0, 48 * 60 + 1)
        fine = standard_losvds(offset * width / 3.0, 20.0)[name].bin_masses(edges, conditional=True)[None]
        exact = percentile_draws(histogram_cdf(fine), edges)
        coarse = fine.reshape(1, -1, width).sum(axis=2)
        found = percentile_draws(histogram_cdf(coarse), edges[::width])
        for metric, bound in zip(PERCENTILE_METRICS, bounds, strict=True):
            scale = 20.0 if metric == "sigma_percentile" else 1.0
            assert found[metric][0] == pytest.approx(exact[metric][0], abs=bound * scale), (metric, width)


@given(st.floats(-200.0, 200.0), st.floats(0.1, 10.0), st.integers(0, 1000))
def test_shapes_have_no_units_and_reversal_turns_the_skewness(shift, scale, seed):
    masses = np.random.default_rng(seed).dirichlet(np.full(12, 5.0), size=2)
    edges = np.arange(13.0)
    found = percentile_draws(histogram_cdf(masses), edges)
    moved = percentile_draws(histogram_cdf(masses), shift + scale * edges)
    back = percentile_draws(histogram_cdf(masses[:, ::-1]), edges)
    # The shift costs digits: 200 against differences of percentiles of 0.1 and more.
    np.testing.assert_allclose(moved["sigma_percentile"], scale * found["sigma_percentile"], rtol=1e-11)
    for metric, sign in (("bowley_skewness", -1.0), ("moors_kurtosis", 1.0)):
        np.testing.assert_allclose(moved[metric], found[metric], atol=1e-11)
        np.testing.assert_allclose(back[metric], sign * found[metric], atol=1e-11)
