"""What it costs to take the velocity bins of an LOSVD as independent, for one mock bin on three grids."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from veldist import KinematicSolver
from veldist.export import effective_errors
from veldist.simulate import SkewNormal, observe

N_STARS, ERRORS, SEED = 200, (5.0, 15.0), 4
SIGMA, SKEWNESS = 20.0, 0.5
WIDTH, BIN_WIDTHS, SHOWN = 200.0, (2.0, 5.0, 10.0), 5.0
LABELS = {"v": "$V$", "sigma": r"$\sigma$", "h3": "$h_3$", "h4": "$h_4$"}
COLORS = ("#0072B2", "#E69F00", "#009E73")


def main(out_dir: str | Path) -> None:
    """Write ``effective_errors.png`` and print the table of the ratios."""
    from matplotlib import pyplot as plt

    truth = SkewNormal(mean=0.0, sigma=SIGMA, skewness=SKEWNESS)
    vel, err = observe(truth, N_STARS, ERRORS, rng=SEED)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
    print("| bin width | V | sigma | h3 | h4 | scale |\n|---|---|---|---|---|---|")
    for k, dv in enumerate(BIN_WIDTHS):
        solver = KinematicSolver()
        solver.setup_grid(center=0.0, width=WIDTH, n_bins=round(WIDTH / dv))
        solver.add_data(vel=vel, err=err)
        solver.run(num_samples=4000, seed=SEED)
        masses, edges = solver.samples["intrinsic_pdf"], solver.grid["edges"]
        found = effective_errors(masses, edges)
        print(f"| {dv:g} km/s | " + " | ".join(f"{r:.2f}" for r in (*found.ratio.values(), found.scale)) + " |")
        right.bar(
            np.arange(4) + 0.27 * (k - 1),
            list(found.ratio.values()),
            0.25,
            color=COLORS[k],
            label=f"{dv:g} km s$^{{-1}}$",
        )
        if dv == SHOWN:
            correlation = np.corrcoef(masses, rowvar=False)
            image = left.pcolormesh(edges, edges, correlation, cmap="RdBu_r", vmin=-1.0, vmax=1.0)
    left.set(aspect="equal", xlim=(-3.5 * SIGMA, 3.5 * SIGMA), ylim=(-3.5 * SIGMA, 3.5 * SIGMA))
    left.set(xlabel=r"Velocity [km s$^{-1}$]", ylabel=r"Velocity [km s$^{-1}$]")
    left.set_title(f"Posterior correlation, bins of {SHOWN:g} km s$^{{-1}}$", fontsize="medium")
    figure.colorbar(image, ax=left, label="Correlation of the masses")
    right.axhline(1.0, color="0.3", lw=0.8, ls="--")
    right.set_xticks(range(4), list(LABELS.values()))
    right.set(ylabel="Scatter / uncertainty of the fit")
    right.legend(title="Velocity bins", frameon=False)
    right.set_title("Fit that takes the bins as independent", fontsize="medium")
    figure.savefig(Path(out_dir) / "effective_errors.png", dpi=160)
    plt.close(figure)


if __name__ == "__main__":
    main(".")
