"""The record of one bin."""

import pickle
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from tests.helpers.quick import GRID, RUN, quick_solver
from tests.helpers.solvers import EDGES, gaussian_solver, some_stars
from veldist import KinematicSolver, OrderError
from veldist.fits import clipping
from veldist.fits.fit import Fit
from veldist.fits.grid import VelocityGrid


@pytest.fixture(scope="module")
def fit():
    return quick_solver().fit


def test_a_fit_does_not_change(fit):
    for field in fields(Fit):
        with pytest.raises(FrozenInstanceError):
            setattr(fit, field.name, None)
    with pytest.raises(AttributeError):
        fit.n_stars = 3


def test_a_fit_knows_nothing_before_it_knows_anything():
    empty = Fit()
    assert (empty.n_stars, empty.diagnostics, empty.samples) == (0, None, None)
    assert some_stars(7).n_stars == 7
    # Neither a grid without draws, nor draws of which there is no grid.
    assert replace(some_stars(7), grid=VelocityGrid(EDGES, 120.0)).samples is None
    for method, caller in (("clip", "clip_uncertainties"), ("truncate", "truncate_losvd")):
        arguments = () if method == "clip" else (3.0,)
        with pytest.raises(OrderError, match=rf"{caller}\(\) needs draws: call run\(\) first"):
            getattr(some_stars(7), method)(*arguments)
    with pytest.raises(OrderError, match=r"clip_uncertainties\(\) needs draws"):
        _ = some_stars(7).summary
    with pytest.raises(OrderError, match=r"somebody\(\) needs draws"):
        Fit().need_draws("somebody()")


def test_draws_follow_from_the_posterior_and_the_grid(fit):
    masses, outside = fit.posterior.bin_masses(fit.grid.edges)
    assert masses.shape[0] > fit.num_samples == 60
    assert np.array_equal(fit.samples["intrinsic_pdf"], masses[:60])
    assert np.array_equal(fit.samples["outside_grid"], outside[:60])
    assert fit.samples is fit.samples
    coarse = replace(fit, grid=VelocityGrid.of(0.0, 160.0, 8))
    assert np.allclose(coarse.samples["intrinsic_pdf"], masses[:60].reshape(60, 8, 4).sum(axis=2), atol=1e-12)
    assert fit.samples["intrinsic_pdf"].shape == (60, 32)
    assert fit.diagnostics is fit.posterior.posterior.diagnostics
    samples, grid = fit.need_draws("somebody()")
    assert samples is fit.samples
    assert grid is fit.grid


def test_draws_of_their_own_come_before_those_of_the_posterior(fit):
    own = {"intrinsic_pdf": np.full((3, 32), 1 / 32)}
    changed = replace(fit, draws=own)
    assert changed.samples == own
    assert changed.diagnostics is fit.diagnostics


def test_pickling_leaves_behind_what_follows_from_the_rest(fit):
    alone = replace(fit)
    before = len(pickle.dumps(alone))
    expected = alone.samples
    assert "samples" in vars(alone)
    data = pickle.dumps(alone)
    assert len(data) == before
    again = pickle.loads(data)
    assert "samples" not in vars(again)
    assert again.num_samples == 60
    for key, values in expected.items():
        assert np.array_equal(again.samples[key], values)
    for key, values in fit.clipped.items():
        assert np.array_equal(again.clipped[key], values)
    # Given draws are no consequence.
    made = gaussian_solver().fit
    again = pickle.loads(pickle.dumps(made))
    assert np.array_equal(again.samples["intrinsic_pdf"], made.samples["intrinsic_pdf"])


def test_the_summary_is_that_of_the_defaults_until_there_is_another():
    fit = gaussian_solver().fit
    expected = clipping.clip(fit.samples["intrinsic_pdf"], clipping.FLOOR_FRACTION, clipping.ABS_FLOOR)
    assert fit.clipped is None
    for name, values in fit.summary.items():
        assert np.array_equal(values, expected[name])
    # Nothing was kept.
    assert fit.clipped is None
    coarse = fit.clip(0.3)
    assert coarse.summary is coarse.clipped
    assert coarse.clipped["floor_fraction"] == 0.3
    assert fit.clipped is None
    low, median, high = np.percentile(fit.samples["intrinsic_pdf"], [16, 50, 84], axis=0)
    floor = 0.3 * median.max()
    assert np.allclose(coarse.clipped["losvd_uncertainty"], np.maximum(0.5 * (high - low), floor))


def test_truncating_starts_from_the_summary_there_is():
    fit = gaussian_solver().fit
    for before in (fit, fit.clip(0.2)):
        after = before.truncate(1.5)
        expected = clipping.truncate(dict(before.summary), fit.grid.centers, 1.5, clipping.ABS_FLOOR)
        for name, values in after.clipped.items():
            assert np.array_equal(values, expected[name])
        assert not np.array_equal(after.clipped["losvd_median"], before.summary["losvd_median"])
        assert after.samples["intrinsic_pdf"] is fit.draws["intrinsic_pdf"]


def test_a_solver_is_a_thin_face_of_its_fit(fit):
    solver = KinematicSolver.from_fit(fit)
    assert solver.fit is fit
    assert solver.vel is fit.stars.vel
    assert solver.err is fit.stars.err
    assert solver.samples is fit.samples
    assert solver.posterior is fit.posterior
    assert solver.grid.keys() == {"centers", "edges", "width", "n_bins", "bin_width"}
    assert solver.grid["edges"] is fit.grid.edges
    for name in ("samples", "grid", "vel", "err", "posterior", "diagnostics"):
        with pytest.raises(AttributeError):
            setattr(solver, name, None)
    # A method changes which fit the solver holds, not the fit.
    solver.setup_grid(0.0, 120.0, 20)
    solver.clip_uncertainties(0.5)
    assert solver.fit is not fit
    assert fit.grid.n_bins == 32
    assert fit.clipped["floor_fraction"] == 0.01
    solver.clipped_samples = None
    assert solver.fit.clipped is None


def test_other_stars_leave_nothing_of_the_former_fit(fit):
    solver = KinematicSolver.from_fit(fit)
    solver.add_data([1.0, 2.0], 1.0)
    assert solver.posterior is solver.samples is solver.clipped_samples is None
    assert solver.grid["n_bins"] == GRID["n_bins"]
    solver.run(**RUN)
    assert solver.n_stars == 2
    assert fit.n_stars == 50
