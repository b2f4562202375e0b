import re
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
import xarray as xr
from arviz_base import convert_to_dataset
from arviz_stats.base import array_stats

import veldist
from veldist import KinematicSolver, OrderError, fit_all_bins, simulate, to_xarray
from veldist.analysis import compute_summary_maps, summary_table
from veldist.inference import Settings
from veldist.inference.posterior import masses

N_VELOCITY = 20


def solve(n=60, sigma=10.0, err=2.0, seed=0, n_velocity=N_VELOCITY, **kwargs):
    solver = KinematicSolver()
    solver.setup_grid(center=5.0, width=80.0, n_bins=n_velocity)
    solver.add_data(*simulate.observe(simulate.Gaussian(5.0, sigma), n, err, np.random.default_rng(seed)))
    solver.run(**{"num_samples": 300} | kwargs)
    return solver


@pytest.fixture(scope="module")
def solver():
    return solve()


@pytest.fixture(scope="module")
def dataset(solver):
    return solver.to_xarray()


@pytest.fixture(scope="module")
def solvers():
    return [solve(seed=1), None, solve(seed=2), solve(n=90, sigma=8.0, seed=3)]


def in_sample_order(dataset, name, n):
    """The first n draws of a variable in the order of the solver's samples."""
    stacked = dataset[name].stack(sample=("chain", "draw")).transpose("sample", ...)
    rows = dataset["sample_row"].stack(sample=("chain", "draw"))
    return stacked.values[np.argsort(rows.values)][:n]


# One solver


def test_draws_are_those_of_the_samples_to_the_bit(solver, dataset):
    for name in ("intrinsic_pdf", "outside_grid"):
        assert np.array_equal(in_sample_order(dataset, name, 300), solver.samples[name])
    rows = dataset["sample_row"].values
    assert sorted(rows.ravel()) == list(range(solver.posterior.posterior.n_draws))


def test_coefficients_and_components_belong_to_the_draws(solver, dataset):
    inner = solver.posterior.posterior
    beta = dataset["coefficients"].values.reshape(-1, dataset.sizes["coefficient"])
    pdf = solver.posterior.regrid(masses(beta, inner.psi, inner.log_base), solver.grid["edges"])[0]
    assert np.allclose(pdf, dataset["intrinsic_pdf"].values.reshape(-1, N_VELOCITY), atol=1e-6)
    # A draw of a component of zero scale has the mean of that component: only the right pairing holds.
    component = dataset["component"].values.ravel()
    pinned = inner.prior.scales[component] == 0
    assert pinned.any()
    assert np.allclose(beta[pinned], inner.prior.mean[component][pinned], atol=1e-6)
    # Labels by position.
    labels = dataset["prior_component"][dataset["component"]]
    assert labels.dims == ("chain", "draw")
    assert str(labels.values[0, 0]) == solver.diagnostics.component_labels[component[0]]


def test_chains_are_the_independent_groups(solver, dataset):
    inner = solver.posterior.posterior
    n_chains, n_rounds = inner.component.shape
    assert dict(dataset["intrinsic_pdf"].sizes) == {
        "chain": inner.n_groups,
        "draw": n_chains * n_rounds // inner.n_groups,
        "velocity": N_VELOCITY,
    }
    # One Markov chain after the other, and every chain in the group it was started in.
    chain = dataset["sample_row"].values % n_chains
    assert np.array_equal(chain.ravel(), np.repeat(np.arange(n_chains), n_rounds))


def test_variables_have_dimensions_units_and_names(solver, dataset):
    draw = ("chain", "draw")
    expected = {
        "intrinsic_pdf": ((*draw, "velocity"), "1"),
        "outside_grid": (draw, "1"),
        "coefficients": ((*draw, "coefficient"), "1"),
        "component": (draw, "1"),
        "sample_row": (draw, "1"),
        "vel": (("star",), "km/s"),
        "err": (("star",), "km/s"),
        "ess": (("quantity",), "1"),
        "rhat": (("quantity",), "1"),
        "component_probability": (("prior_component",), "1"),
        "component_log_evidence": (("prior_component",), "1"),
    }
    assert {k: (v.dims, v.attrs["units"]) for k, v in dataset.data_vars.items()} == expected
    assert all(v.attrs["long_name"] for v in dataset.data_vars.values())
    for name in ("velocity", "velocity_left", "velocity_right"):
        assert dataset[name].attrs["units"] == "km/s"
    assert np.array_equal(dataset["velocity"], solver.grid["centers"])
    assert np.array_equal(dataset["velocity_left"], solver.grid["edges"][:-1])
    assert np.array_equal(dataset["velocity_right"], solver.grid["edges"][1:])
    assert np.array_equal(dataset["vel"], solver.vel)
    assert np.array_equal(dataset["err"], solver.err)
    assert tuple(dataset["quantity"].values) == solver.diagnostics.quantities
    assert np.array_equal(dataset["rhat"], solver.diagnostics.rhat)
    assert float(dataset["ess"].sel(quantity="z^1")) == solver.diagnostics.ess[0]


