"""Lines cut to panels, by closed forms and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from veldist.figures.panels import Panels, parts_within, steps
from veldist.summaries.curves import Curve

BOX = (0.0, 0.0), (1.0, 2.0)
NAN = [np.nan, np.nan]


@pytest.mark.parametrize(
    ("points", "parts"),
    [
        # As it is, where it is inside.
        ([[0.1, 0.2], [0.5, 1.9], [0.9, 0.1]], [[0.1, 0.2], [0.5, 1.9], [0.9, 0.1]]),
        # Across the box, level and upright and aslant.
        ([[-1.0, 0.5], [3.0, 0.5]], [[0.0, 0.5], [1.0, 0.5]]),
        ([[0.5, -1.0], [0.5, 3.0]], [[0.5, 0.0], [0.5, 2.0]]),
        ([[-1.0, -2.0], [2.0, 4.0]], [[0.0, 0.0], [1.0, 2.0]]),
        # Out through the top and in again.
        ([[0.0, 1.0], [0.5, 3.0], [1.0, 1.0]], [[0.0, 1.0], [0.25, 2.0], NAN, [0.75, 2.0], [1.0, 1.0]]),
        # Past a corner.
        ([[-1.0, 1.0], [1.0, 3.5]], np.empty((0, 2))),
        ([[2.0, 0.0], [3.0, 1.0], [3.0, 1.0]], np.empty((0, 2))),
        # On the rim.
        ([[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[0.0, 0.0], [0.0, 1.0], [1.0, 1.0]]),
    ],
)
def test_parts_of_lines(points, parts):
    np.testing.assert_allclose(parts_within(np.array(points), *BOX), parts)


@given(st.integers(0, 10_000))
def test_parts_are_what_is_inside(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform([-0.5, -1.0], [1.5, 3.0], (12, 2))
    # Some of them level, upright or of no length.
    points[4, 1], points[7, 0], points[9] = points[3, 1], points[6, 0], points[8]
    parts = parts_within(points, *BOX)
    there = parts[np.isfinite(parts).all(axis=1)]
    assert np.all((there >= np.array(BOX[0]) - 1e-12) & (there <= np.array(BOX[1]) + 1e-12))
    length = np.nansum(np.linalg.norm(np.diff(parts, axis=0), axis=1))
    t = (np.arange(2000) + 0.5)[:, None, None] / 2000
    fine = points[:-1] + t * np.diff(points, axis=0)
    share = np.all((fine > BOX[0]) & (fine < BOX[1]), axis=2).mean(axis=0)
    assert length == pytest.approx(share @ np.linalg.norm(np.diff(points, axis=0), axis=1), abs=0.02)


def test_steps_begin_and_end_at_zero():
    got = steps(np.array([0.0, 1.0, 3.0]), np.array([5.0, 4.0]))
    np.testing.assert_array_equal(got, [[0, 0], [0, 5], [1, 5], [1, 4], [3, 4], [3, 0]])


def test_panels_follow_row_by_row_from_the_top():
    panels = Panels(5, 2, width=3.0, height=2.0, gap=(0.3, 0.2), low=-10.0, high=20.0, top=0.5)
    assert panels.size == pytest.approx((6.3, 6.4))
    assert panels.corner(0) == pytest.approx((0.0, 4.4))
    assert panels.corner(3) == pytest.approx((3.3, 2.2))
    assert panels.corner(4) == pytest.approx((0.0, 0.0))
    np.testing.assert_allclose(panels.x(3, np.array([-10.0, 5.0, 20.0])), [3.3, 4.8, 6.3])
    np.testing.assert_allclose(panels.y(3, np.array([0.0, 0.5])), [2.2, 4.2])
    line = panels.line(3, Curve(np.array([-20.0, 40.0]), np.array([0.25, 0.25])))
    np.testing.assert_allclose(line, [[3.3, 3.2], [6.3, 3.2]])
