"""Near-plane clipping: faces that reach behind the camera are cut at z = near, differentiably."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

BEHIND = -1.0
"""Depth of a vertex that a view does not see; the raster ops skip every face with a vertex of depth <= 0."""

_CORNERS = 3
# What is left of a triangle, by which of its corners are in front (bit 0, 1, 2): triangles over the corners 0, 1, 2 and
# the cuts 3 + i, where cut i lies on the edge from corner i to corner i + 1. The order keeps the winding.
_PIECES: dict[int, tuple[tuple[int, int, int], ...]] = {
    0b001: ((0, 3, 5),),
    0b010: ((1, 4, 3),),
    0b100: ((2, 5, 4),),
    0b011: ((0, 1, 4), (0, 4, 5)),
    0b110: ((1, 2, 5), (1, 5, 3)),
    0b101: ((2, 0, 3), (2, 3, 4)),
}


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
    if camera_vertices.ndim != 3 or camera_vertices.shape[-1] != 3:
        raise ValueError(f"camera_vertices: expected shape (B, V, 3), got {tuple(camera_vertices.shape)}")
    if faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(f"faces: expected shape (F, 3), got {tuple(faces.shape)}")
    if not near > 0:
        raise ValueError(f"near: expected a positive distance, got {near}")
    in_front = camera_vertices[..., 2].detach() >= near
    if bool(in_front.all()):
        return camera_vertices, faces
    count = camera_vertices.shape[1]
    whole, owner, piece = _pieces(in_front, faces)

    # The cut edges of all pieces, each once as (low, high), so that neighbours meet in the very same point.
    corners = faces[owner]
    ends = torch.stack([corners, corners.roll(-1, dims=1)], dim=-1).sort(dim=-1).values
    keys = ends[..., 0] * count + ends[..., 1]
    is_cut = piece >= _CORNERS
    edge_keys = keys.gather(1, (piece - _CORNERS).clamp(min=0))
    cut_keys, slots = torch.unique(edge_keys[is_cut], return_inverse=True)
    new_faces = corners.gather(1, piece.clamp(max=_CORNERS - 1))
    new_faces[is_cut] = count + slots

    cuts = _cut_points(camera_vertices, in_front, cut_keys // count, cut_keys % count, near)
    x, y, z = camera_vertices.unbind(-1)
    marked = torch.stack([x, y, torch.where(in_front, z, BEHIND)], dim=-1)
    return torch.cat([marked, cuts], dim=1), torch.cat([faces[whole], new_faces])


def _pieces(
    in_front: Bool[Tensor, "B V"], faces: Int[Tensor, "F 3"]
) -> tuple[Bool[Tensor, " F"], Int[Tensor, " P"], Int[Tensor, "P 3"]]:
    """Which faces some view sees whole, and the face and corners (0..2 own, 3..5 cut edges) of each piece.

    A view gets a piece exactly when its corners are in front and its edges are cut there, which holds for no two
    overlapping ones of the pieces of a face, so the views can share them all.
    """
    bits = torch.tensor([1, 2, 4], device=faces.device)
    pattern = (in_front[:, faces] * bits).sum(-1)
    owners, pieces = [], []
    for code, triangles in _PIECES.items():
        owner = (pattern == code).any(0).nonzero().squeeze(1)
        for triangle in triangles:
            owners.append(owner)
            pieces.append(torch.tensor(triangle, device=faces.device).expand(owner.numel(), 3))
    return (pattern == 0b111).any(0), torch.cat(owners), torch.cat(pieces)


def _cut_points(
    vertices: Float[Tensor, "B V 3"],
    in_front: Bool[Tensor, "B V"],
    low: Int[Tensor, " E"],
    high: Int[Tensor, " E"],
    near: float,
) -> Float[Tensor, "B E 3"]:
    """Where each edge meets the plane in each view; depth -1 where it does not."""
    a, b = vertices[:, low], vertices[:, high]
    cut = in_front[:, low] != in_front[:, high]
    rise = torch.where(cut, b[..., 2] - a[..., 2], 1)
    t = torch.where(cut, (near - a[..., 2]) / rise, 0).unsqueeze(-1)
    xy = a[..., :2] + t * (b[..., :2] - a[..., :2])
    return torch.cat([xy, torch.where(cut, near, BEHIND).to(xy.dtype).unsqueeze(-1)], dim=-1)
