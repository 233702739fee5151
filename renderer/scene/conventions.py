"""Camera conventions of other systems, to and from ours: OpenCV axes (x right, y down, z forward), ``K`` in pixels.

Pure tensor functions behind the ``from_`` and ``to_`` methods of :class:`renderer.scene.camera.Camera`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.intrinsics import intrinsics
from renderer.scene.pose import FLIP_XY, quaternion_to_rotation, rigid, rotation_to_quaternion


class OpenGLCamera(NamedTuple):
    """View matrix (axes x right, y up, z backward) and projection matrix (to clip space -w..w), (*batch, 4, 4) each."""

    view: Float[Tensor, "*batch 4 4"]
    projection: Float[Tensor, "*batch 4 4"]


class PyTorch3DCamera(NamedTuple):
    """The arguments of ``pytorch3d.renderer.PerspectiveCameras`` (or ``OrthographicCameras``), by name.

    Row vectors: x_view = x_world R + T, with axes x left, y up, z forward. ``image_size`` is (height, width).
    """

    R: Float[Tensor, "N 3 3"]
    T: Float[Tensor, "N 3"]
    focal_length: Float[Tensor, "N 2"]
    principal_point: Float[Tensor, "N 2"]
    image_size: Float[Tensor, "N 2"]
    in_ndc: bool


class ColmapCamera(NamedTuple):
    """COLMAP's pose (world to camera; quaternion w, x, y, z) and model with its parameters fx, fy, cx, cy in pixels."""

    quaternion: Float[Tensor, "*batch 4"]
    translation: Float[Tensor, "*batch 3"]
    params: Float[Tensor, "*batch 4"]
    model: str


def flip_axes(matrix: Float[Tensor, "*batch 4 4"], signs: tuple[float, float, float]) -> Float[Tensor, "*batch 4 4"]:
    """A world-to-camera matrix with the sign of some camera axes changed."""
    return matrix * matrix.new_tensor([*signs, 1.0]).unsqueeze(-1)


def opengl_projection(
    K: Float[Tensor, "*batch 3 3"], *, image_size: tuple[int, int], perspective: bool, near: float, far: float
) -> Float[Tensor, "*batch 4 4"]:
    """OpenGL's projection matrix: x and y of the image are -1 to 1 (y up), depth from near to far is -1 to 1."""
    height, width = image_size
    zero = torch.zeros_like(K[..., 0, 0])
    one = torch.ones_like(zero)
    fx, skew, fy = 2 * K[..., 0, 0] / width, -2 * K[..., 0, 1] / width, 2 * K[..., 1, 1] / height
    x0, y0 = 2 * K[..., 0, 2] / width - 1, 1 - 2 * K[..., 1, 2] / height
    span = far - near
    if perspective:
        z_scale, z_shift = -(far + near) / span, -2 * far * near / span
        rows = [[fx, skew, -x0, zero], [zero, fy, -y0, zero], [zero, zero, z_scale * one, z_shift * one]]
        rows.append([zero, zero, -one, zero])
    else:
        z_scale, z_shift = -2 / span, -(far + near) / span
        rows = [[fx, skew, zero, x0], [zero, fy, zero, y0], [zero, zero, z_scale * one, z_shift * one]]
        rows.append([zero, zero, zero, one])
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def from_opengl_projection(
    projection: Float[Tensor, "*batch 4 4"], *, image_size: tuple[int, int]
) -> tuple[Float[Tensor, "*batch 3 3"], bool, float]:
    """``K``, whether the projection is perspective, and the near distance of an OpenGL projection matrix.

    Raises:
        ValueError: a last row other than 0 0 -1 0 or 0 0 0 1, or near distances that differ within the batch.
    """
    height, width = image_size
    last = projection[..., 3, :].detach()
    perspective = bool((last == last.new_tensor([0, 0, -1, 0])).all())
    if not perspective and not bool((last == last.new_tensor([0, 0, 0, 1])).all()):
        came = last.reshape(-1, 4)[0].tolist()
        raise ValueError(f"projection: expected the last row 0 0 -1 0 or 0 0 0 1 throughout, got {came}")
    column, sign = (2, -1) if perspective else (3, 1)
    fx, skew, fy = (
        projection[..., 0, 0] * width / 2,
        -projection[..., 0, 1] * width / 2,
        projection[..., 1, 1] * height / 2,
    )
    cx = (1 + sign * projection[..., 0, column]) * width / 2
    cy = (1 - sign * projection[..., 1, column]) * height / 2
    K = intrinsics(fx, fy, cx, cy)
    K = torch.cat([torch.stack([K[..., 0, 0], skew, K[..., 0, 2]], dim=-1).unsqueeze(-2), K[..., 1:, :]], dim=-2)
    scale, shift = projection[..., 2, 2].detach().double(), projection[..., 2, 3].detach().double()
    near = shift / (scale - 1) if perspective else (shift + 1) / scale
    if not bool(torch.allclose(near, near.reshape(-1)[0].expand_as(near), rtol=1e-4)):
        raise ValueError("projection: expected one near distance for all cameras, got several")
    return K, perspective, float(near.reshape(-1)[0])


