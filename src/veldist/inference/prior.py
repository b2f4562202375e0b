"""A finite mixture of zero-correlation Gaussians over the latent coefficients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats

__all__ = ["MixturePrior"]


@dataclass(frozen=True)
class MixturePrior:
    r"""Prior :math:`\beta \sim \sum_g \pi_g N(\mu_g, \mathrm{diag}(s_g^2))`.

    A scale of zero pins a coefficient to its mean: that is how one component can be exactly Gaussian
    while others are not.

    Attributes
    ----------
    mean : ndarray, (G, p)
        Prior means of the coefficients per component.
    scales : ndarray, (G, p)
        Standard deviations per component, >= 0.
    log_weights : ndarray, (G,)
        Log of the prior weights pi_g, which sum to 1.
    labels : tuple of str
        One name per component, for diagnostics.
    is_null : ndarray of bool, (G,)
        Components that make up the null hypothesis ("Gaussian") of the Bayes factor.
    """

    mean: Floats
    scales: Floats
    log_weights: Floats
    labels: tuple[str, ...]
    is_null: NDArray[np.bool_]

    def __post_init__(self) -> None:
        n_components = self.scales.shape[0]
        if self.mean.shape != self.scales.shape:
            raise ValueError(
                f"mean has shape {self.mean.shape}, scales {self.scales.shape}: they must agree."
            )
        for name in ("log_weights", "labels", "is_null"):
            if len(getattr(self, name)) != n_components:
                raise ValueError(f"{name} needs one entry for each of the {n_components} components.")
        if not np.isclose(np.logaddexp.reduce(self.log_weights), 0.0, atol=1e-9):
            raise ValueError("the prior weights exp(log_weights) must sum to 1.")

    @property
    def n_components(self) -> int:
        """Number of components G."""
        return self.scales.shape[0]

    @property
    def center(self) -> Floats:
        """Mean of the whole mixture, (p,)."""
        return np.exp(self.log_weights) @ self.mean

    def sample(self, n: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], Floats]:
        """Draw ``n`` exact samples: component indices (n,) and coefficients (n, p)."""
        component = rng.choice(self.n_components, size=n, p=np.exp(self.log_weights))
        x = rng.standard_normal((n, self.mean.shape[1]))
        return component, self.mean[component] + self.scales[component] * x
