"""How often two streams are told from one Gaussian, and how well their peaks are placed.

Two streams: 150 stars of N(-30, 12^2) and 100 of
N(50, 15^2) km/s, or closer, at -20 and 30 km/s; Gaussians: 250 stars of the overall dispersion of the
streams, and of 20 km/s, which is hardly more than the errors. Errors of 8 to 18 km/s.
"""

from __future__ import annotations

import numpy as np

from benchmarks.results import keep, make_parser, markdown
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


def main(arguments: list[str]) -> None:
    """Print the table."""
    parser = make_parser(__name__, __doc__)
    parser.add_argument("--mocks", type=int, default=100)
    options = parser.parse_args(arguments)
    edges = GRID["center"] + GRID["width"] * (np.arange(GRID["n_bins"] + 1) / GRID["n_bins"] - 0.5)
    centers = 0.5 * (edges[1:] + edges[:-1])
    streams, closer = (fitted(v, options.mocks, 0) for v in (STREAMS, CLOSER))
    single = {sigma: fitted(simulate.Gaussian(2.0, sigma), options.mocks, 10_000) for sigma in (20.0, 41.5)}
    rows = []
    for depth in DEPTHS:
        found = [modality(pdf, centers, depth=depth) for pdf in streams]
        peaks = np.abs(pulls([m.peak_v for m in found], STREAMS))
        shares = np.abs(pulls([m.peak_mass for m in found], (0.6, 0.4)))

        def p_two(pdfs: list[np.ndarray], depth: float = depth) -> np.ndarray:
            return np.array([modality(pdf, centers, depth=depth).p_multimodal for pdf in pdfs])

        percent = {
            "streams: P > 0.95": [m.p_multimodal > 0.95 for m in found],
            "both peaks within 1": np.all(peaks < 1, axis=1),
            "within 2": np.all(peaks < 2, axis=1),
            "both masses within 2": np.all(shares < 2, axis=1),
            "closer: P > 0.5": p_two(closer) > 0.5,
            **{f"Gaussian {sigma:g}: P < 0.1": p_two(pdfs) < 0.1 for sigma, pdfs in single.items()},
        }
        # Shares within 2 uncertainties do not tell of a few that are far too small.
        rows.append(
            {"depth": depth}
            | {name: float(100 * np.mean(values)) for name, values in percent.items()}
            | {"largest pull of a peak": float(peaks.max())}
            | {f"Gaussian {sigma:g}: largest P": float(p_two(pdfs).max()) for sigma, pdfs in single.items()}
        )
    print(f"{options.mocks} mocks each, in percent of them:\n")
    print(markdown([list(row.values()) for row in rows], list(rows[0])))
    print(f"\n{keep(rows, options.out, 'modality')}")
