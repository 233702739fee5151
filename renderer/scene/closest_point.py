"""Closest point on a triangle mesh, exact, with a k-d tree over the face centroids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

FIRST_CANDIDATES = 8  # faces tried per point at first: enough for nearly every point of an even mesh


class ClosestPoint:
    """Maps points (N, 3) to the nearest points (N, 3) of the surface `vertices` (V, 3), `faces` (F, 3).

    >>> ClosestPoint(vertices, faces)(points).shape
    (100, 3)
    """

    def __init__(self, vertices: NDArray[np.float64], faces: NDArray[np.int64]) -> None:
        self.triangles = vertices[faces]
        centroids = self.triangles.mean(axis=1)
        self.radius = float(np.linalg.norm(self.triangles - centroids[:, None], axis=2).max())
        self.tree = cKDTree(centroids)

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        result = np.empty_like(points)
        todo = np.arange(len(points))
        count = min(FIRST_CANDIDATES, len(self.triangles))
        while len(todo):
            away, index = self.tree.query(points[todo], k=count)
            away, index = away.reshape(len(todo), count), index.reshape(len(todo), count)
            nearest = closest_on_triangles(points[todo, None], self.triangles[index])
            distance = np.linalg.norm(nearest - points[todo, None], axis=2)
            best = distance.argmin(axis=1)
            row = np.arange(len(todo))
            result[todo] = nearest[row, best]
            # Exact once even the nearest face not tried, whose centroid is farther than the last one, must be farther.
            unsure = away[:, -1] - self.radius < distance[row, best]
            if count == len(self.triangles):
                break
            todo = todo[unsure]
            count = min(4 * count, len(self.triangles))
        return result


def closest_on_triangles(points: NDArray[np.float64], triangles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nearest point of each triangle (..., 3, 3) to each point (..., 3): inside it, or on the nearest of its edges."""
    a, b, c = triangles[..., 0, :], triangles[..., 1, :], triangles[..., 2, :]
    normal = np.cross(b - a, c - a)
    area2 = _dot(normal, normal)
    safe = np.where(area2 > 0, area2, 1.0)
    inside = area2 > 0
    for p, q in ((a, b), (b, c), (c, a)):
        inside = inside & (_dot(np.cross(q - p, points - p), normal) >= 0)
    height = _dot(points - a, normal) / safe
    best = points - height[..., None] * normal
    best_distance = np.where(inside, height * height * area2, np.inf)
    for p, q in ((a, b), (b, c), (c, a)):
        along = q - p
        length2 = _dot(along, along)
        t = _dot(points - p, along) / np.where(length2 > 0, length2, 1.0)
        candidate = p + np.clip(t, 0.0, 1.0)[..., None] * along
        away = candidate - points
        distance = _dot(away, away)
        closer = distance < best_distance
        best = np.where(closer[..., None], candidate, best)
        best_distance = np.where(closer, distance, best_distance)
    return best


def _dot(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.einsum("...k,...k->...", a, b)
