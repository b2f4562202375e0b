"""The velocity distribution along the line of sight."""

from veldist.models.losvd.basis import PriorSettings, losvd_basis, losvd_prior
from veldist.models.losvd.cells import Cells, make_cells
from veldist.models.losvd.design import design_matrix, gaussian_design_matrix
from veldist.models.losvd.frame import Frame, fit_frame, robust_frame
from veldist.models.losvd.model import LosvdModel, LosvdPosterior, fit_losvd
from veldist.models.losvd.observed import expected_fractions, observed_cdf
from veldist.models.losvd.resolution import Resolution, ResolutionRule

__all__ = [
    "Cells",
    "Frame",
    "LosvdModel",
    "LosvdPosterior",
    "PriorSettings",
    "Resolution",
    "ResolutionRule",
    "design_matrix",
    "expected_fractions",
    "fit_frame",
    "fit_losvd",
    "gaussian_design_matrix",
    "losvd_basis",
    "losvd_prior",
    "make_cells",
    "observed_cdf",
    "robust_frame",
]
