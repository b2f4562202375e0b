"""What a batch of fits depends on, in a form that outlives the code."""

import json

from veldist import PriorSettings
from veldist.batch.fingerprint import describe_settings


def test_no_name_of_a_module_decides_whether_fits_are_the_same():
    grid = {"center": 0.0, "width": 100.0, "n_bins": 20}
    described = describe_settings(grid, {"gpu": None}, seed=1, min_stars=10, population={})
    assert "veldist" not in json.dumps(described)
    assert described["run_kwargs"]["prior"]["resolution"]["limits"] == [100.0, 1000.0, 5000.0]
    spelt_out = describe_settings(
        grid, {"gpu": False, "prior": PriorSettings()}, seed=1, min_stars=10, population={}
    )
    assert spelt_out == described
