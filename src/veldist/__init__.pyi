from . import (
    analysis as analysis,
)
from . import (
    calibration as calibration,
)
from . import (
    dynamite as dynamite,
)
from . import (
    export as export,
)
from . import (
    plotting as plotting,
)
from . import (
    simulate as simulate,
)
from . import (
    sky as sky,
)
from ._version import __version__ as __version__
from .batch.dataset import to_xarray as to_xarray
from .batch.failures import (
    BatchError as BatchError,
)
from .batch.failures import (
    BatchInterrupted as BatchInterrupted,
)
from .batch.fit_all import fit_all_bins as fit_all_bins
from .batch.solver_map import load as load
from .errors import (
    ContaminationWarning as ContaminationWarning,
)
from .errors import (
    ConvergenceWarning as ConvergenceWarning,
)
from .errors import (
    GridWarning as GridWarning,
)
from .errors import (
    OrderError as OrderError,
)
from .errors import (
    OutlierWarning as OutlierWarning,
)
from .export.checks.folder import validate_dynamite_inputs as validate_dynamite_inputs
from .export.dynamite.write_losvds import write_dynamite_kinematics as write_dynamite_kinematics
from .inference.settings import Settings as Settings
from .models.contaminants.density import (
    Contaminant as Contaminant,
)
from .models.contaminants.density import (
    ContaminantDensity as ContaminantDensity,
)
from .models.error_model import ErrorModel as ErrorModel
from .models.losvd.basis import PriorSettings as PriorSettings
from .report.write import write_report as write_report
from .solver import KinematicSolver as KinematicSolver
