"""Soft coverage by the union of the faces: every pixel against every piece of the outline."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from renderer.reference.face_coverage import rebuild_distribution
from renderer.reference.geometry import cross, in_triangles, pixel_centres, segment_distance

OUTSIDE = 1e-4  # pixels beyond an edge at which its far side is looked at, as in the native op


def _candidates(points: Tensor, faces: Tensor, in_front: Tensor) -> list[tuple[int, int]]:
    """Edges whose (front, non-degenerate) faces all lie to the left of a -> b."""
    triangles = points[faces]
    area = cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    directions: dict[tuple[int, int], set[tuple[int, int]]] = {}
    for face, side, front in zip(faces.tolist(), area.tolist(), in_front.tolist(), strict=True):
        if side == 0 or not front:
            continue
        for k in range(3):
            a, b = face[k], face[(k + 1) % 3]
            directions.setdefault((min(a, b), max(a, b)), set()).add((a, b) if side > 0 else (b, a))
    return [next(iter(d)) for d in directions.values() if len(d) == 1]


def _pieces(points: Tensor, faces: Tensor, in_front: Tensor) -> tuple[Tensor, Tensor]:
    """End points (K, 2) of the outline's pieces, differentiable in `points`; the covered side lies to the left."""
    edges = _candidates(points, faces, in_front)
    fixed = points.detach()
    covering = fixed[faces][in_front]
    starts, ends = [], []
    for a, b in edges:
        e = fixed[b] - fixed[a]
        length = float(e.norm())
        if length == 0:
            continue
        cuts = [(0.0, -1), (1.0, -1)]
        for i, (c, d) in enumerate(edges):
            if {a, b} & {c, d}:
                continue
            g = fixed[d] - fixed[c]
            denominator = float(cross(e, g))
            if denominator == 0:
                continue
            w = fixed[c] - fixed[a]
            t, s = float(cross(w, g)) / denominator, float(cross(w, e)) / denominator
            if 1e-9 < t < 1 - 1e-9 and -1e-9 <= s <= 1 + 1e-9:
                cuts.append((t, i))
        cuts.sort()

        def end(cut: tuple[float, int], a: int = a, b: int = b) -> Tensor:
            if cut[1] < 0:
                return points[a] if cut[0] == 0 else points[b]
            c, d = edges[cut[1]]
            e, g = points[b] - points[a], points[d] - points[c]
            return points[a] + cross(points[c] - points[a], g) / cross(e, g) * e

        outward = torch.stack([e[1], -e[0]]) / length * OUTSIDE
        open_from = None
        for first, last in pairwise(cuts):
            middle = fixed[a] + 0.5 * (first[0] + last[0]) * e + outward
            visible = not bool(in_triangles(middle[None], covering)[0].any())
            if visible and open_from is None:
                open_from = first
            if open_from is not None and not visible:
                starts.append(end(open_from))
                ends.append(end(first))
                open_from = None
        if open_from is not None:
            starts.append(end(open_from))
            ends.append(end(cuts[-1]))
    if not starts:
        return points.new_zeros(0, 2), points.new_zeros(0, 2)
    return torch.stack(starts), torch.stack(ends)


def outline_coverage(
    vertices: Tensor,
    faces: Tensor,
    parameters: Tensor,
    height: int,
    width: int,
    distribution: str,
    squared: bool,
    support_eps: float,
) -> Tensor:
    """(B, V, 3), (F, 3), (scale, shape, shift, -) -> coverage (B, H, W)."""
    d = rebuild_distribution(distribution, parameters, squared, support_eps)
    outer, inner = d.support(support_eps), d.inner_support(support_eps)
    centres = pixel_centres(height, width, vertices)
    images = []
    for view in vertices:
        points = view[:, :2]
        in_front = (view[faces][..., 2] > 0).all(-1)
        inside = in_triangles(centres, points[faces][in_front])[0].any(-1)
        start, end = _pieces(points, faces, in_front)
        hard = inside.to(vertices.dtype)
        if start.shape[0] == 0:
            # Kept on the graph, so that gradients are zeros rather than missing.
            images.append((hard + 0.0 * view.sum()).reshape(height, width))
            continue
        distances, perps = segment_distance(centres[:, None], start[None], end[None])
        nearest, which = distances.min(-1)
        perp = perps.gather(-1, which[:, None])[:, 0]
        signed = torch.where(inside, nearest, -nearest)
        signed = torch.where(torch.isfinite(perp), torch.where(torch.isfinite(perp), perp, 0.0), signed)
        near = (signed >= -outer) & (signed <= inner)
        images.append(torch.where(near, d.cdf(torch.where(near, signed, 0.0)), hard).reshape(height, width))
    return torch.stack(images)
