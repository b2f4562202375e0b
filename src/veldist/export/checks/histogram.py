"""Rules for a table of histogram LOSVDs: columns, masses and uncertainties."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from veldist._support.arrays import Floats
from veldist._support.validate import name_first
from veldist.export.checks.moments import check_moments
from veldist.export.checks.problem import Problem, Rule, Severity, cell_problem, row_problem
from veldist.export.checks.table import KinTable
from veldist.export.checks.velocity import VelocityGrid, check_velocity_grid

__all__ = ["CUT_SHARE", "check_histogram"]

CUT_SHARE = 0.005
"""Share of the mass in an outermost velocity bin, or outside the grid, above which an LOSVD is cut off."""

_FIXED = ("bin_flux", "binID_dynamite", "v", "sigma", "xbin", "ybin")
# Medians of masses, taken bin by bin, sum to somewhat less than 1; never to more than 2, for the median of
# a positive number is at most twice its mean.
_LOW_SUM, _HIGH_SUM, _MAX_SUM = 0.5, 1.5, 2.0
# Share of the mass below which an outermost velocity bin is empty, as those are that are added to a grid.
_EMPTY_SHARE = 1e-6
# Uncertainties, as fractions of the largest mass of the row, that no data give.
_TINY_ERROR = 1e-6


def check_histogram(table: KinTable) -> Iterator[Problem]:
    """Check a table of histogram LOSVDs by itself."""
    grid, problems = check_velocity_grid(table)
    yield from problems
    n = grid.n if grid.n is not None else _count_columns(table)
    yield from _check_columns(table, n, agreed=grid.n is not None)
    yield from _check_extras(table)
    losvd_names, dlosvd_names = ([f"{prefix}_{j}" for j in range(n)] for prefix in ("losvd", "dlosvd"))
    losvd, dlosvd = table.matrix(losvd_names), table.matrix(dlosvd_names)
    yield from cell_problem(
        table.file,
        dlosvd_names,
        dlosvd <= 0,
        dlosvd,
        rule="dlosvd-positive",
        severity="error",
        what="is no uncertainty: DYNAMITE divides by it",
        cure="Give every uncertainty a positive floor (clip_uncertainties does).",
    )
    yield from cell_problem(
        table.file,
        losvd_names,
        losvd < 0,
        losvd,
        rule="losvd-negative",
        severity="wrong",
        what="is a negative probability",
        cure="Write the median of the masses, which is never negative.",
    )
    losvd[(losvd < 0).any(axis=1)] = np.nan
    yield from _check_error_size(table.file, losvd, dlosvd, dlosvd_names)
    yield from _check_sums(table, losvd, grid)
    yield from _check_edges(table.file, losvd, n)
    yield from check_moments(table, losvd, grid)


def _check_error_size(file: str, losvd: Floats, dlosvd: Floats, names: list[str]) -> Iterator[Problem]:
    """Uncertainties that leave no freedom, or all of it; rows that hold no masses are reported elsewhere."""
    masses = (losvd.sum(axis=1) > 0) & (losvd.sum(axis=1) <= _MAX_SUM)
    peak = losvd.max(axis=1, initial=0.0)
    for bad, what in (
        (
            (dlosvd > 0) & (dlosvd < _TINY_ERROR * peak[:, None]),
            f"is less than {_TINY_ERROR:g} of the row's largest mass: this velocity bin would outweigh all "
            "others",
        ),
        (dlosvd > 1, "is above 1, more than a probability can be off"),
    ):
        yield from cell_problem(
            file,
            names,
            bad & masses[:, None],
            dlosvd,
            rule="dlosvd-size",
            severity="doubtful",
            what=what,
            cure="Write half of the 16-84 percentile range, with a floor of about 1 % of the largest mass.",
        )


def _count_columns(table: KinTable) -> int:
    found = [re.fullmatch(r"d?losvd_(\d+)", name) for name in table.values]
    return 1 + max((int(match[1]) for match in found if match), default=-1)


def _check_columns(table: KinTable, n: int, agreed: bool) -> Iterator[Problem]:
    """Columns are all there, in pairs and in order, as many as the metadata say."""
    wanted = [f"{prefix}losvd_{j}" for j in range(n) for prefix in ("", "d")]
    expected = [name for name in wanted if name in table.values]
    present = [name for name in table.values if re.fullmatch(r"d?losvd_\d+", name)]
    lacking: list[tuple[list[str], Severity, Rule]] = [
        ([name for name in wanted if name not in table.values], "error", "losvd-missing"),
        ([name for name in _FIXED if name not in table.values], "wrong", "column-missing"),
    ]
    for names, severity, rule in lacking:
        if names:
            yield Problem(
                table.file,
                None,
                names[0],
                None,
                severity,
                rule,
                f"the table lacks {len(names)} columns: {name_first(names, 6)}.",
                "Write the columns binID_BayesLOSVD, bin_flux, binID_dynamite, v, sigma, xbin, ybin and one "
                "pair losvd_j, dlosvd_j for each velocity bin j = 0..nvbins-1.",
            )
    extra = [name for name in present if name not in wanted]
    if extra and agreed:
        yield Problem(
            table.file,
            None,
            extra[0],
            None,
            "error",
            "count-columns",
            f"'nvbins' is {n}, but the table has the column {extra[0]}, too.",
            "nvbins is the number of velocity bins, each with one entry of vcent and one pair of columns.",
        )
    elif present != expected:
        found, wanted_here = next(pair for pair in zip(present, expected, strict=True) if pair[0] != pair[1])
        yield Problem(
            table.file,
            None,
            found,
            None,
            "doubtful",
            "losvd-order",
            f"{found} stands where {wanted_here} is expected.",
            "Order them losvd_0, dlosvd_0, losvd_1, dlosvd_1, ...: readers that go by place mix them up.",
        )


def _check_extras(table: KinTable) -> Iterator[Problem]:
    """Weights of the mean velocity, and what DYNAMITE's successor in JAX wants."""
    flux = table.values.get("bin_flux")
    if flux is not None and flux.size and flux.sum() <= 0:
        yield Problem(
            table.file,
            None,
            "bin_flux",
            float(flux.sum()),
            "wrong",
            "bin-flux",
            f"the weights of the mean velocity sum to {flux.sum():g}: it becomes NaN, or that of other bins.",
            "Give fluxes or numbers of stars.",
        )
    elif flux is not None:
        yield from row_problem(
            table.file,
            "bin_flux",
            flux < 0,
            flux,
            rule="bin-flux",
            severity="doubtful",
            what="is a negative weight of the mean velocity",
            cure="Give fluxes or numbers of stars.",
        )
    if "bin_id" not in table.values:
        yield Problem(
            table.file,
            None,
            "bin_id",
            None,
            "doubtful",
            "successor",
            "there is no column bin_id; only DYNAMITE's successor in JAX needs it.",
            "Add the rows counted from 1; DYNAMITE drops the column.",
        )
    if table.meta is not None and "velocity_unit" not in table.meta:
        yield Problem(
            table.file,
            None,
            "meta['velocity_unit']",
            None,
            "doubtful",
            "successor",
            "'velocity_unit' is missing; only DYNAMITE's successor in JAX needs it.",
            "Add velocity_unit: km/s.",
        )


