from __future__ import annotations

import numpy as np
import pytest

from renderer.scene import cylinder, torus
from renderer.scene.closest_point import ClosestPoint, closest_on_triangles


@pytest.mark.parametrize("mesh", [torus(segments=20, sides=12), cylinder(radius=0.2, segments=40)])
def test_equals_brute_force(mesh) -> None:
    vertices, faces = mesh.vertices.double().numpy(), mesh.faces.numpy()
    points = np.random.default_rng(0).normal(size=(300, 3))
    every = closest_on_triangles(points[:, None], vertices[faces][None])
    best = np.linalg.norm(every - points[:, None], axis=2).min(axis=1)
    found = ClosestPoint(vertices, faces)(points)
    np.testing.assert_allclose(np.linalg.norm(found - points, axis=1), best, rtol=1e-12)


def test_regions_of_a_triangle() -> None:
    triangle = np.array([[0.0, 0, 0], [2, 0, 0], [0, 2, 0]])
    points = np.array([[0.5, 0.5, 1], [1.0, -1, 1], [-1, -1, 0], [3, 0, 0], [2, 2, 5]])
    expected = np.array([[0.5, 0.5, 0], [1, 0, 0], [0, 0, 0], [2, 0, 0], [1, 1, 0]])
    np.testing.assert_allclose(closest_on_triangles(points, triangle[None]), expected, atol=1e-15)


@pytest.mark.parametrize("corners", [[[0.0, 0, 0], [1, 0, 0], [3, 0, 0]], [[1.0, 1, 1]] * 3])
def test_triangle_without_area(corners: list[list[float]]) -> None:
    nearest = closest_on_triangles(np.array([[2.0, 1.0, 0.0]]), np.array([corners]))
    assert np.isfinite(nearest).all()
    np.testing.assert_allclose(nearest[0], [2, 0, 0] if corners[1][0] == 1 and corners[2][0] == 3 else [1, 1, 1])