def test_selections_by_velocity(solver, dataset):
    near = dataset.sel(velocity=5.3, method="nearest")
    assert float(near["velocity_left"]) <= 5.3 <= float(near["velocity_right"])
    inside = dataset.sel(velocity=slice(-15, 25))
    assert inside.sizes["velocity"] == 10
    assert np.allclose(inside["velocity_right"] - inside["velocity_left"], 4.0)
    mean = dataset["intrinsic_pdf"].dot(dataset["velocity"])
    assert mean.dims == ("chain", "draw")
    assert float(mean.mean()) == pytest.approx(5.0, abs=5 * 10 / np.sqrt(60))


def test_attributes_tell_how_the_draws_were_made(solver, dataset):
    attrs, diagnostics = dataset.attrs, solver.diagnostics
    assert attrs["creation_library_version"] == veldist.__version__
    assert (attrs["n_stars"], attrs["num_samples"], attrs["converged"]) == (60, 300, 1)
    assert attrs["messages"] == "none"
    assert attrs["frame_location"] == solver.posterior.frame.location
    assert attrs["frame_scale"] == solver.posterior.frame.scale
    for name in ("log_evidence", "log_bayes_factor", "n_rounds", "pareto_k", "ess_min", "rhat_max"):
        assert attrs[name] == getattr(diagnostics, name)


def test_a_fit_that_has_not_converged_says_so():
    with pytest.warns(veldist.ConvergenceWarning):
        solver = solve(settings=Settings(max_doublings=0, rhat_max=1.0))
    attrs = solver.to_xarray().attrs
    assert attrs["converged"] == 0
    assert "R-hat" in attrs["messages"]


def test_arrays_are_copies(solver):
    before = solver.vel.copy(), solver.samples["intrinsic_pdf"].copy(), solver.grid["edges"].copy()
    changed = solver.to_xarray()
    for variable in changed.variables.values():
        if variable.dtype.kind == "f" and variable.dims != ("velocity",):
            variable.values[...] = 0
    changed["velocity_left"].values[...] = 0
    after = solver.vel, solver.samples["intrinsic_pdf"], solver.grid["edges"]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert solver.diagnostics.ess.all()
    assert solver.posterior.posterior.coefficients.any()


def test_labels_follow_a_new_grid():
    solver = solve()
    solver.setup_grid(center=0.0, width=60.0, n_bins=12)
    dataset = solver.to_xarray()
    assert np.array_equal(in_sample_order(dataset, "intrinsic_pdf", 300), solver.samples["intrinsic_pdf"])
    assert dataset.sizes["velocity"] == 12


def test_labels_need_draws():
    solver = KinematicSolver()
    with pytest.raises(OrderError, match=r"to_xarray\(\) needs a posterior: call run\(\)"):
        solver.to_xarray()
    with pytest.raises(OrderError, match=r"to_arviz\(\) needs a posterior: call run\(\)"):
        solver.to_arviz()


# netCDF


def assert_survives_netcdf(dataset, file, engine):
    dataset.to_netcdf(file, engine=engine)
    xr.testing.assert_identical(xr.load_dataset(file, engine=engine), dataset)


def test_datasets_survive_the_oldest_netcdf(dataset, solvers, tmp_path):
    assert_survives_netcdf(dataset, tmp_path / "bin.nc", "scipy")
    maps = to_xarray(solvers, maps=compute_summary_maps(solvers))
    assert_survives_netcdf(maps, tmp_path / "maps.nc", "scipy")


def test_datasets_and_trees_survive_netcdf4(solver, dataset, solvers, tmp_path):
    pytest.importorskip("h5netcdf")
    pytest.importorskip("h5py")
    assert_survives_netcdf(dataset, tmp_path / "bin.nc", "h5netcdf")
    maps = to_xarray(solvers, maps=compute_summary_maps(solvers))
    assert_survives_netcdf(maps, tmp_path / "maps.nc", "h5netcdf")
    tree = solver.to_arviz()
    tree.to_netcdf(tmp_path / "tree.nc", engine="h5netcdf")
    with xr.open_datatree(tmp_path / "tree.nc", engine="h5netcdf") as written:
        xr.testing.assert_identical(written, tree)


