from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from astropy import units as u

from veldist.export.dynamite.layout import read_layout
from veldist.sky.pixels import PixelGrid

ALL_SOLVED = np.ones(3, dtype=bool)


def make_metadata() -> dict[str, Any]:
    """Three bins on 5 x 3 pixels, ids 0..3 in turn along x."""
    return {
        "bins": [{"xbin": 0.5 * i, "ybin": -1.0 * i, "bin_flux": 2.0 + i} for i in range(3)],
        "aperture": {
            "x_start": -12.5,
            "y_start": -7.5,
            "x_size": 25.0,
            "y_size": 15.0,
            "angle_deg": 33.0,
            "nx": 5,
            "ny": 3,
        },
        "pixel_bin_ids": np.arange(15) % 4,
        "psf": {"sigma": [0.3, 1.1], "weight": [0.7, 0.3]},
    }


def test_layout_of_all_bins() -> None:
    layout = read_layout(make_metadata(), ALL_SOLVED, with_flux=True)
    assert layout.aperture == PixelGrid(-12.5, -7.5, 25.0, 15.0, 33.0, 5, 3)
    assert layout.xbin.tolist() == [0.0, 0.5, 1.0]
    assert layout.ybin.tolist() == [0.0, -1.0, -2.0]
    assert layout.bin_flux is not None
    assert layout.bin_flux.tolist() == [2.0, 3.0, 4.0]
    assert layout.pixel_ids.tolist() == (np.arange(15) % 4).tolist()
    assert (layout.psf_sigma, layout.psf_weight) == ([0.3, 1.1], [0.7, 0.3])


def test_layout_without_a_skipped_bin() -> None:
    """Id 2 becomes 0 and id 3 becomes 2."""
    layout = read_layout(make_metadata(), np.array([True, False, True]), with_flux=False)
    assert layout.pixel_ids.tolist() == [0, 1, 0, 2] * 3 + [0, 1, 0]
    assert layout.xbin.tolist() == [0.0, 1.0]
    assert layout.bin_flux is None


def put(*path: Any) -> Any:
    """Return a change of the metadata: the last argument replaces what the others point to."""
    *keys, last, value = path

    def change(metadata: dict[str, Any]) -> None:
        place: Any = metadata
        for key in keys:
            place = place[key]
        place[last] = value

    return change


def remove(*path: Any) -> Any:
    *keys, gone = path

    def change(metadata: dict[str, Any]) -> None:
        place: Any = metadata
        for key in keys:
            place = place[key]
        for key in gone:
            del place[key]

    return change


