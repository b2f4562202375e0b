"""The layout of a map comes back from its file; folders of results are found and refused."""

from dataclasses import asdict

import numpy as np
import pytest
from astropy import units as u

from veldist.batch.fit_all import fit_all_bins
from veldist.export.dynamite.layout import read_layout as read_vorbin
from veldist.pipeline.folder import LAYOUT, STORE, report_on
from veldist.sky.layout import Layout, read_layout, write_layout
from veldist.sky.pixels import PixelGrid


def layout(n_bins=3):
    grid = PixelGrid(-1.5, 0.1, 3.0, 2.0, 12.5, 3, 2)
    ids = np.array([[1, 2, 2], [0, 3, 2]])
    return Layout(grid, ids, np.linspace(-1 / 3, 1, n_bins), np.zeros(n_bins), {"stars_per_bin": 20})


def test_a_layout_comes_back_bit_for_bit(tmp_path):
    written = layout()
    read = read_layout(write_layout(tmp_path / "pixels.ecsv", written))
    assert read.grid == written.grid
    assert np.array_equal(read.ids, written.ids)
    assert np.array_equal(read.x, written.x)
    assert np.array_equal(read.y, written.y)
    assert read.settings == {"stars_per_bin": 20}


def test_metadata_are_in_the_terms_of_the_exports():
    metadata = layout().metadata([0.01, 0.02] * u.arcmin, [0.75, 0.25], bin_flux=[1, 2, 3])
    assert [entry["xbin"] for entry in metadata["bins"]] == layout().x.tolist()
    assert [entry["bin_flux"] for entry in metadata["bins"]] == [1.0, 2.0, 3.0]
    assert metadata["aperture"] == asdict(layout().grid)
    assert metadata["psf"] == {"sigma": [0.6, 1.2], "weight": [0.75, 0.25]}
    assert read_vorbin(metadata, np.ones(3, dtype=bool), with_flux=True).psf_sigma == [0.6, 1.2]
    assert layout().metadata(0.3)["psf"] == {"sigma": [0.3], "weight": [1.0]}
    with pytest.raises(ValueError, match=r"bin_flux has shape \(1,\), but there are 3 bins"):
        layout().metadata(bin_flux=[1.0])


def test_other_files_are_refused(tmp_path):
    (tmp_path / "other.ecsv").write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: int64}\na\n1\n"
    )
    with pytest.raises(ValueError, match="no layout of spatial bins"):
        read_layout(tmp_path / "other.ecsv")
    with pytest.raises(FileNotFoundError):
        read_layout(tmp_path / "none.ecsv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(1)
    data = [{"vel": rng.normal(0, 10, 20), "err": np.ones(20)} for _ in range(3)]
    path = tmp_path_factory.mktemp("galaxy")
    grid = {"center": 0.0, "width": 100.0, "n_bins": 20}
    fit_all_bins(data, grid, {"num_samples": 50}, progress=False, n_jobs=1, store=path / STORE)
    return path


def test_a_folder_and_its_store_give_the_same_report(folder, tmp_path):
    write_layout(folder / LAYOUT, layout())
    a, b = report_on(folder, tmp_path / "a.html"), report_on(folder / STORE, tmp_path / "b.html")
    assert a.read_bytes() == b.read_bytes()
    text = a.read_text(encoding="utf-8")
    assert f"LOSVDs of {folder.name}" in text
    assert '"size":[3,2]' in text
    assert '["stars_per_bin","20"]' in text
    (folder / LAYOUT).unlink()
    assert '"shapes":null' in report_on(folder, a, title="T").read_text(encoding="utf-8")


def test_what_is_no_result_is_refused(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no fitted map"):
        report_on(tmp_path, tmp_path / "r.html")
    write_layout(folder / LAYOUT, layout(n_bins=4))
    with pytest.raises(ValueError, match=r"4 bins, but .* has 3"):
        report_on(folder, tmp_path / "r.html")
