"""Maps of a mock cluster with a rotating core, and the same beside what went in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from veldist import fit_all_bins
from veldist.analysis import compute_summary_maps
from veldist.fits.grid import suggest_grid
from veldist.plotting import common_norm, plot_kinematic_maps, plot_map, share_colorbar
from veldist.simulate import rotating_cluster
from veldist.sky import bin_stars, pixelize

N_STARS, PER_BIN, SEED = 20_000, 200, 1
FIELDS = (("v_mean", r"$V$ [km s$^{-1}$]", True), ("sigma", r"$\sigma$ [km s$^{-1}$]", False))


def main(out_dir: Path) -> None:
    """Write ``kinematic_maps.png``, ``voronoi_map.png`` and ``truth_maps.png``."""
    from matplotlib import pyplot as plt

    cluster = rotating_cluster(N_STARS, seed=SEED)
    bins = bin_stars(cluster.x, cluster.y, PER_BIN)
    grid, ids = pixelize(bins, cluster.x, cluster.y)
    members = [bins.bin_ids == k for k in range(bins.n_bins)]
    data = [{"vel": cluster.vel[m], "err": cluster.err[m]} for m in members]
    solvers = fit_all_bins(data, suggest_grid(data), {"num_samples": 1000, "seed": SEED}, progress=False)
    maps = compute_summary_maps(solvers)
    figure, _ = plot_kinematic_maps(maps, grid, ids, uncertainties=True)
    figure.savefig(out_dir / "kinematic_maps.png", dpi=200)
    plt.close(figure)

    figure, ax = plt.subplots(figsize=(4.8, 4.0), layout="compressed")
    plot_map(
        maps["v_mean"]["median"],
        ax=ax,
        x=bins.x_bin,
        y=bins.y_bin,
        diverging=True,
        label=FIELDS[0][1],
        numbers=True,
    )
    figure.savefig(out_dir / "voronoi_map.png", dpi=200)
    plt.close(figure)

    truth = cluster.bin_truth(bins.bin_ids, n_bins=bins.n_bins)
    xx, yy = grid.centers()
    covered = ids > 0
    pixels = np.zeros(ids.shape, dtype=int)
    pixels[covered] = np.arange(1, covered.sum() + 1)
    inputs = {"v_mean": cluster.v_field(xx, yy), "sigma": cluster.sigma_field(xx, yy)}
    figure, axes = plt.subplots(2, 3, figsize=(7.1, 4.6), sharex=True, sharey=True, layout="compressed")
    for row, (name, label, diverging) in zip(axes, FIELDS, strict=True):
        recovered, field = maps[name]["median"], inputs[name][covered]
        residual = (recovered - truth[name]) / maps[name]["uncertainty"]
        norm = common_norm(recovered, field, diverging=diverging)
        colors: dict[str, Any] = {"norm": norm, "diverging": diverging, "colorbar": None}
        plot_map(field, grid, pixels, row[0], boundary_width=0, **colors)
        plot_map(recovered, grid, ids, row[1], **colors)
        plot_map(residual, grid, ids, row[2], colorbar=None, cmap="PuOr_r", diverging=True, vmax=3.0)
        share_colorbar(row[:2], label)
        share_colorbar(row[2], "Residual / uncertainty")
        row[2].set_title(
            rf"Reduced $\chi^2$ = {np.mean(residual**2):.2f} $\pm$ {np.sqrt(2 / bins.n_bins):.2f}",
            fontsize="medium",
        )
        row[1].set_title(f"Recovered, {bins.n_bins} bins", fontsize="medium")
        row[0].set_title("Input", fontsize="medium")
    for ax in axes.flat:
        ax.label_outer()
    figure.savefig(out_dir / "truth_maps.png", dpi=200)
    plt.close(figure)
