"""Voronoi cells of scattered points, clipped to an outline around them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.spatial import ConvexHull, KDTree, QhullError, Voronoi

from veldist._support.arrays import Floats

__all__ = ["Outline", "outline", "typical_spacing", "voronoi_cells"]

# Corners of the polygon that stands for a circle.
_CORNERS = 64
# Points are on one line if they are this close to it, in units of its length.
_STRAIGHT = 1e-9


class Outline(NamedTuple):
    """A convex polygon."""

    polygon: Floats  # (n, 2): corners, counter-clockwise
    normals: Floats  # (n, 2): outward unit normals of the sides
    offsets: Floats  # (n,): the inside is where ``normals @ p <= offsets``


def typical_spacing(points: Floats) -> float:
    """Median distance from the outermost points, the corners of the convex hull, to their nearest neighbours.

    Parameters
    ----------
    points : ndarray, shape (n_points, 2)
        At least two different points.
    """
    distance = KDTree(points).query(points, k=2)[0][:, 1]
    hull = _hull(points)
    return float(np.median(distance if hull is None else distance[hull.vertices]))


def outline(points: Floats, margin: float) -> Outline:
    """Grow the convex hull of points by a margin on all sides.

    Corners stay corners where they are no sharper than a right angle, so that cells of a square lattice
    are whole squares, and are rounded elsewhere. Of points on one line the outline is a rectangle.

    Parameters
    ----------
    points : ndarray, shape (n_points, 2)
        At least one.
    margin : float
        Distance between hull and outline, positive.
    """
    hull = _hull(points)
    if hull is not None:
        normals, outermost = hull.equations[:, :2], points[hull.vertices]
    else:
        along = np.linalg.svd(points - points.mean(axis=0))[2][0] if len(points) > 1 else np.array([1.0, 0.0])
        across = np.array([-along[1], along[0]])
        normals, outermost = np.stack([along, across, -along, -across]), points
    offsets = (outermost @ normals.T).max(axis=0) + margin
    # Sides that are pushed outwards meet at sqrt(2) margins from a right angle, farther from a sharper one.
    angle = 2.0 * np.pi * np.arange(_CORNERS) / _CORNERS
    reach = np.sqrt(2.0) * margin / np.cos(np.pi / _CORNERS)
    circle = reach * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    around = (outermost[:, None] + circle).reshape(-1, 2)
    polygon = _clip(around[ConvexHull(around).vertices], normals, offsets)
    side = np.roll(polygon, -1, axis=0) - polygon
    length = np.hypot(*side.T)
    polygon, side, length = (a[length > 1e-9 * margin] for a in (polygon, side, length))
    normals = np.stack([side[:, 1], -side[:, 0]], axis=1) / length[:, None]
    return Outline(polygon, normals, np.einsum("ij,ij->i", normals, polygon))


def voronoi_cells(points: Floats, border: Outline) -> list[Floats]:
    """Voronoi cells of points, as far as they lie within an outline.

    Parameters
    ----------
    points : ndarray, shape (n_points, 2)
        Different points within the outline.
    border : Outline
        The outline.

    Returns
    -------
    list of ndarray, shape (n_corners, 2)
        Corners of the convex cell of every point, counter-clockwise.
    """
    center = border.polygon.mean(axis=0)
    size = np.hypot(*(border.polygon - center).T).max()
    # Points so far away that they change nothing within the outline, but leave no cell of the others open.
    angle = 2.0 * np.pi * np.arange(8) / 8
    far = 10.0 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    scaled = (points - center) / size
    diagram = Voronoi(np.concatenate([scaled, far]))
    cells = []
    for site, region in zip(scaled, diagram.point_region, strict=False):
        corners = diagram.vertices[diagram.regions[region]]
        order = np.argsort(np.arctan2(*(corners - site).T[::-1]))
        cells.append(_clip(center + size * corners[order], border.normals, border.offsets))
    return cells


def _hull(points: Floats) -> ConvexHull | None:
    """Convex hull; None if the points are on one line."""
    if len(points) < 3:
        return None
    spread = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
    if spread[1] < _STRAIGHT * spread[0]:
        return None
    try:
        return ConvexHull(points)
    except QhullError:
        return None


def _clip(polygon: Floats, normals: Floats, offsets: Floats) -> Floats:
    """Cut a convex polygon along the lines ``normals @ p = offsets`` (Sutherland & Hodgman 1974)."""
    beyond = np.any(polygon @ normals.T > offsets, axis=0)
    for normal, offset in zip(normals[beyond], offsets[beyond], strict=True):
        height = polygon @ normal - offset
        outside = height > 0.0
        if not outside.any():
            continue
        after, next_height = np.roll(polygon, -1, axis=0), np.roll(height, -1)
        corners: list[Floats] = []
        for k in range(len(polygon)):
            if not outside[k]:
                corners.append(polygon[k])
            if outside[k] != (next_height[k] > 0.0):
                share = height[k] / (height[k] - next_height[k])
                corners.append(polygon[k] + share * (after[k] - polygon[k]))
        polygon = np.array(corners)
    return polygon