def _check_sums(table: KinTable, losvd: Floats, grid: VelocityGrid) -> Iterator[Problem]:
    total = losvd.sum(axis=1)
    known = total[np.isfinite(total)]
    if not (known.size and losvd.shape[1]):
        return
    names = f"losvd_0..{losvd.shape[1] - 1}"
    if grid.dv is not None and _is_density(known, grid.dv):
        row = int(np.argmax(np.isfinite(total)))
        yield Problem(
            table.file,
            row,
            names,
            float(total[row]),
            "wrong",
            "losvd-density",
            f"the values sum to {total[row]:.6g}, close to 1/dv = {1 / grid.dv:.6g}: they are densities per "
            "km/s, and DYNAMITE takes masses.",
            "Multiply losvd_j and dlosvd_j by dv.",
        )
        return
    impossible = (total <= 0) | (total > _MAX_SUM)
    yield from row_problem(
        table.file,
        names,
        impossible,
        total,
        rule="losvd-sum",
        severity="wrong",
        what="is the sum of the masses, which should be about 1",
        cure="Write the probability in each velocity bin.",
    )
    yield from row_problem(
        table.file,
        names,
        ~impossible & ((total < _LOW_SUM) | (total > _HIGH_SUM)),
        total,
        rule="losvd-sum",
        severity="doubtful",
        what="is the sum of the masses, which should be about 1",
        cure="Medians of masses sum to little where velocity bins are too fine for the data: widen them.",
    )


def _is_density(total: Floats, dv: float) -> bool:
    """Tell densities from masses: either sums cannot be of masses, or they are exactly 1/dv."""
    middle = float(np.median(total))
    unlikely = not _LOW_SUM <= middle <= _HIGH_SUM
    exact = np.allclose(total * dv, 1.0, rtol=0.0, atol=1e-3) and not np.allclose(total, 1.0, atol=0.02)
    return bool((unlikely and abs(middle * dv - 1.0) < 0.25) or exact)


def _check_edges(file: str, losvd: Floats, n: int) -> Iterator[Problem]:
    """Recent versions of DYNAMITE give the first and the last velocity bin of the orbits no mass.

    Where one of them is empty in all rows, the next is looked at: an empty bin beside a full one hides that
    the grid cuts LOSVDs off.
    """
    total = losvd.sum(axis=1)
    good = total > 0
    if n < 2 or not good.any():
        return
    share = losvd[good] / total[good, None]
    first, last = 0, n - 1
    if n > 3:
        first += int(share[:, first].max() < _EMPTY_SHARE)
        last -= int(share[:, last].max() < _EMPTY_SHARE)
    shares = np.zeros((total.size, 2))
    shares[good] = share[:, [first, last]]
    for bins, what in (
        (
            [0, n - 1],
            "is the share of an outermost velocity bin; orbits have no mass there in recent DYNAMITE",
        ),
        (
            [1, n - 2],
            "is the share of the velocity bin beside an empty outermost one: the grid cuts LOSVDs off",
        ),
    ):
        yield from cell_problem(
            file,
            [f"losvd_{first}", f"losvd_{last}"],
            (shares > CUT_SHARE) & np.isin([first, last], bins),
            shares,
            rule="edge-mass",
            severity="doubtful",
            what=what,
            cure="Use a wider velocity grid, or set wings to 0 that the data do not support.",
        )