def to_pytorch3d(
    world_to_camera: Float[Tensor, "N 4 4"], K: Float[Tensor, "N 3 3"], *, image_size: tuple[int, int], in_ndc: bool
) -> PyTorch3DCamera:
    """PyTorch3D's R, T, focal length and principal point.

    NDC run from -1 to 1 along the shorter side, x left and y up, so with s = min(H, W)/2 the pixel is
    (W/2 - s x, H/2 - s y): f_ndc = f/s and p_ndc = ((W/2, H/2) - c)/s. With ``in_ndc=False`` both are in pixels.
    Source: https://pytorch3d.org/docs/cameras
    """
    view = flip_axes(world_to_camera, FLIP_XY)
    focal = torch.stack([K[..., 0, 0], K[..., 1, 1]], dim=-1)
    centre = K[..., :2, 2]
    size = K.new_tensor(image_size).expand(*K.shape[:-2], 2)
    if in_ndc:
        half = min(image_size) / 2
        focal, centre = focal / half, (size.flip(-1) / 2 - centre) / half
    return PyTorch3DCamera(view[..., :3, :3].transpose(-1, -2), view[..., :3, 3], focal, centre, size, in_ndc)


def from_pytorch3d(
    R: Float[Tensor, "N 3 3"],
    T: Float[Tensor, "N 3"],
    focal_length: Float[Tensor, "N 2"],
    principal_point: Float[Tensor, "N 2"],
    *,
    image_size: tuple[int, int],
    in_ndc: bool,
) -> tuple[Float[Tensor, "N 4 4"], Float[Tensor, "N 3 3"]]:
    """World-to-camera matrix and ``K``: the inverse of :func:`to_pytorch3d`."""
    if in_ndc:
        half = min(image_size) / 2
        height, width = image_size
        middle = principal_point.new_tensor([width / 2, height / 2])
        focal_length, principal_point = focal_length * half, middle - principal_point * half
    K = intrinsics(focal_length[..., 0], focal_length[..., 1], principal_point[..., 0], principal_point[..., 1])
    return flip_axes(rigid(R.transpose(-1, -2), T), FLIP_XY), K


def to_colmap(world_to_camera: Float[Tensor, "*batch 4 4"], K: Float[Tensor, "*batch 3 3"]) -> ColmapCamera:
    """COLMAP has our axes and pixels: the rotation becomes a quaternion and ``K`` the parameters of PINHOLE."""
    params = torch.stack([K[..., 0, 0], K[..., 1, 1], K[..., 0, 2], K[..., 1, 2]], dim=-1)
    quaternion = rotation_to_quaternion(world_to_camera[..., :3, :3])
    return ColmapCamera(quaternion, world_to_camera[..., :3, 3], params, "PINHOLE")


def from_colmap(
    quaternion: Float[Tensor, "*batch 4"],
    translation: Float[Tensor, "*batch 3"],
    params: Float[Tensor, "*batch P"],
    model: str,
) -> tuple[Float[Tensor, "*batch 4 4"], Float[Tensor, "*batch 3 3"]]:
    """World-to-camera matrix and ``K`` of a COLMAP camera without distortion.

    Raises:
        ValueError: another model than PINHOLE or SIMPLE_PINHOLE, or a wrong number of parameters.
    """
    expected = {"SIMPLE_PINHOLE": 3, "PINHOLE": 4}
    if model not in expected:
        raise ValueError(f"model: expected PINHOLE or SIMPLE_PINHOLE, got {model}")
    if params.shape[-1] != expected[model]:
        raise ValueError(f"params: expected {expected[model]} numbers for {model}, got {params.shape[-1]}")
    fx, fy, cx, cy = params[..., [0, 0, 1, 2] if model == "SIMPLE_PINHOLE" else [0, 1, 2, 3]].unbind(-1)
    return rigid(quaternion_to_rotation(quaternion), translation), intrinsics(fx, fy, cx, cy)
