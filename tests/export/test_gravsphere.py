"""Radial profiles and virial shape parameters, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from scipy import stats

from tests.helpers.export_solvers import gaussian_solver
from tests.helpers.solvers import made_solver
from veldist.export.gravsphere import radial_profile, write_gravsphere_profile
from veldist.fits.grid import VelocityGrid

FINE = np.linspace(-150, 150, 151)


def profile_solvers(n=40, **options):
    """Isothermal: 20 km/s at all radii, hardly uncertain."""
    return [gaussian_solver(0.0, 20.0, seed=k, edges=FINE, **{"scatter": 1e-6, **options}) for k in range(n)]


def test_isothermal_gaussians_have_the_closed_form():
    """<v^4> = 3 sigma^4: v_s1 = 3 sigma^4 / 2 pi, and v_s2 the same times <R^2>."""
    radius = np.linspace(1.0, 50.0, 40)
    profile = radial_profile(profile_solvers(), radius)
    np.testing.assert_allclose(profile.sigma, 20.0, rtol=1e-3)
    np.testing.assert_allclose(profile.kurtosis, 3.0, rtol=2e-3)
    np.testing.assert_allclose(profile.vs1, 3 * 20.0**4 / (2 * np.pi), rtol=5e-3)
    np.testing.assert_allclose(profile.vs2, 3 * 20.0**4 / (2 * np.pi) * np.mean(radius**2), rtol=5e-3)


def test_the_weights_make_it_the_integral():
    """Plummer's surface density, v^4 of 3 sigma^4 with sigma falling: the integrals by quadrature."""
    radius = np.linspace(0.25, 100.0, 200)
    surface = (1 + (radius / 20.0) ** 2) ** -2
    sigma = 25.0 * (1 + (radius / 20.0) ** 2) ** -0.25
    weight = 2 * np.pi * surface * radius
    solvers = [
        gaussian_solver(0.0, s, seed=k, n_draws=3, scatter=1e-6, edges=FINE) for k, s in enumerate(sigma)
    ]
    profile = radial_profile(solvers, radius, weight=weight)
    norm = np.trapezoid(weight, radius)
    for power, found in ((1, profile.vs1), (3, profile.vs2)):
        exact = np.trapezoid(surface / norm * 3 * sigma**4 * radius**power, radius)
        np.testing.assert_allclose(found, exact, rtol=1e-2)


def test_a_systemic_velocity_is_taken_out():
    shifted = [gaussian_solver(30.0, 20.0, seed=k, edges=FINE, scatter=1e-6) for k in range(3)]
    profile = radial_profile(shifted, [1.0, 2.0, 3.0], v_systemic=30.0)
    np.testing.assert_allclose(profile.kurtosis, 3.0, rtol=2e-3)
    # Not taken out it adds to both moments: <v^4> = 3 s^4 + 6 s^2 d^2 + d^4.
    profile = radial_profile(shifted, [1.0, 2.0, 3.0])
    np.testing.assert_allclose(profile.sigma**2, 20.0**2 + 30.0**2, rtol=1e-3)
    np.testing.assert_allclose(profile.v4, 3 * 20.0**4 + 6 * (20 * 30.0) ** 2 + 30.0**4, rtol=2e-3)


def test_draws_and_table_agree(tmp_path):
    solvers = [gaussian_solver(0.0, 15.0 + k, seed=k, n_stars=50 + k, edges=FINE) for k in range(4)]
    solvers[2] = None
    table_path, samples_path = write_gravsphere_profile(
        solvers, tmp_path / "profile.ecsv", [1.0, 2.0, 3.0, 4.0]
    )
    table, samples = Table.read(table_path, format="ascii.ecsv"), np.load(samples_path)
    assert list(table["bin_id"]) == [1, 2, 4]
    assert list(table["R"]) == [1.0, 2.0, 4.0]
    np.testing.assert_allclose(table["weight"], np.array([50, 51, 53]) / 154)
    for name in ("sigma", "kurtosis", "v4"):
        low, median, high = np.percentile(samples[name], [16, 50, 84], axis=1)
        np.testing.assert_allclose(table[name], median)
        np.testing.assert_allclose(table[f"d{name}"], 0.5 * (high - low))
    for name in ("vs1", "vs2"):
        assert table.meta[name] == pytest.approx(np.median(samples[name]))
    write_gravsphere_profile(solvers, tmp_path / "profile.txt", [1.0, 2.0, 3.0, 4.0])
    assert np.loadtxt(tmp_path / "profile.txt").shape == (3, 10)


def test_errors_teach(tmp_path):
    solvers = profile_solvers(2)
    for radius, match in (([1.0], "radius has 1 values"), ([1.0, 0.0], "radius"), ([1.0, np.nan], "radius")):
        with pytest.raises(ValueError, match=match):
            radial_profile(solvers, radius)
    with pytest.raises(ValueError, match="weight"):
        radial_profile(solvers, [1.0, 2.0], weight=[1.0, -1.0])
    with pytest.raises(ValueError, match=r"\.npz"):
        write_gravsphere_profile(solvers, tmp_path / "a.npz", [1.0, 2.0])
    write_gravsphere_profile(solvers, tmp_path / "a.ecsv", [1.0, 2.0])
    with pytest.raises(FileExistsError, match=r"a\.npz"):
        write_gravsphere_profile(solvers, tmp_path / "a.ecsv", [1.0, 2.0], overwrite=False)


def test_moments_of_skewed_draws_about_any_velocity():
    """By sums over the masses: the sign of the skewness counts where the systemic velocity is not V."""
    law = stats.skewnorm(5.0, -20.0, 30.0)
    edges = np.linspace(-150.0, 200.0, 176)
    masses = np.diff(law.cdf(edges))[None] / np.diff(law.cdf(edges)).sum()
    solver = made_solver(VelocityGrid(edges, 350.0), 100, draws={"intrinsic_pdf": masses})
    centers = solver.grid["centers"]
    for systemic in (-30.0, 0.0, 25.0):
        profile = radial_profile([solver], [1.0], v_systemic=systemic)
        # Bins of a tenth of a dispersion: the sums at their centres are 0.2 % off.
        assert profile.v4[0, 0] == pytest.approx(masses[0] @ (centers - systemic) ** 4, rel=5e-3)
        assert profile.sigma[0, 0] ** 2 == pytest.approx(masses[0] @ (centers - systemic) ** 2, rel=5e-3)
