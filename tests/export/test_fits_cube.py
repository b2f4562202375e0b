"""FITS maps, read back by astropy."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from veldist.export.fits_cube import write_fits_maps
from veldist.sky.pixels import PixelGrid

GRID = PixelGrid(x_start=-3.0, y_start=-2.0, x_size=6.0, y_size=4.0, angle_deg=12.0, nx=12, ny=4)
IDS = np.tile(np.arange(12) // 3, (4, 1))
METRICS = ("v_mean", "sigma", "h3", "h4")
MAPS = {
    metric: {"median": np.array([1.0, np.nan, 3.0]) + k, "uncertainty": np.array([0.1, np.nan, 0.3]) + k}
    for k, metric in enumerate(METRICS)
}


def test_values_come_back_where_they_belong(tmp_path):
    path = write_fits_maps(tmp_path / "maps.fits", MAPS, GRID, IDS.ravel())
    with fits.open(path) as hdus:
        hdus.verify("exception")
        assert [hdu.name for hdu in hdus] == ["PRIMARY", "MEDIAN", "UNCERTAINTY", "BINS"]
        np.testing.assert_array_equal(hdus["BINS"].data, IDS)
        for key in ("median", "uncertainty"):
            cube = hdus[key.upper()]
            assert cube.data.shape == (4, 4, 12)
            for k, metric in enumerate(METRICS):
                expected = np.append(np.nan, MAPS[metric][key])[IDS].astype(np.float32)
                np.testing.assert_array_equal(cube.data[k], expected)
                assert cube.header[f"NAME{k + 1}"] == metric
                assert cube.header[f"UNIT{k + 1}"] == ("km/s" if k < 2 else "")


def test_coordinates_are_those_of_the_pixels(tmp_path):
    path = write_fits_maps(tmp_path / "maps.fits", MAPS, GRID, IDS, metrics=("sigma",))
    with fits.open(path) as hdus:
        assert hdus["MEDIAN"].header["BUNIT"] == "km/s"
        wcs = WCS(hdus["BINS"].header)
        assert list(wcs.wcs.cunit) == ["arcsec", "arcsec"]
        x, y = wcs.pixel_to_world_values(*np.meshgrid(np.arange(12), np.arange(4)))
        np.testing.assert_allclose((x, y), GRID.centers())
        cube = WCS(hdus["MEDIAN"].header)
        np.testing.assert_allclose(cube.pixel_to_world_values(11, 3, 0)[:2], (2.75, 1.5))


def test_errors_teach(tmp_path):
    path = tmp_path / "maps.fits"
    with pytest.raises(ValueError, match=r"maps lacks \['h5'\]"):
        write_fits_maps(path, MAPS, GRID, IDS, metrics=("h5",))
    with pytest.raises(TypeError, match=r"pass \['sigma'\]"):
        write_fits_maps(path, MAPS, GRID, IDS, metrics="sigma")
    with pytest.raises(ValueError, match="metrics is empty"):
        write_fits_maps(path, MAPS, GRID, IDS, metrics=())
    with pytest.raises(ValueError, match="12 x 4 pixels"):
        write_fits_maps(path, MAPS, GRID, IDS[:2])
    with pytest.raises(ValueError, match="3 bins"):
        write_fits_maps(path, MAPS, GRID, IDS + 1)
    with pytest.raises(TypeError, match="integers"):
        write_fits_maps(path, MAPS, GRID, IDS.astype(float))
    assert not path.exists()
