"""Triangle meshes of solids: marching cubes, vertices moved onto the zero set and spread along it."""

from __future__ import annotations

import numpy as np
import trimesh
from numpy.typing import NDArray
from signed_distance import Array, Solid, evaluate, gradient, length
from skimage.measure import marching_cubes

OBJECT_RADIUS = 0.97  # of the bounding sphere, centred at the origin


def bounding_sphere(points: Array) -> tuple[Array, float]:
    """Smallest enclosing sphere of points (N, 3) by Bădoiu and Clarkson's iteration (to about 1 %)."""
    centre = points.mean(0)
    for i in range(1, 400):
        far = points[np.argmax(((points - centre) ** 2).sum(1))]
        centre = centre + (far - centre) / (i + 1)
    return centre, float(np.sqrt(((points - centre) ** 2).sum(1).max()))


def polygonise(solid: Solid, low: Array, high: Array, cells: int) -> tuple[Array, NDArray[np.int64]]:
    """Marching cubes with `cells` cubic cells along the longest side of the box: vertices (V, 3), faces (F, 3)."""
    step = float((high - low).max()) / cells
    axes = [np.arange(lo - 1.5 * step, hi + 1.5 * step, step) for lo, hi in zip(low, high, strict=True)]
    grid = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(3, -1).astype(np.float32)
    values = evaluate(solid, grid).reshape([len(axis) for axis in axes])
    vertices, faces, _, _ = marching_cubes(values, 0.0, spacing=(step, step, step))
    return vertices.astype(np.float64) + [axis[0] for axis in axes], faces.astype(np.int64)


def fit(solid: Solid) -> Solid:
    """The solid moved and scaled so that its bounding sphere is the one of radius `OBJECT_RADIUS` around the origin."""
    box = np.full(3, 3.0)
    vertices, _ = polygonise(solid, -box, box, 96)
    vertices, _ = polygonise(solid, vertices.min(0), vertices.max(0), 64)
    centre, radius = bounding_sphere(vertices)
    scale = radius / OBJECT_RADIUS

    def fitted(points: Array) -> Array:
        s = points.dtype.type(scale)
        return solid(points * s + centre.astype(points.dtype)[:, None]) / s

    return fitted


def project(solid: Solid, vertices: Array) -> tuple[Array, Array]:
    """Vertices (V, 3) moved onto the zero set by Newton's method, and the outward unit normals there (V, 3)."""
    points = np.ascontiguousarray(vertices.T)
    for _ in range(3):
        slope = gradient(solid, points, 1e-5)
        points = points - slope * evaluate(solid, points) / (slope * slope).sum(0)
    slope = gradient(solid, points, 1e-5)
    return points.T, (slope / length(slope)).T


def make_mesh(solid: Solid, cells: int, rounds: int = 12) -> trimesh.Trimesh:
    """Mesh of the zero set: marching cubes, then vertices spread evenly along the surface and projected onto it."""
    box = np.full(3, OBJECT_RADIUS + 0.03)
    rough, _ = polygonise(solid, -box, box, 48)
    margin = 0.05
    vertices, faces = polygonise(solid, rough.min(0) - margin, rough.max(0) + margin, cells)
    a, b = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).T  # closed: each edge once each way
    valence = np.bincount(a, minlength=len(vertices))[:, None]
    for _ in range(rounds):
        vertices, normals = project(solid, vertices)
        mean = np.stack([np.bincount(a, vertices[b, i], len(vertices)) for i in range(3)], 1) / valence
        move = mean - vertices
        vertices = vertices + 0.6 * (move - normals * (move * normals).sum(1, keepdims=True))
    vertices, _ = project(solid, vertices)
    return trimesh.Trimesh(vertices.astype(np.float32), faces, process=False)


def thinnest(solid: Solid, vertices: Array) -> float:
    """Shortest way through the solid from one of the vertices (V, 3) on its surface, straight inwards."""
    points, normals = project(solid, vertices.astype(np.float64))
    depth = np.full(len(points), 2e-3)  # past the surface itself
    active = np.arange(len(points))
    while len(active):
        inside = -evaluate(solid, np.ascontiguousarray((points[active] - depth[active, None] * normals[active]).T))
        active, inside = active[inside > 1e-6], inside[inside > 1e-6]
        depth[active] += 0.8 * inside
    return float(depth.min())
