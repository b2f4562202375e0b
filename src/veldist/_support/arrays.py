"""Names for the array types that modules deal in throughout."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Floats", "Ints"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
# Any array of the array API standard.
Array = Any
