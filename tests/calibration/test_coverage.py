"""Coverage of mocks: a method whose coverage is known in closed form, and this package's own."""

import warnings
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import binom, norm

from veldist.calibration import Coverage, Veldist, coverage
from veldist.errors import ConvergenceWarning
from veldist.simulate import Gaussian, SkewNormal

GRID = {"center": 0.0, "width": 12.0, "n_bins": 24}


@dataclass(frozen=True)
class KnownDispersion:
    """Exact posterior of the mean of a unit Gaussian under a flat prior; ``factor`` scales its width."""

    factor: float = 1.0
    n_draws: int = 400

    def __call__(self, vel, err, grids, rng):
        weight = 1.0 / (1.0 + err**2)
        mean = np.average(vel, weights=weight)
        mean = mean + self.factor / np.sqrt(weight.sum()) * rng.standard_normal(self.n_draws)
        draws = [np.diff(norm.cdf(edges[None, :], mean[:, None], 1.0), axis=1) for edges in grids]
        return [d / d.sum(axis=1, keepdims=True) for d in draws]


@dataclass(frozen=True)
class Failing:
    """Fails, or warns that it has not converged, where the first star moves away from us."""

    converges: bool = False

    def __call__(self, vel, err, grids, rng):
        if vel[0] < 0 and not self.converges:
            raise ArithmeticError("no")
        if vel[0] < 0:
            warnings.warn("not yet", ConvergenceWarning, stacklevel=1)
        return KnownDispersion()(vel, err, grids, rng)


@dataclass(frozen=True)
class WrongErrors:
    """This package's posterior, told errors that are off by a factor."""

    factor: float

    def __call__(self, vel, err, grids, rng):
        return Veldist(num_samples=500)(vel, self.factor * err, grids, rng)


def run(method, truths=Gaussian(0.0, 1.0), **kwargs):  # noqa: B008
    options = {"n_stars": 30, "err": 0.5, "grids": GRID, "n_jobs": 1, "progress": False}
    return coverage(truths, method=method, **(options | kwargs))


def row(result, quantity, **where):
    table = result.table[result.table["quantity"] == quantity]
    for name, value in where.items():
        table = table[table[name] == value]
    assert len(table) == 1
    return table[0]


def binomial_bounds(p, n, chance=1e-3):
    return binom.ppf(0.5 * chance, n, p) / n, binom.isf(0.5 * chance, n, p) / n


@pytest.mark.parametrize("factor", [0.5, 1.0, 2.0])
def test_coverage_of_a_method_known_in_closed_form(factor):
    n_mocks = 300
    mean = row(run(KnownDispersion(factor), n_mocks=n_mocks, quantities=["v_mean"]), "v_mean")
    for level, name in ((0.68, "coverage68"), (0.95, "coverage95")):
        expected = 1 - 2 * norm.sf(factor * norm.isf(0.5 * (1 - level)))
        low, high = binomial_bounds(expected, n_mocks)
        # Percentiles of 400 draws are off by sqrt(p (1 - p) / 400) = 0.018 at most in probability.
        assert low - 0.01 <= mean[name] <= high + 0.01
    width = factor * np.sqrt(1.25 / 30)
    # The 16-84 range of 400 draws scatters by 6 %, its mean over 300 mocks by 0.3 %.
    assert mean["width"] == pytest.approx(norm.isf(0.16) * width, rel=0.015)
    assert abs(mean["bias"]) < 4 * mean["bias_err"]
    assert mean["scatter"] == pytest.approx(np.sqrt(1.25 / 30), rel=4 / np.sqrt(2 * n_mocks))


def test_rows_are_averages_of_scores():
    truth = SkewNormal(1.0, 1.0, alpha=4.0)
    result = run(KnownDispersion(), truth, n_mocks=7, quantities=["sigma", "h3"])
    assert list(dict.fromkeys(result.table["quantity"])) == [
        "sigma",
        "h3",
        "bins (all)",
        "bins (informative)",
        "bins (empty)",
    ]
    bins = result.bins
    np.testing.assert_allclose(bins["mass"], truth.bin_masses(np.linspace(-6, 6, 25), conditional=True))
    np.testing.assert_array_equal(bins["informative"], bins["mass"] * 30 >= 1)
    for name, which in (("all", slice(None)), ("informative", bins["informative"])):
        total = row(result, f"bins ({name})")
        assert total["crps"] == pytest.approx(bins["crps"][which].sum())
        for column in ("coverage68", "coverage95", "bias", "width"):
            assert total[column] == pytest.approx(bins[column][which].mean())
    assert 0 < row(result, "bins (all)")["total_variation"] < 1
    assert np.isnan(row(result, "sigma")["total_variation"])
    assert result.n_mocks == 7
    assert result.n_failed == result.n_not_converged == 0