BAD_METADATA = [
    (remove(["bins", "psf"]), ValueError, r"voronoi_bin_metadata lacks \['bins', 'psf'\]"),
    (remove("aperture", ["nx", "x_size"]), ValueError, r"\['aperture'\] lacks \['x_size', 'nx'\]"),
    (remove("psf", ["sigma", "weight"]), ValueError, r"\['psf'\] lacks \['sigma', 'weight'\]"),
    (remove("bins", 2, ["xbin", "ybin"]), ValueError, r"lacks \['xbin', 'ybin'\] in 1 of 3 bins \(index 2\)"),
    (put("aperture", 3), TypeError, r"\['aperture'\] must be a dict"),
    (put("psf", [1.0]), TypeError, r"\['psf'\] must be a dict"),
    (put("bins", {}), TypeError, r"\['bins'\] must be a list with one dict per Voronoi bin, got dict"),
    (put("bins", 1, 4.0), TypeError, r"\['bins'\]\[1\] must be a dict .* got float"),
    (put("bins", 1, "xbin", "east"), TypeError, r"\['bins'\]\[1\]\['xbin'\] must be a single number"),
    (put("bins", 1, "ybin", [1.0, 2.0]), TypeError, r"\['bins'\]\[1\]\['ybin'\] must be a single number"),
    (put("bins", 1, "xbin", np.nan), ValueError, r"'xbin' .* NaN or infinite in 1 of 3 bins \(index 1\)"),
    (put("bins", 2, "ybin", np.inf), ValueError, r"'ybin' .* NaN or infinite in 1 of 3 bins \(index 2\)"),
    (put("bins", 2, "ybin", 1 * u.km), ValueError, r"\['ybin'\] has unit 'km'.*arcsec"),
    (put("aperture", "x_size", 0.0), ValueError, r"\['x_size'\] must be positive, got 0.0"),
    (put("aperture", "y_size", -2.0), ValueError, r"\['y_size'\] must be positive, got -2.0"),
    (put("aperture", "x_start", np.nan), ValueError, r"\['x_start'\] must be finite"),
    (put("aperture", "angle_deg", None), TypeError, r"\['angle_deg'\] must be a single number"),
    (put("aperture", "nx", 5.0), TypeError, r"\['nx'\] must be an integer, got 5.0"),
    (put("aperture", "ny", 2.5), TypeError, r"\['ny'\] must be an integer, got 2.5"),
    (put("aperture", "nx", 0), ValueError, r"\['nx'\] must be at least 1, got 0"),
    (put("psf", "weight", [0.7, 0.3 + 2e-8]), ValueError, r"\['weight'\] sums to 1.0000000.*divide"),
    (put("psf", "weight", [0.7, 0.2]), ValueError, r"must sum to 1 within 1e-08"),
    (put("psf", "weight", [1.2, -0.2]), ValueError, r"\['weight'\] must not be negative, got \[1.2, -0.2\]"),
    (put("psf", "sigma", [1.2, -0.2]), ValueError, r"\['sigma'\] must not be negative"),
    (put("psf", "sigma", [1.0]), ValueError, r"1 values of sigma but 2 of weight"),
    (put("psf", "sigma", []), ValueError, r"\['sigma'\] is empty"),
    (put("psf", "sigma", 1.0), TypeError, r"\['sigma'\] must be a list of numbers, got 1.0"),
    (put("psf", "sigma", "1"), TypeError, r"\['sigma'\] must be a list of numbers, got '1'"),
    (put("psf", "sigma", [0.1, np.nan]), ValueError, r"\['sigma'\]\[1\] must be finite"),
    (
        put("pixel_bin_ids", 0, 4),
        ValueError,
        r"1 of 15 pixels that are outside 0..3 \(the first: 4 at flat index 0",
    ),
    (
        put("pixel_bin_ids", slice(6, 9), -1),
        ValueError,
        r"3 of 15 .* outside 0..3 \(the first: -1 at flat index 6",
    ),
    (put("pixel_bin_ids", np.arange(15) % 4 + 0.5), ValueError, r"15 of 15 pixels that are not integers"),
    (put("pixel_bin_ids", np.full(15, np.nan)), ValueError, r"not integers \(the first: nan"),
    (put("pixel_bin_ids", np.full(15, np.inf)), ValueError, r"outside 0..3 \(the first: inf"),
    (put("pixel_bin_ids", np.full(15, "1")), TypeError, r"must hold integers, got dtype <U1"),
    (put("pixel_bin_ids", np.ones(15, bool)), TypeError, r"must hold integers, got dtype bool"),
    (
        put("pixel_bin_ids", np.ones(14, int)),
        ValueError,
        r"shape \(14,\), but nx = 5 and ny = 3 need \(15,\)",
    ),
    (put("pixel_bin_ids", np.ones((5, 3), int)), ValueError, r"looks transposed"),
    (put("pixel_bin_ids", np.ones((1, 15), int)), ValueError, r"shape \(1, 15\)"),
    (put("pixel_bin_ids", np.full(15, 2)), ValueError, r"gives no pixel to 2 of 3 bins \(indices 0, 2\)"),
]


@pytest.mark.parametrize(("change", "error", "match"), BAD_METADATA)
def test_bad_metadata(change: Any, error: type[Exception], match: str) -> None:
    metadata = make_metadata()
    change(metadata)
    with pytest.raises(error, match=match):
        read_layout(metadata, ALL_SOLVED, with_flux=False)


