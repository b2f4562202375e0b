"""Padded batches of likelihoods are what each is alone, on every array library."""

from dataclasses import replace
from functools import partial

import array_api_strict as strict
import numpy as np
import pytest

from veldist.inference import Likelihood, batched
from veldist.inference.device import Backend, Caller, Server
from veldist.inference.importance import importance_sample, resample
from veldist.inference.laplace import find_modes
from veldist.inference.sampler import sweep
from veldist.inference.target import Target
from veldist.models.losvd.basis import losvd_basis, losvd_prior
from veldist.models.losvd.cells import make_cells
from veldist.models.losvd.design import design_matrix, gaussian_design_matrix
from veldist.models.losvd.resolution import ResolutionRule

SHAPES = {"plain": (40, 20, 3), "signed": (25, 33, 5), "hidden": (60, 48, 4)}


def make_backend(library):
    if library == "numpy":
        return Backend()
    if library == "strict":
        return Backend(strict.asarray)
    jax = pytest.importorskip("jax")
    from veldist.execution.gpu import jax_backend

    return jax_backend(jax.devices("cpu")[0])


@pytest.fixture(params=["numpy", "strict", "jax"])
def backend(request):
    return make_backend(request.param)


def make_likelihood(kind, dtype):
    n_stars, n_cells, _ = SHAPES[kind]
    rng = np.random.default_rng(n_stars)
    edges = np.linspace(-60, 60, n_cells + 1) if kind == "hidden" else np.linspace(-5, 5, n_cells + 1)
    center = 0.5 * (edges[1:] + edges[:-1])
    vel, err = rng.normal(0, 1.3, n_stars), rng.uniform(0.1, 0.6, n_stars)
    weight = rng.integers(1, 9, n_stars)
    if kind == "signed":
        # Rows to divide by are broad, as probabilities of membership are.
        weight[15:], err[15:] = -1, 3.0
    exact = Likelihood.from_design(gaussian_design_matrix(vel, err, edges), -0.3 * center**2, weight)
    return exact.rebase(0.01 * center, np.dtype(dtype))


def make_points(kind, dtype, n_points):
    _, n_cells, n_basis = SHAPES[kind]
    rng = np.random.default_rng(n_cells)
    psi = rng.normal(size=(n_cells, n_basis)).astype(dtype)
    return (0.3 * rng.normal(size=(n_points, n_basis)).astype(dtype)) @ psi.T, psi


def capture(call):
    """The last request that a call of a `Caller` makes."""
    asked = []
    call(Caller(lambda r: asked.append(r) or (np.zeros(1),) * 4))
    return asked[-1]


def evaluate(likelihood, delta, with_gradient, caller):
    caller.evaluate(likelihood, delta, with_gradient)


def curvature(likelihood, delta, psi, caller):
    caller.curvature(likelihood, delta, psi)


def assert_close(found, expected, likelihood):
    # The log-likelihood is a sum over the stars of terms of order one, each rounded; the Hessians' terms are
    # products of such.
    tolerance = 20 * np.finfo(expected.dtype).eps * np.abs(likelihood.weight).sum()
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < tolerance


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_padded_batch_is_each_of_its_likelihoods_alone(backend, dtype):
    # The largest sets the shape, two slots are left over, and requests are of different numbers of points.
    server = Server(backend)
    likelihoods = {kind: make_likelihood(kind, dtype) for kind in SHAPES}
    assert likelihoods["hidden"].hidden is not None
    assert likelihoods["signed"].positive is not None
    points = {kind: make_points(kind, dtype, n) for kind, n in zip(SHAPES, (7, 1, 3), strict=True)}
    for with_gradient in (False, True):
        expected = {k: one._evaluate(points[k][0], with_gradient) for k, one in likelihoods.items()}
        answers = server.serve(
            {
                number: capture(partial(evaluate, one, points[k][0], with_gradient))
                for number, (k, one) in enumerate(likelihoods.items())
            }
        )
        for number, (k, one) in enumerate(likelihoods.items()):
            for found, right in zip(
                answers[number], expected[k] if with_gradient else expected[k][:1], strict=True
            ):
                assert_close(found, right, one)
    answers = server.serve(
        {
            number: capture(partial(curvature, one, *points[k]))
            for number, (k, one) in enumerate(likelihoods.items())
        }
    )
    for number, (k, one) in enumerate(likelihoods.items()):
        right = one.curvature(*points[k])
        for found, name in zip(answers[number], ("value", "gradient", "exact", "fisher"), strict=True):
            assert_close(found, getattr(right, name), one)


