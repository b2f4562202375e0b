"""Draws of the prior on cells: summaries against histograms, widths against other seeds, what is shared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from veldist.inference import masses
from veldist.models.losvd.basis import PriorSettings, losvd_prior
from veldist.models.losvd.cells import Cells, make_cells
from veldist.models.losvd.frame import Frame
from veldist.models.losvd.model import LosvdPosterior, fit_losvd
from veldist.summaries.prior_draws import CellDraws, _kept, _shape_prior, shape_draws, whole_draws
from veldist.summaries.prior_weight import PRIOR_DRAWS, SHAPE_DRAWS, SHAPES
from veldist.summaries.scalars import SCALARS, scalar_draws

SHAPE = np.isin(SCALARS, SHAPES)


def posterior_of(n, seed=0, err=2.0):
    rng = np.random.default_rng(seed)
    vel = rng.normal(0.0, np.hypot(10.0, err), n)
    return fit_losvd(vel, np.full(n, err), rng)


@pytest.fixture(name="posterior", scope="module")
def one_posterior():
    return posterior_of(150)


def test_summaries_are_those_of_a_gaussian():
    """Of the frame's on any cells; of another on cells of 0.02, for whose profile it is off by w^2 / 12."""
    cells = make_cells(-8.0, 8.0, 0.3)
    frame = CellDraws.of(cells, np.diff(stats.norm.cdf(cells.edges))[None]).summaries(-20.0, 20.0)
    for name, expected in (("v_median", 0.0), ("sigma_iqr", 1.0), ("tail_weight", 2 * stats.norm.sf(1.0))):
        # The mean, and with it the dispersion, know of flat cells beyond four scales.
        assert frame[name][0] == pytest.approx(expected, abs=1e-5 if name == "tail_weight" else 1e-9)
    assert frame["sigma"][0] == pytest.approx(1.0, abs=2e-5)
    cells = Cells(np.linspace(-9.0, 9.0, 901), core=4.0)
    draws = CellDraws.of(cells, np.diff(stats.norm.cdf(cells.edges, [[0.0], [0.5]], [[1.0], [0.7]])))
    values = draws.summaries(-20.0, 20.0)
    assert tuple(values) == SCALARS
    for name, expected in (
        ("v_mean", [0.0, 0.5]),
        ("v_median", [0.0, 0.5]),
        ("sigma", [1.0, 0.7]),
        ("sigma_iqr", [1.0, 0.7]),
        ("skewness", 0.0),
        ("kurtosis", 0.0),
        ("tail_weight", 2 * stats.norm.sf(1.0)),
    ):
        np.testing.assert_allclose(values[name], expected, atol=3e-4, err_msg=name)


