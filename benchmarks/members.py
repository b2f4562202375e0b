"""Members beside contaminants: simulation-based calibration, and coverage at fixed truths.

The calibration draws the member fraction from its flat prior, the members' LOSVD from its prior, and, where
probabilities of membership are known, these from 0 to 1 evenly, with odds that are wrong by a factor. The
coverage is of members of dispersion 10 km/s beside a Gaussian whose distribution is known.

Truths of the calibration are those that their frame suits, as it does where it comes from the stars: LOSVDs
with a mean within one scale and a dispersion within a factor of 1.6, of at least 15 % of the stars. They are
ranked among the draws of the posterior that are so, too.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from astropy.table import Table, vstack
from numpy.typing import NDArray

from benchmarks.results import keep, make_parser, result_path
from veldist import Contaminant, PriorSettings, Settings
from veldist._support.outputs import progress_bar
from veldist._support.processes import run_tasks
from veldist._support.threads import one_thread
from veldist.calibration.quantities import SHAPE_QUANTITIES, shape_quantities
from veldist.calibration.sbc_result import SbcResult
from veldist.inference import masses
from veldist.models.losvd.frame import Frame
from veldist.models.losvd.model import LosvdModel
from veldist.models.members import Sample, fit_in_frame, fit_members
from veldist.simulate import standard_losvds

Floats = NDArray[np.float64]
N_RANKS = 31
# Draws at first, and where too few of them are like the truth.
N_DRAWS = (1000, 8000)
ERROR = 0.3
LEAST_FRACTION, WITHIN = 0.15, 1.6
# Location and dispersion of the contaminants, in dispersions of the members.
FOREIGN = Contaminant.gaussian(2.0, 5.0)
SIGMA = 10.0
OVERLAPS = {"far": (6.0, 4.0), "near": (2.0, 5.0), "on top": (0.0, 4.0)}
SHARES = (0.05, 0.2, 0.5, 0.7)


def simulate(n_stars: int, known: bool, seed: int, k: int) -> tuple[NDArray[np.int64], bool]:
    """Ranks of the truth among the draws of simulation k, and whether the fit converged."""
    rng = np.random.default_rng([seed, k])
    frame = Frame(0.0, 1.0)
    model = LosvdModel.build(frame, n_stars // 2, ERROR)
    p = rng.random(n_stars) if known else np.full(n_stars, 0.5)
    truth, fraction = np.zeros((1, model.cells.log_base.size)), 0.0
    while not suits(truth, model)[0]:
        truth = masses(model.prior.sample(1, rng)[1], model.psi, model.cells.log_base)
    while fraction < LEAST_FRACTION:
        f = rng.random()
        chance = p * f / (p * f + (1.0 - p) * (1.0 - f))
        fraction = chance.mean()
    member = rng.random(n_stars) < chance
    inside = model.cells.velocity(rng.choice(truth.shape[1], n_stars, p=truth[0]), rng.random(n_stars))
    err = np.full(n_stars, ERROR)
    vel = np.where(member, inside, rng.normal(FOREIGN.v[0], FOREIGN.sigma[0], n_stars))
    vel = vel + err * rng.standard_normal(n_stars)
    sample = Sample(vel, err, FOREIGN.density(vel, err), p if known else None)
    for n_draws in N_DRAWS:
        with one_thread():
            found = fit_in_frame(sample, frame, 0.5, rng, Settings(n_draws=n_draws, max_doublings=3))
        assert found.members is not None
        draws = found.posterior.cell_masses()
        good = np.flatnonzero(suits(draws, model) & (found.members.fraction >= LEAST_FRACTION))
        if good.size >= N_RANKS:
            break
    if good.size < N_RANKS:
        raise RuntimeError(f"only {good.size} of {draws.shape[0]} draws are as truths may be")
    chosen = rng.choice(good, N_RANKS, replace=False)
    cells = np.concatenate([truth, draws[chosen]])
    shape = shape_quantities(cells, model.cells)
    number = np.append(member.sum(), found.members.number[chosen])
    share = np.append(fraction, found.members.fraction[chosen])
    values = np.round(np.column_stack([shape, share, number]), 8)
    below, equal = (values[1:] < values[0]).sum(axis=0), (values[1:] == values[0]).sum(axis=0)
    return below + rng.integers(0, equal, endpoint=True), found.posterior.diagnostics.converged


def suits(cell_masses: Floats, model: LosvdModel) -> NDArray[np.bool_]:
    """Which LOSVDs (n, K) have about the frame's mean and dispersion."""
    moments = cell_masses @ model.cells.moments(2)
    sigma = np.sqrt(np.maximum(moments[:, 2] - moments[:, 1] ** 2, 0.0))
    return (np.abs(moments[:, 1]) < 1.0) & (sigma > 1.0 / WITHIN) & (sigma < WITHIN)


