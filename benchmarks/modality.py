"""How often two streams are told from one Gaussian, and how well their peaks are placed.

Run with ``python benchmarks/modality.py --mocks 400``. Two streams: 150 stars of N(-30, 12^2) and 100 of
N(50, 15^2) km/s, or closer, at -20 and 30 km/s; Gaussians: 250 stars of the overall dispersion of the
streams, and of 20 km/s, which is hardly more than the errors. Errors of 8 to 18 km/s.
"""

from __future__ import annotations

import argparse

import numpy as np

from veldist import fit_all_bins, simulate
from veldist.analysis import modality

# Velocities of the two streams; the closer ones are 3.7 of their mean dispersions apart.
STREAMS, CLOSER = (-30.0, 50.0), (-20.0, 30.0)
GRID = {"center": 10.0, "width": 400.0, "n_bins": 96}
DEPTHS = (0.2, 0.25, 0.3, 0.35, 0.4)


def fitted(truth: simulate.LOSVD | tuple[float, float], n_mocks: int, seed: int) -> list[np.ndarray]:
    """Posterior draws of mocks of 250 stars."""
    data = []
    for k in range(n_mocks):
        rng = np.random.default_rng(seed + k)
        if isinstance(truth, tuple):
            # 150 and 100 exactly.
            v = np.concatenate([rng.normal(truth[0], 12.0, 150), rng.normal(truth[1], 15.0, 100)])
            err = rng.uniform(8.0, 18.0, 250)
            vel = v + rng.normal(0.0, err)
        else:
            vel, err = simulate.observe(truth, 250, (8.0, 18.0), rng)
        data.append({"vel": vel, "err": err})
    solvers = fit_all_bins(data, GRID, {"num_samples": 1000, "seed": seed}, progress=False)
    draws = [s.samples["intrinsic_pdf"] for s in solvers if s is not None and s.samples is not None]
    if len(draws) < n_mocks:
        raise RuntimeError(f"{n_mocks - len(draws)} of {n_mocks} mocks could not be fitted.")
    return draws


def pulls(found: list[tuple[tuple[float, float], ...]], truth: tuple[float, float]) -> np.ndarray:
    """Deviations from the truth over the uncertainties, (n_mocks, 2)."""
    median, uncertainty = np.moveaxis(np.array(found), 2, 0)
    return (median - np.array(truth)) / uncertainty


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--mocks", type=int, default=100)
    options = parser.parse_args()
    edges = GRID["center"] + GRID["width"] * (np.arange(GRID["n_bins"] + 1) / GRID["n_bins"] - 0.5)
    centers = 0.5 * (edges[1:] + edges[:-1])
    streams, closer = (fitted(v, options.mocks, 0) for v in (STREAMS, CLOSER))
    single = {sigma: fitted(simulate.Gaussian(2.0, sigma), options.mocks, 10_000) for sigma in (20.0, 41.5)}
    print(f"{options.mocks} mocks each; in percent of them:")
    print(
        "depth   streams: P > 0.95, both peaks within 1 / 2 unc., both masses   Gaussian 20: P < 0.1   41.5"
        "   closer streams: P > 0.5"
        "   and not in percent: largest |pull| of a peak, largest P of the Gaussians"
    )
    for depth in DEPTHS:
        found = [modality(pdf, centers, depth=depth) for pdf in streams]
        likely = np.mean([m.p_multimodal > 0.95 for m in found])
        peaks = pulls([m.peak_v for m in found], STREAMS)
        shares = pulls([m.peak_mass for m in found], (0.6, 0.4))
        within = [np.mean(np.all(np.abs(x) < n, axis=1)) for x, n in ((peaks, 1), (peaks, 2), (shares, 2))]
        two = [
            np.array([modality(pdf, centers, depth=depth).p_multimodal for pdf in pdfs])
            for pdfs in single.values()
        ]
        seen = np.mean([modality(pdf, centers, depth=depth).p_multimodal > 0.5 for pdf in closer])
        numbers = [100 * x for x in (likely, *within, *(np.mean(p < 0.1) for p in two), seen)]
        # Shares within 2 uncertainties do not tell of a few that are far too small.
        extremes = [np.abs(peaks).max(), *(p.max() for p in two)]
        print(
            f"{depth:5.2f} "
            + " ".join(f"{x:14.0f}" for x in numbers)
            + " ".join(f"{x:8.2f}" for x in extremes),
            flush=True,
        )


if __name__ == "__main__":
    main()
