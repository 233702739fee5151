"""Cameras and meshes of PyTorch3D, which need not be installed to read its objects, only to make them.

Source of the conventions: https://pytorch3d.org/docs/cameras
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from renderer.scene.camera import DEFAULT_NEAR, Camera, Projection
from renderer.scene.mesh import Mesh, MeshBatch


def cameras_from_pytorch3d(
    cameras: Any, *, image_size: tuple[int, int] | None = None, near: float = DEFAULT_NEAR
) -> Camera:
    """A batch of cameras from ``PerspectiveCameras``, ``OrthographicCameras``, ``FoVPerspectiveCameras`` or
    ``FoVOrthographicCameras``.

    Args:
        cameras: the PyTorch3D object.
        image_size: (height, width) in pixels, where the object has none.
        near: the near plane of the result, in world units.

    Differentiable in the object's R, T, focal length, principal point, fov and extents.

    Raises:
        ValueError: no image size, several image sizes, or a calibration given as a matrix ``K``.
    """
    if getattr(cameras, "K", None) is not None:
        raise ValueError("cameras: expected focal lengths or angles, got a camera defined by a matrix K")
    R, T = cameras.R, cameras.T
    if hasattr(cameras, "focal_length"):
        focal = torch.as_tensor(cameras.focal_length).to(R)
        focal = focal.reshape(-1, 1 if focal.ndim < 2 else focal.shape[-1]).expand(R.shape[0], 2)
        centre, in_ndc = torch.as_tensor(cameras.principal_point).to(R).expand(R.shape[0], 2), cameras.in_ndc()
    elif hasattr(cameras, "fov"):
        fov, aspect = (torch.as_tensor(value).to(R).reshape(-1) for value in (cameras.fov, cameras.aspect_ratio))
        tangent = torch.tan((fov * math.pi / 180 if cameras.degrees else fov) / 2)
        focal, centre, in_ndc = _pair(1 / (aspect * tangent), 1 / tangent, like=R), R.new_zeros(R.shape[0], 2), True
    else:
        names = ("min_x", "max_x", "min_y", "max_y")
        low_x, high_x, low_y, high_y = (torch.as_tensor(getattr(cameras, name)).to(R).reshape(-1) for name in names)
        scale = torch.as_tensor(cameras.scale_xyz).to(R).reshape(-1, 3)
        width, height = high_x - low_x, high_y - low_y
        focal = _pair(2 * scale[:, 0] / width, 2 * scale[:, 1] / height, like=R)
        centre, in_ndc = _pair(-(high_x + low_x) / width, -(high_y + low_y) / height, like=R), True
    projection: Projection = "perspective" if cameras.is_perspective() else "orthographic"
    size = _image_size(cameras, image_size)
    return Camera.from_pytorch3d(R, T, focal, centre, image_size=size, in_ndc=in_ndc, projection=projection, near=near)


def cameras_to_pytorch3d(camera: Camera, *, in_ndc: bool = True) -> Any:
    """``PerspectiveCameras`` or ``OrthographicCameras`` that put every point on the same pixel.

    Raises:
        ImportError: PyTorch3D is not installed. ``camera.to_pytorch3d()`` gives the arguments without it.
    """
    from pytorch3d.renderer import OrthographicCameras, PerspectiveCameras

    make = PerspectiveCameras if camera.projection == "perspective" else OrthographicCameras
    return make(**camera.to_pytorch3d(in_ndc=in_ndc)._asdict(), device=camera.device)


def meshes_from_pytorch3d(meshes: Any) -> MeshBatch:
    """The meshes of a ``pytorch3d.structures.Meshes``; differentiable in their vertices."""
    return MeshBatch([Mesh(v, f) for v, f in zip(meshes.verts_list(), meshes.faces_list(), strict=True)])


def meshes_to_pytorch3d(meshes: Mesh | MeshBatch) -> Any:
    """A ``pytorch3d.structures.Meshes`` of one mesh, of each entry of its batch, or of a :class:`MeshBatch`.

    Raises:
        ImportError: PyTorch3D is not installed.
    """
    from pytorch3d.structures import Meshes

    if isinstance(meshes, Mesh):
        vertices = list(meshes.vertices.reshape(-1, meshes.num_vertices, 3))
        faces = [meshes.faces] * len(vertices)
    else:
        vertices, faces = [mesh.vertices for mesh in meshes], [mesh.faces for mesh in meshes]
    return Meshes(verts=vertices, faces=faces)


def _pair(x: Tensor, y: Tensor, *, like: Tensor) -> Tensor:
    return torch.stack(torch.broadcast_tensors(x, y), dim=-1).expand(like.shape[0], 2)


def _image_size(cameras: Any, image_size: tuple[int, int] | None) -> tuple[int, int]:
    own = getattr(cameras, "image_size", None)
    if image_size is not None:
        return image_size
    if own is None:
        raise ValueError("image_size: expected (height, width), as the cameras have none of their own")
    sizes = torch.as_tensor(own).reshape(-1, 2)
    if bool((sizes != sizes[0]).any()):
        raise ValueError(f"cameras: expected one image size, got {sizes.tolist()}")
    height, width = (int(value) for value in sizes[0].tolist())
    return height, width
