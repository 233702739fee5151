"""Soft coverage by every face, aggregated by a T-conorm: every pixel against every face."""

from __future__ import annotations

import torch
from torch import Tensor

from renderer.reference.geometry import in_triangles, pixel_centres, segment_distance
from renderer.relax.distributions import DISTRIBUTIONS, Distribution
from renderer.relax.t_conorms import T_CONORMS


def rebuild_distribution(name: str, parameters: Tensor, squared: bool, support_eps: float) -> Distribution:
    """The distribution whose (scale, shape, shift) are `parameters`."""
    cls = DISTRIBUTIONS[name]
    return cls(
        scale=parameters[0],
        shape=parameters[1] if cls.has_shape else None,
        shift=parameters[2] if cls.has_shift else 0.0,
        squared=squared,
        support_eps=support_eps,
    )


def signed_distance(points: Tensor, triangles: Tensor) -> Tensor:
    """(P, 2), (F, 3, 2) -> (P, F): distance in pixels to the triangle's boundary, positive strictly inside."""
    p = points[:, None]
    distances, perps = [], []
    for k in range(3):
        distance, perp = segment_distance(p, triangles[None, :, k], triangles[None, :, (k + 1) % 3])
        distances.append(distance)
        perps.append(perp)
    nearest, which = torch.stack(distances, -1).min(-1)
    perp = torch.stack(perps, -1).gather(-1, which[..., None])[..., 0]
    a, b, c = triangles.unbind(1)
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    _, inside = in_triangles(points, triangles)
    # Across an edge the signed distance is smooth through 0; |perp| alone would have no derivative there.
    smooth = torch.isfinite(perp) & (area != 0)
    across = torch.where(smooth, perp, 0.0) * torch.sign(area).detach()
    return torch.where(smooth, across, torch.where(inside, nearest, -nearest))


def face_coverage(
    vertices: Tensor,
    faces: Tensor,
    parameters: Tensor,
    height: int,
    width: int,
    distribution: str,
    squared: bool,
    support_eps: float,
    t_conorm: str,
) -> Tensor:
    """(B, V, 3), (F, 3), (scale, shape, shift, p) -> coverage (B, H, W)."""
    d = rebuild_distribution(distribution, parameters, squared, support_eps)
    cls = T_CONORMS[t_conorm]
    aggregate = cls(parameters[3] if cls.range_of_p is not None else None)
    radius = d.support(support_eps)
    points = pixel_centres(height, width, vertices)
    images = []
    for view in vertices:
        triangles = view[faces]
        in_front = (triangles[..., 2] > 0).all(-1)
        distance = signed_distance(points, triangles[in_front][..., :2])
        near = distance >= -radius
        v = torch.where(near, d.cdf(distance), 0.0)
        log_survival = torch.where(near, d.log_survival(distance), 0.0)
        images.append(aggregate.reduce(v, -1, log_survival=log_survival).reshape(height, width))
    return torch.stack(images)
