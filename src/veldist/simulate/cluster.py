"""A mock globular cluster: Plummer profile, rotating core, and the true LOSVD at every position."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from veldist._support.validate import check_count, check_finite, to_float, to_numbers
from veldist.simulate.base import to_positive
from veldist.simulate.mixture import Mixture, mixture_moments
from veldist.simulate.sample import draw_errors
from veldist.simulate.skew import (
    MAX_SKEWNESS,
    SkewNormal,
    delta_from_skewness,
    skew_normal_draw,
    skew_normal_kurtosis,
)

__all__ = ["MockCluster", "rotating_cluster"]


@dataclass(frozen=True, eq=False)
class MockCluster:
    """Stars of a mock cluster, and its true kinematics at any position.

    Made by `rotating_cluster`, which describes the model.  The arrays are read-only: change a copy.

    Attributes
    ----------
    x, y : numpy.ndarray, shape (n_stars,)
        Positions relative to the centre (arcsec), +x East and +y North.
    vel, err : numpy.ndarray, shape (n_stars,)
        Observed velocities and their errors (km/s).
    v_true_stars : numpy.ndarray, shape (n_stars,)
        Velocities without measurement error (km/s).
    scale_radius, r_rot, r_max : float
        Plummer radius, radius of the rotation peak, radius of the field (arcsec).
    sigma0, v_rot, v_systemic : float
        Central dispersion, peak rotation, systemic velocity (km/s).
    position_angle : float
        Direction of the receding side (degrees, from +y towards +x).
    skewness_slope : float
        Skewness per unit of -V/sigma.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    vel: NDArray[np.float64]
    err: NDArray[np.float64]
    v_true_stars: NDArray[np.float64]
    scale_radius: float
    sigma0: float
    v_rot: float
    r_rot: float
    position_angle: float
    v_systemic: float
    r_max: float
    skewness_slope: float

    @property
    def n_stars(self) -> int:
        """Number of stars."""
        return self.x.size

    def v_field(self, x: ArrayLike, y: ArrayLike) -> Any:
        """Mean velocity (km/s) at positions x, y (arcsec, any shape)."""
        x, y = _positions(x, y)
        return self.v_systemic + _rotation(x, y, self.v_rot, self.r_rot, self.position_angle)

    def sigma_field(self, x: ArrayLike, y: ArrayLike) -> Any:
        """Velocity dispersion (km/s) at positions x, y (arcsec, any shape)."""
        return _dispersion(*_positions(x, y), self.sigma0, self.scale_radius)

    def skewness_field(self, x: ArrayLike, y: ArrayLike) -> Any:
        """Skewness of the LOSVD at positions x, y (arcsec, any shape)."""
        return -self.skewness_slope * (self.v_field(x, y) - self.v_systemic) / self.sigma_field(x, y)

    def kurtosis_field(self, x: ArrayLike, y: ArrayLike) -> Any:
        """Excess kurtosis of the LOSVD at positions x, y (arcsec, any shape)."""
        return skew_normal_kurtosis(delta_from_skewness(self.skewness_field(x, y)))[()]

    def losvd_at(self, x: float, y: float) -> SkewNormal:
        """LOSVD at one position (arcsec)."""
        x, y = to_float(x, "x", "arcsec"), to_float(y, "y", "arcsec")
        return SkewNormal.from_skewness(
            float(self.v_field(x, y)), float(self.sigma_field(x, y)), float(self.skewness_field(x, y))
        )

    def bin_losvd(self, bin_ids: ArrayLike, bin_id: int) -> Mixture:
        """Return the LOSVD of one spatial bin: the mean of the LOSVDs at its stars' positions.

        Parameters
        ----------
        bin_ids : array_like of int, shape (n_stars,)
            Bin of each star.
        bin_id : int
            The bin wanted.

        Returns
        -------
        Mixture

        Raises
        ------
        ValueError
            If ``bin_ids`` has not one entry a star, or no star is in the bin.
        """
        members = np.flatnonzero(self._check_bin_ids(bin_ids) == check_count(bin_id, "bin_id", 0))
        if members.size == 0:
            raise ValueError(f"bin_id {bin_id} holds no star: choose one of the values in bin_ids.")
        return Mixture((1 / members.size, self.losvd_at(self.x[i], self.y[i])) for i in members)

    def bin_truth(self, bin_ids: ArrayLike, n_bins: int | None = None) -> dict[str, NDArray[Any]]:
        """True moments of the LOSVD of every spatial bin.

        The LOSVD of a bin is the mean of those at its stars' positions, so that its dispersion includes the
        spread of mean velocities in the bin.  No velocity of a star enters.

        Parameters
        ----------
        bin_ids : array_like of int, shape (n_stars,)
            Bin of each star, from 0; stars with a negative number are in no bin and are left out.
        n_bins : int, optional
            Number of bins; by default one more than the largest bin number.

        Returns
        -------
        dict of str to numpy.ndarray, shape (n_bins,)
            ``n_stars``, ``v_mean`` and ``sigma`` (km/s), ``skewness``, ``kurtosis`` (excess); row i is
            for bin i, and bins without stars have NaN.

        Raises
        ------
        TypeError
            If the bin numbers are not integers.
        ValueError
            If ``bin_ids`` has not one entry a star, or has one of ``n_bins`` or more.
        """
        ids = self._check_bin_ids(bin_ids)
        used = int(ids.max(initial=-1)) + 1
        n_bins = used if n_bins is None else check_count(n_bins, "n_bins", 1)
        if used > n_bins:
            raise ValueError(f"bin_ids goes up to {used - 1}, which n_bins = {n_bins} does not include.")
        order = np.argsort(ids, kind="stable")
        bounds = np.searchsorted(ids[order], np.arange(n_bins + 1))
        fields = (self.v_field, self.sigma_field, self.skewness_field, self.kurtosis_field)
        moments = [field(self.x[order], self.y[order]) for field in fields]
        rows = np.full((n_bins, 4), np.nan)
        for i, (start, stop) in enumerate(pairwise(bounds)):
            if stop > start:
                weights = np.full(stop - start, 1 / (stop - start))
                rows[i] = mixture_moments(weights, *(m[start:stop] for m in moments))
        names = ("v_mean", "sigma", "skewness", "kurtosis")
        return {"n_stars": np.diff(bounds)} | {name: rows[:, j].copy() for j, name in enumerate(names)}

    def _check_bin_ids(self, bin_ids: ArrayLike) -> NDArray[np.integer]:
        ids = np.asarray(bin_ids)
        if ids.shape != self.x.shape:
            raise ValueError(
                f"bin_ids has shape {ids.shape}: pass one number for each of {self.n_stars} stars."
            )
        if ids.dtype.kind not in "iu":
            raise TypeError(f"bin_ids must hold integers, got dtype {ids.dtype}.")
        return ids


