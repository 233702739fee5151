"""Distances to segments in the plane, by autograd, with a derivative on the segments themselves."""

from __future__ import annotations

import torch
from torch import Tensor


def pixel_centres(height: int, width: int, like: Tensor) -> Tensor:
    """Centres (H * W, 2) at +0.5, row by row."""
    y, x = torch.meshgrid(
        torch.arange(height, dtype=like.dtype, device=like.device) + 0.5,
        torch.arange(width, dtype=like.dtype, device=like.device) + 0.5,
        indexing="ij",
    )
    return torch.stack([x, y], -1).reshape(-1, 2)


def cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def segment_distance(points: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Distance to the segment a b, and the signed distance across its line (positive to the left of a -> b).

    Between the ends the two agree up to sign; beyond an end the distance is to that end. A zero-length segment is a
    point.
    """
    e = b - a
    length2 = (e * e).sum(-1)
    point_like = length2 == 0
    length = torch.where(point_like, 1.0, length2).sqrt()
    w = points - a
    perp = cross(e, w) / length
    along = (w * e).sum(-1) / length
    to_a, to_b = w, points - b
    beyond_a, beyond_b = (along <= 0) | point_like, along >= length
    end = torch.where(beyond_a[..., None], to_a, to_b)
    end2 = (end * end).sum(-1)
    clamped = (beyond_a | beyond_b) & (end2 > 0)
    end_distance = torch.where(clamped, end2, 1.0).sqrt()
    return torch.where(clamped, end_distance, perp.abs()), torch.where(clamped, torch.nan, perp)


def in_triangles(points: Tensor, triangles: Tensor) -> tuple[Tensor, Tensor]:
    """Closed and strict membership, (P, F) each; zero-area triangles contain nothing."""
    a, b, c = (triangles[None, :, k] for k in range(3))
    p = points[:, None]
    sides = torch.stack([cross(b - a, p - a), cross(c - b, p - b), cross(a - c, p - c)], -1)
    area = cross(b - a, c - a)
    sides = sides * torch.sign(area)[..., None]
    real = area != 0
    return (sides >= 0).all(-1) & real, (sides > 0).all(-1) & real
