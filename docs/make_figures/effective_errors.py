"""What it costs to take the velocity bins of an LOSVD as independent, for one mock bin on three grids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from veldist import KinematicSolver
from veldist.export import effective_errors
from veldist.simulate import SkewNormal, observe

TRUTH, N_STARS, ERRORS, SEED = SkewNormal(0.0, 20.0, alpha=3.0), 200, (5.0, 15.0), 4
WIDTH, BIN_WIDTHS, SHOWN, REACH = 210.0, (3.0, 5.0, 10.0), 5.0, 75.0
LABELS = {"v": "$V$", "sigma": r"$\sigma$", "h3": "$h_3$", "h4": "$h_4$"}


def main(out_dir: str | Path) -> None:
    """Write ``effective_errors.png`` and print the table of the ratios."""
    from matplotlib import pyplot as plt

    vel, err = observe(TRUTH, N_STARS, ERRORS, rng=SEED)
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.5, 3.2), layout="constrained")
    colors = plt.get_cmap("cividis")([0.0, 0.45, 0.8])
    print("| velocity bins (km/s) | V | σ | h3 | h4 | scale |\n|---|---|---|---|---|---|")
    for k, dv in enumerate(BIN_WIDTHS):
        solver = KinematicSolver()
        solver.setup_grid(center=0.0, width=WIDTH, n_bins=round(WIDTH / dv))
        solver.add_data(vel=vel, err=err)
        solver.run(num_samples=2000, seed=1)
        masses, edges = solver.samples["intrinsic_pdf"], solver.grid["edges"]
        found = effective_errors(masses, edges)
        ratios = [found.ratio[name] for name in LABELS]
        print(f"| {dv:g} | " + " | ".join(f"{value:.3f}" for value in (*ratios, found.scale)) + " |")
        right.bar(np.arange(4) + 0.27 * (k - 1), ratios, 0.25, color=colors[k], label=f"{dv:g}")
        if dv == SHOWN:
            correlation = np.corrcoef(masses, rowvar=False)
            image = left.pcolormesh(edges, edges, correlation, cmap="RdBu_r", vmin=-1.0, vmax=1.0)
            figure.colorbar(image, ax=left)
    axis = r"Velocity [km s$^{-1}$]"
    left.set(aspect="equal", xlim=(-REACH, REACH), ylim=(-REACH, REACH), xlabel=axis, ylabel=axis)
    left.set_title("Correlation of the masses", fontsize="medium")
    right.axhline(1.0, color="0.4", lw=0.9)
    right.set_xticks(range(4), list(LABELS.values()))
    right.set(ylabel="Scatter / believed uncertainty", ylim=(0.0, 4.6))
    right.set_title("Fits with independent bins", fontsize="medium")
    right.legend(title=r"Bins [km s$^{-1}$]", ncols=3, frameon=False)
    figure.savefig(Path(out_dir) / "effective_errors.png", dpi=160)
    plt.close(figure)
