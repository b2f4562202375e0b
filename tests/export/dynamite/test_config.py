"""The block of DYNAMITE's configuration parses, and says what the table says."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from astropy.table import Table

from veldist.export.dynamite.config import dynamite_config_snippet


def write_histograms(folder, name="bayes_losvd_kins.ecsv"):
    meta = {"dv": 10.0, "vcent": [-10.0, 0.0, 10.0], "nvbins": 3, "PSF": {"sigma": [0.1], "weight": [1.0]}}
    columns = {f"{kind}_{j}": np.ones(4) for j in range(3) for kind in ("losvd", "dlosvd")}
    Table(columns, meta=meta).write(folder / name, format="ascii.ecsv")


def test_default_is_a_block_for_histograms():
    text = dynamite_config_snippet()
    blocks = yaml.safe_load(text)
    assert blocks["kinematics"]["set1"]["type"] == "BayesLOSVD"
    assert blocks["kinematics"]["set1"]["datafile"] == "bayes_losvd_kins.ecsv"
    assert blocks["kinematics"]["set1"]["aperturefile"] == "aperture.dat"
    assert blocks["weight_solver_settings"]["type"] == "NNLS"


def test_the_table_decides(tmp_path):
    write_histograms(tmp_path)
    text = dynamite_config_snippet(tmp_path, bins_filename="b.dat", set_number=2)
    assert "3 velocity bins of 10 km/s, -15 to 15 km/s" in text
    assert "4 bins of bayes_losvd_kins.ecsv" in text
    assert yaml.safe_load(text)["kinematics"]["set2"]["binfile"] == "b.dat"
    with pytest.raises(ValueError, match="holds BayesLOSVD"):
        dynamite_config_snippet(tmp_path, type="GaussHermite", kin_filename="bayes_losvd_kins.ecsv")


def test_gauss_hermite_needs_no_settings_of_histograms(tmp_path):
    meta = {"PSF": {"sigma": [0.1], "weight": [1.0]}}
    Table({"vbin_id": [1], "v": [0.0], "h3": [0.0]}, meta=meta).write(
        tmp_path / "gauss_hermite_kins.ecsv", format="ascii.ecsv"
    )
    blocks = yaml.safe_load(dynamite_config_snippet(tmp_path))
    assert blocks["kinematics"]["set1"]["type"] == "GaussHermite"
    assert set(blocks) == {"kinematics"}


def test_errors_teach(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"holds no bayes_losvd_kins.ecsv nor gauss_hermite_kins.ecsv"
    ):
        dynamite_config_snippet(tmp_path)
    with pytest.raises(ValueError, match="type must be one of"):
        dynamite_config_snippet(type="Histogram")
    with pytest.raises(ValueError, match="set_number"):
        dynamite_config_snippet(set_number=0)