def rotating_cluster(
    n_stars: int = 10_000,
    *,
    scale_radius: float = 60.0,
    sigma0: float = 11.0,
    v_rot: float = 6.5,
    r_rot: float | None = None,
    position_angle: float = 90.0,
    v_systemic: float = 0.0,
    err: Any = (0.5, 4.0),
    r_max: float | None = None,
    skewness_slope: float = 0.5,
    seed: np.random.Generator | int | None = None,
) -> MockCluster:
    """Mock globular cluster with a rotating core.

    With R the distance from the centre, X its component along the direction ``position_angle``, and a the
    scale radius:

    - surface density proportional to (1 + R^2/a^2)^-2 (Plummer 1911, MNRAS 71, 460), cut at ``r_max``;
    - mean velocity ``v_systemic + 2 v_rot (X / r_rot) / (1 + R^2 / r_rot^2)``, the rotation curve that
      violent relaxation suggests (Lynden-Bell 1967, MNRAS 136, 101), with its peak ``v_rot`` at ``r_rot``;
    - dispersion ``sigma0 (1 + R^2/a^2)^(-1/4)``, that of the isotropic Plummer sphere;
    - skew-normal LOSVD of skewness ``-skewness_slope (V - v_systemic) / sigma``: as in real rotating systems
      the tail points to the systemic velocity (a slope of 0.7 is h3 = -0.1 V/sigma, about what rotating
      early-type galaxies show: Bender, Saglia & Gerhard 1994, MNRAS 269, 785).

    Parameters
    ----------
    n_stars : int
        Expected number of stars; the actual one is Poisson distributed.
    scale_radius : float or Quantity
        Plummer radius, the half-light radius without the cut (arcsec).
    sigma0 : float or Quantity
        Central dispersion (km/s).
    v_rot : float or Quantity
        Peak of the rotation curve, zero or more (km/s).
    r_rot : float or Quantity, optional
        Radius of the peak (arcsec); by default the scale radius.
    position_angle : float or Quantity
        Direction of the receding side, from +y (North) towards +x (East) (degrees).
    v_systemic : float or Quantity
        Systemic velocity (km/s).
    err : float, array_like or tuple (low, high); Quantity allowed
        Errors as in `observe` (km/s).  As the number of stars is random, usually a number or a range.
    r_max : float or Quantity, optional
        Radius of the field (arcsec); by default 5 scale radii.
    skewness_slope : float
        Strength of the skewness; 0 makes every LOSVD Gaussian.
    seed : int, numpy.random.Generator or None
        Seed or generator.

    Returns
    -------
    MockCluster

    Raises
    ------
    ValueError
        If an argument is out of range, or the skewness would somewhere exceed that of any skew-normal
        distribution (0.995).
    """
    scale_radius = to_positive(scale_radius, "scale_radius", "arcsec")
    sigma0 = to_positive(sigma0, "sigma0", "km/s")
    r_rot = scale_radius if r_rot is None else to_positive(r_rot, "r_rot", "arcsec")
    r_max = 5 * scale_radius if r_max is None else to_positive(r_max, "r_max", "arcsec")
    v_rot = to_float(v_rot, "v_rot", "km/s")
    if v_rot < 0:
        raise ValueError(
            f"v_rot must not be negative, got {v_rot}: turn position_angle by 180 degrees instead."
        )
    position_angle = to_float(position_angle, "position_angle", "deg")
    v_systemic = to_float(v_systemic, "v_systemic", "km/s")
    skewness_slope = to_float(skewness_slope, "skewness_slope", "")
    _check_skewness(skewness_slope, v_rot / sigma0, r_rot / scale_radius)

    rng = np.random.default_rng(seed)
    n = int(rng.poisson(check_count(n_stars, "n_stars", 1)))
    # Inverse of the enclosed fraction R^2 / (R^2 + a^2), uniform up to its value at r_max.
    enclosed = rng.uniform(0, r_max**2 / (r_max**2 + scale_radius**2), n)
    radius = scale_radius * np.sqrt(enclosed / (1 - enclosed))
    angle = rng.uniform(0, 2 * np.pi, n)
    x, y = radius * np.sin(angle), radius * np.cos(angle)

    rotation = _rotation(x, y, v_rot, r_rot, position_angle)
    dispersion = _dispersion(x, y, sigma0, scale_radius)
    delta = delta_from_skewness(-skewness_slope * rotation / dispersion)
    v_true = v_systemic + rotation + dispersion * skew_normal_draw(delta, n, rng)
    errors = draw_errors(err, n, rng)
    vel = v_true + errors * rng.standard_normal(n)
    for array in (x, y, vel, errors, v_true):
        array.flags.writeable = False
    return MockCluster(
        x=x,
        y=y,
        vel=vel,
        err=errors,
        v_true_stars=v_true,
        scale_radius=scale_radius,
        sigma0=sigma0,
        v_rot=v_rot,
        r_rot=r_rot,
        position_angle=position_angle,
        v_systemic=v_systemic,
        r_max=r_max,
        skewness_slope=skewness_slope,
    )


