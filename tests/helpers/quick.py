"""Fits that take a moment, converged or not, and the comparison of two of them."""

from __future__ import annotations

import numpy as np

from veldist import KinematicSolver
from veldist.fits.record import pack
from veldist.inference import Settings

GRID = {"center": 0.0, "width": 160.0, "n_bins": 32}
QUICK = Settings(n_chains=32, n_groups=4, n_proposals=40, max_doublings=0, rhat_max=9.0, ess_fraction=0.0)
RUN = {"num_samples": 60, "seed": 17, "settings": QUICK}


def make_bins(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [{"vel": rng.normal(0, 12, n), "err": rng.uniform(1, 4, n)} for n in sizes]


def quick_solver(n_stars=50, seed=0):
    solver = KinematicSolver()
    solver.setup_grid(**GRID)
    solver.add_data(**make_bins([n_stars], seed)[0])
    solver.run(**RUN)
    solver.clip_uncertainties()
    return solver


def assert_same(one, two):
    """Two solvers, or two times None, that hold the same bits."""
    if one is None or two is None:
        assert one is two
        return
    for name in ("samples", "clipped_samples", "grid"):
        a, b = getattr(one, name), getattr(two, name)
        assert a.keys() == b.keys()
        for key, value in a.items():
            assert np.array_equal(value, b[key])
            assert type(value) is type(b[key])
    # Everything else that a solver holds goes into its bytes.
    assert pack(one.fit) == pack(two.fit)


def assert_all_same(one, two):
    assert len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert_same(a, b)
