"""Names, units and meanings of everything that a map of LOSVDs can show.

======================= ===================================================================================
basic                   `veldist.summaries.scalars.METRICS`
percentile shapes       `veldist.summaries.scalars.PERCENTILE_METRICS`
``gh_v``, ``gh_sigma``  location and width of the Gauss-Hermite series fitted to every draw, km/s: not the
                        mean and the dispersion (see `veldist.summaries.gauss_hermite.series_fit`)
``h3``, ``h4``, ...     its coefficients; h3 > 0 is a tail towards high velocities
``gh_converged``        share of the draws whose fit converged
``corr_A_B``            correlation of two of V, sigma, h3, h4 in the joint posterior of the series
``p_multimodal``        posterior probability of at least two modes (see `veldist.summaries.modality`)
``peak1_v``, ...        velocity and mass of the two peaks, the one at lower velocity first, in the draws that
                        have two; NaN where these are too few
``outside_grid``        mass outside the velocity grid
``member_fraction``     share of members in the population that the stars are a sample of
``n_members``           number of members among the stars; both where not all stars are members
``log_bayes_factor``    natural log of the evidence of a non-Gaussian LOSVD over that of a Gaussian
======================= ===================================================================================
"""

from __future__ import annotations

from itertools import combinations

from veldist.fits.diagnostics import DIAGNOSTICS
from veldist.summaries.scalars import COLUMNS, PERCENTILE_COLUMNS

__all__ = [
    "CORRELATIONS",
    "MAP_COLUMNS",
    "MAX_ORDER",
    "MEMBERS",
    "MOMENT_OF",
    "NUMBERS",
    "PEAKS",
    "hermite_names",
]

MAX_ORDER = 6
"""Highest order of a Gauss-Hermite series."""

PEAKS = ("peak1_v", "peak1_mass", "peak2_v", "peak2_mass")
"""The two peaks of bimodal draws."""

MEMBERS = ("member_fraction", "n_members")
"""What is known of who is a member, in maps of fits beside contaminants."""

# Names of the series' parameters in the maps, and within the names of correlations.
_CORRELATED = {"gh_v": "v", "gh_sigma": "sigma", "h3": "h3", "h4": "h4"}

CORRELATIONS = {f"corr_{_CORRELATED[a]}_{_CORRELATED[b]}": (a, b) for a, b in combinations(_CORRELATED, 2)}
"""Correlations by name: which two parameters."""

NUMBERS = ("gh_converged", *CORRELATIONS, "p_multimodal", "log_bayes_factor")
"""Single numbers about the whole posterior, not medians of its draws."""

MOMENT_OF = {
    "sigma_percentile": "sigma",
    "bowley_skewness": "skewness",
    "moors_kurtosis": "kurtosis",
    "gh_v": "v_mean",
    "gh_sigma": "sigma",
    "h3": "skewness",
    "h4": "kurtosis",
}
"""The moment closest to a summary: what is known of the prior's weight on it is said of the summary, too."""

MAP_COLUMNS: dict[str, tuple[str | None, str]] = (
    COLUMNS
    | PERCENTILE_COLUMNS
    | {
        "gh_v": ("km/s", "Gauss-Hermite V"),
        "gh_sigma": ("km/s", "Gauss-Hermite sigma"),
    }
    | {f"h{m}": (None, f"Gauss-Hermite h{m}") for m in range(3, MAX_ORDER + 1)}
    | {"gh_converged": (None, "share of draws whose Gauss-Hermite fit converged")}
    | {name: (None, f"correlation of {a} and {b} in the posterior") for name, (a, b) in CORRELATIONS.items()}
    | {
        "p_multimodal": (None, "posterior probability of at least two modes"),
        "peak1_v": ("km/s", "velocity of the lower of two peaks"),
        "peak1_mass": (None, "probability mass of the peak at lower velocity"),
        "peak2_v": ("km/s", "velocity of the higher of two peaks"),
        "peak2_mass": (None, "probability mass of the peak at higher velocity"),
        "outside_grid": (None, "probability mass outside the velocity grid"),
        "member_fraction": (None, "share of members in the population of the stars"),
        "n_members": (None, "number of members among the stars"),
        "log_bayes_factor": (None, DIAGNOSTICS["log_bayes_factor"]),
    }
)
"""Unit and meaning of every map, in the order of dictionaries and tables."""


def hermite_names(order: int) -> tuple[str, ...]:
    """Names of the parameters of a Gauss-Hermite series in the maps."""
    return ("gh_v", "gh_sigma", *(f"h{m}" for m in range(3, order + 1)))