def calibrate(n_stars: int, known: bool, n: int, seed: int) -> SbcResult:
    """Simulation-based calibration of so many stars, with probabilities of membership or without."""
    names = (*SHAPE_QUANTITIES, "fraction", "number")
    ranks = np.zeros((n, len(names)), dtype=np.int64)
    doubtful, failed = [], []
    with progress_bar(total=n, desc="Calibration", unit="fit", shown=True) as bar:
        for outcome in run_tasks(partial(simulate, n_stars, known, seed), range(n), None):
            bar.update()
            if outcome.value is None:
                failed.append(outcome.index)
                continue
            ranks[outcome.index], converged = outcome.value
            if not converged:
                doubtful.append(outcome.index)
    pit = (ranks + np.random.default_rng(seed).random(ranks.shape)) / (N_RANKS + 1)
    pit[failed], ranks[failed] = np.nan, -1
    bad, doubts = (np.array(sorted(found), dtype=np.int64) for found in (failed, doubtful))
    return SbcResult(
        names, ranks, pit, bad, doubts, {}, n_stars, ERROR, 1.0, N_RANKS, seed, PriorSettings(), Settings()
    )  # fmt: skip


def mock(
    truth: str, n_stars: int, share: float, overlap: str, model: bool, seed: int
) -> dict[str, tuple[float, float, float, float]]:
    """Truth, 16, 50 and 84 percentile of what is inferred from one mock; with the contaminants or without."""
    rng = np.random.default_rng([seed, n_stars, round(100 * share), *overlap.encode(), *truth.encode()])
    losvd = standard_losvds(0.0, SIGMA)[truth]
    v, s = (SIGMA * x for x in OVERLAPS[overlap])
    member = rng.random(n_stars) >= share
    vel = np.where(member, losvd.sample(n_stars, rng), rng.normal(v, s, n_stars))
    err = rng.uniform(1.0, 3.0, n_stars)
    vel = vel + err * rng.standard_normal(n_stars)
    foreign = Contaminant.gaussian(v, s).density(vel, err) if model else None
    edges = np.linspace(-40.0, 40.0, 21)
    with one_thread():
        found = fit_members(Sample(vel, err, foreign), rng)
    cells = found.posterior.cell_masses() @ found.cells.moments(4)
    mean = cells[:, 1]
    sigma = np.sqrt(cells[:, 2] - mean**2)
    kurtosis = cells[:, 4] - 4 * mean * cells[:, 3] + 6 * mean**2 * cells[:, 2] - 3 * mean**4
    draws = {
        "V": (0.0, found.frame.location + found.frame.scale * mean),
        "sigma": (SIGMA, found.frame.scale * sigma),
        "kurtosis": (losvd.kurtosis, kurtosis / sigma**4 - 3.0),
    }
    if found.members is not None:
        draws["number"] = (float(member.sum()), found.members.number)
    bins, _ = found.bin_masses(edges)
    true = losvd.bin_masses(edges)
    true = true / true.sum()
    draws |= {f"bin {k}": (float(true[k]), bins[:, k]) for k in np.flatnonzero(true * n_stars > 1.0)}
    return {name: (t, *np.percentile(d, [16, 50, 84]).tolist()) for name, (t, d) in draws.items()}


def coverage(truth: str, n_stars: int, share: float, overlap: str, model: bool, n: int) -> Table:
    """Coverage of 68 % intervals and bias in one cell of the table, with Monte Carlo errors."""
    outcomes = run_tasks(partial(mock, truth, n_stars, share, overlap, model), range(n), None)
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for outcome in outcomes:
        if outcome.value is None:
            raise outcome.error or RuntimeError("no result came back")
        for name, values in outcome.value.items():
            found.setdefault(name.split()[0], []).append(values)
    rows: list[dict[str, Any]] = []
    for name, values in found.items():
        true, low, median, high = np.array(values).T
        inside, error = (low <= true) & (true <= high), median - true
        rows.append(
            {
                "truth": truth, "n_stars": n_stars, "share": share, "overlap": overlap, "modelled": model,
                "quantity": name, "covered": inside.mean(), "covered_error": np.sqrt(0.22 / n),
                "bias": error.mean(), "bias_error": error.std() / np.sqrt(n),
            }
        )  # fmt: skip
    return Table(rows)


def main(arguments: list[str]) -> None:
    """Run all."""
    parser = make_parser(__name__, __doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--mocks", type=int, default=60)
    options = parser.parse_args(arguments)
    tables = []
    for seed, (n_stars, known) in enumerate(product((150, 1000), (False, True))):
        result = calibrate(n_stars, known, options.simulations, seed)
        print(f"\n{n_stars} stars, membership {'known' if known else 'unknown'}: {result}")
        table = result.table()
        table.pprint(max_lines=-1, max_width=-1)
        table.meta.clear()
        table["n_stars"], table["membership"] = n_stars, known
        tables.append(table)
        figure = result.plot().figure
        figure.savefig(result_path(options.out, f"members_sbc_{n_stars}_{known}", ".png"), dpi=150)
        plt.close("all")
    print(f"\n{keep(vstack(tables), options.out, 'members_sbc')}")
    cells = product(("gaussian", "skew-normal", "student-t"), (150, 1000), SHARES, OVERLAPS, (True, False))
    with progress_bar(desc="Coverage", unit="cell", shown=True) as bar:
        found = []
        for truth, n_stars, share, overlap, model in cells:
            found.append(coverage(truth, n_stars, share, overlap, model, options.mocks))
            bar.update()
    table = vstack(found)
    table.pprint(max_lines=-1, max_width=-1)
    print(f"\n{keep(table, options.out, 'members_coverage')}")
