"""Colour by a softmax over depth: every pixel against every face."""

from __future__ import annotations

import torch
from torch import Tensor

from renderer.reference.face_coverage import rebuild_distribution, signed_distance
from renderer.reference.geometry import cross, in_triangles, pixel_centres
from renderer.reference.texture import texture


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
    uv: Tensor,
    uv_faces: Tensor,
    slopes: Tensor,
    texels: Tensor,
    face_texture: Tensor,
    height: int,
    width: int,
    distribution: str,
    squared: bool,
    support_eps: float,
    eps: float,
    near: float,
    far: float,
    perspective: bool,
    layouts: list[int],
) -> tuple[Tensor, Tensor]:
    """Colour (B, H, W, C) without its background, and the background's weight (B, H, W); parameters: (..., gamma).

    Textures as :func:`texture_values` has them.
    """
    d = rebuild_distribution(distribution, parameters, squared, support_eps)
    gamma = parameters[3]
    radius = d.support(support_eps)
    points = pixel_centres(height, width, vertices)
    colours, backgrounds = [], []
    for b, (view, values) in enumerate(zip(vertices, attributes, strict=True)):
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
        shown = torch.einsum("pfi,fic->pfc", weights, corners)
        if layouts:
            own_texels = texels[b * len(texels) // len(vertices)]
            depth = (weights * triangles[..., 2]).sum(-1) if perspective else torch.ones_like(distance)
            coordinates = torch.einsum("pfi,fic->pfc", weights, uv[b][uv_faces][in_front])
            of_face = slopes[b][in_front], face_texture[in_front]
            factor = texture_values(coordinates, depth, *of_face, own_texels, layouts)
            shown = torch.cat([shown[..., : factor.shape[-1]] * factor, shown[..., factor.shape[-1] :]], -1)
        colours.append(torch.einsum("pf,pfc->pc", share[:, 1:], shown).reshape(height, width, -1))
        backgrounds.append(share[:, 0].reshape(height, width))
    return torch.stack(colours), torch.stack(backgrounds)


def texture_values(
    uv: Tensor, depth: Tensor, slopes: Tensor, face_texture: Tensor, texels: Tensor, layouts: list[int]
) -> Tensor:
    """(P, F, 2), (P, F), (F, 6), (F,), (texels of all textures, C) -> (P, F, C): the factors of the attributes.

    `layouts`: first texel, height, width, levels, nearest, repeat of each texture; `face_texture` -1: factor 1.
    `slopes`: d/dx of u/z, v/z, 1/z, then d/dy, so that du/dx = ((u/z)_x - u (1/z)_x) z.
    """
    total = torch.ones(*uv.shape[:2], texels.shape[-1], dtype=uv.dtype, device=uv.device)
    for index in range(len(layouts) // 6):
        first, height, width, levels, nearest, repeat = layouts[6 * index : 6 * index + 6]
        mine = (face_texture == index).nonzero()[:, 0]
        at, z, s = uv[:, mine], depth[:, mine], slopes[mine].unflatten(-1, (2, 3))
        rise = torch.stack([(s[..., i] - at[..., i, None] * s[..., 2]) * z[..., None] for i in range(2)], -1)
        steps = rise * rise.new_tensor([width, height])
        lod = 0.5 * (steps * steps).sum(-1).amax(-1).clamp(min=1.0).log2().clamp(max=2.0 * (levels - 1))
        pyramid = texels[None, first:]
        values = texture(at[None], pyramid, lod[None], height, width, levels, bool(nearest), bool(repeat))[0]
        total = total.index_copy(1, mine, values)
    return total
