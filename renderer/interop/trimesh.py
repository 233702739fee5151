"""Scenes of trimesh, to and from ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from renderer.scene.camera import Camera
from renderer.scene.files import Part, mesh_from_trimesh
from renderer.scene.lights import DirectionalLight, Light, Lights, PointLight
from renderer.scene.pose import FLIP_YZ, inverse_rigid
from renderer.scene.scene import Scene
from renderer.scene.trimesh_visuals import to_trimesh_with_appearance

if TYPE_CHECKING:
    import trimesh


def scene_from_trimesh(scene: trimesh.Scene | trimesh.Trimesh, *, dtype: torch.dtype = torch.float32) -> Scene:
    """Meshes with their transforms, materials and colours, and the camera and the lights where the scene has some.

    trimesh's lights are in no fixed unit: a colour of 255 and an intensity of 1 become 1 here. Paths and point clouds
    are left.

    Raises:
        ValueError: no triangle mesh, or a light that shines in a cone.
    """
    import trimesh

    if isinstance(scene, trimesh.Trimesh):
        scene = trimesh.Scene(scene)
    parts = []
    for node in scene.graph.nodes_geometry:
        transform, name = scene.graph[node]
        geometry = scene.geometry[name]
        if isinstance(geometry, trimesh.Trimesh):
            parts.append(Part(str(node), mesh_from_trimesh(geometry, "", dtype), torch.tensor(transform, dtype=dtype)))
    cameras = {"camera": _camera(scene, dtype)} if scene.has_camera else {}
    # Asked for `lights`, trimesh makes some up; these are the scene's own.
    own = getattr(scene, "_lights", None) or []
    lights = Lights(*(_light(light, scene, dtype) for light in own)) if len(own) else None
    return Scene(parts, cameras=cameras, lights=lights)


def scene_to_trimesh(scene: Scene) -> trimesh.Scene:
    """Meshes with their transforms, base colours, textures and colours; cameras and lights stay behind.

    Raises:
        ValueError: what `Mesh.save` to GLB refuses.
    """
    import trimesh

    made = trimesh.Scene()
    for name, mesh, transform in scene.placed_parts:
        # trimesh keeps one node of a name only.
        while name in made.graph.nodes:
            name += " again"
        matrix = transform.detach().cpu().double().numpy()
        made.add_geometry(to_trimesh_with_appearance(mesh, encoding="srgb"), node_name=name, transform=matrix)
    return made


def _camera(scene: trimesh.Scene, dtype: torch.dtype) -> Camera:
    """trimesh's cameras look along -z, y up; the fields of view are those of the image's sides, in degrees."""
    pose = torch.tensor(np.asarray(scene.camera_transform), dtype=torch.float64)
    pose[:3, :3] = pose[:3, :3] * torch.tensor(FLIP_YZ, dtype=torch.float64)
    width, height = (int(n) for n in scene.camera.resolution)
    K = torch.tensor(np.asarray(scene.camera.K), dtype=dtype)
    K[0, 2], K[1, 2] = width / 2, height / 2
    return Camera(inverse_rigid(pose).to(dtype), K, (height, width), near=float(scene.camera.z_near))


def _light(light: Any, scene: trimesh.Scene, dtype: torch.dtype) -> Light:
    from trimesh.scene import lighting

    colour = torch.tensor(np.asarray(light.color)[:3] / 255, dtype=dtype) * float(light.intensity)
    world = torch.tensor(np.asarray(scene.graph[light.name][0]), dtype=dtype)
    if isinstance(light, lighting.DirectionalLight):
        return DirectionalLight(world[:3, 2], colour=colour)
    if isinstance(light, lighting.PointLight):
        return PointLight(world[:3, 3], colour=colour, falloff="inverse_square")
    raise ValueError(f"lights: expected directional or point lights, got {type(light).__name__}")