# ArviZ


def test_the_tree_holds_the_dataset_in_the_groups_of_arviz(solver, dataset):
    tree = solver.to_arviz()
    assert list(tree.children) == [
        "posterior",
        "sample_stats",
        "diagnostics",
        "observed_data",
        "constant_data",
    ]
    found = [name for group in tree.children.values() for name in group.data_vars]
    assert sorted(found) == sorted(dataset.data_vars)
    for group in tree.children.values():
        for name in group.data_vars:
            xr.testing.assert_identical(group[name], dataset[name])
    assert tree["diagnostics"].attrs == dataset.attrs
    assert tree["posterior"].attrs["creation_library"] == "veldist"
    assert set(convert_to_dataset(tree).data_vars) == {"intrinsic_pdf", "outside_grid", "coefficients"}


def test_arviz_sees_the_correlation_along_the_markov_chains():
    # An autoregressive process in one coefficient of 64 Markov chains instead of the sampler's draws.
    n_chains, n_rounds, phi, rng = 64, 32, 0.9, np.random.default_rng(7)
    solver = solve()
    inner = solver.posterior.posterior
    beta = np.zeros((n_chains, n_rounds, inner.psi.shape[1]))
    beta[:, 0, 0], beta[..., 1] = rng.normal(size=n_chains), 1.0
    for k in range(1, n_rounds):
        beta[:, k, 0] = phi * beta[:, k - 1, 0] + np.sqrt(1 - phi**2) * rng.normal(size=n_chains)
    component = np.zeros((n_chains, n_rounds), dtype=np.intp)
    posterior = replace(
        solver.posterior, posterior=replace(inner, coefficients=0.1 * beta, component=component)
    )
    solver = KinematicSolver.from_fit(replace(solver.fit, posterior=posterior))
    values = solver.to_xarray()["coefficients"].sel(coefficient=0).values
    ess = array_stats.ess(values, chain_axis=0, draw_axis=1, method="mean")
    # Variance of the mean of a stationary process of n_rounds steps over that of independent ones.
    lag = np.arange(1, n_rounds)
    inflation = 1 + 2 * np.sum((1 - lag / n_rounds) * phi**lag)
    # The variance of 64 chain means is known to sqrt(2 / 64) = 18 %. With the rounds of all chains mixed
    # the estimate would be the number of draws, 12 times as many.
    assert ess * inflation / values.size == pytest.approx(1.0, abs=0.5)


def test_arviz_functions_take_the_tree(solver):
    # ArviZ offers these only if the packages of its extra "xarray" are there.
    pytest.importorskip("xarray_einstats")
    import arviz_stats

    tree = solver.to_arviz()
    ess = arviz_stats.ess(tree)["intrinsic_pdf"]
    rhat = arviz_stats.rhat(tree)["intrinsic_pdf"]
    assert ess.dims == rhat.dims == ("velocity",)
    assert float(ess.min()) > 100
    assert float(rhat.max()) < 1.05
    table = arviz_stats.summary(tree, var_names=["intrinsic_pdf"], round_to="none")
    assert np.allclose(table["mean"], tree["posterior"]["intrinsic_pdf"].mean(("chain", "draw")))
    assert len(table) == N_VELOCITY


# Maps


def test_a_map_holds_every_bin(solvers):
    dataset = to_xarray(solvers, dtype="float64")
    assert dict(dataset["intrinsic_pdf"].sizes) == {"bin": 4, "draw": 300, "velocity": N_VELOCITY}
    for k in (0, 2, 3):
        solver, one = solvers[k], dataset.sel(bin=k)
        for name in ("intrinsic_pdf", "outside_grid"):
            assert np.array_equal(one[name], solver.samples[name])
        for name in ("converged", "ess_min", "rhat_max", "pareto_k", "log_evidence", "log_bayes_factor"):
            assert one[name] == getattr(solver.diagnostics, name)
        assert one["n_stars"] == solver.n_stars
    assert np.array_equal(dataset["velocity"], solvers[0].grid["centers"])
    assert list(dataset["bin_id"].values) == [1, 2, 3, 4]
    assert dataset.attrs["n_bins"] == 4
    assert dataset.attrs["n_fitted"] == 3
    assert dataset.attrs["creation_library_version"] == veldist.__version__
    for name, variable in dataset.data_vars.items():
        assert variable.attrs["long_name"]
        assert ("units" in variable.attrs) == (name not in ("fitted", "converged"))


