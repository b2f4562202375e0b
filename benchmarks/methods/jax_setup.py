"""NumPyro and JAX, imported when first needed, in double precision for the calls that want it.

JAX takes all cores of a machine for one sampler. Where many processes run side by side, one thread each is
best: `import_numpyro` asks for it if JAX has not been imported yet; to be sure, start Python by ::

    export XLA_FLAGS="--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    OMP_NUM_THREADS=1 taskset -c 0 python ...

JAX must not be imported in a parent that forks: start workers by spawn.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

__all__ = ["compile_nuts", "import_numpyro"]

_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def import_numpyro() -> tuple[ModuleType, ModuleType]:
    """The modules ``jax`` and ``numpyro``, JAX on the CPU in one thread unless told otherwise.

    Raises
    ------
    ImportError
        If they are not installed.
    """
    if "jax" not in sys.modules:
        os.environ.setdefault("XLA_FLAGS", _ONE_THREAD)
        os.environ.setdefault("JAX_PLATFORMS", "cpu")
    try:
        import jax
        import numpyro
    except ImportError as error:
        raise ImportError("NUTS needs NumPyro: pip install 'veldist[bench]'.") from error
    return jax, numpyro


def compile_nuts(
    model: Callable[..., None], site: str, n_warmup: int, n_draws: int, target_accept: float = 0.8
) -> Callable[..., Any]:
    """One NUTS chain as a compiled function ``(key, *model_args) -> draws of site``.

    ``MCMC.run`` called by itself compiles anew for every chain of every data set (NumPyro 0.22,
    ``jit_model_args`` or not), which takes longer than the draws. Keep the function returned here, and JAX
    compiles once for each shape of the arguments. The mass matrix is diagonal: JAX has been seen to lock up
    in Cholesky factors of a dense one.
    """
    jax, _ = import_numpyro()
    from numpyro.infer import MCMC, NUTS

    def chain(key: Any, *args: Any) -> Any:
        kernel = NUTS(model, target_accept_prob=target_accept)
        mcmc = MCMC(kernel, num_warmup=n_warmup, num_samples=n_draws, progress_bar=False)
        mcmc.run(key, *args)
        return mcmc.get_samples()[site]

    return jax.jit(chain)