def test_scores_are_against_the_same_bins():
    # In bins as wide as the dispersion, percentiles of the truth's histogram are not those of the truth.
    coarse = {"center": 0.3, "width": 12.0, "n_bins": 12}
    result = run(KnownDispersion(1e-6), n_stars=100_000, err=1e-3, grids=coarse, n_mocks=4)
    for quantity in ("sigma", "iqr", "kurtosis", "h4"):
        # The mean is off by 0.003, which moves these by less.
        assert abs(row(result, quantity)["bias"]) < 0.005


def test_mocks_depend_on_seed_and_cell_only():
    truths = {"a": Gaussian(0.0, 1.0), "b": Gaussian(0.5, 1.0)}
    kwargs = {"n_stars": [10, 20], "err": {"small": 0.1, "broad": (0.5, 1.5)}, "n_mocks": 3}
    one = run(KnownDispersion(), truths, **kwargs)
    assert len(one.table) == 2 * 2 * 2 * (11 + 3)
    part = {"n_stars": 20, "err": {"broad": (0.5, 1.5)}, "n_mocks": 3}
    subset = run(KnownDispersion(), {"b": truths["b"]}, **part).table
    same = (one.table["truth"] == "b") & (one.table["n_stars"] == 20) & (one.table["err"] == "broad")
    for name in subset.colnames:
        np.testing.assert_array_equal(subset[name], one.table[name][same])
    # Equal truths by other names have other stars.
    renamed = run(KnownDispersion(), {"c": truths["b"]}, **part).table
    assert not np.any(renamed["crps"] == subset["crps"])
    other = run(KnownDispersion(), truths, seed=1, **kwargs)
    assert row(other, "sigma", truth="a", n_stars=10, err="small")["bias"] != pytest.approx(
        row(one, "sigma", truth="a", n_stars=10, err="small")["bias"]
    )


def test_the_number_of_processes_changes_nothing():
    # A class of this module cannot be sent to a fresh interpreter: the package's own method can.
    method = Veldist(num_samples=50)
    one, two = (run(method, n_jobs=n, n_mocks=4, err={"a": 0.1, "b": 0.5}) for n in (1, 2))
    for name in one.table.colnames:
        np.testing.assert_array_equal(one.table[name], two.table[name])


def test_failures_are_counted_and_said():
    with pytest.warns(RuntimeWarning, match=r"of 40 fits failed .* first with: ArithmeticError: no"):
        result = run(Failing(), n_mocks=40)
    assert 0 < result.n_failed < 40
    assert row(result, "sigma")["n_mocks"] == 40 - result.n_failed
    with pytest.warns(ConvergenceWarning, match=rf"^{result.n_failed} of 40 fits, .* first with: not yet$"):
        doubtful = run(Failing(converges=True), n_mocks=40)
    assert doubtful.n_not_converged == result.n_failed
    assert row(doubtful, "sigma")["n_mocks"] == 40


def test_warnings_of_a_method_are_passed_on_once_for_each_category():
    class LocalWarning(ConvergenceWarning):
        pass

    class Warning_:
        def __call__(self, vel, err, grids, rng):
            for _ in range(2):
                warnings.warn("tired", FutureWarning, stacklevel=1)
                # Unknown to other processes, so that its base class stands for it.
                warnings.warn("lost", LocalWarning, stacklevel=1)
            return KnownDispersion()(vel, err, grids, rng)

    with pytest.warns() as caught:
        result = run(Warning_(), n_mocks=5)
    assert {w.category: str(w.message).split()[0] for w in caught} == {
        FutureWarning: "5",
        ConvergenceWarning: "5",
    }
    assert len(caught) == 2
    assert result.n_not_converged == 5


@pytest.mark.parametrize("quantities", [["v_mean"], []])
def test_a_single_surviving_mock_has_no_monte_carlo_errors(quantities):
    class FirstOnly:
        n_calls = 0

        def __call__(self, vel, err, grids, rng):
            self.n_calls += 1
            if self.n_calls > 1:
                raise ArithmeticError("no more")
            return KnownDispersion()(vel, err, grids, rng)

    with pytest.warns(RuntimeWarning, match="3 of 4 fits failed") as caught:
        result = run(FirstOnly(), n_mocks=4, quantities=quantities)
    assert len(caught) == 1
    bins = row(result, "bins (informative)")
    assert bins["n_mocks"] == 1
    for name in ("coverage68_err", "bias_err", "scatter", "crps_err"):
        assert np.isnan(bins[name])
    assert np.isfinite(bins["bias"])


