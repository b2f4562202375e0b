"""How well maps of a mock rotating cluster recover its fields.

Run with ``python benchmarks/rotating_cluster.py``. For every seed a cluster of 20,000 stars with a rotating
core is sorted into bins of 200 stars, all bins are fitted, and the maps are compared with the truth of the
same bins (`MockCluster.bin_truth`):

- reduced chi-square, the mean of ((recovered - true) / uncertainty)^2 over the bins, with the standard error
  of that mean: 1 for honest uncertainties, and within 0.8-1.2 for V and sigma. It scatters by
  sqrt(2 / bins), 0.14 for 100 bins, even if all uncertainties are right: one mock decides little, all seeds
  together do;
- antisymmetry: correlation of the skewness with minus the skewness in the bin that holds the position
  opposite to the centre; the truth's correlation is printed beside it (bins are not symmetric);
- correlation of skewness and V: negative, because the tails point to the systemic velocity.

Errors of correlations are bootstrap errors over the bins. How far a correlation is from what shuffled bins
give is stated in standard deviations of 2,000 permutations. Opposite bins occur in more than one pair: the
bootstrap draws bins that are linked by pairs together.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from veldist import fit_all_bins
from veldist.analysis import compute_summary_maps
from veldist.fits.grid import suggest_grid
from veldist.simulate import MockCluster, rotating_cluster
from veldist.sky.binning import SpatialBins, bin_stars

N_STARS, PER_BIN, N_RESAMPLES = 20_000, 200, 2000
WANTED = (0.8, 1.2)
METRICS = ("v_mean", "sigma", "skewness", "kurtosis")

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]


def fit_maps(seed: int, n_jobs: int | None) -> tuple[MockCluster, SpatialBins, dict[str, dict[str, Floats]]]:
    """Mock, bins and maps."""
    cluster = rotating_cluster(N_STARS, seed=seed)
    bins = bin_stars(cluster.x, cluster.y, PER_BIN)
    members = [bins.bin_ids == k for k in range(bins.n_bins)]
    data = [{"vel": cluster.vel[m], "err": cluster.err[m]} for m in members]
    solvers = fit_all_bins(
        data, suggest_grid(data), {"num_samples": 1000, "seed": seed}, n_jobs=n_jobs, progress=False
    )
    return cluster, bins, compute_summary_maps(solvers)


def print_chi_square(metric: str, residuals: Floats, offsets: Floats) -> None:
    """Print the reduced chi-square of one metric and its verdict, from residuals in units of uncertainty."""
    terms = residuals**2
    value, error = terms.mean(), terms.std(ddof=1) / np.sqrt(terms.size)
    verdict = ""
    if metric in METRICS[:2]:
        missed = max(WANTED[0] - value, value - WANTED[1])
        verdict = f"; MISSES {WANTED} by {missed:.3f}" if missed > 0 else f"; within {WANTED}"
    print(
        f"  {metric:9s} reduced chi-square {value:.2f} +- {error:.2f}{verdict}; "
        f"{np.mean(np.abs(residuals) < 1):.0%} of the bins within their uncertainty; mean offset "
        f"{offsets.mean():+.3f} +- {offsets.std(ddof=1) / np.sqrt(offsets.size):.3f}"
    )


def antisymmetry(values: Floats, opposite: Indices) -> float:
    """Correlation of values with minus those on the other side."""
    return float(np.corrcoef(values, -values[opposite])[0, 1])


def opposite_bins(bins: SpatialBins) -> Indices:
    """Bin that holds the position opposite to the centre of each bin."""
    return bins.assign(-bins.x_bin, -bins.y_bin)


def linked_bins(opposite: Indices) -> list[Indices]:
    """Bins that are linked by being opposite to each other, directly or not."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = opposite.size
    links = coo_array((np.ones(n), (np.arange(n), opposite)), shape=(n, n))
    count, label = connected_components(links, directed=False)
    return [np.flatnonzero(label == k) for k in range(count)]


def bootstrap_error(first: Floats, second: Floats, groups: list[Indices], rng: np.random.Generator) -> float:
    """Standard error of the correlation of two columns, resampled by groups of rows."""
    found = []
    for _ in range(N_RESAMPLES):
        rows = np.concatenate([groups[k] for k in rng.integers(len(groups), size=len(groups))])
        found.append(np.corrcoef(first[rows], second[rows])[0, 1])
    return float(np.std(found, ddof=1))


def report(seed: int, n_jobs: int | None) -> dict[str, tuple[Floats, Floats]]:
    """Print one mock; return residuals (in units of the uncertainty) and offsets of every metric."""
    start = time.perf_counter()
    cluster, bins, maps = fit_maps(seed, n_jobs)
    seconds = time.perf_counter() - start
    truth = cluster.bin_truth(bins.bin_ids, n_bins=bins.n_bins)
    print(f"seed {seed}: {cluster.n_stars} stars in {bins.n_bins} bins, {seconds:.1f} s")
    found = {}
    for metric in METRICS:
        offsets = maps[metric]["median"] - truth[metric]
        found[metric] = offsets / maps[metric]["uncertainty"], offsets
        print_chi_square(metric, *found[metric])
    rng = np.random.default_rng(seed)
    skewness, v, opposite = maps["skewness"]["median"], maps["v_mean"]["median"], opposite_bins(bins)
    print_correlation(
        "skewness, minus that of the other side",
        lambda values: antisymmetry(values, opposite),
        skewness,
        bootstrap_error(skewness, -skewness[opposite], linked_bins(opposite), rng),
        antisymmetry(truth["skewness"], opposite),
        rng,
    )
    print_correlation(
        "skewness, V",
        lambda values: float(np.corrcoef(values, v)[0, 1]),
        skewness,
        bootstrap_error(skewness, v, [np.array([k]) for k in range(bins.n_bins)], rng),
        np.corrcoef(truth["skewness"], truth["v_mean"])[0, 1],
        rng,
    )
    return found


def print_correlation(
    name: str,
    statistic: Callable[[Floats], float],
    values: Floats,
    error: float,
    true: float,
    rng: np.random.Generator,
) -> None:
    """Print a correlation with its bootstrap error, and how far it is from those of shuffled values."""
    shuffled = [statistic(rng.permutation(values)) for _ in range(N_RESAMPLES)]
    found = statistic(values)
    distance = (found - np.mean(shuffled)) / np.std(shuffled, ddof=1)
    print(
        f"  correlation of {name}: {found:+.2f} +- {error:.2f}, {distance:+.1f} sigma from shuffled bins "
        f"(truth {true:+.2f})",
        flush=True,
    )


def main() -> None:
    """Print all mocks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--jobs", type=int, default=None, help="worker processes; all cores by default")
    options = parser.parse_args()
    found = [report(seed, options.jobs) for seed in options.seeds]
    print(f"all {len(found)} mocks")
    for metric in METRICS:
        residuals, offsets = (np.concatenate([mock[metric][k] for mock in found]) for k in range(2))
        print_chi_square(metric, residuals, offsets)


if __name__ == "__main__":
    main()
