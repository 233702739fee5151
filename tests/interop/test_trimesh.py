"""Scenes of trimesh, to and from ours."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh
from trimesh.scene import lighting

from renderer.interop.trimesh import scene_from_trimesh, scene_to_trimesh
from renderer.scene import Material, Scene, cube, grid, icosphere
from renderer.scene.files import Part


def test_meshes_with_their_looks_and_places_round_trip() -> None:
    plane = grid(1, 1)
    textured = plane.with_appearance(
        uv=plane.vertices[:, :2] / 2 + 0.5, material=Material(texture=torch.rand(4, 4, 3).round())
    )
    shift = torch.eye(4)
    shift[0, 3] = 2.0
    scene = Scene([Part("red", cube().with_appearance(material=Material((0.8, 0.2, 0.0))), shift), textured])
    back = scene_from_trimesh(scene_to_trimesh(scene))
    red, picture = back.placed_parts
    assert red.name == "red"
    assert torch.equal(red.transform, shift)
    torch.testing.assert_close(red.mesh.material.base_colour, torch.tensor([0.8, 0.2, 0.0]), atol=2 / 255, rtol=0)
    torch.testing.assert_close(picture.mesh.material.texture, textured.material.texture)
    torch.testing.assert_close(picture.mesh.uv, textured.uv)
    torch.testing.assert_close(back.bounds, scene.bounds)


def test_colours_of_faces_and_vertices() -> None:
    for name, count in (("face_colours", 12), ("vertex_colours", 8)):
        mesh = cube().with_appearance(**{name: torch.rand(count, 3)})
        (back,) = scene_from_trimesh(scene_to_trimesh(Scene([mesh]))).meshes

        def corners(m):
            from renderer.shading.surface import corner_values, make_surface

            return corner_values(make_surface([m]).colours)

        torch.testing.assert_close(corners(back), corners(mesh), atol=0.01, rtol=0)


def test_camera_and_lights() -> None:
    pose = trimesh.transformations.translation_matrix([0.5, 1.0, 4.0])
    made = trimesh.Scene(icosphere(1).to_trimesh())
    made.camera = trimesh.scene.Camera(resolution=(64, 48), fov=(60, 46.8))
    made.camera_transform = pose
    made.lights = [lighting.DirectionalLight("sun", color=[255, 255, 255, 255], intensity=2.0)]
    made.graph["sun"] = trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0])
    scene = scene_from_trimesh(made)
    camera = scene.camera("camera")
    assert camera.image_size == (48, 64)
    torch.testing.assert_close(camera.centre, torch.tensor([0.5, 1.0, 4.0]))
    # trimesh's own rays go through the pixels that ours projects them to.
    origins, directions, pixels = made.camera_rays()
    points = torch.tensor(origins + 2 * directions, dtype=torch.float32)
    x, y, _ = camera.project(points)[0].unbind(-1)
    expected = torch.tensor(pixels)
    assert (x - expected[:, 0] - 0.5).abs().max() < 0.6
    assert (48 - y - expected[:, 1] - 0.5).abs().max() < 0.6
    sun = scene.lights[0]
    torch.testing.assert_close(sun.to_light, torch.tensor([0.0, 1.0, 0.0]), atol=1e-6, rtol=0)
    assert sun.colour.tolist() == [2.0, 2.0, 2.0]


def test_parts_of_the_same_name_all_arrive() -> None:
    scene = Scene([Part("a", cube(), torch.eye(4)), Part("a", icosphere(1), torch.eye(4))])
    back = scene_from_trimesh(scene_to_trimesh(scene))
    assert sorted(mesh.num_faces for mesh in back.meshes) == [12, 80]


def test_what_trimesh_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^base_colour: expected values in \[0, 1\]"):
        scene_to_trimesh(Scene([cube().with_appearance(material=Material(2.0))]))
    with pytest.raises(ValueError, match=r"^parts: expected at least one mesh, got none$"):
        scene_from_trimesh(trimesh.Scene(trimesh.PointCloud([[0.0, 0.0, 0.0]])))


def test_without_camera_and_lights_none_are_made_up() -> None:
    scene = scene_from_trimesh(cube().to_trimesh(), dtype=torch.float64)
    assert scene.cameras == {}
    assert not scene.has_own_lights
    assert scene.meshes[0].vertices.dtype == torch.float64


def test_a_point_light() -> None:
    made = trimesh.Scene(cube().to_trimesh())
    made.lights = [lighting.PointLight("lamp", color=[255, 0, 51, 255], intensity=3.0)]
    made.graph["lamp"] = trimesh.transformations.translation_matrix([1, 2, 3])
    (lamp,) = scene_from_trimesh(made).lights
    assert lamp.position.tolist() == [1.0, 2.0, 3.0]
    torch.testing.assert_close(lamp.colour, torch.tensor([3.0, 0.0, 0.6]))
    assert lamp.falloff == "inverse_square"


def test_spot_lights_are_refused() -> None:
    made = trimesh.Scene(cube().to_trimesh())
    made.lights = [lighting.SpotLight("spot", innerConeAngle=0.1, outerConeAngle=0.2)]
    made.graph["spot"] = np.eye(4)
    with pytest.raises(ValueError, match=r"^lights: expected directional or point lights, got SpotLight$"):
        scene_from_trimesh(made)