def _positions(x: ArrayLike, y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = to_numbers(x, "x", "arcsec"), to_numbers(y, "y", "arcsec")
    check_finite(x, "x")
    check_finite(y, "y")
    return x, y


def _rotation(
    x: NDArray[np.float64], y: NDArray[np.float64], v_rot: float, r_rot: float, position_angle: float
) -> NDArray[np.float64]:
    angle = np.deg2rad(position_angle)
    along = x * np.sin(angle) + y * np.cos(angle)
    return 2 * v_rot * (along / r_rot) / (1 + (x**2 + y**2) / r_rot**2)


def _dispersion(
    x: NDArray[np.float64], y: NDArray[np.float64], sigma0: float, scale_radius: float
) -> NDArray[np.float64]:
    return sigma0 * (1 + (x**2 + y**2) / scale_radius**2) ** -0.25


def _check_skewness(slope: float, v_over_sigma0: float, radius_ratio: float) -> None:
    """Raise if the skewness at its strongest is out of reach of a skew-normal distribution.

    Along the receding direction, with q = (R / r_rot)^2 and c = (r_rot / scale_radius)^2, V / sigma peaks
    where c q^2 - (3 c - 2) q - 2 = 0.
    """
    c = radius_ratio**2
    half = 1.5 * c - 1
    q = (half + np.sqrt(half**2 + 2 * c)) / c
    strongest = abs(slope) * v_over_sigma0 * 2 * np.sqrt(q) / (1 + q) * (1 + c * q) ** 0.25
    if strongest >= MAX_SKEWNESS:
        raise ValueError(
            f"skewness_slope = {slope} makes the skewness reach {strongest:.3f}, and that of a skew-normal "
            f"distribution stays below {MAX_SKEWNESS}: use a smaller skewness_slope or v_rot."
        )
