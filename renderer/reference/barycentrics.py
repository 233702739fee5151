"""Where on its face each pixel lies: barycentrics and depth, differentiable in the screen vertices."""

from __future__ import annotations

import torch
from torch import Tensor

from renderer.reference.geometry import cross, pixel_centres


def gather_corners(values: Tensor, faces: Tensor, face_id: Tensor) -> Tensor:
    """(B, A, C), (F, 3), (B, H, W) -> (B, H, W, 3, C): the values at the corners of each pixel's face.

    Where there is no face those of face 0 come, or zeros if there is none at all.
    """
    batch, _, channels = values.shape
    if faces.shape[0] == 0:
        return values.new_zeros(*face_id.shape, 3, channels)
    views = torch.arange(batch, device=values.device).reshape(-1, 1, 1, 1)
    return values[views, faces[face_id.clamp(min=0)]]


def barycentrics(
    vertices: Tensor, faces: Tensor, face_id: Tensor, depth: Tensor, perspective: bool
) -> tuple[Tensor, Tensor]:
    """(B, V, 3), (F, 3), (B, H, W), its depth -> barycentrics (B, H, W, 3) and depth (B, H, W); 0 for none."""
    seen = face_id >= 0
    corners = gather_corners(vertices, faces, face_id)
    # Any proper triangle where there is none: no NaN may enter the derivatives.
    some = corners.new_tensor([[0.0, 0, 1], [1, 0, 1], [0, 1, 1]])
    corners = torch.where(seen[..., None, None], corners, some)
    _, height, width = face_id.shape
    p = pixel_centres(height, width, vertices).reshape(1, height, width, 2)
    a, b, c = corners[..., :2].unbind(-2)
    weights = torch.stack([cross(c - b, p - b), cross(a - c, p - c), cross(b - a, p - a)], -1)
    weights = weights / weights.sum(-1, keepdim=True)
    z = corners[..., 2]
    if perspective:
        weights = weights / z
        weights = weights / weights.sum(-1, keepdim=True)
    here = (weights * z).sum(-1)
    return torch.where(seen[..., None], weights, 0.0), torch.where(seen, here, 0.0)
