"""Rigid camera poses: looking at a point, orbiting around it, quaternions, and the check that a matrix is rigid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.errors import DataError

Vector = Sequence[float] | Tensor
"""A point or direction: three numbers, or a Tensor (*batch, 3)."""

RIGID_TOLERANCE = 1e-3
"""How far the rotation of a pose may be from orthonormal: files print 4 to 8 digits, a wrong scale is far larger."""

FLIP_YZ = (1.0, -1.0, -1.0)
"""OpenCV axes (x right, y down, z forward) <-> OpenGL and Blender axes (x right, y up, z backward)."""

FLIP_XY = (-1.0, -1.0, 1.0)
"""OpenCV axes <-> PyTorch3D axes (x left, y up, z forward)."""


def looking_at(
    eye: Vector, target: Vector = (0.0, 0.0, 0.0), up: Vector = (0.0, 1.0, 0.0)
) -> Float[Tensor, "*batch 4 4"]:
    """World-to-camera matrix of a camera at ``eye`` that sees ``target`` in the middle and ``up`` upwards.

    Differentiable in all three, which broadcast; dtype and device are those of the first Tensor among them.

    Raises:
        ValueError: ``eye`` equals ``target``, or ``up`` is parallel to the line of sight.
    """
    eye_at, target_at, upward = as_tensors(eye, target, up)
    for name, value in (("eye", eye_at), ("target", target_at), ("up", upward)):
        if value.ndim == 0 or value.shape[-1] != 3:
            raise ValueError(f"{name}: expected shape (..., 3), got {tuple(value.shape)}")
    eye_at, target_at, upward = torch.broadcast_tensors(eye_at, target_at, upward)
    forward = target_at - eye_at
    distance = forward.norm(dim=-1, keepdim=True)
    if not bool((distance > 0).all()):
        raise ValueError("eye: expected a point other than target, got the same point")
    forward = forward / distance
    right = torch.linalg.cross(forward, upward)
    sine = right.norm(dim=-1, keepdim=True)
    # Below this angle the rounding of ``up`` decides which way is right.
    smallest = 16 * torch.finfo(right.dtype).eps
    if not bool((sine > smallest * upward.norm(dim=-1, keepdim=True)).all()):
        raise ValueError("up: expected a direction across the line of sight, got one along it (or zero)")
    right = right / sine
    rotation = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=-2)
    return rigid(rotation, -(rotation @ eye_at.unsqueeze(-1)).squeeze(-1))


def orbiting(
    distance: float | Tensor, elevation: float | Tensor, azimuth: float | Tensor, *, target: Vector = (0.0, 0.0, 0.0)
) -> Float[Tensor, "*batch 4 4"]:
    """World-to-camera matrix of a camera on a sphere around ``target``, y up, looking at it.

    Elevation is the angle above the xz-plane and azimuth the angle about +y from +z towards +x, both in degrees:
    eye = target + distance (cos e sin a, sin e, cos e cos a). Upright at the poles too. Differentiable in everything.
    """
    distance, elevation, azimuth, target = as_tensors(distance, elevation, azimuth, target)
    e, a = torch.broadcast_tensors(torch.deg2rad(elevation), torch.deg2rad(azimuth))
    zero = torch.zeros_like(e)
    out = torch.stack([e.cos() * a.sin(), e.sin(), e.cos() * a.cos()], dim=-1)
    right = torch.stack([a.cos(), zero, -a.sin()], dim=-1)
    rotation = torch.stack([right, -torch.linalg.cross(out, right), -out], dim=-2)
    eye = target + distance.unsqueeze(-1) * out
    return rigid(rotation, -(rotation @ eye.unsqueeze(-1)).squeeze(-1))


def upright_axes(up: Sequence[float]) -> Float[np.ndarray, "3 3"]:
    """Right, up and backward (towards the eye) of a camera that looks at the front: along −z for up = y.

    Raises: ValueError unless up is a finite direction.

        >>> upright_axes((0.0, 0.0, 2.0)).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]
    """
    direction = np.asarray(up, dtype=np.float64)
    length = np.linalg.norm(direction)
    if direction.shape != (3,) or not (np.isfinite(length) and length > 0):
        raise ValueError(f"up: expected a direction of three numbers, not all zero, got {up}")
    upward = direction / length
    # With z up the front is −y, as in Blender; otherwise it is as near to z as can be.
    side = np.array([0.0, 0.0, 1.0] if abs(upward[2]) < 0.9 else [0.0, -1.0, 0.0])
    right = np.cross(upward, side)
    right /= np.linalg.norm(right)
    return np.stack([right, upward, np.cross(right, upward)]) + 0.0  # no negative zeros


def rigid(rotation: Float[Tensor, "*batch 3 3"], translation: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4 4"]:
    """The 4×4 matrix of x -> rotation x + translation."""
    batch = torch.broadcast_shapes(rotation.shape[:-2], translation.shape[:-1])
    top = torch.cat([rotation.expand(*batch, 3, 3), translation.expand(*batch, 3).unsqueeze(-1)], dim=-1)
    bottom = top.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*batch, 1, 4)
    return torch.cat([top, bottom], dim=-2)


def inverse_rigid(matrix: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """The inverse of a rigid 4×4 matrix, by transposing its rotation."""
    rotation = matrix[..., :3, :3].transpose(-1, -2)
    return rigid(rotation, -(rotation @ matrix[..., :3, 3:]).squeeze(-1))


def check_rigid(matrix: Tensor, *, name: str) -> None:
    """Raise one line unless every 4×4 matrix is a rotation and a translation.

    Raises:
        DataError: wrong shape, a number that is not finite, a wrong last row, or scale, shear or reflection.
    """
    if matrix.ndim < 2 or matrix.shape[-2:] != (4, 4):
        raise DataError(f"{name}: expected shape (..., 4, 4), got {tuple(matrix.shape)}")
    matrix = matrix.detach().double()
    if not bool(torch.isfinite(matrix).all()):
        raise DataError(f"{name}: expected finite numbers, got NaN or infinity")
    last = matrix[..., 3, :]
    if not bool((last == last.new_tensor([0, 0, 0, 1])).all()):
        wrong = last[(last != last.new_tensor([0, 0, 0, 1])).any(-1)][0].tolist()
        raise DataError(f"{name}: expected the last row 0 0 0 1, got {' '.join(f'{value:g}' for value in wrong)}")
    rotation = matrix[..., :3, :3]
    off = (rotation @ rotation.transpose(-1, -2) - torch.eye(3, dtype=matrix.dtype, device=matrix.device)).abs().amax()
    if float(off) > RIGID_TOLERANCE:
        raise DataError(f"{name}: expected a rigid pose, its rotation is {float(off):.3g} away from orthonormal")
    if not bool((torch.linalg.det(rotation) > 0).all()):
        raise DataError(f"{name}: expected a rigid pose, its rotation is a reflection (determinant -1)")


def nearest_rotation(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation nearest to a matrix that is nearly one, as printed digits make it: U Vᵀ of its singular vectors."""
    u, _, vh = torch.linalg.svd(matrix)
    return u @ vh


