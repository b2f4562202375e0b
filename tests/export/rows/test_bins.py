from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from veldist.export.rows.bins import describe_bins


@pytest.mark.parametrize(
    ("n", "flagged", "text"),
    [
        (4, [2], "1 of 4 bins (index 2)"),
        (4, [0, 3], "2 of 4 bins (indices 0, 3)"),
        (9, range(1, 8), "7 of 9 bins (indices 1, 2, 3, 4, 5, ...)"),
    ],
)
def test_describe_bins(n: int, flagged: Any, text: str) -> None:
    bad = np.zeros(n, dtype=bool)
    bad[list(flagged)] = True
    assert describe_bins(bad) == text
