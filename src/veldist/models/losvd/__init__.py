"""The velocity distribution along the line of sight."""

from veldist.models.losvd.basis import PriorSettings, losvd_prior
from veldist.models.losvd.cells import Cells, make_cells
from veldist.models.losvd.design import design_matrix, gaussian_design_matrix
from veldist.models.losvd.frame import Frame, fit_frame, robust_frame
from veldist.models.losvd.model import LosvdModel, LosvdPosterior, fit_losvd
from veldist.models.losvd.resolution import Resolution

__all__ = [
    "Cells",
    "Frame",
    "LosvdModel",
    "LosvdPosterior",
    "PriorSettings",
    "Resolution",
    "design_matrix",
    "fit_frame",
    "fit_losvd",
    "gaussian_design_matrix",
    "losvd_prior",
    "make_cells",
    "robust_frame",
]