def quaternion_to_rotation(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Rotation matrix of a quaternion (w, x, y, z), which is normalised first."""
    w, x, y, z = (quaternion / quaternion.norm(dim=-1, keepdim=True)).unbind(-1)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


def rotation_to_quaternion(rotation: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 4"]:
    """Unit quaternion (w, x, y, z), w >= 0, of a rotation matrix.

    The unit quaternion is the eigenvector of the largest eigenvalue of a symmetric 4×4 matrix (Bar-Itzhack, 2000),
    which is accurate at every angle. Not differentiable: for writing files.
    """
    m = rotation.detach()
    xx, yy, zz = m[..., 0, 0], m[..., 1, 1], m[..., 2, 2]
    x, y, z = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    rows = [
        [xx + yy + zz, x, y, z],
        [x, xx - yy - zz, xy, xz],
        [y, xy, yy - xx - zz, yz],
        [z, xz, yz, zz - xx - yy],
    ]
    symmetric = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
    quaternion = torch.linalg.eigh(symmetric).eigenvectors[..., -1]
    return torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)


def as_tensors(*values: float | Sequence[float] | Sequence[Sequence[float]] | Tensor) -> list[Tensor]:
    """All values as Tensors with the dtype and device of the first floating point Tensor among them, else float32."""
    like = next(
        (v for v in values if isinstance(v, Tensor) and v.is_floating_point()), torch.empty(0, dtype=torch.float32)
    )
    return [torch.as_tensor(value, dtype=like.dtype, device=like.device) for value in values]
