"""The prior's settings against one another, on the same mocks: how its defaults were chosen.

Every variation changes one thing of the defaults. Prints, for each, the CRPS summed over bins relative to the
defaults' (by truth, mean over numbers of stars and errors), that on the Gaussian truth relative to a Gaussian
fit, the lowest and highest coverage of 68 % intervals of informative bins over truths and numbers of stars,
and the coverage of the skewness or kurtosis of nearly Gaussian truths.
"""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from astropy.table import Table, vstack

from benchmarks.accuracy import ERR, GRIDS, QUANTITIES, SIGMA
from benchmarks.accuracy_report import BINS, matrix, select, unique
from benchmarks.methods.gaussian import GaussianFit
from benchmarks.results import keep, make_parser
from veldist.calibration import Veldist, coverage
from veldist.models.losvd.basis import PriorSettings
from veldist.models.losvd.resolution import Resolution, ResolutionRule
from veldist.simulate import SkewNormal, StudentT, standard_losvds


def changed_resolution(n_stars: int, error_ratio: float, **changes: Any) -> Resolution:
    """The default resolution with fields multiplied: lengths and cells, or number of functions."""
    default = ResolutionRule()(n_stars, error_ratio)
    values: dict[str, Any] = {}
    for name, factor in changes.items():
        old = getattr(default, name)
        values[name] = tuple(factor * x for x in old) if isinstance(old, tuple) else type(old)(factor * old)
    return replace(default, **values)


def shifted_precision(n_stars: int, error_ratio: float, mean: float, width: float) -> Resolution:
    """The default resolution with another prior of b2, where that is a single Gaussian."""
    default = ResolutionRule()(n_stars, error_ratio)
    single = len(default.precisions) == 1
    return replace(default, precisions=((mean, width, 1.0),)) if single else default


# Two that are nearly Gaussian, as most real LOSVDs are, join the seven.
TRUTHS = standard_losvds(0.0, SIGMA) | {
    "mild-skew": SkewNormal(0.0, SIGMA, alpha=1.5),
    "mild-tails": StudentT(0.0, SIGMA, nu=15.0),
}
D = PriorSettings()
VARIATIONS = {
    "default": D,
    "exactly Gaussian 20 %, nearly 0": replace(D, null_weight=0.2, near_weight=0.0, small=0.0),
    "null_weight 0.2": replace(D, null_weight=0.2),
    "near_weight 0": replace(D, near_weight=0.0),
    "near_weight 0.15": replace(D, near_weight=0.15),
    "small 0.15": replace(D, small=0.15),
    "small 0.4": replace(D, small=0.4),
    "amplitude_rate 0.3": replace(D, amplitude_rate=0.3),
    "amplitude_rate 3": replace(D, amplitude_rate=3.0),
    "amplitudes from 0.15": replace(D, amplitudes=(0.15, *D.amplitudes)),
    "amplitudes 0.5-4": replace(D, amplitudes=(0.5, 1.0, 2.0, 4.0)),
    "T or A alone 0": replace(D, tail_weight=0.0, asymmetry_weight=0.0),
    "T or A alone 10 % each": replace(D, tail_weight=0.1, asymmetry_weight=0.1),
    "tail_scale 0.5": replace(D, tail_scale=0.5),
    "tail_scale 2": replace(D, tail_scale=2.0),
    "asymmetry_scale 0.5": replace(D, asymmetry_scale=0.5),
    "asymmetry_scale 2": replace(D, asymmetry_scale=2.0),
    "location_scale 0.5": replace(D, location_scale=0.5),
    "taper 2.5-4.5": replace(D, taper=(2.5, 4.5)),
    "taper 3.5-5.5": replace(D, taper=(3.5, 5.5)),
    "b2 ~ N(1, 0.5)": replace(D, resolution=partial(shifted_precision, mean=1.0, width=0.5)),
    "b2 ~ N(0.75, 0.35)": replace(D, resolution=partial(shifted_precision, mean=0.75, width=0.35)),
    "lengths x 0.7": replace(D, resolution=partial(changed_resolution, lengths=0.7)),
    "lengths x 1.4": replace(D, resolution=partial(changed_resolution, lengths=1.4)),
    "cells x 0.7": replace(D, resolution=partial(changed_resolution, cell_width=0.7)),
    "cells x 1.5": replace(D, resolution=partial(changed_resolution, cell_width=1.5)),
    "functions x 0.7": replace(D, resolution=partial(changed_resolution, n_functions=0.7)),
    "functions x 1.3": replace(D, resolution=partial(changed_resolution, n_functions=1.3)),
}


def main(arguments: list[str]) -> None:
    """Run the contest."""
    parser = make_parser(__name__, __doc__)
    parser.add_argument("--mocks", type=int, default=8, help="mocks per truth, number of stars and errors")
    parser.add_argument("--stars", type=int, nargs="+", default=[75, 150, 400, 2000])
    parser.add_argument("--only", nargs="+", help="names of variations, beside the default")
    options = parser.parse_args(arguments)

    def scores(name: str, method: Any) -> Table:
        table = coverage(
            TRUTHS, options.stars, ERR, {"fitted": GRIDS["fitted"]},
            method=method, n_mocks=options.mocks, quantities=QUANTITIES, progress=False,
        ).table  # fmt: skip
        table["variation"] = name
        table.meta.clear()
        return table

    tables = [scores("Gaussian fit", GaussianFit())]
    gaussian = _crps(tables[0])
    truths = unique(tables[0]["truth"])
    print(
        f"{'':32s}" + "".join(f"{t[:7]:>8s}" for t in truths) + "    mean  Gauss/fit  bins 68 %  mild sk, ku"
    )
    reference = None
    for name, settings in VARIATIONS.items():
        if options.only and name not in ("default", *options.only):
            continue
        started = time.perf_counter()
        table = scores(name, Veldist(prior=settings))
        tables.append(table)
        crps = _crps(table)
        reference = crps if reference is None else reference
        relative = (crps / reference).mean(axis=1)
        cover = matrix(select(table, quantity=BINS, grid="fitted"), "truth", "n_stars", "coverage68")
        ratio = (crps[0] / gaussian[0]).mean()
        mild = [
            np.mean(select(table, truth=truth, quantity=quantity)["coverage68"])
            for truth, quantity in (("mild-skew", "skewness"), ("mild-tails", "kurtosis"))
        ]
        print(
            f"{name:32s}" + "".join(f"{x:8.3f}" for x in relative)
            + f"{relative.mean():8.3f}{ratio:11.3f}  {cover.min():.2f}-{cover.max():.2f}"
            + f"  {mild[0]:.2f}, {mild[1]:.2f}  ({time.perf_counter() - started:.0f} s)", flush=True,
        )  # fmt: skip
        # At once: all variations take half an hour.
        keep(vstack(tables), options.out, "prior_contest")


def _crps(table: Table) -> np.ndarray:
    """Summed CRPS on the fitted grid, (truths, numbers of stars)."""
    return matrix(select(table, quantity="bins (all)", grid="fitted"), "truth", "n_stars", "crps")
