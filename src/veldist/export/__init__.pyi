from .agama import write_agama_forstand as write_agama_forstand
from .checks.folder import Problem as Problem
from .checks.folder import validate_dynamite_inputs as validate_dynamite_inputs
from .covariance import (
    EffectiveErrors as EffectiveErrors,
)
from .covariance import (
    effective_errors as effective_errors,
)
from .covariance import (
    write_losvd_covariance as write_losvd_covariance,
)
from .dynamite.aperture import ApertureBins as ApertureBins
from .dynamite.aperture import aperture_and_bins as aperture_and_bins
from .dynamite.config import dynamite_config_snippet as dynamite_config_snippet
from .dynamite.files import DynamiteFiles as DynamiteFiles
from .dynamite.kinematics import DynamiteKinematics as DynamiteKinematics
from .dynamite.pixel_files import read_aperture as read_aperture
from .dynamite.pixel_files import read_bins as read_bins
from .dynamite.read import read_dynamite_kinematics as read_dynamite_kinematics
from .dynamite.write_gauss_hermite import write_dynamite_gauss_hermite as write_dynamite_gauss_hermite
from .dynamite.write_losvds import write_dynamite_kinematics as write_dynamite_kinematics
from .fits_cube import write_fits_maps as write_fits_maps
from .gravsphere import (
    RadialProfile as RadialProfile,
)
from .gravsphere import (
    radial_profile as radial_profile,
)
from .gravsphere import (
    write_gravsphere_profile as write_gravsphere_profile,
)
from .jam import write_jam_table as write_jam_table
from .pictures import plot_aperture as plot_aperture
