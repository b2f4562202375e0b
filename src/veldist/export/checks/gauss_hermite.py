"""Rules for a table of Gauss-Hermite coefficients."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from veldist.export.checks.moments import check_large_velocities, check_systemic
from veldist.export.checks.problem import Problem, cell_problem, row_problem
from veldist.export.checks.table import KinTable

__all__ = ["check_gauss_hermite"]

# Coefficients beyond this describe no LOSVD: the series is then negative over much of its range.
_LARGE_COEFFICIENT = 0.5
# Uncertainties of v and sigma, as fractions of sigma, that no data give.
_TINY_ERROR = 1e-6


def check_gauss_hermite(table: KinTable) -> Iterator[Problem]:
    """Check a table of Gauss-Hermite coefficients by itself.

    The coefficients are those of van der Marel & Franx (1993, ApJ 407, 525).
    """
    orders = [int(match[1]) for name in table.values if (match := re.fullmatch(r"d?h(\d+)", name))]
    h_names = [f"h{k}" for k in range(3, max([4, *orders]) + 1)]
    values = ["v", "sigma", *h_names]
    yield from _check_columns(table, [name for value in values for name in (value, f"d{value}")])
    errors = [f"d{name}" for name in values]
    numbers = table.matrix(errors)
    yield from cell_problem(
        table.file,
        errors,
        numbers <= 0,
        numbers,
        rule="gh-uncertainty",
        severity="wrong",
        what="is no uncertainty: DYNAMITE divides by it",
        cure="Give every uncertainty a positive floor.",
    )
    v, sigma = table.matrix(["v", "sigma"]).T
    velocity_errors = table.matrix(errors[:2])
    yield from cell_problem(
        table.file,
        errors[:2],
        (velocity_errors > 0) & (velocity_errors < _TINY_ERROR * sigma[:, None]),
        velocity_errors,
        rule="gh-uncertainty",
        severity="doubtful",
        what=f"km/s is less than {_TINY_ERROR:g} of the dispersion: no data are that precise",
        cure="Check the units, and give the uncertainty a floor.",
    )
    coefficients = table.matrix(h_names)
    yield from cell_problem(
        table.file,
        h_names,
        np.abs(coefficients) > _LARGE_COEFFICIENT,
        coefficients,
        rule="gh-size",
        severity="doubtful",
        what="is larger than any Gauss-Hermite coefficient of an LOSVD",
        cure="Check that these are not skewness and kurtosis, and that the fit converged.",
    )
    yield from row_problem(
        table.file,
        "sigma",
        sigma <= 0,
        sigma,
        rule="gh-sigma",
        severity="wrong",
        what="is no dispersion",
        cure="Leave the bin out, or fit it again.",
    )
    yield from check_large_velocities(table.file, sigma, "sigma")
    yield from check_systemic(table.file, v, sigma)


def _check_columns(table: KinTable, wanted: list[str]) -> Iterator[Problem]:
    missing = [name for name in ("vbin_id", *wanted) if name not in table.values]
    if missing:
        yield Problem(
            table.file,
            None,
            missing[0],
            None,
            "error",
            "gh-missing",
            f"the table lacks {len(missing)} columns: {', '.join(missing)}.",
            "Write vbin_id v dv sigma dsigma h3 dh3 h4 dh4, and both columns of every further order.",
        )