def test_skipped_bins_are_nan_and_marked(solvers):
    dataset = to_xarray(solvers)
    assert list(dataset["fitted"].values) == [True, False, True, True]
    skipped = dataset.isel(bin=1)
    assert not skipped["converged"]
    for name, variable in skipped.data_vars.items():
        if variable.dtype != bool:
            assert variable.isnull().all(), name
    kept = dataset.where(dataset["fitted"], drop=True)
    assert list(kept["bin"].values) == [0, 2, 3]
    assert not kept["intrinsic_pdf"].isnull().any()


def test_draws_are_single_precision_by_default(solvers):
    single, double = to_xarray(solvers), to_xarray(solvers, dtype="float64")
    assert single["intrinsic_pdf"].dtype == np.float32
    assert single["losvd_median"].dtype == np.float64
    assert np.array_equal(single["intrinsic_pdf"], double["intrinsic_pdf"].astype(np.float32), equal_nan=True)


def test_summaries_are_those_of_the_solver_and_of_all_its_draws():
    fresh, clipped = solve(seed=4), solve(seed=5)
    clipped.clip_uncertainties(floor_fraction=0.1)
    clipped.truncate_losvd(n_sigma=2.0)
    dataset = to_xarray([fresh, clipped], draws=10)
    assert fresh.clipped_samples is None
    for k, expected in enumerate((fresh.clip_uncertainties(), clipped.clipped_samples)):
        for name in ("losvd_median", "losvd_uncertainty"):
            assert np.array_equal(dataset[name].sel(bin=k), expected[name])


def test_thinned_draws_are_rows_of_the_samples(solvers):
    dataset = to_xarray(solvers, draws=40, dtype="float64")
    rows = dataset["draw"].values
    assert rows.size == np.unique(rows).size == 40
    assert np.all(np.diff(rows) > 0)
    for name in ("intrinsic_pdf", "outside_grid"):
        assert np.array_equal(dataset[name].sel(bin=3), solvers[3].samples[name][rows])
    # Always the same; fewer are among more.
    assert np.array_equal(rows, to_xarray(solvers[:1], draws=40)["draw"])
    assert set(to_xarray(solvers, draws=7)["draw"].values) <= set(rows)
    assert np.array_equal(to_xarray(solvers, draws=300)["draw"], np.arange(300))


def test_positions_are_coordinates(solvers):
    bins = [{"xbin": 1.0 * k, "ybin": u.Quantity(k, "arcmin")} for k in range(4)]
    # Where a skipped bin is does not matter.
    bins[1] = {"xbin": np.nan, "ybin": 2}
    dataset = to_xarray(solvers, bins)
    assert np.allclose(dataset["xbin"], [0, np.nan, 2, 3], equal_nan=True)
    assert np.allclose(dataset["ybin"], [0, 2, 120, 180])
    assert dataset["xbin"].dims == ("bin",)
    assert dataset["ybin"].attrs["units"] == "arcsec"
    assert list(dataset.where(dataset["ybin"] > 60, drop=True)["bin"].values) == [2, 3]


def test_summary_maps_have_the_names_and_units_of_the_table(solvers):
    maps = compute_summary_maps(solvers)
    dataset, table = to_xarray(solvers, maps=maps), summary_table(solvers, maps=maps)
    # The one integer of the table's columns is a coordinate here.
    # And all draws of the mass outside the grid are there, not their summary.
    assert set(table.colnames) - {"bin_id", "outside_grid_unc"} <= set(dataset.data_vars)
    for name in set(table.colnames) & set(dataset.data_vars) - {"outside_grid"}:
        unit = table[name].unit
        if dataset[name].dtype != bool:
            assert dataset[name].attrs["units"] == ("1" if unit is None else "km/s"), name
        column = np.asarray(table[name])
        assert np.array_equal(dataset[name], column, equal_nan=dataset[name].dtype != bool)


class FromDisk(Sequence):
    """Makes a new solver on each access, and watches how many of their fits are alive."""

    def __init__(self, solvers):
        self.solvers, self.alive, self.most, self.accessed = solvers, weakref.WeakSet(), 0, []

    def __len__(self):
        return len(self.solvers)

    def __getitem__(self, k):
        if k >= len(self):
            raise IndexError
        self.accessed.append(k)
        if self.solvers[k] is None:
            return None
        fit = replace(self.solvers[k].fit)
        self.alive.add(fit)
        self.most = max(self.most, len(self.alive))
        return KinematicSolver.from_fit(fit)


