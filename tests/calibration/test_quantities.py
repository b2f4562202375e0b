import warnings

import numpy as np
import pytest
from scipy.special import ndtr
from scipy.stats import norm

from veldist.calibration.quantities import SHAPE_QUANTITIES, log_joint_density, shape_quantities
from veldist.inference import MixturePrior
from veldist.models.losvd.cells import make_cells
from veldist.models.losvd.frame import Frame
from veldist.models.losvd.model import LosvdModel


def test_shape_of_a_gaussian_in_closed_form():
    cells = make_cells(0.0, 0.0, 0.05)
    m, s = np.array([[0.0], [0.4]]), np.array([[1.0], [1.2]])
    cdf = ndtr((cells.edges - m) / s)
    w = np.diff(cdf, axis=1)
    values = dict(
        zip(SHAPE_QUANTITIES, shape_quantities(w / w.sum(axis=1, keepdims=True), cells).T, strict=True)
    )
    # Cells are 0.05 wide, and their profile is that of the first: what the other does within one of them
    # moves its mean and dispersion by some w^2 / 12 = 2e-4. Tails beyond 8 hold nothing.
    np.testing.assert_allclose(values["v_mean"], m[:, 0], atol=2e-4)
    np.testing.assert_allclose(values["sigma"], s[:, 0], atol=2e-4)
    np.testing.assert_allclose(values["sigma"][0], 1.0, atol=1e-6)
    for name, expected, tolerance in (
        ("skewness", 0.0, 1e-4),
        ("kurtosis", 0.0, 1e-3),
        ("tail_weight", 2 * ndtr(-1), 3e-4),
        ("h3", 0.0, 1e-4),
        ("h4", 0.0, 1e-4),
    ):
        np.testing.assert_allclose(values[name], expected, atol=tolerance, err_msg=name)
    core, below = ndtr(0.5) - ndtr(-0.5), (ndtr([-4, -2, -1.5, -0.5]))
    assert values["core_mass"][0] == pytest.approx(core)
    assert values["shoulder_mass"][0] == pytest.approx(2 * (below[3] - below[2]))
    assert values["wing_mass"][0] == pytest.approx(2 * (below[1] - below[0]))


def test_mirrored_losvds_have_mirrored_quantities():
    rng = np.random.default_rng(6)
    cells = make_cells(0.0, 0.0, 0.2)
    # Gaussians with ripples, whose Gauss-Hermite fit has one minimum.
    ripple = 1.0 + 0.1 * rng.standard_normal((8, cells.centers.size))
    w = np.exp(cells.log_base) * np.maximum(ripple, 0.1)
    w /= w.sum(axis=1, keepdims=True)
    sign = np.where(np.isin(SHAPE_QUANTITIES, ["v_mean", "skewness", "h3"]), -1.0, 1.0)
    np.testing.assert_allclose(
        shape_quantities(w[:, ::-1], cells), sign * shape_quantities(w, cells), rtol=1e-6, atol=1e-9
    )


def test_log_joint_density_counts_free_coefficients_only():
    prior = MixturePrior(
        mean=np.array([[0.0, 1.0], [0.0, 1.0]]),
        scales=np.array([[2.0, 0.5], [2.0, 0.0]]),
        log_weights=np.log([0.3, 0.7]),
        labels=("a", "b"),
        is_null=np.array([False, True]),
    )
    component, beta = np.array([0, 1]), np.array([[1.0, 0.5], [-3.0, 1.0]])
    w, design = np.array([[0.2, 0.8], [0.5, 0.5]]), np.array([[1.0, 2.0], [3.0, 0.5], [1.0, 1.0]])
    expected = [
        np.log(0.3) + norm.logpdf(0.5) + norm.logpdf(-1.0) + np.log([1.8, 1.0, 1.0]).sum(),
        np.log(0.7) + norm.logpdf(-1.5) + np.log([1.5, 1.75, 1.0]).sum(),
    ]
    np.testing.assert_allclose(log_joint_density(component, beta, w, prior, design), expected)


def test_no_warnings_from_extreme_draws_of_the_prior():
    # Among them LOSVDs with most of their mass at the ends of the cells.
    model = LosvdModel.build(Frame(0.0, 1.0), 150, 0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = shape_quantities(model.sample_prior(2000, np.random.default_rng(9)), model.cells)
    assert np.isfinite(values).all()
