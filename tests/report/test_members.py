"""Members on the page of a report."""

from __future__ import annotations

import json
import re

from tests.helpers.mixed import mixed_solvers
from veldist import write_report


def content(path):
    text = path.read_text()
    return json.loads(re.search(r'<script[^>]*type="application/json"[^>]*>(.*?)</script>', text, re.S)[1])


def test_the_page_shows_members(tmp_path):
    settings = {"contaminant": {"weights": [0.1] * 30, "v": [0.0, 1.0]}}
    page = content(write_report(tmp_path / "r.html", mixed_solvers(), settings=settings))
    assert {"n_members", "member_fraction"} <= set(page["columns"])
    assert {"n_members", "member_fraction"} <= set(page["panels"])
    metrics = {metric["key"]: metric for metric in page["metrics"]}
    assert metrics["n_members"]["uncertainties"][0] > 0
    assert metrics["member_fraction"]["limits"] == [0, 1]
    assert page["bins"][0]["messages"] == []
    # Long lists are not spelled out.
    assert page["settings"] == [["contaminant.weights", "30 values"], ["contaminant.v", "[0.0, 1.0]"]]
