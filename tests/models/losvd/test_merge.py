import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from veldist import simulate
from veldist.inference import Settings
from veldist.models.losvd.cells import make_cells
from veldist.models.losvd.frame import fit_frame
from veldist.models.losvd.merge import box_width, merge_stars
from veldist.models.losvd.model import LosvdModel, fit_losvd

EDGES = make_cells(-8.0, 8.0, 0.2).edges


@settings(max_examples=30, deadline=None)
@given(
    n=st.integers(1, 3000),
    scale=st.floats(0.01, 3.0),
    low=st.floats(1e-4, 1.0),
    spread=st.floats(1.0, 100.0),
    seed=st.integers(0, 2**20),
)
def test_numbers_means_and_second_moments_are_kept(n, scale, low, spread, seed):
    rng = np.random.default_rng(seed)
    z, error = rng.normal(0, scale, n), low * spread ** rng.random(n)
    merged = merge_stars(z, error, EDGES, 0.02)
    assert merged.weight.sum() == n
    assert np.all(merged.error > 0)
    assert merged.weight @ merged.z == pytest.approx(z.sum(), abs=1e-9 * n)
    # y^2 - q is kept exactly where boxes are half as wide as the errors; they are no narrower than this.
    narrowest = np.diff(EDGES).max() / 4096
    kept = merged.weight @ (merged.z**2 - merged.error**2) - np.sum(z**2 - error**2)
    assert abs(kept) < 1e-9 * n * (1 + error.max() ** 2) + (n * narrowest**2 if low < 2 * narrowest else 0.0)


def test_equal_stars_are_one_and_different_ones_stay():
    z, error = np.repeat([-0.55, 0.31, 0.35], [5, 3, 1]), np.repeat([0.2, 0.1, 0.1], [5, 3, 1])
    merged = merge_stars(z, error, EDGES, 0.02)
    order = np.argsort(merged.z)
    assert np.allclose(merged.z[order], [-0.55, 0.31, 0.35])
    assert np.allclose(merged.error[order], [0.2, 0.1, 0.1])
    assert np.array_equal(merged.weight[order], [5, 3, 1])
    assert merged.log_offset == pytest.approx(0.0, abs=1e-12)


def test_the_order_of_the_stars_does_not_matter():
    rng = np.random.default_rng(3)
    z, error = rng.normal(0, 1, 5000), rng.uniform(0.01, 0.5, 5000)
    order = rng.permutation(5000)
    a, b = merge_stars(z, error, EDGES, 0.02), merge_stars(z[order], error[order], EDGES, 0.02)
    for name in ("z", "error", "weight", "log_offset"):
        assert np.allclose(getattr(a, name), getattr(b, name), rtol=1e-12, atol=1e-12)


def test_stars_beyond_the_cells_are_kept():
    z = np.array([-40.0, -9.9, 0.0, 54.9, 55.0])
    merged = merge_stars(z, np.full(5, 9.0), EDGES, 0.02)
    assert np.allclose(np.sort(merged.z), z)


def two_peaks(n, rng):
    """Peaks of a twentieth of the whole's dispersion, stars with errors of half of theirs."""
    true = np.where(rng.random(n) < 0.6, rng.normal(20.0, 1.0, n), rng.normal(-20.0, 1.0, n))
    return true + rng.normal(0.0, 0.5, n), np.full(n, 0.5)


@pytest.mark.parametrize(
    ("truth", "n", "errors"),
    [
        ("skew-normal", 20_000, (2.0, 8.0)),
        ("counter-rotating", 20_000, 0.4),
        ("student-t", 60_000, (0.02, 20.0)),
        ("two peaks", 20_000, None),
    ],
)
def test_likelihood_changes_within_the_stated_bound(truth, n, errors):
    rng = np.random.default_rng(0)
    if errors is None:
        vel, err = two_peaks(n, rng)
    else:
        vel, err = simulate.observe(simulate.standard_losvds(v=0.0, sigma=20.0)[truth], n, errors, rng)
    frame = fit_frame(vel, err)
    z, error = frame.standardise(vel), err / frame.scale
    model = LosvdModel.build(frame, n, float(np.median(error)), (float(z.min()), float(z.max())))
    tolerance = Settings().merge_tolerance
    merged = merge_stars(z, error, model.cells.edges, tolerance)
    assert merged.z.size < 0.4 * n
    draws = model.fit(vel, err, np.random.default_rng(1)).posterior.cell_masses()[::32]
    exact = sum(
        np.log(model.design(vel[k : k + 4000], err[k : k + 4000]) @ draws.T).sum(axis=0)
        for k in range(0, n, 4000)
    )
    rows = model.design(merged.z, merged.error, standardised=True)
    change = merged.weight @ np.log(rows @ draws.T) + merged.log_offset - exact
    # Ratios over the posterior, and the whole. The bound is the dispersion's; there are other directions.
    assert change.std() < 1.5 * tolerance
    assert np.abs(change).max() < n * box_width(n, tolerance) ** 2 / 12
    # The posterior is wide beside it.
    assert exact.std() > 1.0


def test_merging_leaves_the_posterior_where_it_is():
    losvd = simulate.standard_losvds(v=0.0, sigma=20.0)["skew-normal"]
    vel, err = simulate.observe(losvd, 6000, (2.0, 8.0), np.random.default_rng(5))
    summaries = []
    for above in (2000, 10_000):
        settings = Settings(n_draws=4000, merge_above=above)
        fit = fit_losvd(vel, err, np.random.default_rng(0), settings)
        w = fit.posterior.cell_masses()
        _, mean, square = (w @ fit.cells.moments(2)).T
        sigma = np.sqrt(square - mean**2)
        summaries.append(
            np.stack([mean, sigma, w[:, w.shape[1] // 2], fit.posterior.diagnostics.log_evidence + 0 * mean])
        )
    merged, exact = summaries
    shift = (merged.mean(axis=1) - exact.mean(axis=1))[:3] / exact.std(axis=1)[:3]
    # Effective sizes above 2,000 each: 0.032 standard deviations, four times.
    assert np.all(np.abs(shift) < 0.13)
    assert np.allclose(merged.std(axis=1)[:3], exact.std(axis=1)[:3], rtol=0.1)
    # Scatter of the importance estimate: 0.1 between seeds.
    assert merged[3, 0] == pytest.approx(exact[3, 0], abs=0.5)


def test_few_stars_are_not_merged():
    rng = np.random.default_rng(0)
    vel, err = rng.normal(0, 10, 300), np.full(300, 2.0)
    one, other = (
        fit_losvd(vel, err, np.random.default_rng(0), Settings(merge_tolerance=t)).posterior.coefficients
        for t in (0.02, 100.0)
    )
    assert np.array_equal(one, other)
