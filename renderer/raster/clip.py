"""Clipping: faces that reach behind the camera are cut at z = near, and beyond the view at z = far, differentiably."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

BEHIND = -1.0
"""Depth of a vertex that a view does not see; the raster ops skip every face with a vertex of depth <= 0."""

_CORNERS = 3
# What is left of a triangle, by which of its corners are inside (bit 0, 1, 2): triangles over the corners 0, 1, 2 and
# the cuts 3 + i, where cut i lies on the edge from corner i to corner i + 1. The order keeps the winding.
_PIECES: dict[int, tuple[tuple[int, int, int], ...]] = {
    0b111: ((0, 1, 2),),
    0b001: ((0, 3, 5),),
    0b010: ((1, 4, 3),),
    0b100: ((2, 5, 4),),
    0b011: ((0, 1, 4), (0, 4, 5)),
    0b110: ((1, 2, 5), (1, 5, 3)),
    0b101: ((2, 0, 3), (2, 3, 4)),
}


class Cuts(NamedTuple):
    """Where the faces after a clip come from.

    owner (F2,): the given face that each one is, or is a piece of. corners (F2, 3): its corners, 0 to 2 the owner's
    own, 3 + i a cut of the owner's edge from corner i to corner i + 1. t (B, F2, 3): how far along that edge, from 0
    to 1, the cut lies in each view; 0 for the owner's own corners and in the views that do not cut there.
    """

    owner: Int[Tensor, " F2"]
    corners: Int[Tensor, "F2 3"]
    t: Float[Tensor, "B F2 3"]


def clip_near(
    camera_vertices: Float[Tensor, "B V 3"], faces: Int[Tensor, "F 3"], near: float
) -> tuple[Float[Tensor, "B V2 3"], Int[Tensor, "F2 3"]]:
    """Cut triangles at the plane z = ``near``, on one face list that all views share.

    Args:
        camera_vertices: (B, V, 3) vertices in camera axes (z forward), in world units.
        faces: (F, 3) vertex indices.
        near: distance of the plane, > 0.

    Returns:
        Vertices (B, V2, 3) and faces (F2, 3). If no vertex has z < ``near`` these are the arguments themselves.
        Otherwise the first V vertices are the given ones, and one follows for each edge that is cut in some view.
        Where a vertex has z < ``near`` in a view, or an edge is not cut in it, the vertex has depth -1 there (x and y
        stay finite), which makes the raster ops skip its faces in that view. The faces are the given ones that some
        view sees whole, in order, followed by the pieces of those that some view sees in part. The faces that one view
        does not skip meet as the given ones do; counted over all views, an edge can belong to more than two.

    Differentiable in the vertices, also where a cut moves along its edge: it lies at a + t (b - a) with
    t = (near - a_z) / (b_z - a_z).

    Raises:
        ValueError: a wrong shape, or ``near`` not positive.

    Example:
        >>> triangle = torch.tensor([[[0.0, 0.0, 2.0], [1.0, 0.0, 2.0], [0.0, 0.0, 0.0]]])
        >>> clip_near(triangle, torch.tensor([[0, 1, 2]]), 1.0)[0][0, 3:, 2]     # tensor([1., 1.])
    """
    vertices, clipped, _ = clip(camera_vertices, faces, near=near)
    return vertices, clipped


def clip(
    camera_vertices: Float[Tensor, "B V 3"], faces: Int[Tensor, "F 3"], *, near: float, far: float | None = None
) -> tuple[Float[Tensor, "B V2 3"], Int[Tensor, "F2 3"], tuple[Cuts, ...]]:
    """As :func:`clip_near`, also at the plane z = ``far``, with what :func:`clip_attributes` needs to follow.

    The record has an entry for each plane that cut or dropped something, in order.

    Raises:
        ValueError: a wrong shape, ``near`` not positive, ``far`` not beyond it.

    Example:
        >>> vertices, clipped, cuts = clip(camera.to_camera(mesh.vertices), mesh.faces, near=0.01, far=100.0)
        >>> uv, uv_faces = clip_attributes(mesh.uv[None], mesh.uv_faces, cuts)
    """
    if camera_vertices.ndim != 3 or camera_vertices.shape[-1] != 3:
        raise ValueError(f"camera_vertices: expected shape (B, V, 3), got {tuple(camera_vertices.shape)}")
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(f"faces: expected shape (F, 3), got {tuple(faces.shape)}")
    if not near > 0:
        raise ValueError(f"near: expected a positive distance, got {near}")
    if far is not None and not far > near:
        raise ValueError(f"far: expected more than near = {near}, got {far}")
    vertices, record = camera_vertices, []
    planes = [(near, 1.0)] if far is None else [(near, 1.0), (far, -1.0)]
    for plane, side in planes:
        z = vertices[..., 2].detach()
        # At the far plane the vertices that the near plane marked are neither before it nor beyond it.
        alive = torch.ones_like(z, dtype=torch.bool) if side > 0 else z > 0
        inside = side * z >= side * plane
        if bool((inside | ~alive).all()):
            continue
        vertices, faces, cuts = _cut(vertices, faces, inside, alive, plane)
        record.append(cuts)
    return vertices, faces, tuple(record)


def clip_attributes(
    attributes: Float[Tensor, "B A C"], attribute_faces: Int[Tensor, "F 3"], cuts: Sequence[Cuts]
) -> tuple[Float[Tensor, "B A2 C"], Int[Tensor, "F2 3"]]:
    """The attributes of a mesh and their indices, for the faces that :func:`clip` returned.

    Rows for the cuts follow the given ones; without cuts the arguments come back. Differentiable in the attributes and
    in where the cuts lie.

    Args:
        attributes: (B, A, C), or (1, A, C) for all views.
        attribute_faces: rows of ``attributes`` at the corners of the given faces.
        cuts: from :func:`clip`.
    """
    for owner, corners, t in cuts:
        rows = attribute_faces[owner]
        is_cut = corners >= _CORNERS
        first = (corners - _CORNERS).clamp(min=0)
        a, b = rows.gather(1, first)[is_cut], rows.gather(1, (first + 1) % _CORNERS)[is_cut]
        along = t[:, is_cut].unsqueeze(-1)
        new = attributes[:, a] + along * (attributes[:, b] - attributes[:, a])
        attribute_faces = rows.gather(1, corners.clamp(max=_CORNERS - 1))
        attribute_faces[is_cut] = attributes.shape[1] + torch.arange(new.shape[1], device=rows.device)
        attributes = torch.cat([attributes.expand(new.shape[0], -1, -1), new], dim=1)
    return attributes, attribute_faces


def _cut(
    vertices: Float[Tensor, "B V 3"],
    faces: Int[Tensor, "F 3"],
    inside: Bool[Tensor, "B V"],
    alive: Bool[Tensor, "B V"],
    plane: float,
) -> tuple[Tensor, Tensor, Cuts]:
    """Cut at one plane: the new vertices, the new faces, and where these come from."""
    count = vertices.shape[1]
    owner, piece = _pieces(inside, alive, faces)

    # The cut edges of all pieces, each once as (low, high), so that neighbours meet in the very same point.
    corners = faces[owner]
    following = corners.roll(-1, dims=1)
    ends = torch.stack([corners, following], dim=-1).sort(dim=-1).values
    keys = ends[..., 0] * count + ends[..., 1]
    is_cut = piece >= _CORNERS
    first = (piece - _CORNERS).clamp(min=0)
    cut_keys, slots = torch.unique(keys.gather(1, first)[is_cut], return_inverse=True)
    new_faces = corners.gather(1, piece.clamp(max=_CORNERS - 1))
    new_faces[is_cut] = count + slots

    cuts, t, crosses = _cut_points(vertices, inside, alive, cut_keys // count, cut_keys % count, plane)
    x, y, z = vertices.unbind(-1)
    marked = torch.stack([x, y, torch.where(inside & alive, z, BEHIND)], dim=-1)
    # t runs from the lower vertex to the higher one; along the edge of the face it may run the other way.
    reverse = (corners > following).gather(1, first)[is_cut]
    along = t.new_zeros(t.shape[0], *piece.shape)
    along[:, is_cut] = torch.where(reverse & crosses[:, slots], 1 - t[:, slots], t[:, slots])
    return torch.cat([marked, cuts], dim=1), new_faces, Cuts(owner, piece, along)


def _pieces(
    inside: Bool[Tensor, "B V"], alive: Bool[Tensor, "B V"], faces: Int[Tensor, "F 3"]
) -> tuple[Int[Tensor, " P"], Int[Tensor, "P 3"]]:
    """The face and the corners (0..2 own, 3..5 cut edges) of each piece; first the faces that some view sees whole.

    A view gets a piece exactly when its corners are inside and its edges are cut there, which holds for no two
    overlapping ones of the pieces of a face, so the views can share them all.
    """
    bits = torch.tensor([1, 2, 4], device=faces.device)
    pattern = (inside[:, faces] * bits).sum(-1) * alive[:, faces].all(-1)
    owners, pieces = [], []
    for code, triangles in _PIECES.items():
        owner = (pattern == code).any(0).nonzero().squeeze(1)
        for triangle in triangles:
            owners.append(owner)
            pieces.append(torch.tensor(triangle, device=faces.device).expand(owner.numel(), 3))
    return torch.cat(owners), torch.cat(pieces)


def _cut_points(
    vertices: Float[Tensor, "B V 3"],
    inside: Bool[Tensor, "B V"],
    alive: Bool[Tensor, "B V"],
    low: Int[Tensor, " E"],
    high: Int[Tensor, " E"],
    plane: float,
) -> tuple[Float[Tensor, "B E 3"], Float[Tensor, "B E"], Bool[Tensor, "B E"]]:
    """Where each edge meets the plane in each view, how far along the edge, and whether; depth -1 and 0 if not."""
    a, b = vertices[:, low], vertices[:, high]
    cut = (inside[:, low] != inside[:, high]) & alive[:, low] & alive[:, high]
    rise = torch.where(cut, b[..., 2] - a[..., 2], 1)
    t = torch.where(cut, (plane - a[..., 2]) / rise, 0)
    xy = a[..., :2] + t.unsqueeze(-1) * (b[..., :2] - a[..., :2])
    z = torch.where(cut, xy.new_tensor(plane), BEHIND)
    return torch.cat([xy, z.unsqueeze(-1)], dim=-1), t, cut
