"""Cameras and lights of a GLB file; its meshes are read through trimesh.

Source: glTF 2.0 (ISO/IEC 12113), KHR_lights_punctual.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.camera import Camera
from renderer.scene.errors import DataError
from renderer.scene.glb import read_json
from renderer.scene.lights import DirectionalLight, Light, Lights, PointLight
from renderer.scene.pose import FLIP_YZ, inverse_rigid, quaternion_to_rotation

EXPOSURE = 1 / math.pi
"""glTF's directional lights are in lux, its point lights in candela: the light E that hits a surface, head-on or from
distance 1. A white matt surface shows E/π of it, and that is what a light's colour means here."""


def read_cameras_and_lights(
    path: Path, *, image_size: tuple[int, int], dtype: torch.dtype = torch.float32
) -> tuple[dict[str, Camera], Lights]:
    """The cameras by name, at the given image size, and the lights of a GLB file.

    A perspective camera keeps its vertical field of view, an orthographic one its height.

    Raises:
        DataError: a file that is no GLB, a spot light, or nodes that do not hang together; one line naming the file.
    """
    cameras: dict[str, Camera] = {}
    lights: list[Light] = []
    try:
        tree = read_json(path.read_bytes())
        definitions = tree.get("extensions", {}).get("KHR_lights_punctual", {}).get("lights", [])
        for node, world in _nodes(tree):
            if "camera" in node:
                name = node.get("name") or f"camera {len(cameras)}"
                while name in cameras:  # which glTF allows
                    name += " again"
                cameras[name] = _camera(tree["cameras"][node["camera"]], world, image_size, dtype)
            extension = node.get("extensions", {}).get("KHR_lights_punctual")
            if extension is not None:
                lights.append(_light(definitions[extension["light"]], world.to(dtype)))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"{path}: cannot be read as GLB ({type(error).__name__}: {reason})") from None
    return cameras, Lights(*lights)


def _nodes(tree: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Float[Tensor, "4 4"]]]:
    """The nodes of the file's scene with their matrices to the world, float64."""
    nodes = tree.get("nodes", [])
    scenes = tree.get("scenes", [])
    roots = scenes[tree.get("scene", 0)].get("nodes", []) if scenes else range(len(nodes))

    def walk(index: int, parent: Tensor) -> Iterator[tuple[dict[str, Any], Tensor]]:
        world = parent @ _matrix(nodes[index])
        yield nodes[index], world
        for child in nodes[index].get("children", []):
            yield from walk(child, world)

    for root in roots:
        yield from walk(root, torch.eye(4, dtype=torch.float64))


def _matrix(node: dict[str, Any]) -> Float[Tensor, "4 4"]:
    if "matrix" in node:  # column by column
        return torch.tensor(node["matrix"], dtype=torch.float64).reshape(4, 4).T
    x, y, z, w = node.get("rotation", (0.0, 0.0, 0.0, 1.0))
    rotation = quaternion_to_rotation(torch.tensor([w, x, y, z], dtype=torch.float64))
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = rotation * torch.tensor(node.get("scale", (1.0, 1.0, 1.0)), dtype=torch.float64)
    matrix[:3, 3] = torch.tensor(node.get("translation", (0.0, 0.0, 0.0)), dtype=torch.float64)
    return matrix


def _camera(definition: dict[str, Any], world: Tensor, image_size: tuple[int, int], dtype: torch.dtype) -> Camera:
    """glTF's cameras look along -z with y up; a scaled node scales no camera."""
    axes = world[:3, :3] / world[:3, :3].norm(dim=0)
    pose = torch.eye(4, dtype=torch.float64)
    pose[:3, :3], pose[:3, 3] = axes * torch.tensor(FLIP_YZ, dtype=torch.float64), world[:3, 3]
    world_to_camera = inverse_rigid(pose).to(dtype)
    if definition["type"] == "orthographic":
        lens = definition["orthographic"]
        near = float(lens["znear"]) or 1e-3  # 0 is allowed there
        height = 2.0 * float(lens["ymag"])
        return Camera.orthographic(
            image_size=image_size, view_height=height, world_to_camera=world_to_camera, near=near
        )
    lens = definition["perspective"]
    return Camera.perspective(
        image_size=image_size,
        fov_y=math.degrees(lens["yfov"]),
        world_to_camera=world_to_camera,
        near=float(lens["znear"]),
    )


def _light(definition: dict[str, Any], world: Tensor) -> Light:
    colour = torch.tensor(definition.get("color", (1.0, 1.0, 1.0)), dtype=world.dtype) * definition.get(
        "intensity", 1.0
    )
    kind = definition["type"]
    if kind == "directional":
        return DirectionalLight(world[:3, 2], colour=EXPOSURE * colour)
    if kind == "point":
        return PointLight(world[:3, 3], colour=EXPOSURE * colour, falloff="inverse_square")
    raise DataError(f"lights: expected directional or point lights, got {kind!r}")
