"""The classic: a Gaussian LOSVD by error-corrected maximum likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.methods.base import Array, condition_on_grid
from veldist.models.losvd.design import gaussian_design_matrix
from veldist.models.losvd.frame import fit_frame

__all__ = ["GaussianFit", "gaussian_covariance"]


def gaussian_covariance(vel: Array, err: Array, location: float, scale: float) -> Array:
    r"""Covariance of (V, sigma): the inverse observed information at the maximum of the likelihood.

    With :math:`w_i = 1/(\sigma^2 + e_i^2)` and :math:`r_i = y_i - V` the log-likelihood is
    :math:`\frac12 \sum_i (\log w_i - w_i r_i^2)` (Pryor & Meylan 1993, ASP Conf. 50, 357). Where its negative
    Hessian is not positive definite, as can happen for an unresolved dispersion, the expected information
    :math:`\mathrm{diag}(\sum w_i, 2\sigma^2 \sum w_i^2)` takes its place.

    Parameters
    ----------
    vel, err : ndarray, (N,)
        Velocities and errors, km/s.
    location, scale : float
        V and sigma, km/s.

    Returns
    -------
    ndarray, (2, 2)
        Covariance in (km/s)^2.
    """
    weight = 1.0 / (scale**2 + err**2)
    residual = vel - location
    cross = 2.0 * scale * np.sum(weight**2 * residual)
    # Derivatives in the variance, and from them those in its root.
    first = 0.5 * np.sum(weight**2 * residual**2 - weight)
    second = np.sum(0.5 * weight**2 - weight**3 * residual**2)
    curvature = -(4.0 * scale**2 * second + 2.0 * first)
    observed = np.array([[weight.sum(), cross], [cross, curvature]])
    if np.linalg.eigvalsh(observed)[0] <= 0.0:
        observed = np.diag([weight.sum(), 2.0 * scale**2 * np.sum(weight**2)])
    return np.linalg.inv(observed)


@dataclass(frozen=True)
class GaussianFit:
    """Error-corrected Gaussian, with draws of (V, sigma) from the Gaussian of `gaussian_covariance`.

    Draws of a negative dispersion are reflected at zero.

    Attributes
    ----------
    n_draws : int
        Number of draws.
    """

    n_draws: int = 1000
    name: str = "gaussian"

    def __call__(
        self, vel: Array, err: Array, grids: Sequence[Array], rng: np.random.Generator
    ) -> list[Array]:
        """See `base.Method`."""
        frame = fit_frame(vel, err)
        covariance = gaussian_covariance(vel, err, frame.location, frame.scale)
        draws = rng.multivariate_normal([frame.location, frame.scale], covariance, size=self.n_draws)
        location, scale = draws[:, 0], np.abs(draws[:, 1])
        return [
            condition_on_grid(gaussian_design_matrix(location, scale, edges) * np.diff(edges))
            for edges in grids
        ]