def test_a_lazy_sequence_is_read_once_and_one_at_a_time(solvers):
    lazy = FromDisk(solvers)
    xr.testing.assert_identical(to_xarray(lazy), to_xarray(solvers))
    assert lazy.accessed == [0, 1, 2, 3]
    assert lazy.most == 1


def test_solvers_of_other_grids_are_named(solvers):
    other, shifted = solve(n_velocity=10), solve()
    shifted.setup_grid(center=5.1, width=80.0, n_bins=N_VELOCITY)
    with pytest.raises(
        ValueError, match=r"2 of 6 solvers \(4, 5\) have another velocity grid than solvers\[0\]"
    ):
        to_xarray([*solvers, other, shifted])
    # Its cure.
    for solver in (other, shifted):
        solver.setup_grid(center=5.0, width=80.0, n_bins=N_VELOCITY)
    assert to_xarray([*solvers, other, shifted]).sizes["bin"] == 6


def test_other_numbers_of_draws_are_named(solvers):
    with pytest.raises(ValueError, match=r"1 of 5 solvers \(4\) have another number of draws than the 300"):
        to_xarray([*solvers, solve(num_samples=200)])


def test_solvers_not_run_are_named(solvers):
    idle = KinematicSolver()
    with pytest.raises(OrderError, match=r"run\(\) has not been called on 2 of 6 solvers \(0, 5\)"):
        to_xarray([idle, *solvers, idle])


@pytest.mark.parametrize(
    ("kwargs", "error", "match"),
    [
        ({"solvers": []}, ValueError, "solvers is empty"),
        ({"solvers": [None, None]}, ValueError, "all 2 entries of solvers are None"),
        ({"solvers": (s for s in ())}, TypeError, "sequence of one solver"),
        ({"solvers": KinematicSolver()}, TypeError, r"pass a list, \[solver\] for a single one"),
        ({"solvers": [1.0]}, TypeError, r"solvers\[0\] must be a KinematicSolver or None, got float"),
        ({"draws": 0}, ValueError, "draws must be at least 1"),
        ({"draws": 1.5}, TypeError, "draws must be an integer"),
        ({"draws": 301}, ValueError, r"draws = 301 are more than the 300 that solvers\[0\] has"),
        ({"dtype": "float16"}, ValueError, "dtype must be 'float32' or 'float64'"),
        ({"bins": {"bins": []}}, TypeError, r"voronoi_bin_metadata\['bins'\]"),
        ({"bins": [{"xbin": 0.0, "ybin": 0.0}]}, ValueError, "bins has 1 entries, but there are 4 solvers"),
        ({"bins": [{"xbin": 0.0}] * 4}, ValueError, r"bins\[0\] lacks \['ybin'\]"),
        ({"bins": [{"xbin": "east", "ybin": 0.0}] * 4}, TypeError, r"bins\[0\]\['xbin'\] must be a single"),
        ({"bins": [{"xbin": 0.0, "ybin": 3 * u.km}] * 4}, ValueError, r"bins\[0\]\['ybin'\]"),
        (
            {"bins": [{"xbin": np.nan, "ybin": 0.0}] * 4},
            ValueError,
            r"'xbin' is NaN or infinite in 3 of 4 bins \(0, 2, 3\)",
        ),
        ({"maps": {}}, ValueError, "maps lacks"),
    ],
)
def test_bad_arguments_are_named(solvers, kwargs, error, match):
    with pytest.raises(error, match=match):
        to_xarray(**{"solvers": solvers} | kwargs)


def test_maps_of_other_solvers_are_refused(solvers):
    with pytest.raises(ValueError, match=r"has shape \(2,\), but there are 4 solvers"):
        to_xarray(solvers, maps=compute_summary_maps(solvers[:2]))


def test_solvers_of_a_batch_go_straight_in():
    rng = np.random.default_rng(6)
    data = [{"vel": rng.normal(0, 10, n), "err": np.full(n, 2.0)} for n in (40, 5, 60)]
    with pytest.warns(UserWarning, match="skipped"):
        solved = fit_all_bins(data, {"center": 0.0, "width": 80.0, "n_bins": 20}, progress=False)
    dataset = to_xarray(solved, draws=100)
    assert list(dataset["fitted"].values) == [True, False, True]
    assert np.array_equal(dataset["losvd_uncertainty"][2], solved[2].clipped_samples["losvd_uncertainty"])


def test_the_examples_of_the_documentation_run(tmp_path, monkeypatch):
    page = Path(__file__).parents[2] / "docs" / "interop.md"
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(blocks) >= 3
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in blocks:
        if "arviz_stats" in block:
            pytest.importorskip("xarray_einstats")
        exec(block, names)
