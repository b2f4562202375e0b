"""Pictures of LOSVDs: one bin in several guises, its checks, and the LOSVDs along the axis of a cluster."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from veldist import KinematicSolver, fit_all_bins
from veldist.plotting import plot_diagnostics, plot_ppc, plot_ridge
from veldist.simulate import Gaussian, Mixture, observe, rotating_cluster

DPI = 160


def main(out_dir: str | Path) -> None:
    """Write the pictures into a folder."""
    out = Path(out_dir)
    gaussian = _fit(Gaussian(0.0, 20.0), 200, (5.0, 15.0), center=0.0, width=200.0, n_bins=50, seed=42)
    _save(gaussian.plot_result(true_intrinsic=Gaussian(0.0, 20.0)).figure, out / "example1.png")
    truth = Mixture([(0.6, Gaussian(-30.0, 12.0)), (0.4, Gaussian(50.0, 15.0))])
    double = _fit(truth, 250, (8.0, 18.0), center=10.0, width=250.0, n_bins=60, seed=7)
    _save(double.plot_result(true_intrinsic=truth, stars="histogram").figure, out / "two_components.png")
    _save(plot_ppc(double)[0], out / "ppc.png")
    _save(plot_diagnostics(double)[0], out / "diagnostics.png")
    _save(_ridge(), out / "ridge.png")


def _fit(
    losvd: Gaussian | Mixture, n: int, err: tuple[float, float], *, seed: int, **grid: float
) -> KinematicSolver:
    vel, err = observe(losvd, n, err, rng=seed)
    solver = KinematicSolver()
    solver.setup_grid(**grid)
    solver.add_data(vel=vel, err=err)
    solver.run(seed=seed)
    return solver


def _ridge() -> plt.Figure:
    """LOSVDs in a slit along the rotation axis' normal, where a cluster rotates most."""
    cluster = rotating_cluster(n_stars=10_000, v_rot=9.0, seed=3)
    slit = np.abs(cluster.y) < 25.0
    x = cluster.x[slit]
    edges = np.linspace(-150.0, 150.0, 13)
    number = np.digitize(x, edges) - 1
    members = [np.flatnonzero(slit)[number == k] for k in range(edges.size - 1)]
    solvers = fit_all_bins(
        [{"vel": cluster.vel[m], "err": cluster.err[m]} for m in members],
        grid_kwargs={"center": 0.0, "width": 100.0, "n_bins": 50},
    )
    centers = 0.5 * (edges[1:] + edges[:-1])
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 4.4), layout="constrained")
    label = "Position along the major axis of rotation [arcsec]"
    plot_ridge(solvers, centers, axes[0], label=label, systemic=cluster.v_systemic)
    plot_ridge(solvers, centers, axes[1], kind="image", label=label, systemic=cluster.v_systemic)
    return figure


def _save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, dpi=DPI)
    plt.close(figure)
