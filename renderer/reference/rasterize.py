"""The nearest face of every pixel: every pixel centre against every face."""

from __future__ import annotations

import torch
from torch import Tensor

from renderer.reference.geometry import cross, pixel_centres


def rasterize(
    vertices: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    perspective: bool,
    cull_back_faces: bool,
    behind: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """(B, V, 3), (F, 3) -> face (B, H, W), -1 for none, and depth, 0 for none; not differentiable."""
    points = pixel_centres(height, width, vertices)[:, None]
    ids, depths = [], []
    for view, screen in enumerate(vertices.detach()):
        corners = screen[faces]
        a, b, c = corners[..., :2].unbind(1)
        area = cross(b - a, c - a)
        drawn = (corners[..., 2] > 0).all(-1) & (area != 0)
        if cull_back_faces:
            drawn &= area < 0
        safe = torch.where(drawn, area, 1.0)
        weights = torch.stack([cross(c - b, points - b), cross(a - c, points - c), cross(b - a, points - a)], -1)
        weights = weights / safe[:, None]
        z = torch.where(drawn[:, None], corners[..., 2], 1.0)
        depth = 1 / (weights / z).sum(-1) if perspective else (weights * z).sum(-1)
        seen = (weights >= 0).all(-1) & drawn
        if behind is not None:
            before = behind[view].reshape(-1, 1)
            seen &= (before > 0) & (depth > before)
        depth = torch.where(seen, depth, torch.inf)
        # A column of no face at all, so that an empty mesh has a minimum too.
        nearest, face = torch.cat([depth, depth.new_full((len(depth), 1), torch.inf)], 1).min(1)
        hit = torch.isfinite(nearest)
        ids.append(torch.where(hit, face, -1).reshape(height, width))
        depths.append(torch.where(hit, nearest, 0.0).reshape(height, width))
    return torch.stack(ids), torch.stack(depths)
