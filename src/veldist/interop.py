"""Labelled arrays for the tools of others: ArviZ and xarray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from veldist.inference.posterior import masses
from veldist.losvd import LosvdPosterior

if TYPE_CHECKING:
    from xarray import DataTree

__all__ = ["to_datatree"]


def to_datatree(posterior: LosvdPosterior, grid: dict[str, Any]) -> DataTree:
    """Draws on a velocity grid as a tree with the group ``posterior``.

    Parameters
    ----------
    posterior : LosvdPosterior
        The draws.
    grid : dict
        ``centers`` and ``edges`` of the velocity bins, km/s.
    """
    from arviz_base import from_dict

    import veldist

    inner = posterior.posterior
    coefficients = inner.grouped_coefficients()
    n_groups, n_draws, n_basis = coefficients.shape
    cells = masses(coefficients.reshape(-1, n_basis), inner.psi, inner.log_base)
    pdf = posterior.regrid(cells, grid["edges"])[0].reshape(n_groups, n_draws, -1)
    tree = from_dict(
        {"posterior": {"intrinsic_pdf": pdf, "coefficients": coefficients}},
        dims={"intrinsic_pdf": ["velocity"], "coefficients": ["coefficient"]},
        coords={"velocity": grid["centers"]},
        attrs={"posterior": {"creation_library": "veldist", "creation_library_version": veldist.__version__}},
    )
    dataset = tree["posterior"]
    dataset["velocity"].attrs |= {"units": "km/s", "long_name": "velocity of the bin centre"}
    dataset["intrinsic_pdf"].attrs |= {"units": "1", "long_name": "probability mass per velocity bin"}
    return tree
