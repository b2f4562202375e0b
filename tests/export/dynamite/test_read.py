from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import veldist.dynamite
import veldist.export
from tests.helpers.folders import (
    IDS,
    N_VELOCITY,
    Folder,
    gauss_hermite_folder,
    histogram_folder,
    make_metadata,
    make_solver,
)
from tests.helpers.solvers import made_solver
from veldist import write_dynamite_kinematics
from veldist.analysis import compute_summary_maps
from veldist.export import DynamiteKinematics, read_dynamite_kinematics
from veldist.fits.grid import VelocityGrid
from veldist.summaries.moments import histogram_moments

mpl.use("Agg")

KINEMATICS = "bayes_losvd_kins.ecsv"


# ---------------------------------------------------------------- what is written comes back


@st.composite
def exports(draw: st.DrawFn) -> tuple[list[Any], dict[str, Any], dict[str, Any]]:
    """Any solvers, layout and options that can be written."""
    nx, ny, n_bins = draw(st.integers(1, 7)), draw(st.integers(1, 7)), draw(st.integers(1, 6))
    n_velocity = draw(st.integers(1, 12))
    center, width = draw(st.floats(-500.0, 500.0)), draw(st.floats(1.0, 900.0))
    ids = np.array(draw(st.lists(st.integers(0, n_bins), min_size=nx * ny, max_size=nx * ny)))
    with_pixels = sorted(set(ids.tolist()) - {0})
    if not with_pixels:
        ids[draw(st.integers(0, nx * ny - 1))] = 1
        with_pixels = [1]
    kept = draw(st.lists(st.sampled_from(with_pixels), min_size=1, unique=True))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    edges = center + width * np.linspace(-0.5, 0.5, n_velocity + 1)
    solvers: list[Any] = [None] * n_bins
    for k in kept:
        masses = rng.dirichlet(np.ones(n_velocity)) * rng.uniform(0.7, 1.2)
        n_stars, uncertainty = int(rng.integers(1, 5000)), rng.uniform(1e-9, 0.1, n_velocity)
        clipped = {"losvd_median": masses, "losvd_uncertainty": uncertainty}
        solvers[k - 1] = made_solver(VelocityGrid(edges, width), n_stars, draws={}, clipped=clipped)
    metadata = {
        "bins": [{"xbin": x, "ybin": y, "bin_flux": f} for x, y, f in rng.uniform(1.0, 9.0, (n_bins, 3))],
        "aperture": {
            "x_start": rng.normal(),
            "y_start": rng.normal(),
            "x_size": rng.uniform(0.1, 99.0),
            "y_size": rng.uniform(0.1, 99.0),
            "angle_deg": rng.uniform(-180.0, 180.0),
            "nx": nx,
            "ny": ny,
        },
        "pixel_bin_ids": ids.reshape(ny, nx),
        "psf": {"sigma": [0.3, 1.1], "weight": [0.7, 0.3]},
    }
    options = {
        "bin_flux_mode": draw(st.sampled_from(["nstars", "uniform", "custom"])),
        "pad": draw(st.booleans()),
        "v_systemic": draw(st.floats(-500.0, 500.0)),
    }
    return solvers, metadata, options


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(exports())
def test_what_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, export: tuple[list[Any], dict[str, Any], dict[str, Any]]
) -> None:
    solvers, metadata, options = export
    folder = tmp_path_factory.mktemp("export")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random masses are everywhere, and so are random bin centres
        write_dynamite_kinematics(solvers, folder, metadata, **options)
    found = read_dynamite_kinematics(folder)
    kept = [i for i, solver in enumerate(solvers) if solver is not None]
    kept_solvers = [solvers[i] for i in kept]
    grid = kept_solvers[0].grid
    inner = slice(1, -1) if options["pad"] else slice(None)
    for name, key in (("losvd", "losvd_median"), ("dlosvd", "losvd_uncertainty")):
        expected = np.array([solver.clipped_samples[key] for solver in kept_solvers])
        np.testing.assert_array_equal(getattr(found, name)[:, inner], expected)
    assert found.losvd.shape == (found.n_bins, grid["n_bins"] + 2 * options["pad"]) == found.dlosvd.shape
    # Velocities of up to 1000 km/s; a shift costs rounding.
    for edges in (found.edges[inner], np.append(found.centers - 0.5 * found.dv, found.edges[-1])[inner]):
        np.testing.assert_allclose(edges, grid["edges"] - options["v_systemic"], rtol=0.0, atol=1e-9)
    np.testing.assert_array_equal(found.centers, found.meta["vcent"])
    np.testing.assert_array_equal(found.original_bin, kept)
    np.testing.assert_array_equal(found.bin_id, np.arange(1, len(kept) + 1))
    np.testing.assert_array_equal(found.n_stars, [solver.n_stars for solver in kept_solvers])
    for key in ("xbin", "ybin"):
        np.testing.assert_array_equal(getattr(found, key), [metadata["bins"][i][key] for i in kept])
    flux = {
        "nstars": [solver.n_stars for solver in kept_solvers],
        "uniform": [1.0] * len(kept),
        "custom": [metadata["bins"][i]["bin_flux"] for i in kept],
    }
    np.testing.assert_array_equal(found.bin_flux, flux[options["bin_flux_mode"]])
    assert found.psf == metadata["psf"]
    for key, value in metadata["aperture"].items():
        assert getattr(found.grid, key) == value
    row_of_id = np.zeros(len(solvers) + 1, dtype=int)
    row_of_id[np.array(kept) + 1] = found.bin_id
    np.testing.assert_array_equal(found.pixel_ids, row_of_id[metadata["pixel_bin_ids"]])
    # The columns are the moments of the masses at the bin centres, divided by their sum.
    p = found.losvd / found.losvd.sum(axis=1, keepdims=True)
    mean = p @ found.centers
    variance = p @ found.centers**2 - mean**2
    np.testing.assert_allclose(found.v, mean, rtol=0.0, atol=1e-9)
    # Differences of squares of up to 1500 km/s lose 2e6 * 1e-16 * 10.
    np.testing.assert_allclose(found.sigma**2, variance, rtol=0.0, atol=1e-8)


