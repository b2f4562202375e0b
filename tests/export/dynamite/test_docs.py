"""The example and the file listings of the documentation."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from astropy.table import Table

from veldist.export import validate_dynamite_inputs

PAGE = Path(__file__).parents[3] / "docs" / "dynamite.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)


def test_example_runs_and_files_are_as_described(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    monkeypatch.chdir(tmp_path)
    (example,) = blocks("python")
    names: dict[str, Any] = {}
    exec(compile(example, str(PAGE), "exec"), names)
    plt.close("all")
    assert validate_dynamite_inputs("dynamite_input") == []
    # The dispersion of 150 stars is known to 20 / sqrt(300) = 1.2 km/s, and more with errors.
    np.testing.assert_allclose(names["kin"].sigma, 20.0, atol=5.0)
    np.testing.assert_allclose(names["kin"].v, [-2.0, 2.0], atol=5 * 20.0 / np.sqrt(150))

    folder = Path("dynamite_input")
    aperture, bins = blocks("text")
    described = [re.split(r"\s{2,}", line)[0] for line in aperture.splitlines()]
    assert (folder / "aperture.dat").read_text().splitlines() == described
    assert (folder / "bins.dat").read_text() == bins

    table = Table.read(folder / "bayes_losvd_kins.ecsv", format="ascii.ecsv")
    text = PAGE.read_text().split("## The table of LOSVDs")[1].split("## The Gauss-Hermite table")[0]
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    said = re.findall(r"`(\w+)`", " ".join(rows))
    others = [name for name in table.colnames if not re.fullmatch(r"d?losvd_\d+", name)]
    assert set(said) == {*others, "losvd_0", "dlosvd_0", "losvd_1", *table.meta}
