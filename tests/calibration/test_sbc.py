"""Simulation-based calibration of the whole inference, and that it finds what is wrong."""

from dataclasses import replace

import numpy as np
import pytest
from astropy import units as u
from scipy.stats import kstest

from veldist.calibration import sbc
from veldist.calibration.sbc import simulation_based_calibration
from veldist.calibration.uniformity import uniformity_p_value
from veldist.errors import ConvergenceWarning
from veldist.inference import Settings
from veldist.models.losvd.basis import PriorSettings
from veldist.models.losvd.frame import Frame
from veldist.models.losvd.model import LosvdModel

FEW_COMPONENTS = PriorSettings(amplitudes=(0.35, 1.5))
QUICK = Settings(n_draws=256, n_chains=128)
N_RANKS = 63


def experiment(n_stars, err, model_stars, prior=None, settings=None, err_factor=1.0):
    # The model is that for more stars than there are, whose prior of the dispersion has one component and
    # is quicker: a posterior is calibrated with any prior.
    model = LosvdModel.build(Frame(0.0, 1.0), model_stars, err, settings=prior)
    return sbc._Experiment(
        model, model.prior, n_stars, err, err_factor, N_RANKS, settings or Settings(), seed=1
    )


def run(setup, n_simulations):
    return sbc._run(setup, n_simulations, 1, False, PriorSettings())


def outside(result):
    """Quantities outside the band that holds all Q of them at once with 99 % (Bonferroni)."""
    probability = 1.0 - 0.01 / len(result.quantities)
    return {name for name, inside in result.inside(probability).items() if not inside}


# The calibration of the engine, and the power of its test. By chance one seed in a hundred fails; the powers
# are shares of disjoint blocks of simulations in which the fault was found.


def test_ranks_of_truths_drawn_from_the_prior_are_uniform():
    result = run(experiment(60, 0.3, model_stars=1200), 170)
    assert not outside(result), result.table()
    assert result.failed.size == result.not_converged.size == 0
    assert len(result.quantities) == 13


def test_error_bars_too_large_by_0_3_are_found():
    # Power 1.00 (13 of 13) with 30 simulations, 0.60 (12 of 20) with 20.
    result = run(
        experiment(100, 1.0, model_stars=4000, prior=FEW_COMPONENTS, settings=QUICK, err_factor=1.3), 50
    )
    assert "sigma" in outside(result), result.table()
    # The posteriors' dispersions are too small.
    assert result.pit[:, result.quantities.index("sigma")].mean() > 0.5


def test_truths_that_ignore_the_weights_of_the_prior_are_found():
    # Few stars, that tell little about the component. Power 1.00 (6 of 6) with 60 simulations, 0.60 with 40.
    prior = PriorSettings(null_weight=0.7, near_weight=0.0, amplitudes=(1.5,))
    right = experiment(10, 0.3, model_stars=1200, prior=prior, settings=QUICK)
    n = right.model.prior.n_components
    wrong = replace(right, truth_prior=replace(right.truth_prior, log_weights=np.full(n, -np.log(n))))
    result = run(wrong, 100)
    assert "component_scale" in outside(result), result.table()


# The public function


def test_results_are_the_same_for_any_number_of_processes():
    arguments = {
        "n_simulations": 3,
        "n_ranks": 15,
        "prior": FEW_COMPONENTS,
        "settings": QUICK,
        "progress": False,
    }
    alone, pair = (simulation_based_calibration(150, 0.2, n_jobs=n, seed=3, **arguments) for n in (1, 2))
    np.testing.assert_array_equal(alone.pit, pair.pit)
    np.testing.assert_array_equal(alone.ranks, pair.ranks)
    assert np.all((alone.ranks >= 0) & (alone.ranks <= 15))
    np.testing.assert_array_equal(np.floor(alone.pit * 16), alone.ranks)
    # Only ratios of velocities matter.
    scaled = simulation_based_calibration(150, 2.0 * u.km / u.s, 10.0, n_jobs=1, seed=3, **arguments)
    np.testing.assert_array_equal(scaled.ranks, alone.ranks)
    assert scaled.err == 2.0
    assert scaled.sigma == 10.0


@pytest.fixture
def some_that_fail(monkeypatch):
    fit, calls = LosvdModel.fit, []

    def faulty(self, vel, err, rng, settings=None):
        calls.append(vel)
        if len(calls) % 3 == 2:
            raise FloatingPointError("made to fail")
        return fit(self, vel, err, rng, settings)

    monkeypatch.setattr(LosvdModel, "fit", faulty)


def small(**kwargs):
    arguments = {"n_simulations": 6, "n_ranks": 15, "prior": FEW_COMPONENTS, "settings": QUICK, "n_jobs": 1}
    return simulation_based_calibration(150, 0.2, progress=False, **(arguments | kwargs))


def test_simulations_that_fail_are_named_and_left_out(some_that_fail, monkeypatch):
    with pytest.warns(UserWarning, match=r"2 of 6 simulations failed.*: 1, 4; number 1 .*made to fail"):
        result = small()
    assert result.failed.tolist() == [1, 4]
    assert set(result.messages) == {1, 4}
    assert "FloatingPointError: made to fail" in result.messages[4]
    assert np.all(np.isnan(result.pit[[1, 4]]))
    assert np.all(result.ranks[[1, 4]] == -1)
    assert np.isfinite(result.pit[[0, 2, 3, 5]]).all()
    assert result.valid_pit.shape == (4, len(result.quantities))
    assert "2 FAILED and have no ranks (1, 4)" in str(result)
    assert set(4.0 * result.bands().upper) <= {0.0, 1.0, 2.0, 3.0, 4.0}
    # The others are what they would have been.
    monkeypatch.undo()
    np.testing.assert_array_equal(result.valid_pit, small().pit[[0, 2, 3, 5]])