def test_is_found_where_it_is_looked_for() -> None:
    assert veldist.dynamite.read_dynamite_kinematics is read_dynamite_kinematics
    for module in (veldist.dynamite, veldist.export):
        for name in module.__all__:
            assert callable(getattr(module, name))


# ---------------------------------------------------------------- tables made by others


def made_from_spectra(path: Path) -> tuple[Folder, Folder]:
    """A folder of ours, and the same LOSVDs in the form of tables made from BAYES-LOSVD's output."""
    ours, theirs = histogram_folder(path / "ours"), histogram_folder(path / "theirs")
    n = ours.table.meta["nvbins"]
    source, table = ours.table, Table()
    # Bins 2 and 5 of 8 were not fitted; the largest velocity is first.
    table["binID_BayesLOSVD"] = [0, 1, 3, 4, 6, 7]
    table["binID_dynamite"] = source["binID_dynamite"]
    for j in range(n):
        table[f"dlosvd_{j}"] = source[f"dlosvd_{n - 1 - j}"]
    for j in range(n):
        table[f"losvd_{j}"] = source[f"losvd_{n - 1 - j}"] * 1.02
    table["bin_flux"] = np.linspace(3.0, 4.0, 6)
    table.meta = {
        "dv": 10.0,
        "vcent": source.meta["vcent"][::-1],
        "nbins": 6,
        "nvbins": n,
        "PSF": {"sigma": [0.5], "weight": [1.0]},
    }
    theirs.table = table
    return ours, theirs


