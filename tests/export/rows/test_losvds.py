from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from veldist.errors import GridWarning, OrderError
from veldist.export.dynamite.doubts import warn_cut, warn_doubtful, warn_misplaced
from veldist.export.dynamite.layout import read_layout
from veldist.export.rows.losvds import SolvedBins, collect_losvds, find_solved

N = 24


def make_grid(center: float = 5.0, width: float = 240.0, n: int = N) -> dict[str, Any]:
    edges = center + np.linspace(-0.5 * width, 0.5 * width, n + 1)
    return {"centers": 0.5 * (edges[1:] + edges[:-1]), "edges": edges, "width": width, "n_bins": n}


class Run:
    """Stand-in for a solver that has been run, but not clipped: flat masses with empty outermost bins."""

    def __init__(self, **kwargs: Any) -> None:
        self.grid: Any = make_grid()
        self.n_stars: Any = 100
        self.samples: Any = {}
        self.clipped_samples: Any = None
        self.median = np.full(N, 0.97 / (N - 2))
        self.median[[0, -1]] = 0.0
        self.uncertainty = np.full(N, 0.01)
        self.clip_calls = 0
        for name, value in kwargs.items():
            setattr(self, name, value)

    def clip_uncertainties(self) -> None:
        self.clip_calls += 1
        self.clipped_samples = {"losvd_median": self.median, "losvd_uncertainty": self.uncertainty}


def with_value(which: str, value: float) -> Run:
    solver = Run()
    getattr(solver, which)[7] = value
    return solver


def collect(solvers: Any) -> SolvedBins:
    return collect_losvds(solvers, find_solved(solvers))


def test_rows_follow_the_solvers() -> None:
    solvers = [None, Run(n_stars=3), Run(n_stars=np.int64(5), median=np.full(N, 1 / N)), None]
    rows = collect(solvers)
    assert rows.solved.tolist() == [False, True, True, False]
    assert rows.n_stars.tolist() == [3, 5]
    assert rows.dv == 10.0
    np.testing.assert_array_equal(rows.centers, make_grid()["centers"])
    np.testing.assert_array_equal(rows.losvd, [solvers[1].median, solvers[2].median])
    np.testing.assert_array_equal(rows.dlosvd, [solvers[1].uncertainty, solvers[2].uncertainty])


def test_clip_is_called_only_where_it_has_not_been() -> None:
    fresh = Run()
    clipped = Run(clipped_samples={"losvd_median": np.full(N, 1 / N), "losvd_uncertainty": np.full(N, 0.3)})
    rows = collect([fresh, clipped])
    assert (fresh.clip_calls, clipped.clip_calls) == (1, 0)
    assert (rows.dlosvd[1] == 0.3).all()


def test_moments_of_a_flat_losvd() -> None:
    """n equal masses at spacing dv have dispersion dv sqrt((n^2 - 1) / 12), whatever their sum."""
    v, sigma = collect([Run()]).moments()
    assert v[0] == pytest.approx(5.0, abs=1e-12)
    assert sigma[0] == pytest.approx(10.0 * math.sqrt(((N - 2) ** 2 - 1) / 12.0), rel=1e-13)


