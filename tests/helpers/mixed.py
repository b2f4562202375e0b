"""Samples of which not all stars are members."""

from __future__ import annotations

import warnings
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from veldist import Contaminant, fit_all_bins

FOREIGN = Contaminant.gaussian(-20.0, 80.0)
GRID = {"center": 60.0, "width": 100.0, "n_bins": 40}


class Mixed(NamedTuple):
    """Positions (arcsec), velocities and errors (km/s), who is a member, and what is known beforehand."""

    x: np.ndarray
    y: np.ndarray
    vel: np.ndarray
    err: np.ndarray
    member: np.ndarray
    probability: np.ndarray


def mixed_stars(n=500, share=0.5, seed=0):
    """Members at 60 km/s in the middle of the field, contaminants at all places."""
    rng = np.random.default_rng(seed)
    member = rng.random(n) < share
    x, y = np.where(member, rng.normal(0.0, 100.0, (2, n)), rng.uniform(-400.0, 400.0, (2, n)))
    err = rng.uniform(1.0, 3.0, n)
    vel = np.where(member, rng.normal(60.0, 9.0, n), rng.normal(-20.0, 80.0, n)) + err * rng.normal(size=n)
    inside = share * np.exp(-0.5 * (x**2 + y**2) / 100.0**2) / (2.0 * np.pi * 100.0**2)
    return Mixed(x, y, vel, err, member, inside / (inside + (1.0 - share) / 800.0**2))


@lru_cache
def mixed_solvers():
    """Two bins beside contaminants, the second with memberships, and between them one that was skipped."""
    first, second = mixed_stars(150, 0.7, 1), mixed_stars(200, 0.4, 2)
    bins = [
        {"vel": first.vel, "err": first.err},
        {"vel": first.vel[:3], "err": first.err[:3]},
        {"vel": second.vel, "err": second.err, "membership": second.probability},
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit_all_bins(bins, GRID, {"num_samples": 200}, contaminant=FOREIGN, n_jobs=1, progress=False)