def test_if_all_simulations_fail_so_does_the_function(monkeypatch):
    def faulty(*_, **__):
        raise FloatingPointError("made to fail")

    monkeypatch.setattr(LosvdModel, "fit", faulty)
    with pytest.raises(RuntimeError, match=r"all 2 simulations failed.*made to fail"):
        small(n_simulations=2)


def test_simulations_that_did_not_converge_are_named_and_kept():
    strict = Settings(n_draws=256, n_chains=128, rhat_max=1.0, max_doublings=0)
    with pytest.warns(ConvergenceWarning, match="2 of 2 simulations did not converge: 0, 1; .*R-hat"):
        result = small(n_simulations=2, settings=strict)
    assert result.not_converged.tolist() == [0, 1]
    assert result.failed.size == 0
    assert "R-hat" in result.messages[1]
    assert np.isfinite(result.pit).all()
    assert "2 not converged (0, 1)" in str(result)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_stars": 0}, ValueError, "n_stars must be at least 1"),
        ({"sigma": 0.0}, ValueError, "sigma must be positive"),
        ({"sigma": 2.0 * u.arcsec}, ValueError, "cannot be converted to km/s"),
        ({"err": -1.0}, ValueError, "err must be positive"),
        ({"err": [0.1, 0.2]}, ValueError, "err has 2 values for 150 stars"),
        ({"err": (0.2, 0.1)}, ValueError, "reversed"),
        ({"n_simulations": 1.5}, TypeError, "n_simulations must be an integer"),
        ({"n_ranks": 1001}, ValueError, "n_ranks = 1001 exceeds the 1000 posterior draws"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"n_jobs": 0}, ValueError, "n_jobs must be at least 1"),
        ({"prior": 0.1}, TypeError, "prior must be a PriorSettings or None, got float"),
        ({"settings": {}}, TypeError, "settings must be a Settings or None, got dict"),
    ],
)
def test_wrong_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        simulation_based_calibration(**arguments)


def test_errors_are_drawn_as_asked():
    setup, rng = experiment(40, 0.3, 150), np.random.default_rng(1)
    n_cells = setup.model.cells.widths.size
    for err, low, high in (
        (0.5 * u.km / u.s, 0.5, 0.5),
        ((100.0 * u.m / u.s, 0.3 * u.km / u.s), 0.1, 0.3),
        (np.linspace(0.1, 0.3, 40), 0.1, 0.3),
    ):
        plain = sbc._plain_errors(err, 40)
        assert np.median(plain) == pytest.approx(0.5 * (low + high))
        drawn = sbc._draw_stars(np.full(n_cells, 1 / n_cells), replace(setup, err=plain), rng)[1]
        assert drawn.shape == (40,)
        assert drawn.min() >= low
        assert drawn.max() <= high


def test_stars_follow_the_profile_of_their_cells_with_gaussian_errors():
    setup = replace(experiment(40_000, 0.01, 150), model=LosvdModel.build(Frame(5.0, 2.0), 150, 0.1))
    cells = setup.model.cells
    # A curved cell far from the centre, where its profile is steepest, and a flat one.
    for z in (3.3, 5.0):
        truth = np.zeros(cells.widths.size)
        ((k,), _) = cells.locate(np.array([z]))
        truth[k] = 1.0
        vel, err = sbc._draw_stars(truth, setup, np.random.default_rng(2))
        observed = (vel - 5.0) / 2.0
        _, mean, square = cells.moments(2)[k]
        sd = np.sqrt(square - mean**2 + 0.005**2)
        # Four standard errors; the kurtosis of a uniform distribution makes that of the dispersion smaller.
        assert abs(observed.mean() - mean) < 4 * sd / np.sqrt(vel.size)
        assert abs(observed.std() / sd - 1) < 4 / np.sqrt(2 * vel.size)
        middle = 0.5 * (cells.edges[k] + cells.edges[k + 1])
        assert (mean < middle - 0.02 * sd) == (z < 4.0)


# Ranks


def test_truths_from_the_same_distribution_as_the_draws_have_uniform_pit():
    rng = np.random.default_rng(4)
    n, n_ranks = 4000, 15
    # A continuous quantity, one with two values, one that is all ties, one that differs by rounding only.
    values = np.stack(
        [
            rng.standard_normal((n_ranks + 1, n)),
            1.0 * (rng.random((n_ranks + 1, n)) < 0.05),
            np.zeros((n_ranks + 1, n)),
            3.0 + 1e-12 * np.arange(n_ranks + 1)[:, None] * np.ones(n),
        ],
        axis=2,
    )
    ranks = np.array([sbc._ranks(values[0, k], values[1:, k], rng) for k in range(n)])
    pit = (ranks + rng.random(ranks.shape)) / (n_ranks + 1)
    # Four quantities in two tests each: the smallest p value is below 0.001 once in a hundred seeds.
    for column in pit.T:
        assert kstest(column, "uniform").pvalue > 0.001
        assert uniformity_p_value(column, n_ranks) > 0.001


def test_a_rank_counts_the_draws_below():
    rng = np.random.default_rng(0)
    draws = np.array([[1.0, 1.0, -np.inf], [2.0, 1.0, 0.0], [3.0, 5.0, -np.inf]])
    ranks = np.array([sbc._ranks(np.array([2.5, 1.0, -np.inf]), draws, rng) for _ in range(200)])
    assert set(ranks[:, 0]) == {2}
    assert set(ranks[:, 1]) == set(ranks[:, 2]) == {0, 1, 2}