def test_metadata_must_be_a_dict() -> None:
    with pytest.raises(TypeError, match="voronoi_bin_metadata must be a dict"):
        read_layout(None, ALL_SOLVED, with_flux=False)


def test_weights_within_dynamites_tolerance_pass() -> None:
    metadata = make_metadata()
    metadata["psf"]["weight"] = [0.7, 0.3 + 9e-9]
    assert read_layout(metadata, ALL_SOLVED, with_flux=False).psf_weight == [0.7, 0.3 + 9e-9]


def test_psf_may_be_a_list_of_quantities() -> None:
    metadata = make_metadata()
    metadata["psf"]["sigma"] = [300 * u.marcsec, 1.1 * u.arcsec]
    np.testing.assert_allclose(read_layout(metadata, ALL_SOLVED, with_flux=False).psf_sigma, [0.3, 1.1])


def test_integral_floats_are_ids() -> None:
    metadata = make_metadata()
    metadata["pixel_bin_ids"] = metadata["pixel_bin_ids"].astype(np.float32)
    layout = read_layout(metadata, ALL_SOLVED, with_flux=False)
    assert layout.pixel_ids.dtype.kind == "i"
    assert layout.pixel_ids.tolist() == (np.arange(15) % 4).tolist()


def test_fortran_ordered_image_keeps_its_pixels() -> None:
    metadata = make_metadata()
    metadata["pixel_bin_ids"] = np.asfortranarray((np.arange(15) % 4).reshape(3, 5))
    layout = read_layout(metadata, ALL_SOLVED, with_flux=False)
    assert layout.pixel_ids.tolist() == (np.arange(15) % 4).tolist()


def test_numbers_of_skipped_bins_are_not_looked_at() -> None:
    metadata = make_metadata()
    metadata["bins"][1] = {"xbin": np.nan, "ybin": None, "bin_flux": -1.0}
    layout = read_layout(metadata, np.array([True, False, True]), with_flux=True)
    assert layout.xbin.tolist() == [0.0, 1.0]


def test_metadata_is_left_alone() -> None:
    metadata = make_metadata()
    before = copy.deepcopy(metadata)
    read_layout(metadata, np.array([True, False, True]), with_flux=True)
    np.testing.assert_array_equal(metadata.pop("pixel_bin_ids"), before.pop("pixel_bin_ids"))
    assert metadata == before


def test_flux_key_is_needed_only_if_asked_for() -> None:
    metadata = make_metadata()
    for entry in metadata["bins"][1:]:
        del entry["bin_flux"]
    read_layout(metadata, ALL_SOLVED, with_flux=False)
    with pytest.raises(ValueError, match=r"lacks \['bin_flux'\] in 2 of 3 bins \(indices 1, 2\)"):
        read_layout(metadata, ALL_SOLVED, with_flux=True)


@pytest.mark.parametrize(
    ("flux", "match"),
    [
        ([1.0, np.nan, 1.0], r"'bin_flux' .* NaN or infinite in 1 of 3 bins \(index 1\)"),
        ([1.0, 1.0, np.inf], r"'bin_flux' .* NaN or infinite in 1 of 3 bins \(index 2\)"),
        ([-1.0, 1.0, -2.0], r"'bin_flux' .* negative in 2 of 3 bins \(indices 0, 2\)"),
        ([0.0, 0.0, 0.0], "0 in every solved bin"),
    ],
)
def test_bad_flux(flux: list[float], match: str) -> None:
    metadata = make_metadata()
    for entry, value in zip(metadata["bins"], flux, strict=True):
        entry["bin_flux"] = value
    with pytest.raises(ValueError, match=match):
        read_layout(metadata, ALL_SOLVED, with_flux=True)
    read_layout(metadata, ALL_SOLVED, with_flux=False)
