"""Colour by a softmax over depth: every pixel against every face."""

from __future__ import annotations

import torch
from torch import Tensor

from renderer.reference.face_coverage import rebuild_distribution, signed_distance
from renderer.reference.geometry import cross, in_triangles, pixel_centres


def closest_barycentrics(points: Tensor, triangles: Tensor) -> Tensor:
    """(P, 2), (F, 3, 2) -> (P, F, 3): the closest point of each triangle as a combination of its corners."""
    p = points[:, None]
    weights, distances = [], []
    for k in range(3):
        a, b = triangles[None, :, k], triangles[None, :, (k + 1) % 3]
        e = b - a
        length2 = (e * e).sum(-1)
        t = ((p - a) * e).sum(-1) / torch.where(length2 > 0, length2, 1.0)
        t = t.clamp(0, 1)
        corners = [torch.zeros_like(t)] * 3
        corners[k], corners[(k + 1) % 3] = 1 - t, t
        weights.append(torch.stack(corners, -1))
        distances.append((p - a - t[..., None] * e).square().sum(-1))
    nearest = torch.stack(distances, -1).argmin(-1)
    edge = torch.stack(weights, -2).gather(-2, nearest[..., None, None].expand(*nearest.shape, 1, 3))[..., 0, :]
    a, b, c = triangles[None].unbind(2)
    area = cross(b - a, c - a)
    areas = torch.stack([cross(b - p, c - p), cross(c - p, a - p), cross(a - p, b - p)], -1)
    inner = areas / torch.where(area != 0, area, 1.0)[..., None]
    return torch.where(in_triangles(points, triangles)[1][..., None], inner, edge)


def depth_softmax(
    vertices: Tensor,
    faces: Tensor,
    attributes: Tensor,
    attribute_faces: Tensor,
    parameters: Tensor,
    height: int,
    width: int,
    distribution: str,
    squared: bool,
    support_eps: float,
    eps: float,
    near: float,
    far: float,
    perspective: bool,
) -> tuple[Tensor, Tensor]:
    """Colour (B, H, W, C) without its background, and the background's weight (B, H, W); parameters: (..., gamma)."""
    d = rebuild_distribution(distribution, parameters, squared, support_eps)
    gamma = parameters[3]
    radius = d.support(support_eps)
    points = pixel_centres(height, width, vertices)
    colours, backgrounds = [], []
    for view, values in zip(vertices, attributes, strict=True):
        in_front = (view[faces][..., 2] > 0).all(-1)
        triangles, corners = view[faces][in_front], values[attribute_faces][in_front]
        distance = signed_distance(points, triangles[..., :2])
        coverage = torch.where(distance >= -radius, d.cdf(distance), 0.0)
        weights = closest_barycentrics(points, triangles[..., :2])
        if perspective:
            weights = weights / triangles[..., 2]
            weights = weights / weights.sum(-1, keepdim=True)
        nearness = (far - (weights * triangles[..., 2]).sum(-1)) / (far - near)
        covered = coverage > 0
        # ln of the weights; the background opens the list.
        logits = torch.where(covered, torch.where(covered, coverage, 1.0).log() + nearness / gamma, -torch.inf)
        logits = torch.cat([(eps / gamma).expand(len(points), 1), logits], 1)
        share = logits.softmax(1)
        colours.append(torch.einsum("pf,pfi,fic->pc", share[:, 1:], weights, corners).reshape(height, width, -1))
        backgrounds.append(share[:, 0].reshape(height, width))
    return torch.stack(colours), torch.stack(backgrounds)