def test_moments_of_a_single_bin() -> None:
    median = np.zeros(N)
    median[3] = 0.4
    v, sigma = collect([Run(median=median)]).moments()
    assert v[0] == pytest.approx(make_grid()["centers"][3], rel=1e-14)
    assert sigma[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("solvers", "error", "match"),
    [
        (Run(), TypeError, "must be a list with one solver .* got Run"),
        (None, TypeError, "got NoneType"),
        ([], ValueError, "solvers is empty"),
        ([None, None], ValueError, "all 2 entries of solvers are None"),
        ([Run(), "x"], TypeError, r"solvers\[1\] must be a KinematicSolver or None, got str"),
        ([Run(samples=None), Run()], OrderError, r"run\(\) has not been called in 1 of 2 bins \(index 0\)"),
        ([Run(), Run(grid=None)], OrderError, r"run\(\) has not been called in 1 of 2 bins \(index 1\)"),
        ([Run(), Run(median=np.ones(3))], ValueError, r"solvers\[1\].*shape \(3,\), but the grid has 24"),
        ([Run(clipped_samples={"losvd_median": 1})], ValueError, r"lacks \['losvd_uncertainty'\]"),
        ([Run(), Run(grid={"edges": 1})], ValueError, r"solvers\[1\].grid lacks \['centers', 'n_bins'\]"),
        ([Run(n_stars=0)], ValueError, r"solvers\[0\].n_stars must be at least 1, got 0"),
        ([Run(), Run(n_stars=3.5)], TypeError, r"solvers\[1\].n_stars must be an integer, got 3.5"),
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
    solvers = [None, Run(), with_value(which, value), Run(), with_value(which, value)]
    with pytest.raises(ValueError, match=match + r" 2 of 5 bins \(indices 2, 4\)"):
        collect(solvers)


def test_opposite_infinities() -> None:
    solver = with_value("median", np.inf)
    solver.median[8] = -np.inf
    with pytest.raises(ValueError, match="losvd_median is NaN or infinite in 1 of 1"):
        collect([solver])


def test_no_mass_at_all() -> None:
    with pytest.raises(ValueError, match="zero in every velocity bin in 1 of 1"):
        collect([Run(median=np.zeros(N))])


@pytest.mark.parametrize("other", [make_grid(center=5.1), make_grid(width=241.0)])
def test_different_grids_name_the_bins(other: dict[str, Any]) -> None:
    match = r"1 of 4 bins \(index 3\) have another velocity grid than solvers\[1\] \(24 bins from"
    with pytest.raises(ValueError, match=match):
        collect([None, Run(), Run(), Run(grid=other)])


def test_different_number_of_velocity_bins() -> None:
    match = r"\(index 1\) have another .*\(12 bins from -115 to 125 km/s against 24 from -115 to 125 km/s\)"
    with pytest.raises(ValueError, match=match):
        collect([Run(), Run(grid=make_grid(n=12), median=np.full(12, 1 / 12))])


def bad_grids() -> list[tuple[dict[str, Any], str]]:
    descending, uneven, shifted, broken, endless, short = (make_grid() for _ in range(6))
    for key in ("centers", "edges"):
        descending[key] = descending[key][::-1]
    uneven["edges"][3] += 1.0
    shifted["centers"] += 5.0
    broken["edges"][4] = np.nan
    endless["edges"][[0, -1]] = -np.inf, np.inf
    short["edges"] = short["edges"][:-1]
    ascending = "must have ascending, equally wide velocity bins"
    return [(g, ascending) for g in (descending, uneven, shifted, broken, endless)] + [
        (short, "edges of shape")
    ]


@pytest.mark.parametrize(("grid", "match"), bad_grids())
def test_bad_grids(grid: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        collect([Run(grid=grid)])


@pytest.mark.parametrize("edge", [0, -1])
def test_half_a_percent_in_an_outermost_bin_is_the_limit(edge: int) -> None:
    solver = Run()
    rest = solver.median.sum()
    solver.median[edge] = rest * 0.0049 / (1 - 0.0049)
    solver.clip_uncertainties()
    warn_cut([solver], stacklevel=1)  # no warning: pytest makes them errors
    solver.median[edge] = rest * 0.0051 / (1 - 0.0051)
    with pytest.warns(GridWarning, match=r"more than 0.5% of the mass in 1 of 2 bins \(index 1\).* 0.51%"):
        warn_cut([None, solver], stacklevel=1)


def test_densities_are_noticed() -> None:
    """Bins of 10 km/s: densities sum to a tenth of the masses."""
    solver = Run(median=Run().median / 10.0)
    match = r"less than 0.5 in 1 of 2 bins \(index 1\); the worst is index 1 with 0.097.* densities instead"
    with pytest.warns(UserWarning, match=match):
        warn_doubtful(collect([Run(), solver]), stacklevel=1)


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
