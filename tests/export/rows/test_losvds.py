from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.helpers.export_solvers import gaussian_solver
from tests.helpers.solvers import some_stars
from veldist import KinematicSolver
from veldist.errors import GridWarning, OrderError
from veldist.export.dynamite.doubts import warn_cut, warn_doubtful, warn_misplaced
from veldist.export.dynamite.layout import read_layout
from veldist.export.rows.losvds import SolvedBins, check_solved, collect_losvds, losvd_row, read_rows
from veldist.fits.draws import check_fits, is_fitted
from veldist.fits.fit import Fit
from veldist.fits.grid import VelocityGrid

N = 24
GRID = VelocityGrid.of(5.0, 240.0, N)


def flat() -> np.ndarray:
    """Flat masses with empty outermost bins."""
    masses = np.full(N, 0.97 / (N - 2))
    masses[[0, -1]] = 0.0
    return masses


def make_fit(median: Any = None, uncertainty: Any = None, n_stars: int = 100, **changes: Any) -> Fit:
    """A fit of which the summary of its draws is known."""
    clipped = {
        "losvd_median": flat() if median is None else median,
        "losvd_uncertainty": np.full(N, 0.01) if uncertainty is None else uncertainty,
    }
    return replace(some_stars(n_stars), **{"grid": GRID, "draws": {}, "clipped": clipped} | changes)


def with_value(which: str, value: float) -> Fit:
    values = {"median": flat(), "uncertainty": np.full(N, 0.01)}[which]
    values[7] = value
    return make_fit(**{which: values})


def collect(solvers: Any) -> SolvedBins:
    """As the writers do it."""
    fits = check_fits(solvers)
    check_solved(is_fitted(fits))
    return collect_losvds(read_rows(fits), len(fits))


def test_rows_follow_the_solvers() -> None:
    fits = [None, make_fit(n_stars=3), make_fit(n_stars=5, median=np.full(N, 1 / N)), None]
    solvers = [None if fit is None else KinematicSolver.from_fit(fit) for fit in fits]
    for given in (fits, solvers):
        rows = collect(given)
        assert rows.solved.tolist() == [False, True, True, False]
        assert rows.n_stars.tolist() == [3, 5]
        assert rows.dv == 10.0
        np.testing.assert_array_equal(rows.centers, GRID.centers)
        np.testing.assert_array_equal(rows.losvd, [flat(), np.full(N, 1 / N)])
        np.testing.assert_array_equal(rows.dlosvd, np.full((2, N), 0.01))


def test_draws_are_clipped_only_where_they_have_not_been() -> None:
    clipped = gaussian_solver(seed=1)
    clipped.clip_uncertainties(floor_fraction=0.2)
    fresh = KinematicSolver.from_fit(replace(clipped.fit, clipped=None))
    rows = collect([fresh, clipped])
    # With the defaults, and the user's solver stays as it was.
    assert fresh.clipped_samples is None
    for key, row in zip(("losvd_median", "losvd_uncertainty"), (rows.losvd, rows.dlosvd), strict=True):
        np.testing.assert_array_equal(row[0], fresh.clip_uncertainties()[key])
        np.testing.assert_array_equal(row[1], clipped.clipped_samples[key])
    assert not np.array_equal(rows.dlosvd[0], rows.dlosvd[1])


def test_a_bin_that_has_not_been_fitted_has_no_row() -> None:
    assert losvd_row(0, some_stars(4)) is None


def test_moments_of_a_flat_losvd() -> None:
    """n equal masses at spacing dv have dispersion dv sqrt((n^2 - 1) / 12), whatever their sum."""
    v, sigma = collect([make_fit()]).moments()
    assert v[0] == pytest.approx(5.0, abs=1e-12)
    assert sigma[0] == pytest.approx(10.0 * math.sqrt(((N - 2) ** 2 - 1) / 12.0), rel=1e-13)


