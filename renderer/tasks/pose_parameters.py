"""The unknowns of a camera: a rotation with its tangent, size and distance, and where the object lies in the image."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from renderer.scene.camera import DEFAULT_NEAR, Camera
from renderer.scene.pose import quaternion_to_rotation, rigid

# Super-Fibonacci spirals: the positive real root of ψ⁴ = ψ + 4, and √2.
PHI, PSI = math.sqrt(2), 1.533751168755204288118041


class Poses(NamedTuple):
    """N cameras about a point c. With size s and distance d the focal length is s d, so that changing d keeps the
    object's size in the image and changes the perspective only.

    rotation: world to camera. log_size: ln of image heights per world unit at c. log_distance: ln of c's depth.
    offset: where c falls in the image, in image heights from the middle.
    """

    rotation: Float[Tensor, "N 3 3"]
    log_size: Float[Tensor, "N"]
    log_distance: Float[Tensor, "N"]
    offset: Float[Tensor, "N 2"]

    def camera(self, centre: Float[Tensor, "3"], image_size: tuple[int, int], *, near: float = DEFAULT_NEAR) -> Camera:
        """The cameras, differentiable in everything."""
        height, width = image_size
        distance, size = self.log_distance.exp(), self.log_size.exp()
        # c lies at depth d and at offset · height pixels from the middle: x = offset d / (focal in heights).
        across = self.offset / size[:, None]
        at = torch.cat([across, distance[:, None]], dim=1)
        pose = rigid(self.rotation, at - (self.rotation @ centre[:, None])[..., 0])
        focal, zero, one = height * size * distance, torch.zeros_like(size), torch.ones_like(size)
        rows = [focal, zero, one * width / 2, zero, focal, one * height / 2, zero, zero, one]
        start = Camera.look_at((0.0, 0.0, 1.0), image_size=image_size, near=near).to(pose.device, pose.dtype)
        return start.with_world_to_camera(pose).with_intrinsics(torch.stack(rows, dim=1).reshape(-1, 3, 3))

    def of(self, index: Tensor) -> Poses:
        """Some of them."""
        return Poses(*(value[index] for value in self))


def turn(axis_angle: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3 3"]:
    """Rotation by |axis_angle| radians about that axis: the exponential of its cross product matrix."""
    x, y, z = axis_angle.unbind(1)
    zero = torch.zeros_like(x)
    return torch.linalg.matrix_exp(torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).reshape(-1, 3, 3))


def degrees_between(a: Float[Tensor, "*N 3 3"], b: Float[Tensor, "*N 3 3"]) -> Float[Tensor, "*N"]:
    """The angle of the rotation that takes b to a."""
    return torch.rad2deg(torch.acos((((a * b).sum((-2, -1)) - 1) / 2).clamp(-1, 1)))


def even_rotations(count: int) -> Float[Tensor, "N 3 3"]:
    """Rotations spread evenly over SO(3). Source: Alexa, "Super-Fibonacci Spirals", CVPR 2022.

    >>> even_rotations(64).shape
    torch.Size([64, 3, 3])
    """
    s = torch.arange(count, dtype=torch.float64) + 0.5
    r, R = (s / count).sqrt(), (1 - s / count).sqrt()
    a, b = 2 * math.pi * s / PHI, 2 * math.pi * s / PSI
    return quaternion_to_rotation(torch.stack([r * a.sin(), r * a.cos(), R * b.sin(), R * b.cos()], dim=1))
