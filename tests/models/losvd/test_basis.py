from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import norm

import veldist
from veldist.inference import MixturePrior
from veldist.models.losvd.basis import PriorSettings, losvd_prior, named_prior
from veldist.models.losvd.cells import make_cells
from veldist.models.losvd.resolution import Resolution, ResolutionRule


def build(n_stars=2000, error_ratio=0.3, flat=True):
    """Cells, basis and prior; on flat cells functions have their values at the centres."""
    resolution = ResolutionRule()(n_stars, error_ratio)
    cells = make_cells(-4, 4, resolution.cell_width)
    cells = replace(cells, core=0.0) if flat else cells
    return cells, *losvd_prior(cells, resolution)


def test_the_frames_gaussian_has_coefficients_of_zero():
    cells, psi, prior = build(flat=False)
    mass = softmax(psi @ np.zeros(psi.shape[1]) + cells.log_base)
    core = np.abs(cells.centers) < 3.5
    assert np.allclose(mass[core], np.diff(norm.cdf(cells.edges))[core], rtol=1e-4)
    # With enough stars the prior falls like 1 / b where the precision b is 1.
    assert np.allclose(prior.mean[:, 1] / prior.scales[:, 1] ** 2, -1.0)
    assert np.all(np.delete(prior.mean, 1, axis=1) == 0)


def test_other_gaussians_are_theirs_too():
    cells, psi, _ = build(flat=False)
    location, precision = 0.3, 1.2
    beta = np.zeros(psi.shape[1])
    beta[:2] = location * precision, precision - 1.0
    mass = softmax(psi @ beta + cells.log_base)
    expected = np.diff(norm.cdf(cells.edges, location, precision**-0.5))
    # To second order in what the coefficients do within a cell of 0.15.
    assert np.abs(mass - expected).max() < 1e-3 * expected.max()


@pytest.mark.parametrize("ratio", [0.0, 1.0])
@pytest.mark.parametrize(("n", "low", "high"), [(20, 0.65, 1.9), (499, 0.7, 1.3)])
def test_few_stars_leave_the_dispersion_free(n, low, high, ratio):
    # A prior flat in the dispersion, times 1 / (1 + (r / s)^2), around the frame's scale.
    resolution = ResolutionRule()(n, ratio)
    mean, sd, weight = np.transpose(resolution.precisions)
    assert weight.sum() == pytest.approx(1.0)
    s = np.linspace(low, high, 60)
    b2 = s**-2.0
    density = norm.pdf(b2[:, None], mean, sd) @ weight * 2 * s**-3.0
    expected = 1.0 / (1.0 + (ratio / s) ** 2)
    ratio_of_both = density / expected
    assert ratio_of_both.max() / ratio_of_both.min() < 1.5


def test_the_null_component_is_exactly_gaussian():
    cells, psi, prior = build()
    component, beta = prior.sample(4000, np.random.default_rng(0))
    null = prior.is_null[component]
    assert 0 < null.sum() < 4000
    # A Gaussian's log density has no third difference, on equal cells.
    core = np.abs(cells.centers) < 3
    third = np.diff(beta @ psi[core].T, n=3, axis=1)
    assert np.abs(third[null]).max() < 1e-9
    assert np.median(np.abs(third[~null]).max(axis=1)) > 1e-3


@pytest.mark.parametrize(("n", "ratio"), [(50, 1.0), (2000, 0.3), (20000, 0.05)])
def test_deviations_leave_location_and_scale_alone_and_vanish_in_the_wings(n, ratio):
    cells, psi, _ = build(n, ratio)
    z = cells.centers
    deviation = psi[:, 4:]
    assert np.all(deviation[np.abs(z) > PriorSettings().taper[1]] == 0)
    # Before tapering the projection is exact; the taper acts where the weight is below 1e-4.
    weight = np.exp(-0.5 * z**2) * cells.widths
    moments = np.stack([np.ones_like(z), z, z**2]).dot(weight[:, None] * psi[:, 2:]) / weight.sum()
    assert np.abs(moments).max() < 0.02


def test_the_tail_direction_makes_a_student_t_of_a_gaussian():
    cells, psi, prior = build()
    z = cells.centers
    # Student t of 4 degrees of freedom, up to a quadratic that b2 supplies.
    log_t = -2.5 * np.log1p(z**2 / 4)
    inside = np.abs(z) < 8
    design = np.stack([np.ones_like(z), z**2, psi[:, 2]], axis=1)[inside]
    coefficients, *_ = np.linalg.lstsq(design, log_t[inside], rcond=None)
    assert np.allclose(design @ coefficients, log_t[inside], atol=1e-9)
    assert coefficients[2] == pytest.approx(1.0)
    assert np.allclose(psi[:, 2], psi[::-1, 2])


