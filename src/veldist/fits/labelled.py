"""One fit as labelled arrays, for xarray, ArviZ and netCDF files.

Attributes hold strings and numbers only, which is all that every netCDF format can store: what is true or
false is 1 or 0 there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from veldist._support.arrays import Floats
from veldist._support.threads import one_thread
from veldist._version import __version__
from veldist.fits.diagnostics import DIAGNOSTICS
from veldist.fits.fit import Fit

if TYPE_CHECKING:
    from xarray import Dataset, DataTree

__all__ = ["creator", "to_dataset", "to_datatree", "velocity_coordinates"]

# Where the variables of the dataset are in the tree. ArviZ looks at the first group unless told otherwise.
_GROUPS = {
    "posterior": ("intrinsic_pdf", "outside_grid", "coefficients", "member_fraction", "n_members"),
    "sample_stats": ("component", "sample_row"),
    "diagnostics": ("ess", "rhat", "component_probability", "component_log_evidence", "membership"),
    "observed_data": ("vel",),
    "constant_data": ("err", "contaminant_density", "prior_membership"),
}


def to_dataset(fit: Fit) -> Dataset:
    """All that is known of one fitted bin as a dataset, for `KinematicSolver.to_xarray`.

    Returns
    -------
    xarray.Dataset
        ``intrinsic_pdf`` (chain, draw, velocity), ``outside_grid`` (chain, draw), ``coefficients``
        (chain, draw, coefficient) and ``component`` (chain, draw), an index into the names
        ``prior_component``. The "chains" are the independently started groups of the sampler, within
        which one Markov chain follows another; all their draws are there, a few more than
        ``num_samples``. ``sample_row`` (chain, draw) is the row of `samples` that holds the same draw:
        `samples` have one round of all Markov chains after another. Rows from ``num_samples`` on are
        not in `samples`.

        ``vel`` and ``err`` (star) are the stars; ``ess`` and ``rhat`` (quantity) the diagnostics of the
        monitored quantities; ``component_probability`` and ``component_log_evidence``
        (prior_component) what the data say of the prior's components.

        Beside contaminants also ``member_fraction`` and ``n_members`` (chain, draw), ``membership`` (star),
        the posterior probability of every star to be a member, ``contaminant_density`` (star) and, where it
        was given, ``prior_membership`` (star).

        Coordinates ``velocity`` (bin centres), ``velocity_left`` and ``velocity_right``, km/s. The
        attributes of the dataset are the version, the frame, and the scalars of `diagnostics`, where
        ``converged`` is 1 or 0 and ``messages`` says what is wrong.
    """
    from xarray import Dataset

    posterior, grid, stars = fit.posterior, fit.grid, fit.stars
    assert posterior is not None
    assert grid is not None
    assert stars is not None
    inner = posterior.posterior
    diagnostics = inner.diagnostics
    rows = _rows_by_group(*inner.component.shape, inner.n_groups)
    # As the samples are made, so that the bits are the same, and only then put in another order.
    with one_thread():
        pdf, outside = posterior.bin_masses(grid.edges)

    draw = ("chain", "draw")
    variables: dict[str, Any] = {
        "intrinsic_pdf": ((*draw, "velocity"), pdf[rows], "probability mass per velocity bin", "1"),
        "outside_grid": (draw, outside[rows], "probability mass outside the velocity grid", "1"),
        "coefficients": (
            (*draw, "coefficient"),
            _one_round_after_another(inner.coefficients)[rows],
            "latent coefficients of the log-density",
            "1",
        ),
        "component": (
            draw,
            _one_round_after_another(inner.component)[rows].astype(np.int32),
            "component of the prior, as an index into prior_component",
            "1",
        ),
        "sample_row": (draw, rows.astype(np.int32), "row of the draw in KinematicSolver.samples", "1"),
        "vel": (("star",), stars.vel, "observed line-of-sight velocity", "km/s"),
        "err": (("star",), stars.err, "its 1-sigma error", "km/s"),
        "ess": (("quantity",), diagnostics.ess, "effective sample size", "1"),
        "rhat": (("quantity",), diagnostics.rhat, "nested R-hat", "1"),
        "component_probability": (
            ("prior_component",),
            diagnostics.component_probability,
            "posterior probability of the component of the prior",
            "1",
        ),
        "component_log_evidence": (
            ("prior_component",),
            diagnostics.component_log_evidence,
            "log marginal likelihood given the component of the prior",
            "1",
        ),
    }
    variables |= _members(fit, rows)
    coordinates: dict[str, Any] = {
        "chain": np.arange(rows.shape[0], dtype=np.int32),
        "draw": np.arange(rows.shape[1], dtype=np.int32),
        "coefficient": np.arange(inner.coefficients.shape[2], dtype=np.int32),
        "star": np.arange(fit.n_stars, dtype=np.int32),
        "prior_component": (
            "prior_component",
            list(diagnostics.component_labels),
            {"long_name": "component of the prior"},
        ),
        "quantity": (
            "quantity",
            list(diagnostics.quantities),
            {"long_name": "monitored quantity, in the frame z = (velocity - location) / scale"},
        ),
    }
    return Dataset(
        {
            name: (dims, np.array(values), {"units": unit, "long_name": long_name})
            for name, (dims, values, long_name, unit) in variables.items()
        },
        coords=velocity_coordinates(grid.edges) | coordinates,
        attrs=_attributes(fit),
    )


def _members(fit: Fit, rows: NDArray[np.intp]) -> dict[str, tuple[tuple[str, ...], Floats, str, str]]:
    """What is known of who is a member; nothing where all stars are."""
    members = None if fit.posterior is None else fit.posterior.members
    if members is None or fit.stars is None:
        return {}
    draw, star = ("chain", "draw"), ("star",)
    found: dict[str, tuple[tuple[str, ...], Floats, str]] = {
        "member_fraction": (draw, members.fraction[rows], "share of members in the population of the stars"),
        "n_members": (draw, members.number[rows], "number of members among the stars"),
        "membership": (star, members.probability, "posterior probability to be a member"),
    }
    if fit.stars.membership is not None:
        found["prior_membership"] = (star, fit.stars.membership, "probability of membership beforehand")
    variables = {name: (*entry, "1") for name, entry in found.items()}
    if fit.stars.contaminant is not None:
        text = "density of the contaminants at the star, its error included"
        variables["contaminant_density"] = (star, fit.stars.contaminant, text, "s/km")
    return variables


def to_datatree(fit: Fit) -> DataTree:
    """The variables of `to_dataset` in the groups of ArviZ, for `KinematicSolver.to_arviz`.

    Group ``posterior`` holds ``intrinsic_pdf``, ``outside_grid``, ``coefficients`` and what is drawn of the
    members' number, ``sample_stats`` the prior component and the sample's row of every draw,
    ``observed_data`` the velocities, ``constant_data`` what else is known of the stars, and ``diagnostics``
    what `diagnostics` holds, and memberships.
    """
    from xarray import DataTree

    dataset = to_dataset(fit)
    groups = {
        name: dataset[[variable for variable in variables if variable in dataset]]
        for name, variables in _GROUPS.items()
    }
    for name, group in groups.items():
        group.attrs = dict(dataset.attrs) if name == "diagnostics" else creator()
    return DataTree.from_dict(groups)


def velocity_coordinates(edges: Floats) -> dict[str, Any]:
    """Centres and edges of the velocity bins, all along ``velocity`` so that a selection keeps them.

    Parameters
    ----------
    edges : ndarray, (n_bins + 1,)
        Bin edges, km/s.
    """
    return {
        name: ("velocity", values, {"units": "km/s", "long_name": long_name})
        for name, values, long_name in (
            ("velocity", 0.5 * (edges[1:] + edges[:-1]), "velocity of the bin centre"),
            ("velocity_left", edges[:-1].copy(), "lower edge of the velocity bin"),
            ("velocity_right", edges[1:].copy(), "upper edge of the velocity bin"),
        )
    }


def creator() -> dict[str, str]:
    """Attributes that name the software, as ArviZ calls them."""
    return {"creation_library": "veldist", "creation_library_version": __version__}


def _attributes(fit: Fit) -> dict[str, str | int | float]:
    """Scalars of one fit, as strings and plain numbers."""
    posterior = fit.posterior
    assert posterior is not None
    inner = posterior.posterior
    diagnostics = inner.diagnostics
    return creator() | {
        "title": "posterior of the line-of-sight velocity distribution",
        "n_stars": fit.n_stars,
        "num_samples": fit.num_samples,
        "frame_location": float(posterior.frame.location),
        "frame_scale": float(posterior.frame.scale),
        "frame_units": "km/s",
        "converged": int(diagnostics.converged),
        # Not every netCDF library writes an empty string.
        "messages": "; ".join(diagnostics.messages) or "none",
        **{name: float(getattr(diagnostics, name)) for name in DIAGNOSTICS},
        "acceptance": float(diagnostics.acceptance),
        "component_acceptance": float(diagnostics.component_acceptance),
        "n_rounds": int(diagnostics.n_rounds),
        "n_markov_chains": int(inner.component.shape[0]),
    }


def _rows_by_group(n_chains: int, n_rounds: int, n_groups: int) -> NDArray[np.intp]:
    """Rows of the samples by group, (groups, draws), in each group one Markov chain after another.

    The samples have one round of all chains after another. In this order correlations along the chains
    would be hidden at long lags, where estimates of the effective sample size from the autocorrelation do
    not look.
    """
    rows = np.arange(n_rounds * n_chains).reshape(n_rounds, n_groups, n_chains // n_groups)
    return rows.transpose(1, 2, 0).reshape(n_groups, -1)


def _one_round_after_another(values: NDArray[Any]) -> NDArray[Any]:
    """Put (chains, rounds, ...) in the order of the samples: (rounds * chains, ...)."""
    return np.swapaxes(values, 0, 1).reshape(values.shape[0] * values.shape[1], *values.shape[2:])
