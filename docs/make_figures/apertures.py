"""The aperture and the bins of an elongated field whose major axis is not along x."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from veldist.export import aperture_and_bins
from veldist.simulate import rotating_cluster
from veldist.sky.binning import bin_stars

N_STARS, PER_BIN, SEED = 3000, 150, 2
AXIS_RATIO, MAJOR_AXIS = 0.45, 35.0


def main(out_dir: str | Path) -> None:
    """Write ``aperture.png``."""
    from matplotlib import pyplot as plt

    x, y = elongated_field()
    bins = bin_stars(x, y, PER_BIN)
    figure, ax = plt.subplots(figsize=(5.6, 4.4), layout="compressed")
    # From the major axis to x, counter-clockwise: the negative of the axis' own angle.
    aperture_and_bins(x, y, bins=bins, angle_deg=-MAJOR_AXIS).plot(ax, numbers=True)
    figure.savefig(Path(out_dir) / "aperture.png", dpi=160)
    plt.close(figure)


def elongated_field() -> tuple[np.ndarray, np.ndarray]:
    """Positions of a flattened mock cluster, its major axis counter-clockwise of x (arcsec)."""
    cluster = rotating_cluster(N_STARS, seed=SEED)
    angle = np.radians(MAJOR_AXIS)
    a, b = cluster.x, AXIS_RATIO * cluster.y
    return a * np.cos(angle) - b * np.sin(angle), a * np.sin(angle) + b * np.cos(angle)