def test_moments_of_a_single_bin() -> None:
    median = np.zeros(N)
    median[3] = 0.4
    v, sigma = collect([make_fit(median=median)]).moments()
    assert v[0] == pytest.approx(GRID.centers[3], rel=1e-14)
    assert sigma[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("solvers", "error", "match"),
    [
        (KinematicSolver(), TypeError, r"got KinematicSolver: pass a list, \[solver\] for a single one"),
        (None, TypeError, "solvers must be a sequence of one solver .* got NoneType"),
        ([], ValueError, "solvers is empty"),
        ([None, None], ValueError, "all 2 entries of solvers are None"),
        ([make_fit(), "x"], TypeError, r"solvers\[1\] must be a KinematicSolver or None, got str"),
        (
            [make_fit(draws=None), make_fit()],
            OrderError,
            r"run\(\) has not .* in 1 of 2 bins \(index 0\)",
        ),
        (
            [make_fit(), make_fit(grid=None)],
            OrderError,
            r"run\(\) has not .* in 1 of 2 bins \(index 1\)",
        ),
        (
            [make_fit(), make_fit(median=np.ones(3))],
            ValueError,
            r"solvers\[1\].*shape \(3,\), but the grid has 24",
        ),
        ([make_fit(clipped={"losvd_median": 1})], ValueError, r"lacks \['losvd_uncertainty'\]"),
        ([make_fit(stars=None)], ValueError, r"solvers\[0\].n_stars must be at least 1, got 0"),
    ],
)
def test_bad_solvers(solvers: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        collect(solvers)


@pytest.mark.parametrize(
    ("which", "value", "match"),
    [
        ("median", np.nan, "losvd_median is NaN or infinite in"),
        ("median", np.inf, "losvd_median is NaN or infinite in"),
        ("median", -1e-12, "losvd_median is negative in"),
        ("median", 1.5, "sums to more than 2 in"),
        ("uncertainty", np.nan, "losvd_uncertainty is NaN or infinite in"),
        ("uncertainty", 0.0, "losvd_uncertainty is zero or negative in"),
        ("uncertainty", -0.1, "losvd_uncertainty is zero or negative in"),
    ],
)
def test_bad_masses_name_the_bins(which: str, value: float, match: str) -> None:
    solvers = [None, make_fit(), with_value(which, value), make_fit(), with_value(which, value)]
    with pytest.raises(ValueError, match=match + r" 2 of 5 bins \(indices 2, 4\)"):
        collect(solvers)


def test_opposite_infinities() -> None:
    median = flat()
    median[[7, 8]] = np.inf, -np.inf
    with pytest.raises(ValueError, match="losvd_median is NaN or infinite in 1 of 1"):
        collect([make_fit(median)])


def test_no_mass_at_all() -> None:
    with pytest.raises(ValueError, match="zero in every velocity bin in 1 of 1"):
        collect([make_fit(median=np.zeros(N))])


@pytest.mark.parametrize("other", [VelocityGrid.of(5.1, 240.0, N), VelocityGrid.of(5.0, 241.0, N)])
def test_different_grids_name_the_bins(other: VelocityGrid) -> None:
    match = r"1 of 4 bins \(index 3\) have another velocity grid than solvers\[1\] \(24 bins from"
    with pytest.raises(ValueError, match=match):
        collect([None, make_fit(), make_fit(), make_fit(grid=other)])


def test_different_number_of_velocity_bins() -> None:
    match = r"\(index 1\) have another .*\(12 bins from -115 to 125 km/s against 24 from -115 to 125 km/s\)"
    with pytest.raises(ValueError, match=match):
        collect([make_fit(), make_fit(grid=VelocityGrid.of(5.0, 240.0, 12), median=np.full(12, 1 / 12))])


def bad_edges() -> list[np.ndarray]:
    uneven, broken, endless = (GRID.edges.copy() for _ in range(3))
    uneven[3] += 1.0
    broken[4] = np.nan
    endless[[0, -1]] = -np.inf, np.inf
    return [GRID.edges[::-1], uneven, broken, endless]


@pytest.mark.parametrize("edges", bad_edges(), ids=["descending", "uneven", "NaN", "endless"])
def test_bad_grids(edges: np.ndarray) -> None:
    with pytest.raises(ValueError, match="must have ascending, equally wide velocity bins"):
        collect([make_fit(grid=VelocityGrid(edges, 240.0))])


@pytest.mark.parametrize("edge", [0, -1])
def test_half_a_percent_in_an_outermost_bin_is_the_limit(edge: int) -> None:
    def cuts(share: float) -> Any:
        median = flat()
        median[edge] = median.sum() * share / (1 - share)
        return {1: read_rows([None, make_fit(median)])[1].cut}

    warn_cut(cuts(0.0049), 2, stacklevel=1)  # no warning: pytest makes them errors
    with pytest.warns(GridWarning, match=r"more than 0.5% of the mass in 1 of 2 bins \(index 1\).* 0.51%"):
        warn_cut(cuts(0.0051), 2, stacklevel=1)


def test_densities_are_noticed() -> None:
    """Bins of 10 km/s: densities sum to a tenth of the masses."""
    solver = make_fit(flat() / 10.0)
    match = r"less than 0.5 in 1 of 2 bins \(index 1\); the worst is index 1 with 0.097.* densities instead"
    with pytest.warns(UserWarning, match=match):
        warn_doubtful(collect([make_fit(), solver]), stacklevel=1)


def layout(ids: Any, angle: float = 0.0) -> Any:
    """Six bins in a row of 3 x 2 pixels of 10 arcsec, centres in the middle of their own pixels."""
    bins = [{"xbin": 10.0 * (k % 3) + 5.0, "ybin": 10.0 * (k // 3) + 5.0} for k in range(6)]
    aperture = {"x_start": 0, "y_start": 0, "x_size": 30, "y_size": 20, "angle_deg": angle, "nx": 3, "ny": 2}
    psf = {"sigma": [0.1], "weight": [1.0]}
    metadata = {"bins": bins, "aperture": aperture, "pixel_bin_ids": ids, "psf": psf}
    return read_layout(metadata, np.ones(6, dtype=bool), with_flux=False)


def test_bins_in_their_own_pixels_are_not_doubted() -> None:
    warn_misplaced(layout(np.arange(1, 7).reshape(2, 3)), stacklevel=1)
    # Nor is a rotated aperture, or two bins out of six in each other's pixels.
    warn_misplaced(layout(np.arange(1, 7), angle=30.0), stacklevel=1)
    warn_misplaced(layout(np.array([2, 1, 3, 4, 5, 6])), stacklevel=1)


def test_rings_are_not_doubted() -> None:
    """All centres lie in the innermost ring."""
    x, y = np.meshgrid(np.arange(-6, 7), np.arange(-6, 7))
    rings = (np.hypot(x, y) // 2).astype(int) + 1
    aperture = {"x_start": -6.5, "y_start": -6.5, "x_size": 13, "y_size": 13, "angle_deg": 20.0}
    metadata = {
        "bins": [{"xbin": 0.01, "ybin": -0.02}] * int(rings.max()),
        "aperture": aperture | {"nx": 13, "ny": 13},
        "pixel_bin_ids": rings,
        "psf": {"sigma": [0.1], "weight": [1.0]},
    }
    warn_misplaced(read_layout(metadata, np.ones(rings.max(), dtype=bool), with_flux=False), stacklevel=1)


def test_a_shifted_or_flipped_pixel_map_is_warned_about() -> None:
    for ids in ([2, 3, 4, 5, 6, 1], [6, 5, 4, 3, 2, 1]):
        with pytest.warns(UserWarning, match="centres .* of 6 of 6 solved bins lie in pixels of another bin"):
            warn_misplaced(layout(np.array(ids)), stacklevel=1)
