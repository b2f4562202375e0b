"""The contest: this package's posterior and its rivals on the same mocks, scored against known truths.

Seven true LOSVDs, five numbers of stars, three sizes of errors, four velocity grids. Prints the tables and
leaves all scores (CSV) and two figures in the folder ``--out``.

All methods meet the same ``--contest-mocks`` mocks of every combination; this package's coverage is then
measured with ``--mocks`` of them, under both named priors. NUTS on a random-walk histogram, which takes
seconds, has a subset.
"""

from __future__ import annotations

import time
from typing import Any

from astropy.table import Table, vstack

from benchmarks import accuracy_report as report
from benchmarks.methods.base import Method
from benchmarks.methods.extreme_deconvolution import ExtremeDeconvolution
from benchmarks.methods.gaussian import GaussianFit
from benchmarks.methods.penalised_histogram import PenalisedHistogram
from benchmarks.results import keep, make_parser, result_path
from veldist.calibration import LosvdMethod, Veldist, coverage
from veldist.models.losvd.basis import PRIORS
from veldist.simulate import standard_losvds

SIGMA = 20.0
N_STARS = (30, 75, 150, 400, 2000)
# Uniform within a factor of three around these multiples of the dispersion.
ERR = {f"{r:g} sigma": (0.5 * r * SIGMA, 1.5 * r * SIGMA) for r in (0.05, 0.3, 0.7)}
GRIDS = {
    "fitted": {"center": 0.0, "width": 12 * SIGMA, "n_bins": 40},
    "wide": {"center": 0.0, "width": 30 * SIGMA, "n_bins": 60},
    "coarse": {"center": 0.0, "width": 12 * SIGMA, "n_bins": 12},
    "narrow": {"center": 0.0, "width": 85 * SIGMA, "n_bins": 60},
}
QUANTITIES = ("v_mean", "sigma", "skewness", "kurtosis")
RIVALS: tuple[Method, ...] = (GaussianFit(), ExtremeDeconvolution(), PenalisedHistogram())
# What NUTS can be asked for in a few minutes.
SUBSET: dict[str, Any] = {
    "n_stars": (150,),
    "err": {"0.3 sigma": ERR["0.3 sigma"]},
    "grids": {name: GRIDS[name] for name in ("wide", "narrow")},
}


def scores(name: str, method: LosvdMethod, **kwargs: Any) -> Table:
    """Coverage table of one method, with its name as a column."""
    started = time.perf_counter()
    arguments = {"n_stars": N_STARS, "err": ERR, "grids": GRIDS, "quantities": QUANTITIES}
    result = coverage(standard_losvds(0.0, SIGMA), method=method, **arguments | kwargs)
    print(f"{name}: {result}; {time.perf_counter() - started:.0f} s", flush=True)
    table = result.table
    table["method"] = name
    table.meta.clear()
    return table


def print_same_model() -> None:
    """Print how the engine and NUTS agree on the same model."""
    from benchmarks.methods.nuts_fixed import COMPONENT, N_STARS, same_model

    print(f"\nThis package's model at {COMPONENT}, {N_STARS} stars: the engine against NUTS, 20 means")
    for name, truth in standard_losvds(0.0, SIGMA).items():
        result = same_model(truth, ERR["0.3 sigma"])
        print(
            f"  {name}: differences up to {result.largest:.1f} Monte Carlo errors, rms {result.rms:.2f}; "
            f"{result.seconds:.2f} s, NUTS {result.nuts_seconds:.1f} s with compilation"
        )


def main(arguments: list[str]) -> None:
    """Run the contest."""
    parser = make_parser(__name__, __doc__)
    parser.add_argument("--stars", type=int, nargs="+", default=N_STARS, help="numbers of stars")
    parser.add_argument("--mocks", type=int, default=60, help="mocks per combination for the coverage")
    parser.add_argument("--contest-mocks", type=int, default=8, help="the same for all methods")
    parser.add_argument("--nuts-mocks", type=int, default=3, help="the same for NUTS, on its subset; 0: none")
    options = parser.parse_args(arguments)

    sizes = {"n_stars": options.stars, "n_mocks": options.contest_mocks}
    contest = [scores("veldist", Veldist(), **sizes)]
    contest += [scores(method.name, method, **sizes) for method in RIVALS]
    tables = {"contest": vstack(contest)}
    if options.nuts_mocks:
        from benchmarks.methods.random_walk_nuts import RandomWalkNuts

        nuts = RandomWalkNuts()
        print_same_model()
        subset = SUBSET | {"n_mocks": options.nuts_mocks}
        # One process: NumPyro compiles once for each.
        tables["subset"] = vstack(
            [scores("veldist", Veldist(), **subset), scores(nuts.name, nuts, **subset, n_jobs=1)]
        )
    sizes["n_mocks"] = options.mocks
    tables["coverage"] = scores("veldist", Veldist(), **sizes)
    tables["cautious"] = scores("cautious", Veldist(prior=PRIORS["cautious"]), **sizes)

    for part, table in tables.items():
        table["part"] = part
    path = keep(vstack(list(tables.values())), options.out, "accuracy")
    report.print_all(tables)
    for name, figure in (
        ("accuracy_contest", report.plot_contest(tables["contest"])),
        ("accuracy_coverage", report.plot_coverage(tables["coverage"])),
    ):
        figure.savefig(result_path(options.out, name, ".png"), dpi=150)
    print(f"\n{path}")
