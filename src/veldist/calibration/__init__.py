"""Is the posterior right? Simulation-based calibration, coverage of mocks, forecasts of observations."""

from __future__ import annotations

from veldist.calibration.coverage import coverage
from veldist.calibration.coverage_result import Coverage
from veldist.calibration.forecast import forecast
from veldist.calibration.forecast_result import Forecast
from veldist.calibration.methods import LosvdMethod, Veldist
from veldist.calibration.sbc import simulation_based_calibration
from veldist.calibration.sbc_result import SbcResult

__all__ = [
    "Coverage",
    "Forecast",
    "LosvdMethod",
    "SbcResult",
    "Veldist",
    "coverage",
    "forecast",
    "simulation_based_calibration",
]