def test_descending_velocities_gaps_and_missing_columns(tmp_path: Path) -> None:
    ours, theirs = (read_dynamite_kinematics(folder.write()) for folder in made_from_spectra(tmp_path))
    np.testing.assert_array_equal(theirs.centers, ours.centers)
    np.testing.assert_allclose(theirs.edges, ours.edges, rtol=0.0, atol=1e-10)
    np.testing.assert_allclose(theirs.losvd, 1.02 * ours.losvd, rtol=1e-12)
    np.testing.assert_array_equal(theirs.dlosvd, ours.dlosvd)
    np.testing.assert_allclose(theirs.v, ours.v, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(theirs.sigma, ours.sigma, rtol=1e-9)
    assert theirs.original_bin.tolist() == [0, 1, 3, 4, 6, 7]
    assert theirs.bin_id.tolist() == [1, 2, 3, 4, 5, 6]
    assert theirs.n_stars is theirs.xbin is theirs.ybin is None
    assert theirs.bin_flux is not None
    assert theirs.bin_flux[-1] == 4.0
    assert theirs.psf == {"sigma": [0.5], "weight": [1.0]}
    for name, values in ours.maps().items():
        np.testing.assert_allclose(theirs.maps()[name]["median"], values["median"], rtol=1e-8, atol=1e-8)


def test_grids_of_few_digits_are_uniform_enough(tmp_path: Path) -> None:
    folder = histogram_folder(tmp_path)
    folder.table.meta["vcent"] = [round(float(v) * 1.0001, 2) for v in folder.table.meta["vcent"]]
    found = read_dynamite_kinematics(folder.write())
    assert np.all(np.diff(found.edges) > 9.9)


def test_no_psf_and_no_ids(tmp_path: Path) -> None:
    folder = histogram_folder(tmp_path)
    del folder.table.meta["PSF"]
    folder.table.remove_columns(["binID_BayesLOSVD", "binID_dynamite", "bin_id", "original_bin"])
    del folder.table.meta["original_bin"]
    found = read_dynamite_kinematics(folder.write())
    assert found.psf is None
    assert found.original_bin.tolist() == list(range(6))
    assert found.bin_id.tolist() == list(range(1, 7))


# ---------------------------------------------------------------- what cannot be read


def _set(name: str, value: Any) -> Callable[[Folder], None]:
    return lambda folder: folder.table.meta.__setitem__(name, value)


def _column(name: str, values: Any) -> Callable[[Folder], None]:
    return lambda folder: folder.table.replace_column(name, values)


SPOILT: dict[str, tuple[Callable[[Folder], Any], str]] = {
    "no vcent": (lambda f: f.table.meta.pop("vcent"), r"lacks \['vcent'\] in its metadata"),
    "vcent is text": (_set("vcent", "wide"), r"vcent and dv in the metadata must be numbers"),
    "too many columns": (_set("nvbins", 23), r"nvbins is 23, but vcent has 24 values"),
    "other dv": (_set("dv", 5.0), r"dv is 5 km/s, but the steps of vcent are 10 km/s"),
    "uneven": (_set("vcent", [*range(23), 99.0]), r"vcent must be uniform"),
    "nbins": (_set("nbins", 5), r"nbins is 5, but the table has 6 rows"),
    "no losvd_7": (lambda f: f.table.remove_column("losvd_7"), r"lacks the columns losvd_7"),
    "one more": (
        lambda f: f.table.add_column(np.ones(6), name="losvd_24"),
        r"nvbins = 24 needs .* it also has losvd_24",
    ),
    "NaN": (
        _column("dlosvd_3", [0.1, np.nan, 0.1, np.nan, 0.1, 0.1]),
        r"dlosvd_3 is missing.* \(rows 1, 3\)",
    ),
    "masked": (
        _column("losvd_3", MaskedColumn([0.1] * 6, mask=[0, 0, 1, 0, 0, 0])),
        r"losvd_3 is missing, NaN or infinite in 1 of 6 values \(row 2\)",
    ),
    "text": (_column("v", list("abcdef")), r"the column v holds no plain numbers"),
    "order of rows": (
        _column("binID_dynamite", [2, 1, 3, 4, 5, 6]),
        r"must be 1, 2, ..., 6.*rows 0, 1: 2, 1",
    ),
    "empty LOSVD": (
        lambda f: [f.table[f"losvd_{j}"].__setitem__(4, 0.0) for j in range(N_VELOCITY)],
        r"no mass in 1 of 6 values \(row 4\)",
    ),
    "PSF": (_set("PSF", {"sigma": [1.0]}), r"PSF must hold the lists sigma"),
    "more bins than rows": (lambda f: f.set_ids(IDS + 1), r"pixels of bin 7, but .* has 6 rows"),
    "other pixels": (
        lambda f: f.aperture.__setitem__(4, "9 9"),
        r"the file holds 48 ids, but nx \* ny is 9",
    ),
    "no rows": (lambda f: f.table.remove_rows(slice(None)), r"has no rows"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_what_cannot_be_read_is_explained(tmp_path: Path, case: str) -> None:
    spoil, match = SPOILT[case]
    folder = histogram_folder(tmp_path)
    read_dynamite_kinematics(folder.write())
    spoil(folder)
    with pytest.raises(ValueError, match=match) as caught:
        read_dynamite_kinematics(folder.write())
    assert str(tmp_path) in str(caught.value)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is no directory"):
        read_dynamite_kinematics(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=f"{KINEMATICS}' is no file: write it first"):
        read_dynamite_kinematics(tmp_path)
    folder = gauss_hermite_folder(tmp_path)
    folder.write()
    with pytest.raises(FileNotFoundError, match=r"has gauss_hermite_kins\.ecsv: pass kin_filename"):
        read_dynamite_kinematics(tmp_path)
    for name in ("aperture.dat", "bins.dat"):
        other = histogram_folder(tmp_path)
        (tmp_path / name).unlink()
        with pytest.raises(FileNotFoundError, match=f"{name}' is no file"):
            read_dynamite_kinematics(tmp_path)
        other.write()


def test_other_tables_and_other_files(tmp_path: Path) -> None:
    folder = gauss_hermite_folder(tmp_path)
    folder.table.meta |= {"dv": 1.0, "vcent": [0.0], "nbins": 6, "nvbins": 1}
    folder.write()
    with pytest.raises(ValueError, match="holds Gauss-Hermite coefficients"):
        read_dynamite_kinematics(tmp_path, folder.table_name)
    with pytest.raises(ValueError, match=r"bins.dat is no table in the ECSV format"):
        read_dynamite_kinematics(tmp_path, "bins.dat")


def test_doubtful_masses_are_read_and_remarked_upon(tmp_path: Path) -> None:
    folder = histogram_folder(tmp_path)
    folder.table["losvd_5"][2] = -1e-3
    with pytest.warns(UserWarning, match=r"masses are negative in 1 of 6 values \(row 2\)") as seen:
        found = read_dynamite_kinematics(folder.write())
    assert Path(seen[0].filename) == Path(__file__)
    assert found.losvd[2, 5] == -1e-3
    folder.table["losvd_5"][2] = 0.01
    for j in range(N_VELOCITY):
        folder.table[f"losvd_{j}"] = folder.table[f"losvd_{j}"] / 10.0
    with pytest.warns(UserWarning, match=r"in 6 of 6 values .*They look like densities \(per km/s\)"):
        read_dynamite_kinematics(folder.write())


# ---------------------------------------------------------------- maps and figures


@pytest.fixture
def six(tmp_path: Path) -> DynamiteKinematics:
    write_dynamite_kinematics([make_solver(i) for i in range(6)], tmp_path, make_metadata(IDS))
    return read_dynamite_kinematics(tmp_path)


def test_maps_are_those_of_a_posterior_without_width(six: DynamiteKinematics) -> None:
    p = six.losvd / six.losvd.sum(axis=1, keepdims=True)
    grid = VelocityGrid(six.edges, float(np.ptp(six.edges)))
    solvers = [made_solver(grid, 9, draws={"intrinsic_pdf": np.tile(row, (3, 1))}) for row in p]
    expected = compute_summary_maps(solvers, order=None)
    for name, values in six.maps().items():
        np.testing.assert_allclose(values["median"], expected[name]["median"], rtol=1e-9, atol=1e-9)
    # The width of the bins is corrected for in the map, not in the column.
    np.testing.assert_allclose(six.sigma**2 - six.maps()["sigma"]["median"] ** 2, six.dv**2 / 12, rtol=1e-9)
    np.testing.assert_allclose(six.maps()["v_mean"]["median"], six.v, rtol=0.0, atol=1e-9)


def test_uncertainties_of_maps_are_the_scatter_that_independent_errors_cause(six: DynamiteKinematics) -> None:
    """Skewed LOSVDs; errors so small that the first order is all there is."""
    rising = six.losvd * np.exp(0.08 * np.arange(N_VELOCITY)) ** np.arange(6)[:, None]
    rising[:, -3:] += 0.2
    small = SimpleNamespace(**{**vars(six), "losvd": rising, "dlosvd": 0.01 * six.dlosvd})
    maps = DynamiteKinematics.maps(small)  # type: ignore[arg-type]
    n = 4000
    rng = np.random.default_rng(5)
    for row in range(six.n_bins):
        masses = rng.normal(small.losvd[row], small.dlosvd[row], (n, N_VELOCITY))
        moments = histogram_moments(masses / masses.sum(axis=1, keepdims=True), six.edges)
        for name, draws in zip(("v_mean", "sigma", "skewness", "kurtosis"), moments, strict=True):
            # The standard deviation of n normal numbers is known to 1 / sqrt(2 n) = 1.1 %; 24 comparisons.
            assert maps[name]["uncertainty"][row] == pytest.approx(draws.std(), rel=4.0 / np.sqrt(2 * n))


def test_unresolved_losvds_have_no_uncertainty(tmp_path: Path) -> None:
    solver = make_solver(0)
    spike = np.where(np.arange(N_VELOCITY) == 9, 1.0, 0.0)
    solver.clipped_samples = solver.clipped_samples | {"losvd_median": spike}
    write_dynamite_kinematics([solver], tmp_path, make_metadata(np.array([[1]])))
    maps = read_dynamite_kinematics(tmp_path).maps()
    assert np.isfinite(maps["v_mean"]["uncertainty"]).all()
    for name in ("sigma", "skewness", "kurtosis"):
        assert np.isnan(maps[name]["uncertainty"]).all()


def test_figures_of_the_package_draw_it(six: DynamiteKinematics) -> None:
    from matplotlib import pyplot as plt

    from veldist.plotting import plot_kinematic_maps

    figure, axes = plot_kinematic_maps(six.maps(), six.grid, six.pixel_ids, six.n_stars)
    assert axes.size == 5
    ax = six.plot_map("v")
    assert six.plot_map(six.sigma, ax=ax, label="mine") is ax
    assert six.plot_map("n_stars").get_xlim() == ax.get_xlim()
    ax = six.plot_losvd(3)
    band, line = ax.patches
    np.testing.assert_allclose(line.get_data().values * six.dv, six.losvd[3], rtol=1e-12)
    np.testing.assert_allclose(
        band.get_data().values - line.get_data().values, six.dlosvd[3] / six.dv, atol=1e-15
    )
    assert ax.get_title() == "bin 4"
    assert six.plot_losvd(0, ax) is ax
    figure.canvas.draw()
    plt.close("all")


def test_bad_arguments_of_figures(six: DynamiteKinematics) -> None:
    with pytest.raises(ValueError, match=r"values must be one of \['v', 'sigma'"):
        six.plot_map("h3")
    without = DynamiteKinematics(**{**vars(six), "n_stars": None})
    with pytest.raises(ValueError, match="'n_stars', which the table does not have"):
        without.plot_map("n_stars")
    with pytest.raises(ValueError, match="row must be 0 to 5, got 6"):
        six.plot_losvd(6)
