from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from renderer.scene import Camera, Mesh, Views, icosphere
from renderer.tasks.scores import silhouette_ious
from renderer.tasks.visual_hull import (
    carve,
    level_surface,
    pixel_size,
    signed_distance,
    simplest_surface,
    surrounding_sphere,
    visual_hull,
)
from tests.tasks.conftest import masks_of, orbit_cameras, views_of


def test_signed_distance_of_a_disc() -> None:
    y, x = np.mgrid[:64, :64] + 0.5
    exact = 20 - np.hypot(x - 31.3, y - 33.1)
    distance = signed_distance(np.clip(exact + 0.5, 0, 1))
    assert abs(distance - exact)[abs(exact) < 3].max() < 0.1
    assert abs(distance - exact).max() < 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_signed_distance_without_a_contour(value: float) -> None:
    distance = signed_distance(np.full((8, 10), value))
    assert (np.sign(distance) == (1 if value else -1)).all()
    assert abs(distance).min() > 10


def test_hull_keeps_the_hole(ring: Mesh, ring_views: Views) -> None:
    hull = visual_hull(ring_views.masks, ring_views.camera, resolution=64)
    assert hull.is_watertight
    assert hull.is_oriented
    assert (hull.genus, hull.num_components) == (1, 1)
    assert float(silhouette_ious(hull, ring_views).mean()) > 0.98
    assert float(hull.volume) > 0.97 * float(ring.volume)


def test_hull_contains_the_object_and_is_near(ring: Mesh, ring_views: Views) -> None:
    fine = visual_hull(ring_views.masks, ring_views.camera, resolution=96)
    coarse = visual_hull(ring_views.masks, ring_views.camera, resolution=24)
    assert fine.num_faces > 4 * coarse.num_faces
    low, high = fine.bounds
    assert torch.allclose(high, ring.bounds[1], atol=0.15)
    assert torch.allclose(low, ring.bounds[0], atol=0.15)


def test_two_objects_stay_two_parts() -> None:
    ball = icosphere(3, radius=0.35)
    both = Mesh(
        torch.cat([ball.vertices + torch.tensor([0.6, 0.0, 0.0]), ball.vertices - torch.tensor([0.6, 0.0, 0.0])]),
        torch.cat([ball.faces, ball.faces + ball.num_vertices]),
    )
    hull = visual_hull(masks_of(both, orbit_cameras(12, 64)), orbit_cameras(12, 64), resolution=64)
    assert hull.num_components == 2


def test_orthographic_views() -> None:
    camera = Camera.orbit(
        3.0,
        torch.tensor([0.0, 0.0, 0.0, 90.0, 30.0, -40.0]),
        torch.tensor([0.0, 60.0, 120.0, 0.0, 200.0, 310.0]),
        image_size=(64, 64),
        projection="orthographic",
        view_height=2.5,
    )
    ball = icosphere(4, radius=0.9)
    hull = visual_hull(masks_of(ball, camera), camera, resolution=48)
    assert hull.genus == 0
    assert math.isclose(float(hull.volume), float(ball.volume), rel_tol=0.15)
    assert math.isclose(pixel_size(camera, torch.zeros(3)), 2.5 / 64, rel_tol=1e-5)


def test_far_from_the_origin_and_small() -> None:
    views = views_of(icosphere(3, radius=0.9))
    shift, scale = torch.tensor([100.0, -50.0, 20.0]), 0.01
    pose = views.camera.world_to_camera.double()
    moved = pose.clone()  # x' = scale x + shift: the camera sees the same picture
    moved[:, :3, 3] = scale * pose[:, :3, 3] - pose[:, :3, :3] @ shift.double()
    hull = visual_hull(views.masks, views.camera.with_world_to_camera(moved.float()), resolution=32)
    assert torch.allclose(hull.vertices.mean(dim=0), shift, atol=0.002)
    assert math.isclose(float((hull.bounds[1] - hull.bounds[0]).mean()), 0.018, rel_tol=0.1)


def test_object_that_leaves_the_image() -> None:
    camera = orbit_cameras(8, 48)
    ball = icosphere(3, radius=1.9)  # wider than the images, 1.58 at its distance
    hull = visual_hull(masks_of(ball, camera), camera, resolution=32)
    assert hull.is_watertight
    assert float(silhouette_ious(hull, Views(masks_of(ball, camera), camera, (), ())).mean()) > 0.97


def test_masks_without_a_common_volume(ring_views: Views) -> None:
    camera = ring_views.camera
    away = camera.world_to_camera.clone()
    away[0, :3, 3] += torch.tensor([3.0, 0.0, 0.0])  # as if this camera saw an object beside the others'
    with pytest.raises(ValueError, match="masks: no point of space"):
        visual_hull(ring_views.masks, camera.with_world_to_camera(away), resolution=32)


def test_too_few_voxels(ring_views: Views) -> None:
    with pytest.raises(ValueError, match="resolution: expected at least"):
        visual_hull(ring_views.masks, ring_views.camera, resolution=4)


def test_surrounding_sphere(ring: Mesh) -> None:
    sphere = surrounding_sphere(ring)
    assert sphere.genus == 0
    assert torch.allclose(sphere.vertices.mean(dim=0), torch.zeros(3), atol=1e-3)


def test_the_simplest_surface_has_no_tunnels_of_the_grid(ring: Mesh, ring_views: Views) -> None:
    carving = carve(ring_views.masks, ring_views.camera, resolution=48)
    place = (torch.tensor([0.8, 0.0, 0.0]) - carving.origin) / carving.spacing
    i, j = int(place[0]), int(place[1])
    pixel = pixel_size(ring_views.camera, torch.zeros(3))
    carving.field[i, j, :] = carving.field[i, j, :].clamp(max=-0.1 * pixel)  # a tunnel through the tube
    assert level_surface(carving, ring_views.masks, ring_views.camera).genus == 2
    assert simplest_surface(carving, ring_views.masks, ring_views.camera).genus == 1