def test_all_fits_failing_is_an_error():
    class Broken:
        def __call__(self, vel, err, grids, rng):
            raise ArithmeticError("never")

    with pytest.raises(RuntimeError, match=r"all mocks of truth 'Gaussian' .*never"):
        run(Broken(), n_mocks=3)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({"truths": {}}, ValueError, "truths is an empty dict"),
        ({"truths": {"x": 3}}, TypeError, r"truths\['x'\] must be an LOSVD"),
        ({"n_stars": 1}, ValueError, "n_stars"),
        ({"n_mocks": 1}, ValueError, "n_mocks"),
        ({"n_jobs": 0}, ValueError, "n_jobs must be at least 1"),
        ({"n_stars": [30, 40, 30]}, ValueError, "n_stars holds 30 more than once"),
        ({"n_stars": []}, ValueError, "n_stars is empty"),
        ({"err": {}}, ValueError, "err is an empty dict"),
        ({"grids": {}}, ValueError, "grids is an empty dict"),
        ({"quantities": "sigma"}, TypeError, r"pass \['sigma'\]"),
        ({"quantities": ["sigma", "sigma"]}, ValueError, "quantities holds sigma more than once"),
        ({"quantities": ["mass"]}, ValueError, r"unknown names \['mass'\]"),
        ({"grids": {"a": {"center": 0.0}}}, ValueError, r"grids\['a'\]"),
        ({"err": {"a": -1.0}}, ValueError, "err"),
    ],
)
def test_wrong_arguments(kwargs, error, message):
    with pytest.raises(error, match=message):
        run(KnownDispersion(), **kwargs)


def test_plot_shows_truths_and_quantities():
    truths = {"a": Gaussian(0.0, 1.0), "b": SkewNormal(0.0, 1.0, alpha=4.0)}
    result = run(KnownDispersion(), truths, n_stars=[20, 40], n_mocks=5)
    figure = result.plot(quantities=("v_mean", "bins (informative)"))
    assert [ax.get_title() for ax in figure.axes] == ["v_mean", "bins (informative)"]
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["a", "b"]
    with pytest.raises(ValueError, match="no quantity 'mode'"):
        result.plot(quantities=("mode",))
    with pytest.raises(ValueError, match="quantities is empty"):
        result.plot(quantities=())
    assert isinstance(result, Coverage)
    plt.close(figure)


@pytest.mark.parametrize(
    ("n_stars", "quantities", "titles"),
    [
        (30, ["v_mean"], ["bins (informative)", "v_mean"]),
        (8, ["sigma", "h3"], ["sigma"]),
        (8, ["h3"], ["h3", "bins (all)", "bins (empty)"]),
    ],
)
def test_plot_shows_what_there_is(n_stars, quantities, titles):
    # Eight stars on 240 bins leave none that expects a star.
    grid = GRID | {"n_bins": 24 if n_stars == 30 else 240}
    result = run(KnownDispersion(), n_stars=n_stars, n_mocks=3, quantities=quantities, grids=grid)
    figure = result.plot()
    assert [ax.get_title() for ax in figure.axes] == titles
    plt.close(figure)
    assert ("cover" in str(result)) == (n_stars == 30)
    assert str(result).startswith("3 mocks (0 failed, 0 not converged): ")


# With errors as large as the dispersion, 30 % of error are 70 % of variance.
OWN = {"n_stars": 420, "err": 1.0, "n_mocks": 60, "quantities": ["v_mean", "sigma"]}


def test_own_posterior_covers_gaussian_truths():
    result = run(Veldist(num_samples=500), **OWN)
    for quantity in ("v_mean", "sigma"):
        low, high = binomial_bounds(0.68, 60)
        assert low <= row(result, quantity)["coverage68"] <= high
    bins = row(result, "bins (informative)")
    # Errors as large as the dispersion leave the shape of the LOSVD to the prior, which is centred on
    # Gaussians: the bins of one are covered more often than 68 %, 0.799 +- 0.013 in 240 mocks with another
    # seed. An excess of 0.12 is allowed for, a deficit is not.
    excess = bins["coverage68"] - 0.68
    assert -4 * bins["coverage68_err"] < excess < 0.12 + 4 * np.hypot(bins["coverage68_err"], 0.013)
    assert result.n_not_converged == 0


def test_a_wrong_error_bar_is_seen():
    result = run(WrongErrors(1.3), **OWN | {"n_mocks": 15})
    assert row(result, "sigma")["coverage68"] < binomial_bounds(0.68, 15)[0]