def test_rows_in_blocks_add_up(monkeypatch):
    monkeypatch.setattr(batched, "_BLOCK", 500)
    test_a_padded_batch_is_each_of_its_likelihoods_alone(Backend(), "float64")


def test_points_without_a_density_are_refused_in_a_batch_too():
    # An overflow in any cell, padded or not, and mass in a hidden cell.
    plain, hidden = make_likelihood("plain", "float32"), make_likelihood("hidden", "float32")
    overflow = np.zeros((2, 20), dtype=np.float32)
    overflow[1, 3] = 1000.0
    full = np.zeros((2, 48), dtype=np.float32)
    full[1, 0] = 1e4
    those = batched.stack([plain, hidden], 4, 64, 64)
    delta = np.zeros((4, 2, 64), dtype=np.float32)
    delta[0, :, :20], delta[1, :, :48] = overflow, full
    with np.errstate(all="ignore"):
        value = batched.log_likelihood(those, delta)
        alone = [plain.log_likelihood(overflow), hidden.log_likelihood(full)]
    for there, here in zip(value, alone, strict=False):
        assert np.array_equal(np.isfinite(there), [True, False])
        assert np.array_equal(np.isfinite(here), [True, False])
    assert value[1, 1] == -np.inf
    assert np.all(value[2:] == 0.0)


