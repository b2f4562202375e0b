"""The velocity distribution along the line of sight."""

from veldist.models.losvd.basis import PriorSettings, losvd_prior
from veldist.models.losvd.design import gaussian_design_matrix
from veldist.models.losvd.frame import Cells, Frame, fit_frame, make_cells, overlap_matrix, robust_frame
from veldist.models.losvd.model import LosvdModel, LosvdPosterior, fit_losvd
from veldist.models.losvd.resolution import Resolution

__all__ = [
    "Cells",
    "Frame",
    "LosvdModel",
    "LosvdPosterior",
    "PriorSettings",
    "Resolution",
    "fit_frame",
    "fit_losvd",
    "gaussian_design_matrix",
    "losvd_prior",
    "make_cells",
    "overlap_matrix",
    "robust_frame",
]
