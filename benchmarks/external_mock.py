"""Coverage in shells of an external mock, an N-body realisation of a spherical model without rotation.

It is a CSV table of particles with columns ``x_kpc, y_kpc, z_kpc``, ``vx_true_kms, ...`` and ``vx_obs_kms,
...``, such as those of the Gaia Challenge. Each axis is a line of sight, and each shell of equal numbers of
stars a bin.

The truth of a shell is the model's: its LOSVD is symmetric about zero, the same along all axes, and changes
slowly with radius. The dispersion is a smooth function of radius fitted to the true velocities of all stars;
the shape is that of the stars of the shell and of its neighbours, in units of the dispersion at their radii.
The stars of one shell alone would tell it too badly, and not independently of the fit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from benchmarks.results import keep, make_parser
from veldist import fit_all_bins
from veldist.analysis import summary_draws

EDGES = np.linspace(-60.0, 60.0, 61)
ERROR = 2.0
# Stars on either side of a shell that tell its shape; degree of the dispersion profile in log radius.
NEIGHBOURS, DEGREE = 1000, 6

Floats = NDArray[np.float64]


class Truth:
    """Dispersions and bin masses of shells of a spherical model, from all its stars."""

    def __init__(self, radius: Floats, velocity: Floats) -> None:
        """Stars in order of ``radius`` (N,) with true velocities along all axes, (N, 3), km/s."""
        x = np.log(radius)
        square = (velocity**2).mean(axis=1)
        # A Gaussian of variance s^2 has a log-likelihood in log s^2 whose Newton steps are weighted fits.
        profile = np.polynomial.Polynomial.fit(x, np.full(x.size, np.log(square.mean())), DEGREE)
        for _ in range(20):
            variance = np.exp(profile(x))
            profile = np.polynomial.Polynomial.fit(x, np.log(variance) + square / variance - 1.0, DEGREE)
        self.sigma = np.exp(0.5 * profile(x))
        self._shape = velocity / self.sigma[:, None]

    def shell(self, first: int, last: int) -> tuple[float, Floats]:
        """Dispersion and bin masses of the stars from ``first`` up to ``last``."""
        near = self._shape[max(first - NEIGHBOURS, 0) : last + NEIGHBOURS].ravel()
        near = np.sort(np.concatenate([near, -near]))
        near /= near.std()
        sigma = self.sigma[first:last]
        cdf = np.searchsorted(near, EDGES[None, :] / sigma[:, None]).mean(axis=0) / near.size
        return float(np.sqrt(np.mean(sigma**2))), np.diff(cdf) / (cdf[-1] - cdf[0])


def main(arguments: list[str]) -> None:
    """Print the coverage."""
    parser = make_parser(__name__, __doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("--stars", type=int, nargs="+", default=[150, 300, 1000])
    options = parser.parse_args(arguments)
    rows: list[dict[str, Any]] = []
    data = Table.read(options.path)
    position, true, observed = (
        np.stack([data[name.format(axis)] for axis in "xyz"], axis=1)
        for name in ("{}_kpc", "v{}_true_kms", "v{}_obs_kms")
    )
    radius = np.linalg.norm(position, axis=1)
    order = np.argsort(radius)
    truth = Truth(radius[order], true[order])
    for n in options.stars:
        starts = range(0, len(order) - n + 1, n)
        bins = [
            {"vel": observed[order[a : a + n], k], "err": np.full(n, ERROR)} for k in range(3) for a in starts
        ]
        solvers = fit_all_bins(bins, {"center": 0.0, "width": 120.0, "n_bins": 60}, {"num_samples": 1000})
        hits: dict[str, list[float]] = {"V": [], "sigma": [], "kurtosis": [], "bins": []}
        for solver, start in zip(solvers, [a for _ in range(3) for a in starts], strict=True):
            assert solver is not None
            assert solver.samples is not None
            assert solver.grid is not None
            sigma, masses = truth.shell(start, start + n)
            pdf = solver.samples["intrinsic_pdf"]
            draws = summary_draws(pdf, solver.grid["centers"])
            kurtosis = summary_draws(masses[None, :], solver.grid["centers"])["kurtosis"][0]
            for name, values, value in (
                ("V", draws["v_mean"], 0.0),
                ("sigma", draws["sigma"], sigma),
                ("kurtosis", draws["kurtosis"], kurtosis),
            ):
                low, high = np.percentile(values, [16, 84])
                hits[name].append(low <= value <= high)
            low, high = np.percentile(pdf, [16, 84], axis=0)
            full = masses * n >= 1
            hits["bins"].append(float(((low <= masses) & (masses <= high))[full].mean()))
        found = {name: (np.mean(h), np.std(h, ddof=1) / np.sqrt(len(h))) for name, h in hits.items()}
        line = ", ".join(f"{name} {value:.2f} +- {error:.2f}" for name, (value, error) in found.items())
        print(f"{n} stars a shell, {len(bins)} shells and axes: coverage of 68 % intervals: {line}")
        rows += [
            {"n_stars": n, "quantity": name, "coverage68": value, "error": error}
            for name, (value, error) in found.items()
        ]
    print(keep(rows, options.out, "external_mock"))
