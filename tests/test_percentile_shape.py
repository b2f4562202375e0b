"""Percentile shapes, against the percentiles of known LOSVDs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from veldist import percentile_shape
from veldist.moments import histogram_cdf
from veldist.percentile_shape import PERCENTILE_COLUMNS, PERCENTILE_METRICS


def percentile_draws(cdf, edges):
    return percentile_shape.percentile_draws(percentile_shape.shape_percentiles(cdf, edges))


def shape_of(law):
    """By the definitions, from the law's own quantiles."""
    e = law.ppf(np.arange(9) / 8)
    return {
        "sigma_percentile": (law.ppf(stats.norm.cdf(1)) - law.ppf(stats.norm.cdf(-1))) / 2,
        "bowley_skewness": (e[6] + e[2] - 2 * e[4]) / (e[6] - e[2]),
        "moors_kurtosis": ((e[7] - e[5]) + (e[3] - e[1])) / (e[6] - e[2]) - 1.2330,
    }


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


def test_a_gaussian_has_no_shape():
    edges = 2.0 * np.arange(-60, 61)
    found = percentile_draws(histogram_cdf(np.diff(stats.norm.cdf(edges, 0.0, 10.0))[None]), edges)
    assert found["sigma_percentile"][0] == pytest.approx(10.0, abs=1e-4)
    assert found["bowley_skewness"][0] == pytest.approx(0.0, abs=1e-10)
    assert found["moors_kurtosis"][0] == pytest.approx(0.0, abs=1e-4)


@given(st.floats(-200.0, 200.0), st.floats(0.1, 10.0), st.integers(0, 1000))
def test_shapes_have_no_units_and_reversal_turns_the_skewness(shift, scale, seed):
    masses = np.random.default_rng(seed).dirichlet(np.full(12, 5.0), size=2)
    edges = np.arange(13.0)
    found = percentile_draws(histogram_cdf(masses), edges)
    moved = percentile_draws(histogram_cdf(masses), shift + scale * edges)
    back = percentile_draws(histogram_cdf(masses[:, ::-1]), edges)
    np.testing.assert_allclose(moved["sigma_percentile"], scale * found["sigma_percentile"], rtol=1e-6)
    for metric, sign in (("bowley_skewness", -1.0), ("moors_kurtosis", 1.0)):
        np.testing.assert_allclose(moved[metric], found[metric], atol=1e-6)
        np.testing.assert_allclose(back[metric], sign * found[metric], atol=1e-5)
