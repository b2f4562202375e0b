"""Outlines of bins in the report."""

import re
from itertools import pairwise

import numpy as np
import pytest

from veldist.report.shapes import map_shapes, trace


def test_positions_alone_give_voronoi_cells():
    x, y = [0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 2.0, 2.0]
    shapes = map_shapes(None, None, np.column_stack([x, y]), 4)
    assert shapes["positions"] == [[0, 0], [1, 0], [0, 2], [1, 2]]
    assert all(path.startswith("M") and path.endswith("z") for path in shapes["paths"])
    areas = [abs(polygon_area(corners(path)[0])) * shapes["unit"][0] ** 2 for path in shapes["paths"]]
    assert np.allclose(areas, areas[0], rtol=0.01)


@pytest.mark.parametrize(("x", "y"), [([1.0, 1.0], [2.0, 2.0]), ([0.0], [0.0]), ([0.0, 1.0, 2.0], [0, 0, 0])])
def test_positions_without_voronoi_cells_are_drawn_all_the_same(x, y):
    shapes = map_shapes(None, None, np.column_stack([x, y]).astype(float), len(x))
    assert all(len(corners(path)[0]) >= 3 for path in shapes["paths"])
    assert min(shapes["size"]) > 0


def corners(path):
    """Corners of the loops of an SVG path made of M, h, v, l and z."""
    loops = []
    for loop in re.findall(r"M[^M]*z", path):
        position = np.array([int(n) for n in re.match(r"M(-?\d+) (-?\d+)", loop).groups()])
        found = [position]
        for kind, numbers in re.findall(r"([hvl])([-\d ]+)", loop):
            values = [int(n) for n in numbers.split()]
            steps = {"h": [(v, 0) for v in values], "v": [(0, v) for v in values]}
            steps["l"] = list(zip(values[::2], values[1::2], strict=False))
            for step in steps[kind]:
                position = position + np.array(step)
                found.append(position)
        loops.append(np.array(found))
    return loops


def polygon_area(polygon):
    x, y = polygon.T
    return 0.5 * float(np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


@pytest.mark.parametrize("seed", range(6))
def test_outlines_enclose_the_pixels_of_their_bin_and_no_others(seed):
    """Winding number of the outlines around every pixel's centre, by crossings of a ray to the right."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 4, (9, 11))
    for k, path in enumerate(trace(pixels, 4)):
        winding = np.zeros(pixels.shape, dtype=int)
        for polygon in corners(path) if path else []:
            closed = np.append(polygon, polygon[:1], axis=0)
            for (x0, y0), (x1, y1) in pairwise(closed):
                assert x0 == x1 or y0 == y1
                for row in range(min(y0, y1), max(y0, y1)):
                    winding[row, :x0] += 1 if y1 > y0 else -1
        assert np.array_equal(winding, (pixels == k + 1).astype(int))
    # Pixels that touch at a corner have outlines of their own.
    assert trace(np.array([[1, 2], [2, 1]]), 2) == ["M0 0h1v1h-1zM1 1h1v1h-1z", "M1 0h1v1h-1zM0 1h1v1h-1z"]
    assert trace(np.ones((2, 3), dtype=int), 2) == ["M0 0h3v2h-3z", None]
