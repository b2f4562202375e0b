"""veldist: the posterior of the line-of-sight velocity distribution (LOSVD) of resolved stars."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from veldist import analysis, calibration, export, plotting, simulate
    from veldist.batch import BatchError, BatchInterrupted, fit_all_bins
    from veldist.errors import ConvergenceWarning, GridWarning, OrderError, OutlierWarning
    from veldist.export.dynamite import write_dynamite_kinematics
    from veldist.export.validate import validate_dynamite_inputs
    from veldist.map_dataset import to_xarray
    from veldist.report import write_report
    from veldist.solver import KinematicSolver
    from veldist.solver_map import load

__version__ = "0.1.0"

__all__ = [
    "BatchError",
    "BatchInterrupted",
    "ConvergenceWarning",
    "GridWarning",
    "KinematicSolver",
    "OrderError",
    "OutlierWarning",
    "__version__",
    "analysis",
    "calibration",
    "export",
    "fit_all_bins",
    "load",
    "plotting",
    "simulate",
    "to_xarray",
    "validate_dynamite_inputs",
    "write_dynamite_kinematics",
    "write_report",
]

# Names are imported when first used, so that `import veldist` stays quick.
_HOME = {
    "BatchError": "veldist.batch",
    "BatchInterrupted": "veldist.batch",
    "ConvergenceWarning": "veldist.errors",
    "GridWarning": "veldist.errors",
    "KinematicSolver": "veldist.solver",
    "OrderError": "veldist.errors",
    "OutlierWarning": "veldist.errors",
    "fit_all_bins": "veldist.batch",
    "load": "veldist.solver_map",
    "to_xarray": "veldist.map_dataset",
    "validate_dynamite_inputs": "veldist.export.validate",
    "write_dynamite_kinematics": "veldist.export.dynamite",
    "write_report": "veldist.report",
}
_MODULES = ("analysis", "calibration", "export", "plotting", "simulate")


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    if name in _MODULES:
        return import_module(f"veldist.{name}")
    raise AttributeError(f"module 'veldist' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
