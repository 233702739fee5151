"""A batch of different meshes, each seen by its own camera."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from renderer.scene.camera import Camera
from renderer.scene.mesh import Mesh, MeshBatch


def each_with_its_camera(draw: Callable[[Mesh, Camera], Tensor], meshes: MeshBatch, camera: Camera) -> Tensor:
    """`draw(mesh i, camera i)`, one after the other along the batch; a single camera serves all.

    Raises:
        ValueError: another number of cameras than of meshes.
    """
    cameras = list(camera) if camera.batch_shape else [camera] * len(meshes)
    if len(cameras) != len(meshes):
        raise ValueError(f"camera: expected one, or one for each of {len(meshes)} meshes, got {len(cameras)}")
    return torch.cat([draw(mesh, view) for mesh, view in zip(meshes, cameras, strict=True)])