def test_the_asymmetric_direction_gives_a_gaussian_two_widths():
    cells, psi, prior = build()
    z = cells.centers
    # Widths of 1.25 on the left and 0.8 on the right, up to a linear term that b1 supplies.
    log_density = -0.5 * np.where(z < 0, z / 1.25, z / 0.8) ** 2
    inside = np.abs(z) < 8
    coefficients, *_ = np.linalg.lstsq(psi[inside][:, [0, 1, 3]], log_density[inside], rcond=None)
    assert np.allclose(psi[inside][:, [0, 1, 3]] @ coefficients, log_density[inside], atol=1e-9)
    assert coefficients[2] == pytest.approx((1 / 1.25**2 - 1 / 0.8**2) / 2)
    assert np.allclose(psi[:, 3], -psi[::-1, 3])


def test_the_prior_treats_both_directions_alike():
    _, psi, prior = build()
    # Reversal maps each sine function to itself up to a sign: the prior covariance is unchanged.
    for scales in prior.scales:
        factor = psi * scales
        covariance = factor @ factor.T
        assert np.allclose(covariance, covariance[::-1, ::-1], atol=1e-9)


def test_resolution_grows_with_the_information():
    poor, rich = ResolutionRule()(150, 0.3), ResolutionRule()(20000, 0.05)
    assert rich.cell_width < poor.cell_width
    assert rich.n_functions > poor.n_functions
    assert min(rich.lengths) < min(poor.lengths)
    broad = ResolutionRule()(20000, 3.0)
    assert replace(broad, precisions=poor.precisions) == poor
    assert len(broad.precisions) == len(poor.precisions) == 3


def test_a_level_begins_with_its_limit():
    rule = ResolutionRule(
        limits=[10.0],
        cell_widths=[0.2, 0.1],
        n_functions=[3, 5],
        lengths=[[1.0], [0.5, 1.0]],
        precisions=[[(0.5, 0.2), (2.0, 0.8)], [(1.0, 0.3)]],
    )
    few, many = rule(9, 0.0), rule(10, 0.0)
    assert (few.cell_width, few.n_functions, few.lengths) == (0.2, 3, (1.0,))
    assert many == Resolution(0.1, 5, (0.5, 1.0), ((1.0, 0.3, 1.0),))
    # Weights b^-1/2, one octave above 1 and one below.
    assert np.allclose(few.precisions, [(0.5, 0.2, 2 / 3), (2.0, 0.8, 1 / 3)])
    # 40 stars with errors as large as the dispersion are worth ten.
    assert rule(39, 1.0).cell_width == 0.2
    assert rule(40, 1.0).cell_width == 0.1


def test_rules_are_compared_by_value_and_can_be_hashed():
    rule = ResolutionRule(lengths=[list(lengths) for lengths in ResolutionRule().lengths])
    assert rule == ResolutionRule()
    assert hash(PriorSettings(resolution=rule)) == hash(PriorSettings())
    assert PriorSettings(resolution=ResolutionRule(limits=(50.0, 1000.0, 5000.0))) != PriorSettings()


def test_the_prior_is_found_where_users_know_it():
    assert veldist.PriorSettings is PriorSettings
    assert veldist.inference.PriorSettings is PriorSettings
    with pytest.raises(AttributeError, match=r"veldist\.inference.* no attribute 'Frame'"):
        _ = veldist.inference.Frame


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limits": (100.0, 50.0, 5000.0)}, "limits"),
        ({"limits": (0.0, 50.0, 5000.0)}, "limits"),
        ({"cell_widths": (0.2,)}, "cell_widths .* 4 levels"),
        ({"limits": (100.0,)}, "cell_widths .* 2 levels"),
        ({"n_functions": (28, 28, 0, 44)}, "n_functions .* positive"),
        ({"lengths": ((0.5,), (), (0.5,), (0.5,))}, "lengths .* positive"),
        ({"precisions": (((1.0, float("nan")),),) * 4}, "precisions .* positive"),
    ],
)
def test_rules_that_make_no_sense_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ResolutionRule(**changes)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 100))
def test_mixture_samples_have_the_stated_moments(n_components, n_coefficients, seed):
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(n_components))
    prior = MixturePrior(
        mean=rng.normal(size=(n_components, n_coefficients)),
        scales=rng.uniform(0, 2, (n_components, n_coefficients)),
        log_weights=np.log(weights),
        labels=("",) * n_components,
        is_null=np.zeros(n_components, dtype=bool),
    )
    n = 20000
    component, beta = prior.sample(n, rng)
    variance = weights @ (prior.scales**2 + (prior.mean - prior.center) ** 2)
    # Five standard errors, over at most 4 x 50 comparisons.
    assert np.all(np.abs(beta.mean(axis=0) - prior.center) <= 5 * np.sqrt(variance / n))
    frequency = np.bincount(component, minlength=n_components) / n
    assert np.all(np.abs(frequency - weights) <= 5 * np.sqrt(weights * (1 - weights) / n) + 1e-12)


