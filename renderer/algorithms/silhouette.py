"""A silhouette as a plain program: is this pixel inside of any of these triangles?"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from renderer.relax.program import relax


def signed_distance(point: Tensor, triangle: Tensor) -> Tensor:
    """Distance of points (B, 2) to the outlines of triangles (B, 3, 2), positive inside."""
    start, end = triangle, triangle.roll(-1, 1)
    edge, to_point = end - start, point[:, None, :] - start
    length = (edge**2).sum(-1)
    along = ((to_point * edge).sum(-1) / length).clamp(0, 1)
    nearest = torch.linalg.vector_norm(to_point - along[..., None] * edge, dim=-1).amin(1)
    side = edge[..., 0] * to_point[..., 1] - edge[..., 1] * to_point[..., 0]
    inside = (side > 0).all(1) | (side < 0).all(1)
    return torch.where(inside, nearest, -nearest)


@relax(beta=2.0)
def covered(point: Any, triangles: Any) -> Any:
    """Whether points (B, 2) in pixels lie in any of the triangles (B, F, 3, 2): the renderer's soft silhouette."""
    alpha = False
    for triangle in triangles:
        if signed_distance(point, triangle) > 0:
            alpha = True
    return alpha