class Counting(Backend):
    """Notes the shapes of its calls."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def call(self, kind, those, *arrays):
        self.calls.append((kind, those.ratio.shape, arrays[0].shape))
        return super().call(kind, those, *arrays)


def request(number, kind="plain", stage=0, n_points=4, what="log_likelihood", dtype="float64"):
    likelihood = make_likelihood(kind, dtype)
    if likelihood.positive is None:
        likelihood = replace(likelihood, total_weight=likelihood.total_weight + number)

    def ask(caller):
        for _ in range(stage):
            caller.evaluate(make_likelihood("plain", "float64"), np.zeros((1, 20)), False)
        delta, _ = make_points(kind, dtype, n_points)
        caller.evaluate(likelihood, delta, what == "value_and_gradient")

    return capture(ask)


def test_one_call_answers_all_who_are_equally_far():
    backend = Counting()
    pending = {k: request(k) for k in range(5)}
    answers = Server(backend).serve(pending)
    # 40 rows, 20 cells and 4 points, padded to few shapes.
    assert backend.calls == [("log_likelihood", (8, 48, 32), (8, 16, 32))]
    for k, r in pending.items():
        assert np.allclose(answers[k][0], r.likelihood.log_likelihood(r.delta), rtol=1e-12)
    assert len({a[0][0] for a in answers.values()}) == 5


def test_those_farthest_behind_are_answered_first():
    pending = {
        0: request(0, stage=2),
        1: request(1, stage=1, what="value_and_gradient"),
        2: request(2, stage=1),
        3: request(3, stage=1, dtype="float32"),
    }
    server = Server(Backend())
    order = []
    while pending:
        answered = server.serve(pending)
        order.append(sorted(answered))
        for k in answered:
            del pending[k]
    assert order == [[3], [2], [1], [0]]


def test_likelihoods_stay_on_the_device_until_few_are_left():
    loads = []

    class Watching(Backend):
        def __init__(self):
            super().__init__(asarray=lambda a: loads.append(a.shape) or a)

    server = Server(Watching())
    pending = {k: request(k) for k in range(16)}
    for n in (16, 16, 12, 5, 3):
        server.serve(dict(list(pending.items())[:n]))
    assert [s for s in loads if len(s) == 3 and s[1] == 48] == [(16, 48, 32)]
    server.serve({3: pending[3], 9: pending[9]})
    assert [s for s in loads if len(s) == 3 and s[1] == 48] == [(16, 48, 32), (2, 48, 32)]


def test_memory_bounds_what_is_done_in_one_call():
    backend = Counting()
    sizes = {k: "signed" if k % 2 else "hidden" for k in range(6)}
    pending = {k: request(k, kind) for k, kind in sizes.items()}
    # Room for three of 64 x 48: two, as the number is a power of two; the smaller ones go together.
    answers = Server(backend, max_elements=3 * 64 * 48).serve(pending)
    assert [shape for _, shape, _ in backend.calls] == [(2, 64, 48), (2, 64, 48), (2, 32, 48)]
    for k, r in pending.items():
        assert np.allclose(answers[k][0], r.likelihood.log_likelihood(r.delta), rtol=1e-11)


def test_many_points_are_done_in_pieces():
    backend = Counting()
    pending = {0: request(0, n_points=1100), 1: request(1, n_points=20)}
    answers = Server(backend).serve(pending)
    assert [delta for *_, delta in backend.calls] == [(2, 512, 32)] * 3
    for k, r in pending.items():
        assert answers[k][0].shape == (r.delta.shape[0],)
        assert np.allclose(answers[k][0], r.likelihood.log_likelihood(r.delta), rtol=1e-11)


def test_modes_proposals_and_moves_are_those_of_the_engine_alone(backend):
    # From the same start and with the same random numbers, step by step.
    rng = np.random.default_rng(5)
    vel, err = rng.normal(0, 1, 90), rng.uniform(0.1, 0.5, 90)
    resolution = ResolutionRule()(90, 0.3)
    cells = make_cells(-4, 4, resolution.cell_width)
    psi, prior = losvd_basis(cells, resolution.n_functions), losvd_prior(resolution)
    server = Server(backend)
    caller = Caller(lambda r: server.serve({0: r})[0])
    # The log-likelihood and its gradient are sums over 90 stars of terms that are rounded to seven digits.
    rounding = 90 * 20 * np.finfo(np.float32).eps
    ends = []
    for evaluator in (None, caller):
        likelihood = Likelihood.from_design(
            design_matrix(vel, err, cells),
            psi @ prior.center + cells.log_base,
            evaluator=evaluator,
        )
        modes = find_modes(likelihood, psi, prior)
        if ends:
            change = np.abs(modes.log_evidence - ends[0][0].log_evidence)
            assert np.sum(change > rounding) <= 1
            # Rounding may make a component stop a step earlier or later, where a step promises this much.
            assert change.max() < 2e-2
            assert np.median(np.abs(modes.x - ends[0][0].x)) < rounding
            # What follows starts from the same modes, not from those that rounding has moved.
            modes = ends[0][0]
        laplace = prior.log_weights + modes.log_evidence
        laplace -= np.logaddexp.reduce(laplace)
        target = Target.build(likelihood, psi, prior, modes, np.zeros(psi.shape[1]), np.float32)
        sample = importance_sample(target, prior.log_weights, laplace, 4, 100, 2, np.random.default_rng(1))
        if ends:
            start = ends[0][2]
            assert np.allclose(sample.log_weight, ends[0][1].log_weight, atol=rounding)
        else:
            start, _ = resample(target, sample, 32, np.random.default_rng(2))
        moved = [sweep(target, start, laplace, n, np.random.default_rng(3)).chains for n in (1, 3)]
        ends.append((modes, sample, start, moved))
    for found, expected in zip(ends[1][3], ends[0][3], strict=True):
        same = found.component == expected.component
        # 128 decisions, each changed if it is closer than rounding.
        assert same.sum() >= 127
        close = np.abs(found.u - expected.u).max(axis=1) < 10 * rounding
        assert np.sum(same & close) >= 126
        assert np.abs(found.value - expected.value)[same & close].max() < 10 * rounding