def test_inconsistent_priors_are_refused():
    good = {
        "mean": np.zeros((1, 2)),
        "scales": np.ones((1, 2)),
        "labels": ("a",),
        "is_null": np.ones(1, bool),
    }
    with pytest.raises(ValueError, match="sum to 1"):
        MixturePrior(**good, log_weights=np.log([0.5]))
    with pytest.raises(ValueError, match="labels"):
        MixturePrior(**good | {"labels": ()}, log_weights=np.zeros(1))
    with pytest.raises(ValueError, match="mean"):
        MixturePrior(**good | {"mean": np.zeros((1, 3))}, log_weights=np.zeros(1))


def test_settings_become_components_and_weights():
    resolution = ResolutionRule()(2000, 0.3)
    cells = make_cells(-4, 4, resolution.cell_width)
    settings = PriorSettings(null_weight=0.1, near_weight=0.2, tail_weight=0.0, small=0.5, tail_scale=0.4)
    _, prior = losvd_prior(cells, resolution, settings)
    weights = dict(zip(prior.labels, np.exp(prior.log_weights), strict=True))
    assert weights["gaussian"] == pytest.approx(0.1)
    assert weights["nearly gaussian"] == pytest.approx(0.2)
    assert "tail" not in weights
    assert sum(weights.values()) == pytest.approx(1.0)
    near = prior.scales[prior.labels.index("nearly gaussian")]
    assert near[2:4] == pytest.approx([0.2, 0.5 * settings.asymmetry_scale])
    assert not near[4:].any()
    assert prior.is_null.tolist() == [label == "gaussian" for label in prior.labels]
    # Exponential in tau, each amplitude standing for an interval of its own size.
    first, last = (weights[f"length=0.6, amplitude={a:g}"] for a in (0.35, 3.0))
    rate = settings.amplitude_rate
    assert first / last == pytest.approx(0.35 / 3.0 * np.exp(-rate * (0.35 - 3.0)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"null_weight": 0.9}, "must leave some of 1"),
        ({"near_weight": -0.1}, "must not be negative"),
        ({"null_weight": float("nan")}, "null_weight must be finite, got nan"),
        ({"tail_scale": -1.0}, "tail_scale = -1.0 must be between 0"),
        ({"amplitude_rate": float("nan")}, "amplitude_rate must be finite, got nan"),
        ({"amplitudes": (0.0, 1.0)}, "must be positive"),
        ({"amplitudes": ()}, "amplitudes is empty"),
        ({"taper": (5.0, 4.0)}, "taper.*ascending"),
    ],
)
def test_settings_that_are_no_prior(settings, message):
    with pytest.raises(ValueError, match=message):
        PriorSettings(**settings)


def test_settings_take_lists():
    assert hash(PriorSettings(amplitudes=[0.5, 1.0], taper=[4.0, 6.0])) == hash(
        PriorSettings(amplitudes=(0.5, 1.0), taper=(4.0, 6.0))
    )


def test_priors_have_names():
    assert named_prior(None) == named_prior("default") == PriorSettings()
    own = PriorSettings(tail_scale=1.0)
    assert named_prior(own) is own
    cautious = named_prior("cautious")
    assert cautious.null_weight == cautious.near_weight == 0.0
    with pytest.raises(ValueError, match=r"'default', 'cautious'.*'bold'"):
        named_prior("bold")
    with pytest.raises(TypeError, match=r"PriorSettings.*'cautious'.*int"):
        named_prior(3)
