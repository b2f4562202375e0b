"""The inference engine: from a design matrix, a basis and a prior to posterior draws.

Nothing in here knows of files, plots, bins on the sky or, outside `frame`, `design` and `basis`, of one
dimension.
"""

from veldist.inference.basis import PriorSettings, losvd_prior
from veldist.inference.design import gaussian_design_matrix
from veldist.inference.engine import infer
from veldist.inference.frame import Cells, Frame, fit_frame, make_cells, overlap_matrix, robust_frame
from veldist.inference.likelihood import Evaluator, Likelihood
from veldist.inference.merge import MergedStars, merge_stars
from veldist.inference.posterior import Diagnostics, Posterior, masses
from veldist.inference.prior import MixturePrior
from veldist.inference.resolution import Resolution, choose_resolution
from veldist.inference.settings import Settings

__all__ = [
    "Cells",
    "Diagnostics",
    "Evaluator",
    "Frame",
    "Likelihood",
    "MergedStars",
    "MixturePrior",
    "Posterior",
    "PriorSettings",
    "Resolution",
    "Settings",
    "choose_resolution",
    "fit_frame",
    "gaussian_design_matrix",
    "infer",
    "losvd_prior",
    "make_cells",
    "masses",
    "merge_stars",
    "overlap_matrix",
    "robust_frame",
]
