"""How well maps of a mock rotating cluster recover its fields.

For every seed a cluster of 20,000 stars with a rotating core is sorted into bins of 200 stars, all bins are
fitted, and the maps are compared with the truth of the same bins (`MockCluster.bin_truth`):

- reduced chi-square, the mean of ((recovered - true) / uncertainty)^2 over the bins, with the standard error
  of that mean: 1 for honest uncertainties. It scatters by sqrt(2 / bins), 0.14 for 100 bins, even if all
  uncertainties are right: one mock decides little, all seeds together do;
- antisymmetry: correlation of the skewness with minus the skewness in the bin that holds the position
  opposite to the centre; the truth's correlation is printed beside it (bins are not symmetric);
- correlation of skewness and V: negative, because the tails point to the systemic velocity.

Errors of correlations are bootstrap errors over the bins. How far a correlation is from what shuffled bins
give is stated in standard deviations of 2,000 permutations. Opposite bins occur in more than one pair: the
bootstrap draws bins that are linked by pairs together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.methods.base import Array
from benchmarks.results import keep, make_parser, markdown
from veldist import fit_all_bins
from veldist.analysis import compute_summary_maps
from veldist.fits.grid import suggest_grid
from veldist.simulate import MockCluster, rotating_cluster
from veldist.sky.binning import SpatialBins, bin_stars

N_STARS, PER_BIN, N_RESAMPLES = 20_000, 200, 2000
METRICS = ("v_mean", "sigma", "skewness", "kurtosis")
HEADS = ("seed", "quantity", "value", "error", "wanted", "sigmas_from_shuffled")

Indices = NDArray[np.intp]


def fit_maps(seed: int, n_jobs: int | None) -> tuple[MockCluster, SpatialBins, dict[str, dict[str, Array]]]:
    """Mock, bins and maps."""
    cluster = rotating_cluster(N_STARS, seed=seed)
    bins = bin_stars(cluster.x, cluster.y, PER_BIN)
    members = [bins.bin_ids == k for k in range(bins.n_bins)]
    data = [{"vel": cluster.vel[m], "err": cluster.err[m]} for m in members]
    solvers = fit_all_bins(
        data, suggest_grid(data), {"num_samples": 1000, "seed": seed}, n_jobs=n_jobs, progress=False
    )
    return cluster, bins, compute_summary_maps(solvers)


def chi_square_lines(seed: str, metric: str, residuals: Array, offsets: Array) -> list[list[Any]]:
    """Reduced chi-square of residuals in units of the uncertainty, mean offset, and their standard errors."""
    return [
        [seed, f"{what} of {metric}", values.mean(), values.std(ddof=1) / np.sqrt(values.size), true, np.nan]
        for what, values, true in (
            ("reduced chi-square", residuals**2, 1.0),
            ("mean offset", offsets, 0.0),
        )
    ]


def antisymmetry(values: Array, opposite: Indices) -> float:
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


def bootstrap_error(first: Array, second: Array, groups: list[Indices], rng: np.random.Generator) -> float:
    """Standard error of the correlation of two columns, resampled by groups of rows."""
    found = []
    for _ in range(N_RESAMPLES):
        rows = np.concatenate([groups[k] for k in rng.integers(len(groups), size=len(groups))])
        found.append(np.corrcoef(first[rows], second[rows])[0, 1])
    return float(np.std(found, ddof=1))


def examine(seed: int, n_jobs: int | None) -> tuple[list[list[Any]], dict[str, tuple[Array, Array]]]:
    """Lines of one mock, and residuals (in units of the uncertainty) and offsets of every metric."""
    cluster, bins, maps = fit_maps(seed, n_jobs)
    truth = cluster.bin_truth(bins.bin_ids, n_bins=bins.n_bins)
    lines: list[list[Any]] = []
    found = {}
    for metric in METRICS:
        offsets = maps[metric]["median"] - truth[metric]
        found[metric] = offsets / maps[metric]["uncertainty"], offsets
        lines += chi_square_lines(str(seed), metric, *found[metric])
    rng = np.random.default_rng(seed)
    skewness, v, opposite = maps["skewness"]["median"], maps["v_mean"]["median"], opposite_bins(bins)
    for what, statistic, error, true in (
        (
            "antisymmetry of skewness",
            lambda values: antisymmetry(values, opposite),
            bootstrap_error(skewness, -skewness[opposite], linked_bins(opposite), rng),
            antisymmetry(truth["skewness"], opposite),
        ),
        (
            "correlation of skewness and V",
            lambda values: float(np.corrcoef(values, v)[0, 1]),
            bootstrap_error(skewness, v, [np.array([k]) for k in range(bins.n_bins)], rng),
            float(np.corrcoef(truth["skewness"], truth["v_mean"])[0, 1]),
        ),
    ):
        shuffled = [statistic(rng.permutation(skewness)) for _ in range(N_RESAMPLES)]
        value = statistic(skewness)
        lines.append(
            [str(seed), what, value, error, true, (value - np.mean(shuffled)) / np.std(shuffled, ddof=1)]
        )
    return lines, found


def main(arguments: list[str]) -> None:
    """Print all mocks."""
    parser = make_parser(__name__, __doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--jobs", type=int, default=None, help="worker processes; all cores by default")
    options = parser.parse_args(arguments)
    mocks = [examine(seed, options.jobs) for seed in options.seeds]
    lines = [line for mock_lines, _ in mocks for line in mock_lines]
    for metric in METRICS:
        residuals, offsets = (np.concatenate([found[metric][k] for _, found in mocks]) for k in range(2))
        lines += chi_square_lines("all", metric, residuals, offsets)
    print(markdown(lines, HEADS))
    print(keep([dict(zip(HEADS, line, strict=True)) for line in lines], options.out, "rotating_cluster"))