def test_summaries_are_conditional_on_the_range():
    """Truncated exponentials, next to exact for many narrow cells."""
    cells = Cells(np.linspace(0.0, 12.0, 6001), core=4.0)
    draws = CellDraws.of(cells, np.diff(stats.expon.cdf(cells.edges))[None] / stats.expon.cdf(12.0))
    low, high = 1.0003, 4.0001
    values = draws.summaries(low, high)
    truth = stats.truncexpon(high - low, loc=low)
    mean, variance, skewness, kurtosis = truth.stats("mvsk")
    sigma = np.sqrt(variance)
    expected = {
        "v_mean": mean,
        "v_median": truth.median(),
        "sigma": sigma,
        "iqr": truth.ppf(0.75) - truth.ppf(0.25),
        "skewness": skewness,
        "kurtosis": kurtosis,
        "tail_weight": truth.cdf(mean - sigma) + truth.sf(mean + sigma),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(values[name][0], value, atol=1e-5, err_msg=name)


@pytest.mark.parametrize(("low", "high"), [(-7.4, 7.7), (-4.0, 4.3), (-2.0, 30.0)])
def test_summaries_are_those_of_fine_histograms(posterior, low, high):
    """Of the same draws. In bins of 0.005 scales what is left is the error of Sheppard's corrections."""
    edges = np.linspace(low, high, round((high - low) / 0.005) + 1)
    for draws in (whole_draws(posterior, 50), shape_draws(posterior, 50)):
        good = draws.with_mass(low, high)
        masses = draws.masses[good] @ draws.cells.overlap(edges)
        expected = scalar_draws(masses / masses.sum(axis=1, keepdims=True), edges)
        for name, values in draws.summaries(low, high).items():
            np.testing.assert_allclose(values, expected[name], rtol=2e-3, atol=2e-3, err_msg=name)


def test_interpolated_widths_are_those_of_the_range(posterior):
    rng = np.random.default_rng(0)
    draws = shape_draws(posterior, SHAPE_DRAWS)
    for low, high in rng.uniform([-9.0, 5.0], [-5.0, 12.0], (40, 2)):
        exact = draws._exact_half_widths(low, high)
        np.testing.assert_allclose(draws.half_widths(low, high, 1.0)[SHAPE], exact[SHAPE], rtol=0.02)
    # Multiples of half a scale are no interpolation, nor are narrow ranges; beyond the cells nothing changes.
    for low, high in ((-5.5, 6.0), (-1.3, 1.4)):
        np.testing.assert_allclose(
            draws.half_widths(low, high, 1.0), draws._exact_half_widths(low, high), rtol=1e-12
        )
    wide = draws.half_widths(-100.0, 200.0, 1.0)
    np.testing.assert_allclose(wide, draws._exact_half_widths(*draws.cells.edges[[0, -1]]), rtol=1e-12)
    # Velocities are in units of the scale.
    units = np.where(np.isin(SCALARS, ("skewness", "kurtosis", "tail_weight")), 1.0, 7.0)
    np.testing.assert_allclose(draws.half_widths(-100.0, 200.0, 7.0), units * wide)


def test_whole_draws_follow_the_prior_and_shapes_are_pinned_to_the_frame(posterior):
    """Half-widths against those of many draws by the engine's own sampler.

    Those of PRIOR_DRAWS scatter by 6 to 10 %, of SHAPE_DRAWS by 5 to 8 %: 30 % is three standard errors.
    """
    edges = posterior.frame.location + posterior.frame.scale * np.linspace(-7.0, 7.0, 281)
    rng = np.random.default_rng(5)
    _, beta = posterior.posterior.prior.sample(8000, rng)
    # The location and scale of the frame.
    beta[:, :2] = 0.0
    cells = masses(beta, posterior.posterior.psi, posterior.posterior.log_base)
    _, mean, square = (cells @ posterior.cells.moments(2)).T
    variance = square - mean**2
    cells = cells[(np.abs(mean) <= 1.0) & (variance >= 0.25) & (variance <= 4.0)]
    reference = posterior.prior_bin_masses(8000, rng, edges), posterior.regrid(cells, edges)[0]
    sets = whole_draws(posterior, PRIOR_DRAWS), shape_draws(posterior, SHAPE_DRAWS)
    for drawn, draws, used in zip(reference, sets, (~SHAPE, SHAPE), strict=True):
        values = np.array(list(scalar_draws(drawn, edges).values()))
        expected = 0.5 * np.subtract(*np.percentile(values, [84.0, 16.0], axis=1))
        got = draws.half_widths(-7.0, 7.0, posterior.frame.scale)
        np.testing.assert_allclose(got[used], expected[used], rtol=0.3)
    _, mean, square = (sets[1].masses @ sets[1].cells.moments(2)).T
    sigma = np.sqrt(square - mean**2)
    assert np.abs(mean).max() <= 1.0
    assert sigma.min() >= 0.5
    assert 1.9 < sigma.max() <= 2.0


def test_components_of_one_shape_are_one():
    """With few stars every shape comes with several precisions, whose weights follow the errors."""
    few, many = (
        _shape_prior(losvd_prior(PriorSettings().resolution(n, r))) for n, r in ((30, 0.3), (500, 0.1))
    )
    other = _shape_prior(losvd_prior(PriorSettings().resolution(40, 0.9)))
    for a, b, c in zip(few, many, other, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)
    assert few[2].sum() == pytest.approx(1.0)


def test_bins_share_draws_whatever_their_order():
    _kept.cache_clear()
    bins = [posterior_of(n, seed) for n, seed in ((150, 1), (200, 2), (40, 3), (60, 4))]

    def widths(order):
        _kept.cache_clear()
        found = {}
        for i in order:
            args = (-6.2 - 0.1 * i, 6.3, 10.0)
            sets = whole_draws(bins[i], PRIOR_DRAWS), shape_draws(bins[i], SHAPE_DRAWS)
            found[i] = np.array([draws.half_widths(*args) for draws in sets])
        return found

    forth, back = widths((0, 1, 2, 3)), widths((3, 1, 2, 0, 1))
    for i, expected in forth.items():
        np.testing.assert_array_equal(back[i], expected)
    # All four share their shapes.
    assert len({id(shape_draws(b, SHAPE_DRAWS)) for b in bins}) == 1
    assert len({id(whole_draws(b, PRIOR_DRAWS)) for b in bins[:2]}) == 1
    with pytest.raises(ValueError, match="read-only"):
        shape_draws(bins[0], SHAPE_DRAWS).masses[0, 0] = 1.0


def test_another_prior_or_other_cells_are_not_mistaken_for_the_first(posterior):
    inner = posterior.posterior
    wider = replace(inner, prior=replace(inner.prior, scales=1.5 * inner.prior.scales))
    same = shape_draws(posterior, 100)
    assert shape_draws(replace(posterior, frame=Frame(300.0, 5.0)), 100) is same
    assert shape_draws(LosvdPosterior(posterior.frame, posterior.cells, wider), 100) is not same
    assert shape_draws(posterior, 101) is not same


def test_ranges_without_mass_are_refused(posterior):
    draws = shape_draws(posterior, 100)
    with pytest.raises(ValueError, match="have mass on the grid"):
        draws.half_widths(50.0, 60.0, 1.0)
    # Wide ranges of which only the end has mass are judged on all of it.
    assert np.isfinite(draws.half_widths(2.9, 60.0, 1.0)).all()
