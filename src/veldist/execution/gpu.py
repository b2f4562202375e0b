"""The GPU: is there one, and the fits that use it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from functools import cache, partial
from typing import Any, TypeVar, cast

from veldist._support.processes import Outcome
from veldist._support.threads import one_thread
from veldist.execution.lockstep import run_in_lockstep
from veldist.inference import Evaluator
from veldist.inference.device import Backend, Caller, Server

__all__ = ["fit_alone", "fit_in_batches", "jax_backend", "require_device"]

P = TypeVar("P")
R = TypeVar("R")
S = TypeVar("S")
T = TypeVar("T")

# Bins whose likelihoods are evaluated together at most.
_TOGETHER = 64
_INSTALL = 'pip install "jax[cuda12]" for an NVIDIA GPU (other GPUs: see https://docs.jax.dev/en/latest/installation.html)'


def require_device() -> Any:
    """The GPU that JAX uses first, a `jax.Device`.

    Raises
    ------
    ImportError
        If JAX is not installed.
    RuntimeError
        If JAX sees no GPU.
    """
    try:
        import jax
    except ImportError as error:
        raise ImportError(
            f'gpu=True needs JAX: pip install "veldist[gpu]", then {_INSTALL}; or pass gpu=False.'
        ) from error
    try:
        return jax.devices("gpu")[0]
    except RuntimeError as error:
        try:
            seen = ", ".join(str(device) for device in jax.devices())
        except RuntimeError:
            seen = "no device at all"
        raise RuntimeError(
            f"gpu=True needs a GPU, but JAX {jax.__version__} sees only {seen} ({error}). Install its build "
            f"for your GPU: {_INSTALL}; or pass gpu=False."
        ) from error


@cache
def jax_backend(device: Any) -> Backend:
    """Backend of JAX on a device.

    JAX's settings are changed while it is called only, and in this thread only: double precision is allowed,
    for arrays that ask for it, and products of single-precision matrices are made in single precision (JAX's
    default on GPUs keeps 10 bits of the mantissa: likelihoods of thousands of stars need all 23).
    """
    import jax

    @contextmanager
    def context() -> Generator[None]:
        with jax.enable_x64(True), jax.default_matmul_precision("highest"):
            yield

    return Backend(partial(jax.device_put, device=device), jax.jit, context)


def fit_alone(fit: Callable[[Evaluator], R]) -> R:
    """Result of ``fit(evaluator)``, evaluated on the GPU."""
    server = Server(jax_backend(require_device()))
    with one_thread():
        return fit(Caller(lambda request: server.serve({0: request})[0]))


def fit_in_batches(
    start: Callable[[T], tuple[S, Callable[[Evaluator], P]]],
    finish: Callable[[T, S, P], R],
    tasks: Sequence[T],
) -> Generator[Outcome[R]]:
    """Yield the outcomes of the tasks in order of completion, many of them under way at once.

    Parameters
    ----------
    start : callable
        Takes a task; returns something for ``finish``, and the fit, a function of the evaluator. The fits of
        a batch share the process: they must not issue warnings.
    finish : callable
        Takes the task, what ``start`` returned and what the fit returned; returns the task's result.
    tasks : sequence
        Alike in size are best neighbours.
    """
    backend = jax_backend(require_device())
    for first in range(0, len(tasks), _TOGETHER):
        places, states, fits = [], [], []
        for k in range(first, min(first + _TOGETHER, len(tasks))):
            try:
                state, fit = start(tasks[k])
            except Exception as error:
                yield Outcome(k, None, error)
                continue
            places.append(k)
            states.append(state)
            fits.append(_asking(fit))
        with one_thread(), closing(run_in_lockstep(fits, Server(backend).serve)) as outcomes:
            for outcome in outcomes:
                k = places[outcome.index]
                if outcome.error is not None:
                    yield Outcome(k, None, outcome.error)
                    continue
                try:
                    result = finish(tasks[k], states[outcome.index], cast(P, outcome.value))
                except Exception as error:
                    yield Outcome(k, None, error)
                else:
                    yield Outcome(k, result)


def _asking(fit: Callable[[Evaluator], P]) -> Callable[[Callable[[Any], Any]], P]:
    return lambda ask: fit(Caller(ask))
