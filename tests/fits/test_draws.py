"""Solvers and fits at the doors of the package, and their draws."""

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.quick import quick_solver
from tests.helpers.solvers import EDGES, gaussian_solver, some_stars
from veldist.fits.draws import as_fit, check_fits, fit_draws, is_fitted, resolved_draws
from veldist.fits.fit import Fit
from veldist.fits.grid import VelocityGrid


def test_a_solver_and_its_fit_are_the_same():
    solver = gaussian_solver()
    assert as_fit(solver, "it") is solver.fit
    assert as_fit(solver.fit, "it") is solver.fit


class NoSolver:
    fit = "well"


@pytest.mark.parametrize("other", [1.0, "solver", {"fit": 1}, NoSolver(), np.polyfit, Fit, None])
def test_what_is_neither_is_refused_by_name(other):
    kind = type(other).__name__
    with pytest.raises(TypeError, match=rf"solvers\[3\] must be a KinematicSolver or None, got {kind}"):
        as_fit(other, "solvers[3]")


def test_lists_and_tuples_of_solvers_fits_and_none():
    solver, other = gaussian_solver(), gaussian_solver(mean=3.0)
    for sequence in ([solver, None, other.fit], (solver.fit, None, other)):
        fits = check_fits(sequence)
        assert len(fits) == 3
        assert fits[0] is solver.fit
        assert fits[1] is None
        assert fits[-1] is other.fit
        assert [fit is None for fit in fits] == [False, True, False]
        assert list(fits[::-1]) == [other.fit, None, solver.fit]
        assert check_fits(fits) is fits
        assert list(is_fitted(fits)) == [True, False, True]
        with pytest.raises(IndexError):
            fits[3]
    # Objects in an array, as users keep them.
    array = np.array([solver, None], dtype=object)
    assert check_fits(array)[0] is solver.fit


def test_a_wrong_item_is_told_when_it_is_looked_at():
    fits = check_fits([gaussian_solver(), None, "bin 3", 4])
    assert fits[0] is not None
    for k, kind in ((2, "str"), (3, "int")):
        with pytest.raises(TypeError, match=rf"solvers\[{k}\] must be a KinematicSolver or None, got {kind}"):
            fits[k]
    with pytest.raises(TypeError, match=r"solvers\[2\]"):
        is_fitted(fits)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (gaussian_solver(), "KinematicSolver"),
        (gaussian_solver().fit, "Fit"),
        ((s for s in [gaussian_solver()]), "generator"),
        ({0: gaussian_solver()}, "dict"),
        ({gaussian_solver()}, "set"),
        ("solvers", "str"),
        (None, "NoneType"),
        (3, "int"),
    ],
)
def test_what_is_no_sequence_is_refused_with_the_cure(wrong, kind):
    with pytest.raises(TypeError, match=rf"got {kind}: pass a list, \[solver\] for a single one"):
        check_fits(wrong)


@pytest.mark.parametrize("empty", [[], ()])
def test_there_must_be_a_bin(empty):
    with pytest.raises(ValueError, match="solvers is empty: pass one solver"):
        check_fits(empty)


class Lazy:
    """Makes solvers when asked, and notes when that was."""

    def __init__(self, n):
        self.n, self.read = n, []

    def __len__(self):
        return self.n

    def __getitem__(self, k):
        if not 0 <= k < self.n:
            raise IndexError(k)
        self.read.append(k)
        return None if k == 1 else gaussian_solver(mean=float(k), n_draws=5)


def test_what_lives_elsewhere_is_read_when_it_is_looked_at():
    lazy = Lazy(4)
    fits = check_fits(lazy)
    assert len(fits) == 4
    assert lazy.read == []
    assert fits[2].n_stars == 80
    assert lazy.read == [2]
    # Not kept.
    assert fits[2] is not fits[2]
    assert lazy.read == [2, 2, 2]
    assert list(is_fitted(fits)) == [True, False, True, True]


class Known(Lazy):
    fitted = np.array([True, False, True])

    @property
    def fits(self):
        return self if self.n == 3 else [None]


def test_a_map_that_knows_its_fits_is_asked_for_them():
    lazy = Known(4)
    assert check_fits(lazy) == [None]
    assert lazy.read == []


def test_a_map_that_knows_what_is_fitted_is_not_read():
    lazy = Known(3)
    assert list(is_fitted(lazy)) == [True, False, True]
    assert lazy.read == []


def test_draws_are_checked_masses_between_edges():
    solver = gaussian_solver()
    masses, edges = fit_draws(solver.fit, 0)
    np.testing.assert_allclose(masses, solver.samples["intrinsic_pdf"], rtol=1e-13)
    assert np.allclose(edges, EDGES, rtol=1e-12)


def test_wrong_draws_name_the_solver():
    fit = gaussian_solver().fit
    masses = fit.draws["intrinsic_pdf"]
    for missing in (some_stars(5), replace(fit, draws={}), replace(fit, grid=None), Fit()):
        with pytest.raises(ValueError, match=r"solvers\[4\] has no samples\['intrinsic_pdf'\]: call its run"):
            fit_draws(missing, 4)
    for wrong in (masses / 5.0, -masses, np.where(masses == masses.max(), np.nan, masses), masses[:, :-1]):
        with pytest.raises(ValueError, match=r"solvers\[4\]\.samples\['intrinsic_pdf'\]"):
            fit_draws(replace(fit, draws={"intrinsic_pdf": wrong}), 4)
    uneven = VelocityGrid(EDGES + np.linspace(0.0, 1.0, EDGES.size) ** 2, 121.0)
    with pytest.raises(ValueError, match=r"solvers\[4\]\.grid\['centers'\]"):
        fit_draws(replace(fit, grid=uneven), 4)


def test_coarse_grids_are_divided_where_there_is_a_posterior():
    solver = quick_solver()
    scale = solver.posterior.frame.scale
    fine = replace(solver.fit, grid=VelocityGrid.of(0.0, 160.0, int(np.ceil(160.0 / (0.4 * scale)))))
    assert all(np.array_equal(a, b) for a, b in zip(resolved_draws(fine, 0), fit_draws(fine, 0), strict=True))
    coarse = replace(solver.fit, grid=VelocityGrid.of(0.0, 160.0, 4))
    masses, edges = resolved_draws(coarse, 0)
    assert edges[1] - edges[0] <= 0.25 * scale * (1 + 1e-9)
    assert np.array_equal(edges[:: (edges.size - 1) // 4], coarse.grid.edges)
    # The same draws: the parts of a bin sum to it.
    parts = masses.reshape(60, 4, -1).sum(axis=2)
    assert np.allclose(parts, coarse.samples["intrinsic_pdf"], atol=1e-12)
    # Draws alone cannot be divided.
    wide = np.linspace(-200.0, 200.0, 11)
    alone = gaussian_solver(edges=wide).fit
    assert resolved_draws(alone, 0)[0].shape == (60, 10)
    # Nor more finely than is affordable.
    endless = replace(solver.fit, grid=VelocityGrid.of(0.0, 1e5, 3))
    assert resolved_draws(endless, 0)[0].shape == (60, 150)
