"""What the width of the velocity bins does to the summaries, and moments of masses at the bin centres."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from veldist.analysis import compute_summary, summary_draws
from veldist.simulate import SkewNormal, standard_losvds
from veldist.summaries.moments import discrete_moments

VELOCITY_METRICS = ("v_mean", "v_median", "sigma", "iqr")
COMPARED = ("v_mean", "v_median", "sigma", "iqr", "skewness", "kurtosis", "tail_weight")
# Largest change from bins of a sixtieth of a dispersion to bins of a half, and of one dispersion; velocities
# in dispersions. Measured for four positions of the grid, rounded up.
COARSENING = {
    "gaussian": ((1e-9, 1e-5, 1e-9, 1e-5, 1e-9, 1e-9, 1e-5), (1e-6, 2e-4, 1e-6, 4e-4, 1e-6, 1e-5, 1e-4)),
    "skew-normal": (
        (1e-6, 3e-4, 1e-6, 2e-4, 1e-5, 1e-5, 1e-4),
        (0.002, 0.007, 0.003, 0.024, 0.018, 0.04, 0.015),
    ),
    "student-t": (
        (1e-6, 1e-4, 1e-6, 1e-4, 1e-6, 1e-4, 1e-5),
        (2e-4, 7e-4, 3e-4, 0.003, 0.002, 0.01, 2e-4),
    ),
    "counter-rotating": (
        (1e-6, 0.003, 1e-6, 6e-4, 1e-6, 1e-5, 4e-4),
        (4e-4, 0.036, 4e-4, 0.028, 0.003, 0.013, 0.002),
    ),
    "flat-topped": (
        (1e-6, 1e-4, 1e-6, 1e-4, 1e-6, 1e-5, 1e-4),
        (1e-6, 0.002, 4e-4, 0.004, 0.004, 0.015, 0.001),
    ),
    "two-dispersions": (
        (1e-6, 4e-4, 1e-6, 0.003, 1e-5, 1e-5, 1e-4),
        (0.003, 0.015, 0.005, 0.075, 0.025, 0.12, 0.006),
    ),
    "laplace-convolved": (
        (1e-6, 1e-4, 1e-6, 2e-4, 1e-6, 1e-5, 1e-4),
        (4e-4, 0.001, 7e-4, 0.005, 0.004, 0.019, 0.002),
    ),
}


@pytest.mark.parametrize("name", COARSENING)
@pytest.mark.parametrize("offset", [0.0, 0.3, 0.5, 0.8])
def test_summaries_do_not_depend_on_the_bins(name, offset):
    fine = (np.arange(48 * 60) - 24 * 60 + 0.5) / 3.0
    for width, bounds in zip((30, 60), COARSENING[name], strict=True):
        losvd = standard_losvds(v=offset * width / 3.0, sigma=20.0)[name]
        pdf = losvd.bin_masses(np.append(fine - 1 / 6, fine[-1] + 1 / 6), conditional=True)[None]
        # Differences of its CDF can be negative by rounding.
        pdf = np.maximum(pdf, 0.0)
        exact = summary_draws(pdf, fine)
        coarse = pdf.reshape(1, -1, width).sum(axis=2)
        found = summary_draws(coarse, fine.reshape(-1, width).mean(axis=1))
        for metric, bound in zip(COMPARED, bounds, strict=True):
            scale = 20.0 if metric in VELOCITY_METRICS else 1.0
            assert found[metric][0] == pytest.approx(exact[metric][0], abs=bound * scale), (metric, width)


@pytest.mark.parametrize("name", COARSENING)
@pytest.mark.parametrize("factor", [2, 3, 5])
def test_moments_survive_joining_bins(name, factor):
    """From a tenth of a dispersion to a fifth, a third and a half, the corrections leave nothing."""
    edges = np.linspace(-480.0, 480.0, 481)
    pdf = np.maximum(standard_losvds(v=0.7, sigma=20.0)[name].bin_masses(edges, conditional=True), 0.0)
    joined = pdf.reshape(-1, factor).sum(axis=1)
    before = summary_draws(pdf[None], 0.5 * (edges[1:] + edges[:-1]))
    coarse = edges[::factor]
    after = summary_draws(joined[None], 0.5 * (coarse[1:] + coarse[:-1]))
    for metric in ("v_mean", "sigma", "skewness", "kurtosis"):
        # The grid cuts the Student t off; the skew-normal's steep side is 0.4 dispersions wide, of which
        # exp(-2 pi^2 0.8^2) = 3e-6 is left at half a dispersion.
        slack = {"student-t": 4e-5, "skew-normal": 1e-5}.get(name, 2e-6)
        assert after[metric][0] == pytest.approx(before[metric][0], rel=slack, abs=slack), metric


def skewed(dv):
    """Masses and centres of a skew-normal LOSVD."""
    n = int(300 / dv)
    edges = dv * np.arange(-n, n + 1)
    pdf = SkewNormal(7.0, 24.0, 4.0).bin_masses(edges, conditional=True)
    return np.maximum(pdf, 0.0)[None], 0.5 * (edges[1:] + edges[:-1])


@pytest.mark.parametrize("dv", [2.0, 10.0, 20.0])
def test_discrete_moments_are_those_of_masses_at_the_centres(dv):
    pdf, centers = skewed(dv)
    weights = pdf[0]
    mean = weights @ centers
    m2, m3, m4 = (weights @ (centers - mean) ** k for k in (2, 3, 4))
    found, default = compute_summary(pdf, centers, discrete=True), compute_summary(pdf, centers)
    assert found["v_mean"][0] == pytest.approx(mean)
    assert found["sigma"][0] == pytest.approx(np.sqrt(m2))
    assert found["skewness"][0] == pytest.approx(m3 / m2**1.5)
    assert found["kurtosis"][0] == pytest.approx(m4 / m2**2 - 3.0)
    # They differ from the default by Sheppard's terms; percentiles are the same.
    assert found["sigma"][0] ** 2 - default["sigma"][0] ** 2 == pytest.approx(dv**2 / 12.0)
    assert abs(found["skewness"][0]) < abs(default["skewness"][0])
    for metric in ("v_mean", "v_median", "iqr", "sigma_iqr", "v_asymmetry", "bimodality_score"):
        assert found[metric] == pytest.approx(default[metric]), metric
    # Tail weights are those beyond the larger dispersion.
    assert found["tail_weight"][0] < default["tail_weight"][0]


def test_a_single_filled_bin_has_no_discrete_shape():
    found = discrete_moments(np.array([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]]), np.array([0.0, 10.0, 20.0, 30.0]))
    np.testing.assert_allclose(found[0], [15.0, 15.0])
    np.testing.assert_allclose(found[1], [0.0, 10.0])
    np.testing.assert_allclose(found[2], [np.nan, 0.0], atol=1e-12)
    np.testing.assert_allclose(found[3], [np.nan, -2.0])


def test_discrete_moments_are_compared_with_discrete_moments_of_the_prior():
    edges = np.linspace(-200.0, 200.0, 21)
    rng = np.random.default_rng(1)
    pdf, prior = (
        np.diff(stats.norm.cdf(edges, 0.0, 25.0 + scatter * rng.normal(size=(50, 1))))
        for scatter in (0.5, 2.0)
    )
    centers = 0.5 * (edges[1:] + edges[:-1])
    found = compute_summary(pdf, centers, prior_samples=prior, discrete=True)
    alone = compute_summary(prior, centers, discrete=True)
    assert found["prior_ratio"]["sigma"] == pytest.approx(found["sigma"][1] / alone["sigma"][1])
