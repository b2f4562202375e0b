"""Stand-ins for fitted solvers with draws in closed form: no sampler, no random numbers."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
from scipy import stats

from veldist import KinematicSolver
from veldist.fits.fit import Fit
from veldist.fits.grid import VelocityGrid
from veldist.fits.stars import Stars
from veldist.inference import Diagnostics

EDGES = np.linspace(-60.0, 60.0, 25)


def some_stars(n_stars):
    """A bin with so many stars, whatever they are."""
    return Fit(Stars(np.zeros(n_stars), np.ones(n_stars)))


def made_solver(grid, n_stars, draws=None, clipped=None):
    """A solver whose draws, or their medians, are given."""
    return KinematicSolver.from_fit(replace(some_stars(n_stars), grid=grid, draws=draws, clipped=clipped))


def quantiles(n):
    return (np.arange(n) + 0.5) / n


def gaussian_solver(mean=0.0, sigma=15.0, n_stars=80, n_draws=60, edges=EDGES, spread=1.0):
    """Draws are Gaussians of evenly spread means and dispersions; stars sit at quantiles of what is seen."""
    u = stats.norm.ppf(quantiles(n_draws))
    # A permutation that decorrelates means and dispersions.
    turned = u[(np.arange(n_draws) * 23) % n_draws]
    means = mean + 1.5 * spread * u[:, None]
    sigmas = sigma * np.exp(0.06 * spread * turned)[:, None]
    masses = np.diff(stats.norm.cdf(edges[None, :], means, sigmas), axis=1)
    masses /= masses.sum(axis=1, keepdims=True)
    err = 3.0 + 2.0 * quantiles(n_stars)[(np.arange(n_stars) * 37) % n_stars]
    vel = mean + np.hypot(sigma, err) * stats.norm.ppf(quantiles(n_stars))
    grid = VelocityGrid(edges, float(np.ptp(edges)))
    return KinematicSolver.from_fit(Fit(Stars(vel, err), grid, draws={"intrinsic_pdf": masses}))


def diagnosed_solver(n_stars=100, n_draws=1000, n_groups=8, **changes):
    """A solver of which only the diagnostics are looked at; good ones unless changed."""
    fields = {
        "quantities": ("z^1", "z^2", "mass[-0.5, 0]", "prior scale"),
        "ess": np.array([800.0, 700.0, 900.0, 600.0]),
        "rhat": np.array([1.001, 1.004, 1.002, 1.01]),
        "pareto_k": 0.4,
        "acceptance": 0.85,
        "component_acceptance": 0.6,
        "log_evidence": -400.0,
        "component_log_evidence": np.array([-400.0, -401.0]),
        "component_probability": np.array([0.7, 0.3]),
        "component_labels": ("a", "b"),
        "log_bayes_factor": 0.7,
        "n_rounds": 6,
        "converged": True,
        "messages": (),
    }
    diagnostics = Diagnostics(**(fields | changes))
    inner = SimpleNamespace(n_draws=n_draws, n_groups=n_groups, diagnostics=diagnostics)
    return KinematicSolver.from_fit(replace(some_stars(n_stars), posterior=SimpleNamespace(posterior=inner)))
