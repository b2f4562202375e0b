"""Members and contaminants, by the data that the artists hold and by their looks."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.patches import StepPatch
from scipy import stats

mpl.use("Agg")
import matplotlib.pyplot as plt

from veldist import Contaminant
from veldist.plotting import plot_contaminant


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def catalogue(n=3000):
    rng = np.random.default_rng(0)
    err = rng.uniform(1, 3, n)
    true = np.where(rng.random(n) < 0.4, rng.normal(0, 10, n), rng.normal(60, 40, n))
    return true + rng.normal(0, err), err


def lines(ax):
    return {line.get_label().split(",")[0]: line.get_data() for line in ax.lines}


def test_parts_are_convolved_with_the_errors_and_have_their_shares():
    vel, err = catalogue()
    contaminant = Contaminant.learn(vel, err)
    member = contaminant.member
    ax = plot_contaminant(contaminant, vel, err)
    v, inside = lines(ax)["members"]
    # Percentiles of the errors stand for all of them.
    expected = stats.norm.pdf(v[:, None], member.v, np.hypot(member.sigma, err)).mean(axis=1)
    np.testing.assert_allclose(inside, member.share * expected, rtol=0.01, atol=1e-6)
    _, outside = lines(ax)["contaminants"]
    expected = np.mean([contaminant.density(v, e) for e in err[:200]], axis=0)
    np.testing.assert_allclose(outside, (1 - member.share) * expected, rtol=0.01)
    np.testing.assert_allclose(lines(ax)["sum"][1], inside + outside)


def test_the_histogram_is_that_of_all_stars():
    vel, err = catalogue()
    ax = plot_contaminant(Contaminant.learn(vel, err), vel, err)
    steps = next(p for p in ax.patches if isinstance(p, StepPatch) and "stars" in p.get_label())
    values, edges, _ = steps.get_data()
    counts, _ = np.histogram(vel, edges)
    np.testing.assert_allclose(values, counts / (3000 * np.diff(edges)))
    assert steps.get_label() == f"3,000 stars, {3000 - counts.sum()} farther out"
    # 120 stars a bin or fewer: the sum is within five times the counting noise.
    v, total = lines(ax)["sum"]
    predicted = np.interp(0.5 * (edges[1:] + edges[:-1]), v, total) * 3000 * np.diff(edges)
    assert np.all(np.abs(counts - predicted) < 5 * np.sqrt(predicted + 1))


def test_members_are_fitted_beside_a_contaminant_that_is_given():
    vel, err = catalogue()

    class Own:
        def density(self, vel, err):
            return stats.norm.pdf(vel, 60, np.hypot(40, err))

    for contaminant in (Contaminant.gaussian(60, 40), Own()):
        ax = plot_contaminant(contaminant, vel, err)
        label = next(line.get_label() for line in ax.lines if line.get_label().startswith("members"))
        share, v, sigma = (
            float(part) for part in label.replace("members, ", "").replace("%: $V$ = ", "")
            .replace(", $\\sigma$ =", "").split(" km")[0].split()
        )  # fmt: skip
        assert share == pytest.approx(40, abs=5)
        assert v == pytest.approx(0, abs=1.5)
        assert sigma == pytest.approx(10, abs=1.2)


def test_axes_scale_and_legend_are_the_callers():
    vel, err = catalogue(500)
    figure, ax = plt.subplots()
    assert plot_contaminant(Contaminant.gaussian(60, 40), vel, err, ax, log=True, legend=False) is ax
    assert ax.get_yscale() == "log"
    assert ax.get_legend() is None
    assert "km s" in ax.get_xlabel()
    assert plot_contaminant(Contaminant.uniform(-100, 200), vel, 2.0).get_ylim()[0] == 0.0
    assert len(plt.gca().get_legend().get_texts()) == 4


def test_what_is_no_density_is_refused():
    with pytest.raises(TypeError, match=r"method density\(vel, err\), got float"):
        plot_contaminant(3.0, [1.0, 2.0], 1.0)
    with pytest.raises(ValueError, match="NaN"):
        plot_contaminant(Contaminant.gaussian(0, 1), [1.0, np.nan], 1.0)
