"""A contaminated sample: what is learnt from it, and the members' LOSVD."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from veldist import Contaminant, KinematicSolver
from veldist.plotting import plot_contaminant


def main(out: Path) -> None:
    """Write ``contaminants.png``."""
    rng = np.random.default_rng(1)
    member = rng.random(600) < 0.5
    err = rng.uniform(1.0, 3.0, 600)
    vel = np.where(member, rng.normal(0.0, 10.0, 600), rng.normal(40.0, 60.0, 600)) + rng.normal(0.0, err)
    contaminant = Contaminant.learn(vel, err)
    solver = KinematicSolver()
    solver.setup_grid(center=0.0, width=120.0, n_bins=40)
    solver.add_data(vel, err, contaminant=contaminant)
    solver.run()
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
    plot_contaminant(contaminant, vel, err, ax=axes[0])
    solver.plot_result(ax=axes[1], stars="histogram")
    figure.savefig(out / "contaminants.png", dpi=150)
    plt.close(figure)
